"""Bars that meet the picture: downbeats on the strongest cuts, and a last bar that ends the film.

Cuts are the candidates for hits. A dynamic programme walks over them and chooses the subset, and
the number of beats between neighbours, with the most reward (how prominent the chosen cuts are)
less strain (tempo away from the asked one, tempo changes, bars that are not 4/4). Between two hits
the tempo then glides from bar to bar. As in film scoring, an odd bar stands right before the hit
that it makes possible.

Source:
    The idea of hit points is old craft; EMSYNC (2025) tells a generator how far the next cut is.
    Ours solves the bars exactly instead, so that a chosen cut has error 0. Nothing was borrowed
    from an implementation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.keys import Tempo
from affetto.soundtrack import Bar, Cut

BEATS_PER_BAR = 4
WINDOW_S = 8.0  # "the strongest cut of each 8 s of film"
TOLERANCE_S = 0.060
EASY_TEMPO = 0.12  # up to here a tempo change costs little
MAX_TEMPO = 0.18  # and here is the end: a bar's tempo stays within +-18 % of the asked one
CADENCE = 1.08  # the last bar of a film with hits is this much slower

# Strains, on the scale where hitting a film's most prominent cut is worth 1.2.
_TEMPO_COST = 0.10
_HARD_TEMPO_COST = 0.25
_CHANGE_COST = 0.06
_ODD_BAR_COST = np.array([0.0, 0.25, 0.12, 0.17])  # by beats modulo 4: none, 5/4, 2/4, 3/4
_PREDECESSORS = 16
_TEMPO_BINS = 13
_GLIDE_ROUNDS = 6

Array = NDArray[np.float64]


class _Segment(NamedTuple):
    """From one hit (or the start) to the next (or the end)."""

    start_s: float
    end_s: float
    num_beats: int
    is_last: bool


@dataclass(frozen=True)
class Alignment:
    """How well bars meet cuts.

    Attributes:
        errors_s: (C,) seconds from each cut, in order of time, to the nearest bar line, >= 0.
        strongest_hit_share: share of the 8 s windows with a cut in them whose strongest cut (of
            several as strong: any) lies within 60 ms of a bar line; None without cuts.
        chance_share: share of the film's time that lies within 60 ms of a bar line: what cuts at
            random would get.
    """

    errors_s: Array
    strongest_hit_share: float | None
    chance_share: float


def plan_bars(
    duration_s: float, cuts: Sequence[Cut], *, bpm: float | Tempo, hits: bool = True
) -> tuple[Bar, ...]:
    """Tile [0, duration_s] with bars.

    Args:
        duration_s: length of the film, > 0; the last bar ends exactly there.
        cuts: in any order; those outside the film or without a finite strength are ignored, of
            those closer than a beat one can be hit.
        bpm: wished quarter notes per minute, > 0. Bars stay within +-18 % of it, mostly within
            +-12 %; a film shorter than four beats is one bar of whatever tempo fits.
        hits: False gives bars of one constant tempo that end with the film and ignore the cuts.

    Returns:
        Bars in order, without gaps, mostly 4/4 with a 2/4, 3/4 or 5/4 bar where a hit needs it.
        With hits, the last is a 4/4 bar, 8 % slower (a cadence); only films of up to five beats
        have to end otherwise.

    Raises:
        ValueError: duration_s or bpm is not a positive, finite number.
    """
    if callable(bpm):
        return _warped(duration_s, cuts, bpm, hits=hits)
    if not (math.isfinite(duration_s) and duration_s > 0 and math.isfinite(bpm) and bpm > 0):
        raise ValueError(f"duration_s and bpm must be positive, got {duration_s} and {bpm}")
    beat_s = 60.0 / bpm
    if duration_s < BEATS_PER_BAR * beat_s * (1 + MAX_TEMPO):
        num_beats = min(BEATS_PER_BAR, max(1, round(duration_s / beat_s)))
        return (Bar(0.0, duration_s, num_beats),)
    if not hits:
        num_beats = _plain_beats(duration_s / beat_s)
        return _bars([_Segment(0.0, duration_s, num_beats, True)], beat_s, cadence=1.0)
    times_s, rewards = _candidates(duration_s, cuts, beat_s)
    return _bars(_choose(duration_s, times_s, rewards, beat_s), beat_s, cadence=CADENCE)


def _warped(duration_s: float, cuts: Sequence[Cut], bpm: Tempo, *, hits: bool) -> tuple[Bar, ...]:
    """Bars under a tempo that moves: planned at 60 where a second is a wished beat, bent back."""
    times_s = np.linspace(0.0, duration_s, max(2, math.ceil(4 * duration_s)))
    rates = np.array([bpm(time_s) / 60.0 for time_s in times_s])
    beats = np.concatenate([[0.0], np.cumsum((rates[1:] + rates[:-1]) / 2 * np.diff(times_s))])
    places = [
        Cut(float(np.interp(c.time_s, times_s, beats)), c.strength)
        for c in cuts
        if 0 < c.time_s < duration_s
    ]
    plan = plan_bars(float(beats[-1]), places, bpm=60.0, hits=hits)
    lines_s = np.interp([bar.start_s for bar in plan] + [plan[-1].end_s], beats, times_s)
    lines_s[-1] = duration_s
    return tuple(
        Bar(float(a), float(b), bar.num_beats)
        for (a, b), bar in zip(pairwise(lines_s), plan, strict=True)
    )


def alignment(bars: Sequence[Bar], cuts: Sequence[Cut]) -> Alignment:
    """Measure how the bar lines (every bar's start, and the end of the film) meet the cuts.

    Args:
        bars: as from `plan_bars`, at least one.
        cuts: in any order; those outside the film are ignored.
    """
    lines_s = np.array([bar.start_s for bar in bars] + [bars[-1].end_s])
    duration_s = lines_s[-1]
    ordered = sorted((cut.time_s, cut.strength) for cut in cuts if 0 <= cut.time_s <= duration_s)
    times_s = np.array([time_s for time_s, _ in ordered])
    right = np.clip(np.searchsorted(lines_s, times_s), 1, len(lines_s) - 1)
    errors_s = np.minimum(np.abs(times_s - lines_s[right - 1]), np.abs(lines_s[right] - times_s))
    nearest: dict[int, tuple[float, float]] = {}  # window -> (-strength, error) of its strongest
    for (time_s, strength), error_s in zip(ordered, errors_s.tolist(), strict=True):
        window = int(time_s // WINDOW_S)
        found = (-strength, error_s)
        nearest[window] = min(nearest.get(window, found), found)
    share = None
    if nearest:
        share = float(np.mean([error_s <= TOLERANCE_S for _, error_s in nearest.values()]))
    near_s = 2 * TOLERANCE_S + np.minimum(np.diff(lines_s) - 2 * TOLERANCE_S, 0)
    return Alignment(errors_s, share, float(near_s.sum() / duration_s))


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
    rewards = [p * (0.6 + 0.4 * s) + 0.2 * s for p, s in zip(shares, strengths, strict=True)]
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


def _beat_options(length: Array) -> Array:
    """(K,) lengths in beats -> (K, 4) options: two nearest whole numbers, two nearest in 4/4."""
    down, down4 = np.floor(length), BEATS_PER_BAR * np.floor(length / BEATS_PER_BAR)
    return np.stack([down, down + 1, down4, down4 + BEATS_PER_BAR], axis=1)


def _strain(ratio: Array, num_beats: Array) -> Array:
    """Cost of a tempo ratio and of the odd bar that this number of beats needs."""
    away = np.abs(np.log(np.maximum(ratio, 1e-9)))
    hard = np.maximum(away - EASY_TEMPO, 0) / (MAX_TEMPO - EASY_TEMPO)
    odd = _ODD_BAR_COST[num_beats.astype(int) % BEATS_PER_BAR]
    strain: Array = _TEMPO_COST * (away / EASY_TEMPO) ** 2 + _HARD_TEMPO_COST * hard + odd
    return strain


def _choose(duration_s: float, times_s: Array, rewards: Array, beat_s: float) -> list[_Segment]:
    """The best chain of hits from 0 to the end; the state is (cut, tempo of the segment before)."""
    nodes_s = np.concatenate([[0.0], times_s, [duration_s]])
    gains = np.concatenate([[0.0], rewards, [0.0]])
    num_nodes, last = len(nodes_s), len(nodes_s) - 1
    cost = np.full((num_nodes, _TEMPO_BINS), np.inf)
    cost[0] = 0.0
    bins = np.linspace(math.log(1 - MAX_TEMPO), math.log(1 + MAX_TEMPO), _TEMPO_BINS)  # log ratio
    came_from = np.zeros((num_nodes, _TEMPO_BINS, 3), dtype=int)  # node, its bin, beats since
    for node in range(1, num_nodes):
        first = max(0, node - _PREDECESSORS)
        length = (nodes_s[node] - nodes_s[first:node]) / beat_s  # (K,) beats at the asked tempo
        beats = _beat_options(length)  # (K, 4)
        slower = BEATS_PER_BAR * (CADENCE - 1) if node == last else 0.0
        ratio = (beats + slower) / length[:, None]
        lowest = (1 - MAX_TEMPO) * (CADENCE if node == last else 1.0)
        allowed = (ratio >= lowest) & (ratio <= 1 + MAX_TEMPO)
        allowed &= beats >= (BEATS_PER_BAR if node == last else 2)
        if node == last:  # the last bar is a full 4/4, unless the whole film is five beats
            allowed &= (beats != BEATS_PER_BAR + 1) | (np.arange(first, node) == 0)[:, None]
        step, option = np.nonzero(allowed)  # (E,) edges
        if len(step) == 0:
            continue
        tempo = np.log(ratio[step, option])
        strain = _strain(ratio[step, option], beats[step, option])
        change = _CHANGE_COST * ((tempo[:, None] - bins) / EASY_TEMPO) ** 2  # (E, bins)
        change[first + step == 0] = 0.0
        total = cost[first + step] + change
        bin_before = total.argmin(axis=1)
        edge_cost = total[np.arange(len(step)), bin_before] + strain - gains[node]
        bin_now = np.abs(tempo[:, None] - bins).argmin(axis=1)
        for edge in np.argsort(-edge_cost, kind="stable"):  # the best is written last
            cost[node, bin_now[edge]] = edge_cost[edge]
            came_from[node, bin_now[edge]] = (
                first + step[edge],
                bin_before[edge],
                beats[step[edge], option[edge]],
            )
    return _walk_back(nodes_s, cost, came_from)


def _walk_back(nodes_s: Array, cost: Array, came_from: NDArray[np.int_]) -> list[_Segment]:
    node = last = len(nodes_s) - 1
    tempo_bin = int(cost[last].argmin())
    assert math.isfinite(cost[last, tempo_bin]), "the end of the film can always be reached"
    segments = []
    while node > 0:
        before, bin_before, beats = (int(value) for value in came_from[node, tempo_bin])
        segments.append(_Segment(float(nodes_s[before]), float(nodes_s[node]), beats, node == last))
        node, tempo_bin = before, bin_before
    return segments[::-1]


def _plain_beats(length: float) -> int:
    """Whole beats for a film of `length` beats: full bars unless they strain the tempo."""
    beats = _beat_options(np.array([length]))[0]
    beats = beats[beats >= BEATS_PER_BAR]
    return int(beats[_strain(beats / length, beats).argmin()])


def _metres(segment: _Segment) -> list[int]:
    """Beats of each bar; an odd one stands right before the hit, in the last segment first."""
    full, rest = divmod(segment.num_beats, BEATS_PER_BAR)
    if rest == 0:
        return [BEATS_PER_BAR] * full
    if rest == 1:
        full, rest = full - 1, BEATS_PER_BAR + 1
    metres = [BEATS_PER_BAR] * full
    return [rest, *metres] if segment.is_last else [*metres, rest]


def _bars(segments: Sequence[_Segment], beat_s: float, *, cadence: float) -> tuple[Bar, ...]:
    """Bars of the segments; the tempo glides while every segment keeps its exact length."""
    metres = [_metres(segment) for segment in segments]
    beats = np.array([beat for metre in metres for beat in metre], dtype=np.float64)  # (bars,)
    beats_slowed = beats.copy()
    beats_slowed[-1] *= cadence
    owner = np.repeat(np.arange(len(segments)), [len(metre) for metre in metres])
    lengths_s = np.array([segment.end_s - segment.start_s for segment in segments])
    level = (lengths_s / np.bincount(owner, weights=beats_slowed))[owner]  # seconds per beat
    glide = level
    for _ in range(_GLIDE_ROUNDS):
        padded = np.pad(glide, 1, mode="edge")
        glide = (padded[:-2] + 2 * glide + padded[2:]) / 4
        glide = glide * (lengths_s / np.bincount(owner, weights=beats_slowed * glide))[owner]
    bar_s = beats_slowed * _within_bounds(level, glide, owner, beat_s=beat_s, cadence=cadence)
    bars: list[Bar] = []
    first = 0
    for segment, metre in zip(segments, metres, strict=True):
        inner_s = segment.start_s + np.cumsum(bar_s[first : first + len(metre) - 1])
        edges_s = [segment.start_s, *inner_s.tolist(), segment.end_s]
        bars += [Bar(*bar) for bar in zip(edges_s[:-1], edges_s[1:], metre, strict=True)]
        first += len(metre)
    return tuple(bars)


def _within_bounds(
    level: Array, glide: Array, owner: NDArray[np.int_], *, beat_s: float, cadence: float
) -> Array:
    """As much of the glide as keeps within the bound; any blend keeps a segment's length."""
    longest = np.full_like(level, beat_s / (1 - MAX_TEMPO))
    longest[-1] /= cadence
    room = np.where(glide > level, longest - level, level - beat_s / (1 + MAX_TEMPO))
    moved = np.abs(glide - level)
    share = np.clip(np.divide(room, moved, out=np.ones_like(room), where=moved > 0), 0.0, 1.0)
    smallest = np.ones(owner[-1] + 1)
    np.minimum.at(smallest, owner, share)
    blended: Array = level + smallest[owner] * (glide - level)
    return blended
