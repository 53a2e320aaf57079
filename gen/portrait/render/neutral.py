"""A photo that smiles or speaks, made neutral once: lips shut over the teeth, folds taken out.

The fitted expression is taken back in geometry, the inner lips are brought together from lip skin
alone, and the light that the expression had cast is divided out: first what the basis head explains
(the ratio map of `shading`, inverted), then what is left in the bands where skin folds. The result
is read again, and what expression is still found is taken back too.

Ours; LivePortrait (Guo et al. 2024) trains a lip-closing network for the same end.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, MIRROR
from affetto.clip import Picture
from affetto.gen.portrait.render.doctor import lip_gap
from affetto.gen.portrait.render.lip_line import OUTER_LOWER, OUTER_UPPER, gap_mask, snapped
from affetto.gen.portrait.render.portrait import (
    INNER_LOWER,
    INNER_UPPER,
    OUTER_CORNERS,
    OVAL,
)
from affetto.gen.portrait.render.raster import fill_map
from affetto.gen.portrait.render.shading import (
    FaceLight,
    chart,
    closed,
    facing,
    multiply_light,
    whole,
)
from affetto.recognizers.face.arkit import ArkitBasis, FaceFit, fit
from affetto.recognizers.face.mesh import FaceMesh, Mesh

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]

ROUNDS = 2
AGAIN = 0.8  # of what is still found
# What is taken back. Lids, gaze and brows stay: at rest they are the person's own.
EXPRESSIVE = (
    "mouthSmile", "mouthUpperUp", "mouthLowerDown", "mouthStretch", "mouthDimple", "mouthFunnel",
    "mouthPucker", "jawOpen", "cheekSquint", "eyeSquint", "noseSneer", "mouthFrown",
)  # fmt: skip
TAKEN = np.asarray([name.startswith(EXPRESSIVE) for name in BLENDSHAPES])
ONE_SIDED = 0.3  # of the difference between the sides that is believed
BODY = 0.10  # a coefficient that a resting face has too
SMILING = [BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthSmileRight")]
RESTING_SMILE, RESTING_GAP = 0.12, 0.012  # a photo below both stays as it is
FULL_SMILE, FULL_GAP = 0.30, 0.08  # from here on everything expressive is taken back
UPPER_SHARE = 0.45  # of the remaining gap that the upper lip takes
LIP_REACH = 0.30  # outer eye-corner distances over which skin follows a closing lip
SEAM_DARK, SEAM_PX = 0.85, 0.0065  # natural logarithm and eye-corner distances of the lips' seam
FADE_OUT = 0.35  # face widths in which the warp dies away outside of the mesh
UNSHADE = 0.8  # of the modelled light
FOLD_FINE, FOLD_COARSE = 0.12, 1.8  # units: finer is skin's texture, coarser is the face's form
FOLD_SHARE = 0.9  # at a full smile
STRETCHING = [BLENDSHAPES.index(name) for name in ("mouthStretchLeft", "mouthStretchRight")]
LIFTING = [BLENDSHAPES.index(name) for name in ("mouthUpperUpLeft", "mouthUpperUpRight")]
# What is adapted, the distance that shows it, how long it is at rest in outer eye-corner distances
# (mouths of the tuning portraits are .55 to .61 wide, .16 to .18 under the nose), more or less.
RESTING = (
    (SMILING, (61, 291), 0.62, True),
    (STRETCHING, (61, 291), 0.62, True),
    (LIFTING, (2, 0), 0.16, False),
)
FROWNING = [BLENDSHAPES.index(name) for name in ("mouthFrownLeft", "mouthFrownRight")]
RESTING_RISE, MOST_FROWN = (
    -0.012,
    0.7,
)  # of the corners over the middle; how far they are drawn down
MOST_SMILE, MOST_STRETCH, LEAST_LIFT = 1.45, 0.4, -0.5
MOST = 1.5  # of any shape that is taken back
MOUTH_CORNERS, CORNER_REACH = (78, 308, 324, 95, 318, 88), 0.05  # face widths
LIPS = (*OUTER_UPPER, *OUTER_LOWER)


def neutralise(
    picture: Picture, mesh: Mesh, fitted: FaceFit, *, reader: FaceMesh, basis: ArkitBasis
) -> tuple[Picture, Floats]:
    """Take the expression out of a portrait.

    Args:
        picture: (S, S, 3) uint8 RGB.
        mesh: of its face, in its pixels.
        fitted: of that mesh.
        reader: what read the mesh; it looks again at what is left of the expression.
        basis: of that reader.

    Returns:
        (S, S, 3) the neutral picture and (468, 3) where its landmarks lie. A photo that is neutral
        already comes back unchanged.
    """
    points = snapped(picture, mesh.points[:468].astype(np.float32))
    smile, gap = float(fitted.coefficients[SMILING].mean()), lip_gap(points)
    if smile < RESTING_SMILE and gap < RESTING_GAP:
        return picture, shut(points)
    share = max(
        (smile - RESTING_SMILE) / (FULL_SMILE - RESTING_SMILE),
        (gap - RESTING_GAP) / (FULL_GAP - RESTING_GAP) - 0.3,
    )
    share = float(np.clip(share, 0, 1))
    deltas = (fitted.scale * basis.deltas @ fitted.rotation.T).astype(np.float32)  # (52, 468, 3)
    shapes = share * _expressed(fitted.coefficients)
    shapes += share * (_rested(points, shapes, deltas) - shapes)
    lifted = shapes[LIFTING]
    lips = lips_only(picture, points)
    triangles = facing(closed(basis.triangles), points)
    for _ in range(ROUNDS):
        result, target = _reshaped(lips, points, shapes, deltas, triangles)
        seen = reader.again(result, target).points
        again = fit(seen, basis, identity=fitted.identity)
        left = share * _expressed(again.coefficients)
        if left.max() < BODY:
            break
        shapes = np.minimum(shapes + AGAIN * left, MOST).astype(np.float32)
        shapes[LIFTING] = np.minimum(shapes[LIFTING], lifted)
    result, target = _reshaped(lips, points, shapes, deltas, triangles)
    light = FaceLight(picture, points, fitted.rotation)
    _lay_on(result, -UNSHADE * light.log_ratio(np.clip(shapes, 0, 1)), target)
    _lay_on(result, _folds(result, target, shapes, light), target)
    if gap > RESTING_GAP:
        _draw_seam(result, target)
    return result, target


def _expressed(coefficients: Floats) -> Floats:
    """(52,) the coefficients beyond what resting faces have."""
    other = coefficients[list(MIRROR)]
    even = (coefficients + other + ONE_SIDED * (coefficients - other)) / 2
    shapes = np.where(TAKEN, np.clip((even - BODY) / (1 - BODY), 0, 1), 0)
    return shapes.astype(np.float32)


def _rested(points: Floats, shapes: Floats, deltas: Floats) -> Floats:
    """(52,) the shapes, more or less of them, so that the mouth is as wide and as low as at rest.

    A fit ends at 1 and takes what is beyond for the person's own wide mouth; where it takes a
    wide smile for a raised lip as well, the lip would come down too far.
    """
    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    asked = shapes.copy()

    def length(ends: tuple[int, int]) -> float:
        places = points[list(ends)] - np.tensordot(asked, deltas[:, list(ends)], axes=1)
        return float(np.linalg.norm(places[1] - places[0])) / unit

    for kind, ends, rest, more in RESTING:
        now, before = length(ends), asked[kind].copy()
        asked[kind] += 1.0
        change = length(ends) - now
        asked[kind] = before
        step = (rest - now) / change if abs(change) > 1e-3 else 0.0
        if (step > 0) == more:
            asked[kind] = before + step
        asked[SMILING] = np.minimum(asked[SMILING], MOST_SMILE)
        asked[STRETCHING] = np.minimum(asked[STRETCHING], MOST_STRETCH)
        asked[LIFTING] = np.maximum(asked[LIFTING], LEAST_LIFT)

    def rise() -> float:
        """How far the corners lie above the lips' middle."""
        places = points - np.tensordot(asked, deltas, axes=1)
        middle, corners = places[[13, 14]].mean(axis=0), places[[61, 291]].mean(axis=0)
        up = places[10] - places[152]
        return float((corners - middle) @ up / np.linalg.norm(up)) / unit

    now = rise()
    asked[FROWNING] -= 1.0
    change = rise() - now
    asked[FROWNING] += 1.0
    if now > RESTING_RISE and change < -1e-3:
        asked[FROWNING] -= min(MOST_FROWN, (RESTING_RISE - now) / change)
    return asked


