"""The input doctor: why a photo will look bad, before anyone waits for a film.

What can be repaired is repaired elsewhere (crop, roll, lips closed over the teeth) and named here
as done; what cannot work at all is refused.

Thresholds are ours: sizes from how the renderer looks at them, the others from the tuning portraits
blurred, darkened and turned on purpose.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, OUTER_CORNERS, Notice
from affetto.recognizers.face.arkit import FaceFit
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.mesh import Mesh

Floats = NDArray[np.float32]

SMALLEST_PX, SMALL_PX = 40, 160  # sides of the face's box: refused below, warned below
YAW_DEG, PROFILE_DEG, PITCH_DEG, ROLL_DEG, LYING_DEG = 30.0, 55.0, 25.0, 20.0, 75.0
LEAST_PRESENCE, SURE_PRESENCE = 0.3, 0.8
OPEN_MOUTH, WIDE_MOUTH = 0.05, 0.16  # lip gap in eye-corner distances; jawOpen 1 reads .16 to .26
CLOSED_LIDS, BESIDE_CLOSED = 0.16, 0.25  # aperture in widths of the eye; beside a closed one
SMILE = 0.25  # mouthSmile from which a photo smiles
BLUR_SIDE = 128  # pixels at which sharpness is measured
BLURRED = 0.075  # steepest slope against contrast
DARK, BRIGHT = 0.13, 0.30  # median of the face's values; share of them burnt out
LIDS = (((159, 145), (33, 133)), ((386, 374), (362, 263)))


def examine(
    picture: Picture, faces: Sequence[FaceBox], mesh: Mesh, fit: FaceFit, *, face_number: int = 1
) -> list[Notice]:
    """Look for what will go wrong.

    Args:
        picture: (H, W, 3) uint8 RGB, the whole photo.
        faces: found in it, the largest first.
        mesh: of the face that is used, in any crop's pixels.
        fit: of that mesh.
        face_number: which of the faces is used, from 1.

    Returns:
        What will look bad and why, the worst first; empty for a good photo.

    Raises:
        BadInput: it cannot work: no face, far too small, a profile, a photo on its side, or not
            read as a face.
    """
    if not faces:
        raise BadInput(
            "no face was found in the photo: give one that shows a face from the front, upright, "
            "not covered; drawings work where they have eyes, nose and mouth in their places"
        )
    face = faces[face_number - 1]
    pitch, yaw, roll = fit.angles
    _refuse(face, mesh, yaw, roll)
    skin = _skin(picture, face)
    found = [
        _turned(yaw, pitch, roll),
        _mouth(mesh, fit),
        _eyes(mesh),
        _small(face),
        _blurred(skin),
        _lit(skin),
        _hidden(mesh),
        _several(faces, face_number),
    ]
    return [notice for notice in found if notice is not None]


def _refuse(face: FaceBox, mesh: Mesh, yaw: float, roll: float) -> None:
    if face.side < SMALLEST_PX:
        raise BadInput(
            f"the face is {face.side:.0f} pixels wide, at least {SMALLEST_PX} are needed and "
            f"{SMALL_PX} look good: give a larger photo"
        )
    if abs(yaw) > PROFILE_DEG:
        raise BadInput(
            f"the face is turned {abs(yaw):.0f} degrees to the side, at most {PROFILE_DEG:.0f} "
            f"can work and {YAW_DEG:.0f} look good: give a photo from the front"
        )
    if abs(roll) > LYING_DEG:
        raise BadInput(
            f"the photo lies on its side: the head leans by {abs(roll):.0f} degrees, at most "
            f"{LYING_DEG:.0f} can work: turn the photo upright"
        )
    if mesh.presence < LEAST_PRESENCE:
        raise BadInput(
            "what was found is hardly a face (certainty "
            f"{mesh.presence:.2f}, needed {LEAST_PRESENCE}): give a photo that shows a face from "
            "the front, not covered"
        )


def _turned(yaw: float, pitch: float, roll: float) -> Notice | None:
    if abs(yaw) > YAW_DEG:
        return Notice(
            "turned",
            f"the face is turned {abs(yaw):.0f} degrees to the side: beyond {YAW_DEG:.0f} the far "
            "cheek smears when the head moves; take a photo from the front or --head still",
        )
    if abs(pitch) > PITCH_DEG:
        way = "up" if pitch > 0 else "down"
        return Notice(
            "tilted", f"the face looks {abs(pitch):.0f} degrees {way}: mouth and eyes are foreshort"
            "ened and move less than they should",
        )  # fmt: skip
    if abs(roll) > ROLL_DEG:
        return Notice(
            "rolled", f"the head leans by {abs(roll):.0f} degrees: it was read upright and moves "
            "in its own axes",
        )  # fmt: skip
    return None


def _mouth(mesh: Mesh, fit: FaceFit) -> Notice | None:
    gap = lip_gap(mesh.points)
    shapes = fit.coefficients
    smile = (
        shapes[BLENDSHAPES.index("mouthSmileLeft")] + shapes[BLENDSHAPES.index("mouthSmileRight")]
    ) / 2
    if gap > WIDE_MOUTH:
        return Notice(
            "mouth_open", "the mouth is wide open: the lips were closed, which stretches the chin "
            "and cheeks; a photo with closed lips looks far better",
        )  # fmt: skip
    if smile > SMILE:
        over = " over the teeth" if gap > OPEN_MOUTH else ""
        return Notice(
            "smiling", f"the photo smiles: its lips were closed{over} and the smile's folds taken "
            "out once; a neutral photo shows other emotions better",
        )  # fmt: skip
    if gap > OPEN_MOUTH:
        return Notice("lips_parted", "the lips are parted: they were closed once")
    return None


def _eyes(mesh: Mesh) -> Notice | None:
    closed = closed_eyes(mesh.points)
    if closed.all():
        return Notice(
            "eyes_closed", "the eyes are closed: they stay closed, for nobody knows what is "
            "behind the lids; take a photo with open eyes",
        )  # fmt: skip
    if closed.any():
        return Notice("eye_closed", "one eye is closed and stays closed")
    return None


def _small(face: FaceBox) -> Notice | None:
    if face.side >= SMALL_PX:
        return None
    return Notice(
        "small", f"the face is {face.side:.0f} pixels wide, under {SMALL_PX}: the film will be "
        "soft; give a larger photo",
    )  # fmt: skip


def _blurred(skin: Floats) -> Notice | None:
    if sharpness(skin) >= BLURRED:
        return None
    return Notice("blurred", "the face is blurred: teeth and lids were softened to match it")


def _lit(skin: Floats) -> Notice | None:
    values = skin.max(axis=-1)
    if np.median(values) < DARK:
        return Notice("dark", "the face is very dark: brighten the photo, or folds will not show")
    if (values > 0.985).mean() > BRIGHT:
        return Notice("burnt", "much of the face is burnt out to white: it will look flat")
    return None


def _hidden(mesh: Mesh) -> Notice | None:
    if mesh.presence < SURE_PRESENCE:
        return Notice(
            "hidden", f"the face is read with certainty {mesh.presence:.2f} only: a hand, hair, "
            "glasses or a mask may cover part of it, and what covers it will move with it",
        )  # fmt: skip
    return None


def _several(faces: Sequence[FaceBox], number: int) -> Notice | None:
    if len(faces) == 1:
        return None
    sizes = ", ".join(f"{n}: {face.side:.0f} px" for n, face in enumerate(faces[:6], start=1))
    return Notice(
        "several", f"the photo has {len(faces)} faces ({sizes}); number {number} is used, take "
        "another with --face N",
    )  # fmt: skip


def lip_gap(points: Floats) -> float:
    """The inner lips' opening at its widest in outer eye-corner distances, of (468+, 3) points."""
    unit = np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]])
    gaps = np.linalg.norm((points[list(INNER_UPPER)] - points[list(INNER_LOWER)])[:, :2], axis=1)
    return float(gaps.max() / unit)


