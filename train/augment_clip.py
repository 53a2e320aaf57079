"""What happens to a filmed face on its way: size, light, blur, things before it, noise.

Each function takes crops (F, 48, 48) uint8 of one clip and gives new ones; all frames of a clip
change alike. Randomness comes from the generator given. Settings of the corrupted protocol stand in
benchmarks/audiovisual_corrupted.py; training draws its own with `vary`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Crops = NDArray[np.uint8]
SIDE = 48


def blurred(crops: Crops, sigma: float) -> Crops:
    """Out of focus by a Gaussian of `sigma` pixels."""
    return np.stack([np.asarray(cv2.GaussianBlur(one, (0, 0), sigma), np.uint8) for one in crops])


def coarse(crops: Crops, side: int) -> Crops:
    """As if the face had been `side` pixels wide."""
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in crops]
    return np.stack([np.asarray(cv2.resize(one, (SIDE, SIDE)), np.uint8) for one in small])


def covered(crops: Crops, *, top: float, bottom: float, left: float, right: float) -> Crops:
    """A grey rectangle before the face, its edges in shares of the side."""
    rows = slice(round(top * SIDE), round(bottom * SIDE))
    columns = slice(round(left * SIDE), round(right * SIDE))
    changed = crops.copy()
    changed[:, rows, columns] = 110
    return changed


def dim(crops: Crops, light: float, noise: float, rng: np.random.Generator) -> Crops:
    """`light` of the light, with sensor noise of deviation `noise` in [0, 255]."""
    changed = crops * light + rng.normal(0, noise, crops.shape)
    return np.clip(np.round(changed), 0, 255).astype(np.uint8)


def moved(crops: Crops, *, degrees: float, scale: float, right: float, down: float) -> Crops:
    """Cut out otherwise: turned, larger, shifted by shares of the side."""
    middle = (SIDE - 1) / 2
    matrix = np.array(cv2.getRotationMatrix2D((middle, middle), degrees, scale), np.float64)
    matrix[:, 2] += np.asarray([right * SIDE, down * SIDE])
    return np.stack(
        [
            np.asarray(
                cv2.warpAffine(one, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8
            )
            for one in crops
        ]
    )


def vary(crops: Crops, rng: np.random.Generator) -> Crops:
    """One training variant: cut otherwise, at times mirrored, then none to two of the rest."""
    crops = moved(
        crops,
        degrees=float(rng.uniform(-8, 8)),
        scale=float(np.exp(rng.uniform(-0.1, 0.1))),
        right=float(rng.uniform(-0.06, 0.06)),
        down=float(rng.uniform(-0.06, 0.06)),
    )
    if rng.random() < 0.5:
        crops = np.ascontiguousarray(crops[:, :, ::-1])
    for kind in sorted(rng.choice(4, size=int(rng.integers(0, 3)), replace=False)):
        match kind:
            case 0:
                crops = blurred(crops, float(rng.uniform(0.4, 2.5)))
            case 1:
                crops = coarse(crops, int(rng.integers(10, 32)))
            case 2:
                tall, wide = rng.uniform(0.2, 0.5, 2)
                top, left = rng.uniform(0, 1 - tall), rng.uniform(0, 1 - wide)
                crops = covered(crops, top=top, bottom=top + tall, left=left, right=left + wide)
            case 3:
                crops = dim(crops, float(rng.uniform(0.15, 1.0)), float(rng.uniform(0, 10)), rng)
    return crops
