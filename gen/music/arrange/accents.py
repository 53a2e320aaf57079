"""Accents at the moments that the music meets: a swell into one, a stop at one, silence from one.

A moment of the user's may ask for one. Where it does not, and at strong cuts that open a section,
the moods before and after decide: into a fuller section the music swells; lively music stops on the
moment where its energy falls away then, or else takes a breath before it; calm music does neither.

Source: film scoring's craft (Karlin and Wright 2004, "On the Track", on hits and stings); the rules
and sizes are ours.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np

from affetto.gen.music.arrange.drums import CRASH
from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure, Section
from affetto.gen.music.arrange.palette import Instrument
from affetto.gen.music.sync import TOLERANCE_S
from affetto.soundtrack import HitPoint

_STRONG = 0.6  # a cut weaker than this gets its cymbal and no more
_APART_S = 12.0  # accents that nobody asked for are so far from each other and from all others
_RISE, _FALL = 0.10, -0.22  # of the intensity from section to section
_LIVELY = 0.45  # drive of the section before from which the music may break off
_CHANCES = {"swell": 0.75, "breath": 0.4, "stop": 0.6}
_STROKE_BEATS = 0.5  # how long the stroke of a stop sounds
_LEAST_STROKE_S = 0.2
_SWELL_S = 1.6  # a bar shorter than this is no room for a swell: the one before swells too
_ROLL_S = 3.0
_EPS_S = 0.005
_BOW_S = 0.03
_HELD_S = 0.4  # what is held so far beyond a rest is struck again after it

Kind = Literal["swell", "breath", "stop", "silence"]


class Accent(NamedTuple):
    """From when to when players grow louder (swell) or rest (the others).

    Attributes:
        kind: a breath is a rest of a beat before the moment, a stop one from it to the bar's end.
        start_s: seconds.
        end_s: seconds; of a swell the moment itself.
        beat_s: seconds of a beat there.
        weight: how loud drums may be there, 0..1.
    """

    kind: Kind
    start_s: float
    end_s: float
    beat_s: float
    weight: float


def plan_accents(
    sections: Sequence[Section], points: Sequence[HitPoint], *, seed: int
) -> list[Accent]:
    """What happens at the user's points and at the strong cuts that open a section, by time.

    Args:
        sections: of the whole piece.
        points: of the user, by time.
        seed: decides where the moods leave a choice.
    """
    measures = [measure for section in sections for measure in section.measures]
    end_s = measures[-1].bar.end_s
    after_s = [*(point.time_s for point in points), end_s][1:]
    planned, meant = [], list[tuple[float, int]]()  # meant: (-how strong, bar), no wish
    for point, next_s in zip(points, after_s, strict=True):
        bar = _bar_of(measures, point.time_s)
        if point.wish == "silence":
            until_s = next_s if point.rest_s is None else min(point.time_s + point.rest_s, end_s)
            planned.append(Accent("silence", point.time_s, until_s, measures[bar].beat_s, 0.0))
        elif point.wish:
            planned += _accent(measures, sections, bar, point.time_s, point.wish)
        elif abs(measures[bar].bar.start_s - point.time_s) <= TOLERANCE_S:
            meant.append((-2.0, bar))
    opening = {section.measures[0].index for section in sections}
    chosen = {bar for _, bar in meant}
    meant += [
        (-m.hit, m.index)
        for m in measures
        if m.hit >= _STRONG and m.index in opening and m.index not in chosen
    ]
    for _, bar in sorted(meant):
        time_s = measures[bar].bar.start_s
        far = all(min(abs(a.start_s - time_s), abs(a.end_s - time_s)) >= _APART_S for a in planned)
        if far and 1 <= bar < len(measures) - 1:
            kind = _by_mood(sections, bar, float(np.random.default_rng([seed, 4, bar]).random()))
            planned += _accent(measures, sections, bar, time_s, kind) if kind else []
    return sorted(planned, key=lambda accent: (accent.start_s, accent.kind))


def accented(events: Iterable[Event], accents: Sequence[Accent], player: Instrument) -> list[Event]:
    """A player's notes with the accents: louder and struck anew in swells, cut short in rests."""
    played = sorted(events)
    for accent in accents:
        if accent.kind == "swell":
            played = sorted(_swelling(played, accent, player))
    for accent in accents:
        if accent.kind != "swell":
            played = sorted(_resting(played, accent, again=player.role not in ("lead", "drums")))
    return played


def _bar_of(measures: Sequence[Measure], time_s: float) -> int:
    """The bar in which a moment lies; one just before a bar line belongs to the bar after it."""
    starts_s = [measure.bar.start_s for measure in measures]
    return max(0, int(np.searchsorted(starts_s, time_s + TOLERANCE_S, side="right")) - 1)


def _section_of(sections: Sequence[Section], bar: int) -> Section:
    return next(s for s in sections if bar <= s.measures[-1].index)


