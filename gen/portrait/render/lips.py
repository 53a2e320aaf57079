"""The lips' gap as an absolute control: shut is shut whatever else the face does.

Blendshapes are linear, so rolled, pressed or smiling lips open by a hair or cross. What may open
the mouth is only what means to; the rest follows from the gap that this asks for.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, Portrait

Floats = NDArray[np.float32]

OPENING = (
    "jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthUpperUpLeft", "mouthUpperUpRight",
)  # fmt: skip
SHUT = 0.010  # a gap in eye-corner distances that counts as none
OPEN = 0.035  # from here on the gap is what was asked
UPPER_SHARE = 0.4  # of a correction that the upper lip takes
REACH = 0.16  # eye-corner distances over which the lips' surroundings follow


class LipGap:
    """Holds the inner lips at the gap that a row of motion asks for."""

    def __init__(self, portrait: Portrait, down: Floats) -> None:
        """Prepare.

        Args:
            portrait: whose lips.
            down: (2,) unit vector down the face in the picture.
        """
        points, unit = portrait.points[:, :2], portrait.eye_distance_px
        upper, lower = np.asarray(INNER_UPPER), np.asarray(INNER_LOWER)
        self.upper, self.lower, self.down, self.unit = upper, lower, down, unit
        opening = [BLENDSHAPES.index(name) for name in OPENING]
        deltas = portrait.deltas_px[opening, :, :2] @ down  # (G, 468)
        self.opening = np.asarray(opening)
        self.gains = (deltas[:, lower] - deltas[:, upper]).astype(np.float32)  # (G, 11)
        self.spread = self._spread(points)  # (468, 11)

    def wanted(self, row: Floats) -> Floats:
        """(11,) gap in pixels along the lips, the viewer's left corner first."""
        asked = (row[self.opening] @ self.gains) / self.unit
        ramp = np.clip((asked - SHUT) / (OPEN - SHUT), 0, 1)
        gap: Floats = (np.maximum(asked, 0) * ramp * ramp * (3 - 2 * ramp) * self.unit).astype(
            np.float32
        )
        gap[[0, -1]] = 0
        return gap

    def hold(self, points: Floats, row: Floats) -> None:
        """Move points (468, 3) so that the inner lips are as far apart as asked."""
        gap = self.wanted(row)
        now = (points[self.lower, :2] - points[self.upper, :2]) @ self.down
        points[:, :2] += (self.spread @ (gap - now))[:, None] * self.down
        # What is left is on the inner lips alone; twins of shut lips become one point.
        now = (points[self.lower, :2] - points[self.upper, :2]) @ self.down
        rest = ((gap - now)[1:-1, None] * self.down).astype(np.float32)
        points[self.upper[1:-1], :2] -= UPPER_SHARE * rest
        points[self.lower[1:-1], :2] += (1 - UPPER_SHARE) * rest
        for twin in range(1, len(gap) - 1):
            if gap[twin] == 0:
                middle = (points[self.upper[twin]] + points[self.lower[twin]]) / 2
                points[self.upper[twin]] = points[self.lower[twin]] = middle

    def _spread(self, points: Floats) -> Floats:
        """(468, 11) how far a correction at each lip pair moves each point down the face."""
        across = np.asarray([self.down[1], -self.down[0]], dtype=np.float32)
        middle = (points[self.upper] + points[self.lower]) / 2
        along = middle @ across  # (11,)
        place = np.clip(points @ across, along.min(), along.max())
        order = np.argsort(along)
        level = np.interp(place, along[order], (middle @ self.down)[order])
        above = (points @ self.down < level).astype(np.float32)
        above[self.upper], above[self.lower] = 1, 0
        nearest = np.stack([np.interp(place, along[order], (middle[order])[:, i]) for i in (0, 1)])
        distance = np.linalg.norm(points - nearest.T, axis=1) / self.unit
        fade = np.clip(1 - distance / REACH, 0, 1) ** 2
        shares = np.where(above > 0, -UPPER_SHARE, 1 - UPPER_SHARE) * fade
        hats = np.stack(
            [
                np.interp(place, along[order], np.eye(len(along))[j][order])
                for j in range(len(along))
            ]
        )
        return (shares[:, None] * hats.T).astype(np.float32)
