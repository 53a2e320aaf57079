"""The learning rate over a run: a linear warm-up, then a cosine to nothing."""

import math

import torch


def schedule(share: float, warmup_share: float) -> float:
    """Factor of the learning rate at `share` (0..1) of the run."""
    if share < warmup_share:
        return share / warmup_share
    return 0.5 * (1 + math.cos(math.pi * (share - warmup_share) / (1 - warmup_share)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameter groups this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
