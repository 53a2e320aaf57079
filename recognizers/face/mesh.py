"""The face mesh: 468 points of a face and its irises, from one picture.

Source: Kartynnik et al. 2019 (face geometry) and Ablavatski et al. 2020 (irises), MediaPipe's nets,
unchanged (see LICENCE_blaze.txt). The view is cut twice: by the detector's box, then by the points
themselves, so that the result does not hang on the detector. Points of the lids and brows are
replaced by those of the iris net, which sees the eyes at twice the size; it is shown a wider view
than MediaPipe shows it, else raised brows leave the view. Who has MediaPipe's face_landmarker.task
may have its mesh net look instead: it sees the lips better.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.recognizers.face.blaze import FaceBox, without_notices
from affetto.recognizers.face.detector import unwarped, upright_square, warped

Floats = NDArray[np.float32]

NUM_MESH_POINTS = 468
NUM_POINTS = 478
VIEW_SIDE = 1.5  # sides of the face's box that the net sees
EYE_VIEW = 3.0  # eye widths that the iris net sees; its own 2.3 cut raised brows off
LOGIT_LIMIT = 50.0
TASK_MEMBER = "face_landmarks_detector.tflite"
OUTER_CORNERS = (33, 263)  # of the eyes: the person's right, the person's left
EYES = ((33, 133), (362, 263))  # corners of each eye, the person's right first
# Which mesh points the iris net's 71 points of a right and a left eye are.
EYE_POINTS = (
    (
        33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110,
        24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232,
        233, 244, 113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118,
        119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
    ),
    (
        263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255,
        339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449,
        450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295,
        372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Mesh:
    """A face's points.

    Attributes:
        points: (478, 3) pixels of the picture: x right, y down, z away from the viewer with 0 near
            the head's middle. 468 of the mesh, then the iris' centre and four points of its rim for
            the person's right eye, then the left.
        presence: how sure the net is that it saw a face, in [0, 1].
    """

    points: Floats
    presence: float

    @property
    def eye_distance_px(self) -> float:
        """Between the outer corners of the eyes, in three dimensions."""
        right, left = (self.points[corner] for corner in OUTER_CORNERS)
        return float(np.linalg.norm(left - right))


class FaceMesh:
    """Both nets, loaded once; not for several threads at a time."""

    def __init__(self, *, task: Path | None = None) -> None:
        """Load the nets that ship in this folder, or the mesh net of a .task file of the user's.

        Raises:
            BadInput: `task` is no such file.
        """
        self.knows_irises = task is not None
        self.mesh = _Net(_shipped("mesh_points") if task is None else _from_task(task))
        self.iris = _Net(_shipped("mesh_iris"))

    def read(self, picture: Picture, face: FaceBox) -> Mesh:
        """The mesh of a face that the detector found.

        Args:
            picture: (H, W, 3) uint8 RGB.
            face: in its pixels.
        """
        points, _ = self._points(picture, face.centre, VIEW_SIDE * face.side, face.roll)
        return self.again(picture, points)

    def again(self, picture: Picture, points: Floats) -> Mesh:
        """The mesh near points (468 or more, 3) known from a look before, as in a video."""
        found, presence = self._points(picture, *_view(points))
        if not self.knows_irises:
            irises = [self._eye(picture, found, eye) for eye in range(len(EYES))]
            found = np.concatenate([found, *irises])
        return Mesh(found.astype(np.float32), presence)

    def _points(
        self, picture: Picture, centre: Floats, side: float, roll: float
    ) -> tuple[Floats, float]:
        transform = upright_square(centre, side, roll, self.mesh.side)
        outputs = self.mesh(warped(picture, transform, self.mesh.side))
        number = NUM_POINTS if self.knows_irises else NUM_MESH_POINTS
        raw = next(out for out in outputs if out.size == 3 * number).reshape(-1, 3)
        logit = next(float(out.ravel()[0]) for out in outputs if out.size == 1)
        depth = raw[:, 2:] * side / self.mesh.side
        points = np.concatenate([unwarped(transform, raw[:, :2]), depth], axis=1)
        return points, 1 / (1 + float(np.exp(-np.clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT))))

    def _eye(self, picture: Picture, points: Floats, eye: int) -> Floats:
        """Write the eye's 71 points into `points`; gives the iris' (5, 3)."""
        first, second = EYES[eye]
        centre: Floats = ((points[first, :2] + points[second, :2]) / 2).astype(np.float32)
        width = float(np.linalg.norm(points[first, :2] - points[second, :2]))
        across = points[OUTER_CORNERS[1], :2] - points[OUTER_CORNERS[0], :2]
        roll = float(np.arctan2(across[1], across[0]))
        transform = upright_square(centre, EYE_VIEW * width, roll, self.iris.side)
        view = warped(picture, transform, self.iris.side)
        mirrored = eye == 1  # the net knows right eyes
        outputs = self.iris(view[:, ::-1] if mirrored else view)
        rim, iris = (
            next(out for out in outputs if out.size == 3 * number).reshape(-1, 3).copy()
            for number in (len(EYE_POINTS[eye]), 5)
        )
        for found in (rim, iris):
            if mirrored:
                found[:, 0] = self.iris.side - found[:, 0]
            found[:, :2] = unwarped(transform, found[:, :2])
        points[list(EYE_POINTS[eye]), :2] = rim[:, :2]
        iris[:, 2] = (points[first, 2] + points[second, 2]) / 2
        return iris


class _Net:
    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with without_notices():
            self.interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self.interpreter.allocate_tensors()
        entry = self.interpreter.get_input_details()[0]
        self.entry, self.side = entry["index"], int(entry["shape"][1])
        self.outputs = [detail["index"] for detail in self.interpreter.get_output_details()]

    def __call__(self, view: Picture) -> list[Floats]:
        """Outputs for a view (side, side, 3) uint8."""
        self.interpreter.set_tensor(self.entry, view[None].astype(np.float32) / 255.0)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(index).copy() for index in self.outputs]


def _shipped(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.tflite").read_bytes()


def _from_task(task: Path) -> bytes:
    try:
        with zipfile.ZipFile(task) as archive:
            return archive.read(TASK_MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"{task} is no MediaPipe face landmarker ({error}); give the path of a "
            "face_landmarker.task, or none to use the nets that ship"
        ) from error


def _view(points: Floats) -> tuple[Floats, float, float]:
    """Centre, side and roll of the square that the net wants to see of a face's points."""
    right, left = (points[corner, :2] for corner in OUTER_CORNERS)
    roll = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    cos, sin = np.cos(roll), np.sin(roll)
    turn = np.asarray([[cos, sin], [-sin, cos]])
    upright = points[:NUM_MESH_POINTS, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = ((low + high) / 2 @ turn).astype(np.float32)
    return centre, VIEW_SIDE * float((high - low).max()), roll
