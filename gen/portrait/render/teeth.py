"""One set of teeth and a tongue per portrait, posed and coloured for its photo once.

Source: drawn from the teeth and gums of ICT-FaceKit (Li et al. 2020, MIT) by
`train/data/portrait_assets.py`; lengths there are units of the basis head. The same set is used for
every frame, so nothing in the mouth changes from closure to closure.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.clip import Picture
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, Portrait
from affetto.gen.portrait.render.raster import fill_map
from affetto.gen.portrait.render.shading import EYES, RELIEF, facing, in_units
from affetto.recognizers.face.arkit import load_basis

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

CORNERS = (61, 291)  # of the mouth
JAW = ("jawForward", "jawLeft", "jawRight", "jawOpen")
DRAWN_JAW = 0.35  # jawOpen of the lower sprites
WIDTH_RANGE = (0.85, 1.2)  # how far the set follows the photo's own mouth
NODES = (9, 25)  # of the grid that a sprite is posed by: rows, columns
MARGIN = 3
UPPER_DROP, LOWER_LIFT = 0.35, 0.10  # units: teeth show in speech more than the head's own lips let
IVORY, SPRITE_LIGHT = (0.93, 0.90, 0.84), 0.84  # the sprites' teeth, and how lit they are drawn
EYE_WHITE_SHARE = 1.0  # of the eye's white, as bright as teeth in full light
FRONT_UNITS, DARK_UNITS = 1.2, 3.0  # how far behind the front teeth light reaches and fades
SKIN_LIMIT = 1.5  # of the skin's brightness, which teeth do not pass
SOFTER = 0.55  # of the blur of the photo's sharpest edges: those are hair and lashes, not teeth


@dataclass(frozen=True)
class Layer:
    """A sprite as the portrait sees it.

    Attributes:
        picture: (h, w, 4) uint8 RGB times opacity, and opacity.
        corner: (2,) x, y of its first pixel in the portrait's work picture, jaw at rest.
    """

    picture: Bytes
    corner: Floats


@dataclass(frozen=True)
class MouthSet:
    """What a portrait has in its mouth.

    Attributes:
        upper: teeth, fixed to the skull.
        lower: teeth, moving with the jaw.
        tongue: with the jaw too.
        jaw_px: (52, 2) how the lower ones move per blendshape, pixels.
        unit_px: pixels in a unit of the basis head.
        light: (3,) factors in [0, 1] of flesh and teeth under the photo's light.
    """

    upper: Layer
    lower: Layer
    tongue: Layer
    jaw_px: Floats
    unit_px: float
    light: Floats


def fitted_mouth(portrait: Portrait) -> MouthSet:
    """Pose, scale and colour the set for a portrait."""
    sprites, tables = _shipped()
    points = portrait.points
    anchor_px = points[[INNER_UPPER[5], INNER_LOWER[5]]].mean(axis=0)
    landmarks = in_units(load_basis().neutral)
    anchor = landmarks[[INNER_UPPER[5], INNER_LOWER[5]]].mean(axis=0)
    scale = float(portrait.fit.scale)
    own = float(np.linalg.norm(points[CORNERS[1]] - points[CORNERS[0]]))
    usual = scale * float(np.linalg.norm(landmarks[CORNERS[1]] - landmarks[CORNERS[0]]))
    unit_px = scale * float(np.clip(own / usual, *WIDTH_RANGE))
    turn = unit_px * portrait.fit.rotation @ np.diag([1.0, -1.0, -1.0])  # units to picture

    def posed(name: str, shift: Floats) -> Layer:
        at = anchor_px[:2] - turn[:2] @ (anchor + shift)
        depth = tables[f"{name}.depth"].astype(np.float32)
        return _posed(sprites[name], tables[f"{name}.frame"], depth, turn[:2], at)

    jaw = np.zeros((len(BLENDSHAPES), 2), dtype=np.float32)
    jaw[[BLENDSHAPES.index(name) for name in JAW]] = tables["jaw"] @ turn[:2].T
    drawn = DRAWN_JAW * tables["jaw"][JAW.index("jawOpen")]
    white, sigma = _teeth_white(portrait), _softness(portrait)
    light = (white / (SPRITE_LIGHT * np.asarray(IVORY))).astype(np.float32)
    up, down = np.asarray([0, UPPER_DROP, 0]), drawn - [0, LOWER_LIFT, 0]
    return MouthSet(
        upper=_coloured(posed("teeth_upper", up), light, sigma),
        lower=_coloured(posed("teeth_lower", down), light, sigma),
        tongue=_coloured(posed("tongue", down), light, sigma),
        jaw_px=jaw,
        unit_px=unit_px,
        light=light,
    )


@cache
def _shipped() -> tuple[dict[str, Bytes], dict[str, Floats]]:
    import cv2
    from safetensors.numpy import load_file

    folder = Path(__file__).parent
    sprites = {}
    for name in ("teeth_upper", "teeth_lower", "tongue"):
        read = cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        sprites[name] = np.asarray(read, dtype=np.uint8)[..., [2, 1, 0, 3]]
    tables = load_file(RELIEF)
    return sprites, {n: t for n, t in tables.items() if "." in n or n == "jaw"}


def _posed(sprite: Bytes, frame: Floats, depth: Floats, turn: Floats, at: Floats) -> Layer:
    """A sprite seen as the portrait's head is turned: near parts over far ones."""
    import cv2

    left, right, bottom, top = frame
    height, width = sprite.shape[:2]
    rows, columns = NODES
    shares = np.stack(np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows)), axis=-1)
    sources = (shares * [width - 1, height - 1]).reshape(-1, 2).astype(np.float32)
    zs = cv2.remap(
        depth, (shares[..., 0] * (depth.shape[1] - 1)).astype(np.float32),
        (shares[..., 1] * (depth.shape[0] - 1)).astype(np.float32), cv2.INTER_LINEAR,
    ).reshape(-1)  # fmt: skip
    xs = left + (right - left) * (sources[:, 0] + 0.5) / width
    ys = top - (top - bottom) * (sources[:, 1] + 0.5) / height
    places = (np.stack([xs, ys, zs], axis=1) @ turn.T + at).astype(np.float32)
    corner = np.floor(places.min(axis=0)) - MARGIN
    size = (np.ceil(places.max(axis=0)) + MARGIN - corner).astype(int) + 1
    node = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (n.ravel() for n in (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1]))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    triangles = triangles[np.argsort(zs[triangles].mean(axis=1), kind="stable")]
    sheet = np.full((size[1], size[0], 2), -1e4, dtype=np.float32)
    fill_map(np.ascontiguousarray(places - corner), sources, facing(triangles, places), sheet)
    # Averaged to the portrait's pixels before it is read, so that fine teeth do not shimmer.
    shrink = (right - left) * float(np.linalg.norm(turn[:, 0])) / width
    clear: Floats = sprite.astype(np.float32)
    clear[..., :3] *= clear[..., 3:] / 255
    behind = np.maximum(depth.max() - depth - FRONT_UNITS, 0) / DARK_UNITS
    clear[..., :3] *= np.asarray(cv2.resize(np.exp(-behind), (width, height)))[..., None]
    if shrink < 1:
        clear = np.asarray(cv2.GaussianBlur(clear, (0, 0), 0.42 / shrink), dtype=np.float32)
    picture = cv2.remap(clear, sheet, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    return Layer(np.round(picture).astype(np.uint8), corner.astype(np.float32))


def _coloured(layer: Layer, light: Floats, sigma: float) -> Layer:
    import cv2

    picture: Floats = layer.picture.astype(np.float32)
    picture[..., :3] *= light
    if sigma > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
    return Layer(np.clip(np.round(picture), 0, 255).astype(np.uint8), layer.corner)


def _teeth_white(portrait: Portrait) -> Floats:
    """(3,) in [0, 1] the colour of teeth in full light: from the eye's white and the skin."""
    picture = (portrait.neutral.astype(np.float32) / 255).astype(np.float32)
    points = portrait.points[:, :2]
    cheeks = np.concatenate([_patch(picture, points[n]) for n in (50, 280, 205, 425, 117, 346)])
    skin = np.median(cheeks, axis=0)
    whites = np.concatenate([_inside(picture, points[list(loop)]) for loop in EYES])
    brightness = whites.mean(axis=1)
    usual = np.clip(skin.mean() * 1.35, 0, 0.93) * np.asarray([1.02, 0.98, 0.91])
    if len(whites) < 20:
        return np.asarray(usual, dtype=np.float32)
    plain = whites[(brightness >= np.quantile(brightness, 0.75))]
    seen = np.median(plain, axis=0)
    # A little yellower than the eye, never far from what the skin's light allows.
    white = EYE_WHITE_SHARE * (0.6 * seen + 0.4 * seen.mean()) * np.asarray([1.03, 1.0, 0.93])
    white = 0.5 * white + 0.5 * usual
    low, high = 1.1 * skin.mean(), SKIN_LIMIT * skin.mean()
    white = white * np.clip(white.mean(), low, high) / white.mean()
    return np.asarray(np.clip(white, 0, 0.95), dtype=np.float32)


def _patch(picture: Floats, place: Floats) -> Floats:
    x, y = np.clip(np.round(place).astype(int), 2, len(picture) - 3).tolist()
    part: Floats = picture[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
    return part


def _inside(picture: Floats, loop: Floats) -> Floats:
    import cv2

    drawn = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.round(loop).astype(np.int32)], 1)
    part: Floats = picture[np.asarray(cv2.erode(drawn, np.ones((3, 3), np.uint8))) > 0]
    return part


def _softness(portrait: Portrait) -> float:
    """Blur in pixels (one sigma) that makes sprites as soft as the photo's sharpest edges."""
    import cv2

    low = np.maximum(portrait.points[:, :2].min(axis=0).astype(int), 0)
    high = portrait.points[:, :2].max(axis=0).astype(int)
    face: Picture = portrait.picture[low[1] : high[1], low[0] : high[0]]
    grey = cv2.cvtColor(np.ascontiguousarray(face), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    across, down = cv2.Sobel(grey, -1, 1, 0, scale=1 / 8), cv2.Sobel(grey, -1, 0, 1, scale=1 / 8)
    slopes = np.hypot(across, down)
    contrast = float(np.quantile(grey, 0.98) - np.quantile(grey, 0.02))
    steepest = float(np.quantile(slopes, 0.998)) / max(contrast, 0.05)
    # The slope of an edge blurred by sigma is 1 / (sigma sqrt(2 pi)).
    sigma = 0.4 / max(steepest, 0.05)
    return float(np.clip(SOFTER * max(sigma**2 - 0.8**2, 0.0) ** 0.5, 0, 2.5))
