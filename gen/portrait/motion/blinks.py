"""Blinks: when, and how lids move in one.

People's intervals are log-normal (Bentivoglio et al. 1997: a mean of 17 a minute at rest, 26 in
talk, with much spread from person to person). Here they are bounded as well and fill the speech, so
that a short one too blinks as often as people do. A blink closes in about 100 ms and opens in about
200 (Caffier, Erdmann and Ullsperger 2003); lids stay down for a frame, so that every blink is seen.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RATES = (13.0, 22.0)  # a minute, from which a speech's own rate is drawn
BOUNDS = (10.0, 25.0)  # a minute: what is seen over any speech of 2.4 s or more
SPREAD = 0.45  # of the intervals' logarithm
UNEVEN = (0.45, 2.2)  # an interval's least and most, over the usual one
FIRST_S, LAST_S = 0.4, 0.6  # no blink begins before the one, nor within the other of the end
LEAST_S = 0.45  # from one blink to the next, however many are asked for
SHUT_SHARE = (0.94, 1.0)


def blink_times(duration_s: float, *, rng: np.random.Generator, per_minute: float | None) -> Floats:
    """When blinks begin, in seconds.

    Args:
        duration_s: of the motion.
        rng: drawn from.
        per_minute: None draws a natural rate; 0 gives none.
    """
    rate = float(rng.uniform(*RATES)) if per_minute is None else per_minute
    number = int(rate * duration_s / 60.0 + rng.uniform(0.0, 1.0))
    least, most = np.ceil(BOUNDS[0] * duration_s / 60), np.floor(BOUNDS[1] * duration_s / 60)
    if per_minute is None and least <= most:
        number = int(np.clip(number, least, most))
    span = duration_s - FIRST_S - LAST_S
    number = min(number, int(max(span, 0.0) / LEAST_S))
    if number <= 0:
        return np.zeros(0)
    shares = np.clip(np.exp(SPREAD * rng.standard_normal(number + 1)), *UNEVEN)
    shares[[0, -1]] *= rng.uniform(0.0, 1.0, 2)  # the speech begins and ends amid an interval
    spare = span - LEAST_S * (number - 1)
    waits = np.cumsum(shares)[:-1] / shares.sum() * spare
    starts: Floats = FIRST_S + waits + LEAST_S * np.arange(number)
    return starts


def lid_course(starts_s: Floats, times_s: Floats, *, rng: np.random.Generator) -> Floats:
    """(T,) how shut the lids are, in [0, 1]: down fast, up slower."""
    closing = rng.uniform(0.07, 0.11, len(starts_s))
    held = rng.uniform(0.04, 0.06, len(starts_s))
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
