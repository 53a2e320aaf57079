"""Sound on disk in blocks: raw float32 for work in progress, 24-bit wav for people."""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from affetto.media_sound import Sound

FULL_SCALE = 2**23 - 1
RAW_BYTES = 8  # one stereo sample


def rows(block: Sound) -> NDArray[np.float32]:
    """(2, S) as it lies in a raw file, (S, 2)."""
    return np.ascontiguousarray(rearrange(block, "c s -> s c"), "<f4")


def append_raw(path: Path, block: Sound) -> None:
    """Add (2, S) samples to the end of a raw file."""
    with path.open("ab") as file:
        file.write(rows(block).data)


def read_raw(path: Path, *, block: int) -> Iterator[Sound]:
    """(2, S) blocks of a raw file, the last one shorter."""
    with path.open("rb") as file:
        while data := file.read(block * RAW_BYTES):
            yield rearrange(np.frombuffer(data, "<f4"), "(s c) -> c s", c=2)


class WavWriter:
    """Takes (2, S) float32 blocks; values beyond [-1, 1] are clipped.

    24 bits need no dither: their rounding noise (-146 dBFS) lies 50 dB below that of the 16-bit
    samples the instruments play, and so digital silence stays silence.
    """

    def __init__(self, file: wave.Wave_write) -> None:
        self._file = file
        self._exact = np.zeros((0, 2))  # room used again for each block: new pages cost time
        self._bytes = np.zeros((0, 3), np.uint8)

    def add(self, block: Sound) -> None:
        """Write the next samples."""
        count = block.shape[1]
        if count > len(self._exact):
            self._exact, self._bytes = np.empty((count, 2)), np.empty((2 * count, 3), np.uint8)
        exact, three = self._exact[:count], self._bytes[: 2 * count]
        np.copyto(exact, block.T)
        np.clip(exact, -1, 1, out=exact)
        exact *= FULL_SCALE
        np.rint(exact, out=exact)
        four = rearrange(exact.astype("<i4").view(np.uint8), "s (c b) -> (s c) b", c=2)
        for place in range(3):
            three[:, place] = four[:, place]
        self._file.writeframesraw(three.data)


@contextmanager
def wav_writer(path: Path, *, sample_rate: int) -> Iterator[WavWriter]:
    """A stereo 24-bit wav file, closed at the end of the `with` block."""
    with path.open("wb") as target, wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(sample_rate)
        yield WavWriter(file)
