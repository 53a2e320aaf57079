"""Blendshape coefficients of photographed faces, by MediaPipe's face landmarker.

For preparing data and for measuring alone: the product never needs it. It reads the .task file (a
zip of three tflite nets) of `data.root`/small_weights. The face is found by our own detector; then
as in MediaPipe's graphs: a square 1.5 boxes wide, upright -> 478 landmarks -> 146 of them -> 52
scores. MediaPipe's scores lack tongueOut and have a _neutral, which is dropped.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import unwarped, upright_square, warped

TASK_FILE = Path("small_weights") / "face_landmarker_v2_with_blendshapes.task"
VIEW_SIDE = 1.5  # boxes
MIN_PRESENCE = 0.5
# MediaPipe's order of scores, after _neutral: alphabetical, without tongueOut.
SCORES = tuple(sorted(name for name in BLENDSHAPES if name != "tongueOut"))
# The landmarks that the blendshape net reads (face_blendshapes_graph.cc).
SUBSET = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)  # fmt: skip


class FaceLandmarker:
    """The landmark and the blendshape net of a .task file."""

    def __init__(self, task: Path) -> None:
        """Load them.

        Raises:
            BadInput: there is no such file.
        """
        if not task.is_file():
            raise BadInput(f"no face landmarker at {task}: point data.root to the data folder")
        with zipfile.ZipFile(task) as archive:
            self.landmarks = _interpreter(archive.read("face_landmarks_detector.tflite"))
            self.scores = _interpreter(archive.read("face_blendshapes.tflite"))

    def read(self, picture: Picture, face: FaceBox) -> tuple[NDArray[np.float32], float]:
        """The coefficients of one face.

        Args:
            picture: (H, W, 3) uint8 RGB.
            face: where it is.

        Returns:
            (52,) in [0, 1] in the order of `BLENDSHAPES`, and the net's certainty in [0, 1] that
            this is a face: below `MIN_PRESENCE` MediaPipe would give nothing.
        """
        transform = upright_square(face.centre, VIEW_SIDE * face.side, face.roll, 256)
        view = (warped(picture, transform, 256)[None] / 255.0).astype(np.float32)
        mesh, presence = _run(self.landmarks, view)[:2]
        points = unwarped(transform, mesh.reshape(478, 3)[:, :2])
        scores = _run(self.scores, points[None, list(SUBSET)])[0].reshape(-1)[1:]
        named = dict(zip(SCORES, scores, strict=True))
        values = np.asarray([named.get(name, 0.0) for name in BLENDSHAPES], dtype=np.float32)
        assert values.shape == (NUM_BLENDSHAPES,)
        return values, float(1 / (1 + np.exp(-presence.reshape(-1)[0])))


def _interpreter(content: bytes) -> Any:  # noqa: ANN401
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _run(interpreter: Any, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:  # noqa: ANN401
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
