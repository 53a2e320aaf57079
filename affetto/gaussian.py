"""Diagonal Gaussians as tensors: sampling, distance, fusion.

Letters: M experts, D dimensions. `mean` and `log_var` (natural log of the variance) are (..., D).
"""

import torch
from torch import Tensor

# Outside it a variance is as good as known, or as good as not known at all.
LOG_VAR_RANGE = (-8.0, 4.0)


def sample(mean: Tensor, log_var: Tensor, *, generator: torch.Generator) -> Tensor:
    """One draw (..., D) each; gradients reach both arguments (Kingma and Welling 2014)."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    return mean + (0.5 * log_var).exp() * noise


def wasserstein(mean: Tensor, log_var: Tensor, other_mean: Tensor, other_log_var: Tensor) -> Tensor:
    """The 2-Wasserstein distance (...,): root of the squared differences of means and deviations.

    Chosen over symmetric KL and Bhattacharyya: it is a metric (the triangle inequality holds), it
    stays finite and keeps the unit of the space where a variance goes to 0, and for equal variances
    it is the plain distance of the means.

    Source:
        Olkin and Pukelsheim 1982, for commuting covariances.
    """
    deviation, other_deviation = (0.5 * log_var).exp(), (0.5 * other_log_var).exp()
    squares = (mean - other_mean) ** 2 + (deviation - other_deviation) ** 2
    return squares.sum(dim=-1).sqrt()


def product_of_experts(mean: Tensor, log_var: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Fuse what several experts say of the same items: precisions add, means weigh by precision.

    Args:
        mean: (M, ..., D).
        log_var: (M, ..., D).
        present: (M, ...) bool; a missing expert drops out, whatever its numbers (finite or not).

    Returns:
        mean and log_var (..., D), the latter inside `LOG_VAR_RANGE`. Where no expert is present:
        mean 0 with the widest variance.

    Source:
        Hinton 2002; Wu and Goodman 2018 without their prior expert, which would pull to 0.
    """
    here = present[..., None]
    precision = torch.where(here, (-torch.where(here, log_var, 0.0)).exp(), 0.0)
    weighed = (torch.where(here, mean, 0.0) * precision).sum(dim=0)
    total = precision.sum(dim=0).clamp(min=torch.finfo(mean.dtype).tiny)
    return weighed / total, (-total.log()).clamp(*LOG_VAR_RANGE)
