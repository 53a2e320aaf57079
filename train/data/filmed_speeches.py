"""A person's own talking clips: the motion of the face in the film and the speech in its sound.

Each clip is tracked and heard once and kept on disk. Its emotion is read from an EmotionTrack that
lies beside it (`talk.mp4` and `talk.json` or `talk.csv`, as `affetto recognize` writes them);
without one the clip counts as neutral.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affetto.clip import Clip, Picture
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.motion import FPS, Motion
from affetto.recognizers.face.arkit import load_basis
from affetto.recognizers.face.capture import capture_motion
from affetto.recognizers.face.mesh import FaceMesh
from affetto.train.data.heard_speeches import RATE_HZ, Speech, heard, spoken
from affetto.train.data.tracked_motion import track_meshes

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


@dataclass(frozen=True)
class FilmedSpeech:
    """A clip.

    Attributes:
        speech: what is heard; its speaker is the clip's own name.
        motion: at 25 fps.
        track: the emotion beside the clip, None where there is none.
    """

    speech: Speech
    motion: Motion
    track: EmotionTrack | None


def read_filmed(root: Path, folder: Path, *, clean: bool = False) -> Iterator[FilmedSpeech]:
    """All films in `root`; those in `folder` are not tracked anew.

    Args:
        root: where the films lie.
        folder: where they are kept.
        clean: see `affetto.gen.portrait.hearing.listen`.

    Raises:
        BadInput: there is no film, or one without sound or without a face in half of its frames.
    """
    paths = sorted(path for path in root.glob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise BadInput(f"no films in {root}: put clips of one talking person there ({SUFFIXES[0]})")
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        kept = folder / f"{path.stem}.npz"
        if not kept.exists():
            _keep(kept, path, clean=clean)
        with np.load(kept) as file:
            speech = spoken(file, path.stem, path.stem)
            motion = Motion(file["motion"], FPS)
        beside = [path.with_suffix(suffix) for suffix in (".json", ".csv")]
        found = [one for one in beside if one.exists()]
        yield FilmedSpeech(speech, motion, EmotionTrack.load(found[0]) if found else None)


def _keep(kept: Path, path: Path, *, clean: bool) -> None:
    clip = Clip.open(path)
    if not clip.has_audio:
        raise BadInput(f"{path} has no sound: a motion model learns from speech that is heard")
    blocks = list(clip.audio_blocks(sample_rate=RATE_HZ, channels=1))
    wav = np.concatenate(blocks, axis=1)[0]
    meshes = track_meshes(_pictures(clip), FaceMesh())
    motion = capture_motion(meshes, load_basis(net="shipped"), fps=float(clip.fps)).at_fps(FPS)
    with staged_file(kept) as staged, staged.open("wb") as file:
        np.savez(file, motion=motion.values, **heard(wav, clean=clean))  # type: ignore[arg-type]


def _pictures(clip: Clip) -> Iterator[Picture]:
    return (picture for _, picture in clip.frames())