def _reshaped(
    picture: Picture, points: Floats, shapes: Floats, deltas: Floats, triangles: Indices
) -> tuple[Picture, Floats]:
    """The picture and its landmarks with the shapes taken back and the lips shut."""
    import cv2

    target = shut((points - np.tensordot(shapes, deltas, axes=1)).astype(np.float32))
    sheet = backward_map(points, target, len(picture), triangles)
    result = cv2.remap(picture, sheet, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(result, dtype=np.uint8), target


def lips_only(picture: Picture, points: Floats) -> Picture:
    """The picture with lip skin grown over what lies between the lips."""
    import cv2

    low = np.maximum(points[list(LIPS), :2].min(axis=0).astype(int) - 4, 0)
    high = points[list(LIPS), :2].max(axis=0).astype(int) + 5
    rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
    grown = picture.copy()
    mask = gap_mask(picture, points)[rows, columns].astype(np.uint8)
    part = np.ascontiguousarray(picture[rows, columns])
    grown[rows, columns] = cv2.inpaint(part, mask, 3, cv2.INPAINT_TELEA)
    return grown


def shut(points: Floats) -> Floats:
    """(468, 3) with the inner lips brought together, the skin round them following."""
    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    upper, lower = np.asarray(INNER_UPPER), np.asarray(INNER_LOWER)
    moved = points.copy()
    gap = moved[lower] - moved[upper]  # (11, 3), nothing at the corners
    middle = (points[upper] + points[lower])[:, :2] / 2
    along = middle[-1] - middle[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    down = np.asarray([-along[1], along[0]], dtype=np.float32)
    place = np.clip(points[:, :2] @ along, (middle[0] @ along), (middle[-1] @ along))
    level = np.interp(place, np.maximum.accumulate(middle @ along), middle @ down)
    here = np.stack(
        [np.interp(place, np.maximum.accumulate(middle @ along), gap[:, i]) for i in range(3)], 1
    )
    away = points[:, :2] @ down - level
    aside = np.abs(points[:, :2] @ along - place)
    half = np.abs(here[:, :2] @ down) / 2
    distance = np.hypot(np.maximum(np.abs(away) - half, 0), aside) / unit
    fade = np.clip(1 - distance / LIP_REACH, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    shares = np.where(away < 0, UPPER_SHARE, UPPER_SHARE - 1.0) * fade
    moved += shares[:, None] * here
    both = (moved[upper] + moved[lower]) / 2
    moved[upper] = moved[lower] = both
    return moved.astype(np.float32)


def backward_map(points: Floats, target: Floats, size: int, triangles: Indices) -> Floats:
    """(S, S, 2) which pixel of the picture each pixel of the neutral one shows."""
    import cv2

    sources = np.ascontiguousarray(points[:, :2])
    sheet = np.full((size, size, 2), np.nan, dtype=np.float32)
    flat = np.ascontiguousarray(target[:, :2])
    fill_map(flat, sources, whole(triangles, flat, points), sheet)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    own = np.dstack([columns, rows])
    known = cv2.erode(np.isfinite(sheet[..., 0]).astype(np.uint8), np.ones((3, 3))) > 0
    small = 4
    change = np.where(known[..., None], sheet - own, 0)[::small, ::small].astype(np.float32)
    weight = known[::small, ::small].astype(np.float32)
    width = float(np.ptp(target[list(OVAL), 0]))
    spread = np.zeros_like(change)
    total = np.zeros_like(weight)
    for sigma in (0.02, 0.06, 0.15):  # near the edge its nearest pixels, farther out many
        blur = sigma * width / small
        part = cv2.GaussianBlur(weight, (0, 0), blur) + 1e-9
        share = part**2 * (1 - total)
        spread += (share / part)[..., None] * cv2.GaussianBlur(change, (0, 0), blur)
        total += share
    away = cv2.distanceTransform((1 - weight).astype(np.uint8), cv2.DIST_L2, 5) * small
    fade = np.clip(1 - away / (FADE_OUT * width), 0, 1) ** 2
    spread *= (fade / np.maximum(total, 1e-6))[..., None]
    outside = cv2.resize(spread, (size, size), interpolation=cv2.INTER_LINEAR)
    whole_change = np.where(known[..., None], sheet - own, outside).astype(np.float32)
    plain = np.dstack([cv2.medianBlur(layer, 5) for layer in cv2.split(whole_change)])
    soft = cv2.GaussianBlur(plain, (0, 0), 2.5)
    edge = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9)))
    for corner in MOUTH_CORNERS:  # thin triangles meet there
        x, y = np.round(target[corner, :2]).astype(int).tolist()
        cv2.circle(edge, (x, y), round(CORNER_REACH * width), 1, -1)
    band = cv2.GaussianBlur(edge.astype(np.float32), (0, 0), 2.0)[..., None]
    mixed: Floats = own + whole_change + band * (soft - whole_change)
    return mixed


