"""How an expression changes the light on a face: ratio maps from normals and wrinkles.

The basis head's skin is shaded twice in the photo's own light, at rest and as asked; the ratio of
the two, laid on the warped photo, brings folds, swollen cheeks and furrows that moving pixels alone
cannot. All of it happens on a frontal chart of the face and is drawn into the frame once.

Source: expression ratio images, Liu, Shan and Zhang 2001; the light: first-order spherical
harmonics, Ramamoorthi and Hanrahan 2001, fitted to the photo's own skin. Ours: the ratio comes from
a model and from drawn relief (`wrinkles`), not from another person's photographs.

Letters: h, w a chart pixel, K wrinkles, M shapes with normals.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import MIRROR, NUM_BLENDSHAPES
from affetto.clip import Picture
from affetto.gen.portrait.render.compiled import compiled
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, OVAL, Portrait
from affetto.gen.portrait.render.raster import fill_map
from affetto.gen.portrait.render.wrinkles import activations, relief
from affetto.recognizers.face.arkit import load_basis

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]

RELIEF = Path(__file__).parent / "relief.safetensors"
NORMAL_STEP = 1 / 96  # of the 8-bit normals
FINER = 3  # wrinkles' chart pixels in one of the normals'
GAMMA = 2.2
DEFAULT_LIGHT = (0.0, 0.45, 0.89)  # from above the viewer; x right, y up, z to the viewer
LIGHT_TRUST = 0.6  # of the fitted light against the default one
AMBIENT = (0.35, 0.60)  # of full light, at least and at most
SHAPES_GAIN, WRINKLES_GAIN = 0.75, 1.0
DARKEST, BRIGHTEST = 0.75, 0.40  # natural logarithms that the ratio nears and never passes
SMOOTH_SHARE, ROUGHNESS = 0.45, (0.007, 0.022)  # of wrinkles; contrast of detail, least and full
LIPS_SHARE = 0.25  # of the ratio on the lips
# Light that goes through skin is red: a shadow's share of each colour, as exponents.
SKIN_RED, SKIN_GREEN, SKIN_BLUE = 0.70, 1.05, 1.15
LEAST_SHARE = 0.08  # of the usual area, below which a triangle is a sliver and left out
HAIRLINE, LIP_FADE = 1.4, 0.5  # units over which the ratio fades in
OUTER_LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
NOSTRILS = (98, 97, 2, 326, 327, 278, 344, 1, 115, 48)
# Between the wing of the nose, the cheek and the corner of the mouth.
CHEEK_FOLDS = (
    (98, 142, 36, 205, 187, 192, 214, 212, 57, 186, 92, 165),
    (327, 371, 266, 425, 411, 416, 434, 432, 287, 410, 322, 391),
)
BROWS = (
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
)
LIPS = (INNER_UPPER, INNER_LOWER)


class Chart:
    """The frontal chart of a face: everything that is the same for all portraits."""

    def __init__(self) -> None:
        """Read the normals and lay out the wrinkles."""
        import cv2
        from safetensors.numpy import load_file

        tables = load_file(RELIEF)
        left, right, _, top = (float(edge) for edge in tables["frame"])
        self.neutral = _unit(tables["neutral"].astype(np.float32) * NORMAL_STEP)
        self.changes = _both_sides(tables["delta"], tables["shapes"])  # (52, h, w, 3)
        self.used = np.flatnonzero(np.abs(self.changes).max(axis=(1, 2, 3)) > 0)
        height, width = self.neutral.shape[:2]
        self.coarse, self.size = (width, height), (width * FINER, height * FINER)
        self.step = (right - left) / self.size[0]
        basis = load_basis()
        landmarks = in_units(basis.neutral)
        self.places = ((landmarks[:, :2] - [left, top]) / [self.step, -self.step] - 0.5).astype(
            np.float32
        )  # (468, 2) chart pixels of the landmarks
        self.triangles = facing(closed(basis.triangles), self.places)
        xs = left + self.step * (np.arange(self.size[0]) + 0.5)
        ys = top - self.step * (np.arange(self.size[1]) + 0.5)
        grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.float32)
        heights, darks = relief(grid, landmarks[:, :2].astype(np.float32))
        shape = (-1, self.size[1], self.size[0])
        self.darks = darks.reshape(shape)  # (K, H, W)
        slope_y, slope_x = np.gradient(heights.reshape(shape), self.step, axis=(1, 2))
        self.slopes = np.stack([-slope_x, slope_y], axis=-1)  # (K, H, W, 2) of the normal
        self.fine_neutral = _unit(np.asarray(cv2.resize(self.neutral, self.size)))
        self.weight = self._weight()
        self.skin = self.weight * (self._loops(EYES, 3.0) < 0.05)
        self.cheek_folds = self._loops(CHEEK_FOLDS, 5.0)  # (H, W)
        near = self._loops((*EYES, OUTER_LIPS, NOSTRILS, *BROWS), 4.0)
        self.away_from_features = np.clip(1 - 2 * near, 0, 1)  # (H, W)

    def drawn_at(self, points: Floats, size: tuple[int, int]) -> Floats:
        """(H, W, 2) chart x, y for each pixel of a view in which the landmarks lie at points."""
        sheet = np.full((*size, 2), -1e4, dtype=np.float32)
        fill_map(points, self.places, whole(self.triangles, points, self.places), sheet)
        return sheet

    def unwrapped(self, picture: Picture, points: Floats) -> Picture:
        """(H, W, 3) the picture laid out on the chart; black outside of the face."""
        import cv2

        sheet = np.full((self.size[1], self.size[0], 2), -1e4, dtype=np.float32)
        flat = np.ascontiguousarray(points[:, :2], dtype=np.float32)
        fill_map(self.places, flat, whole(self.triangles, self.places, flat), sheet)
        return np.asarray(cv2.remap(picture, sheet, None, cv2.INTER_LINEAR), dtype=np.uint8)  # type: ignore[call-overload]

    def _weight(self) -> Floats:
        """(H, W) how far the ratio counts: fading to the hairline, little on lips."""
        import cv2

        def inside(loop: tuple[int, ...]) -> NDArray[np.uint8]:
            drawn = np.zeros((self.size[1], self.size[0]), np.uint8)
            cv2.fillPoly(drawn, [np.round(self.places[list(loop)]).astype(np.int32)], 1)
            return drawn

        face = np.asarray(cv2.distanceTransform(inside(OVAL), cv2.DIST_L2, 5)) * self.step
        fade = np.clip(face / HAIRLINE, 0, 1)
        fade = fade * fade * (3 - 2 * fade)
        lips = cv2.GaussianBlur(
            inside(OUTER_LIPS).astype(np.float32), (0, 0), LIP_FADE / 2 / self.step
        )
        return np.asarray(fade * (1 - (1 - LIPS_SHARE) * lips), dtype=np.float32)

    def _loops(self, loops: tuple[tuple[int, ...], ...], sigma: float) -> Floats:
        """(H, W) in [0, 1] inside of polygons of landmarks, softened by sigma chart pixels."""
        import cv2

        drawn = np.zeros((self.size[1], self.size[0]), np.float32)
        for loop in loops:
            cv2.fillPoly(drawn, [np.round(self.places[list(loop)]).astype(np.int32)], 1.0)
        return np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigma), dtype=np.float32)


@cache
def chart() -> Chart:
    """The one chart."""
    return Chart()


class FaceLight:
    """The chart under one photo's light: blendshapes in, ratio out."""

    def __init__(self, picture: Picture, points: Floats, rotation: Floats) -> None:
        """Fit the light and light the wrinkles.

        Args:
            picture: (S, S, 3) the face.
            points: (468, 3) of its mesh in pixels.
            rotation: (3, 3) of the fit.
        """
        face = chart()
        self.chart = face
        self.light, self.ambient = fitted_light(picture, points, rotation)
        # Light in the head's own axes, so that normals need not be turned.
        self.own_light = (in_units(rotation.T) @ in_units(self.light)).astype(np.float32)
        self.rest = self._shaded(face.neutral)
        lit = self._shaded(face.fine_neutral)
        lines = []
        for slope, dark in zip(face.slopes, face.darks, strict=True):
            normals = face.fine_neutral.copy()
            normals[..., :2] += slope
            lines.append(np.log(self._shaded(_unit(normals)) / lit) + dark)
        self.lines = np.stack(lines).reshape(len(lines), -1)  # (K, H x W)
        self.lines *= WRINKLES_GAIN * skin_roughness(picture, points)
        self.activations = activations()
        self.changes = face.changes[face.used].reshape(len(face.used), -1)

    def log_ratio(self, coefficients: Floats) -> Floats:
        """(H, W) natural logarithm of the light on the chart against rest, for (52,) shapes."""
        import cv2

        face = self.chart
        moved = coefficients[face.used] @ self.changes
        normals = _unit(face.neutral + moved.reshape(face.neutral.shape))
        shapes = np.log(self._shaded(normals) / self.rest)
        drawn = np.minimum(coefficients @ self.activations, 1.2)
        lines = (drawn @ self.lines).reshape(face.size[::-1])
        ratio = lines + SHAPES_GAIN * np.asarray(cv2.resize(shapes.astype(np.float32), face.size))
        ratio *= face.weight
        limit = np.where(ratio < 0, DARKEST, BRIGHTEST).astype(np.float32)
        bent: Floats = limit * np.tanh(ratio / limit)
        return bent

    def drawn(self, coefficients: Floats, points: Floats, size: int) -> tuple[Floats, slice, slice]:
        """The ratio in a frame.

        Args:
            coefficients: (52,).
            points: (468, 2 or 3) where the landmarks are, pixels.
            size: the frame's side.

        Returns:
            (h, w) natural logarithms, and the rows and columns of the frame that they are for.
        """
        import cv2

        flat = points[:, :2]
        low = np.clip(np.floor(flat.min(axis=0)), 0, size - 2).astype(int)
        high = np.clip(np.ceil(flat.max(axis=0)) + 1, low + 1, size).astype(int)
        width, height = (high - low).tolist()
        step = max(1.0, max(width, height) / self.chart.size[0])
        shape = (max(1, round(height / step)), max(1, round(width / step)))
        scale = np.asarray([shape[1] / width, shape[0] / height])
        places = np.ascontiguousarray((flat - low + 0.5) * scale - 0.5, dtype=np.float32)
        sheet = self.chart.drawn_at(places, shape)
        drawn = cv2.remap(self.log_ratio(coefficients), sheet, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        log_ratio = np.asarray(drawn, dtype=np.float32)
        if step > 1:
            log_ratio = np.asarray(cv2.resize(log_ratio, (width, height)), dtype=np.float32)
        rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
        return log_ratio, rows, columns

    def _shaded(self, normals: Floats) -> Floats:
        """(...) light on normals (..., 3), above 0."""
        direct = np.maximum(normals @ self.own_light, 0)
        shaded: Floats = (self.ambient + (1 - self.ambient) * direct).astype(np.float32)
        return shaded


class ShadingMaps:
    """Shading of one portrait's frames; no state between them."""

    def __init__(self, portrait: Portrait) -> None:
        """Fit the light to the portrait's neutral picture."""
        self.light = FaceLight(portrait.neutral, portrait.points, portrait.fit.rotation)

    def apply(self, frame: Picture, points: Floats, row: Floats) -> Picture:
        """Lay the expression's light on a warped frame.

        Args:
            frame: (S, S, 3) uint8 RGB, changed in place.
            points: (468, 3) where the landmarks are in it.
            row: (62,) of Motion.

        Returns:
            The frame.
        """
        shapes = np.clip(row[:NUM_BLENDSHAPES], 0, 1).astype(np.float32)
        if shapes.max() > 0:
            ratio, rows, columns = self.light.drawn(shapes, points, len(frame))
            multiply_light(frame[rows, columns], ratio)
        return frame


@compiled
def multiply_light(part: Picture, log_ratio: Floats) -> None:
    """Multiply linear light by exp(log_ratio) (H, W); highlights bend, shadows on skin are warm.

    Values are taken as display^2.2, in which a factor of light is a factor of the value.
    """
    height, width = log_ratio.shape
    for y in range(height):
        for x in range(width):
            amount = log_ratio[y, x]
            if abs(amount) < 2e-3:
                continue
            factor = np.exp(amount / GAMMA)
            most = max(part[y, x, 0], part[y, x, 1], part[y, x, 2]) / 255.0
            if factor > 1.0:  # the nearer to white, the less is added
                factor = 1.0 + (factor - 1.0) * (1.0 - most * most)
            red, green, blue = factor**SKIN_RED, factor**SKIN_GREEN, factor**SKIN_BLUE
            part[y, x, 0] = np.uint8(min(255.0, part[y, x, 0] * red + 0.5))
            part[y, x, 1] = np.uint8(min(255.0, part[y, x, 1] * green + 0.5))
            part[y, x, 2] = np.uint8(min(255.0, part[y, x, 2] * blue + 0.5))


def fitted_light(picture: Picture, points: Floats, rotation: Floats) -> tuple[Floats, float]:
    """Where the light comes from and how much of it from everywhere.

    Returns:
        (3,) unit vector to the light in the picture's axes (x right, y down, z away), and the
        ambient share of full light.
    """
    face = chart()
    skin = face.unwrapped(picture, points).astype(np.float32) / 255
    brightness = (skin**GAMMA @ np.asarray([0.2126, 0.7152, 0.0722], np.float32)).ravel()
    turned = face.fine_neutral.reshape(-1, 3) @ in_units(rotation).T  # viewer's axes, y up
    known = (face.skin.ravel() > 0.9) & (brightness > 1e-3) & (turned[:, 2] > 0.2)
    default = np.asarray(DEFAULT_LIGHT) / np.linalg.norm(DEFAULT_LIGHT)
    direction, ambient = default, 0.5
    if known.sum() > 500:
        columns = np.concatenate([np.ones((known.sum(), 1)), turned[known]], axis=1)[::7]
        wanted = brightness[known][::7]
        weights = np.ones(len(wanted))
        solution = np.zeros(4)
        for _ in range(4):  # brows, beard, shadows count less each round
            weighted = columns * weights[:, None]
            solution = np.linalg.lstsq(weighted.T @ columns, weighted.T @ wanted, rcond=None)[0]
            off = (wanted - columns @ solution) / max(1e-4, float(np.median(wanted)))
            weights = 1 / (1 + (off / 0.15) ** 2)
        own = solution[1:] * [1, 1, 1]
        own[2] = max(own[2], 0.3 * float(np.linalg.norm(own[:2])))
        length = float(np.linalg.norm(own))
        if length > 1e-3 * float(np.median(wanted)):
            direction = LIGHT_TRUST * own / length + (1 - LIGHT_TRUST) * default
            direction /= np.linalg.norm(direction)
            ambient = float(solution[0]) / max(1e-4, float(solution[0]) + length)
    towards = in_units(direction)
    return towards.astype(np.float32), float(np.clip(ambient, *AMBIENT))


def skin_roughness(picture: Picture, points: Floats) -> float:
    """How much of the wrinkles suits the skin: less on smooth, retouched or painted faces.

    Returns:
        `SMOOTH_SHARE` to 1, from the contrast of fine detail on forehead and cheeks.
    """
    import cv2

    face = chart()
    grey = cv2.cvtColor(face.unwrapped(picture, points), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = np.log(np.maximum(grey, 8))
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), s / face.step) for s in (0.08, 0.4))
    detail = np.abs(fine - coarse)[(face.skin > 0.9) & (face.away_from_features > 0.95)]
    share = np.interp(float(np.quantile(detail, 0.6)), ROUGHNESS, (SMOOTH_SHARE, 1.0))
    return float(share)


