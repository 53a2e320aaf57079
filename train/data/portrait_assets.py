"""What the portrait renderer ships of the ICT head: rows of teeth, the tongue, normals of the face.

Source: Li et al. 2020, ICT-FaceKit (MIT), reduced to its neutral head and ARKit-style shapes. Teeth
and gums are drawn once from the head's own geometry, straight from the front, in soft light; the
face's normals, neutral and with each shape, are kept on a small frontal grid. Lengths are in the
head's units (it is 34 units tall), x to the viewer's right, y up, z towards the viewer.

Letters: V vertices, F triangles, H, W pixels, K shapes.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, MIRROR

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

SHIPPED = Path(__file__).parents[2] / "gen" / "portrait" / "render"
PIXELS_A_UNIT = 40
SUPERSAMPLING = 3
LIGHT = (0.05, 0.35, 0.94)
IVORY, GUM, TONGUE = (0.93, 0.90, 0.84), (0.72, 0.40, 0.40), (0.80, 0.45, 0.44)
# left, right, bottom, top of each sprite at the front; the jaw hangs open for lower row and tongue.
UPPER_FRAME, LOWER_FRAME, TONGUE_FRAME = (
    (-3.6, 3.6, -3.7, -1.3), (-3.4, 3.4, -6.5, -3.4), (-2.1, 2.1, -5.4, -3.4),
)  # fmt: skip
THROAT = 3.5  # z behind which nothing of the soft parts is drawn
TONGUE_HALF, TONGUE_WIDEST, TONGUE_TIP = 1.98, 3.5, 9.78  # its half width, and at which z
LOWER_JAW = 0.35  # jawOpen at which lower teeth and tongue are drawn
# The chart of normals.
CHART_FRAME = (-8.4, 8.4, -12.6, 10.6)
CHART_STEP = 0.3
CHART_SOFTNESS = 0.8  # sigma in chart pixels
NORMAL_STEP = 1.0 / 96  # of the 8-bit tables


@dataclass(frozen=True)
class IctHead:
    """The reduced head: vertices (V, 3), triangles (F, 3), their material, deltas by ICT name."""

    vertices: Floats
    triangles: Indices
    material: NDArray[np.str_]
    deltas: dict[str, Floats]

    def moved(self, name: str, weight: float = 1.0) -> Floats:
        """(V, 3) vertices under one ARKit shape; ICT's left and right halves where it splits it."""
        return self.vertices + weight * self.delta(name)

    def delta(self, name: str) -> Floats:
        """(V, 3) of an ARKit shape; zeros for tongueOut, which the head does not have."""
        side = {"Left": "_L", "Right": "_R"}
        ending = next((e for e in side if name.endswith(e)), "")
        spelled = name.removesuffix(ending) + side.get(ending, "")
        names = [n for n in (spelled, name, name + "_L", name + "_R") if n in self.deltas]
        if not names:
            return np.zeros_like(self.vertices)
        halves = names if names[0].startswith(name + "_") else names[:1]
        total: Floats = np.sum([self.deltas[n] for n in halves], axis=0)
        return total


def load_head(path: Path) -> IctHead:
    """Read ict_face_arkit.npz."""
    with np.load(path) as data:
        quads, material = data["faces"].astype(np.int64), data["face_material"]
        second = quads[:, 3] >= 0
        triangles = np.concatenate([quads[:, :3], quads[second][:, [0, 2, 3]]])
        places = np.concatenate([material, material[second]])
        deltas = data["expression_delta"]
        names = [str(name) for name in data["expression_names"]]
        return IctHead(
            vertices=data["vertices"].astype(np.float64),
            triangles=triangles,
            material=data["materials"][places],
            deltas={n: d.astype(np.float64) for n, d in zip(names, deltas, strict=True)},
        )


