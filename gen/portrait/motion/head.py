"""Head and brows: slow sway, nods and brow raises on stressed syllables.

Nods go with accents (Hadar et al. 1983; Munhall et al. 2004: head motion follows F0 and loudness),
brow raises with pitch accents (Cave et al. 1996). Sway is Gaussian with power falling beyond a
third of a hertz. Sizes are near those of real talking clips (within 4 s: pitch 2.8, yaw 2.3, roll
1.8 degrees), a little less, and kept inside what a warped photo bears.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, lfilter

Floats = NDArray[np.float64]

# Standard deviations: pitch, yaw, roll in degrees; right, up, forward in eye-corner distances.
SWAY = np.array([1.9, 2.4, 1.5, 0.030, 0.018, 0.026])
SWAY_HZ = 0.30  # of the two poles that smooth it
NOD_DEG = 2.4
NOD_S = 0.12  # of a nod's half width
APART_S = 0.28  # from one accent to the next
RAISE_S = 0.16


class Accents(NamedTuple):
    """Stressed moments.

    Attributes:
        times_s: (A,).
        weight: (A,) in about [0, 1.5].
        pitch: (A,) semitones over the voice's median.
    """

    times_s: Floats
    weight: Floats
    pitch: Floats


def accents(prosody: Floats, rate_hz: float) -> Accents:
    """Peaks of loudness in voiced sound, weighted by loudness and pitch.

    Args:
        prosody: (N, 4) as in `affetto.conditioning.speech`.
        rate_hz: of its steps.
    """
    loud = 10.0 ** np.clip(prosody[:, 0], -3.0, 0.5) * (prosody[:, 2] > 0.5)
    width = max(1, round(0.12 * rate_hz))
    smooth = np.convolve(loud, np.hanning(width + 2)[1:-1] / ((width + 1) / 2), mode="same")[
        : len(loud)
    ]
    rising = smooth + 0.03 * np.clip(prosody[:, 1], -4, 8) * (prosody[:, 2] > 0.5)
    found, peak = find_peaks(rising, distance=max(1, round(APART_S * rate_hz)), prominence=0.12)
    weight = np.clip(peak["prominences"], 0.0, 1.2)
    return Accents(
        (found.astype(np.float64) + 0.5) / rate_hz, weight, prosody[found, 1].astype(np.float64)
    )


def sway(num_frames: int, fps: float, *, rng: np.random.Generator) -> Floats:
    """(T, 6) slow head motion around 0, in the order of `affetto.motion.POSE`."""
    pole = np.exp(-2.0 * np.pi * SWAY_HZ / fps)
    warm = int(6 * fps)
    noise = rng.standard_normal((num_frames + warm, 6))
    once = lfilter([1 - pole], [1, -pole], noise, axis=0)
    twice = lfilter([1 - pole], [1, -pole], once, axis=0)
    impulse = np.arange(4 * warm) * 1.0
    power = np.sum(((1 - pole) ** 2 * (impulse + 1) * pole**impulse) ** 2)
    steady: Floats = twice[warm:] / np.sqrt(power) * SWAY
    return steady


def nods(found: Accents, times_s: Floats, *, rng: np.random.Generator) -> Floats:
    """(T, 3) pitch, yaw and roll in degrees: down on an accent and back, a little to a side."""
    size = found.weight * rng.lognormal(-0.2, 0.5, len(found.weight)) * NOD_DEG
    down = rng.random(len(size)) < 0.85
    sideways = rng.standard_normal((len(size), 2)) * np.array([0.45, 0.35])
    moves = np.concatenate([np.where(down, -1.0, 0.7)[:, None], sideways], axis=1) * size[:, None]
    return _bumps(found.times_s, moves, times_s, NOD_S)


def raises(found: Accents, times_s: Floats, *, rng: np.random.Generator) -> Floats:
    """(T,) how far the brows go up with pitch accents, in [0, 1]."""
    high = np.clip((found.pitch - 1.0) / 5.0, 0.0, 1.0)
    taken = rng.random(len(high)) < 0.25 + 0.6 * high
    size = taken * (0.12 + 0.3 * high) * rng.uniform(0.5, 1.2, len(high))
    return np.clip(_bumps(found.times_s, size[:, None], times_s, RAISE_S)[:, 0], 0.0, 0.6)


def _bumps(centres: Floats, sizes: Floats, times_s: Floats, width_s: float) -> Floats:
    """(T, K) Gaussian bumps, rising faster than they fall."""
    result = np.zeros((len(times_s), sizes.shape[1]))
    for centre, size in zip(centres, sizes, strict=True):
        first, last = np.searchsorted(times_s, [centre - 3 * width_s, centre + 5 * width_s])
        since = times_s[first:last] - centre
        width = np.where(since < 0, width_s, 1.5 * width_s)
        result[first:last] += np.exp(-0.5 * (since / width) ** 2)[:, None] * size
    return result
