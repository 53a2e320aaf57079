"""How far a face can be read at all: from its size, the detector's score, its turn."""

import numpy as np

from affetto.recognizers.face.blaze import FaceBox

# Readable share at these sizes of the box in pixels: set by judgement, held against the accuracy at
# each size in benchmarks/face_clips.py. Blur is not seen: a blurred large face is trusted too much.
SIDES = (6.0, 12.0, 20.0, 40.0)
AT_SIDES = (0.0, 0.4, 0.8, 1.0)
TURNS = (0.25, 0.8)  # from here to there a turned face fades
SCORES = (0.6, 0.8)


def presence(face: FaceBox) -> float:
    """A factor of the confidence in [0, 1]."""
    size = np.interp(face.side, SIDES, AT_SIDES)
    sure = np.interp(face.score, SCORES, (0.5, 1.0))
    seen = np.interp(turn(face), TURNS, (1.0, 0.3))
    return float(size * sure * seen)


def turn(face: FaceBox) -> float:
    """How far the face is turned sideways: the nose's way from between the eyes, 0 frontal.

    In halves of the distance between the ears' points, along the eyes' line; about the sine of
    the angle.
    """
    left, right = face.points[4], face.points[5]
    along = right - left
    width = float(np.linalg.norm(along))
    if width < 1e-3:
        return 1.0
    middle = (left + right) / 2
    return float(abs((face.points[2] - middle) @ along) / width / (width / 2))
