"""Animated clips as the audio-visual net reads them: states of faces and voices, kept on disk.

A lesson is a clip in one of several variants: as it is, and changed on its way. Speech shorter than
a window is spoken again, face and voice together, so that a clip's length says nothing. Letters:
N clips, U utterances, V variants.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.recognizers.audiovisual.states import (
    FRAMES_HZ,
    NUM_FRAMES,
    SHIPPED,
    WINDOW_S,
    face_states,
    filled,
    voice_states,
)
from affetto.recognizers.face.recognizer import FaceRecognizer, load_face
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech
from affetto.train.augment_clip import Crops
from affetto.train.augment_sound import vary
from affetto.train.data.animated_clips import AnimatedClips
from affetto.train.data.speech_corpora import RATE_HZ, Sound, Utterance, load_wav

BATCH = 8
ChangedFace = Callable[[Crops, np.random.Generator], Crops]
ChangedVoice = Callable[[int, np.random.Generator], Sound]


@dataclass(frozen=True)
class States:
    """Of N clips in V variants.

    Attributes:
        faces: (N, V, 132, 16, 6, 6) float16, on disk.
        voices: (U, W, 1152, 32) float16, on disk; W variants of its own.
        spoken: (N,) which utterance.
        label: (N,) place in `RAVDESS_LABELS`.
    """

    faces: NDArray[np.float16]
    voices: NDArray[np.float16]
    spoken: NDArray[np.int64]
    label: NDArray[np.int64]

    def __len__(self) -> int:
        """How many clips."""
        return len(self.label)

    def batch(
        self, rows: NDArray[np.int64], face: NDArray[np.int64], voice: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Faces (B, 132, 16, 6, 6), voices (B, 1152, 32, 1), labels (B,) of rows and variants."""
        seen = torch.from_numpy(self.faces[rows, face].astype(np.float32))
        heard = torch.from_numpy(self.voices[self.spoken[rows], voice].astype(np.float32))
        return seen, heard[..., None], torch.from_numpy(self.label[rows])


def states_of(
    clips: AnimatedClips,
    spoken: Sequence[Utterance],
    *,
    faces: Sequence[ChangedFace],
    voices: Sequence[ChangedVoice],
    folder: Path,
    name: str,
    seed: int,
) -> States:
    """States of clips and of all utterances of their part; kept in `folder` under `name`."""
    place = {one.key: row for row, one in enumerate(spoken)}
    said = np.asarray([place[key] for key in clips.utterance])
    seconds = [min(spoken[row].seconds, WINDOW_S) for row in said]
    return States(
        faces=keep_faces(folder / f"{name}_faces.npy", wrapped(clips, seconds), faces, seed=seed),
        voices=keep_voices(folder / f"{name}_voices.npy", len(spoken), voices, seed=seed),
        spoken=said,
        label=clips.label,
    )


def plain_face(crops: Crops, _rng: np.random.Generator) -> Crops:
    """As it is."""
    return crops


def plain_voice(spoken: Sequence[Utterance]) -> ChangedVoice:
    """The recordings as they are."""
    return lambda row, _rng: load_wav(spoken[row])


def varied_voice(spoken: Sequence[Utterance]) -> ChangedVoice:
    """One of `affetto.train.augment_sound.vary`'s, with voices of the same part."""

    def change(row: int, rng: np.random.Generator) -> Sound:
        voices = [load_wav(spoken[int(place)]) for place in rng.integers(len(spoken), size=3)]
        return vary(load_wav(spoken[row]), voices, rng)

    return change


def wrapped(clips: AnimatedClips, seconds: Sequence[float]) -> Crops:
    """The clips' crops with the face beginning anew where the speech, so many seconds, does."""
    step = round(RATE_HZ / FRAMES_HZ)  # samples from frame to frame
    times = np.arange(NUM_FRAMES) * step
    rows = [times % max(1, round(length * RATE_HZ)) // step for length in seconds]
    changed: Crops = np.stack([crops[row] for crops, row in zip(clips.crops, rows, strict=True)])
    return changed


def keep_faces(
    path: Path,
    crops: Crops,
    changes: Sequence[ChangedFace],
    *,
    seed: int,
    recognizer: FaceRecognizer | None = None,
) -> NDArray[np.float16]:
    """(N, V, 132, 16, 6, 6) of crops (N, 16, 48, 48), a variant for each change; read if there."""
    shape = (len(crops), len(changes), SHIPPED.video_channels, NUM_FRAMES, 6, 6)
    if path.is_file():
        return _opened(path, shape)
    net = recognizer or load_face()

    def parts() -> Iterator[NDArray[np.float16]]:
        for row, clip in enumerate(crops):
            changed = np.stack(
                [
                    change(clip, np.random.default_rng([seed, row, place]))
                    for place, change in enumerate(changes)
                ]
            )
            with torch.inference_mode():
                yield face_states(torch.from_numpy(changed) / 255.0, net).half().numpy()

    return _kept(path, shape, parts())


def keep_voices(
    path: Path,
    count: int,
    changes: Sequence[ChangedVoice],
    *,
    seed: int,
    recognizer: SpeechRecognizer | None = None,
) -> NDArray[np.float16]:
    """(U, W, 1152, 32) of `count` utterances, a variant for each change; read if there."""
    shape = (count, len(changes), SHIPPED.sound_channels, SHIPPED.num_mel_frames)
    if path.is_file():
        return _opened(path, shape)
    net = recognizer or load_speech()

    def parts() -> Iterator[NDArray[np.float16]]:
        for row in range(count):
            sounds = [
                filled(
                    torch.from_numpy(change(row, np.random.default_rng([seed, row, place])))[None]
                )
                for place, change in enumerate(changes)
            ]
            with torch.inference_mode():
                states, _ = net.states(torch.cat(sounds))
                yield voice_states(states)[..., 0].half().numpy()

    return _kept(path, shape, parts())


def _kept(
    path: Path, shape: tuple[int, ...], parts: Iterator[NDArray[np.float16]]
) -> NDArray[np.float16]:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part.npy")
    array = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    for row, part in enumerate(parts):
        array[row] = part
    array.flush()
    unfinished.rename(path)
    return _opened(path, shape)


def _opened(path: Path, shape: tuple[int, ...]) -> NDArray[np.float16]:
    array: NDArray[np.float16] = np.load(path, mmap_mode="r")
    if array.shape != shape:
        raise ValueError(f"{path} holds {array.shape}, wanted are {shape}: delete it")
    return array
