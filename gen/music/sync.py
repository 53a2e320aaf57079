"""Bars that meet the picture: beats on the cuts, bar lines on the strongest, an end with the film.

The bars are searched on a fine grid (`tempo_search`), where beats near cuts and bar lines on
prominent cuts are worth something and tempo changes and odd bars cost something; then the lines
are moved onto their cuts while the tempo glides (`tempo_glide`). A moment that the user chose is
worth more than all cuts around it. The tempo that is wished may itself move: time is then counted
in wished beats.

Source:
    The idea of hit points is old craft; EMSYNC (2025) tells a generator how far the next cut is.
    Ours solves for the bars instead. Nothing was borrowed from an implementation.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.keys import Tempo
from affetto.gen.music.tempo_glide import Pull, glide, limited
from affetto.gen.music.tempo_search import CELLS, Rewards, search
from affetto.soundtrack import Bar, Cut

BEATS_PER_BAR = 4
WINDOW_S = 8.0  # "the strongest cut of each 8 s of film"
TOLERANCE_S = 0.040  # what the eye and ear take for together

_REACH_S = 0.055  # how far from a cut a beat is still worth something to it
_BEAT_REWARD = 0.8  # of a beat on a cut
_LINE_REWARD = 1.6  # of a bar line on a cut, besides, times how prominent and strong it is
_POINT_BEAT, _POINT_LINE = 4.0, 8.0  # of a beat, and of a bar line besides, near the user's moment
_POINT_REACH_S = 0.020  # nearer than this they are worth as much again
_WISH_STEP_S = 0.25
_WISH_DRIFT = 0.03  # the wished tempo moves by at most so much over four beats
_LEAST_BEATS = 5.5  # a shorter film is one bar

Array = NDArray[np.float64]


class _Wish(NamedTuple):
    """The wished course: film seconds (N,), and wished beats that have passed there (N,)."""

    times_s: Array
    beats: Array


def plan_bars(
    duration_s: float,
    cuts: Sequence[Cut],
    *,
    bpm: float | Tempo,
    hits: bool = True,
    points_s: Sequence[float] = (),
) -> tuple[Bar, ...]:
    """Tile [0, duration_s] with bars.

    Args:
        duration_s: length of the film, > 0; the last bar ends exactly there.
        cuts: in any order; those outside the film or without a finite strength are ignored.
        bpm: wished quarter notes per minute, > 0, or a function that gives it at a time in
            seconds; its jumps are smoothed. Bars stay within +-18 % of it, mostly within +-12 %; a
            film of up to five beats is one bar of whatever tempo fits.
        hits: False ignores the cuts; without points_s too, the bars have the wished tempo.
        points_s: moments that the user chose, in seconds; bar lines are put on them before any cut
            is thought of, within the same bounds of the tempo.

    Returns:
        Bars in order, without gaps, mostly 4/4 with a 2/4, 3/4 or 5/4 bar where a hit needs it.
        The tempo changes by at most 6 % from bar to bar. With hits, the last is a 4/4 bar, 5 %
        slower (a cadence).

    Raises:
        ValueError: duration_s or bpm is not a positive, finite number.
    """
    wish = _wish(duration_s, bpm)
    num_beats = float(wish.beats[-1])
    if num_beats < _LEAST_BEATS:
        return (Bar(0.0, duration_s, min(BEATS_PER_BAR + 1, max(1, round(num_beats)))),)
    cuts = cuts if hits else ()
    points_s = [time_s for time_s in points_s if 0 < time_s < duration_s]
    found = _search(duration_s, cuts, points_s, wish) if hits or points_s else None
    if found is None:
        return _even_bars(duration_s, wish)
    lines, beats = found
    metres = np.array(beats, dtype=np.float64)
    places = np.array(lines, dtype=np.float64) * (num_beats / lines[-1])
    lines_s = np.interp(places, wish.beats, wish.times_s)
    wished_s = np.diff(lines_s) / np.diff(places)
    pulls = _pulls(lines_s, metres, cuts, points_s)
    return _tiled(glide(lines_s, metres, wished_s, pulls), beats, duration_s)


def _wish(duration_s: float, bpm: float | Tempo) -> _Wish:
    """Beats over time; a wished tempo that moves is held to a slope that bars can follow."""
    num_steps = max(2, math.ceil(duration_s / _WISH_STEP_S) + 1) if callable(bpm) else 2
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise ValueError(f"duration_s must be positive, got {duration_s}")
    times_s = np.linspace(0.0, duration_s, num_steps)
    wished = np.array([bpm(float(t)) if callable(bpm) else bpm for t in times_s])
    if not (np.isfinite(wished).all() and (wished > 0).all()):
        raise ValueError(f"bpm must be positive, got {wished.min()}")
    rates = wished / 60.0
    for _ in range(3 if callable(bpm) else 0):  # the slope is in beats, which the slope moves
        beats = _passed(times_s, rates)
        rates = np.exp(limited(np.log(wished / 60.0), beats * (_WISH_DRIFT / BEATS_PER_BAR)))
    return _Wish(times_s, _passed(times_s, rates))


def _passed(times_s: Array, rates: Array) -> Array:
    steps = (rates[1:] + rates[:-1]) / 2 * np.diff(times_s)
    return np.append(0.0, np.cumsum(steps))


def _search(
    duration_s: float, cuts: Sequence[Cut], points_s: Sequence[float], wish: _Wish
) -> tuple[list[int], list[int]] | None:
    """Bar lines in cells of a wished beat, and the bars' beats."""
    num_cells = round(float(wish.beats[-1]) * CELLS)
    places = np.linspace(0.0, wish.beats[-1], num_cells + 1)
    cells_s = np.interp(places, wish.beats, wish.times_s)
    inside = [cut for cut in cuts if 0 < cut.time_s < duration_s and math.isfinite(cut.strength)]
    times_s = np.array([cut.time_s for cut in inside])
    beat = _near(cells_s, times_s, np.full(len(inside), _BEAT_REWARD))
    line = _near(cells_s, *_candidates(duration_s, inside, duration_s / float(wish.beats[-1])))
    chosen = np.asarray(points_s, dtype=np.float64)
    for reach_s in (_REACH_S, _POINT_REACH_S):
        beat += _near(cells_s, chosen, np.full(len(chosen), _POINT_BEAT), reach_s)
        line += _near(cells_s, chosen, np.full(len(chosen), _POINT_LINE), reach_s)
    pace = np.interp(cells_s, (wish.times_s[1:] + wish.times_s[:-1]) / 2,
                     np.log(np.diff(wish.beats) / np.diff(wish.times_s)))  # fmt: skip
    drift = -CELLS * BEATS_PER_BAR * CELLS * np.gradient(pace)
    return search(Rewards(beat, line, drift))


