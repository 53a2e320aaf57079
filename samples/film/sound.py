"""The film's own quiet sound: wind, water, rain, thunder, train, birds; all from filtered noise.

Everything is (S,) float64 at 48 kHz until the end; a shot's sound is (2, S).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

RATE_HZ = 48_000
Sound = NDArray[np.float64]
Ambience = Callable[[np.random.Generator, float], Sound]


def noise(rng: np.random.Generator, duration_s: float, low_hz: float, high_hz: float) -> Sound:
    """Noise between two frequencies, RMS 1."""
    number = round(duration_s * RATE_HZ)
    sections = butter(2, (low_hz, high_hz), "bandpass", fs=RATE_HZ, output="sos")
    filtered = sosfilt(sections, rng.standard_normal(number + 4800))[4800:]
    return np.asarray(filtered / np.sqrt(np.mean(filtered**2)))


def drift(rng: np.random.Generator, duration_s: float, rate_hz: float) -> Sound:
    """A slow random course in 0..1 that turns about `rate_hz` times a second."""
    knots = rng.uniform(0, 1, int(duration_s * rate_hz) + 4)
    place = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ * rate_hz
    index = place.astype(int)
    part = place - index
    smooth = part * part * (3 - 2 * part)
    return np.asarray(knots[index] + (knots[index + 1] - knots[index]) * smooth)


def both(make: Callable[[], Sound]) -> Sound:
    """Two independent takes as left and right."""
    return np.stack([make(), make()])


def ping(frequency_hz: float, duration_s: float, decay_s: float, bend: float = 0.0) -> Sound:
    """A decaying tone; `bend` glides it up by that share of its frequency."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * frequency_hz * (time + 0.5 * bend * time**2 / duration_s)
    attack = np.minimum(1, time / 0.004)
    return np.asarray(np.sin(phase) * np.exp(-time / decay_s) * attack)


def strew(
    rng: np.random.Generator,
    duration_s: float,
    times_s: NDArray[np.floating],
    make: Callable[[], Sound],
) -> Sound:
    """Put one sound at each time, each with its own place between left and right."""
    out = np.zeros((2, round(duration_s * RATE_HZ)))
    for start_s in times_s:
        grain = make()
        first = round(start_s * RATE_HZ)
        grain = grain[: out.shape[1] - first]
        side = rng.uniform(0.2, 0.8)
        out[0, first : first + len(grain)] += grain * np.cos(side * np.pi / 2)
        out[1, first : first + len(grain)] += grain * np.sin(side * np.pi / 2)
    return out


def _water(rng: np.random.Generator, duration_s: float, level: float) -> Sound:
    def take() -> Sound:
        laps = drift(rng, duration_s, 1.6) ** 3
        return noise(rng, duration_s, 250, 1400) * laps + 0.25 * noise(rng, duration_s, 90, 500)

    return level * both(take)


def _wind(rng: np.random.Generator, duration_s: float, level: float, low: float) -> Sound:
    def take() -> Sound:
        gust = 0.3 + 0.7 * drift(rng, duration_s, 0.7)
        return noise(rng, duration_s, low, low * 3.2) * gust

    return level * both(take)


def _rain(rng: np.random.Generator, duration_s: float, level: float) -> Sound:
    return level * both(lambda: noise(rng, duration_s, 1800, 9000))


def _birds(rng: np.random.Generator, duration_s: float, number: int) -> Sound:
    def chirp() -> Sound:
        notes = [
            ping(rng.uniform(2600, 4600), 0.09, 0.05, rng.uniform(-0.25, 0.3))
            for _ in range(int(rng.integers(2, 5)))
        ]
        return 0.02 * np.concatenate(notes)

    return strew(rng, duration_s, rng.uniform(0.4, max(0.5, duration_s - 0.6), number), chirp)


def dawn(rng: np.random.Generator, duration_s: float) -> Sound:
    """Still water and first birds."""
    return _water(rng, duration_s, 0.010) + _birds(rng, duration_s, 6)


def reeds(rng: np.random.Generator, duration_s: float) -> Sound:
    """Reeds rustle; a dragonfly's wings."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    hum = np.sin(2 * np.pi * 31 * time) * np.sin(2 * np.pi * 124 * time) * drift(rng, duration_s, 2)
    rustle = 0.006 * both(lambda: noise(rng, duration_s, 2500, 7000)
                          * drift(rng, duration_s, 3) ** 2)  # fmt: skip
    near = _water(rng, duration_s, 0.013) + _birds(rng, duration_s, 4)
    return near + rustle + 0.006 * hum


def market(rng: np.random.Generator, duration_s: float) -> Sound:
    """A far crowd, wooden knocks, small bells."""
    crowd = both(lambda: noise(rng, duration_s, 180, 900)
                 * (0.4 + 0.6 * drift(rng, duration_s, 5)))  # fmt: skip
    knocks = strew(rng, duration_s, rng.uniform(0, duration_s - 0.2, int(4 * duration_s)),
                   lambda: 0.03 * ping(rng.uniform(500, 1300), 0.12, 0.02))  # fmt: skip
    bells = strew(rng, duration_s, rng.uniform(0, duration_s - 0.3, int(1.5 * duration_s)),
                  lambda: 0.014 * ping(rng.choice([1568, 1760, 2093, 2349]), 0.9, 0.2))  # fmt: skip
    return 0.018 * crowd + knocks + bells + _water(rng, duration_s, 0.006)


def train(rng: np.random.Generator, duration_s: float) -> Sound:
    """A train rumbles and clatters by."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    near = np.exp(-(((time - 0.5 * duration_s) / (0.42 * duration_s)) ** 2))
    rumble = both(lambda: noise(rng, duration_s, 45, 260)) * near
    clack = strew(rng, duration_s,
                  np.concatenate([(b := np.arange(0.1, duration_s - 0.3, 0.29)), b + 0.09]),
                  lambda: 0.07 * noise(rng, 0.05, 300, 2600)
                  * np.exp(-np.arange(2400) / 420))  # fmt: skip
    return 0.05 * rumble + clack * near


