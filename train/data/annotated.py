"""From timed chord and key annotations to one key-normalised chord a second, and fixed splits."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from affetto.errors import BadInput
from affetto.gen.music.chords import NO_CHORD, transpose
from affetto.train.data.muvi_sync import MAX_STEPS, Song, Split

_A = 9  # pitch class


@dataclass(frozen=True)
class TimedChord:
    """A chord of the vocabulary (id 0..156, original key) and where it sounds, in seconds."""

    start_s: float
    end_s: float
    chord: int


@dataclass(frozen=True)
class TimedKey:
    """From `start_s` on, the tonic's pitch class 0..11 and whether the mode is minor."""

    start_s: float
    tonic: int
    minor: bool


def song(name: str, chords: Sequence[TimedChord], keys: Sequence[TimedKey]) -> Song:
    """Sample the chord at the middle of each of the first 300 seconds, in C major or A minor.

    Every second is transposed by the key in force there, so modulations disappear; `minor` is the
    mode of most seconds. Seconds without annotation are N. These corpora have no film: conditions,
    density and loudness are empty.

    Args:
        name: of the song.
        chords: not empty, sorted by start, not overlapping.
        keys: not empty, sorted by start; the first also holds before its start.
    """
    num_seconds = min(math.floor(chords[-1].end_s + 0.5), MAX_STEPS)
    ids = np.full(num_seconds, NO_CHORD, dtype=np.int16)
    num_minor = 0
    for second in range(num_seconds):
        middle_s = second + 0.5
        key = max((k for k in keys if k.start_s <= middle_s), default=keys[0], key=_start)
        num_minor += key.minor
        for timed in chords:
            if timed.start_s <= middle_s < timed.end_s:
                ids[second] = transpose(timed.chord, (_A if key.minor else 0) - key.tonic)
                break
    minor = 2 * num_minor > num_seconds
    return Song(name=name, chords=ids, minor=minor, conditions={}, density=None, loudness=None)


def open_archive(root: Path, name: str) -> ZipFile:
    """The corpus's zip in the folder `root`.

    Raises:
        BadInput: it is not there.
    """
    if not (root / name).is_file():
        raise BadInput(f"no {name} in {root}: set data.root to the folder that holds it")
    return ZipFile(root / name)


def split_of(name: str) -> Split:
    """About 10 % test, 10 % val, the rest train, fixed for ever by the sha1 of the name."""
    tenth = int(hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(), 16) % 10
    return "test" if tenth == 0 else "val" if tenth == 1 else "train"


def _start(key: TimedKey) -> float:
    return key.start_s
