"""The mouth's interior: cavity, tongue and teeth behind the inner lips of a warped frame.

Source: Averbuch-Elor et al. 2017 (Bringing Portraits to Life) copy the inner mouth of a driving
video; here it is one fixed set per portrait (`teeth`), clipped by the lips and darkened by how deep
each part lies behind them.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.clip import Picture
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, Portrait
from affetto.gen.portrait.render.teeth import Layer, fitted_mouth
from affetto.motion import PLACE

Floats = NDArray[np.float32]

# Landmarks that expressions hardly move: bridge of the nose, eyes' corners, temples.
SKULL = (6, 168, 197, 195, 33, 133, 263, 362, 127, 356, 234, 454, 8)
LOOP = (*INNER_UPPER, *INNER_LOWER[-2:0:-1])
BARING = ("mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight")
SMALLEST_GAP_PX = 0.7
EDGE_PX = 0.55  # one sigma of the lips' edge
PAD = 3
CAVITY_NEAR, CAVITY_DEEP = (0.42, 0.17, 0.16), (0.13, 0.035, 0.035)  # of full light
DEEP_UNITS = 2.2  # an opening at which the cavity is as dark as it gets
UPPER_LIP_SHADE, SHADE_UNITS = 0.42, 0.26  # what the upper lip takes of light, and how far down
LOWER_LIP_SHADE = 0.12
CORNER_SHARE, CORNER_LIGHT = 0.18, 0.62  # of the mouth's width, darker towards its corners
CORNER_FLESH = (0.50, 0.24, 0.22)  # of full light: the cheek's inside, seen in the corners
CORNER_GAP, SLIT = 0.8, 0.25  # units: openings that hide it, and that let the seam be seen
ROUNDED = 0.55  # light that rounded lips take
SHADE_TINT = np.asarray([0.85, 1.05, 1.10], dtype=np.float32)  # light between lips is red
LOWER_TEETH_LIGHT = 0.92
TONGUE_REST, TONGUE_OUT = 0.15, 1.0  # units: how deep it lies, how far tongueOut lifts it


class MouthPainter:
    """Paints one portrait's mouth; no state between frames."""

    def __init__(self, portrait: Portrait) -> None:
        """Fit the set of teeth."""
        self.set = fitted_mouth(portrait)
        self.rest = portrait.points[list(SKULL)].astype(np.float64)
        self.lips_z = float(portrait.points[list(LOOP), 2].mean())

    def paint(self, frame: Picture, points: Floats, row: Floats) -> Picture:
        """Draw what is seen between the lips.

        Args:
            frame: (S, S, 3) uint8 RGB, changed in place.
            points: (468, 3) where the landmarks are in it.
            row: (62,) of Motion.

        Returns:
            The frame.
        """
        loop = points[list(LOOP), :2].astype(np.float32)
        middle = points[[INNER_UPPER[5], INNER_LOWER[5]], :2]
        gaps = np.linalg.norm(points[list(INNER_UPPER), :2] - points[list(INNER_LOWER), :2], axis=1)
        if gaps.max() < SMALLEST_GAP_PX:
            return frame
        low = np.maximum(np.floor(loop.min(axis=0)).astype(int) - PAD, 0)
        high = np.minimum(np.ceil(loop.max(axis=0)).astype(int) + PAD + 1, len(frame))
        if (high <= low).any():
            return frame
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        mask = self._mask(loop - low, size)
        depth = _Depth(points, low, size, self.set.unit_px)
        opening = float(np.linalg.norm(middle[1] - middle[0])) / self.set.unit_px
        mask *= depth.seen
        inside = self._inside(depth, opening, points, low, size, row)
        part = frame[low[1] : high[1], low[0] : high[0]]
        mixed = part + mask[..., None] * (inside - part)
        part[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
        return frame

    def _inside(
        self,
        depth: "_Depth",
        opening: float,
        points: Floats,
        low: Floats,
        size: tuple[int, int],
        row: Floats,
    ) -> Floats:
        """(h, w, 3) of 0..255 the mouth without lips."""
        deep = float(np.clip(opening / DEEP_UNITS, 0, 1))
        near, far = np.asarray(CAVITY_NEAR), np.asarray(CAVITY_DEEP)
        bottom = near + (far - near) * (0.35 + 0.65 * deep)
        # Lighter towards the lower lip, where light from above falls in.
        share = depth.down[..., None] ** 2 * (1 - 0.5 * deep)
        light = 255 * self.set.light
        inside = ((bottom + (near - bottom) * share) * light).astype(np.float32)
        skull = self._skull(points)
        jaw = row[:NUM_BLENDSHAPES] @ self.set.jaw_px
        out = float(row[PLACE["tongueOut"]])
        rounded = 1 - ROUNDED * _roundness(row)
        lift = (TONGUE_REST - TONGUE_OUT * out) * self.set.unit_px
        tongue = _drawn(self.set.tongue, skull, jaw + depth.unit_down * lift, low, size)
        lower = _drawn(self.set.lower, skull, jaw, low, size)
        upper = _drawn(self.set.upper, skull, np.zeros(2, dtype=np.float32), low, size)
        layers = [
            (tongue, 0.80 + 0.20 * out),
            (lower, LOWER_TEETH_LIGHT * rounded),
            (upper, 0.35 + 0.65 * rounded),
        ]
        if out > 0.3:  # between the teeth, over the lower ones
            layers = [layers[1], layers[0], layers[2]] if out < 0.7 else [*layers[1:], layers[0]]
        for layer, lit in layers:
            inside *= 1 - layer[..., 3:] / 255
            inside += lit * layer[..., :3]
        inside += depth.corner[..., None] * (np.asarray(CORNER_FLESH, np.float32) * light - inside)
        shade = depth.shade * (0.62 + 0.38 * rounded)
        inside *= shade[..., None] ** SHADE_TINT
        return np.asarray(inside, dtype=np.float32)

    def _mask(self, loop: Floats, size: tuple[int, int]) -> Floats:
        """(h, w) in [0, 1] inside of the lips, its edge about a pixel wide."""
        import cv2

        drawn = np.zeros((size[1], size[0]), np.uint8)
        fixed = np.round(loop * 16).astype(np.int32)
        cv2.fillPoly(drawn, [fixed], 255, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(drawn, (0, 0), EDGE_PX)
        return (np.asarray(soft, dtype=np.float32) / 255).astype(np.float32)

    def _skull(self, points: Floats) -> Floats:
        """(2, 3) where the skull's motion takes pixels of the work picture at the lips' depth."""
        here = points[list(SKULL)].astype(np.float64)
        rest_middle, middle = self.rest.mean(axis=0), here.mean(axis=0)
        a, b = self.rest - rest_middle, here - middle
        u, spread, vt = np.linalg.svd(b.T @ a)
        sign = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])
        turn = u @ sign @ vt
        turn *= float(np.trace(np.diag(spread) @ sign) / (a**2).sum())
        shift = middle - turn @ rest_middle
        flat = shift[:2] + turn[:2, 2] * self.lips_z
        return np.concatenate([turn[:2, :2], flat[:, None]], axis=1).astype(np.float32)


