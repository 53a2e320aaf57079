"""Faces seen a little differently: moved, mirrored, lit, blurred, partly covered.

All on a batch at once, by one generator. Letters: B faces.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from affetto.recognizers.face.expression import standardised

BLUR = (0.25, 0.5, 0.25)


@dataclass
class FaceAugmentation:
    """How far: plus or minus, unless said otherwise.

    Attributes:
        degrees: of roll.
        scale: share of size; also how far width and height may part, times a third.
        shift: in half widths.
        light: of a brightness gradient, in standard deviations from edge to edge of the half.
        contrast: share.
        blurred: share of faces.
        covered: share of faces with a rectangle of an even grey.
    """

    degrees: float = 15.0
    scale: float = 0.16
    shift: float = 0.15
    light: float = 0.6
    contrast: float = 0.2
    blurred: float = 0.15
    covered: float = 0.3


def varied(
    faces: Tensor, *, side: int, amount: FaceAugmentation, generator: torch.Generator
) -> Tensor:
    """Faces (B, 1, S, S) in [0, 1] -> varied and standardised (B, 1, side, side)."""
    moved = _moved(faces, side, amount, generator)
    blurred = _chosen(len(faces), amount.blurred, generator)
    seen = standardised(torch.where(blurred, _blurred(moved), moved), side)
    across = torch.linspace(-1.0, 1.0, side)
    slopes = amount.light * _spread(len(faces), 2, generator)
    light = slopes[:, :1, None] * across[None, :, None] + slopes[:, 1:, None] * across  # (B, S, S)
    lit = torch.where(_chosen(len(faces), 0.5, generator), seen + light[:, None], seen)
    contrast = 1.0 + amount.contrast * _spread(len(faces), 1, generator)
    return _covered(lit * contrast[:, :, None, None], amount, generator)


def _moved(
    faces: Tensor, side: int, amount: FaceAugmentation, generator: torch.Generator
) -> Tensor:
    roll, scale, aspect, right, down = _spread(len(faces), 5, generator).unbind(dim=1)
    angle = roll * math.radians(amount.degrees)
    size = 1.0 + amount.scale * scale
    wide = 1.0 + amount.scale / 3.0 * aspect
    mirror = 1.0 - 2.0 * _chosen(len(faces), 0.5, generator).flatten().float()
    rows = [
        torch.stack(
            [mirror * size * wide * angle.cos(), -size * angle.sin(), amount.shift * right], 1
        ),
        torch.stack(
            [mirror * size * angle.sin(), size / wide * angle.cos(), amount.shift * down], 1
        ),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, dim=1), [len(faces), 1, side, side], align_corners=False
    )
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def _blurred(faces: Tensor) -> Tensor:
    kernel = torch.tensor(BLUR)
    window = (kernel[:, None] * kernel)[None, None]
    return functional.conv2d(functional.pad(faces, (1, 1, 1, 1), mode="replicate"), window)


def _covered(faces: Tensor, amount: FaceAugmentation, generator: torch.Generator) -> Tensor:
    """An eighth to a third of the side, each way, of some faces becomes one grey."""
    count, side = len(faces), faces.shape[-1]
    place = torch.arange(side)
    extent = side * (1 / 8 + (1 / 3 - 1 / 8) * torch.rand(count, 2, 1, generator=generator))
    start = (side - extent) * torch.rand(count, 2, 1, generator=generator)
    inside = (place >= start) & (place < start + extent)  # (B, 2, S)
    patch = inside[:, 0, :, None] & inside[:, 1, None, :]
    patch &= _chosen(count, amount.covered, generator)[:, 0]
    grey = 0.5 * torch.randn(count, 1, 1, 1, generator=generator)
    return torch.where(patch[:, None], grey, faces)


def _spread(count: int, columns: int, generator: torch.Generator) -> Tensor:
    """(count, columns) even in [-1, 1]."""
    return 2.0 * torch.rand(count, columns, generator=generator) - 1.0


def _chosen(count: int, share: float, generator: torch.Generator) -> Tensor:
    """(count, 1, 1, 1) bool."""
    return torch.rand(count, 1, 1, 1, generator=generator) < share
