"""Blinks: when, and how lids move in one.

Intervals are log-normal (Bentivoglio et al. 1997: a mean of 17 a minute at rest, 26 in talk, with
much spread from person to person); a blink closes in about 100 ms and opens in about 200 (Caffier,
Erdmann and Ullsperger 2003), and a fifth are not complete.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATES = (13.0, 22.0)  # a minute, from which a speech's own rate is drawn
SPREAD = 0.55  # of the intervals' logarithm
LEAST_S = 0.9  # from one blink to the next
FIRST_S = 0.6  # nothing before it
SHUT_SHARE = (0.85, 1.0)


def blink_times(duration_s: float, *, rng: np.random.Generator, per_minute: float | None) -> Floats:
    """When blinks begin, in seconds.

    Args:
        duration_s: of the motion.
        rng: drawn from.
        per_minute: None draws a natural rate; 0 gives none.
    """
    rate = float(rng.uniform(*RATES)) if per_minute is None else per_minute
    if rate <= 0:
        return np.zeros(0)
    mean = 60.0 / rate
    usual = np.log(max(mean - LEAST_S, 0.05)) - SPREAD**2 / 2
    number = int(duration_s / mean * 2) + 8
    intervals = LEAST_S + np.exp(rng.normal(usual, SPREAD, number))
    intervals[0] = FIRST_S + rng.uniform(0.0, 1.0) * intervals[0]
    starts = np.cumsum(intervals)
    found: Floats = starts[starts < duration_s - 0.3]
    return found


def lid_course(starts_s: Floats, times_s: Floats, *, rng: np.random.Generator) -> Floats:
    """(T,) how shut the lids are, in [0, 1]: down fast, up slower."""
    closing = rng.uniform(0.07, 0.11, len(starts_s))
    held = rng.uniform(0.01, 0.05, len(starts_s))
    opening = rng.uniform(0.12, 0.20, len(starts_s))
    depth = rng.uniform(*SHUT_SHARE, len(starts_s))
    shut = np.zeros(len(times_s))
    for start, down, hold, up, deep in zip(starts_s, closing, held, opening, depth, strict=True):
        first, last = np.searchsorted(times_s, [start, start + down + hold + up])
        since = times_s[first:last] - start
        falling = np.clip(since / down, 0, 1)
        rising = np.clip((since - down - hold) / up, 0, 1)
        course = deep * np.sin(np.pi / 2 * falling) ** 2 * np.cos(np.pi / 2 * rising) ** 2
        shut[first:last] = np.maximum(shut[first:last], course)
    return shut