def lid_apertures(points: Floats) -> Floats:
    """(2,) opening of each eye in its width, the person's right eye first."""
    openings = [
        np.linalg.norm(points[up] - points[low]) / np.linalg.norm(points[a] - points[b])
        for (up, low), (a, b) in LIDS
    ]
    return np.asarray(openings, dtype=np.float32)


def closed_eyes(points: Floats) -> NDArray[np.bool_]:
    """(2,) whether each eye is closed: lids that are nearly shut beside shut ones are, too."""
    apertures = lid_apertures(points)
    limit = BESIDE_CLOSED if apertures.min() < CLOSED_LIDS else CLOSED_LIDS
    closed: NDArray[np.bool_] = apertures < limit
    return closed


def sharpness(skin: Floats) -> float:
    """The steepest slopes per pixel against the contrast, of a face at `BLUR_SIDE` pixels."""
    import cv2

    grey = cv2.cvtColor(skin, cv2.COLOR_RGB2GRAY)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    contrast = max(0.05, float(np.quantile(grey, 0.98) - np.quantile(grey, 0.02)))
    return float(np.quantile(np.hypot(across, down), 0.98)) / contrast


def _skin(picture: Picture, face: FaceBox) -> Floats:
    """(BLUR_SIDE, BLUR_SIDE, 3) in [0, 1] the face's box, never enlarged beyond what is there."""
    import cv2

    height, width = picture.shape[:2]
    low = np.clip(np.floor(face.box[:2]), 0, [width - 2, height - 2]).astype(int)
    high = np.clip(np.ceil(face.box[2:]), low + 2, [width, height]).astype(int)
    part = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
    small = cv2.resize(part, (BLUR_SIDE, BLUR_SIDE), interpolation=cv2.INTER_AREA)
    return (np.asarray(small, dtype=np.float32) / 255).astype(np.float32)
