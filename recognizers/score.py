"""How well a recording shows the emotion that was wanted: measures with controls and intervals.

A measure is reported only where it can be trusted on the very input: the wanted course itself,
handed in as if it had been recognized, must beat a constant neutral, the wanted course shuffled in
time and every other emotion. Where it does not (concordance of a constant, a label the judge has no
word for) the metric is 'not usable here' and has no score. Beside every score stand the same
controls made from the recording: a score means something only where it beats them.

Concordance: Lin 1989. Intervals: percentile bootstrap over blocks of time (Kunsch 1989), since
neighbouring seconds are not independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import ANCHORS
from affetto.recognizers.independence import Dependent, Net, check_judge, check_split, losses_of
from affetto.recognizers.metrics import bootstrap, ccc

__all__ = [
    "MEASURES",
    "Dependent",
    "Metric",
    "Net",
    "Score",
    "check_judge",
    "check_split",
    "losses_of",
    "score_track",
]

Double = NDArray[np.float64]
Rows = Double  # (N, 14): valence, arousal, dominance, 11 label probabilities
Measure = Callable[[Rows, Rows], float]

CONFIDENT = 0.05  # steps at which the judge is less confident than this are not judged
BLOCK_S = 5.0
FEWEST_BLOCKS = 4  # below, no interval is given
ROUNDS = 1000
SHUFFLES = 200
MARGIN = 0.05  # by which the wanted course must beat every control for a metric to be usable
EQUALLY = 0.05  # labels wanted within this of the strongest are all right
SAYABLE = 0.5  # share of the wanted labels that the judge must have words for
NEUTRAL = LABELS.index("neutral")


@dataclass(frozen=True)
class Metric:
    """One measure of one recording against one wanted course.

    Attributes:
        name: such as "valence_ccc".
        definition: what it is, its range, which way is better.
        score: None where the metric is not usable on this input; `note` says why.
        interval: 95 %, over blocks of time; None where the recording is too short.
        best_possible: what the wanted course scores against itself.
        controls: name -> what it scores: constant neutral, the recording shuffled in time, the
            recording against other emotions. A control that does not apply is left out.
        beats_controls: whether the score is better than all of them beyond chance; None unknown.
        note: a sentence, or "".
    """

    name: str
    definition: str
    score: float | None
    interval: tuple[float, float] | None
    best_possible: float
    controls: dict[str, float] = field(default_factory=dict)
    beats_controls: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Score:
    """All metrics of one recording against one wanted course.

    Attributes:
        metrics: in the order of `MEASURES`.
        num_steps: compared, one each 1 / rate_hz seconds.
        judged: share of the time in which the judge had anything to judge, [0, 1].
    """

    metrics: tuple[Metric, ...]
    num_steps: int
    judged: float


@dataclass(frozen=True)
class _Kind:
    definition: str
    measure: Measure
    sign: float  # +1 where higher is better, -1 where lower is
    over_time: bool  # needs a wanted course that varies
    by_label: bool  # needs labels that the judge can say


def score_track(
    got: EmotionTrack,
    wanted: EmotionTrack,
    *,
    duration_s: float,
    rate_hz: float = 2.0,
    known: Sequence[bool] = (True,) * len(LABELS),
    seed: int = 0,
) -> Score:
    """Compare a recognized course with a wanted one over [0, duration_s].

    Args:
        got: what a judge recognized in the recording.
        wanted: the request or reference as a track.
        duration_s: > 0, of the stretch that both cover.
        rate_hz: steps per second of the comparison.
        known: (11,) which canonical labels the judge can say at all.
        seed: of shuffles and bootstrap.
    """
    if not (0 < duration_s < np.inf and 0 < rate_hz < np.inf):
        raise ValueError(f"duration_s and rate_hz must be > 0, got {duration_s} and {rate_hz}")
    times = (np.arange(max(1, int(duration_s * rate_hz))) + 0.5) / rate_hz  # (N,)
    heard = got.at(times)
    judged = heard.confidence > CONFIDENT
    blocks = (times / BLOCK_S).astype(np.intp)[judged]
    course = _Course(
        wanted=_rows(wanted.at(times))[judged],
        got=_rows(heard)[judged],
        blocks=blocks,
        known=np.asarray(known, dtype=bool),
        seed=seed,
    )
    metrics = tuple(_metric(name, kind, course) for name, kind in MEASURES.items())
    return Score(metrics, num_steps=len(times), judged=float(judged.mean()))


@dataclass(frozen=True)
class _Course:
    wanted: Rows
    got: Rows
    blocks: NDArray[np.intp]
    known: NDArray[np.bool_]
    seed: int

    def varies(self) -> bool:
        return len(self.wanted) > 1 and bool((self.wanted[:, :2].std(axis=0) > 1e-3).any())


def _metric(name: str, kind: _Kind, course: _Course) -> Metric:
    if not len(course.got):
        return Metric(name, kind.definition, None, None, 0.0, note="nothing there to judge")
    best = kind.measure(course.wanted, course.wanted)
    refusal = _refusal(kind, course, best)
    if refusal:
        return Metric(name, kind.definition, None, None, best, note=f"not usable here: {refusal}")
    score = kind.measure(course.wanted, course.got)
    controls = {
        "constant neutral": kind.measure(course.wanted, _constant(NEUTRAL, len(course.got)))
    }
    shuffled = _shuffled(kind, course) if course.varies() else None
    if shuffled is not None:
        controls["shuffled in time"] = float(np.mean(shuffled))
    others = _other_wanted(course)
    if others and not kind.over_time:
        tried = [kind.measure(_constant(label, len(course.got)), course.got) for label in others]
        controls["best of other emotions"] = kind.sign * max(kind.sign * value for value in tried)
    return Metric(
        name,
        kind.definition,
        score,
        _interval(kind, course),
        best,
        controls,
        _beats(kind, course, score, controls, shuffled),
    )


def _refusal(kind: _Kind, course: _Course, best: float) -> str:
    """Why the metric cannot be used on this input, or "" where it can."""
    wanted = course.wanted
    if kind.over_time and not course.varies():
        return "what is wanted does not change over time"
    if kind.by_label and float(wanted[:, 3:][:, course.known].sum(axis=1).mean()) < SAYABLE:
        top = LABELS[int(wanted[:, 3:].mean(axis=0).argmax())]
        return f"the judge has no word for {top}"
    if not np.isfinite(best):
        return "what is wanted lies too near the middle"
    rivals = {"constant neutral": _constant(NEUTRAL, len(wanted))}
    rivals |= {LABELS[label]: _constant(label, len(wanted)) for label in _other_wanted(course)}
    if kind.over_time:
        rivals["itself shuffled in time"] = wanted[_orders(course, 1)[0]]
    for rival, rows in rivals.items():
        if kind.sign * (best - kind.measure(wanted, rows)) < MARGIN:
            return f"{rival} would score as well as what is wanted"
    return ""


def _other_wanted(course: _Course) -> list[int]:
    """Labels that are nowhere wanted and that the judge can say, neutral left out."""
    most = course.wanted[:, 3:].max(axis=0)
    return [
        label
        for label in range(len(LABELS))
        if label != NEUTRAL and course.known[label] and most[label] < 0.1
    ]


def _interval(kind: _Kind, course: _Course) -> tuple[float, float] | None:
    if len(np.unique(course.blocks)) < FEWEST_BLOCKS:
        return None
    return bootstrap(
        kind.measure, course.wanted, course.got,
        groups=course.blocks, rounds=ROUNDS, seed=course.seed,
    )  # fmt: skip


def _beats(
    kind: _Kind,
    course: _Course,
    score: float,
    controls: dict[str, float],
    shuffled: Double | None,
) -> bool | None:
    """Above neutral in 97.5 % of the bootstrap, above 95 % of shuffles and other emotions."""
    if len(np.unique(course.blocks)) < FEWEST_BLOCKS:
        return None

    def lead(wanted: Rows, got: Rows) -> float:
        neutral = kind.measure(wanted, _constant(NEUTRAL, len(wanted)))
        return kind.sign * (kind.measure(wanted, got) - neutral)

    low, _ = bootstrap(
        lead, course.wanted, course.got, groups=course.blocks, rounds=ROUNDS, seed=course.seed
    )
    by_chance = shuffled is not None and (np.mean(kind.sign * shuffled >= kind.sign * score) > 0.05)
    other = controls.get("best of other emotions")
    above = other is None or kind.sign * (score - other) > 0
    return bool(low > 0 and above and not by_chance)


def _shuffled(kind: _Kind, course: _Course) -> Double:
    """(SHUFFLES,) values of the recording with its blocks of time in random order."""
    return np.asarray(
        [kind.measure(course.wanted, course.got[order]) for order in _orders(course, SHUFFLES)]
    )


def _orders(course: _Course, count: int) -> list[NDArray[np.intp]]:
    rng = np.random.default_rng(course.seed)
    names = np.unique(course.blocks)
    blocks = [np.flatnonzero(course.blocks == name) for name in names]
    if len(blocks) < FEWEST_BLOCKS:  # too short for blocks: single steps
        blocks = [np.asarray([step]) for step in range(len(course.blocks))]
    return [
        np.concatenate([blocks[place] for place in rng.permutation(len(blocks))])
        for _ in range(count)
    ]


def _rows(track: EmotionTrack) -> Rows:
    return np.concatenate([track.vad, track.probs], axis=1).astype(np.float64)


def _constant(label: int, steps: int) -> Rows:
    row = np.concatenate([ANCHORS[label], np.eye(len(LABELS))[label]])
    return np.tile(row.astype(np.float64), (steps, 1))


def _valence_ccc(wanted: Rows, got: Rows) -> float:
    return ccc(wanted[:, 0], got[:, 0])


def _arousal_ccc(wanted: Rows, got: Rows) -> float:
    return ccc(wanted[:, 1], got[:, 1])


def _label_accuracy(wanted: Rows, got: Rows) -> float:
    said = got[:, 3:].argmax(axis=1)  # (N,)
    top = wanted[:, 3:].max(axis=1)
    return float((wanted[np.arange(len(said)), 3 + said] >= top - EQUALLY).mean())


def _shared_probability(wanted: Rows, got: Rows) -> float:
    return float(np.minimum(wanted[:, 3:], got[:, 3:]).sum(axis=1).mean())


def _distance(wanted: Rows, got: Rows) -> float:
    return float(np.hypot(*(wanted[:, :2] - got[:, :2]).T).mean())


MEASURES: dict[str, _Kind] = {
    "label_accuracy": _Kind(
        "share of the time in which the most probable label is the wanted one (in a blend: one of "
        "the strongest); 0 to 1",
        _label_accuracy, 1.0, over_time=False, by_label=True,
    ),
    "shared_probability": _Kind(
        "overlap of recognized and wanted label probabilities, sum of the smaller ones, mean over "
        "time; 0 to 1",
        _shared_probability, 1.0, over_time=False, by_label=True,
    ),
    "va_distance": _Kind(
        "mean distance between recognized and wanted valence and arousal; 0 to 2.83, LOWER is "
        "better",
        _distance, -1.0, over_time=False, by_label=False,
    ),
    "valence_ccc": _Kind(
        "concordance (Lin 1989) of valence over time; -1 to 1, 1 only for equal courses",
        _valence_ccc, 1.0, over_time=True, by_label=False,
    ),
    "arousal_ccc": _Kind(
        "concordance (Lin 1989) of arousal over time; -1 to 1, 1 only for equal courses",
        _arousal_ccc, 1.0, over_time=True, by_label=False,
    ),
}  # fmt: skip
