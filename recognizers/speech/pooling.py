"""A clip's frame states in one row: mean and spread of each state over the real frames."""

import torch
from torch import Tensor

from affetto.recognizers.speech.whisper import NUM_STATES, WIDTH

NUM_FEATURES = 2 * NUM_STATES * WIDTH
_EPS = 1e-5  # keeps the root differentiable where a state does not move


def pool(states: Tensor, frames: Tensor) -> Tensor:
    """Mean, then standard deviation, of each state over a clip's frames.

    Args:
        states: (B, NUM_STATES, T, D).
        frames: (B,) how many of the T frames are the clip's, at least 1.

    Returns:
        (B, NUM_FEATURES): means of state 0, of state 1, ..., then deviations in the same order.
    """
    valid = torch.arange(states.shape[2], device=states.device)[None] < frames[:, None]  # (B, T)
    weight = (valid / frames[:, None])[:, None, :, None]  # (B, 1, T, 1)
    mean = (states * weight).sum(dim=2)  # (B, NUM_STATES, D)
    spread = ((states - mean[:, :, None]) ** 2 * weight).sum(dim=2)
    return torch.cat([mean, (spread + _EPS).sqrt()], dim=1).flatten(start_dim=1)
