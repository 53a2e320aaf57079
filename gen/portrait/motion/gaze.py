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


def saccades(
    times_s: Floats, duration_s: float, *, rng: np.random.Generator, amount: float
) -> Floats:
    """(T, 2) where the eyes rest and jump to, yaw and pitch in degrees, the head apart.

    Each row depends on its time, the duration and what is drawn alone.

    Args:
        times_s: (T,) rising, in [0, duration_s].
        duration_s: of the speech.
        rng: drawn from.
        amount: 0 holds the viewer, 1 is natural.
    """
    number = int(duration_s / 0.7) + 8
    rests = FIXATION_LEAST_S + np.exp(
        rng.normal(np.log(FIXATION_S) - FIXATION_SPREAD**2 / 2, FIXATION_SPREAD, number)
    )
    away = rng.random(number) < AWAY
    away[1:] &= ~away[:-1]  # back to the viewer after each
    away[0] = False
    rests = np.where(away, 0.6 * rests, rests)
    spread = np.where(away[:, None], AWAY_DEG, NEAR_DEG)
    places = amount * spread * rng.standard_normal((number, 2))
    starts = np.concatenate([[-1.0], np.cumsum(rests)[:-1] - rng.uniform(0, 0.5)])
    now = np.searchsorted(starts, times_s, side="right") - 1  # (T,)
    rise = np.clip((times_s - starts[now]) / SACCADE_S, 0.0, 1.0)[:, None]
    before = places[np.maximum(now - 1, 0)]
    fixed: Floats = before + rise * rise * (3 - 2 * rise) * (places[now] - before)
    return fixed


def turned_back(head_deg: Floats) -> Floats:
    """(T, 2) what the eyes turn against the head's (T, 2) yaw and pitch, in degrees."""
    furthest = np.array(FURTHEST_DEG)
    turned: Floats = np.clip(-AGAINST * head_deg, -furthest, furthest)
    return turned