class _Depth:
    """How light falls into one mouth opening: (h, w) maps over its box."""

    def __init__(self, points: Floats, low: Floats, size: tuple[int, int], unit_px: float) -> None:
        upper, lower = points[list(INNER_UPPER), :2], points[list(INNER_LOWER), :2]
        across = upper[-1] - upper[0]
        width = max(float(np.linalg.norm(across)), 1e-3)
        across = across / width
        down = np.asarray([-across[1], across[0]], dtype=np.float32)
        self.unit_down = down
        xs, ys = np.meshgrid(np.arange(size[0]) + low[0], np.arange(size[1]) + low[1])
        along = (xs * across[0] + ys * across[1]).astype(np.float32)
        below = (xs * down[0] + ys * down[1]).astype(np.float32)
        top = _level(along, upper, across, down)
        foot = _level(along, lower, across, down)
        gap = np.maximum(foot - top, 0.5)
        from_top, from_foot = np.maximum(below - top, 0), np.maximum(foot - below, 0)
        self.down = np.clip(from_top / gap, 0, 1)
        # A lip's shadow is never wider than the opening.
        widest = float(gap.max())
        reach = np.maximum(np.minimum(SHADE_UNITS * unit_px, 0.45 * widest), 0.6)
        shade = 1 - UPPER_LIP_SHADE * np.exp(-from_top / reach)
        shade *= 1 - LOWER_LIP_SHADE * np.exp(-from_foot / (0.5 * reach))
        start = float(upper[0] @ across)
        share = (along - start) / width
        edge = np.clip(np.minimum(share, 1 - share) / CORNER_SHARE, 0, 1)
        middle = edge * edge * (3 - 2 * edge)
        self.corner = ((1 - middle) * np.exp(-gap / (CORNER_GAP * unit_px))).astype(np.float32)
        narrow = np.clip(gap / (SLIT * unit_px), 0, 1)
        self.seen = (1 - (1 - middle) * (1 - narrow)).astype(np.float32)
        shade *= CORNER_LIGHT + (1 - CORNER_LIGHT) * middle
        # A narrow slit lets little light in.
        shade *= 0.85 + 0.15 * min(1.0, widest / (0.7 * unit_px))
        self.shade = shade.astype(np.float32)


def _roundness(row: Floats) -> float:
    """0 to 1: how far the lips stand before the teeth; bared teeth are not behind them."""
    bared = sum(float(row[PLACE[name]]) for name in BARING) / 2
    lips = float(row[PLACE["mouthPucker"]]) + 0.8 * float(row[PLACE["mouthFunnel"]])
    return float(np.clip(lips - bared, 0, 1))


def _level(along: Floats, lip: Floats, across: Floats, down: Floats) -> Floats:
    """How far down one lip's edge lies, for places along the mouth."""
    place = np.maximum.accumulate(lip @ across)
    level: Floats = np.interp(along.ravel(), place, lip @ down).astype(np.float32)
    return level.reshape(along.shape)


def _drawn(
    layer: Layer, skull: Floats, shift: Floats, low: Floats, size: tuple[int, int]
) -> Floats:
    """(h, w, 4) of 0..255 a layer in the mouth's box: moved by the jaw, then with the skull."""
    import cv2

    move = skull.copy()
    move[:, 2] += skull[:, :2] @ (layer.corner + shift) - low
    drawn = cv2.warpAffine(layer.picture, move, size, flags=cv2.INTER_LINEAR)
    return np.asarray(drawn, dtype=np.float32)
