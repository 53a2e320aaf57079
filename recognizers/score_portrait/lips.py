"""Lips over time, from face meshes: a few distances that do not change with pose and size.

Every mesh is turned upright and face-on by the rigid points round eyes and nose, and measured in
outer eye-corner distances. Letters: T frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput

Double = NDArray[np.float64]

# Places in the 468-point mesh; left and right are the viewer's.
EYE_LEFT, EYE_RIGHT = 33, 263
UPRIGHT = ((10, 152), (9, 2), (168, 2))  # pairs from above to below
RIGID = (33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 9, 8, 151, 10, 108, 337, 127, 356)
INNER_UPPER, INNER_LOWER = (81, 82, 13, 312, 311), (178, 87, 14, 317, 402)
CORNER_LEFT, CORNER_RIGHT = 61, 291
OUTER_UPPER, OUTER_LOWER = (37, 0, 267), (84, 17, 314)
NOSE_BASE = 2
FEWEST_SEEN = 0.5  # share of frames that must show a face
OUTLINE = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324,
)  # fmt: skip


@dataclass(frozen=True)
class Lips:
    """What lips do; all lengths in outer eye-corner distances of the same frame.

    Attributes:
        gap: (T,) between the inner lips, mean over the middle half; 0 touching.
        width: (T,) between the corners.
        height: (T,) between the outer edges of both lips.
        lower: (T,) thickness of the lower lip.
        upper: (T,) thickness of the upper lip.
        forward: (T,) how far the lips stand before the nose's base.
        rise: (T,) of the lower lip's inner edge towards the nose's base, less is higher.
        outline: (T, 80) all lip points' x and y, face-on.
        seen: (T,) whether a face was found; elsewhere values are interpolated.
        fps: frames per second.
    """

    gap: Double
    width: Double
    height: Double
    lower: Double
    upper: Double
    forward: Double
    rise: Double
    outline: Double
    seen: NDArray[np.bool_]
    fps: float

    def shape(self) -> Double:
        """(T, 6) gap, width, height, lower, upper, forward, each less its median."""
        columns = (self.gap, self.width, self.height, self.lower, self.upper, self.forward)
        values = np.stack(columns, axis=1)
        return values - np.median(values, axis=0)


def measure_lips(meshes: NDArray[np.floating], *, fps: float) -> Lips:
    """Measure lips in meshes.

    Args:
        meshes: (T, 468 or 478, 3) x right, y down, z away from the viewer, in pixels; a frame
            without a face is NaN.
        fps: > 0.

    Raises:
        BadInput: fewer than half of the frames show a face.
        ValueError: another shape.
    """
    if meshes.ndim != 3 or meshes.shape[1] < 468 or meshes.shape[2] != 3 or not fps > 0:
        raise ValueError(f"meshes must be (T, 468 or more, 3) and fps > 0, got {meshes.shape}")
    seen = np.isfinite(meshes).all(axis=(1, 2))
    if not len(seen) or seen.mean() < FEWEST_SEEN:
        raise BadInput(
            f"a face was found in {seen.sum()} of {len(seen)} frames: lips need at least "
            f"{FEWEST_SEEN:.0%}; give a portrait that stays in the picture"
        )
    points = _interpolated(face_on(meshes[seen]), seen)
    gaps = np.linalg.norm(points[:, INNER_UPPER] - points[:, INNER_LOWER], axis=-1)
    upper, lower = points[:, OUTER_UPPER].mean(axis=1), points[:, OUTER_LOWER].mean(axis=1)
    inner_upper = points[:, INNER_UPPER[1:4]].mean(axis=1)
    inner_lower = points[:, INNER_LOWER[1:4]].mean(axis=1)
    base = points[:, NOSE_BASE]
    return Lips(
        gap=gaps.mean(axis=1),
        width=np.linalg.norm(points[:, CORNER_RIGHT] - points[:, CORNER_LEFT], axis=-1),
        height=np.linalg.norm(upper - lower, axis=-1),
        lower=np.linalg.norm(inner_lower - lower, axis=-1),
        upper=np.linalg.norm(inner_upper - upper, axis=-1),
        forward=base[:, 2] - (upper[:, 2] + lower[:, 2]) / 2,
        rise=inner_lower[:, 1] - base[:, 1],
        outline=points[:, OUTLINE, :2].reshape(len(points), -1),
        seen=seen,
        fps=float(fps),
    )


def face_on(meshes: NDArray[np.floating]) -> Double:
    """(T, N, 3) meshes turned face-on and upright, eyes' middle at 0, eye-corner distance 1.

    The turn is that of the rigid points: the first frame's axes come from eyes, brow and chin, the
    other frames are laid on it (Umeyama 1991), so that a moving jaw does not turn the head.
    """
    points = np.asarray(meshes, dtype=np.float64)
    rigid = points[:, RIGID]
    middle = rigid.mean(axis=1, keepdims=True)
    apart = np.linalg.norm(points[:, EYE_RIGHT] - points[:, EYE_LEFT], axis=-1)
    scale = np.sqrt(((rigid - middle) ** 2).sum(axis=(1, 2)))
    scale *= np.median(apart / scale)  # steadier than two eye corners alone
    points = (points - middle) / scale[:, None, None]
    model = np.median(points, axis=0)
    axes = _axes(model)
    turned = np.empty_like(points)
    for number, one in enumerate(points):
        u, _, vt = np.linalg.svd(one[list(RIGID)].T @ model[list(RIGID)])
        turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
        turned[number] = one @ turn @ axes
    eyes = turned[:, (EYE_LEFT, EYE_RIGHT)].mean(axis=1, keepdims=True)
    return np.asarray(turned - eyes)


def _axes(model: Double) -> Double:
    """(3, 3) whose columns are the face's right (viewer's), down and back."""
    right = model[EYE_RIGHT] - model[EYE_LEFT]
    right /= np.linalg.norm(right)
    down = np.sum([model[low] - model[high] for high, low in UPRIGHT], axis=0)
    down -= right * (down @ right)
    down /= np.linalg.norm(down)
    return np.stack([right, down, np.cross(right, down)], axis=1)


def _interpolated(points: Double, seen: NDArray[np.bool_]) -> Double:
    if seen.all():
        return points
    flat = points.reshape(len(points), -1)
    places, known = np.arange(len(seen)), np.flatnonzero(seen)
    filled = np.stack([np.interp(places, known, column) for column in flat.T], axis=1)
    return filled.reshape(len(seen), *points.shape[1:])
