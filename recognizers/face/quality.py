"""How far a face can be read at all: from its size, blur and turn, and the detector's score."""

import numpy as np

from affetto.recognizers.face.blaze import FaceBox, Floats

# Readable share at these sizes of the box in pixels, and at these sharpnesses of the crop: set by
# judgement (the latter on FER+'s validation faces), held against the accuracy at each size and blur
# in benchmarks/face_clips.py.
SIDES = (6.0, 12.0, 20.0, 40.0)
AT_SIDES = (0.0, 0.4, 0.8, 1.0)
SHARPNESSES = (0.02, 0.08, 0.17, 0.25)
AT_SHARPNESSES = (0.0, 0.4, 0.9, 1.0)
BLUR_SHARE = 1 / 48  # of the crop's side: s.d. of the blur that a sharp crop suffers from
LEAST_SLOPE = 1e-3
TURNS = (0.25, 0.8)  # from here to there a turned face fades
SCORES = (0.6, 0.8)


def presence(face: FaceBox, crop: Floats) -> float:
    """A factor of the confidence in [0, 1], from a face and its crop (S, S), grey in [0, 1].

    A small face's crop is blurred too, so the lesser of size and sharpness counts, not both.
    """
    size = np.interp(face.side, SIDES, AT_SIDES)
    sharp = np.interp(sharpness(crop), SHARPNESSES, AT_SHARPNESSES)
    sure = np.interp(face.score, SCORES, (0.5, 1.0))
    seen = np.interp(turn(face), TURNS, (1.0, 0.3))
    return float(min(size, sharp) * sure * seen)


def sharpness(crop: Floats) -> float:
    """Share of a crop's (S, S) slopes that a little more blur takes away: 0 where it is blurred.

    Crete et al. 2007 blur again and compare the variation of neighbours; we blur as a Gaussian lens
    does, by a 48th of the side, and compare whole crops. About .43 for FER's faces, .17 where these
    are blurred by one pixel of 48, .07 by two. Contrast does not matter.
    """
    import cv2

    before = _slope(crop)
    if before < LEAST_SLOPE:
        return 0.0
    again = cv2.GaussianBlur(crop.astype(np.float32), (0, 0), BLUR_SHARE * len(crop))
    return float(1.0 - _slope(np.asarray(again, dtype=np.float32)) / before)


def _slope(crop: Floats) -> float:
    return float(np.abs(np.diff(crop, axis=0)).mean() + np.abs(np.diff(crop, axis=1)).mean())


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
