"""The sounds of a speech as the motion denoiser hears them beside its Whisper states.

CTC posteriors are spikes that say little about when a sound lasts; phones with their times do. Each
step of 20 ms gets the share of each viseme class in it. Letters: T steps, V visemes.
"""

from collections.abc import Sequence

import numpy as np
import torch

from affetto.condition import ConditionTrack
from affetto.conditioning.phones import SpokenPhone
from affetto.conditioning.visemes import VISEME_NAMES
from affetto.gen.portrait.motion.coarticulation import timed_visemes

STEP_HZ = 50.0


def viseme_track(phones: Sequence[SpokenPhone], steps: int, *, first: int = 0) -> ConditionTrack:
    """(1, T, V) shares of the visemes in `VISEME_NAMES`, rows sum to 1; pauses are silence.

    Args:
        phones: in order, at least those near the steps.
        steps: until which.
        first: from which; T = steps - first.
    """
    shares = np.zeros((steps - first, len(VISEME_NAMES)), dtype=np.float32)
    timed = timed_visemes(phones)
    for viseme, start, end in zip(timed.viseme, timed.start, timed.end, strict=True):
        low = int(np.clip(np.floor(start * STEP_HZ), first, steps))
        high = int(np.clip(np.ceil(end * STEP_HZ), first, steps))
        edges = np.arange(low, high + 1) / STEP_HZ
        inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
        shares[low - first : high - first, viseme] += (np.maximum(inside, 0.0) * STEP_HZ).astype(
            np.float32
        )
    total = shares.sum(axis=1, keepdims=True)
    shares /= np.maximum(total, 1.0)
    shares[:, VISEME_NAMES.index("silence")] += np.maximum(1.0 - total[:, 0], 0.0)
    there = torch.ones(1, len(shares), dtype=torch.bool)
    return ConditionTrack(torch.from_numpy(shares)[None], there, STEP_HZ)