@dataclass(frozen=True)
class View:
    """A frontal drawing: triangle (H, W), -1 where none; weights (H, W, 3) of its corners."""

    triangle: NDArray[np.int32]
    weights: Floats

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(H, W) where something is seen."""
        return self.triangle >= 0

    def of(self, values: Floats, triangles: Indices) -> Floats:
        """(H, W, C) of values (V, C) at the corners; zeros where nothing is seen."""
        mixed: Floats = np.einsum("hwk,hwkc->hwc", self.weights, values[triangles[self.triangle]])
        mixed[~self.hit] = 0.0
        return mixed


def draw(
    vertices: Floats, triangles: Indices, frame: tuple[float, ...], *, pixels_a_unit: float
) -> View:
    """The nearest triangle behind every pixel of a frame, seen straight from the front."""
    left, right, bottom, top = frame
    size = (round((top - bottom) * pixels_a_unit), round((right - left) * pixels_a_unit))
    places = np.stack(
        [
            (vertices[:, 0] - left) * pixels_a_unit - 0.5,
            (top - vertices[:, 1]) * pixels_a_unit - 0.5,
            vertices[:, 2],
        ],
        axis=1,
    )
    nearest = np.full(size, -np.inf)
    triangle = np.full(size, -1, dtype=np.int32)
    weights = np.zeros((*size, 3))
    _draw(places, triangles, nearest, triangle, weights)
    return View(triangle, weights)


@njit(cache=True)
def _draw(
    places: Floats, triangles: Indices, nearest: Floats, shown: NDArray[np.int32], weights: Floats
) -> None:
    height, width = nearest.shape
    for f in range(len(triangles)):
        a, b, c = places[triangles[f, 0]], places[triangles[f, 1]], places[triangles[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.ceil(min(a[0], b[0], c[0]))))
        right = min(width - 1, int(np.floor(max(a[0], b[0], c[0]))))
        top = max(0, int(np.ceil(min(a[1], b[1], c[1]))))
        low = min(height - 1, int(np.floor(max(a[1], b[1], c[1]))))
        for y in range(top, low + 1):
            for x in range(left, right + 1):
                wb = ((x - a[0]) * (c[1] - a[1]) - (y - a[1]) * (c[0] - a[0])) / area
                wc = ((b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])) / area
                wa = 1.0 - wb - wc
                if wa < 0 or wb < 0 or wc < 0:
                    continue
                z = wa * a[2] + wb * b[2] + wc * c[2]
                if z > nearest[y, x]:
                    nearest[y, x] = z
                    shown[y, x] = f
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = wa, wb, wc


def vertex_normals(vertices: Floats, triangles: Indices) -> Floats:
    """(V, 3) of unit length, the mean of the faces' by area."""
    corners = vertices[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], across)
    unit: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return unit


