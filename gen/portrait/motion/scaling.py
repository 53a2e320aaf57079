"""Motion's channels brought to one scale, group by group, from statistics of the training data.

Lips, brows, degrees of the head and gaze, and places in eye-corner distances differ by a factor of
hundreds; without it the flow would spend itself on the head (Ditto, Li et al. 2025, and JoyVASA,
Cao et al. 2024, both scale). Letters: C = 62 channels.
"""

import torch
from torch import Tensor, nn

from affetto.motion import CHANNELS

# Each channel belongs to the first group that its name begins with. Units agree inside a group.
GROUPS: dict[str, tuple[str, ...]] = {
    "lips": ("mouth", "cheekPuff", "tongueOut"),
    "jaw": ("jaw",),
    "brow": ("brow",),
    "cheeks": ("cheekSquint", "noseSneer"),
    "eyes": ("eye",),
    "angles": ("headPitch", "headYaw", "headRoll"),
    "places": ("headRight", "headUp", "headForward"),
    "gaze": ("gaze",),
    "lids": ("lid",),
}
LEAST_SHARE = 0.4  # of a group's spread is the least that one of its channels is scaled by
SMALLEST_SPREAD = 1e-3


def group_of(channel: str) -> str:
    """The group's name."""
    return next(name for name, starts in GROUPS.items() if channel.startswith(starts))


def members(*groups: str) -> list[int]:
    """Places in `CHANNELS` of all channels of these groups."""
    return [place for place, name in enumerate(CHANNELS) if group_of(name) in groups]


class Scaling(nn.Module):
    """Motion values to about unit spread and back; its statistics are kept with the weights."""

    def __init__(self) -> None:
        """As it is: no shift, no scale. `measure` sets both."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(CHANNELS)))
        self.register_buffer("spread", torch.ones(len(CHANNELS)))

    def measure(self, values: Tensor) -> None:
        """Take the statistics of motion (N, C).

        A channel's spread is its standard deviation, but at least `LEAST_SHARE` of the root mean
        square of its group's, so that what hardly moves is not blown up to noise.
        """
        std = values.double().std(dim=0, correction=0)
        spread = std.clone()
        for group in GROUPS:
            places = members(group)
            floor = LEAST_SHARE * std[places].square().mean().sqrt()
            spread[places] = std[places].clamp(min=max(float(floor), SMALLEST_SPREAD))
        self.get_buffer("mean").copy_(values.double().mean(dim=0))
        self.get_buffer("spread").copy_(spread)

    def scaled(self, values: Tensor) -> Tensor:
        """(..., C) motion -> about unit spread."""
        return (values - self.get_buffer("mean")) / self.get_buffer("spread")

    def unscaled(self, values: Tensor) -> Tensor:
        """(..., C) back to motion."""
        return values * self.get_buffer("spread") + self.get_buffer("mean")
