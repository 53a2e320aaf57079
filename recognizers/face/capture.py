"""Performance capture: the meshes of a filmed face -> Motion.

One person throughout: identity, and what sets this face apart beyond it, are found once over many
frames, so that what is left is movement. What least squares cannot see is measured instead: the lip
gap sets the jaw, the inner brows' height their raising, the lids' aperture the blinks, the irises
the gaze. Only the head is smoothed, and shapes that move slowly; lips and lids never are.

Letters: T frames, M = 468 points.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.errors import BadInput
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.recognizers.face.arkit import (
    INNER_LOWER,
    INNER_UPPER,
    ArkitBasis,
    FaceFit,
    fit_frames,
    unexplained,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FEWEST_SEEN = 0.5  # share of frames that must show a face
SAMPLE = 48  # frames that tell who it is
UPPER_LIP, LOWER_LIP = list(INNER_UPPER[3:8]), list(INNER_LOWER[3:8])  # the middle's pairs
# Corners, upper and lower lid's middle, iris' centre; the person's right eye, then the left.
EYES = (
    (33, 133, (160, 159, 158), (144, 145, 153), 468),
    (362, 263, (385, 386, 387), (380, 374, 373), 473),
)
SIDES = ("Right", "Left")
# Degrees for an iris that moves by an eye's width, over drawn heads (benchmarks/arkit_fit.py).
GAZE_YAW_DEG, GAZE_PITCH_DEG = 135.0, 165.0
OPEN_QUANTILE = 0.75  # of the aperture over a clip: open
SHUT = 0.3  # share of that at which an eye is shut
INNER_BROWS = ((107, 133), (55, 133), (336, 362), (285, 362))  # each over its eye's inner corner
BROW_REST = 0.3  # quantile of their height over a clip: at rest
BROW_RISE = 0.53  # basis units that browInnerUp raises them by
BLINK_S = 0.5  # no blink is longer; what is, is a lid that rests lower
HEAD_SMOOTHING = np.asarray([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
SLOW_SMOOTHING = np.asarray([1.0, 2.0, 1.0]) / 4
SLOW = tuple(
    place
    for place, name in enumerate(BLENDSHAPES)
    if name.startswith(("brow", "cheek", "nose", "eyeSquint", "eyeWide"))
)
CAMERA = 7.0  # its distance in eye-corner distances, as people are filmed


def capture_motion(meshes: Floats, basis: ArkitBasis, *, fps: float) -> Motion:
    """A person's motion.

    Args:
        meshes: (T, 478, 3) pixels, as `affetto.recognizers.face.mesh` gives them; a frame without
            a face is NaN.
        basis: of the net that made them.
        fps: frames per second.

    Returns:
        T frames at `fps`. The head's pose and the gaze are relative to the clip's median.

    Raises:
        BadInput: fewer than half of the frames show a face.
    """
    seen = np.asarray(np.isfinite(meshes).all(axis=(1, 2)))
    if not len(seen) or seen.mean() < FEWEST_SEEN:
        raise BadInput(
            f"a face was found in {seen.sum()} of {len(seen)} frames; capture needs at least "
            f"{FEWEST_SEEN:.0%}: give a clip in which one face stays in the picture"
        )
    faces = meshes[seen]
    identity, own = who(faces, basis)
    fits = fit_frames(faces, basis, identity=identity, own=own)
    found = np.zeros((len(faces), len(CHANNELS)))
    found[:, : len(BLENDSHAPES)] = np.stack([one.coefficients for one in fits])
    found[:, PLACE["jawOpen"]] = jaw_by_gap(faces, fits, basis, own)
    found[:, PLACE["browInnerUp"]] = inner_brows(faces, fits)
    found[:, PLACE["headPitch"] : PLACE["headForward"] + 1] = head(faces, fits)
    values = np.empty((len(meshes), len(CHANNELS)))
    frames = np.arange(len(meshes))
    for place in range(len(CHANNELS)):
        values[:, place] = np.interp(frames, frames[seen], found[:, place])
    values[:, PLACE["headPitch"] : PLACE["headForward"] + 1] = smoothed(
        values[:, PLACE["headPitch"] : PLACE["headForward"] + 1], HEAD_SMOOTHING
    )
    values[:, SLOW] = smoothed(values[:, SLOW], SLOW_SMOOTHING)
    _eyes(values, meshes, seen, fps)
    return Motion(values.astype(np.float32), fps)


def who(faces: Floats, basis: ArkitBasis) -> tuple[Floats, Floats]:
    """Identity (K,) of faces (T, 468 or more, 3) of one person, and what sets it apart (M, 3)."""
    chosen = faces[np.unique(np.linspace(0, len(faces) - 1, SAMPLE).round().astype(int))]
    identity: Floats = np.median([one.identity for one in fit_frames(chosen, basis)], axis=0)
    fits = fit_frames(chosen, basis, identity=identity)
    rest = [
        unexplained(face[: len(basis.neutral)], one, basis)
        for face, one in zip(chosen, fits, strict=True)
    ]
    return identity, np.median(rest, axis=0).astype(np.float32)


def jaw_by_gap(faces: Floats, fits: list[FaceFit], basis: ArkitBasis, own: Floats) -> Doubles:
    """(T,) jawOpen with which the lips are as far apart as they were seen."""

    def gap(points: Floats) -> float:
        return float((points[..., LOWER_LIP, 1] - points[..., UPPER_LIP, 1]).mean())

    place = BLENDSHAPES.index("jawOpen")
    opened = gap(basis.seen[place])
    jaw = []
    for face, one in zip(faces, fits, strict=True):
        left = gap(unexplained(face[: len(own)], one, basis) - own)
        jaw.append(one.coefficients[place] + left / opened)
    return np.clip(np.asarray(jaw, dtype=np.float64), 0.0, 1.0)


def inner_brows(faces: Floats, fits: list[FaceFit]) -> Doubles:
    """(T,) browInnerUp by how high the inner brows stand over the eyes' corners."""
    high, low = (list(points) for points in zip(*INNER_BROWS, strict=True))
    height = np.linalg.norm(faces[:, high] - faces[:, low], axis=2).mean(axis=1)
    height = height / np.asarray([one.scale for one in fits])
    rise: Doubles = np.clip((height - np.quantile(height, BROW_REST)) / BROW_RISE, 0.0, 1.0)
    return rise


