"""Sound on disk in blocks: raw float32 for work in progress, 24-bit wav for people."""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from einops import rearrange

from affetto.media_sound import Sound

FULL_SCALE = 2**23 - 1
RAW_BYTES = 8  # one stereo sample


def append_raw(path: Path, block: Sound) -> None:
    """Add (2, S) samples to the end of a raw file."""
    with path.open("ab") as file:
        file.write(rearrange(block, "c s -> s c").astype("<f4").tobytes())


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

    def add(self, block: Sound) -> None:
        """Write the next samples."""
        whole = np.round(np.clip(block, -1, 1).astype(np.float64) * FULL_SCALE).astype("<i4")
        four = np.ascontiguousarray(rearrange(whole, "c s -> (s c)")).view(np.uint8)
        self._file.writeframesraw(rearrange(four, "(s b) -> s b", b=4)[:, :3].tobytes())


@contextmanager
def wav_writer(path: Path, *, sample_rate: int) -> Iterator[WavWriter]:
    """A stereo 24-bit wav file, closed at the end of the `with` block."""
    with path.open("wb") as target, wave.open(target, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(sample_rate)
        yield WavWriter(file)
