"""Gaze: the eyes rest on the viewer, leave for moments, and turn against the head.

Fixations of half a second to four, saccades done within a frame or two (Lee, Badler and Badler
2002, Eyes Alive); in talk the gaze is on the partner most of the time.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AWAY = 0.28  # share of fixations that are off the viewer
AWAY_DEG = (4.0, 2.2)  # sideways, up and down: standard deviations
NEAR_DEG = 0.6  # of small moves around the viewer's face
FIXATION_S, FIXATION_SPREAD, FIXATION_LEAST_S = 1.1, 0.6, 0.25
SACCADE_S = 0.06
AGAINST = 0.85  # of the head's turn that the eyes take back
FURTHEST_DEG = (12.0, 8.0)


def gaze(times_s: Floats, head_deg: Floats, *, rng: np.random.Generator, amount: float) -> Floats:
    """(T, 2) gaze yaw and pitch in degrees relative to the head.

    Args:
        times_s: (T,) rising.
        head_deg: (T, 2) the head's yaw and pitch.
        rng: drawn from.
        amount: 0 holds the viewer, 1 is natural.
    """
    duration = float(times_s[-1] - times_s[0]) + 1.0
    number = int(duration / 0.7) + 8
    rests = FIXATION_LEAST_S + np.exp(
        rng.normal(np.log(FIXATION_S) - FIXATION_SPREAD**2 / 2, FIXATION_SPREAD, number)
    )
    away = rng.random(number) < AWAY
    away[1:] &= ~away[:-1]  # back to the viewer after each
    away[0] = False
    rests = np.where(away, 0.6 * rests, rests)
    spread = np.where(away[:, None], AWAY_DEG, NEAR_DEG)
    places = amount * spread * rng.standard_normal((number, 2))
    starts = times_s[0] + np.concatenate([[-1.0], np.cumsum(rests)[:-1] - rng.uniform(0, 0.5)])
    now = np.searchsorted(starts, times_s, side="right") - 1  # (T,)
    rise = np.clip((times_s - starts[now]) / SACCADE_S, 0.0, 1.0)[:, None]
    before = places[np.maximum(now - 1, 0)]
    fixed = before + rise * rise * (3 - 2 * rise) * (places[now] - before)
    furthest = np.array(FURTHEST_DEG)
    turned: Floats = np.clip(fixed - AGAINST * head_deg, -furthest, furthest)
    return turned