def _by_mood(sections: Sequence[Section], bar: int, drawn: float) -> str:
    """What the moods around a bar line ask for; "" nothing but the cymbal that strong cuts get."""
    before, after = _section_of(sections, bar - 1), _section_of(sections, bar)
    rise = after.intensity - before.intensity
    if rise >= _RISE or (after.kind == "full" and before.kind != "full"):
        kind = "swell"
    elif before.style.drive < _LIVELY:
        return ""
    else:
        kind = "stop" if rise <= _FALL else "breath"
    return kind if drawn < _CHANCES[kind] else ""


def _accent(
    measures: Sequence[Measure], sections: Sequence[Section], bar: int, time_s: float, kind: str
) -> list[Accent]:
    """An accent at a moment in a bar; none where there is no room for it."""
    here = measures[bar]
    weight = _section_of(sections, bar).style.drums
    if kind == "stop":
        start_s = time_s + max(_STROKE_BEATS * here.beat_s, _LEAST_STROKE_S)
        end_s = here.bar.end_s
        if end_s - start_s < here.beat_s and bar + 1 < len(measures):
            end_s = measures[bar + 1].bar.end_s
        return [Accent("stop", start_s, end_s, here.beat_s, weight)] if end_s > start_s else []
    on_line = abs(here.bar.start_s - time_s) <= TOLERANCE_S
    before = max(bar - 1, 0) if on_line else bar
    beat_s = measures[before].beat_s
    if kind == "breath":
        return [Accent("breath", time_s - beat_s, time_s, beat_s, weight)]
    if time_s - measures[before].bar.start_s < _SWELL_S and before > 0:
        before -= 1
    start_s = measures[before].bar.start_s
    return [Accent("swell", start_s, time_s, beat_s, weight)] if start_s < time_s else []


def _swelling(events: Sequence[Event], swell: Accent, player: Instrument) -> list[Event]:
    """A crescendo: held strings and pads are bowed anew each beat, drums roll."""
    length_s = swell.end_s - swell.start_s

    def louder(event: Event) -> Event:
        grown = (event.start_s - swell.start_s) / length_s
        return event._replace(accent=event.accent - 12.0 + 18.0 * grown**1.5)

    played: list[Event] = []
    count = max(1, round(length_s / swell.beat_s))
    edges_s = np.linspace(swell.start_s, swell.end_s, count + 1).tolist()
    for event in events:
        if event.end_s <= swell.start_s + _EPS_S or event.start_s >= swell.end_s - _EPS_S:
            played.append(event)
        elif player.role == "texture":
            played += [
                part if part.start_s < swell.start_s - _EPS_S else louder(part)
                for part in _cut_at(event, edges_s)
            ]
        else:
            played.append(event if event.start_s < swell.start_s - _EPS_S else louder(event))
    if player.role == "drums":
        played += _roll(events, swell, is_kit=player.is_drum)
    return played


def _cut_at(event: Event, edges_s: Sequence[float]) -> list[Event]:
    """The note in strokes; each ends a little before the next, so that none is tied to it."""
    inside = [t for t in edges_s if event.start_s + 0.1 < t < event.end_s - 0.1]
    return [
        event._replace(start_s=a, end_s=b - _BOW_S if b in inside else b)
        for a, b in pairwise([event.start_s, *inside, event.end_s])
    ]


def _roll(events: Sequence[Event], swell: Accent, *, is_kit: bool) -> list[Event]:
    """Quick strokes that grow into the moment: on a cymbal, or on the drum that was heard last."""
    pitch = CRASH
    if not is_kit:
        heard = [event.pitch for event in events if event.start_s < swell.end_s - _EPS_S]
        if not heard:
            return []
        pitch = heard[-1]
    start_s = max(swell.start_s, swell.end_s - _ROLL_S)
    step_s = swell.beat_s / 4 if swell.beat_s / 4 >= 0.085 else swell.beat_s / 2
    count = max(2, round((swell.end_s - start_s) / step_s))
    times_s = np.linspace(start_s, swell.end_s, count + 1).tolist()
    top = (-38.0 + 38.0 * swell.weight if is_kit else 0.0) - 4.0
    return [
        Event(a, b, pitch, top - 26.0 * (1.0 - number / count))
        for number, (a, b) in enumerate(pairwise(times_s))
    ]


def _resting(events: Sequence[Event], rest: Accent, *, again: bool) -> list[Event]:
    """Nothing begins in the rest and nothing sounds on into it; what is held beyond comes again."""
    played: list[Event] = []
    for event in events:
        begins = rest.start_s - _EPS_S <= event.start_s < rest.end_s - _EPS_S
        reaches = event.start_s < rest.end_s - _EPS_S and event.end_s > rest.start_s
        if not reaches:
            played.append(event)
            continue
        if not begins:
            played.append(event._replace(end_s=rest.start_s))
        if again and event.end_s > rest.end_s + _HELD_S:
            played.append(event._replace(start_s=rest.end_s))
    return played
