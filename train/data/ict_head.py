"""Pictures of the ICT head with known expression, identity, pose, gaze, light and colours.

Source: Li et al. 2020, ICT-FaceKit (MIT). The head has no texture: lips, brows, hair and irises are
painted on its skin as it lies at rest, since a landmark net that sees none of them puts the points
of lips and brows nowhere in particular. Lengths are the head's units, x to the viewer's right, y
up, z towards the viewer. Letters: V vertices, F triangles, K modes of identity, N pixels.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from affetto.clip import Picture
from affetto.train.data.portrait_assets import IctHead, View, draw, load_head

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NUM_MODES = 20
LOOK_DEG = 25.0  # the eyeball's turn for eyeLook... at 1
PIVOT = np.asarray([0.0, 1.5, 2.0])  # what the head turns about
FRAME = (-14.0, 14.0, -13.0, 15.0)  # left, right, bottom, top of what a picture shows
EYES = {"Left": (3.094, 3.614, 7.995), "Right": (-3.094, 3.614, 7.995)}  # centres of the eyeballs
IRIS, PUPIL = 0.70, 0.26  # radii
SHOWN = (
    "M_Face", "M_BackHead", "M_ScleraLeft", "M_ScleraRight", "M_Teeth", "M_GumsTongue",
)  # fmt: skip
# Vertices (ICT-FaceKit's 68-point table): outer lips from the viewer's left over the upper lip and
# back, inner lips the same way, brows from the viewer's left.
OUTER_LIPS = (5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841)
BROWS = ((268, 493, 1914, 2044, 1401), (3615, 4240, 4114, 2734, 2509))
TEXELS_A_UNIT = 20.0
HAIRLINE = 9.6  # height of the hair's edge at the middle of the forehead


@dataclass(frozen=True)
class Look:
    """How a head shows itself.

    Attributes:
        coefficients: (52,) blendshapes in [0, 1].
        identity: (K,) weights of the modes, about N(0, 1).
        pitch, yaw, roll: degrees; up, to the person's left, to the person's left shoulder.
        skin, hair, iris: RGB in [0, 255].
        light: (3,) where it comes from; any length.
        ambient: share of light from everywhere, in [0, 1].
        distance: of the camera, in units.
    """

    coefficients: Floats = field(default_factory=lambda: np.zeros(NUM_BLENDSHAPES))
    identity: Floats = field(default_factory=lambda: np.zeros(NUM_MODES))
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    skin: tuple[float, float, float] = (205.0, 160.0, 140.0)
    hair: tuple[float, float, float] = (60.0, 45.0, 40.0)
    iris: tuple[float, float, float] = (80.0, 60.0, 45.0)
    light: tuple[float, float, float] = (0.1, 0.35, 0.93)
    ambient: float = 0.4
    distance: float = 90.0

    @property
    def rotation(self) -> Floats:
        """(3, 3) of the head, in the head's axes."""
        from scipy.spatial.transform import Rotation

        angles = (self.yaw, -self.pitch, -self.roll)
        return np.asarray(Rotation.from_euler("YXZ", angles, degrees=True).as_matrix())


