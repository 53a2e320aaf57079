"""Portrait: everything about one photo that the renderer needs, computed once.

Letters: S side of the square work picture in pixels; x right, y down, z away from the viewer.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.gen.portrait.render.plate import inpaint_plate
from affetto.recognizers.face.arkit import FaceFit
from affetto.recognizers.face.mesh import Mesh

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int32]

OUTER_CORNERS = (33, 263)  # of the eyes: the person's right, the person's left
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)  # inner lip, viewer's left first
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


@dataclass(frozen=True)
class Notice:
    """Something about a photo that will look bad, and what to do about it."""

    name: str
    text: str


@dataclass(frozen=True)
class Portrait:
    """One photo, understood.

    Attributes:
        photo: (H, W, 3) uint8 RGB, as given.
        box: left, top and side in the photo's pixels of the square that is worked on.
        picture: (S, S, 3) that square at work size.
        neutral: (S, S, 3) the same without expression: lips closed, no smile's folds.
        mesh: of `picture`, in its pixels.
        fit: the photo's pose and expression.
        points: (468, 3) of `neutral`, pixels.
        triangles: (F, 3) of the mesh, eyes and mouth left open.
        deltas_px: (52, 468, 3) what each blendshape at 1 adds to `points`, turned and scaled.
        matte: (S, S) the person's opacity.
        plate: (S, S, 3) the background without the person.
        lip_gap: of the photo at the middle of the lips, in outer eye-corner distances.
        lid_apertures: (2,) of the photo, the person's right eye first, in the same unit.
        irises: (2, 3) centre x, y and radius in pixels, the person's right eye first.
        notices: what will look bad.
    """

    photo: Picture
    box: tuple[int, int, int]
    picture: Picture
    neutral: Picture
    mesh: Mesh
    fit: FaceFit
    points: Floats
    triangles: Indices
    deltas_px: Floats
    matte: Bytes
    plate: Picture
    lip_gap: float
    lid_apertures: Floats
    irises: Floats
    notices: tuple[Notice, ...] = ()

    @property
    def size(self) -> int:
        """Side of the work picture in pixels."""
        return len(self.picture)

    @property
    def eye_distance_px(self) -> float:
        """Between the outer corners of the eyes, as if seen from the front."""
        return eye_distance(self.points)

    def at(self, size: int) -> "Portrait":
        """The same portrait worked at another size; detail comes from the photo itself."""
        import cv2

        if size == self.size:
            return self
        scale = size / self.size
        left, top, side = self.box
        picture = resized(self.photo[top : top + side, left : left + side], size)
        change = cv2.resize(
            self.neutral.astype(np.int16) - self.picture, (size, size),
            interpolation=cv2.INTER_LINEAR,
        )  # fmt: skip
        smooth = resized(self.neutral, size)
        # Where neutralising moved pixels the photo's own fine detail would lie in a wrong place.
        touched = cv2.dilate((np.abs(change).max(axis=-1) > 1).astype(np.uint8), np.ones((5, 5)))
        neutral = np.where(touched[..., None] > 0, smooth, picture)
        matte = np.asarray(cv2.resize(self.matte, (size, size)), dtype=np.uint8)
        return replace(
            self,
            picture=picture,
            neutral=neutral,
            mesh=replace(self.mesh, points=(self.mesh.points * scale).astype(np.float32)),
            fit=replace(
                self.fit, scale=self.fit.scale * scale, shift=self.fit.shift * np.float32(scale)
            ),
            points=(self.points * scale).astype(np.float32),
            deltas_px=(self.deltas_px * scale).astype(np.float32),
            matte=matte,
            plate=inpaint_plate(picture, matte),
            irises=(self.irises * scale).astype(np.float32),
        )


def eye_distance(points: Floats) -> float:
    """Between the outer corners of the eyes of mesh points (468 or more, 3), in their unit."""
    right, left = (points[corner] for corner in OUTER_CORNERS)
    return float(np.linalg.norm(left - right))


def face_down(points: Floats) -> Floats:
    """(2,) unit vector down the face in the picture."""
    right, left = (points[corner, :2] for corner in OUTER_CORNERS)
    across = (left - right) / np.linalg.norm(left - right)
    return np.asarray([-across[1], across[0]], dtype=np.float32)


def resized(picture: Picture, size: int) -> Picture:
    """(size, size[, 3]) of a square picture, averaged where it shrinks."""
    import cv2

    shrinks = size < len(picture)
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=kind), dtype=np.uint8)