def sprite(
    vertices: Floats, triangles: Indices, colours: Floats, frame: tuple[float, ...], far: float
) -> tuple[NDArray[np.uint8], Floats]:
    """Teeth, gums or tongue in soft light.

    Args:
        vertices: (V, 3).
        triangles: (F, 3) of what is to be seen.
        colours: (V, 3) in [0, 1].
        frame: left, right, bottom, top.
        far: z at which light is down to a third.

    Returns:
        (H, W, 4) RGB and opacity, and (H, W) depth z, spread beyond the edge.
    """
    import cv2

    fine = PIXELS_A_UNIT * SUPERSAMPLING
    seen = draw(vertices, triangles, frame, pixels_a_unit=fine)
    normals = seen.of(vertex_normals(vertices, triangles), triangles)
    normals *= np.where(normals[..., 2:] < 0, -1.0, 1.0)
    light = np.asarray(LIGHT) / np.linalg.norm(LIGHT)
    lit = 0.45 + 0.55 * np.clip(normals @ light, 0, 1)
    lit += 0.10 * np.clip(normals @ light, 0, 1) ** 24  # wet
    depth = seen.of(vertices[:, 2:], triangles)[..., 0]
    spread = _spread(depth, seen.hit)
    # What lies behind its surroundings is darker: between teeth, under the gum's edge.
    hollow = np.clip(cv2.GaussianBlur(spread, (0, 0), 0.10 * fine) - spread, 0, None)
    lit *= np.exp(-1.1 * hollow)
    near = vertices[np.unique(triangles), 2].max()
    lit *= np.clip(1 - 0.48 * (near - depth) / (near - far), 0.2, 1)
    shown = np.clip(seen.of(colours, triangles) * lit[..., None], 0, 1)
    opacity = seen.hit.astype(np.float64)
    size = (shown.shape[1] // SUPERSAMPLING, shown.shape[0] // SUPERSAMPLING)
    small = [
        cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (shown, opacity, spread)
    ]
    colour = small[0] / np.maximum(small[1], 1e-3)[..., None]
    colour = _spread(colour, small[1] > 0.5)
    layers = np.concatenate([colour, small[1][..., None]], axis=-1)
    return np.clip(np.round(255 * layers), 0, 255).astype(np.uint8), np.asarray(
        small[2], dtype=np.float64
    )


def _spread(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Values with the unknown taken from the nearest known."""
    from scipy.ndimage import distance_transform_edt

    places = distance_transform_edt(~known, return_distances=False, return_indices=True)
    spread: Floats = values[tuple(places)]
    return spread


def teeth_and_tongue(head: IctHead) -> dict[str, tuple[NDArray[np.uint8], Floats]]:
    """The three sprites with their depth."""
    opening = np.linalg.norm(head.delta("jawOpen"), axis=1)
    soft = head.triangles[head.material == "M_GumsTongue"]
    hard = head.triangles[head.material == "M_Teeth"]
    colours = np.tile(GUM, (len(head.vertices), 1))
    colours[np.unique(hard)] = IVORY
    open_head = head.moved("jawOpen", LOWER_JAW)
    below = opening > 0.05
    # Only the gum round the teeth: the palate and the throat are the cavity's.
    soft = soft[(head.vertices[soft, 2] > THROAT).all(axis=1)]
    is_tongue = below & _tongue_vertices(head)
    upper = np.concatenate([part[(~below[part]).all(axis=1)] for part in (hard, soft)])
    lower = np.concatenate([part[below[part].all(axis=1)] for part in (hard, soft)])
    lower = lower[~is_tongue[lower].any(axis=1)]
    return {
        "teeth_upper": sprite(head.vertices, upper, colours, UPPER_FRAME, 4.0),
        "teeth_lower": sprite(open_head, lower, colours, LOWER_FRAME, 4.0),
        "tongue": tongue(),
    }


def _tongue_vertices(head: IctHead) -> NDArray[np.bool_]:
    """(V,) what lies inside the outline that the tongue has from above."""
    x, _, z = head.vertices.T
    along = np.clip((z - TONGUE_WIDEST) / (TONGUE_TIP - TONGUE_WIDEST), 0, 1)
    inside: NDArray[np.bool_] = (np.abs(x) < TONGUE_HALF * (1 - along**2.5) ** 0.4) & (
        z < TONGUE_TIP
    )
    return inside


def tongue() -> tuple[NDArray[np.uint8], Floats]:
    """A plain dome with a groove, as large as the head's own tongue from the front: see `sprite`.

    The head's tongue hangs together with the floor of its mouth, which must not be drawn.
    """
    import cv2

    left, right, bottom, top = TONGUE_FRAME
    step = 1 / (PIXELS_A_UNIT * SUPERSAMPLING)
    x, y = np.meshgrid(np.arange(left, right, step), np.arange(top, bottom, -step))
    reach = (np.abs(x) / (right - 0.1)) ** 2.4 + (np.abs(y - (top + bottom) / 2) / (
        (top - bottom) / 2 - 0.1
    )) ** 2.4  # fmt: skip
    bulge = np.clip(1 - reach, 0, 1) ** 0.5 - 0.10 * np.exp(-((x / 0.16) ** 2)) * (y > bottom + 0.5)
    rough = np.random.default_rng(0).standard_normal(bulge.shape)
    bulge = bulge + 0.07 * cv2.GaussianBlur(rough, (0, 0), 4) * np.clip(1 - reach, 0, 1)
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(bulge, (0, 0), 3) * 1.1, step)
    normals = np.stack([-slope_x, slope_y, np.ones_like(x)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lit = np.clip(normals @ (np.asarray(LIGHT) / np.linalg.norm(LIGHT)), 0, 1)
    lit = (0.45 + 0.5 * lit + 0.12 * lit**30) * (1.0 - 0.35 * (y - bottom) / (top - bottom))
    layers = np.concatenate([np.asarray(TONGUE) * lit[..., None], (reach < 1)[..., None]], axis=-1)
    size = (x.shape[1] // SUPERSAMPLING, x.shape[0] // SUPERSAMPLING)
    small = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
    depth = np.full(size[::-1], TONGUE_TIP - 0.5)
    return np.clip(np.round(255 * small), 0, 255).astype(np.uint8), depth


def chart(head: IctHead) -> dict[str, NDArray[Any]]:
    """The face's normals on a frontal grid.

    Returns:
        neutral (H, W, 3) int8 and delta (K, H, W, 3) int8 in steps of `NORMAL_STEP`, of the shapes
        `shapes` (K,) uint8 (places in BLENDSHAPES): the person's left ones and the middle ones; the
        right ones are their mirror. frame (4,) float32.
    """
    import cv2

    face = head.triangles[np.isin(head.material, ("M_Face", "M_BackHead"))]
    seen = draw(head.vertices, face, CHART_FRAME, pixels_a_unit=1 / CHART_STEP)

    def normals(vertices: Floats) -> Floats:
        spread = _spread(seen.of(vertex_normals(vertices, face), face), seen.hit)
        return np.asarray(cv2.GaussianBlur(spread, (0, 0), CHART_SOFTNESS))

    rest = normals(head.vertices)
    shapes, deltas = [], []
    for place, name in enumerate(BLENDSHAPES):
        change = normals(head.moved(name)) - rest
        if MIRROR[place] >= place and np.abs(change).max() > 0.05:
            shapes.append(place)
            deltas.append(change)
    coded = [np.clip(np.round(n / NORMAL_STEP), -127, 127) for n in (rest, np.stack(deltas))]
    return {
        "neutral": coded[0].astype(np.int8),
        "delta": coded[1].astype(np.int8),
        "shapes": np.asarray(shapes, dtype=np.uint8),
        "frame": np.asarray(CHART_FRAME, dtype=np.float32),
    }


def jaw_motion(head: IctHead) -> NDArray[np.float32]:
    """(4, 3) how the lower front teeth move for jawForward, jawLeft, jawRight, jawOpen."""
    teeth = np.unique(head.triangles[head.material == "M_Teeth"])
    moving = np.linalg.norm(head.delta("jawOpen"), axis=1)[teeth] > 0.05
    front = teeth[moving & (head.vertices[teeth, 2] > 9.0)]
    names = ("jawForward", "jawLeft", "jawRight", "jawOpen")
    return np.stack([head.delta(n)[front].mean(axis=0) for n in names]).astype(np.float32)


def write_assets(head: IctHead, folder: Path) -> None:
    """Write the sprites as PNG and the tables as one safetensors file."""
    import cv2
    from safetensors.numpy import save_file

    tables = chart(head) | {"jaw": jaw_motion(head)}
    frames = {"teeth_upper": UPPER_FRAME, "teeth_lower": LOWER_FRAME, "tongue": TONGUE_FRAME}
    for name, (picture, depth) in teeth_and_tongue(head).items():
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., [2, 1, 0, 3]])
        small = cv2.resize(depth, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        tables[f"{name}.depth"] = small.astype(np.float16)
        tables[f"{name}.frame"] = np.asarray(frames[name], dtype=np.float32)
    tables = {name: np.ascontiguousarray(table) for name, table in tables.items()}
    save_file(tables, folder / "relief.safetensors")


def main() -> None:
    """Make the assets anew."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=SHIPPED)
    given = parser.parse_args()
    write_assets(load_head(given.data / "ict_face" / "ict_face_arkit.npz"), given.out)


if __name__ == "__main__":
    main()
