"""Drum sounds made from falling sines and filtered noise, by General MIDI drum pitch."""

import numpy as np
from einops import repeat
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from affetto.media_sound import Sound

Wave = NDArray[np.float64]

TOM_PITCHES = {41: 75.0, 43: 90.0, 45: 110.0, 47: 135.0, 48: 160.0, 50: 190.0}
KICKS, SNARES, CLOSED_HATS, OPEN_HATS = (35, 36), (38, 40), (42, 44), (46,)
CRASHES, RIDES, CLAPS, STICKS = (49, 52, 55, 57), (51, 53, 59), (39,), (37, 75, 76, 77)


def drum_hit(pitch: int, sample_rate: int) -> Sound:
    """One stroke at full strength, (2, S) float32 with peak 1, the same each time.

    Pitches without a sound of their own (shakers and the like) are a short bright noise.
    """
    noise = np.random.default_rng(pitch)
    if pitch in KICKS:
        wave = _fall(150.0, 48.0, 0.04, 0.16, 0.6, sample_rate)
    elif pitch in TOM_PITCHES:
        hz = TOM_PITCHES[pitch]
        wave = _fall(1.6 * hz, hz, 0.06, 0.22, 0.9, sample_rate)
    elif pitch in SNARES:
        wave = _fall(240.0, 180.0, 0.03, 0.08, 0.5, sample_rate)
        wave = wave + 0.9 * _hiss(noise, (900.0, 9000.0), 0.10, 0.5, sample_rate)
    elif pitch in CLAPS:
        wave = _hiss(noise, (800.0, 4000.0), 0.09, 0.5, sample_rate)
    elif pitch in STICKS:
        wave = _fall(1800.0, 1700.0, 0.01, 0.015, 0.15, sample_rate)
    elif pitch in OPEN_HATS:
        wave = 0.6 * _hiss(noise, (6500.0, 15000.0), 0.20, 1.0, sample_rate)
    elif pitch in CRASHES:
        wave = 0.7 * _hiss(noise, (3000.0, 14000.0), 0.55, 2.5, sample_rate)
    elif pitch in RIDES:
        wave = 0.5 * _hiss(noise, (4500.0, 14000.0), 0.35, 1.5, sample_rate)
    else:
        short_s = 0.035 if pitch in CLOSED_HATS else 0.06
        wave = 0.5 * _hiss(noise, (6500.0, 15000.0), short_s, 0.3, sample_rate)
    return repeat(wave.astype(np.float32), "s -> c s", c=2)


def _fall(
    from_hz: float, to_hz: float, fall_s: float, decay_s: float, length_s: float, sample_rate: int
) -> Wave:
    time_s = np.arange(round(length_s * sample_rate)) / sample_rate
    turns = to_hz * time_s + (from_hz - to_hz) * fall_s * (1 - np.exp(-time_s / fall_s))
    wave: Wave = np.sin(2 * np.pi * turns) * np.exp(-time_s / decay_s)
    return wave * _closing(len(wave), sample_rate)


def _hiss(
    rng: np.random.Generator,
    band_hz: tuple[float, float],
    decay_s: float,
    length_s: float,
    sample_rate: int,
) -> Wave:
    time_s = np.arange(round(length_s * sample_rate)) / sample_rate
    low, high = (min(hz, 0.45 * sample_rate) for hz in band_hz)
    band = butter(2, (min(low, 0.9 * high), high), "bandpass", fs=sample_rate, output="sos")
    wave: Wave = sosfilt(band, rng.uniform(-1, 1, len(time_s))) * np.exp(-time_s / decay_s)
    return wave / float(np.abs(wave).max()) * _closing(len(wave), sample_rate)


def _closing(count: int, sample_rate: int) -> Wave:
    """1, falling to 0 over the last 10 ms, so that nothing clicks."""
    left = np.arange(count, 0, -1) - 1
    window: Wave = np.minimum(left / (0.01 * sample_rate), 1.0)
    return window
