"""The cues of a scene, standardised: brightness, saturation, movement and cutting pace.

Each becomes a course of z scores against ordinary films, smoothed over time. The reference for
frame difference is measured (748 music videos of MuVi-Sync: mean and standard deviation of
log(1 + motion)); the others are design choices near everyday film material, not fitted.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.condition import Conditions
from affetto.emotion import Evidence

Course = NDArray[np.float64]

NEEDED = ("light", "motion", "flow", "scene_offset")
BRIGHTNESS = (0.38, 0.15)  # mean, standard deviation
SATURATION = (0.20, 0.12)
LOG_MOTION = (1.78, 0.92)  # of log(1 + frame difference in 0..255)
LOG_FLOW = (-2.1, 0.9)  # of log(0.02 + frame widths per second)
LOG_SHOT = (1.4, 0.8)  # of log(seconds); shot lengths are about log-normal, 4 s in recent films
FURTHEST = 2.5  # z scores beyond this are held: no film is more than extreme
SMOOTH_S = 2.0  # standard deviation of the Gaussian window
TOLD = 0.75  # z scores from here on are worth telling
WORDS = {
    "brightness": ("dark picture", "bright picture"),
    "saturation": ("pale colours", "saturated colours"),
    "movement": ("little movement", "much movement"),
    "cutting": ("long shots", "fast cutting"),
}


@dataclass(frozen=True)
class Cues:
    """All (T,) z scores in [-2.5, 2.5] except `legible` in [0, 1], the share that can be seen."""

    brightness: Course
    saturation: Course
    movement: Course
    cutting: Course
    legible: Course


def read_cues(video: Conditions, *, duration_s: float) -> Cues:
    """Standardise and smooth the conditions of one film.

    Args:
        video: batch 1; has `NEEDED` (docs/contract.md), all of one rate and length.
        duration_s: of the film, > 0.

    Raises:
        ValueError: a condition is missing, of another length, or a batch.
    """
    missing = [name for name in NEEDED if name not in video]
    if missing:
        raise ValueError(f"conditions lack {', '.join(missing)}; needed are {', '.join(NEEDED)}")
    shapes = {tuple(video[name].mask.shape) for name in NEEDED}
    rates = {video[name].rate_hz for name in NEEDED}
    if len(shapes) != 1 or len(rates) != 1 or next(iter(shapes))[0] != 1 or not duration_s > 0:
        raise ValueError(f"conditions must be one film at one rate, got {shapes} at {rates} Hz")
    rate_hz = next(iter(rates))
    known = np.logical_and.reduce([video[name].mask[0].numpy() for name in NEEDED])
    columns = {name: video[name].values[0].double().numpy() for name in NEEDED}
    light = columns["light"]
    motion = _z(np.log1p(columns["motion"][:, 0]), LOG_MOTION)
    if len(motion) > 1:
        motion[0] = motion[1]  # the first step has no frame before it
    flow = _z(np.log(0.02 + columns["flow"][:, 0]), LOG_FLOW)
    shots = -_z(np.log(_shot_lengths(columns["scene_offset"][:, 0], rate_hz, duration_s)), LOG_SHOT)
    seen = (light[:, 1] > 0.02).astype(np.float64)  # an even surface tells nothing
    return Cues(
        brightness=_smooth(_z(light[:, 0], BRIGHTNESS), known, rate_hz),
        saturation=_smooth(_z(light[:, 2], SATURATION), known, rate_hz),
        movement=_smooth((motion + flow) / 2, known, rate_hz),
        cutting=_smooth(shots, known, rate_hz),
        legible=_smooth(seen, known, rate_hz),
    )


def evidence(cues: Cues, *, rate_hz: float, duration_s: float) -> tuple[Evidence, ...]:
    """Stretches in which a cue stands out, in order of time; weight 1 is extreme throughout."""
    found = []
    for name, (low, high) in WORDS.items():
        course: Course = getattr(cues, name)
        sign = np.sign(course) * (np.abs(course) >= TOLD)
        borders = [0, *(np.flatnonzero(np.diff(sign)) + 1).tolist(), len(course)]
        for begin, end in pairwise(borders):
            if sign[begin]:
                weight = float(np.abs(course[begin:end]).mean()) / FURTHEST
                start_s, end_s = begin / rate_hz, min(duration_s, end / rate_hz)
                cue = high if sign[begin] > 0 else low
                found.append(Evidence(cue, start_s, end_s, round(weight, 3)))
    return tuple(sorted(found, key=lambda item: (item.start_s, -item.weight)))


def _z(values: Course, reference: tuple[float, float]) -> Course:
    mean, deviation = reference
    return np.clip((values - mean) / deviation, -FURTHEST, FURTHEST)


def _smooth(course: Course, known: NDArray[np.bool_], rate_hz: float) -> Course:
    """Gaussian mean over the known neighbours; 0, which is ordinary, where nothing is known."""
    reach = min(len(course), int(np.ceil(3 * SMOOTH_S * rate_hz)))
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SMOOTH_S * rate_hz)) ** 2)
    total = np.convolve(course * known, window)[reach:-reach]
    weight = np.convolve(known.astype(np.float64), window)[reach:-reach]
    mean: Course = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-9)
    return mean


def _shot_lengths(offset_s: Course, rate_hz: float, duration_s: float) -> Course:
    """(T,) seconds of the shot that each step lies in.

    A film without a cut says nothing about its pace when it is shorter than an ordinary shot.
    """
    starts = np.arange(len(offset_s)) / rate_hz - offset_s
    new = np.concatenate([[True], np.diff(starts) > 0.01])
    shot = np.cumsum(new) - 1
    begins = np.append(starts[new], duration_s)
    lengths = np.maximum(np.diff(begins), 0.1)
    if len(lengths) == 1:
        lengths = np.maximum(lengths, np.exp(LOG_SHOT[0]))
    return np.asarray(lengths[shot], dtype=np.float64)
