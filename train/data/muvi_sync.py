"""MuVi-Sync: music videos as one chord per second with what the picture shows (Video2Music's data).

Source: Kang, Poria and Herremans 2023; the second-by-second features of its public release. Chords
are key-normalised to C major or A minor; the official split has 597/75/75 songs. CLIP features come
as 512 principal components in steps of 0.5 and are rebuilt to 768 numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABEL_VAD, LABELS
from affetto.errors import BadInput
from affetto.gen.music.chords import chord_id
from affetto.recognizers.taxonomy import to_canonical

Split = Literal["train", "val", "test"]
MAX_STEPS = 300  # Video2Music reads the first five minutes
CLIP_STEP = 0.5
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Song:
    """One song on a grid of 1 Hz.

    Attributes:
        name: unique within its corpus.
        chords: (T,) int16 ids 0..156, transposed to C major or A minor.
        minor: True for A minor.
        conditions: name -> (T, D) float32, names and units of docs/contract.md; may be empty.
        density: (T,) notes sounding in the second, or None.
        loudness: (T,) linear RMS 0..1, or None.
    """

    name: str
    chords: NDArray[np.int16]
    minor: bool
    conditions: dict[str, Array]
    density: Array | None
    loudness: Array | None


def read_muvi_sync(root: Path, split: Split, *, clip: bool = False) -> list[Song]:
    """The songs of one part of the official split, their first 300 seconds.

    Args:
        root: the folder with muvi_sync_persecond.npz and meta/.
        split: train (597 songs), val (75) or test (75).
        clip: also rebuild the CLIP features (some 500 MB for the training part).

    Raises:
        BadInput: the files are not there.
    """
    file = root / "muvi_sync_persecond.npz"
    if not file.is_file():
        raise BadInput(f"no MuVi-Sync in {root}: expected {file.name} and meta/split/v1/")
    names = (root / "meta" / "split" / "v1" / f"{split}.txt").read_text().split()
    with np.load(file, allow_pickle=False) as archive:
        rows = {name: archive[name] for name in archive.files}
    ids = np.array([chord_id(str(symbol)) for symbol in rows["chord_vocab"]], dtype=np.int16)
    index = {str(name): number for number, name in enumerate(rows["video_id"])}
    spans = [
        (int(rows["start"][i]), int(min(rows["start"][i + 1], rows["start"][i] + MAX_STEPS)))
        for i in (index[name] for name in names)
    ]
    pictures = _read_clip(root, spans) if clip else None
    songs = []
    for number, (name, (first, last)) in enumerate(zip(names, spans, strict=True)):
        part = slice(first, last)
        conditions = {
            "emotion": emotion_values(rows["emotion6"][part]),
            "motion": rows["motion"][part, None].astype(np.float32),
            "scene_offset": rows["scene_offset"][part, None].astype(np.float32),
        }
        if pictures is not None:
            conditions["clip"] = pictures[number]
        songs.append(
            Song(
                name=name,
                chords=ids[rows["chord_norm"][part]],
                minor=str(rows["key_norm"][index[name]]).endswith("minor"),
                conditions=conditions,
                density=rows["note_density"][part].astype(np.float32),
                loudness=rows["loudness"][part].astype(np.float32),
            )
        )
    return songs


def emotion_values(words: NDArray[np.floating]) -> Array:
    """The `emotion` condition (T, 14) from CLIP's six word probabilities (T, 6).

    Valence, arousal and dominance are the probability-weighted means of the labels' ratings, then
    follow the 11 canonical probabilities.
    """
    probs = to_canonical("video2music6", words)  # (T, 11)
    ratings = np.array([LABEL_VAD[label] for label in LABELS], dtype=np.float32)
    return np.concatenate([probs @ ratings, probs], axis=1)


def _read_clip(root: Path, spans: Sequence[tuple[int, int]]) -> list[Array]:
    with np.load(root / "clip_pca_basis.npz", allow_pickle=False) as archive:
        basis, mean = archive["basis"].astype(np.float32), archive["mean"].astype(np.float32)
    pictures: list[list[Array]] = [[] for _ in spans]
    for file in sorted(root.glob("clip_vitl14_336_pca512_int8_part*.npz")):
        with np.load(file, allow_pickle=False) as archive:
            quantised, row0 = archive["qT"], int(archive["row0"])
        for number, (first, last) in enumerate(spans):
            part = quantised[:, max(first - row0, 0) : max(last - row0, 0)].T.astype(np.float32)
            if len(part):
                pictures[number].append(part * CLIP_STEP @ basis.T + mean)
    return [np.concatenate(parts) for parts in pictures]
