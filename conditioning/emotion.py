"""The `emotion` condition: an EmotionTrack as a generator reads it."""

import numpy as np
import torch
from numpy.typing import ArrayLike

from affetto.condition import ConditionTrack
from affetto.emotion import EmotionTrack


def emotion_condition(track: EmotionTrack, times_s: ArrayLike, rate_hz: float) -> ConditionTrack:
    """Sample a track at the generator's steps.

    Args:
        track: any kind.
        times_s: (T,) seconds, strictly rising: the middles or starts of the other conditions'
            steps, so that all speak of the same moments.
        rate_hz: steps per second of those times.

    Returns:
        values (1, T, 14) float32 = valence, arousal, dominance in [-1, 1], then the 11 label
        probabilities; the mask is True throughout.
    """
    sampled = track.at(times_s)
    values = torch.from_numpy(np.concatenate([sampled.vad, sampled.probs], axis=1))[None]
    mask = torch.ones(values.shape[:2], dtype=torch.bool)  # (1, T)
    return ConditionTrack(values, mask, rate_hz)
