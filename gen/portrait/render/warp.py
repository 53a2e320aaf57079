"""The moving head: mesh and rings displaced by a row of motion, and the map that shows them.

Source: SadTalker, LivePortrait and others learn this field; here it is geometry: the 468-point
mesh carries blendshapes and a 2.5-D turn, rings round it fade out to hair, neck and shoulders.
Letters: V vertices (468 of the face, then the rings), F triangles.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.gen.portrait.render.lips import LipGap
from affetto.gen.portrait.render.portrait import (
    INNER_LOWER,
    INNER_UPPER,
    OUTER_CORNERS,
    OVAL,
    Portrait,
    face_down,
)
from affetto.gen.portrait.render.raster import UNSEEN, close_gaps, fill_map, unfold
from affetto.motion import PLACE

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]

NUM_FACE = 468
RINGS = (1.05, 1.11, 1.19, 1.3, 1.45, 1.65, 1.95, 2.4, 3.2)  # times the face's outline
RIM, FLATTENINGS = 3, 3  # edges from the outline, and rounds, in which depth is evened
OUTSIDE = 0.2  # of the picture's side: how far the border ring lies outside of it
FOLLOW = 1.75  # the ring at which an expression has died away
LIMITS = {"headPitch": 6.0, "headYaw": 8.0, "headRoll": 8.0}  # degrees
TURNED_DEG = 15.0  # a photo turned further than this gets the limits below
TURNED_LIMIT = 5.0
SHIFT_LIMIT = 0.12  # of headRight, headUp in eye-corner distances
NEAR_LIMIT = 0.5  # of headForward
NEARNESS = 0.11  # growth of the head per eye-corner distance forward
SLOPE = 0.9  # how fast depth falls behind the face's outline
NECK = (-0.10, 0.62)  # face heights below the chin where the head's motion fades from 1 to 0
SHOULDERS = 0.7  # face heights lower that a place counts, per face width aside of the face
PIVOT_DEPTH = 0.75  # eye-corner distances behind the outer eye corners


class HeadWarp:
    """Where every part of the head goes for a row of motion; no state between rows."""

    def __init__(self, portrait: Portrait) -> None:
        """Lay the rings and everything that does not change with the motion."""
        points = portrait.points
        self.portrait, self.unit = portrait, portrait.eye_distance_px
        right, left = (points[corner] for corner in OUTER_CORNERS)
        self.down = face_down(points)
        self.lips = LipGap(portrait)
        self.deltas = np.ascontiguousarray(portrait.deltas_px.reshape(NUM_BLENDSHAPES, -1))
        points = np.concatenate([points[:, :2], self._depth()[:, None]], axis=1)
        outline = points[list(OVAL)]
        across = np.asarray([self.down[1], -self.down[0]], dtype=np.float32)
        chin, brow = outline[18, :2] @ self.down, outline[0, :2] @ self.down
        eyes = (right + left) / 2
        self.pivot = np.asarray(
            [*(eyes[:2] + 0.62 * (chin - eyes[:2] @ self.down) * self.down),
             eyes[2] + PIVOT_DEPTH * self.unit], dtype=np.float32,
        )  # fmt: skip
        rings = self._rings(outline)
        self.rest = np.concatenate([points, rings]).astype(np.float32)  # (V, 3)
        below = (self.rest[:, :2] @ self.down - chin) / (chin - brow)
        aside = np.abs((self.rest[:, :2] - eyes[:2]) @ across) / np.ptp(outline[:, :2] @ across)
        below += SHOULDERS * np.maximum(0, aside - 0.65)
        ramp = np.clip((below - NECK[0]) / (NECK[1] - NECK[0]), 0, 1)
        self.hold = (1 - ramp * ramp * (3 - 2 * ramp)).astype(np.float32)  # (V,)
        self.hold[:NUM_FACE] = 1.0
        self.follow = _follow(len(OVAL))
        self.triangles = self._triangles()
        self.starts, self.neighbours = _neighbours(self.triangles, len(self.rest))
        self.limits = dict(LIMITS)
        if abs(self.turned_deg) > TURNED_DEG:
            self.limits["headYaw"] = TURNED_LIMIT

    @property
    def turned_deg(self) -> float:
        """The photo's own yaw."""
        return self.portrait.fit.angles[1]

    def shaped(self, row: Floats) -> Floats:
        """(468, 3) the face with the row's expression, lips held, not yet turned."""
        moved = self.rest[:NUM_FACE] + (row[:NUM_BLENDSHAPES] @ self.deltas).reshape(-1, 3)
        moved = moved.astype(np.float32)
        self.lips.hold(moved, row)
        return moved

    def turned(self, points: Floats, row: Floats, hold: Floats | float = 1.0) -> Floats:
        """Points (N, 3) after the row's head motion, as far as each is held by the head."""
        rotation, shift, growth = self._pose(row)
        centred = points - self.pivot
        change = growth * centred @ rotation.T - centred + shift
        weights = np.asarray(hold, dtype=np.float32)
        moved: Floats = points + change * (weights[:, None] if weights.ndim else weights)
        return moved.astype(np.float32)

    def places(self, shaped: Floats, row: Floats) -> Floats:
        """(V, 3) all vertices: the shaped face and the rings after it, turned, unfolded.

        Depth is the face's own again, not the one evened at the outline.
        """
        change = shaped[list(OVAL)] - self.rest[list(OVAL)]
        rings = self.rest[NUM_FACE:] + self.follow @ change
        moved = self.turned(np.concatenate([shaped, rings]), row, self.hold)
        unfold(moved[:, :2], self.rest[:, :2], self.triangles, self.starts, self.neighbours)
        self.lips.seal(moved, row)
        moved[:NUM_FACE, 2] += self.portrait.points[:, 2] - self.rest[:NUM_FACE, 2]
        return moved

    def sheet(self, places: Floats) -> Floats:
        """(S, S, 2) the backward map: which x, y of the neutral picture each pixel shows."""
        size = self.portrait.size
        sheet = np.full((size, size, 2), UNSEEN, dtype=np.float32)
        flat = np.ascontiguousarray(places[:, :2])
        fill_map(flat, np.ascontiguousarray(self.rest[:, :2]), self.triangles, sheet)
        close_gaps(sheet)
        return sheet

    def _pose(self, row: Floats) -> tuple[Floats, Floats, float]:
        """Rotation (3, 3) in the picture's axes, shift (3,) in pixels, growth."""
        pitch, yaw, roll = (
            np.deg2rad(_limited(float(row[PLACE[name]]), limit))
            for name, limit in self.limits.items()
        )
        # Axes of the head: x to the viewer's right, y down, z away.
        turn_x = _rotation(0, -pitch)
        turn_y = _rotation(1, -yaw)
        turn_z = _rotation(2, roll)
        own = self.portrait.fit.rotation
        rotation: Floats = (own @ turn_z @ turn_y @ turn_x @ own.T).astype(np.float32)
        right, up = (_limited(float(row[PLACE[n]]), SHIFT_LIMIT) for n in ("headRight", "headUp"))
        near = _limited(float(row[PLACE["headForward"]]), NEAR_LIMIT)
        shift = np.asarray([right * self.unit, -up * self.unit, 0.0], dtype=np.float32)
        return rotation, shift, 1.0 + NEARNESS * near

    def _depth(self) -> Floats:
        """(468,) depth, flattened towards the outline: a mesh this coarse cannot turn it away."""
        points = self.portrait.points
        starts, neighbours = _neighbours(self.portrait.triangles, len(points))
        owners = np.repeat(np.arange(len(points)), np.diff(starts))
        near = np.zeros(len(points))
        near[list(OVAL)] = 1.0
        for _ in range(RIM):
            np.maximum.at(near, owners, near[neighbours] - 1 / (RIM + 1))
        depth = points[:, 2].astype(np.float64)
        for _ in range(FLATTENINGS):
            mean = np.bincount(owners, depth[neighbours], len(points)) / np.diff(starts)
            depth += near * (mean - depth)
        return depth.astype(np.float32)

    def _rings(self, outline: Floats) -> Floats:
        """(R x 36, 3) the rings, the last one a frame round the picture."""
        centre = outline.mean(axis=0)
        size = self.portrait.size
        away = outline[:, :2] - centre[:2]
        far = []
        for direction in away:
            reach = [
                (edge - c) / d
                for c, d in zip(centre[:2], direction, strict=True)
                for edge in (-OUTSIDE * size, (1 + OUTSIDE) * size)
                if abs(d) > 1e-6 and (edge - c) / d > 0
            ]
            far.append(max(1.0, min(reach)))
        limits = np.asarray(far)
        depth_limit = self.pivot[2]
        rings = []
        for times in (*RINGS, np.inf):
            scale = np.minimum(times, limits) if np.isfinite(times) else limits
            flat = centre[:2] + away * scale[:, None]
            distance = np.linalg.norm(flat - outline[:, :2], axis=1)
            depth = np.minimum(
                outline[:, 2] + SLOPE * distance, np.maximum(depth_limit, outline[:, 2])
            )
            rings.append(np.concatenate([flat, depth[:, None]], axis=1))
        return np.concatenate(rings).astype(np.float32)

    def _triangles(self) -> Indices:
        """(F, 3) outer rings first, then the face from its farthest triangle to its nearest."""
        count = len(OVAL)
        strips = [np.asarray(OVAL)]
        strips += [NUM_FACE + count * ring + np.arange(count) for ring in range(len(RINGS) + 1)]
        quads = []
        for inner, outer in pairwise(strips):
            i, o = np.roll(inner, -1), np.roll(outer, -1)
            quads += [np.stack([inner, outer, o], axis=1), np.stack([inner, o, i], axis=1)]
        ring_part = np.concatenate(quads[::-1])
        face = self.portrait.triangles
        face = face[np.argsort(-self.rest[face, 2].mean(axis=1), kind="stable")]
        triangles = np.concatenate([ring_part, face])
        a, b, c = (self.rest[triangles[:, i], :2] for i in range(3))
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        # Counter-clockwise on paper at rest; what was flat in the photo stays out.
        triangles = np.where((area < 0)[:, None], triangles[:, [0, 2, 1]], triangles)
        triangles = triangles[np.abs(area) > 1e-3]
        # Behind the lips: nothing at rest, the seam's own colour where the mouth opens.
        upper, lower = np.asarray(INNER_UPPER), np.asarray(INNER_LOWER)
        hole = np.concatenate(
            [
                np.stack([upper[:-1], upper[1:], lower[1:]], axis=1),
                np.stack([upper[:-1], lower[1:], lower[:-1]], axis=1),
            ]
        )
        return np.ascontiguousarray(np.concatenate([hole, triangles]), dtype=np.int32)


