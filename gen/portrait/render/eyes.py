"""Eyes: absolute lids with skin of their own, an iris that moves over a whole eyeball.

Warped lids squeeze the iris to a line and stretch lashes. Here the upper lid's edge and its lashes
move rigidly, the smooth skin between them and the fold grows, and what the edge uncovers is an
eyeball made once: the photo's, with the iris inpainted away and the iris disc completed under the
lid. A lid's way is measured on the photo: 1 is shut on every face.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.gen.portrait.render.doctor import closed_eyes
from affetto.gen.portrait.render.eye_loops import (
    FOLD,
    FOLD_REST,
    LOWER,
    LOWER_REST,
    SIDEWAYS,
    UPPER,
    UPPER_REST,
    paint_eye,
)
from affetto.gen.portrait.render.portrait import Portrait
from affetto.gen.portrait.render.warp import HeadWarp
from affetto.motion import PLACE

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# Lid edges and the ring above, from the viewer's left to right; the person's right eye first.
UPPER_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263),
)  # fmt: skip
LOWER_LIDS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263),
)  # fmt: skip
FOLDS = (
    (130, 247, 30, 29, 27, 28, 56, 190, 243), (463, 414, 286, 258, 257, 259, 260, 467, 359),
)  # fmt: skip
SIDES = ("Right", "Left")

LID_SHAPES = ("eyeBlink", "eyeLookDown", "eyeLookUp", "eyeWide")  # moved absolutely, not by deltas
MEETING = 0.12  # of the aperture that the lower lid rises when narrowed
BLINK_MEETING = 0.02  # the same in a blink, in which only the upper lid comes
WIDE = 0.22  # of the aperture that eyeWide adds
SQUINT = 0.25  # of the aperture that eyeSquint takes from above
LEAST_OPEN = 0.42  # of the aperture that any look but a blink leaves
LEAST_TALL = 0.14  # of the eye's width, the same where eyes are narrow
FOLLOWING = 0.75  # of the iris's way up or down that the upper lid goes along
EYEBALL = 2.0  # radius in iris radii
GAZE_LIMIT_DEG = (28.0, 22.0)
LOOK_DEG = 25.0  # what eyeLook... at 1 adds to the gaze
IRIS_SPREAD = 1.04  # the disc against the circle that was measured
LASH = 0.028  # eye-corner distances: how far lashes reach from the edge
CREASE = 0.02  # the fold's own height, kept from stretching
LASH_PERCENTILE = 30  # of the brightness at the lid's edge: lashes, not lid nor white
WHITE_SPREAD = 50.0  # levels that the white of an eye may differ from its brighter half
HIDDEN_WHITE = 0.94  # brightness of an eye's white where lids or the iris hid it
LID_TONE = 0.94  # of the skin below the brow
GRAIN, GRAIN_PX = 1.4, 0.7  # of the lid's drawn skin: share of the photo's, and its blur
SHADE = 0.18  # of the upper lid on the eyeball


@dataclass(frozen=True)
class Eye:
    """One eye's textures, in a box of the work picture at twice its resolution."""

    left: int
    top: int
    skin: Floats
    lid: Floats
    ball: Floats
    iris: Floats
    lash_tone: Floats


