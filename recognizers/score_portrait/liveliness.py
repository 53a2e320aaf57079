"""Does it live? Blinks and head motion, from re-detected meshes. Letters: T frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.recognizers.score_portrait.lips import EYE_LEFT, EYE_RIGHT, face_on

Double = NDArray[np.float64]

# Upper and lower lid in the mesh, three pairs an eye; corners of the eye.
LEFT_UPPER, LEFT_LOWER, LEFT_CORNERS = (160, 159, 158), (144, 145, 153), (33, 133)
RIGHT_UPPER, RIGHT_LOWER, RIGHT_CORNERS = (385, 386, 387), (380, 374, 373), (362, 263)
SHUT = 0.6  # of the clip's usual opening: 20 to 24 blinks a minute in real clips by either mesh net
USUAL_S = 2.0  # half the stretch over which the usual opening is the 75th percentile
LONGEST_S = 0.5  # longer is closed eyes, not a blink


@dataclass(frozen=True)
class Liveliness:
    """How lively a clip is.

    Attributes:
        blinks_s: when each blink is deepest.
        blinks_per_min: rate.
        head_turn_deg: spread of the head's direction, standard deviation in the picture.
    """

    blinks_s: tuple[float, ...]
    blinks_per_min: float
    head_turn_deg: float


def measure_liveliness(meshes: NDArray[np.floating], *, fps: float) -> Liveliness:
    """Measure a clip of (T, 468 or 478, 3) finite meshes."""
    opening = lid_opening(meshes)
    reach = max(1, round(USUAL_S * fps))
    usual = np.asarray(
        [np.percentile(opening[max(0, t - reach) : t + reach + 1], 75) for t in range(len(opening))]
    )
    shut = opening < SHUT * usual
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shut, [False]]).astype(int)))
    blinks = [
        (first + int(np.argmin(opening[first:last])) + 0.5) / fps
        for first, last in edges.reshape(-1, 2)
        if last - first <= LONGEST_S * fps
    ]
    minutes = len(opening) / fps / 60
    return Liveliness(tuple(blinks), len(blinks) / minutes, _turn_deg(meshes))


def lid_opening(meshes: NDArray[np.floating]) -> Double:
    """(T,) distance of the lids over the eye's width, both eyes' mean."""
    points = face_on(meshes)
    eyes = (
        (LEFT_UPPER, LEFT_LOWER, LEFT_CORNERS),
        (RIGHT_UPPER, RIGHT_LOWER, RIGHT_CORNERS),
    )
    openings = []
    for upper, lower, corners in eyes:
        apart = np.linalg.norm(points[:, upper] - points[:, lower], axis=-1).mean(axis=1)
        wide = np.linalg.norm(points[:, corners[0]] - points[:, corners[1]], axis=-1)
        openings.append(apart / wide)
    return np.asarray(np.mean(openings, axis=0))


def _turn_deg(meshes: NDArray[np.floating]) -> float:
    line = np.asarray(meshes[:, EYE_RIGHT] - meshes[:, EYE_LEFT], dtype=np.float64)
    up = np.asarray(meshes[:, 152] - meshes[:, 10], dtype=np.float64)
    roll = np.arctan2(line[:, 1], line[:, 0])
    yaw = np.arctan2(line[:, 2], np.hypot(line[:, 0], line[:, 1]))
    pitch = np.arctan2(up[:, 2], np.hypot(up[:, 0], up[:, 1]))
    return float(np.degrees(np.sqrt(np.var(roll) + np.var(yaw) + np.var(pitch))))
