"""Sound of any length in overlapping windows, in constant memory."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.recognizers.speech.whisper import RATE_HZ

Sound = NDArray[np.float32]
BATCH = 8  # windows at once
BLOCK = RATE_HZ // 50  # samples of which the level is taken to find where sound is
QUIET_BELOW_PEAK_DB = 35.0  # softer edges of a window are left out


def windows(
    wav: Sound | Iterable[Sound], window_s: float, hop_s: float
) -> Iterator[tuple[float, Sound]]:
    """(middle in seconds, samples): one a hop, and one that ends with the sound."""
    size, hop = round(window_s * RATE_HZ), max(1, round(hop_s * RATE_HZ))
    blocks = [wav] if isinstance(wav, np.ndarray) else wav
    held, start, covered = np.zeros(0, np.float32), 0, 0  # `held` begins at sample `start`
    for block in blocks:
        for piece in _pieces(block):
            held = np.concatenate([held, piece])
            while len(held) >= size:
                yield (start + size / 2) / RATE_HZ, held[:size]
                covered = start + size
                held, start = held[hop:], start + hop
    end = start + len(held)
    if end > covered:  # the rest, or all of a sound shorter than a window
        yield (start + len(held) / 2) / RATE_HZ, held


def _pieces(block: Sound) -> Iterator[Sound]:
    """One channel, at most ten seconds at a time."""
    sound = np.asarray(block, dtype=np.float32)
    mono = sound.mean(axis=0) if sound.ndim == 2 else sound
    if mono.ndim != 1 or not np.isfinite(mono).all():
        raise BadInput(f"sound must be finite samples (S,) or (C, S), got shape {sound.shape}")
    for place in range(0, len(mono), 10 * RATE_HZ):
        yield mono[place : place + 10 * RATE_HZ]


def batches(
    cut: Iterator[tuple[float, Sound]],
) -> Iterator[tuple[list[float], list[Sound]]]:
    """Middles and samples of up to BATCH windows each, their quiet edges cut off."""
    middles: list[float] = []
    sounds: list[Sound] = []
    for middle, sound in cut:
        middles.append(middle)
        sounds.append(without_quiet_edges(sound))
        if len(sounds) == BATCH:
            yield middles, sounds
            middles, sounds = [], []
    if sounds:
        yield middles, sounds


def without_quiet_edges(sound: Sound) -> Sound:
    """(S,) from the first to the last 20 ms that are within 35 dB of the loudest."""
    count = len(sound) // BLOCK
    if count < 2:
        return sound
    power = np.square(sound[: count * BLOCK].reshape(count, BLOCK)).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10.0 ** (-QUIET_BELOW_PEAK_DB / 10.0))
    return sound[loud[0] * BLOCK : (loud[-1] + 1) * BLOCK]