class EyePainter:
    """Paints both eyes of a frame; no state between frames."""

    def __init__(self, portrait: Portrait, warp: HeadWarp) -> None:
        """Cut both eyes out of the portrait and complete them."""
        self.portrait, self.warp = portrait, warp
        self.unit = portrait.eye_distance_px
        self.eyes = [self._eye(side) for side in (0, 1)]
        # What the photo's closed lids hide nobody knows: they stay as they are.
        self.asleep = closed_eyes(portrait.mesh.points)

    def close(self, shaped: Floats, row: Floats) -> Floats:
        """Set the lids of a shaped face (468, 3) in place.

        Returns:
            (2,) how shut each eye is in [0, 1], the person's right first.
        """
        shut = np.zeros(2, dtype=np.float32)
        rest = self.warp.rest
        for side, name in enumerate(SIDES):
            upper, lower = list(UPPER_LIDS[side]), list(LOWER_LIDS[side])
            changed = self._lid_change(row, name)
            inner = slice(1, -1)
            if self.asleep[side]:
                shaped -= changed
                continue
            # Without the shapes that are taken absolutely here.
            shaped[upper[inner]] -= changed[upper[inner]]
            shaped[lower[inner]] -= changed[lower[inner]]
            aperture = (rest[lower] - rest[upper])[inner]  # (7, 3)
            blink = float(np.clip(row[PLACE[f"eyeBlink{name}"]], 0, 1))
            lid = float(np.clip(row[PLACE[f"lid{name}"]], -1, 0.5))
            wide = float(row[PLACE[f"eyeWide{name}"]])
            squint = float(row[PLACE[f"eyeSquint{name}"]])
            up = float(self.gaze_px(row, side)[1]) / max(
                1.0, float(np.linalg.norm(aperture[3, :2]))
            )
            openness = (1 + lid + WIDE * wide - SQUINT * squint) - FOLLOWING * up
            openness = float(np.clip(openness, 0, 1.4)) * (1 - blink)
            raise_low = (MEETING + (BLINK_MEETING - MEETING) * blink) * max(0.0, 1 - openness)
            shaped[lower[inner]] -= raise_low * aperture
            meeting = shaped[lower[inner]]
            if openness <= 1:
                shaped[upper[inner]] += (1 - openness) * (meeting - shaped[upper[inner]])
            else:
                shaped[upper[inner]] -= (openness - 1) * aperture
            # Never below the lower lid.
            below = (shaped[upper[inner], :2] - meeting[:, :2]) @ self.warp.down > 0
            shaped[np.asarray(upper[inner])[below]] = meeting[below]
            # Nothing but a blink shuts an eye: of a strong look a slit would be left.
            down = self.warp.down
            width = float(np.linalg.norm(rest[upper[-1], :2] - rest[upper[0], :2]))
            tall = max(1e-3, float(aperture[3, :2] @ down))
            least = float(np.clip(LEAST_TALL * width / tall, LEAST_OPEN, 1))
            gap = (shaped[lower[inner], :2] - shaped[upper[inner], :2]) @ down  # (7,)
            short = np.maximum(least * (1 - blink) * (aperture[:, :2] @ down) - gap, 0)
            shaped[upper[inner], :2] -= (0.6 * short)[:, None] * down
            shaped[lower[inner], :2] += (0.4 * short)[:, None] * down
            shut[side] = np.clip(1 - max(openness, least * (1 - blink)), 0, 1)
        return shut

    def gaze_px(self, row: Floats, side: int) -> Floats:
        """(2,) how far the iris goes in the picture: x right, y down."""
        name = SIDES[side]
        inward = 1.0 if name == "Right" else -1.0  # the person's left is the viewer's right
        yaw = float(row[PLACE["gazeYaw"]]) + LOOK_DEG * inward * float(
            row[PLACE[f"eyeLookIn{name}"]] - row[PLACE[f"eyeLookOut{name}"]]
        )
        pitch = float(row[PLACE["gazePitch"]]) + LOOK_DEG * float(
            row[PLACE[f"eyeLookUp{name}"]] - row[PLACE[f"eyeLookDown{name}"]]
        )
        yaw, pitch = (
            limit * np.tanh(angle / limit)
            for angle, limit in zip((yaw, pitch), GAZE_LIMIT_DEG, strict=True)
        )
        reach = EYEBALL * float(self.portrait.irises[side, 2])
        down = self.warp.down
        across = np.asarray([down[1], -down[0]])
        moved = reach * (np.sin(np.deg2rad(yaw)) * across - np.sin(np.deg2rad(pitch)) * down)
        return np.asarray(moved, dtype=np.float32)

    def paint(self, frame: Bytes, shaped: Floats, row: Floats, shut: Floats) -> None:
        """Paint both eyes into a frame (S, S, 3) in place."""
        for side in (0, 1):
            if not self.asleep[side]:
                self._paint(frame, shaped, row, side, float(shut[side]))

    def _paint(self, frame: Bytes, shaped: Floats, row: Floats, side: int, shut: float) -> None:
        eye, rest = self.eyes[side], self.warp.rest
        height, width = eye.skin.shape[0] // 2, eye.skin.shape[1] // 2
        corner = np.asarray([eye.left, eye.top], dtype=np.float32)
        columns = np.arange(width)
        curves = np.empty((7, width), dtype=np.float32)
        upper, lower, fold = (list(c[side]) for c in (UPPER_LIDS, LOWER_LIDS, FOLDS))
        for place, ids, points in (
            (UPPER_REST, upper, rest), (UPPER, upper, shaped), (LOWER_REST, lower, rest),
            (LOWER, lower, shaped), (FOLD_REST, fold, rest), (FOLD, fold, shaped),
        ):  # fmt: skip
            flat = points[ids, :2] - corner
            curves[place] = np.interp(columns, flat[:, 0], flat[:, 1])
        aside = shaped[fold, 0] - rest[fold, 0]
        curves[SIDEWAYS] = np.interp(columns, rest[fold, 0] - eye.left, aside)
        first, last = rest[upper[0], 0] - eye.left, rest[upper[-1], 0] - eye.left
        iris = self.portrait.irises[side]
        gaze = self.gaze_px(row, side)
        numbers = np.asarray(
            [max(1.5, LASH * self.unit), CREASE * self.unit, *gaze, *(iris[:2] - corner),
             IRIS_SPREAD * iris[2], np.clip(2 * shut - 1, 0, 1), SHADE, first - 1, last + 1,
             *eye.lash_tone],
            dtype=np.float32,
        )  # fmt: skip
        # From the eye's box to the frame: the head's turn at four places round the eye.
        depth = float(rest[upper, 2].mean())
        corners = np.asarray([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float32)
        there = np.concatenate([corners + corner, np.full((4, 1), depth)], axis=1)
        placed = self.warp.turned(there.astype(np.float32), row)[:, :2]
        back = _affine(placed, corners)
        low = np.maximum(np.floor(placed.min(axis=0)), 0)
        high = np.minimum(np.ceil(placed.max(axis=0)) + 1, [frame.shape[1], frame.shape[0]])
        window = np.concatenate([low, high]).astype(np.int32)
        paint_eye(frame, window, back, curves, numbers, eye.skin, eye.lid, eye.ball, eye.iris)

    def _lid_change(self, row: Floats, name: str) -> Floats:
        """(468, 3) what the shapes add that this class takes absolutely."""
        ids = [PLACE[f"{shape}{name}"] for shape in LID_SHAPES]
        return np.tensordot(row[ids], self.portrait.deltas_px[ids], 1).astype(np.float32)

    def _eye(self, side: int) -> Eye:
        """Box, skin, eyeball without iris, iris without lids."""
        import cv2

        points = self.portrait.points
        ring = points[list(UPPER_LIDS[side] + LOWER_LIDS[side] + FOLDS[side]), :2]
        margin = 0.08 * self.unit
        low = np.maximum(np.floor(ring.min(axis=0) - margin), 0).astype(int)
        high = np.ceil(ring.max(axis=0) + margin).astype(int)
        box = self.portrait.neutral[low[1] : high[1], low[0] : high[0]]
        lids = np.concatenate(
            [points[list(UPPER_LIDS[side])], points[list(LOWER_LIDS[side])][::-1]]
        )
        polygon = np.round((lids[:, :2] - low) * 16).astype(np.int32)
        opened = np.zeros(box.shape[:2], dtype=np.uint8)
        cv2.fillPoly(opened, [polygon], 1, shift=4)
        x, y, radius = self.portrait.irises[side]
        rows, columns = np.mgrid[: box.shape[0], : box.shape[1]]
        distance = np.hypot(columns - (x - low[0]), rows - (y - low[1]))
        lash = max(1.5, LASH * self.unit)
        seen = _eroded(opened, 0.6 * lash, 1.0)
        sclera = (seen > 0) & (distance > 1.18 * radius)
        for half in (columns < x - low[0], columns >= x - low[0]):
            sclera &= ~half | _white(box, sclera & half)
        ball = _inpainted(box, sclera)
        iris = _whole_iris(
            box, (seen > 0) & (distance < 1.25 * radius), (x - low[0], y - low[1]), radius
        )
        lid = self._lid_skin(box, side, low.astype(np.float32))
        skin, lids, balls, irises = (_doubled(layer) for layer in (box, lid, ball, iris))
        tone = _lash_tone(box, points[list(UPPER_LIDS[side]), :2] - low, lash)
        return Eye(int(low[0]), int(low[1]), skin, lids, balls, irises, tone)

    def _lid_skin(self, box: Bytes, side: int, low: Floats) -> Bytes:
        """The box as bare lid: its tone from below the brow and from the open lid, with grain."""
        import cv2

        points, unit = self.portrait.points[:, :2] - low, self.unit
        rows, columns = np.mgrid[: box.shape[0], : box.shape[1]]
        line = np.arange(box.shape[1])
        fold, edge = (
            np.interp(line, points[list(c[side]), 0], points[list(c[side]), 1])
            for c in (FOLDS, UPPER_LIDS)
        )
        above = (rows < fold - 0.015 * unit) & (rows > fold - 0.06 * unit)
        light = box.mean(axis=-1) / 255
        tall = edge - fold
        inside = (rows > fold + 0.35 * tall) & (rows < edge - 0.5 * tall) & (tall > 0.05 * unit)
        tones = []
        for known in (above, inside | above):
            weights = known * light**4  # brows and creases count little
            total = weights.sum(axis=0)
            sums = (box * weights[..., None]).sum(axis=0)
            wide = 0.05 * unit
            sums = np.asarray(cv2.GaussianBlur(sums[None], (0, 0), wide))[0]
            total = np.asarray(cv2.GaussianBlur(total[None], (0, 0), wide)).reshape(-1)
            tones.append(sums / np.maximum(total, 1e-6)[:, None])
        tone = LID_TONE * (tones[0] + tones[1]) / 2  # (N, 3)
        fine = light * 255 - cv2.GaussianBlur(light * 255, (0, 0), 1.5)
        rough = float(np.median(np.abs(fine[above]))) if above.any() else 0.0
        noise = np.random.default_rng(side).normal(0, GRAIN * rough, box.shape[:2])
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), GRAIN_PX))
        # The lid bulges over the eye: lighter in the middle, darker to its corners and edge.
        across = np.clip((columns - line[0]) / max(1, line[-1]), 0, 1)
        bulge = 1 + 0.05 * np.sin(np.pi * across)
        bare = tone[None] * bulge[..., None] + noise[..., None]
        return np.asarray(np.clip(np.round(bare), 0, 255), dtype=np.uint8)