def _lay_on(picture: Picture, log_ratio: Floats, points: Floats) -> None:
    """Multiply the picture's light by a chart's ratio, in place."""
    import cv2

    flat = np.ascontiguousarray(points[:, :2])
    sheet = chart().drawn_at(flat, (len(picture), len(picture)))
    drawn = cv2.remap(log_ratio, sheet, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    multiply_light(picture, np.asarray(drawn, dtype=np.float32))


def _folds(picture: Picture, points: Floats, shapes: Floats, light: FaceLight) -> Floats:
    """(H, W) natural logarithm of light on the chart that takes out what is left of folds."""
    import cv2

    face = chart()
    skin = face.unwrapped(picture, points).astype(np.float32) / 255
    brightness = np.log(np.maximum(skin @ np.asarray([0.2126, 0.7152, 0.0722], np.float32), 0.02))
    brightness *= 2.2
    known = face.skin.astype(np.float32) * face.away_from_features

    def mean(sigma: float) -> Floats:
        total = cv2.GaussianBlur(known, (0, 0), sigma / face.step) + 1e-3
        return np.asarray(cv2.GaussianBlur(known * brightness, (0, 0), sigma / face.step) / total)

    band = mean(FOLD_FINE) - mean(FOLD_COARSE)
    drawn = np.clip(shapes @ light.activations, 0.0, 1.0)
    where = (drawn[:, None, None] * np.abs(face.darks) / 0.2).max(axis=0)
    where = 2.2 * cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.5 / face.step)
    where = np.maximum(where, face.cheek_folds * min(1.0, 1.5 * float(shapes[SMILING].mean())))
    share = FOLD_SHARE * np.clip(where, 0, 1) * known
    # Dark valleys are lifted fully, swollen shoulders lowered by half.
    correction = -share * np.where(band < 0, band, 0.6 * band)
    return np.asarray(np.clip(correction, -0.5, 1.2), dtype=np.float32)


def _draw_seam(picture: Picture, points: Floats) -> None:
    """The thin shadow where shut lips meet, in place."""
    import cv2

    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    line = points[list(INNER_UPPER), :2]
    ends = np.linspace(0, len(line) - 1, 64)
    way = np.stack([np.interp(ends, np.arange(len(line)), line[:, i]) for i in (0, 1)], axis=1)
    drawn = np.zeros(picture.shape[:2], np.uint8)
    # Deepest in the middle of each half, gone at the corners.
    for share, (start, end) in zip(ends[1:] / ends[-1], pairwise(way), strict=True):
        level = round(255 * min(1.0, 6 * min(share, 1 - share)))
        both = np.round(np.stack([start, end]) * 16).astype(np.int32)
        cv2.polylines(drawn, [both], False, level, 1, cv2.LINE_AA, 4)
    sigma = max(0.6, SEAM_PX * unit)
    soft = cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), sigma)
    wide = cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), 3 * sigma)
    dark = soft / max(1e-6, float(soft.max())) + 0.35 * wide / max(1e-6, float(wide.max()))
    multiply_light(picture, (-SEAM_DARK * dark).astype(np.float32))
