"""The chords' figure for piano, guitar and their kin: six levels of busyness in three families.

Level 0 holds the chord. `broken` arpeggiates with the pedal down, `comp` strums on and off the
beat, `pulse` repeats. Whatever the level, every tone of a chord sounds within each of its steps,
which Video2Music's arpeggio does not do (it plays the four lowest of five notes).
"""

from collections.abc import Sequence
from typing import NamedTuple

from affetto.gen.music.arrange.event import Event, untangled
from affetto.gen.music.arrange.form import Measure
from affetto.gen.music.arrange.moods import Figure
from affetto.gen.music.arrange.voicing import Voicing, thickened

NUM_LEVELS = 6
_SHORTEST_S = 0.11  # between two onsets of a figure
_STRUM_S = 0.007  # between two strings
_ROLL_S = 0.045  # between the notes of the last chord
_ORDERS = ((0, 1, 2, 3, 2, 1), (0, 2, 1, 3, 1, 2), (0, 1, 2, 1, 3, 1))


class Voiced(NamedTuple):
    """A chord of a bar with its tones, rising; times in beats from the start of the bar."""

    beat: float
    beats: float
    tones: Voicing


def keys_levels(
    measure: Measure,
    spans: Sequence[Voiced],
    steps: Sequence[Voiced],
    *,
    figure: Figure,
    length: float,
    high: int,
    order: int,
    strum: bool,
) -> list[list[Event]]:
    """The bar at each level of busyness, least first.

    Args:
        measure: the bar.
        spans: its chords with equal neighbours joined.
        steps: its chords as given.
        figure: the family.
        length: share of its beats a repeated chord sounds, 0..1.
        high: highest pitch that doubling may reach.
        order: which arpeggio order, any integer.
        strum: whether chords are spread over the strings.
    """
    held = _blocks(measure, spans)
    if figure == "broken":
        walk = _ORDERS[order % len(_ORDERS)]
        full = [v._replace(tones=thickened(v.tones, 1, high)) for v in steps]
        levels = [
            held,
            _low_then_upper(measure, spans),
            _arpeggio(measure, steps, 1.0, walk),
            _arpeggio(measure, steps, 0.5, walk),
            _arpeggio(measure, full, 0.5, walk) + _blocks(measure, steps),
            _arpeggio(measure, full, 0.25, walk),
        ]
    elif figure == "comp":
        full = [v._replace(tones=thickened(v.tones, 2, high)) for v in steps]
        lift = 0.5 if order % 2 else 1.5
        levels = [
            _strokes(measure, steps, (0.0,), 0.9, strum),
            _strokes(measure, steps, (0.0, 1.5), length, strum),
            _strokes(measure, steps, (0.0, 1.0), length, strum),
            _strokes(measure, steps, tuple(sorted((0.0, 1.0, lift))), length, strum),
            _strokes(measure, steps, (0.0, 0.5, 1.0, 1.5), length, strum),
            _strokes(measure, full, (0.0, 0.5, 1.0, 1.5), 1.0, strum),
        ]
    else:
        full = [v._replace(tones=thickened(v.tones, 2, high)) for v in steps]
        levels = [
            held,
            _ostinato(measure, spans, 1.0, length),
            _ostinato(measure, spans, 0.5, length),
            _alternation(measure, steps, 0.5, length),
            _strokes(measure, steps, (0.0, 0.5, 1.0, 1.5), length, strum=False),
            _alternation(measure, full, 0.25, 1.0) + _blocks(measure, steps),
        ]
    return [untangled(events) for events in levels]


def _grid(measure: Measure, grid: float) -> float:
    """The figure's grid in beats, doubled while notes would come too fast to hear apart."""
    while grid * measure.beat_s < _SHORTEST_S and grid < 2.0:
        grid *= 2
    return grid


def _blocks(measure: Measure, chords: Sequence[Voiced]) -> list[Event]:
    return [
        Event(measure.time_s(v.beat), measure.time_s(v.beat + v.beats), p)
        for v in chords
        for p in v.tones
    ]


def _low_then_upper(measure: Measure, spans: Sequence[Voiced]) -> list[Event]:
    events = []
    for v in spans:
        if not v.tones:
            continue
        end = v.beat + v.beats
        wait = 1.0 if v.beats >= 2 else v.beats / 2
        events.append(Event(measure.time_s(v.beat), measure.time_s(end), v.tones[0], 4))
        beat = v.beat + wait
        while beat < end - 0.1:
            stop = end if end - beat < 3 else beat + 2
            events += [
                Event(measure.time_s(beat), measure.time_s(stop), p, -5) for p in v.tones[1:]
            ]
            beat = stop
    return events