def _white(box: Bytes, sclera: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of one side of an eye what is white under that side's light: no lash, no flesh."""
    if not sclera.any():
        return sclera
    light = box.astype(np.float32).mean(axis=-1)
    white = np.median(box[sclera & (light >= np.percentile(light[sclera], 60))], axis=0)
    close: NDArray[np.bool_] = np.abs(box - white).max(axis=-1) < WHITE_SPREAD
    return close


def _lash_tone(box: Bytes, edge: Floats, lash: float) -> Floats:
    """(3,) colour of the lashes: the dark ones of the pixels at the upper lid's edge (9, 2)."""
    rows, columns = np.mgrid[: box.shape[0], : box.shape[1]]
    line = np.interp(columns, edge[:, 0], edge[:, 1])
    near = (np.abs(rows - line) < lash) & (columns > edge[0, 0]) & (columns < edge[-1, 0])
    light = box.mean(axis=-1)
    dark = near & (light <= np.percentile(light[near], LASH_PERCENTILE))
    tone: Floats = box[dark].mean(axis=0).astype(np.float32)
    return tone


def _eroded(opened: Bytes, above: float, below: float) -> Bytes:
    """The aperture less the lashes above and the wet rim below."""
    height = len(opened)
    result = opened.copy()
    for step in range(1, int(np.ceil(above)) + 1):
        result[step:] &= opened[: height - step]
    for step in range(1, int(np.ceil(below)) + 1):
        result[: height - step] &= opened[step:]
    return result


def _inpainted(box: Bytes, known: NDArray[np.bool_]) -> Bytes:
    """The eye's white continued over the whole box, smooth where it was not seen."""
    import cv2

    if known.sum() < 12:
        white = np.percentile(box.reshape(-1, 3), 85, axis=0)
        return np.broadcast_to(white, box.shape).astype(np.uint8)
    weights = known.astype(np.float32)[..., None]
    filled = np.zeros(box.shape, dtype=np.float32)
    total = np.zeros((*box.shape[:2], 1), dtype=np.float32)
    for sigma, trust in ((1.5, 1.0), (4.0, 1e-2), (12.0, 1e-4), (40.0, 1e-6)):
        blurred = cv2.GaussianBlur(box * weights, (0, 0), sigma)
        share = cv2.GaussianBlur(weights, (0, 0), sigma)[..., None]
        filled += trust * blurred
        total += trust * share
    smooth = filled / np.maximum(total, 1e-12)
    result = np.where(known[..., None], box, np.clip(HIDDEN_WHITE * smooth, 0, 255))
    return np.round(result).astype(np.uint8)


def _whole_iris(
    box: Bytes, known: NDArray[np.bool_], centre: tuple[float, float], radius: float
) -> Bytes:
    """The iris's disc: what a lid hides is taken from the other side or the ring's mean."""
    height, width = box.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = centre
    distance = np.hypot(columns - x, rows - y)
    mirrored_rows = np.clip(np.round(2 * y - rows).astype(int), 0, height - 1)
    mirrored = box[mirrored_rows, columns]
    mirror_known = known[mirrored_rows, columns]
    ring_means = np.zeros(box.shape, dtype=np.float32)
    steps = np.linspace(0, 1.3 * radius, 9)
    means = []
    for near, far in pairwise(steps):
        here = known & (distance >= near) & (distance < far)
        means.append(box[here].mean(axis=0) if here.sum() > 2 else [np.nan] * 3)
    table = np.asarray(means, dtype=np.float32)
    middles = (steps[:-1] + steps[1:]) / 2
    for c in range(3):
        good = np.isfinite(table[:, c])
        if good.any():
            ring_means[..., c] = np.interp(distance, middles[good], table[good, c])
        else:
            ring_means[..., c] = box[..., c].min()
    hidden = np.where(mirror_known[..., None], 0.5 * mirrored + 0.5 * ring_means, ring_means)
    return np.round(np.where(known[..., None], box, hidden)).astype(np.uint8)


def _doubled(box: Bytes) -> Floats:
    """Twice as fine, every pixel of the box kept at an even place."""
    import cv2

    size = (2 * box.shape[1], 2 * box.shape[0])
    matrix = np.asarray([[0.5, 0, 0], [0, 0.5, 0]], dtype=np.float32)
    fine = cv2.warpAffine(
        box, matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.ascontiguousarray(fine, dtype=np.float32)


def _affine(source: Floats, target: Floats) -> Floats:
    """(2, 3) least squares from source (N, 2) to target (N, 2)."""
    ones = np.ones((len(source), 1), dtype=np.float32)
    solution = np.linalg.lstsq(np.concatenate([source, ones], axis=1), target, rcond=None)[0]
    return np.ascontiguousarray(solution.T, dtype=np.float32)
