"""How it is said: loudness, pitch, voicing, at 50 Hz.

Pitch by SwiftF0 (Nieradzik 2025, MIT), read at its own 62.5 Hz and brought to the steps' middles.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import swift_f0

RATE_HZ = 16000
FRAME = 320  # samples of a step
LOUD_PERCENTILE = 95.0
FLOOR = -3.0  # log10 of amplitude over the speech's loud level
CEILING = 0.5
SILENT = 2e-5  # loud level, full scale 1, below which there is nothing to speak of
VOICED = 0.5
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
USUAL_HZ = 160.0  # where no voice is heard
WIDEST_SEMITONES = 18.0
# Whole hops of the detector (256 samples), so that its frames fall where one look has them.
WINDOW_S, MARGIN_S = 8.0, 1.024
MEDIAN_S = 96.0  # of a speech's beginning, in which a voice shows its usual pitch
Sound = NDArray[np.float32]
Course = NDArray[np.float32]
Detected = tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]


def prosody(wav: Sound) -> Course:
    """Loudness and pitch over time.

    Args:
        wav: (S,) at 16 kHz.

    Returns:
        (T, 3) float32, T = S / 320 rounded up, of 20 ms each: log10 of the amplitude over the
        speech's loud level (its 95th percentile), from -3 to 0.5; F0 in semitones over the voice's
        median, held through what is not voiced; 1 where voiced, else 0.
    """
    return np.concatenate(list(prosody_pieces(wav)))


def prosody_pieces(wav: Sound) -> Iterator[Course]:
    """The same (t, 3) piece by piece, each as soon as the pitch on either side of it is heard."""
    energy, done = log_energy(wav), 0
    for semitones, voiced in pitch_pieces(wav, len(energy)):
        loud = energy[done : done + len(voiced)]
        voiced = voiced & (loud > FLOOR + 1.0)
        yield np.stack([loud, semitones, voiced.astype(np.float32)], axis=1)
        done += len(voiced)


def loud_level(wav: Sound) -> float:
    """Amplitude of the louder steps, full scale 1."""
    return float(np.percentile(_amplitude(wav), LOUD_PERCENTILE))


def log_energy(wav: Sound) -> Course:
    """(T,) see `prosody`."""
    amplitude = _amplitude(wav)
    loud = max(float(np.percentile(amplitude, LOUD_PERCENTILE)), SILENT)
    ratio = np.log10(np.maximum(amplitude, 1e-9) / loud)
    return np.clip(ratio, FLOOR, CEILING).astype(np.float32)


def pitch_pieces(wav: Sound, num_steps: int) -> Iterator[tuple[Course, NDArray[np.bool_]]]:
    """Piece by piece (t,) semitones over the median, held between voiced steps, and where voiced.

    Of a long speech the median is that of the first `MEDIAN_S`.
    """
    middles = (np.arange(num_steps) + 0.5) * FRAME / RATE_HZ
    times, logs, sure = np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.bool_)
    usual: float | None = None
    done = 0
    for end_s, (at, pitch_hz, clear) in _detected(wav):
        times, sure = np.concatenate([times, at]), np.concatenate([sure, clear])
        logs = np.concatenate([logs, 12.0 * np.log2(pitch_hz[clear] / USUAL_HZ)])
        last = end_s >= len(wav) / RATE_HZ
        if not last and (end_s < MEDIAN_S or not len(logs)):
            continue
        if not len(logs):
            yield np.zeros(num_steps, np.float32), np.zeros(num_steps, dtype=np.bool_)
            return
        usual = float(np.median(logs)) if usual is None else usual
        known = num_steps if last else int(np.searchsorted(middles, times[sure][-1]))
        if known > done or last:
            here = middles[done:known]
            semitones = np.interp(here, times[sure], logs - usual)
            voiced = np.interp(here, times, sure.astype(np.float64)) >= VOICED
            yield np.clip(semitones, -WIDEST_SEMITONES, WIDEST_SEMITONES).astype("f4"), voiced
            done = known


def _detected(wav: Sound) -> Iterator[tuple[float, Detected]]:
    """(n,) seconds, F0 in Hz and whether it is sure, window by window in constant memory.

    Before them the second until which the speech is then heard.
    """
    step, margin = round(WINDOW_S * RATE_HZ), round(MARGIN_S * RATE_HZ)
    for first in range(0, len(wav), step):
        start = max(0, first - margin)
        piece = wav[start : first + step + margin]
        found = _detector().detect(piece, RATE_HZ, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)
        times = found.timestamps + start / RATE_HZ
        ours = (times >= first / RATE_HZ) & (times < (first + step) / RATE_HZ)
        sure = found.confidence[ours] >= VOICED
        yield (first + step) / RATE_HZ, (times[ours], found.pitch_hz[ours], sure)


def _amplitude(wav: Sound) -> NDArray[np.float64]:
    count = -(-len(wav) // FRAME)
    whole = len(wav) // FRAME
    power = np.zeros(count)
    for first in range(0, whole, 100_000):  # no copy of hours of sound in double precision
        piece = wav[first * FRAME : min(whole, first + 100_000) * FRAME].reshape(-1, FRAME)
        power[first : first + len(piece)] = np.einsum("tf,tf->t", piece, piece) / FRAME
    if count > whole:
        rest = wav[whole * FRAME :].astype(np.float64)
        power[-1] = float(rest @ rest) / FRAME
    return np.sqrt(power)


@lru_cache(maxsize=1)
def _detector() -> "swift_f0.SwiftF0":
    # Its runtime would keep a device id in the user's cache and report to its maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)
