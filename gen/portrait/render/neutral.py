"""A photo that smiles or speaks, made neutral once: lips shut over the teeth, folds taken out.

The fitted expression is taken back in geometry, the inner lips are brought together from lip skin
alone, and the light that the expression had cast is divided out: first what the basis head explains
(the ratio map of `shading`, inverted), then what is left in the bands where skin folds. The result
is read again, and what expression is still found is taken back too.

Ours; LivePortrait (Guo et al. 2024) trains a lip-closing network for the same end.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.clip import Picture
from affetto.gen.portrait.render.doctor import lip_gap
from affetto.gen.portrait.render.portrait import (
    INNER_LOWER,
    INNER_UPPER,
    OUTER_CORNERS,
    OVAL,
)
from affetto.gen.portrait.render.raster import fill_map
from affetto.gen.portrait.render.shading import FaceLight, chart, closed, facing, multiply_light
from affetto.recognizers.face.arkit import ArkitBasis, FaceFit, fit, load_basis
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.mesh import FaceMesh, Mesh

Floats = NDArray[np.float32]

ROUNDS = 2
AGAIN = 0.8  # of what is still found
# Lids and gaze stay as they are: the renderer measures them on the photo.
KEPT = [i for i, name in enumerate(BLENDSHAPES) if name.startswith(("eyeLook", "eyeBlink"))]
BODY = 0.08  # a coefficient that a resting face has too
SMILING = [BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthSmileRight")]
RESTING_SMILE, RESTING_GAP = 0.12, 0.012  # a photo below both stays as it is
UPPER_SHARE = 0.45  # of the remaining gap that the upper lip takes
LIP_REACH = 0.30  # outer eye-corner distances over which skin follows a closing lip
LIP_INSET = 0.16  # of a lip's height from its inner edge that may show teeth, so is not read
SEAM_DARK, SEAM_PX = 0.45, 0.0065  # natural logarithm and eye-corner distances of the lips' seam
FADE_OUT = 0.35  # face widths in which the warp dies away outside of the mesh
UNSHADE = 0.8  # of the modelled light
FOLD_FINE, FOLD_COARSE = 0.10, 1.5  # units: finer is skin's texture, coarser is the face's form
FOLD_SHARE = 0.9  # at a full smile
OUTER_OF_INNER = {
    191: 80, 80: 39, 81: 37, 82: 37, 13: 0, 312: 267, 311: 269, 310: 270, 415: 409,
    95: 146, 88: 91, 178: 181, 87: 84, 14: 17, 317: 314, 402: 405, 318: 321, 324: 375,
} | {191: 185, 80: 40, 81: 39}  # fmt: skip


def neutralise(picture: Picture, mesh: Mesh, fitted: FaceFit) -> tuple[Picture, Floats]:
    """Take the expression out of a portrait.

    Args:
        picture: (S, S, 3) uint8 RGB.
        mesh: of its face, in its pixels.
        fitted: of that mesh.

    Returns:
        (S, S, 3) the neutral picture and (468, 3) where its landmarks lie. A photo that is neutral
        already comes back unchanged.
    """
    points = mesh.points[:468].astype(np.float32)
    if max(fitted.coefficients[SMILING]) < RESTING_SMILE and lip_gap(points) < RESTING_GAP:
        return picture, points
    basis = load_basis()
    deltas = fitted.scale * basis.deltas @ fitted.rotation.T  # (52, 468, 3)
    shapes = _expressed(fitted.coefficients)
    result, target = _without(picture, points, shapes, deltas, fitted, basis)
    for _ in range(ROUNDS):
        left = _expressed(fit(FaceMesh().read(result, face_of(target)).points, basis).coefficients)
        if left.max() < BODY:
            break
        shapes = np.clip(shapes + AGAIN * left, 0, 1.3).astype(np.float32)
        result, target = _without(picture, points, shapes, deltas, fitted, basis)
    return result, target


def _expressed(coefficients: Floats) -> Floats:
    """(52,) the coefficients beyond what resting faces have."""
    shapes = np.maximum(coefficients - BODY, 0) / (1 - BODY)
    shapes[KEPT] = 0
    return shapes.astype(np.float32)


def _without(
    picture: Picture, points: Floats, shapes: Floats, deltas: Floats, fitted: FaceFit,
    basis: ArkitBasis,
) -> tuple[Picture, Floats]:  # fmt: skip
    """The picture and its landmarks with the shapes taken back and the lips shut."""
    target = shut((points - np.tensordot(shapes, deltas, axes=1)).astype(np.float32))
    sheet = backward_map(points, target, len(picture), basis)
    result = _read(picture, sheet)
    light = FaceLight(picture, points, fitted.rotation)
    ratio = -UNSHADE * light.log_ratio(np.minimum(shapes, 1))
    _lay_on(result, ratio, target)
    folds = _folds(result, target, shapes, light)
    _lay_on(result, folds, target)
    if lip_gap(points) > RESTING_GAP:
        _draw_seam(result, target)
    return result, target


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


def backward_map(points: Floats, target: Floats, size: int, basis: ArkitBasis) -> Floats:
    """(S, S, 2) which pixel of the picture each pixel of the neutral one shows."""
    import cv2

    sources = points[:, :2].copy()
    for inner, outer in OUTER_OF_INNER.items():  # teeth shine through at the lips' very edge
        sources[inner] += LIP_INSET * (points[outer, :2] - points[inner, :2])
    sheet = np.full((size, size, 2), np.nan, dtype=np.float32)
    triangles = closed(basis.triangles)[len(INNER_UPPER) + len(INNER_LOWER) - 4 + 28 :]
    eyes = closed(basis.triangles)[:28]
    order = np.concatenate([eyes, triangles])
    fill_map(np.ascontiguousarray(target[:, :2]), sources, facing(order, target), sheet)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    own = np.dstack([columns, rows])
    known = np.isfinite(sheet[..., 0])
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
    return np.where(known[..., None], sheet, own + outside).astype(np.float32)


def face_of(points: Floats) -> FaceBox:
    """The box that a detector would give for landmarks (468, 3)."""
    flat = points[:, :2]
    eyes = [flat[[33, 133]].mean(axis=0), flat[[362, 263]].mean(axis=0)]
    others = [flat[1], flat[[13, 14]].mean(axis=0), flat[234], flat[454]]
    side = 0.92 * float(np.ptp(flat[list(OVAL)], axis=0).max())
    centre = flat[list(OVAL)].mean(axis=0) + [0, 0.02 * side]
    box = np.concatenate([centre - side / 2, centre + side / 2])
    return FaceBox(box.astype(np.float32), np.stack([*eyes, *others]).astype(np.float32), 1.0)


def _read(picture: Picture, sheet: Floats) -> Picture:
    import cv2

    return np.asarray(
        cv2.remap(picture, sheet, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
        dtype=np.uint8,
    )


def _lay_on(picture: Picture, log_ratio: Floats, points: Floats) -> None:
    """Multiply the picture's light by a chart's ratio, in place."""
    import cv2

    flat = np.ascontiguousarray(points[:, :2])
    sheet = chart().drawn_at(flat, (len(picture), len(picture)))
    drawn = cv2.remap(log_ratio, sheet, None, cv2.INTER_LINEAR)
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
    drawn = np.minimum(shapes @ light.activations, 1.0)
    lines = np.abs(face.darks) > 0
    where = (drawn[:, None, None] * np.abs(face.darks) / 0.2).max(axis=0) if lines.any() else band
    where = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.5 / face.step) * 2.2
    share = FOLD_SHARE * np.clip(where, 0, 1) * known
    # Dark valleys are lifted fully, swollen shoulders lowered by half.
    correction = -share * np.where(band < 0, band, 0.6 * band)
    return np.clip(correction, -0.5, 0.9).astype(np.float32)


def _draw_seam(picture: Picture, points: Floats) -> None:
    """The thin shadow where shut lips meet, in place."""
    import cv2

    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    drawn = np.zeros(picture.shape[:2], np.uint8)
    line = np.round(points[list(INNER_UPPER), :2] * 16).astype(np.int32)
    cv2.polylines(drawn, [line], False, 255, 1, cv2.LINE_AA, 4)
    sigma = max(0.7, SEAM_PX * unit)
    soft = cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), sigma)
    soft *= SEAM_DARK / max(1e-6, float(soft.max()))
    multiply_light(picture, (-2.2 * soft).astype(np.float32))
