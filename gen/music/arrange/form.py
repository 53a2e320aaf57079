"""The film's form: bars cut into chord segments, and bars gathered into sections between cuts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import EmotionTrack
from affetto.gen.music.arrange.moods import (
    Figure,
    Groove,
    Style,
    blend_style,
    feeling_between,
    figure_of,
    groove_of,
    mood_weights,
)
from affetto.gen.music.chords import chord_id
from affetto.gen.music.sync import TOLERANCE_S
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics

_CUT_SPACING_S = 2.0
_MIN_STRENGTH = 0.3
_MAX_SECTION_BARS = 8
_LEAST_BARS = 2
_TURN_S = 4.0  # before and after a bar line: how far the mood moves there
_LEAST_TURN = 0.3

Kind = Literal["intro", "break", "build", "full"]


@dataclass(frozen=True)
class Segment:
    """One chord inside one bar, in beats from the start of the bar; chord 0 is silence."""

    beat: float
    beats: float
    chord: int


@dataclass(frozen=True)
class Measure:
    """One bar with its chords.

    Attributes:
        index: number of the bar in the film, from 0.
        bar: its times and beats.
        steps: its chords as given, at most two beats each in the pipeline.
        spans: the same with equal neighbours joined.
        density: notes sounding per second that are asked for here.
        hit: strength of the strong cut on its downbeat, 0 when there is none.
    """

    index: int
    bar: Bar
    steps: tuple[Segment, ...]
    spans: tuple[Segment, ...]
    density: float
    hit: float

    @cached_property
    def beat_s(self) -> float:
        """Seconds per beat."""
        return (self.bar.end_s - self.bar.start_s) / self.bar.num_beats

    @property
    def length_s(self) -> float:
        """Seconds in the bar."""
        return self.bar.end_s - self.bar.start_s

    def time_s(self, beat: float) -> float:
        """Film time of a beat of this bar."""
        return self.bar.start_s + beat * self.beat_s

    def chord_at(self, beat: float) -> int:
        """The chord that sounds at a beat."""
        for segment in reversed(self.steps):
            if beat >= segment.beat - 1e-6:
                return segment.chord
        return self.steps[0].chord


@dataclass(frozen=True)
class Section:
    """Bars that belong together.

    Attributes:
        measures: the bars.
        kind: its place in the form.
        intensity: 0..1, from arousal, loudness and density against the rest of the film.
        valence: mean of what is to be felt, -1..1.
        arousal: the same.
        moods: mood weights here.
        style: how it is played.
        figure: family of the chords' figure.
        groove: family of the drum pattern.
        is_last: whether the film ends with it.
    """

    measures: tuple[Measure, ...]
    kind: Kind
    intensity: float
    valence: float
    arousal: float
    moods: dict[str, float]
    style: Style
    figure: Figure
    groove: Groove
    is_last: bool


def strong_cuts(cuts: Sequence[Cut]) -> list[Cut]:
    """The cuts worth an accent: strength 0.3 or more and the strongest within two seconds."""
    ordered = sorted((c for c in cuts if c.strength >= _MIN_STRENGTH), key=lambda c: -c.strength)
    kept: list[Cut] = []
    for cut in ordered:
        if all(abs(cut.time_s - other.time_s) >= _CUT_SPACING_S for other in kept):
            kept.append(cut)
    return sorted(kept, key=lambda c: c.time_s)


def lay_out_measures(
    chords: Sequence[ChordSpan], bars: Sequence[Bar], dynamics: Dynamics, cuts: Sequence[Cut]
) -> tuple[Measure, ...]:
    """Cut the chords at the bar lines and mark the bars that start on a strong cut."""
    strong = strong_cuts(cuts)
    cut_times = np.array([c.time_s for c in strong])
    ids = [chord_id(span.symbol) for span in chords]
    measures = []
    first = 0
    for index, bar in enumerate(bars):
        while first + 1 < len(chords) and chords[first].end_s <= bar.start_s + 1e-6:
            first += 1
        steps = _steps_of(bar, chords, ids, first)
        middle = np.linspace(bar.start_s, bar.end_s, 9)[1::2]
        asked = float(np.interp(middle, dynamics.times_s, dynamics.density).mean())
        hit = 0.0
        if strong:
            nearest = int(np.abs(cut_times - bar.start_s).argmin())
            if abs(cut_times[nearest] - bar.start_s) <= TOLERANCE_S:
                hit = strong[nearest].strength
        spans = _joined(steps)
        measures.append(Measure(index, bar, steps, spans, asked, hit))
    return tuple(measures)


def _steps_of(
    bar: Bar, chords: Sequence[ChordSpan], ids: Sequence[int], first: int
) -> tuple[Segment, ...]:
    beat_s = (bar.end_s - bar.start_s) / bar.num_beats
    steps: list[Segment] = []
    at = first
    while at < len(chords) and chords[at].start_s < bar.end_s - 1e-6:
        begin = max(0.0, (chords[at].start_s - bar.start_s) / beat_s)
        end = min(float(bar.num_beats), (chords[at].end_s - bar.start_s) / beat_s)
        begin, end = _snapped(begin), _snapped(end)
        if end - begin > 0.02:
            steps.append(Segment(begin, end - begin, ids[at]))
        at += 1
    if not steps:
        steps = [Segment(0.0, float(bar.num_beats), ids[first])]
    # The bar is filled to its end even when the last chord stops short of it.
    last = steps[-1]
    steps[-1] = replace(last, beats=bar.num_beats - last.beat)
    steps[0] = replace(steps[0], beat=0.0, beats=steps[0].beats + steps[0].beat)
    return tuple(steps)


def _snapped(beat: float) -> float:
    near = round(beat * 4) / 4
    return near if abs(near - beat) < 0.02 else beat


def _joined(steps: Sequence[Segment]) -> tuple[Segment, ...]:
    spans = [steps[0]]
    for step in steps[1:]:
        if step.chord == spans[-1].chord:
            spans[-1] = replace(spans[-1], beats=spans[-1].beats + step.beats)
        else:
            spans.append(step)
    return tuple(spans)


def mood_turns(measures: Sequence[Measure], emotion: EmotionTrack) -> list[int]:
    """The bars at whose start valence and arousal move by 0.3 or more, two bars apart or further.

    The means of the four seconds before and after a bar line are compared; of neighbouring bars
    the one with the largest move is the turn.
    """
    lines_s = np.array([m.bar.start_s for m in measures])
    span_s = np.linspace(0.25, _TURN_S - 0.25, 8)
    moves = []
    for column in emotion.vad[:, :2].T:
        after = np.interp(lines_s[:, None] + span_s, emotion.times, column)
        before = np.interp(lines_s[:, None] - span_s, emotion.times, column)
        moves.append((after - before).mean(axis=1))
    size = np.hypot(*moves)
    turns: list[int] = []
    for index in np.argsort(-size, kind="stable"):
        apart_s = np.abs(lines_s[index] - lines_s[turns])
        far = all(abs(index - turn) >= _LEAST_BARS for turn in turns)
        inside = _LEAST_BARS <= index <= len(measures) - _LEAST_BARS
        if size[index] >= _LEAST_TURN and inside and far and (apart_s >= _TURN_S).all():
            turns.append(int(index))
    return sorted(turns)


def section_starts(measures: Sequence[Measure], turns: Sequence[int] = ()) -> list[int]:
    """Indices of the bars that open a section: where the mood turns, and at strong cuts.

    Never more than 8 bars apart. From turn to turn sections are at least 4 bars long (2 in films
    under 12 bars), so that a phrase fits.
    """
    shortest = 4 if len(measures) >= 12 else _LEAST_BARS
    edges = [0, *turns, len(measures)]
    return [
        first + start
        for first, last in pairwise(edges)
        for start in _starts_within(measures[first:last], shortest)
    ]


def _starts_within(measures: Sequence[Measure], shortest: int) -> list[int]:
    starts = [0]
    at = shortest
    while len(measures) - at >= shortest:
        window = range(at, min(starts[-1] + _MAX_SECTION_BARS, len(measures) - shortest) + 1)
        best = max(window, key=lambda i: (measures[i].hit, i == starts[-1] + 4, i), default=None)
        if best is None:
            break
        if measures[best].hit == 0.0:
            if len(measures) - starts[-1] <= _MAX_SECTION_BARS:
                break
            best = window[-1]
        starts.append(best)
        at = best + shortest
    return starts


def plan_sections(
    measures: Sequence[Measure], dynamics: Dynamics, emotion: EmotionTrack
) -> tuple[Section, ...]:
    """Gather the bars into sections and say how intense each is and how it is played."""
    starts = section_starts(measures, mood_turns(measures, emotion))
    groups = [
        tuple(measures[a:b]) for a, b in zip(starts, [*starts[1:], len(measures)], strict=True)
    ]
    feelings = [feeling_between(emotion, g[0].bar.start_s, g[-1].bar.end_s) for g in groups]
    arousal = np.array([vad[1] for vad, _ in feelings])
    density = np.array([np.mean([m.density for m in g]) for g in groups])
    middles = np.array([0.5 * (g[0].bar.start_s + g[-1].bar.end_s) for g in groups])
    loudness = np.interp(middles, dynamics.times_s, dynamics.loudness)
    intensity = 0.5 + 0.35 * arousal + 0.2 * _spread(density) + 0.2 * _spread(loudness)
    intensity += 0.15 * _arc(len(groups))
    intensity = np.clip(intensity, 0.0, 1.0)
    sections = []
    for index, group in enumerate(groups):
        vad, probs = feelings[index]
        moods = mood_weights(vad, probs)
        kind = _kind(index, len(groups), float(intensity[index]))
        sections.append(
            Section(
                measures=group,
                kind=kind,
                intensity=float(intensity[index]),
                valence=float(vad[0]),
                arousal=float(vad[1]),
                moods=moods,
                style=blend_style(moods),
                figure=figure_of(moods),
                groove=groove_of(moods),
                is_last=index == len(groups) - 1,
            )
        )
    return tuple(sections)


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values against the film's own middle, in about [-1, 1]."""
    scale = values.std() + 0.15 * abs(values.mean()) + 1e-9
    return np.asarray(np.tanh((values - values.mean()) / scale))


def _arc(num_sections: int) -> NDArray[np.float64]:
    """The shape a film's music takes by itself: from low to a peak at three quarters, then less."""
    if num_sections == 1:
        return np.zeros(1)
    place = (np.arange(num_sections) + 0.5) / num_sections
    return np.asarray(np.cos(np.pi * np.clip((place - 0.72) / 0.72, -1, 1)))


def _kind(index: int, count: int, intensity: float) -> Kind:
    if index == 0 and count >= 3:
        return "intro"
    if intensity >= 0.58:
        return "full"
    return "break" if intensity < 0.25 else "build"
