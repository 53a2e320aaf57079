"""Measures of made motion, taken without a picture: lips, closures, emotion, strength, courses, jerk."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.conditioning.phones import SpokenPhones
from affetto.emotion import LABELS
from affetto.gen.portrait.motion.expressions import recipe_rows
from affetto.gen.portrait.motion.network import WINDOW
from affetto.gen.portrait.motion.scaling import members
from affetto.motion import CHANNELS, FPS, PLACE, POSE, Motion
from affetto.recognizers.face.arkit import load_basis
from affetto.recognizers.score_portrait.articulation import (
    AFTER_S,
    BEFORE_S,
    CLOSED,
    LONGEST_S,
)
from affetto.recognizers.score_portrait.smoothness import measure_jerk

Rows = NDArray[np.float32]
LIPS = members("lips", "jaw")
GAZE = [PLACE["gazeYaw"], PLACE["gazePitch"]]  # its jumps are laid over at the end
SPEECH_FREE = [place for place in range(len(CHANNELS)) if place not in (*LIPS, *GAZE)]
SEVEN = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
MAX_LAG = 25  # frames
SHUT_GAP = 0.03  # in coefficients of the jaw


def lips_r2(made: Sequence[Motion], taught: Sequence[Motion]) -> float:
    """Share of the teacher's lip and jaw variance that is met, all channels and clips together."""
    errors = sum(
        np.sum((m.values - t.values)[:, LIPS] ** 2) for m, t in zip(made, taught, strict=True)
    )
    every = np.concatenate([t.values[:, LIPS] for t in taught])
    return float(1.0 - errors / np.sum((every - every.mean(axis=0)) ** 2))


def meshes(motion: Motion) -> NDArray[np.float32]:
    """(T, 468, 3) the basis' head with the motion's blendshapes, upright and face-on."""
    basis = load_basis()
    shapes = motion.values[:, :NUM_BLENDSHAPES].astype(np.float32)
    points: NDArray[np.float32] = basis.neutral + np.einsum("ts,smc->tmc", shapes, basis.deltas)
    return points


def lip_gap(motion: Motion) -> NDArray[np.float64]:
    """(T,) what is open between the lips: the jaw less what closes the mouth, and raised lips."""
    gap = motion.channel("jawOpen") - motion.channel("mouthClose")
    for side in ("Left", "Right"):
        for name in ("mouthLowerDown", "mouthUpperUp"):
            gap = gap + 0.1 * motion.channel(name + side)
    opening: NDArray[np.float64] = gap.astype(np.float64)
    return opening


def closed_rate(motion: Motion, phones: SpokenPhones) -> tuple[float, int]:
    """How often the lips are shut at p b m, from a little before to a little after; and of how many."""
    shut = lip_gap(motion) <= SHUT_GAP
    found = []
    for phone in phones:
        if phone.symbol[:1] in CLOSED:
            first = int(max(0.0, phone.start_s - BEFORE_S) * motion.fps)
            last = int((min(phone.end_s, phone.start_s + LONGEST_S) + AFTER_S) * motion.fps)
            found.append(bool(shut[first : last + 1].any()))
    return (float(np.mean(found)) if found else float("nan")), len(found)


def features(motion: Motion) -> NDArray[np.float64]:
    """What the probe reads: the mean over time of all that is not lips, jaw or gaze, and mouth corners."""
    seen: NDArray[np.float64] = motion.values[:, [*SPEECH_FREE, *_CORNERS]].mean(axis=0)
    return seen


_CORNERS = [
    place
    for place, name in enumerate(CHANNELS)
    if name.startswith(("mouthSmile", "mouthFrown", "mouthDimple"))
]


def shown_strength(motion: Motion, label: str) -> NDArray[np.float64]:
    """(T,) how much of a label's recipe shows, by projection: 1 as much as the recipe has."""
    probs = np.zeros(len(LABELS))
    probs[LABELS.index(label)] = 1.0
    recipe = recipe_rows()[LABELS.index(label)]
    free = np.zeros(len(CHANNELS))
    free[[place for place in SPEECH_FREE if place < NUM_BLENDSHAPES]] = 1.0
    recipe = recipe * free
    shown: NDArray[np.float64] = motion.values @ recipe / float(recipe @ recipe)
    return shown


def monotone(shown: Sequence[float]) -> bool:
    """Whether what shows rises with the strength asked (rank correlation of at least .9)."""
    if np.ptp(shown) == 0:
        return False
    return bool(spearmanr(np.arange(len(shown)), shown).statistic >= 0.9)


def course_match(asked: NDArray[np.float64], shown: NDArray[np.float64]) -> tuple[float, float]:
    """Highest correlation over lags within a second, and that lag in seconds (late is positive)."""
    best = max(range(-MAX_LAG, MAX_LAG + 1), key=lambda lag: _correlation(asked, shown, lag))
    return _correlation(asked, shown, best), best / FPS


def jerk_ratios(motion: Motion) -> tuple[float, float]:
    """Jerk in the first ten frames and at the windows' seams, over the clip's median."""
    seams = list(range(WINDOW, len(motion.values) - 4, WINDOW))
    found = measure_jerk(meshes(motion), seams=seams)
    return found.start, found.seams


def head_jerk_ratios(motion: Motion) -> tuple[float, float, float]:
    """Of the head's angles: jerk at the start and at the seams over the median; that median."""
    angles = motion.values[:, [PLACE[name] for name in POSE[:3]]].astype(np.float64)
    third = np.linalg.norm(np.diff(angles, n=3, axis=0), axis=1)
    middle = float(np.median(third[: len(third) // 10 * 10].reshape(-1, 10).mean(axis=1)))
    seams = range(WINDOW, len(angles) - 6, WINDOW)
    near = [third[seam - 5 : seam + 2].mean() for seam in seams]
    at_start = float(third[:10].mean()) / max(middle, 1e-9)
    return at_start, float(np.mean(near)) / max(middle, 1e-9) if near else float("nan"), middle


def _correlation(asked: NDArray[np.float64], shown: NDArray[np.float64], lag: int) -> float:
    first, last = max(0, -lag), min(len(asked), len(asked) - lag)
    a, b = asked[first:last], shown[first + lag : last + lag]
    if a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
