"""Bar lines moved onto their cuts, the tempo gliding within a hard bound.

The lines that the search found are the start. The best lines minimise squared distances (of lines
and beats to their cuts, of the tempo to an even course) while the beat changes by no more than the
bound from bar to bar: a quadratic programme whose matrix is a narrow band.

Source:
    The alternating direction method of multipliers: Boyd et al. 2011, sections 3.1 and 5.2. Nothing
    was borrowed from an implementation.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_CHANGE = 0.06  # of the tempo, from one bar to the next
_MOST = math.log(1 + MAX_CHANGE) - 1e-6  # a hair less, as times are rounded
CADENCE = 1.05  # the beat of the last bar is so much longer than the one before
MAX_TEMPO = 0.18  # a bar's tempo stays within +-18 % of the wished one
_QUICKEST, _SLOWEST = 0.995 * (1 + MAX_TEMPO), 1.005 * (1 - MAX_TEMPO)
_AIM = 0.056  # what is solved for, so that the linear form of the bound stays inside it
_NEAR_S = 0.010  # a bar line this near to its cut is set on it
_LINE_S, _BEAT_S = 0.001, 0.004  # how far a line or a beat may easily stand from its cut
_CHOSEN_S = 0.00005  # or either from a moment that the user chose
_EASY_CHANGE, _EASY_AWAY = 0.02, 0.02  # of the tempo: from bar to bar, and from what was found
_ROUNDS = 200
_STIFFNESS = 1e5


class Pull(NamedTuple):
    """A cut, or a moment that the user chose, meant to be on a beat; beat 0 is the bar's line."""

    bar: int
    beat: int
    time_s: float
    chosen: bool = False


def glide(lines_s: Array, beats: Array, wished_s: Array, pulls: list[Pull]) -> Array:
    """Bar lines in seconds.

    Args:
        lines_s: (N + 1,) rising, as found; the first and the last stay.
        beats: (N,) beats of the bars.
        wished_s: (N,) the wished length of a beat in each bar; the tempo keeps its course.
        pulls: the cuts that beats shall meet.

    Returns:
        (N + 1,) the lines. The tempo changes by at most 6 % from bar to bar, by 5 % into the last.
    """
    num_bars = len(beats)
    if num_bars < 2:
        return lines_s
    wanted = _Squares(num_bars + 1)
    wanted.add(np.array([0, num_bars]), [np.ones(2)], lines_s[[0, -1]], np.full(2, 1e12))
    if pulls:
        bar = np.array([pull.bar for pull in pulls])
        share = np.array([pull.beat for pull in pulls]) / beats[bar]
        width = np.where(share == 0, _LINE_S, _BEAT_S)
        width[[pull.chosen for pull in pulls]] = _CHOSEN_S
        times_s = np.array([pull.time_s for pull in pulls])
        wanted.add(bar, [1 - share, share], times_s, width**-2.0)
    found = np.diff(lines_s) / (beats * wished_s)
    length = 1 / (beats * wished_s)
    wanted.add(np.arange(num_bars), [-length, length], found, np.full(num_bars, _EASY_AWAY**-2.0))
    even, weight = np.ones(num_bars - 1), np.full(num_bars - 1, _EASY_CHANGE**-2.0)
    even[-1], weight[-1] = 1 / CADENCE, 1e10
    course = _growth(length, even)
    wanted.add(np.arange(num_bars - 1), course, np.zeros(num_bars - 1), weight)
    lines_s = _solved(wanted, lines_s, beats)
    lines_s = _bounded(lines_s, beats, wished_s)
    return _on_cuts(lines_s, beats, wished_s, pulls)


def _growth(per_second: Array, even: Array) -> list[Array]:
    """Rows (one for each inner line): the bar after times `even` less the bar before, scaled."""
    before, after = per_second[:-1], per_second[1:] * even
    return [before, -before - after, after]


