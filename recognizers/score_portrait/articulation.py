"""Do the lips do what the sounds need, when they need it?

Lips are measured in frames (`lips`), sounds and their times come from the speech alone: known ones
of a synthesizer, or heard by a phone recognizer. Every rate stands beside the same rate with the
sounds moved to wrong times, for a mouth that stays shut always "closes" at p b m; what lies above
that chance is the score. Limits were set on real talking clips (benchmarks/portrait_controls.py):
there the rates are what a camera sees of people, and not 100 %.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.recognizers.score_portrait.lips import Lips

Double = NDArray[np.float64]

# The first letter of an IPA symbol, diacritics taken off -> what the lips do.
CLOSED, LIP_TOOTH, ROUNDED, SPREAD, OPEN = "pbm", "fv", "ouwʊʃʒ", "iɪeɛæjsz", "aɑæʌɐɒ"

# Of the inner lips, in outer eye-corner distances: shut as far as the mesh can tell.
SHUT_GAP = 0.03
COARSE_SHARE = 0.2
# In standard deviations of the clip: how far the lower lip must rise, the corners come together.
RAISED, NARROWED = 0.5, 0.6
# A clip whose lips hardly move is not made lively by dividing by its own spread.
LEAST_SPREAD = {"gap": 0.02, "width": 0.015, "rise": 0.012}
BEFORE_S, AFTER_S, LONGEST_S = 0.04, 0.02, 0.10
ROLLS = 50
MAX_LAG_S, LAG_STEP_S = 0.4, 0.01
# Gap, width and rise that a sound asks for, in standard deviations; phonetic knowledge, rounded.
TARGETS = {
    "closed": (-1.5, -0.5, -1.0), "lip_tooth": (-1.0, -0.5, -1.0), "rounded": (-0.8, -1.5, -0.4),
    "open": (0.8, 0.0, 0.6), "other": (0.2, 0.3, 0.0),
}  # fmt: skip
SMOOTHED_S = 0.05


class Spoken(NamedTuple):
    """One sound of the speech: its IPA symbol and when it is said."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Rate:
    """How often a demand of the sounds is met.

    Attributes:
        rate: share of the sounds in [0, 1]; NaN where there are none.
        chance: the same with all sounds at wrong times, mean over rolls.
        count: sounds.
    """

    rate: float
    chance: float
    count: int

    @property
    def above_chance(self) -> float:
        """The rate less chance."""
        return self.rate - self.chance


def letter(symbol: str) -> str:
    """The first letter of an IPA symbol without its diacritics; "" of an empty one."""
    return unicodedata.normalize("NFD", symbol)[:1].replace("ɡ", "g")


def lip_class(symbol: str) -> str:
    """What the lips do for a sound: one of the names in `TARGETS`."""
    first = letter(symbol)
    if not first:
        return "other"
    for name, letters in (
        ("closed", CLOSED),
        ("lip_tooth", LIP_TOOTH),
        ("rounded", ROUNDED + "ɔ"),
        ("open", OPEN),
    ):
        if first in letters:
            return name
    return "other"


def closure(lips: Lips, sounds: Sequence[Spoken], *, shut_gap: float = SHUT_GAP) -> Rate:
    """Share of p, b, m at which the inner lips touch.

    Args:
        lips: of a clip.
        sounds: said in it.
        shut_gap: up to which lips count as touching; `coarse_shut_gap` for meshes that do not see
            lips touch.
    """
    return _rate(lips.gap <= shut_gap, lips, sounds, CLOSED)


def coarse_shut_gap(lips: Lips) -> float:
    """The gap up to which lips are taken to touch in meshes of `affetto.recognizers.face.mesh`.

    That net leaves shut lips 1 to 5 % of the eyes' distance apart, so the clip's own narrowest gap
    is the start, and a fifth of the way to its wide ones the limit. Real clips: 69 % of p b m at
    37 % by chance, where a finer net sees 80 % at 30 %.
    """
    narrow, wide = np.percentile(lips.gap, [2, 90])
    return max(SHUT_GAP, float(narrow + COARSE_SHARE * (wide - narrow)))


def lip_tooth(lips: Lips, sounds: Sequence[Spoken]) -> Rate:
    """Share of f, v at which the lower lip is raised towards the upper teeth."""
    return _rate(_z(lips.rise, "rise") <= -RAISED, lips, sounds, LIP_TOOTH)


