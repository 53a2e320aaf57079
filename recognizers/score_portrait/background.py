"""Does the background stand still? PSNR of what lies outside head and shoulders."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

GROWN = 0.02  # of the picture's longer side, by which the matte is widened
MOST_DB = 99.0  # said of equal pictures


def background(matte: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(H, W) True outside a matte (H, W) in [0, 1], widened by 2 % of the longer side."""
    import cv2

    reach = max(1, round(GROWN * max(matte.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    grown = cv2.dilate((matte > 0.01).astype(np.uint8), kernel)
    return np.asarray(grown == 0)


def stillness_db(
    frames: Iterable[Picture], still: Picture, outside: NDArray[np.bool_]
) -> tuple[float, ...]:
    """PSNR of each frame against a still picture, outside head and shoulders.

    Args:
        frames: (H, W, 3) uint8 each.
        still: (H, W, 3) what the background should be, usually the photo at that size.
        outside: (H, W) where.

    Returns:
        Decibels a frame, at most 99; 45 is one grey level in 255 off, everywhere.

    Raises:
        ValueError: other shapes, or nothing is outside.
    """
    if outside.shape != still.shape[:2] or not outside.any():
        raise ValueError(f"outside must mark some of {still.shape[:2]}, got {outside.shape}")
    base = still[outside].astype(np.float64)
    found = []
    for frame in frames:
        if frame.shape != still.shape:
            raise ValueError(f"frames must be {still.shape}, got {frame.shape}")
        error = float(((frame[outside] - base) ** 2).mean())
        found.append(min(MOST_DB, 10 * np.log10(255**2 / error)) if error > 0 else MOST_DB)
    return tuple(found)