def in_units(vectors: Floats) -> Floats:
    """Vectors (..., 3) or a matrix between the picture's axes (y down, z away) and the chart's."""
    flip = np.asarray([1.0, -1.0, -1.0])
    if vectors.shape == (3, 3):
        turned: Floats = flip[:, None] * vectors * flip
        return turned
    flipped: Floats = vectors * flip
    return flipped


def closed(triangles: Indices) -> Indices:
    """The mesh's triangles with eyes and mouth closed by fans, so that maps have no holes."""
    loops = [*EYES, (*LIPS[0], *LIPS[1][-2:0:-1])]
    fans = [
        np.asarray([[loop[0], loop[i], loop[i + 1]] for i in range(1, len(loop) - 1)])
        for loop in loops
    ]
    return np.concatenate([*fans, triangles]).astype(np.int32)


def facing(triangles: Indices, places: Floats) -> Indices:
    """Triangles turned so that their area at places (V, 2) is positive."""
    turned = np.where((_areas(triangles, places) < 0)[:, None], triangles[:, [0, 2, 1]], triangles)
    return np.ascontiguousarray(turned, dtype=np.int32)


def whole(triangles: Indices, places: Floats, sources: Floats) -> Indices:
    """Triangles that are not squeezed to slivers at places against the others, nor turned over."""
    here, there = _areas(triangles, places), _areas(triangles, sources)
    usual = np.median(here / np.maximum(np.abs(there), 1e-3))
    kept = (here > LEAST_SHARE * usual * np.abs(there)) & (here > 0.1)
    return np.ascontiguousarray(triangles[kept])


def _areas(triangles: Indices, places: Floats) -> Floats:
    """(F,) twice the area, positive where counter-clockwise on paper with y down."""
    a, b, c = (places[triangles[:, i], :2] for i in range(3))
    area: Floats = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return area


def _both_sides(coded: NDArray[np.int8], shapes: NDArray[np.uint8]) -> Floats:
    """(52, h, w, 3) changes of normals; the right side's are mirrored from the left's."""
    changes = np.zeros((NUM_BLENDSHAPES, *coded.shape[1:]), dtype=np.float32)
    for place, table in zip(shapes.tolist(), coded, strict=True):
        changes[place] = table.astype(np.float32) * NORMAL_STEP
        if MIRROR[place] != place:
            changes[MIRROR[place]] = changes[place][:, ::-1] * [-1.0, 1.0, 1.0]
    return changes


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt(np.einsum("...c,...c->...", vectors, vectors))[..., None]
    unit: Floats = (vectors / np.maximum(length, 1e-6)).astype(np.float32)
    return unit
