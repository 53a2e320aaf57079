"""What comes last, over whatever made the motion: closures, blinks, the eyes' jumps, bounds.

Each frame depends on itself, its time and the seed alone, so windows finished one by one are what
the whole finished at once is.
"""

from collections.abc import Sequence

import numpy as np

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.conditioning.phones import SpokenPhone
from affetto.gen.portrait.motion.blinks import blink_times, lid_course
from affetto.gen.portrait.motion.coarticulation import lay_over
from affetto.gen.portrait.motion.gaze import FURTHEST_DEG, saccades
from affetto.motion import PLACE, Motion

LET_GO = 0.8
_NARROWING = [
    PLACE[name + side] for name in ("eyeSquint", "cheekSquint") for side in ("Left", "Right")
]


def finish(
    motion: Motion,
    phones: Sequence[SpokenPhone],
    *,
    first_frame: int = 0,
    duration_s: float | None = None,
    seed: int | None = None,
    blinks_per_minute: float | None = None,
    liveliness: float = 1.0,
) -> Motion:
    """Shut the lips for p b m, put the lower lip to the teeth for f v, keep to the bounds.

    Args:
        motion: the whole or a window of it.
        phones: of the whole speech.
        first_frame: number of the window's first frame.
        duration_s: of the whole, where blinks are made; by default the window's end.
        seed: makes blinks anew from it instead of the motion's own, and lets the eyes jump from
            one place to another; None keeps the motion's.
        blinks_per_minute: of new blinks; None is a natural rate.
        liveliness: how far the eyes jump: 0 not at all, 1 natural.
    """
    values = motion.values.astype(np.float64)
    times = (first_frame + 0.5 + np.arange(len(values), dtype=np.float64)) / motion.fps
    values = lay_over(values, phones, times)
    if seed is not None:
        length = duration_s if duration_s is not None else float(times[-1]) + 1.0 / motion.fps
        when = blink_times(
            length, rng=np.random.default_rng([seed, 3]), per_minute=blinks_per_minute
        )
        lids = lid_course(when, times, rng=np.random.default_rng([seed, 4]))
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            values[:, PLACE[name]] = lids
        # A narrowed eye's blink would not be seen: what narrows it lets go for as long.
        values[:, _NARROWING] *= (1.0 - LET_GO * lids)[:, None]
        eyes = [PLACE["gazeYaw"], PLACE["gazePitch"]]
        jumps = saccades(times, length, rng=np.random.default_rng([seed, 5]), amount=liveliness)
        furthest = np.maximum(FURTHEST_DEG, np.abs(values[:, eyes]))
        values[:, eyes] = np.clip(values[:, eyes] + jumps, -furthest, furthest)
    values[:, :NUM_BLENDSHAPES] = np.clip(values[:, :NUM_BLENDSHAPES], 0.0, 1.0)
    return Motion(values.astype(np.float32), motion.fps)
