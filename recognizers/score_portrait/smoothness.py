"""Does it move smoothly, and as much at its start and at its seams as elsewhere?

Jerk (third difference) of mesh points, face turned face-on so that it is the face's own, and of
the head. Less is not better: a frozen photo has none. What must hold is that no part of a clip
stands out, so every figure is a ratio to the clip's own median. Letters: T frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.recognizers.score_portrait.lips import EYE_LEFT, EYE_RIGHT

Double = NDArray[np.float64]

BIN = 10  # frames
SEAM_REACH = 3  # frames on either side of a seam


@dataclass(frozen=True)
class Jerk:
    """How jerky a clip is.

    Attributes:
        median: over bins of ten frames, in eye-corner distances per frame^3.
        start: mean of the first ten frames over the median; NaN without motion.
        seams: mean round all seams over the median; NaN without seams.
        worst: the jerkiest bin over the median.
    """

    median: float
    start: float
    seams: float
    worst: float


def measure_jerk(meshes: NDArray[np.floating], *, seams: Sequence[int] = ()) -> Jerk:
    """Measure a clip.

    Args:
        meshes: (T, N, 3) pixels, T >= 13, finite.
        seams: frames that begin a new window of the generator.
    """
    if meshes.ndim != 3 or len(meshes) < BIN + 3 or not np.isfinite(meshes).all():
        raise ValueError(f"meshes must be finite (T >= {BIN + 3}, N, 3), got {meshes.shape}")
    points = np.asarray(meshes[..., :2], dtype=np.float64)
    scale = np.median(np.linalg.norm(points[:, EYE_RIGHT] - points[:, EYE_LEFT], axis=1))
    third = np.linalg.norm(np.diff(points / scale, n=3, axis=0), axis=2).mean(axis=1)  # (T - 3,)
    bins = third[: len(third) // BIN * BIN].reshape(-1, BIN).mean(axis=1)
    middle = float(np.median(bins))
    if middle < 1e-7:
        return Jerk(middle, float("nan"), float("nan"), float("nan"))
    near = [
        third[max(0, seam - 2 - SEAM_REACH) : seam - 1 + SEAM_REACH].mean()
        for seam in seams
        if 2 + SEAM_REACH <= seam < len(meshes) - SEAM_REACH
    ]
    return Jerk(
        median=middle,
        start=float(bins[0]) / middle,
        seams=float(np.mean(near)) / middle if near else float("nan"),
        worst=float(bins.max()) / middle,
    )
