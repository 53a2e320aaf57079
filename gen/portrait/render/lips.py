"""The lips' gap as an absolute control: shut is shut whatever else the face does.

Blendshapes are linear, so rolled, pressed or smiling lips open by a hair or cross. What may open
the mouth is only what means to; the rest follows from the gap that this asks for. The seam of shut
lips is looked for in the picture, for the mesh is off by pixels just there.
Letters: J = 11 pairs of inner lip points, the viewer's left corner first; M = 468 mesh points.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.clip import Picture
from affetto.gen.portrait.render.portrait import (
    INNER_LOWER,
    INNER_UPPER,
    Portrait,
    eye_distance,
    face_down,
)

Floats = NDArray[np.float32]

OPENING = (
    "jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
)  # fmt: skip
SHUT = 0.010  # a gap in eye-corner distances that counts as none
OPEN = 0.035  # from here on the gap is what was asked
ALMOND = 0.8  # 0.5 for an ellipse of a mouth, more for narrower corners
UPPER_SHARE = 0.4  # of a correction that the upper lip takes
REACH = 0.16  # eye-corner distances over which the lips' surroundings follow
SEAM_REACH = 0.055  # eye-corner distances from the mesh's lips in which the seam is looked for
SEAM_FOLLOW = 0.09  # over which other points go along with the seam
SEAM_LOCAL_PX = 1.0  # a pair may leave the smooth course of the seam by this
MAX_DARKNESS = 40.0  # levels of a seam against its surroundings beyond which it weighs no more


class LipGap:
    """Holds the inner lips at the gap that a row of motion asks for."""

    def __init__(self, portrait: Portrait) -> None:
        """Prepare for a portrait whose neutral lips are shut."""
        points = portrait.points
        self.down, self.unit = face_down(points), portrait.eye_distance_px
        self.upper, self.lower = np.asarray(INNER_UPPER), np.asarray(INNER_LOWER)
        opening = [BLENDSHAPES.index(name) for name in OPENING]
        deltas = portrait.deltas_px[opening, :, :2] @ self.down  # (G, M)
        self.opening = np.asarray(opening)
        self.gains = (deltas[:, self.lower] - deltas[:, self.upper]).astype(np.float32)  # (G, J)
        along = np.linalg.norm(points[self.upper] - points[self.upper[:1]], axis=1)
        across = 2 * along / along[-1] - 1
        self.oval = np.clip(1 - across**2, 0, 1).astype(np.float32) ** ALMOND  # (J,)
        hats, distance, above = _beside(points, self.down)
        fade = np.clip(1 - distance / (REACH * self.unit), 0, 1) ** 2
        shares = np.where(above, -UPPER_SHARE, 1 - UPPER_SHARE) * fade
        self.spread = (shares[:, None] * hats).astype(np.float32)  # (M, J)

    def wanted(self, row: Floats) -> Floats:
        """(J,) gap in pixels along the lips."""
        asked = (row[self.opening] @ self.gains) / self.unit
        ramp = np.clip((asked - SHUT) / (OPEN - SHUT), 0, 1)
        smooth = ramp * ramp * (3 - 2 * ramp)
        gap: Floats = (np.maximum(asked, 0) * smooth * self.unit).astype(np.float32)
        gap = np.minimum(gap, gap.max() * self.oval)
        return gap

    def hold(self, points: Floats, row: Floats) -> None:
        """Move points (M, 3) so that the inner lips are as far apart as asked."""
        gap = self.wanted(row)
        now = (points[self.lower, :2] - points[self.upper, :2]) @ self.down
        points[:, :2] += (self.spread @ (gap - now))[:, None] * self.down
        # What is left is on the inner lips alone; twins of shut lips become one point.
        now = (points[self.lower, :2] - points[self.upper, :2]) @ self.down
        rest = ((gap - now)[1:-1, None] * self.down).astype(np.float32)
        points[self.upper[1:-1], :2] -= UPPER_SHARE * rest
        points[self.lower[1:-1], :2] += (1 - UPPER_SHARE) * rest
        self.seal(points, row)

    def seal(self, points: Floats, row: Floats) -> None:
        """Make one point of the twins (M or more, 3) that the row wants shut."""
        shut = self.wanted(row) == 0
        upper, lower = self.upper[shut], self.lower[shut]
        points[upper] = points[lower] = (points[upper] + points[lower]) / 2


def sealed(neutral: Picture, points: Floats) -> Floats:
    """The points (M, 3) of shut lips with both inner lips on the seam that the picture shows."""
    import cv2

    down, unit = face_down(points), eye_distance(points)
    upper, lower = list(INNER_UPPER), list(INNER_LOWER)
    middle = (points[upper, :2] + points[lower, :2]) / 2  # (J, 2)
    grey = cv2.GaussianBlur(cv2.cvtColor(neutral, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1)
    reach = max(2.0, SEAM_REACH * unit)
    steps = np.arange(-reach, reach + 0.01, 0.25, dtype=np.float32)
    places = middle[:, None] + steps[None, :, None] * down  # (J, N, 2)
    x, y = np.moveaxis(places.astype(np.float32), -1, 0)
    light = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cost = light + 0.15 * MAX_DARKNESS * (steps / reach) ** 2
    best = steps[cost.argmin(axis=1)]
    depth = np.clip(np.median(light, axis=1) - light.min(axis=1), 0.1, MAX_DARKNESS)
    along = np.linspace(-1, 1, len(upper))
    course = np.polyval(np.polyfit(along, best, 2, w=depth), along)
    course += np.clip(best - course, -SEAM_LOCAL_PX, SEAM_LOCAL_PX)
    result = points.copy()
    hats, distance, _ = _beside(points, down)
    fade = np.clip(1 - distance / (SEAM_FOLLOW * unit), 0, 1)
    result[:, :2] += ((fade * (hats @ course))[:, None] * down).astype(np.float32)
    seam = np.concatenate([middle + course[:, None] * down, points[upper, 2:]], axis=1)
    result[upper] = result[lower] = seam.astype(np.float32)
    return result


def _beside(points: Floats, down: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """How points lie beside the lips' middle line.

    Returns:
        (M, J) weights of the pairs abreast of each point, (M,) pixels from the line, (M,) whether
        above it.
    """
    flat = points[:, :2]
    upper, lower = list(INNER_UPPER), list(INNER_LOWER)
    across = np.asarray([down[1], -down[0]], dtype=np.float32)
    middle = (flat[upper] + flat[lower]) / 2
    order = np.argsort(middle @ across)
    along = (middle @ across)[order]
    place = np.clip(flat @ across, along[0], along[-1])
    line = np.stack([np.interp(place, along, middle[order, axis]) for axis in (0, 1)], axis=1)
    above = (flat - line) @ down < 0
    above[upper], above[lower] = True, False
    hats = np.stack([np.interp(place, along, one) for one in np.eye(len(order))[:, order]], axis=1)
    distance = np.linalg.norm(flat - line, axis=1)
    return hats.astype(np.float32), distance.astype(np.float32), above
