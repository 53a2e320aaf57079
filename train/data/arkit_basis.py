"""Carry the ICT head's shapes over to the 468 mesh points: arkit_basis.safetensors.

    python -m affetto.train.data.arkit_basis --data ../shared/data

The head is drawn from the front, the mesh net looks at the drawing, and every point is bound to the
skin it was found on; the lips' inner points to a drawing with an open jaw, else both lips would be
bound to one. What a shape or an identity mode of the head does to that skin is what it does to the
point. Letters: V vertices of the head, M = 468 points, F triangles.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.clip import Picture
from affetto.recognizers.face.arkit import (
    BASIS_FILE,
    IDENTITY_RIDGE,
    INNER_LOWER,
    INNER_UPPER,
    LIDS,
    RIGID,
    load_basis,
    similarity,
)
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_MESH_POINTS, FaceMesh
from affetto.recognizers.face.picture import read_picture
from affetto.train.data.portrait_assets import IctHead, View, draw, load_head, vertex_normals

Floats = NDArray[np.float64]

FRAME = (-14.0, 14.0, -18.0, 18.0)  # left, right, bottom, top of the drawing in the head's units
PIXELS_A_UNIT = 24.0
JAW_OPEN = 0.5
NUM_MODES = 20  # of identity
# Synthetic people who look neutral; only their mean difference from the head is kept.
NEUTRAL = ("flux_m0001", "flux_m0056", "flux_w0010", "flux_w0077", "flux_w0140")
COLOURS = {
    "M_Face": (205, 160, 140), "M_BackHead": (205, 160, 140), "M_ScleraLeft": (235, 235, 235),
    "M_ScleraRight": (235, 235, 235), "M_IrisLeft": (60, 45, 40), "M_IrisRight": (60, 45, 40),
    "M_Teeth": (225, 220, 205), "M_GumsTongue": (140, 70, 70),
}  # fmt: skip
LIPS = (165, 85, 85)
BROW = (70, 50, 45)


def main() -> None:
    """Write the file beside `affetto.recognizers.face.arkit`."""
    from safetensors.numpy import load_file, save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--neutral", nargs="*", default=NEUTRAL, help="photos in DATA/portraits")
    given = parser.parse_args()
    path = given.data / "ict_face" / "ict_face_arkit.npz"
    with np.load(path) as data:
        modes = data["identity_delta"][:NUM_MODES].astype(np.float64)
    save_file(basis(load_head(path), modes), BASIS_FILE)
    photos = [given.data / "portraits" / f"{name}.jpg" for name in given.neutral]
    tables = load_file(BASIS_FILE)
    tables["neutral"] = (tables["neutral"] + offset(photos)).astype(np.float16)
    save_file(tables, BASIS_FILE)


def offset(photos: Sequence[Path]) -> NDArray[np.float32]:
    """(M, 3) where the mesh net sees neutral people's points, less where the head has them.

    What the modes of identity explain is left out of each photo's difference.
    """
    shapes, detector, mesh = load_basis(), FaceDetector(), FaceMesh()
    modes = shapes.identity.reshape(len(shapes.identity), -1).astype(np.float64)
    rigid, found = list(RIGID), []
    for photo in photos:
        picture = read_picture(photo)
        seen = mesh.read(picture, detector.detect(picture)[0]).points[:NUM_MESH_POINTS]
        head, face = (points[rigid].astype(np.float64) for points in (shapes.neutral, seen))
        scale, turn, shift = similarity(head, face)
        rest = ((seen - shift) @ turn / scale - shapes.neutral).ravel()
        weights = np.linalg.solve(
            modes @ modes.T + IDENTITY_RIDGE * np.eye(len(modes)), modes @ rest
        )
        found.append((rest - weights @ modes).reshape(-1, 3))
    mean = np.mean(found, axis=0)
    mirrored = mean[counterparts(shapes.neutral)] * (-1.0, 1.0, 1.0)
    even: NDArray[np.float32] = ((mean + mirrored) / 2).astype(np.float32)
    return even


def counterparts(neutral: NDArray[np.float32]) -> NDArray[np.int64]:
    """(M,) which point lies where each point's mirror image does, each taken once."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    flipped = neutral * np.asarray([-1.0, 1.0, 1.0])
    taken: NDArray[np.int64] = linear_sum_assignment(cdist(flipped, neutral))[1]
    return taken