def _follow(count: int) -> Floats:
    """(R x 36, 36) how the rings follow the face's outline: smoother and less the farther."""
    rows = []
    steps = np.arange(count)
    apart = np.minimum(np.abs(steps[:, None] - steps), count - np.abs(steps[:, None] - steps))
    for times in (*RINGS, np.inf):
        fade = np.clip((FOLLOW - times) / (FOLLOW - 1), 0, 1) if np.isfinite(times) else 0.0
        width = 0.35 + 3.0 * min(times - 1, 1.0)
        kernel = np.exp(-0.5 * (apart / width) ** 2)
        rows.append(fade * fade * (3 - 2 * fade) * kernel / kernel.sum(axis=1, keepdims=True))
    return np.concatenate(rows).astype(np.float32)


def _neighbours(triangles: Indices, count: int) -> tuple[Indices, Indices]:
    """(V + 1,) starts and (E,) vertices that share an edge with each."""
    edges = np.concatenate([triangles[:, [i, j]] for i in range(3) for j in range(3) if i != j])
    edges = np.unique(edges, axis=0)
    starts = np.searchsorted(edges[:, 0], np.arange(count + 1))
    return starts.astype(np.int32), np.ascontiguousarray(edges[:, 1], dtype=np.int32)


def _rotation(axis: int, angle: float) -> Floats:
    """(3, 3) about one axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3, dtype=np.float32)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = cos, -sin, sin, cos
    return matrix


def _limited(value: float, limit: float) -> float:
    """The value, bent smoothly below the limit from seven tenths of it on."""
    knee = 0.7 * limit
    over = abs(value) - knee
    if over <= 0:
        return value
    return float(np.sign(value) * (knee + (limit - knee) * np.tanh(over / (limit - knee))))