def rounding(lips: Lips, sounds: Sequence[Spoken]) -> Rate:
    """Share of o, u, w, sh at which the mouth is narrower than usual."""
    return _rate(_z(lips.width, "width") <= -NARROWED, lips, sounds, ROUNDED)


def lag_s(lips: Lips, sounds: Sequence[Spoken]) -> tuple[float, float]:
    """How much later than the sound the lips are, and how clearly that shows.

    The course of gap, width and rise that the sounds ask for is laid against the measured one at
    every lag within 0.4 s; the peak is refined by a parabola.

    Returns:
        (seconds, positive where the lips are late; the peak's correlation less the median over
        all lags). (NaN, 0) without a sound.
    """
    if not sounds:
        return float("nan"), 0.0
    measured = np.stack(
        [_z(getattr(lips, name), name) for name in ("gap", "width", "rise")], axis=1
    )
    frames_s = _times(lips)
    steps = round(MAX_LAG_S / LAG_STEP_S)
    lags = np.arange(-steps, steps + 1) * LAG_STEP_S
    fine_s = np.arange(0.0, frames_s[-1] + LAG_STEP_S, LAG_STEP_S)
    asked = asked_course(sounds, fine_s)
    scores = np.empty(len(lags))
    for number, lag in enumerate(lags):
        wanted = np.stack([np.interp(frames_s - lag, fine_s, one) for one in asked.T], axis=1)
        inside = (frames_s - lag >= 0) & (frames_s - lag <= fine_s[-1])
        scores[number] = _correlation(wanted[inside], measured[inside])
    best = int(scores.argmax())
    lag = float(lags[best])
    if 0 < best < len(lags) - 1:
        left, middle, right = scores[best - 1 : best + 2]
        bend = left - 2 * middle + right
        lag += LAG_STEP_S * 0.5 * (left - right) / bend if bend < 0 else 0.0
    return lag, float(scores[best] - np.median(scores))


def asked_course(sounds: Sequence[Spoken], times_s: Double) -> Double:
    """(N, 3) gap, width and rise that the sounds ask for at given times, smoothed."""
    from scipy.ndimage import gaussian_filter1d

    course = np.zeros((len(times_s), 3))
    for sound in sounds:
        end_s = min(sound.end_s, sound.start_s + 2 * LONGEST_S)
        course[(times_s >= sound.start_s) & (times_s < end_s)] = TARGETS[lip_class(sound.symbol)]
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else SMOOTHED_S
    smooth: Double = gaussian_filter1d(course, SMOOTHED_S / step_s, axis=0)
    return smooth


def _rate(met: NDArray[np.bool_], lips: Lips, sounds: Sequence[Spoken], letters: str) -> Rate:
    """`met` (T,) at any frame of a sound's window counts; chance by rolling the whole speech."""
    spans = np.asarray([_window(sound) for sound in sounds if letter(sound.symbol) in letters])
    if not len(spans):
        return Rate(float("nan"), float("nan"), 0)
    length_s = len(met) / lips.fps
    turns = np.linspace(0, length_s, ROLLS + 2)[1:-1]
    by_chance = [_met(met, (spans + turn) % length_s, lips.fps) for turn in turns]
    return Rate(_met(met, spans, lips.fps), float(np.mean(by_chance)), len(spans))


def _window(sound: Spoken) -> tuple[float, float]:
    """When the lips may do it: from a little before the sound to a little after."""
    end_s = min(sound.end_s, sound.start_s + LONGEST_S)
    return sound.start_s - BEFORE_S, end_s + AFTER_S


def _met(met: NDArray[np.bool_], spans: Double, fps: float) -> float:
    """Share of (N, 2) spans with a frame where it is met; a frame stands for its own time."""
    hits = []
    for start_s, end_s in spans:
        first = int(np.floor(start_s * fps))
        last = int(np.floor(end_s * fps)) if end_s >= start_s else first  # rolled over the end
        hits.append(met[np.clip(np.arange(first, last + 1), 0, len(met) - 1)].any())
    return float(np.mean(hits))


def _z(values: Double, name: str) -> Double:
    spread = max(float(values.std()), LEAST_SPREAD[name])
    return np.asarray((values - np.median(values)) / spread)


def _times(lips: Lips) -> Double:
    return np.asarray((np.arange(len(lips.gap)) + 0.5) / lips.fps, dtype=np.float64)


def _correlation(a: Double, b: Double) -> float:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    below = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    shared = (a * b).sum(axis=0)
    return float(np.divide(shared, below, out=np.zeros_like(below), where=below > 1e-9).mean())
