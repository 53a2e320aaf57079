"""Carry the ICT head's shapes over to the 468 mesh points: arkit_basis.safetensors.

    python -m affetto.train.data.arkit_basis --data ../shared/data

The head is drawn from the front a few times, the mesh net looks at the drawings, and every point is
bound to the skin it was found on: the lips' inner points with the jaw open and each lip to its own
skin, the lids' likewise. What a shape or an identity mode of the head does to that skin is what it
does to the point. What the net shows of it is found by `affetto.train.data.mesh_response`, for the
net that ships and for that of MediaPipe's .task file. Letters: V vertices of the head, M = 468
points, F triangles.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from affetto.recognizers.face.arkit import BASIS_FILE, INNER_LOWER, INNER_UPPER, LIDS
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_MESH_POINTS, FaceMesh
from affetto.train.data.face_landmarker import TASK_FILE
from affetto.train.data.ict_head import HeadPainter, Look, random_look
from affetto.train.data.mesh_response import draw_heads, neutral_people, respond, with_people

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Tables = dict[str, NDArray[np.generic]]

PIXELS = 512
JAW_OPEN = 0.35
DRAWINGS = 16  # every second with an open jaw
DRAWN_POSE_DEG = 5.0
LIP_SPLIT = 0.35  # of the jaw's greatest fall: skin that falls more belongs to the lower lip
LID_SPLIT = 0.12  # of a blink's greatest way: skin that goes farther belongs to the upper lid
CANDIDATES = 12  # triangles that are tried for each point
HEADS = 1600  # drawn for what the nets show
# Synthetic people who look neutral, lips closed: how the net sees them and their mirror images on
# average is its neutral face.
NEUTRAL = ("flux_m0001", "flux_m0056", "flux_w0140")


def main() -> None:
    """Write the file beside `affetto.recognizers.face.arkit`."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--neutral", nargs="*", default=NEUTRAL, help="photos in DATA/portraits")
    parser.add_argument("--heads", type=int, default=HEADS, help="that are drawn")
    given = parser.parse_args()
    painter = HeadPainter(given.data / "ict_face" / "ict_face_arkit.npz")
    nets = {"shipped": FaceMesh(), "task": FaceMesh(task=given.data / TASK_FILE)}
    tables = skin_tables(painter, nets["shipped"])
    photos = [given.data / "portraits" / f"{name}.jpg" for name in given.neutral]
    neutral, deltas, modes = (
        tables[name].astype(np.float64) for name in ("neutral", "deltas", "identity")
    )
    for name, drawn in draw_heads(painter, nets, given.heads, seed=1).items():
        response = respond(drawn, neutral, deltas, modes)
        response = with_people(response, neutral_people(nets[name], photos))
        gain = response.gain()
        curvature = gain @ response.seen.reshape(len(gain), -1).T
        tables |= {
            f"{name}.seen_neutral": response.neutral.astype(np.float32),
            f"{name}.seen": response.seen.astype(np.float16),
            f"{name}.seen_pose": response.pose.astype(np.float16),
            f"{name}.gain": gain.astype(np.float16),
            f"{name}.curvature": ((curvature + curvature.T) / 2).astype(np.float32),
        }
    save_file({name: np.ascontiguousarray(table) for name, table in tables.items()}, BASIS_FILE)


def skin_tables(painter: HeadPainter, net: FaceMesh) -> Tables:
    """The head's own tables.

    Returns:
        neutral (M, 3), deltas (52, M, 3), identity (K, M, 3) float16, in the head's units: x to the
        viewer's right, y down, z away from the viewer; triangles (F, 3) uint16.
    """
    places = points_on_skin(painter, net)
    skin = painter.triangles[painter.material == "M_Face"]
    corners, weights = bound(painter.head.vertices, skin, places)
    for points, part in _parts(painter, skin):
        corners[points], weights[points] = bound(painter.head.vertices, part, places[points])

    def at(values: Floats) -> Floats:
        moved: Floats = (values[corners] * weights[..., None]).sum(axis=1) * (1.0, -1.0, -1.0)
        return moved

    neutral = at(painter.head.vertices)
    deltas = np.stack([at(painter.shapes[name]) for name in BLENDSHAPES])
    apart = neutral + JAW_OPEN * deltas[BLENDSHAPES.index("jawOpen")]
    return {
        "neutral": neutral.astype(np.float16),
        "deltas": deltas.astype(np.float16),
        "identity": np.stack([at(mode) for mode in painter.modes]).astype(np.float16),
        "triangles": triangles(apart, [*INNER_UPPER, *INNER_LOWER]),
    }