def _arpeggio(
    measure: Measure, steps: Sequence[Voiced], grid: float, walk: Sequence[int]
) -> list[Event]:
    grid = _grid(measure, grid)
    events = []
    for v in steps:
        if not v.tones:
            continue
        onsets = max(1, int(v.beats / grid + 1e-6))
        end_s = measure.time_s(v.beat + v.beats)
        for onset, tones in enumerate(_spread_tones(v.tones, onsets, walk)):
            beat = v.beat + onset * grid
            accent = 4.0 if onset == 0 else -3.0 if beat % 1 else 0.0
            events += [Event(measure.time_s(beat), end_s, p, accent) for p in tones]
    return events


def _spread_tones(tones: Voicing, onsets: int, walk: Sequence[int]) -> list[tuple[int, ...]]:
    """Which tones each onset strikes: all of them once, bottom first, then along the walk."""
    count = len(tones)
    if onsets < count:
        crowd = count - onsets + 1
        return [tones[:crowd], *((p,) for p in tones[crowd:])]
    path = [i for i in walk if i < count]
    first = sorted(set(path), key=path.index) + [i for i in range(count) if i not in path]
    rest = [path[(len(first) + i) % len(path)] for i in range(onsets - count)]
    return [(tones[i],) for i in (*first, *rest)]


def _strokes(
    measure: Measure, steps: Sequence[Voiced], beats: Sequence[float], length: float, strum: bool
) -> list[Event]:
    """Chords struck on the given beats of every two; between downbeats the lowest tone rests."""
    events = []
    for v in steps:
        if not v.tones:
            continue
        end = v.beat + v.beats
        onsets = [v.beat + two + b for two in _twos(v.beats) for b in beats if two + b < v.beats]
        for onset, after in zip(onsets, [*onsets[1:], end], strict=True):
            tones = v.tones if onset == v.beat else v.tones[1:]
            stop = measure.time_s(onset + (after - onset) * length)
            up = bool(onset % 1)
            spread = _STRUM_S if strum and not (measure.hit and onset == 0) else 0.0
            accent = 5.0 if onset == v.beat else -6.0 if up else -1.0
            for place, pitch in enumerate(reversed(tones) if up else tones):
                start = measure.time_s(onset) + place * spread
                events.append(Event(start, max(stop, start + 0.05), pitch, accent))
    return events


def _twos(beats: float) -> list[float]:
    return [2.0 * i for i in range(int((beats - 1e-6) // 2) + 1)]


def _ostinato(measure: Measure, spans: Sequence[Voiced], grid: float, length: float) -> list[Event]:
    """The lowest tone repeats under the held others."""
    grid = _grid(measure, grid)
    events = []
    for v in spans:
        if not v.tones:
            continue
        end_s = measure.time_s(v.beat + v.beats)
        events += [Event(measure.time_s(v.beat), end_s, p, -4) for p in v.tones[1:]]
        for onset in range(max(1, int(v.beats / grid + 1e-6))):
            beat = v.beat + onset * grid
            stop = measure.time_s(beat + grid * length)
            accent = 4.0 if beat % 2 == 0 else -5.0 if beat % 1 else -1.0
            events.append(Event(measure.time_s(beat), min(stop, end_s), v.tones[0], accent))
    return events


def _alternation(
    measure: Measure, steps: Sequence[Voiced], grid: float, length: float
) -> list[Event]:
    """The lower and the upper half of the chord take turns."""
    grid = _grid(measure, grid)
    events = []
    for v in steps:
        if not v.tones:
            continue
        half = len(v.tones) // 2
        onsets = max(1, int(v.beats / grid + 1e-6))
        for onset in range(onsets):
            tones = v.tones if onsets == 1 else v.tones[half:] if onset % 2 else v.tones[:half]
            beat = v.beat + onset * grid
            stop = measure.time_s(min(beat + grid * length, v.beat + v.beats))
            accent = 5.0 if onset == 0 else -4.0 if beat % 1 else 0.0
            events += [Event(measure.time_s(beat), stop, p, accent) for p in tones]
    return events


def last_chord(measure: Measure, spans: Sequence[Voiced], *, high: int) -> list[Event]:
    """The film's last bar: its chords held, the very last one fuller and rolled from below."""
    events = _blocks(measure, spans[:-1])
    final = spans[-1]
    roll_s = min(_ROLL_S, 0.1 * final.beats * measure.beat_s)
    start_s, end_s = measure.time_s(final.beat), measure.time_s(final.beat + final.beats)
    tones = thickened(final.tones, 1, high)
    return events + [Event(start_s + i * roll_s, end_s, p, -2.0) for i, p in enumerate(tones)]