def _near(cells_s: Array, times_s: Array, worth: Array, reach_s: float = _REACH_S) -> Array:
    """Each cell's share of what the cuts near it are worth: all of it up to half the reach."""
    total = np.zeros(len(cells_s))
    reach = math.ceil(reach_s / float(np.diff(cells_s).min()))
    middle = np.searchsorted(cells_s, times_s)
    for offset in range(-reach - 1, reach + 1):
        cell = np.clip(middle + offset, 0, len(cells_s) - 1)
        share = np.clip(2 - 2 * np.abs(cells_s[cell] - times_s) / reach_s, 0.0, 1.0)
        np.add.at(total, cell, worth * share)
    return total


def _pulls(
    lines_s: Array, metres: Array, cuts: Sequence[Cut], points_s: Sequence[float]
) -> list[Pull]:
    """The beats that are near the user's moments or cuts, those of the strongest first."""
    numbers = [(bar, beat) for bar, metre in enumerate(metres) for beat in range(int(metre))]
    beat_s = np.diff(lines_s) / metres
    beats_s = np.array([lines_s[bar] + beat * beat_s[bar] for bar, beat in numbers])
    pulls: dict[tuple[int, int], tuple[float, float]] = {}  # of a beat: the strongest, its time
    wanted = [(cut.strength, cut.time_s) for cut in cuts if math.isfinite(cut.strength)]
    for strength, time_s in [*((math.inf, time_s) for time_s in points_s), *wanted]:
        if not 0 < time_s < lines_s[-1]:
            continue
        after = int(np.searchsorted(beats_s, time_s))
        beat = min(after - 1, after, key=lambda n: abs(beats_s[min(n, len(beats_s) - 1)] - time_s))
        if beat in (0, len(beats_s)) or abs(beats_s[beat] - time_s) > _REACH_S:
            continue
        found = (strength, -time_s)
        pulls[numbers[beat]] = max(pulls.get(numbers[beat], found), found)
    ordered = sorted(pulls.items(), key=lambda pull: (-pull[1][0], pull[0]))
    return [
        Pull(bar, beat, -minus_s, chosen=strength == math.inf)
        for (bar, beat), (strength, minus_s) in ordered
    ]