def random_look(
    rng: np.random.Generator, *, pose_deg: float = 12.0, identity: Floats | None = None
) -> Look:
    """Anyone doing anything: few shapes at a time, any skin, light mostly from the front."""
    coefficients = np.zeros(NUM_BLENDSHAPES)
    chosen = rng.random(NUM_BLENDSHAPES) < rng.choice([0.05, 0.15, 0.3])
    coefficients[chosen] = rng.random(int(chosen.sum()))
    for place, name in enumerate(BLENDSHAPES):  # mostly both sides alike
        if name.endswith("Left") and not name.startswith(("mouthLeft", "jawLeft", "eyeLook")):
            other = BLENDSHAPES.index(name.removesuffix("Left") + "Right")
            if rng.random() < 0.7:
                coefficients[other] = coefficients[place]
    # Lips are closed by as much as the jaw has opened, not more.
    opened, close = (BLENDSHAPES.index(name) for name in ("jawOpen", "mouthClose"))
    coefficients[close] = min(coefficients[close], coefficients[opened])
    tone = rng.random()
    skin = (1 - tone) * np.asarray([232, 190, 165]) + tone * np.asarray([95, 62, 48])
    pitch, yaw, roll = np.clip(rng.normal(0, pose_deg / 1.6, 3), -1.6 * pose_deg, 1.6 * pose_deg)
    return Look(
        coefficients=coefficients,
        identity=rng.normal(0, 0.8, NUM_MODES) if identity is None else identity,
        pitch=float(pitch),
        yaw=float(yaw),
        roll=float(roll),
        skin=(float(skin[0]), float(skin[1]), float(skin[2])),
        hair=tuple(rng.choice([[40, 32, 28], [95, 70, 50], [160, 130, 90], [120, 120, 120]])),
        iris=tuple(rng.choice([[70, 50, 38], [90, 110, 130], [85, 100, 70]])),
        light=(float(rng.normal(0, 0.5)), float(rng.normal(0.35, 0.3)), 1.0),
        ambient=float(rng.uniform(0.3, 0.7)),
        distance=float(rng.uniform(55, 140)),
    )


class HeadPainter:
    """Draws heads; the painted skin is made once."""

    def __init__(self, path: Path) -> None:
        """Read ict_face_arkit.npz."""
        self.head: IctHead = load_head(path)
        with np.load(path) as data:
            self.modes = data["identity_delta"][:NUM_MODES].astype(np.float64)
        kept = np.isin(self.head.material, SHOWN)
        self.triangles, self.material = self.head.triangles[kept], self.head.material[kept]
        self.shapes = {name: self.head.delta(name) for name in BLENDSHAPES}
        self.eyeballs = {
            side: np.unique(self.triangles[self.material == f"M_Sclera{side}"]) for side in EYES
        }
        self.lips, self.brows = painted_skin(self.head)
        places = np.arange(len(self.triangles)).repeat(3)
        ones = np.ones(len(places))
        self.round_vertex = csr_array(
            (ones, (self.triangles.ravel(), places)),
            shape=(len(self.head.vertices), len(self.triangles)),
        )

    def posed(self, look: Look) -> Floats:
        """(V, 3) vertices of the head before the camera."""
        identity = np.tensordot(look.identity, self.modes, 1)
        vertices = self.head.vertices + identity
        for name, weight in zip(BLENDSHAPES, look.coefficients, strict=True):
            if weight:
                vertices = vertices + weight * self.shapes[name]
        for side, ball in self.eyeballs.items():
            centre = np.asarray(EYES[side]) + identity[ball].mean(axis=0)
            vertices[ball] = centre + (vertices[ball] - centre) @ _gaze(look, side).T
        turned: Floats = (vertices - PIVOT) @ look.rotation.T + PIVOT
        return turned

    def seen(self, look: Look, *, pixels: int = 320) -> tuple[View, Floats]:
        """What lies behind each pixel (pixels, pixels), and vertices as the camera sees them."""
        vertices = self.posed(look)
        near = look.distance / (look.distance - vertices[:, 2:])
        flat = np.concatenate([vertices[:, :2] * near, vertices[:, 2:]], axis=1)
        return draw(flat, self.triangles, FRAME, pixels_a_unit=pixels / 28.0), flat

    def paint(self, look: Look, *, pixels: int = 320) -> Picture:
        """(pixels, pixels, 3) uint8 RGB."""
        view, flat = self.seen(look, pixels=pixels)
        rows, columns = np.nonzero(view.hit)
        triangle, weights = view.triangle[rows, columns], view.weights[rows, columns]
        corners = self.triangles[triangle]
        first, second, third = (flat[self.triangles[:, corner]] for corner in range(3))
        normals = np.asarray(self.round_vertex @ np.cross(second - first, third - first))
        normal = np.einsum("nk,nkc->nc", weights, normals[corners])
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        light = np.asarray(look.light) / np.linalg.norm(look.light)
        lit = look.ambient + (1 - look.ambient) * np.clip(normal @ light, 0, 1)
        rest = np.einsum("nk,nkc->nc", weights, self.head.vertices[corners])
        colour = self._colours(look, self.material[triangle], rest)
        inside = np.isin(self.material[triangle], ("M_Teeth", "M_GumsTongue"))
        lit[inside] *= np.clip((rest[inside, 2] - 3.0) / 9.0, 0.1, 0.9)  # the mouth is dark
        picture = np.tile(
            np.asarray([120.0, 130.0, 140.0]) * look.ambient * 1.5, (pixels, pixels, 1)
        )
        picture[rows, columns] = colour * lit[:, None]
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _colours(self, look: Look, material: NDArray[np.str_], rest: Floats) -> Floats:
        """(N, 3) of points on the resting head."""
        skin, hair = np.asarray(look.skin), np.asarray(look.hair)
        colour = np.tile(skin, (len(rest), 1))
        front = material == "M_Face"
        for mask, paint in (
            (self.lips, 0.75 * skin * (1.0, 0.72, 0.75)),
            (self.brows, 0.3 * skin + 0.7 * hair),
        ):
            share = _looked_up(mask, rest) * (front & (rest[:, 2] > 6))
            colour += share[:, None] * (paint - colour)
        covered = rest[:, 1] - HAIRLINE + 0.55 * (9.5 - rest[:, 2]) > 0.045 * rest[:, 0] ** 2
        covered &= rest[:, 1] > -6
        colour[covered & np.isin(material, ("M_Face", "M_BackHead"))] = hair
        for side, centre in EYES.items():
            ball = material == f"M_Sclera{side}"
            radius = np.hypot(rest[ball, 0] - centre[0], rest[ball, 1] - centre[1])
            white = np.where((radius < IRIS)[:, None], look.iris, (225.0, 222.0, 218.0))
            colour[ball] = np.where((radius < PUPIL)[:, None], (15.0, 12.0, 12.0), white)
        colour[material == "M_Teeth"] = (235, 230, 215)
        colour[material == "M_GumsTongue"] = (165, 85, 85)
        return colour