def bridges(rng: np.random.Generator, duration_s: float) -> Sound:
    """Air rushes by under arch after arch."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    whoosh = 0.35 + 0.65 * np.sin(np.pi * (4.5 * time + 2.2 * time**2)) ** 4
    rush = both(lambda: noise(rng, duration_s, 200, 3200))
    return 0.045 * rush * whoosh + 0.03 * both(lambda: noise(rng, duration_s, 40, 160))


def _thunder(rng: np.random.Generator, duration_s: float, at_s: float) -> Sound:
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ - at_s
    rolls = np.where(time > 0, np.exp(-np.maximum(time, 0) / 1.1), 0) * np.clip(time / 0.04, 0, 1)
    shake = 0.4 + 0.6 * drift(rng, duration_s, 9)
    return both(lambda: noise(rng, duration_s, 35, 220)) * rolls * shake


def storm(rng: np.random.Generator, duration_s: float) -> Sound:
    """Howling wind, hard rain, thunder after each flash."""
    sky = 0.20 * _thunder(rng, duration_s, 1.6) + 0.26 * _thunder(rng, duration_s, 4.2)
    gale = _wind(rng, duration_s, 0.05, 260) + _wind(rng, duration_s, 0.05, 70)
    return sky + gale + _rain(rng, duration_s, 0.024)


def wave(rng: np.random.Generator, duration_s: float) -> Sound:
    """The wave rises, breaks, and everything is under water."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    rise = np.clip(time / 1.8, 0, 1) ** 2 * np.where(time < 2.1, 1, np.exp(-(time - 2.1) / 0.25))
    roar = both(lambda: noise(rng, duration_s, 60, 1500)) * rise
    deep = both(lambda: noise(rng, duration_s, 35, 140)) * np.clip((time - 1.9) * 3, 0, 1)
    over = np.where(time < 2.0, 1, np.exp(-np.maximum(time - 2.0, 0) / 0.15))
    above = (_wind(rng, duration_s, 0.05, 260) + _rain(rng, duration_s, 0.024)) * over
    return 0.13 * roar + 0.07 * deep + above + 0.2 * _thunder(rng, duration_s, 0.6) * over


def grey_rain(rng: np.random.Generator, duration_s: float) -> Sound:
    """Thin rain, single drops."""
    drops = strew(rng, duration_s, rng.uniform(0, duration_s - 0.2, int(7 * duration_s)),
                  lambda: 0.013 * ping(rng.uniform(900, 2600), 0.1, 0.018, 0.5))  # fmt: skip
    return _rain(rng, duration_s, 0.007) + drops + _wind(rng, duration_s, 0.006, 120)


def spark(rng: np.random.Generator, duration_s: float) -> Sound:
    """Night: a cricket far off, water, one small chime when the light returns."""
    time = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    pulse = (np.sin(2 * np.pi * 17 * time) > 0.2) * (np.sin(2 * np.pi * 0.9 * time) > 0.1)
    cricket = 0.0025 * np.sin(2 * np.pi * 4200 * time) * pulse
    chime = strew(rng, duration_s, np.array([2.85, 3.0, 3.2]),
                  lambda: 0.02 * ping(rng.choice([1047, 1319, 1568]), 2.0, 0.6))  # fmt: skip
    return _water(rng, duration_s, 0.007) + cricket + chime


def sunrise(rng: np.random.Generator, duration_s: float) -> Sound:
    """Waves on the quay, many birds, a far harbour bell."""
    bell = strew(rng, duration_s, np.array([0.8, 3.4]),
                 lambda: 0.02 * (ping(659, 2.5, 0.8) + 0.5 * ping(1318, 2.5, 0.4)))  # fmt: skip
    return _water(rng, duration_s, 0.016) + _birds(rng, duration_s, 12) + bell


def lanterns(rng: np.random.Generator, duration_s: float) -> Sound:
    """Soft water and a breath of wind."""
    return _water(rng, duration_s, 0.010) + _wind(rng, duration_s, 0.005, 150)