def basis(head: IctHead, modes: Floats) -> dict[str, NDArray[np.generic]]:
    """The tables of the file.

    Args:
        head: the reduced ICT head.
        modes: (K, V, 3) of its identity.

    Returns:
        neutral (M, 3), deltas (52, M, 3), identity (K, M, 3) float16, in the head's units: x to the
        viewer's right, y down, z away from the viewer; triangles (F, 3) uint16.
    """
    shut, opened = head.vertices, head.moved("jawOpen", JAW_OPEN)
    skin = head.triangles[head.material == "M_Face"]
    corners, weights = bound(shut, skin, seen_points(head, shut))
    lips = [*INNER_UPPER, *INNER_LOWER]
    jaw = np.abs(head.delta("jawOpen")[:, 1])
    for points, low in ((INNER_UPPER, False), (INNER_LOWER, True)):
        lip = skin[(jaw[skin].mean(axis=1) > LIP_SPLIT * jaw.max()) == low]
        found = bound(opened, lip, seen_points(head, opened)[list(points)])
        corners[list(points)], weights[list(points)] = found

    def at(values: Floats) -> Floats:
        moved: Floats = (values[corners] * weights[..., None]).sum(axis=1) * (1.0, -1.0, -1.0)
        return moved

    apart = at(opened)
    return {
        "neutral": at(shut).astype(np.float16),
        "deltas": np.stack([at(head.delta(name)) for name in BLENDSHAPES]).astype(np.float16),
        "identity": np.stack([at(mode) for mode in modes]).astype(np.float16),
        "triangles": triangles(apart, lips),
    }


LIP_SPLIT = 0.35  # of the jaw's greatest fall: skin that falls more belongs to the lower lip


def seen_points(head: IctHead, vertices: Floats) -> Floats:
    """(M, 2) where the mesh net sees its points, in the head's units from the front."""
    picture = drawing(head, vertices)
    face = FaceDetector().detect(picture)[0]
    pixels = FaceMesh().read(picture, face).points[:NUM_MESH_POINTS, :2].astype(np.float64)
    left, _, _, top = FRAME
    return np.stack([left + pixels[:, 0] / PIXELS_A_UNIT, top - pixels[:, 1] / PIXELS_A_UNIT], 1)


def drawing(head: IctHead, vertices: Floats) -> Picture:
    """(H, W, 3) the head from the front in plain light."""
    shown = np.isin(head.material, list(COLOURS))
    triangles_shown, material = head.triangles[shown], head.material[shown]
    view: View = draw(vertices, triangles_shown, FRAME, pixels_a_unit=PIXELS_A_UNIT)
    normals = view.of(vertex_normals(vertices, triangles_shown), triangles_shown)
    light = np.clip(normals @ np.asarray([0.1, 0.35, 0.93]), 0.0, 1.0)
    colours = np.asarray([COLOURS[name] for name in material], dtype=np.float64)
    picture = colours[view.triangle] * (0.35 + 0.65 * light)[..., None]
    picture[~view.hit] = (120, 130, 140)
    shown_picture: Picture = np.clip(picture, 0, 255).astype(np.uint8)
    return shown_picture


def bound(
    vertices: Floats, skin: NDArray[np.int64], points: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Which vertices (N, 3), and how much of each (N, 3), lie under points (N, 2) of a drawing."""
    from scipy.spatial import cKDTree

    view = draw(vertices, skin, FRAME, pixels_a_unit=PIXELS_A_UNIT)
    rows, columns = np.nonzero(view.hit)
    left, _, _, top = FRAME
    places = np.stack(
        [left + (columns + 0.5) / PIXELS_A_UNIT, top - (rows + 0.5) / PIXELS_A_UNIT], axis=1
    )
    nearest = cKDTree(places).query(points)[1]
    row, column = rows[nearest], columns[nearest]
    return skin[view.triangle[row, column]], view.weights[row, column]


def triangles(points: Floats, lips: Sequence[int]) -> NDArray[np.uint16]:
    """(F, 3) of the mesh (Delaunay from the front), eyes and mouth left open."""
    from scipy.spatial import Delaunay

    holes = [set(lips), *(set(upper + lower) for upper, lower in LIDS)]
    found = Delaunay(points[:, :2]).simplices
    kept = [corners for corners in found if not any(set(corners) <= hole for hole in holes)]
    return np.asarray(kept, dtype=np.uint16)


if __name__ == "__main__":
    main()