def points_on_skin(painter: HeadPainter, net: FaceMesh) -> Floats:
    """(M, 3) where on the resting head the net sees its points; both sides alike."""
    rng, found = np.random.default_rng(5), []
    for number in range(DRAWINGS):
        look = random_look(rng, pose_deg=DRAWN_POSE_DEG)
        shut = np.zeros(NUM_BLENDSHAPES)
        shut[BLENDSHAPES.index("jawOpen")] = JAW_OPEN * (number % 2)
        look = replace(look, coefficients=shut, identity=0.4 * look.identity)
        found.append(_looked_up(painter, net, look))
    places: Floats = np.median(found[::2], axis=0)
    inner = [*INNER_UPPER, *INNER_LOWER]
    places[inner] = np.median(found[1::2], axis=0)[inner]
    return (places + places[counterparts(places)] * (-1.0, 1.0, 1.0)) / 2


def counterparts(places: Floats) -> Indices:
    """(M,) which point lies where each point's mirror image does, each taken once."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    mirrored = places * (-1.0, 1.0, 1.0)
    taken: Indices = linear_sum_assignment(cdist(mirrored, places))[1]
    return taken


def bound(vertices: Floats, skin: Indices, places: Floats) -> tuple[Indices, Floats]:
    """The triangle of `skin` (F, 3) nearest to each place (N, 3).

    Returns:
        Its vertices (N, 3) and how much of each (N, 3).
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(vertices[skin].mean(axis=1))
    near = np.asarray(tree.query(places, k=CANDIDATES)[1])
    first, second, third = np.moveaxis(vertices[skin[near]], 2, 0)  # (N, CANDIDATES, 3) each
    along, across, away = second - first, third - first, places[:, None] - first
    aa, ac, cc = (along**2).sum(-1), (along * across).sum(-1), (across**2).sum(-1)
    a, c = (along * away).sum(-1), (across * away).sum(-1)
    area = np.maximum(aa * cc - ac**2, 1e-12)
    u, v = (cc * a - ac * c) / area, (aa * c - ac * a) / area
    weights = np.clip(np.stack([1 - u - v, u, v], axis=-1), 0, None)
    weights /= weights.sum(axis=-1, keepdims=True)
    touched = (weights[..., None] * np.stack([first, second, third], axis=2)).sum(axis=2)
    best = ((touched - places[:, None]) ** 2).sum(axis=-1).argmin(axis=1)
    rows = np.arange(len(places))
    return skin[near[rows, best]], weights[rows, best]


def triangles(points: Floats, lips: Sequence[int]) -> NDArray[np.uint16]:
    """(F, 3) of the mesh (Delaunay from the front), eyes and mouth left open."""
    from scipy.spatial import Delaunay

    holes = [set(lips), *(set(upper + lower) for upper, lower in LIDS)]
    found = Delaunay(points[:, :2]).simplices
    kept = [corners for corners in found if not any(set(corners) <= hole for hole in holes)]
    return np.asarray(kept, dtype=np.uint16)


def _looked_up(painter: HeadPainter, net: FaceMesh, look: Look) -> Floats:
    """(M, 3) places on the resting head behind the net's points."""
    from scipy.spatial import cKDTree

    picture = painter.paint(look, pixels=PIXELS)
    face = FaceDetector().detect(picture)[0]
    points = net.read(picture, face).points[:NUM_MESH_POINTS, :2]
    view, _ = painter.seen(look, pixels=PIXELS)
    skin = np.isin(painter.material[view.triangle], ("M_Face", "M_BackHead"))
    rows, columns = np.nonzero(view.hit & skin)
    nearest = np.asarray(cKDTree(np.stack([columns, rows], axis=1) + 0.5).query(points)[1])
    row, column = rows[nearest], columns[nearest]
    corners = painter.triangles[view.triangle[row, column]]
    places: Floats = np.einsum(
        "nk,nkc->nc", view.weights[row, column], painter.head.vertices[corners]
    )
    return places


def _parts(painter: HeadPainter, skin: Indices) -> list[tuple[list[int], Indices]]:
    """Points of each lip and lid, and the triangles that are theirs."""

    def split(name: str, share: float) -> NDArray[np.bool_]:
        way = np.abs(painter.shapes[name][:, 1])
        moving: NDArray[np.bool_] = way[skin].mean(axis=1) > share * way.max()
        return moving

    low = split("jawOpen", LIP_SPLIT)
    parts = [(list(INNER_UPPER[1:-1]), skin[~low]), (list(INNER_LOWER[1:-1]), skin[low])]
    for side, (upper, lower) in zip(("Right", "Left"), LIDS, strict=True):
        lid = split(f"eyeBlink{side}", LID_SPLIT)
        parts += [(list(upper[1:-1]), skin[lid]), (list(lower[1:-1]), skin[~lid])]
    return parts


if __name__ == "__main__":
    main()