def _even_bars(duration_s: float, wish: _Wish) -> tuple[Bar, ...]:
    """Bars of the wished tempo: full ones, unless a whole number of them strains it."""
    total = float(wish.beats[-1])
    full = BEATS_PER_BAR * max(1, round(total / BEATS_PER_BAR))
    num_beats = full if abs(math.log(full / total)) <= 0.04 else round(total)
    rest = num_beats % BEATS_PER_BAR
    metres = [BEATS_PER_BAR] * (num_beats // BEATS_PER_BAR)
    if rest == 1:
        metres[0] += 1
    elif rest:
        metres.insert(0, rest)
    places = np.append(0.0, np.cumsum(metres)) * (total / num_beats)
    return _tiled(np.interp(places, wish.beats, wish.times_s), metres, duration_s)


def _tiled(lines_s: Array, beats: Sequence[int], duration_s: float) -> tuple[Bar, ...]:
    edges_s = [0.0, *lines_s[1:-1].tolist(), duration_s]
    return tuple(Bar(a, b, n) for (a, b), n in zip(pairwise(edges_s), beats, strict=True))


def chord_steps(bars: Sequence[Bar]) -> list[tuple[float, float]]:
    """Where the chords go, (start_s, end_s) each: two beats, the last of an odd bar three."""
    steps: list[tuple[float, float]] = []
    for bar in bars:
        num_steps = max(1, bar.num_beats // 2)
        step_s = 2 * (bar.end_s - bar.start_s) / bar.num_beats
        edges = [bar.start_s + step_s * step for step in range(num_steps)] + [bar.end_s]
        steps += pairwise(edges)
    return steps


def _candidates(duration_s: float, cuts: Sequence[Cut], beat_s: float) -> tuple[Array, Array]:
    """Times (N,) and rewards (N,) of the cuts worth hitting, a beat or more apart."""
    inside = sorted(
        (cut.time_s, cut.strength)
        for cut in cuts
        if 0 < cut.time_s < duration_s and math.isfinite(cut.strength)
    )
    times = [time_s for time_s, _ in inside]
    strengths = [min(max(strength, 0.0), 1.0) for _, strength in inside]
    shares = _prominence(times, strengths)
    rewards = [
        _LINE_REWARD * (p * (0.6 + 0.4 * s) + 0.2 * s)
        for p, s in zip(shares, strengths, strict=True)
    ]
    kept: dict[int, int] = {}  # cell of one beat -> the cut in it
    for index in sorted(range(len(times)), key=lambda index: (-rewards[index], times[index])):
        cell = int(times[index] // beat_s)
        rivals = (kept.get(cell - 1), kept.get(cell), kept.get(cell + 1))
        if all(rival is None or abs(times[rival] - times[index]) >= beat_s for rival in rivals):
            kept[cell] = index
    order = sorted(kept.values(), key=lambda index: times[index])
    return np.array([times[index] for index in order]), np.array([rewards[i] for i in order])


def _prominence(times_s: list[float], strengths: list[float]) -> list[float]:
    """The share of all 8 s stretches around each cut in which no cut is stronger, 0..1."""
    before = _to_stronger(times_s, strengths)
    after = _to_stronger([-time_s for time_s in reversed(times_s)], strengths[::-1])[::-1]
    return [max(0.0, a + b - WINDOW_S) / WINDOW_S for a, b in zip(before, after, strict=True)]


def _to_stronger(times_s: list[float], strengths: list[float]) -> list[float]:
    """Seconds back to the last stronger cut, at most 8."""
    distances: list[float] = []
    stack: list[int] = []
    for index, strength in enumerate(strengths):
        while stack and strengths[stack[-1]] <= strength:
            stack.pop()
        far = times_s[index] - times_s[stack[-1]] if stack else WINDOW_S
        distances.append(min(far, WINDOW_S))
        stack.append(index)
    return distances
