"""How well bars meet cuts: errors, shares within 40 ms, and what chance would give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.sync import TOLERANCE_S, WINDOW_S
from affetto.soundtrack import Bar, Cut, HitPoint

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """How well bars meet cuts.

    Attributes:
        line_errors_s: (C,) seconds from each cut, in order of time, to the nearest bar line (a
            bar's start or the end of the film), >= 0.
        beat_errors_s: (C,) the same to the nearest beat.
        strongest_hit_share: share of the 8 s windows with a cut in them whose strongest cut (of
            several as strong: any) lies within 40 ms of a bar line; None without cuts.
        strongest_chance: share of the film's time that lies within 40 ms of a bar line: what cuts
            at random would get.
        beat_share: share of the cuts within 40 ms of a beat; None without cuts.
        beat_chance: share of the film's time within 40 ms of a beat.
    """

    line_errors_s: Array
    beat_errors_s: Array
    strongest_hit_share: float | None
    strongest_chance: float
    beat_share: float | None
    beat_chance: float


def alignment(bars: Sequence[Bar], cuts: Sequence[Cut]) -> Alignment:
    """Measure how bar lines and beats meet the cuts.

    Args:
        bars: as from `plan_bars`, at least one.
        cuts: in any order; those outside the film are ignored.
    """
    lines_s = np.array([bar.start_s for bar in bars] + [bars[-1].end_s])
    beats_s = beat_times(bars)
    ordered = sorted((c.time_s, c.strength) for c in cuts if 0 <= c.time_s <= lines_s[-1])
    times_s = np.array([time_s for time_s, _ in ordered])
    line_errors_s, beat_errors_s = nearest(lines_s, times_s)[1], nearest(beats_s, times_s)[1]
    windows: dict[int, tuple[float, float]] = {}  # window -> (-strength, error) of its strongest
    for (time_s, strength), error_s in zip(ordered, line_errors_s.tolist(), strict=True):
        window = int(time_s // WINDOW_S)
        found = (-strength, error_s)
        windows[window] = min(windows.get(window, found), found)
    met = [error_s <= TOLERANCE_S for _, error_s in windows.values()]
    return Alignment(
        line_errors_s=line_errors_s,
        beat_errors_s=beat_errors_s,
        strongest_hit_share=float(np.mean(met)) if met else None,
        strongest_chance=_covered(lines_s),
        beat_share=float(np.mean(beat_errors_s <= TOLERANCE_S)) if met else None,
        beat_chance=_covered(beats_s),
    )


@dataclass(frozen=True)
class HitMet:
    """How the bars meet one of the user's moments.

    Attributes:
        time_s: the moment, seconds from the film's start.
        name: its marker's.
        on: what lies within 40 ms of it, a bar line before another beat.
        bar: number of the bar in which that, or else the nearest beat, lies; from 1.
        beat: its number in the bar, from 1.
        error_ms: how much later than the moment it comes; negative if earlier.
    """

    time_s: float
    name: str
    on: Literal["downbeat", "beat", "nothing"]
    bar: int
    beat: int
    error_ms: float


def hits_met(bars: Sequence[Bar], points: Sequence[HitPoint]) -> tuple[HitMet, ...]:
    """How each point is met, in their order; the film's end counts as a downbeat after the last."""
    lines_s = np.array([bar.start_s for bar in bars] + [bars[-1].end_s])
    beats_s = beat_times(bars)
    places = [(n, beat) for n, bar in enumerate(bars, 1) for beat in range(1, bar.num_beats + 1)]
    places.append((len(bars) + 1, 1))
    told = []
    for point in points:
        line = int(np.argmin(np.abs(lines_s - point.time_s)))
        met = abs(lines_s[line] - point.time_s) <= TOLERANCE_S
        near_s = lines_s[line] if met else beats_s[np.argmin(np.abs(beats_s - point.time_s))]
        bar, beat = places[int(np.argmin(np.abs(beats_s - near_s)))]
        error_s = float(near_s) - point.time_s
        on: Literal["downbeat", "beat", "nothing"] = (
            "downbeat" if met else "beat" if abs(error_s) <= TOLERANCE_S else "nothing"
        )
        told.append(HitMet(point.time_s, point.name, on, bar, beat, round(1000 * error_s, 3)))
    return tuple(told)


def beat_times(bars: Sequence[Bar]) -> Array:
    """Seconds of every beat, and of the film's end."""
    inner = [np.linspace(b.start_s, b.end_s, b.num_beats, endpoint=False) for b in bars]
    return np.concatenate([*inner, [bars[-1].end_s]])


def nearest(marks_s: Array, times_s: Array) -> tuple[Array, Array]:
    """The mark (two or more, rising) nearest to each time, and how far away it is, >= 0."""
    right = np.clip(np.searchsorted(marks_s, times_s), 1, len(marks_s) - 1)
    before, after = marks_s[right - 1], marks_s[right]
    found = np.where(times_s - before <= after - times_s, before, after)
    return found, np.abs(found - times_s)


def _covered(marks_s: Array) -> float:
    near_s = 2 * TOLERANCE_S + np.minimum(np.diff(marks_s) - 2 * TOLERANCE_S, 0)
    return float(near_s.sum() / marks_s[-1])