def painted_skin(head: IctHead) -> tuple[Floats, Floats]:
    """Masks of lips and brows over the frontal frame, (28 units square) in [0, 1]."""
    import cv2

    size = round(28 * TEXELS_A_UNIT)

    def texels(places: Floats) -> NDArray[np.int32]:
        left, _, _, top = FRAME
        flat = np.stack([places[:, 0] - left, top - places[:, 1]], axis=1) * TEXELS_A_UNIT
        return np.round(flat * 16).astype(np.int32)

    lips, brows = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    cv2.fillPoly(lips, [texels(head.vertices[list(OUTER_LIPS)])], 1.0, cv2.LINE_AA, 4)
    for line in BROWS:
        middle = head.vertices[list(line)]
        thin = np.abs(middle[:, 0]) > 5.5
        half = np.where(thin, 0.1, 0.42)[:, None] * (0.0, 1.0, 0.0)
        ring = np.concatenate([middle + half, (middle - half)[::-1]])
        cv2.fillPoly(brows, [texels(ring)], 1.0, cv2.LINE_AA, 4)
    soft = [cv2.GaussianBlur(mask, (0, 0), 0.1 * TEXELS_A_UNIT) for mask in (lips, brows)]
    return soft[0].astype(np.float64), soft[1].astype(np.float64)


def _looked_up(mask: Floats, rest: Floats) -> Floats:
    left, _, _, top = FRAME
    column = np.clip((rest[:, 0] - left) * TEXELS_A_UNIT, 0, len(mask) - 1).astype(np.int64)
    row = np.clip((top - rest[:, 1]) * TEXELS_A_UNIT, 0, len(mask) - 1).astype(np.int64)
    values: Floats = mask[row, column]
    return values


def _gaze(look: Look, side: str) -> Floats:
    """(3, 3) how an eyeball is turned in the head."""
    from scipy.spatial.transform import Rotation

    up, down, inward, outward = (
        look.coefficients[BLENDSHAPES.index(f"eyeLook{way}{side}")]
        for way in ("Up", "Down", "In", "Out")
    )
    to_left = (outward - inward) * (1.0 if side == "Left" else -1.0)
    angles = LOOK_DEG * np.asarray([to_left, down - up])
    return np.asarray(Rotation.from_euler("YX", angles, degrees=True).as_matrix())