class _Squares:
    """A sum of weighted squares of narrow rows: H x = right in the lower band form of scipy."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.band = np.zeros((3, size + 2))
        self.right = np.zeros(size + 2)

    def add(self, first: NDArray[np.int_], row: list[Array], target: Array, weight: Array) -> None:
        """Add weight (row x[first : first + len(row)] - target) ** 2 for each of `first`."""
        for a, left in enumerate(row):
            np.add.at(self.right, first + a, weight * left * target)
            for b in range(a + 1):
                np.add.at(self.band[a - b], first + b, weight * left * row[b])


def _solved(wanted: _Squares, lines_s: Array, beats: Array) -> Array:
    from scipy.linalg import cho_solve_banded, cholesky_banded

    size, first = wanted.size, np.arange(wanted.size - 2)
    beat_s = np.diff(lines_s) / beats
    row = _growth(1 / beats, np.ones(size - 2))
    row = [part / (0.5 * (beat_s[1:] + beat_s[:-1])) for part in row]
    stiff = np.full(size - 2, _STIFFNESS)
    linear = wanted.right.copy()
    wanted.add(first, row, np.zeros(size - 2), stiff)
    factor = (cholesky_banded(wanted.band[:, :size], lower=True), True)
    grown, dual = np.zeros(size - 2), np.zeros(size - 2)
    for _ in range(_ROUNDS):
        right = linear.copy()
        for a, part in enumerate(row):
            right[a : a + size - 2] += stiff * part * (grown - dual)
        lines_s = cho_solve_banded(factor, right[:size])
        change = sum(part * lines_s[a : a + size - 2] for a, part in enumerate(row))
        grown = np.clip(change + dual, -_AIM, _AIM)
        dual += change - grown
        if np.abs(change - grown).max() < 1e-5:
            break
    return lines_s


def _bounded(lines_s: Array, beats: Array, wished_s: Array) -> Array:
    """The nearest course of tempo that keeps the bounds; where they are kept, nothing changes."""
    away = np.clip(np.diff(lines_s) / beats / wished_s, 1 / _QUICKEST, 1 / _SLOWEST)
    course: Array = np.log(away * wished_s)
    slope = _MOST * np.arange(len(beats), dtype=np.float64)
    ends_s = np.cumsum(np.exp(limited(course, slope)) * beats)
    scaled: Array = np.append(0.0, ends_s) * (lines_s[-1] / ends_s[-1])
    return scaled


def limited(course: Array, slope: Array) -> Array:
    """The nearest course (of the largest error) that moves no faster than `slope`.

    Args:
        course: (N,) values.
        slope: (N,) rising; between two places the result differs by at most their difference.
    """
    over = np.maximum.accumulate(course + slope) - slope
    over = (np.maximum.accumulate((over - slope)[::-1]) + slope[::-1])[::-1]
    under = np.minimum.accumulate(course - slope) + slope
    under = (np.minimum.accumulate((under + slope)[::-1]) - slope[::-1])[::-1]
    middle: Array = (over + under) / 2
    return middle


def _on_cuts(lines_s: Array, beats: Array, wished_s: Array, pulls: list[Pull]) -> Array:
    """Lines near their cuts are set on them, the first pulls first, where the bounds allow it."""
    moved = lines_s.copy()
    for bar, beat, time_s, _ in pulls:
        if beat == 0 and abs(time_s - lines_s[bar]) <= _NEAR_S:
            around = slice(max(0, bar - 2), bar + 3)
            tried = moved[around].copy()
            tried[bar - around.start] = time_s
            beat_s = np.diff(tried) / beats[around][: len(tried) - 1]
            tempo = wished_s[around][: len(tried) - 1] / beat_s
            gentle = np.abs(np.diff(np.log(beat_s))).max() <= _MOST
            if gentle and tempo.min() >= _SLOWEST and tempo.max() <= _QUICKEST:
                moved[bar] = time_s
    return moved