def head(faces: Floats, fits: list[FaceFit]) -> Doubles:
    """(T, 6) pitch, yaw, roll in degrees; right, up, forward in eye-corner distances."""
    angles = np.asarray([one.angles for one in fits])
    unit = np.median(np.linalg.norm(faces[:, 263] - faces[:, 33], axis=1))
    scale = np.asarray([one.scale for one in fits])
    places = np.asarray([one.shift[:2] for one in fits]) * (1.0, -1.0) / unit
    forward = CAMERA * (scale / np.median(scale) - 1.0)
    pose: Doubles = np.concatenate([angles, places, forward[:, None]], axis=1)
    return pose - np.median(pose, axis=0)


def lid_apertures(faces: Floats) -> Doubles:
    """(T, 2) between the lids in widths of the eye, of faces (T, 468 or more, 3)."""
    apertures = []
    for inner, outer, upper, lower, _ in EYES:
        width = np.linalg.norm((faces[:, outer] - faces[:, inner])[:, :2], axis=1)
        gaps = faces[:, list(lower)] - faces[:, list(upper)]
        apertures.append(np.linalg.norm(gaps[..., :2], axis=2).mean(axis=1) / width)
    return np.stack(apertures, axis=1).astype(np.float64)


def gaze(faces: Floats) -> Doubles:
    """(T, 2) yaw to the person's left and pitch up in degrees, of both eyes together (T, 478, 3).

    Relative to the head, but where straight ahead lies differs from person to person.
    """
    angles = []
    for first, second, _, _, iris in EYES:
        across = (faces[:, second] - faces[:, first])[:, :2].astype(np.float64)
        width = np.linalg.norm(across, axis=1)
        across /= width[:, None]
        down = np.stack([-across[:, 1], across[:, 0]], axis=1)
        offset = faces[:, iris, :2] - (faces[:, first, :2] + faces[:, second, :2]) / 2
        yaw = GAZE_YAW_DEG * (offset * across).sum(axis=1) / width
        pitch = -GAZE_PITCH_DEG * (offset * down).sum(axis=1) / width
        angles.append(np.stack([yaw, pitch], axis=1))
    both: Doubles = np.mean(angles, axis=0)
    return both


def lids(apertures: Doubles, *, fps: float) -> tuple[Doubles, Doubles]:
    """Blinks in [0, 1] and lids at rest in [-1, 0.3], both (T, 2), from apertures (T, 2).

    What is lower than a lid has been for half a second round about is a blink, the rest how it
    rests.
    """
    from scipy.ndimage import grey_closing, median_filter

    opened = np.quantile(apertures, OPEN_QUANTILE, axis=0)
    openness = (apertures / opened - SHUT) / (1 - SHUT)
    span = 2 * round(BLINK_S * fps / 2) + 1
    resting = np.stack([grey_closing(column, size=(span,)) for column in openness.T], axis=1)
    resting = np.stack([median_filter(column, size=span) for column in resting.T], axis=1)
    resting = np.clip(resting, 0.0, 1.3)
    blinks = 1 - np.clip(openness, 0.0, None) / np.maximum(resting, 0.15)
    return np.clip(blinks, 0.0, 1.0), resting - 1.0


def smoothed(values: Doubles, kernel: Doubles) -> Doubles:
    """(T, C) values, each frame with its neighbours; the ends stand."""
    from scipy.ndimage import convolve1d

    result: Doubles = convolve1d(values, kernel, axis=0, mode="nearest")
    return result


def _eyes(values: Doubles, meshes: Floats, seen: NDArray[np.bool_], fps: float) -> None:
    """Write blinks, resting lids and gaze into `values` (T, 62)."""
    frames = np.arange(len(meshes))
    faces = meshes[seen]

    def filled(columns: Doubles) -> Doubles:
        return np.stack([np.interp(frames, frames[seen], column) for column in columns.T], axis=1)

    blinks, resting = lids(filled(lid_apertures(faces)), fps=fps)
    looking = filled(gaze(faces))
    shut = blinks.max(axis=1) > 0.4
    if not shut.all():  # irises are not seen behind lids
        for column in looking.T:
            column[shut] = np.interp(frames[shut], frames[~shut], column[~shut])
    looking -= np.median(looking, axis=0)
    for side, name in enumerate(SIDES):
        values[:, PLACE[f"eyeBlink{name}"]] = blinks[:, side]
        values[:, PLACE[f"lid{name}"]] = resting[:, side]
    values[:, PLACE["gazeYaw"]] = np.clip(looking[:, 0], -35.0, 35.0)
    values[:, PLACE["gazePitch"]] = np.clip(looking[:, 1], -30.0, 30.0)
