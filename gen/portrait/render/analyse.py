"""From a photo to a Portrait: find the face, crop, measure, cut out, fill in, neutralise."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.gen.portrait.render.doctor import examine
from affetto.gen.portrait.render.lips import sealed
from affetto.gen.portrait.render.neutral import neutralise
from affetto.gen.portrait.render.plate import cut_out, inpaint_plate
from affetto.gen.portrait.render.portrait import (
    INNER_LOWER,
    INNER_UPPER,
    OVAL,
    Portrait,
    eye_distance,
    resized,
)
from affetto.gen.portrait.render.topology import (
    evened,
    layered,
    mesh_triangles,
    respaced,
    stiffened,
)
from affetto.recognizers.face.arkit import ArkitBasis, FaceFit, fit, load_basis
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh

Floats = NDArray[np.float32]

WORK_SIZE = 512
CROP_SIDE = 2.7  # sides of the face's box
CROP_CENTRE = 0.08  # the crop's centre below the box's, in its sides
LIDS = ((159, 145), (386, 374))  # middle of the upper and lower lid, the person's right first
IRIS_CENTRES = (468, 473)


def analyse(
    picture: Picture,
    *,
    face_number: int | None = None,
    work_size: int = WORK_SIZE,
    face_net: Path | None = None,
) -> Portrait:
    """Understand a photo once, for any number of frames.

    Args:
        picture: (H, W, 3) uint8 RGB.
        face_number: which face, counted from 1, the largest first; None takes the largest.
        work_size: side in pixels of the square that is measured.
        face_net: MediaPipe's face_landmarker.task, to look in place of the net that ships.

    Returns:
        The portrait, with notices about what will look bad.

    Raises:
        BadInput: no face, no such face, a photo that cannot work, or no such net.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise BadInput(f"a photo is (H, W, 3) uint8 RGB, got {picture.shape} {picture.dtype}")
    faces = FaceDetector().detect(picture)
    face = _chosen(faces, face_number, picture)
    box = crop_box(picture, face)
    left, top, side = box
    work = resized(picture[top : top + side, left : left + side], work_size)
    scale = work_size / side
    reader = FaceMesh(task=face_net)
    mesh = reader.read(work, _moved(face, left, top, scale))
    basis = load_basis(net="task" if face_net else "shipped")
    fitted = fit(mesh.points, basis)
    notices = examine(picture, faces, mesh, fitted, face_number=face_number or 1)
    neutral, points = neutralise(work, mesh, fitted, reader=reader, basis=basis)
    points = layered(sealed(neutral, points))
    oval = mesh.points[list(OVAL), :2]
    matte = cut_out(work, oval)
    lip_gap, lid_apertures = _apertures(mesh.points)
    return Portrait(
        photo=picture,
        box=box,
        picture=work,
        neutral=neutral,
        mesh=mesh,
        fit=fitted,
        points=points,
        triangles=mesh_triangles(basis.neutral),
        deltas_px=deltas_in_pixels(basis, fitted, points),
        matte=matte,
        plate=inpaint_plate(work, matte),
        lip_gap=lip_gap,
        lid_apertures=lid_apertures,
        irises=_irises(mesh.points),
        notices=tuple(notices),
    )


def crop_box(picture: Picture, face: FaceBox) -> tuple[int, int, int]:
    """Left, top and side of a square with room for hair, neck and shoulders, inside the photo."""
    height, width = picture.shape[:2]
    side = min(round(CROP_SIDE * face.side), height, width)
    middle = face.centre + np.asarray([0, CROP_CENTRE * face.side])
    left = int(np.clip(round(float(middle[0]) - side / 2), 0, width - side))
    top = int(np.clip(round(float(middle[1]) - side / 2), 0, height - side))
    return left, top, side


def deltas_in_pixels(basis: ArkitBasis, fitted: FaceFit, points: Floats) -> Floats:
    """(52, 468, 3) the basis' movements for a photo's points, turned and scaled as its face is."""
    deltas = respaced(evened(basis.deltas), basis.neutral, points)
    deltas = stiffened(layered(deltas))
    return (fitted.scale * deltas @ fitted.rotation.T).astype(np.float32)


def _chosen(faces: list[FaceBox], number: int | None, picture: Picture) -> FaceBox:
    if not faces:
        height, width = picture.shape[:2]
        raise BadInput(
            f"no face was found in the photo ({width} x {height} pixels): give one that shows a "
            "face from the front, upright, not covered, 160 pixels wide or more; drawings work "
            "where they have eyes, nose and mouth in their places"
        )
    wanted = 1 if number is None else number
    if not 1 <= wanted <= len(faces):
        raise BadInput(f"face {wanted} was asked for, the photo has faces 1 to {len(faces)}")
    return faces[wanted - 1]


def _moved(face: FaceBox, left: int, top: int, scale: float) -> FaceBox:
    corner = np.asarray([left, top], dtype=np.float32)
    box = (face.box - np.tile(corner, 2)) * scale
    return FaceBox(box.astype(np.float32), (face.points - corner) * scale, face.score)


def _apertures(points: Floats) -> tuple[float, Floats]:
    """The gap of the lips and those of the lids (2,), in eye-corner distances."""
    unit, middle = eye_distance(points), len(INNER_UPPER) // 2
    gap = np.linalg.norm(points[INNER_LOWER[middle]] - points[INNER_UPPER[middle]])
    lids = [np.linalg.norm(points[low] - points[up]) for up, low in LIDS]
    return float(gap) / unit, np.asarray(lids, dtype=np.float32) / np.float32(unit)


def _irises(points: Floats) -> Floats:
    """(2, 3) centre and radius of both irises in pixels."""
    found = []
    for first in IRIS_CENTRES:
        centre, ring = points[first, :2], points[first + 1 : first + 5, :2]
        found.append([*centre, np.linalg.norm(ring - centre, axis=1).mean()])
    return np.asarray(found, dtype=np.float32)
