"""Whether somebody speaks, read off the sounds that are heard.

In speech a phone recognizer is sure of some 5 to 10 sounds a second, in music, noise and tones of
none. It knows pauses only as places without sounds, so what is quiet is taken out elsewhere. Needs
no net that learned what a voice is. Letters: T steps at 50 Hz.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.phones import SpokenPhone

STEP_HZ = 50.0
AROUND_S = 0.8  # on either side of a step, in which sounds are counted
SOUNDS_A_SECOND, WIDTH = 2.5, 0.4  # at which presence is halved; of the way between


def voice_in(phones: Sequence[SpokenPhone], steps: int) -> NDArray[np.float32]:
    """(T,) presence of a voice in [0, 1].

    Sounds are counted by how sure they are, in the part of the time around a step that there is.

    Args:
        phones: of a speech, in order.
        steps: T.
    """
    reach = round(AROUND_S * STEP_HZ)
    at = np.array([0.5 * (one.start_s + one.end_s) * STEP_HZ for one in phones], dtype=np.float64)
    sure = np.array([one.confidence for one in phones], dtype=np.float64)
    places = np.clip(at.astype(np.int64), 0, max(steps - 1, 0))
    counted = np.concatenate([[0.0], np.bincount(places, sure, steps).cumsum()])
    first = np.maximum(np.arange(steps) - reach, 0)
    last = np.minimum(np.arange(steps) + reach + 1, steps)
    rate = (counted[last] - counted[first]) / ((last - first) / STEP_HZ)
    presence: NDArray[np.float32] = (
        1.0 / (1.0 + np.exp(-(rate - SOUNDS_A_SECOND) / WIDTH))
    ).astype(np.float32)
    return presence
