"""BlazeFace: one small net that finds faces in one square view.

Source: Bazarevsky et al. 2019, BlazeFace; the anchors, the decoding and the weighted suppression
are those of MediaPipe's graphs. The two files beside this one are Google's, unchanged (see
LICENCE_blaze.txt): `blaze_short` looks at 128 x 128 and wants faces that fill a tenth of the view
or more, `blaze_back` looks at 256 x 256 and finds those of a thirtieth.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

Floats = NDArray[np.float32]

MIN_SCORE = 0.5
MERGED_OVERLAP = 0.3  # boxes that overlap more than this are one face
LOGIT_LIMIT = 80.0
NUM_POINTS = 6
NOTICE = b"INFO: "  # how the lines begin that LiteRT writes with no way to ask it not to
_STDERR = Lock()
LAYERS = ((8, 2), (16, 6))  # of the 128 net: (stride, anchors in a cell); doubled for 256


@dataclass(frozen=True)
class FaceBox:
    """One face in a picture, in pixels; right and left are the viewer's.

    Attributes:
        box: (4,) left, top, right, bottom, from above the brows to the chin; may reach beyond the
            picture.
        points: (6, 2) x, y of the left eye, right eye, nose tip, mouth, left ear, right ear.
        score: the net's certainty that this is a face, in [0.5, 1].
    """

    box: Floats
    points: Floats
    score: float

    @property
    def side(self) -> float:
        """The box's mean side in pixels."""
        return float((self.box[2] - self.box[0] + self.box[3] - self.box[1]) / 2)

    @property
    def centre(self) -> Floats:
        """(2,) the box's centre x, y."""
        middle: Floats = ((self.box[:2] + self.box[2:]) / 2).astype(np.float32)
        return middle

    @property
    def roll(self) -> float:
        """How far the eyes' line is turned clockwise on the screen, in radians."""
        dx, dy = self.points[1] - self.points[0]
        return float(np.arctan2(dy, dx))


class BlazeNet:
    """One of the nets; not for several threads at a time."""

    def __init__(self, name: str) -> None:
        """Load `name`.tflite from beside this file."""
        from ai_edge_litert.interpreter import Interpreter

        content = (Path(__file__).parent / f"{name}.tflite").read_bytes()
        with without_notices():
            self.interpreter: Any = Interpreter(model_content=content, num_threads=1)
            self.interpreter.allocate_tensors()
        self.input = self.interpreter.get_input_details()[0]
        self.outputs = [detail["index"] for detail in self.interpreter.get_output_details()]
        self.side = int(self.input["shape"][1])
        self.anchors = _anchors(self.side)

    def find(self, picture: Picture) -> list[FaceBox]:
        """Faces in (H, W, 3) uint8 RGB, which is scaled and padded to the net's square."""
        import cv2

        height, width = picture.shape[:2]
        scale = self.side / max(height, width)
        fitted = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, fitted, interpolation=cv2.INTER_AREA)
        left, top = (self.side - fitted[0]) // 2, (self.side - fitted[1]) // 2
        view = np.full((1, self.side, self.side, 3), -1.0, dtype=np.float32)
        view[0, top : top + fitted[1], left : left + fitted[0]] = small / 127.5 - 1.0
        self.interpreter.set_tensor(self.input["index"], view)
        self.interpreter.invoke()
        raw, logits = (self.interpreter.get_tensor(index)[0] for index in self.outputs)
        scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -LOGIT_LIMIT, LOGIT_LIMIT)))  # (A,)
        sure = scores >= MIN_SCORE
        pairs = raw[sure].reshape(-1, 2 + NUM_POINTS, 2)  # (N, 8, 2): centre, size, points
        anchors = self.anchors[sure][:, None]
        half = pairs[:, 1:2] / 2
        corners = pairs[:, :1] + anchors + np.concatenate([-half, half], axis=1)  # (N, 2, 2)
        places = np.concatenate([corners, pairs[:, 2:] + anchors], axis=1) - (left, top)
        places *= (width / fitted[0], height / fitted[1])  # (N, 8, 2) pixels
        return merged(
            [
                FaceBox(place[:2].reshape(4), place[2:], float(score))
                for place, score in zip(places.astype(np.float32), scores[sure], strict=True)
                if (place[1] > place[0]).all()
            ]
        )


@contextmanager
def without_notices() -> Iterator[None]:
    """Native code's notices do not reach stderr; what else is written there comes a moment later.

    (LiteRT without its default delegate says nothing either, but takes three times as long.)
    """
    with _STDERR, TemporaryFile() as kept:
        try:
            stderr = os.dup(2)
        except OSError:  # it is closed: nothing can be written there
            yield
            return
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            os.write(2, b"".join(line for line in kept if not line.startswith(NOTICE)))


def merged(faces: list[FaceBox]) -> list[FaceBox]:
    """Boxes that overlap become one, their mean weighted by score; the surest first."""
    left = sorted(faces, key=lambda face: -face.score)
    kept = []
    while left:
        boxes = np.stack([face.box for face in left])
        same = overlaps(left[0].box[None], boxes)[0] > MERGED_OVERLAP
        group = [face for face, is_same in zip(left, same, strict=True) if is_same] or left[:1]
        weights = np.asarray([face.score for face in group], dtype=np.float32)
        weights /= weights.sum()
        box = np.tensordot(weights, np.stack([face.box for face in group]), 1)
        points = np.tensordot(weights, np.stack([face.points for face in group]), 1)
        kept.append(FaceBox(box, points, left[0].score))
        left = [face for face, is_same in zip(left, same, strict=True) if not is_same][
            0 if same.any() else 1 :
        ]
    return kept


def overlaps(one: Floats, other: Floats) -> Floats:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)  # (N, M)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (one, other)]
    result: Floats = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)
    return result


def _anchors(side: int) -> Floats:
    """(A, 2) centres in pixels of the net's square, in the order of its outputs."""
    rows = []
    for stride, repeats in LAYERS:
        cells = 128 // stride
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x.ravel(), y.ravel()], axis=1) + 0.5) * (side / cells)
        rows.append(np.repeat(centres, repeats, axis=0))
    return np.concatenate(rows).astype(np.float32)
