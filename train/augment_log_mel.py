"""Variations of log-mel pictures in batches: speed, vocal tract, channel, noise, gaps.

Cheap enough to differ for every clip in every epoch. After vocal tract length perturbation (Jaitly
and Hinton 2013; here a stretch of the mel axis instead of a bend of the hertz axis) and SpecAugment
(Park et al. 2019; gaps hold each band's mean). Letters: B items, M bands, T frames.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class LogMelVariation:
    """How far pictures are varied; 0 turns a variation off.

    Attributes:
        speed: the tempo is drawn from 1 - speed to 1 + speed.
        tract: so is the stretch of the mel axis.
        channel: standard deviation, in nats of power, of a smooth random filter.
        noise_share: share of clips that get noise.
        num_gaps: gaps in time, and as many in frequency.
        gap_frames: longest gap.
        gap_bands: widest gap.
    """

    speed: float = 0.2
    tract: float = 0.12
    channel: float = 0.3
    noise_share: float = 0.0
    num_gaps: int = 2
    gap_frames: int = 24
    gap_bands: int = 8


NOISE_LEVELS = (-9.0, -2.0)  # log power of a band; speech at the front end's level peaks near 5
FILTER_POINTS = 5


def vary_log_mel(
    mel: Tensor,
    lengths: Tensor,
    variation: LogMelVariation,
    *,
    num_frames: int,
    fill: Tensor,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw one variant of each picture, cut or filled up to `num_frames`.

    Args:
        mel: (B, M, T) log-mel.
        lengths: (B,) frames of each.
        variation: how far.
        num_frames: of the result.
        fill: (M,) what gaps hold.
        rng: of all draws.

    Returns:
        (B, M, num_frames) log-mel; (B, num_frames) bool, True where there is sound; and
        (B, num_frames) the frame of `mel` that each frame came from, as a float.
    """
    speed = _drawn(rng, len(mel), variation.speed)
    room = (lengths / speed - num_frames).clamp(min=0.0)
    start = room * torch.from_numpy(rng.random(len(mel), dtype=np.float32))
    source = (start[:, None] + torch.arange(num_frames)) * speed[:, None]  # (B, num_frames)
    varied = _warped(mel, source, _drawn(rng, len(mel), variation.tract))
    if variation.channel > 0:
        points = rng.normal(0.0, variation.channel, (len(mel), 1, FILTER_POINTS))
        varied = varied + _along_bands(points, mel.shape[1])[:, :, None]
    if variation.noise_share > 0:
        noisy = torch.from_numpy(np.flatnonzero(rng.random(len(mel)) < variation.noise_share))
        varied[noisy] = torch.logaddexp(varied[noisy], _noise(varied[noisy].shape, rng))
    return _with_gaps(varied, variation, fill, rng), source < lengths[:, None], source


def _drawn(rng: np.random.Generator, num: int, width: float) -> Tensor:
    return torch.from_numpy(rng.uniform(1.0 - width, 1.0 + width, num).astype(np.float32))


def _warped(mel: Tensor, source: Tensor, tract: Tensor) -> Tensor:
    """Pictures read at (B, T) frames, and bands stretched by (B,), linear between places."""
    num_bands, frames = mel.shape[1:]
    bands = torch.arange(num_bands) * tract[:, None]  # (B, M)
    across = ((source * 2 + 1) / frames - 1)[:, None, :].expand(-1, num_bands, -1)
    down = ((bands * 2 + 1) / num_bands - 1)[:, :, None].expand(-1, -1, source.shape[1])
    grid = torch.stack([across, down], dim=3)  # (B, M, T, 2)
    return functional.grid_sample(mel[:, None], grid, padding_mode="border", align_corners=False)[
        :, 0
    ]


def _along_bands(points: np.ndarray, num_bands: int) -> Tensor:
    """(B, 1, P) values at even places -> (B, M), linear between them."""
    values = torch.from_numpy(points.astype(np.float32))
    return functional.interpolate(values, size=num_bands, mode="linear", align_corners=True)[:, 0]


def _noise(shape: torch.Size, rng: np.random.Generator) -> Tensor:
    """Steady noise with a random level and tilt; log power scatters as in a band of few bins."""
    level = rng.uniform(*NOISE_LEVELS, (shape[0], 1, 1))
    tilt = rng.normal(0.0, 1.5, (shape[0], 1, 1)) * np.linspace(-1.0, 1.0, shape[1])[:, None]
    scatter = 0.3 * rng.standard_normal(tuple(shape), dtype=np.float32)
    return torch.from_numpy((level + tilt).astype(np.float32) + scatter)


def _with_gaps(
    mel: Tensor, variation: LogMelVariation, fill: Tensor, rng: np.random.Generator
) -> Tensor:
    bands, frames = mel.shape[1:]
    for picture in mel:
        for _ in range(variation.num_gaps):
            wide, long = (
                rng.integers(variation.gap_bands + 1),
                rng.integers(variation.gap_frames + 1),
            )
            low, first = rng.integers(bands - wide + 1), rng.integers(frames - long + 1)
            picture[low : low + wide] = fill[low : low + wide, None]
            picture[:, first : first + long] = fill[:, None]
    return mel
