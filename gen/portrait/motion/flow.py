"""Rectified flow: noise and motion joined by straight lines, and the steps along them.

Source: Lipman et al. 2023 (flow matching), Liu et al. 2023 (rectified flow); noise levels drawn
from a logit-normal as in Esser et al. 2024. On the line x = (1 - s) clean + s noise the velocity
is noise - clean. The network gives the clean motion (so that losses on faces can read it) and its
loss is that of the velocity, its error over s, as in Li and He 2025. The noise is smooth over time,
as motion is: with white noise what is slow and by chance (head, gaze, brows) came out too small and
trembled. Behind a prefix it goes on from the prefix, so that no seam has to be undone. Letters: B
items, F frames, C channels.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

NOISE_FRAMES = (6.0, 20.0)  # widths of the noise's two Gaussian kernels, in equal parts
WHITE_SHARE = 1e-3  # of its variance, so that its covariance has an inverse
LEAST_LEVEL = 0.1  # below it the loss's weight grows no further
NUM_STEPS = 8


def noised(clean: Tensor, noise: Tensor, level: Tensor) -> Tensor:
    """The point of the line at noise level (B,) in [0, 1]; the others (B, ...)."""
    share = level.reshape(-1, *[1] * (clean.ndim - 1))
    return (1.0 - share) * clean + share * noise


def smooth_noise(white: Tensor, before: Tensor | None = None) -> Tensor:
    """White noise to noise of unit variance that is smooth over the frames.

    Args:
        white: (..., F, C).
        before: (..., P, C) frames that come before, if known: the noise goes on from them, as a
            Gaussian process does that was seen there.
    """
    frames = white.shape[-2]
    if before is None:
        smooth: Tensor = _factor(0, frames)[1].to(white) @ white
        return smooth
    onward, factor = _factor(before.shape[-2], frames)
    return onward.to(white) @ before + factor.to(white) @ white


def velocity(point: Tensor, clean: Tensor, level: float) -> Tensor:
    """Noise - clean, from a point of the line and the clean end as estimated."""
    return (point - clean) / level


def loss_weight(level: Tensor) -> Tensor:
    """(B,) what makes a squared error of the clean end one of the velocity, bounded."""
    return level.clamp(min=LEAST_LEVEL) ** -2


def draw_levels(count: int, *, mean: float, spread: float, generator: torch.Generator) -> Tensor:
    """(count,) noise levels in (0, 1): the sigmoid of normal numbers."""
    return (mean + spread * torch.randn(count, generator=generator)).sigmoid()


class EulerSteps:
    """Euler steps from noise (level 1) to motion (level 0), evenly spaced.

    The same numbers to the bit as diffusers' FlowMatchEulerDiscreteScheduler without a shift, which
    the tests compare with; to import it takes seconds and 100 MB (it brings a compiler along).

    Attributes:
        levels: the noise level before each step, falling from 1.
    """

    def __init__(self, num_steps: int = NUM_STEPS) -> None:
        """Set up.

        Args:
            num_steps: network calls, >= 1.
        """
        if num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        falling = torch.from_numpy(np.linspace(1.0, 1.0 / num_steps, num_steps).astype(np.float32))
        self._levels = torch.cat([falling, torch.zeros(1)])
        self.levels: list[float] = falling.tolist()

    def step(self, number: int, drawn: Tensor, velocity: Tensor) -> Tensor:
        """From level `number` to the next one."""
        moved: Tensor = drawn + (self._levels[number + 1] - self._levels[number]) * velocity
        return moved


@lru_cache(maxsize=8)
def _factor(num_before: int, num_frames: int) -> tuple[Tensor, Tensor]:
    """What the frames before ask of those after, (F, P), and the Cholesky factor of the rest."""
    steps = torch.arange(num_before + num_frames, dtype=torch.float64)
    apart = (steps[:, None] - steps[None]) ** 2
    kernels = [torch.exp(-apart / (2 * width**2)) for width in NOISE_FRAMES]
    smooth = torch.stack(kernels).mean(dim=0)
    covariance = (1 - WHITE_SHARE) * smooth + WHITE_SHARE * torch.eye(len(steps)).double()
    seen, later = covariance[:num_before], covariance[num_before:]
    onward = torch.linalg.solve(seen[:, :num_before], seen[:, num_before:]).T  # (F, P)
    left = later[:, num_before:] - onward @ seen[:, num_before:]
    return onward, torch.linalg.cholesky(left)
