"""A course of emotion in a few words and numbers: over the whole, and by stretches of one label."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_timeline import smooth
from affetto.recognizers.fuse import LEAST_CONFIDENCE

HALF_90 = 1.645  # standard deviations of a normal on each side of a 90 % interval
# Least confidence -> how sure the judge is, in words.
WORDS = ((0.6, "sure"), (0.35, "fairly sure"), (0.15, "unsure"), (LEAST_CONFIDENCE, "very unsure"))
NOTHING = "nothing to judge"
SHORTEST_S = 1.0  # stretches shorter than this belong to their longer neighbour
SMOOTH_S = 0.75


@dataclass(frozen=True)
class Stretch:
    """A stretch of time as one judgement.

    Attributes:
        start_s: where it begins.
        end_s: where it ends.
        label: the most probable canonical label; None where there was nothing to judge.
        share: its probability.
        valence: mean, [-1, 1].
        valence_half: half the width of its 90 % interval for a single moment.
        arousal: as valence.
        arousal_half: as valence_half.
        confidence: mean, [0, 1].
    """

    start_s: float
    end_s: float
    label: str | None
    share: float
    valence: float
    valence_half: float
    arousal: float
    arousal_half: float
    confidence: float

    @property
    def words(self) -> str:
        """How sure the judge is."""
        return confidence_words(self.confidence)


def confidence_words(confidence: float) -> str:
    """A confidence in [0, 1] as words."""
    return next((words for least, words in WORDS if confidence >= least), NOTHING)


def summarize(
    track: EmotionTrack, *, start_s: float, end_s: float, gaps_count: bool = True
) -> Stretch:
    """The steps in [start_s, end_s] (all, if none lies there) as one stretch, by confidence.

    Without `gaps_count` the mean confidence is that of the steps that can be judged, if there are.
    """
    inside = (track.times >= start_s - 1e-6) & (track.times <= end_s + 1e-6)
    steps = np.flatnonzero(inside) if inside.any() else np.arange(len(track.times))
    judged = steps[track.confidence[steps] >= LEAST_CONFIDENCE]
    if not gaps_count and len(judged):
        steps = judged
    sure = track.confidence[steps].astype(np.float64)
    heard = sure.sum() > 0
    weight = sure / sure.sum() if heard else np.full(len(steps), 1 / len(steps))  # (S,)
    probs = weight @ track.probs[steps]
    vad = weight @ track.vad[steps]  # (3,)
    # of one moment: what each step leaves open, and how the steps differ
    variance = weight @ (track.vad_var[steps] + (track.vad[steps] - vad) ** 2)
    half = HALF_90 * np.sqrt(variance)
    top = int(probs.argmax())
    confidence = float(sure.mean())
    return Stretch(
        start_s,
        end_s,
        LABELS[top] if confidence >= LEAST_CONFIDENCE else None,
        float(probs[top]),
        float(vad[0]),
        float(half[0]),
        float(vad[1]),
        float(half[1]),
        confidence,
    )


def stretches(track: EmotionTrack, *, start_s: float, end_s: float) -> list[Stretch]:
    """The course cut where its most probable label (smoothed) changes, from start_s to end_s."""
    if len(track.times) < 2:
        return [summarize(track, start_s=start_s, end_s=end_s)]
    calm = smooth(track, width_s=SMOOTH_S)
    label = np.where(calm.confidence >= LEAST_CONFIDENCE, calm.probs.argmax(axis=1), -1)
    edges = _edges(track, start_s, end_s)
    runs = _runs(label, edges)
    return [summarize(_part(track, a, b), start_s=edges[a], end_s=edges[b]) for a, b in runs]


def _edges(track: EmotionTrack, start_s: float, end_s: float) -> list[float]:
    """(T + 1,) borders between the steps: half way, the outer ones at start_s and end_s."""
    times = [float(time) for time in track.times]
    middles = [(one + two) / 2 for one, two in pairwise(times)]
    return [min(start_s, times[0]), *middles, max(end_s, times[-1])]


def _runs(label: NDArray[np.intp], edges: list[float]) -> list[tuple[int, int]]:
    """Runs of equal labels as (first step, step after); short ones join the longer neighbour."""
    borders = [0, *(np.flatnonzero(np.diff(label)) + 1).tolist(), len(label)]
    runs = list(pairwise(borders))

    def length(run: tuple[int, int]) -> float:
        return edges[run[1]] - edges[run[0]]

    while len(runs) > 1 and length(shortest := min(runs, key=length)) < SHORTEST_S:
        place = runs.index(shortest)
        sides = [side for side in (place - 1, place + 1) if 0 <= side < len(runs)]
        other = max(sides, key=lambda side: length(runs[side]))
        first, last = sorted((place, other))
        runs[first : last + 1] = [(runs[first][0], runs[last][1])]
    joined = [runs[0]]
    for run in runs[1:]:  # neighbours that are alike now
        if _most(label, run) == _most(label, joined[-1]):
            joined[-1] = (joined[-1][0], run[1])
        else:
            joined.append(run)
    return joined


def _most(label: NDArray[np.intp], run: tuple[int, int]) -> int:
    names, counts = np.unique(label[run[0] : run[1]], return_counts=True)
    return int(names[counts.argmax()])


def _part(track: EmotionTrack, first: int, after: int) -> EmotionTrack:
    return track.at(track.times[first:after])
