"""Drums: grooves by beats inside each bar, fills at section ends, accents on cuts, a soft end.

A bar of 5 is felt as 3 + 2, a bar of 3 as a waltz. Drum sounds are General MIDI's.
"""

import numpy as np

from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure
from affetto.gen.music.arrange.moods import Groove
from affetto.gen.music.arrange.scale import nearest_pitch
from affetto.gen.music.chords import NO_CHORD, pitch_classes

NUM_LEVELS = 4  # 0 rests
KICK, STICK, SNARE, HAT, OPEN_HAT, CRASH, RIDE = 36, 37, 38, 42, 46, 49, 51
LOW_TOM, FLOOR_TOM, MID_TOM, HIGH_TOM = 41, 43, 47, 50
TAMBOURINE, SHAKER = 54, 82
_GROUPS = {1: (1,), 2: (2,), 3: (3,), 4: (2, 2), 5: (3, 2), 6: (3, 3), 7: (3, 2, 2)}

Hit = tuple[float, int, float]  # beat, drum, accent


def pulse_of(num_beats: int) -> tuple[list[int], list[int]]:
    """The strong beats of a bar and its back beats, both counted from 0."""
    groups = _GROUPS.get(num_beats, (2,) * (num_beats // 2) + (1,) * (num_beats % 2))
    strong, back, at = [], [], 0
    for size in groups:
        strong.append(at)
        back += [at + b for b in range(1, size)]
        at += size
    return strong, back


def groove_bar(measure: Measure, *, groove: Groove, level: int, syncopation: float) -> list[Event]:
    """One bar of groove.

    Args:
        measure: the bar.
        groove: the family of patterns.
        level: 0 (rest) .. 3 (busiest).
        syncopation: drawn once per section, 0..1; moves the off-beat kick.
    """
    if level == 0:
        return []
    patterns = {"brush": _brush, "light": _light, "full": _full, "war": _war}
    return _struck(measure, patterns[groove](measure, level, syncopation))


def _struck(measure: Measure, hits: list[Hit]) -> list[Event]:
    ring_s = min(0.15, 0.4 * measure.beat_s)
    events = []
    for beat, drum, accent in hits:
        if beat < measure.bar.num_beats - 0.05:
            start_s = measure.time_s(beat)
            longer = 4.0 if drum in (CRASH, RIDE, OPEN_HAT) else 1.0
            end_s = min(start_s + ring_s * longer, max(measure.bar.end_s, start_s + 0.03))
            events.append(Event(start_s, end_s, drum, accent))
    return events


def _every(measure: Measure, grid: float) -> list[float]:
    if grid * measure.beat_s < 0.085:
        grid *= 2
    return [i * grid for i in range(int(measure.bar.num_beats / grid + 1e-6))]


def _brush(measure: Measure, level: int, syncopation: float) -> list[Hit]:
    strong, back = pulse_of(measure.bar.num_beats)
    hits: list[Hit] = [(0.0, KICK, -26.0), *((float(b), RIDE, -30.0) for b in strong)]
    if level >= 2:
        hits += [(float(b), RIDE, -34.0) for b in back]
        hits += [(float(b), STICK, -28.0) for b in back]
    if level >= 3:
        hits += [(b, SHAKER, -30.0 + 5.0 * (b % 1 == 0)) for b in _every(measure, 0.5)]
        hits += [(strong[-1] + 0.5, KICK, -30.0)] if syncopation > 0.5 else []
    return hits


def _light(measure: Measure, level: int, syncopation: float) -> list[Hit]:
    strong, back = pulse_of(measure.bar.num_beats)
    hits: list[Hit] = [(float(b), KICK, -4.0 if b == 0 else -10.0) for b in strong]
    if level == 1:
        hits += [(float(b), SHAKER, -14.0) for b in range(measure.bar.num_beats)]
        hits += [(float(b), STICK, -16.0) for b in back]
        return hits
    hits += [(float(b), SNARE if level == 3 else STICK, -10.0) for b in back]
    hits += [(b, HAT, -12.0 if b % 1 == 0 else -20.0) for b in _every(measure, 0.5)]
    if measure.index % 2 == 1 or syncopation > 0.6:
        hits.append((strong[-1] + (0.5 if syncopation < 0.7 else 1.5), KICK, -12.0))
    if level == 3:
        hits += [(float(b), TAMBOURINE, -14.0) for b in back]
    return hits


def _full(measure: Measure, level: int, syncopation: float) -> list[Hit]:
    strong, back = pulse_of(measure.bar.num_beats)
    hits: list[Hit] = [(float(b), KICK, 6.0 if b == 0 else 0.0) for b in strong]
    hits += [(float(b), SNARE, 3.0) for b in back]
    grid = (1.0, 0.5, 0.25)[level - 1]
    hits += [
        (b, HAT, -8.0 if b % 1 == 0 else -15.0 if b % 0.5 == 0 else -24.0)
        for b in _every(measure, grid)
    ]
    if level >= 2:
        hits.append((strong[-1] + 0.5, KICK, -4.0))
        if measure.index % 2 == 1:
            hits.append((strong[0] + (1.5 if syncopation < 0.5 else 0.75), KICK, -8.0))
            hits.append((measure.bar.num_beats - 0.5, OPEN_HAT, -12.0))
    if level == 3 and measure.beat_s > 0.4:
        hits.append((back[0] + 0.75 if back else 0.75, SNARE, -28.0))
    return hits


def _war(measure: Measure, level: int, syncopation: float) -> list[Hit]:
    strong, back = pulse_of(measure.bar.num_beats)
    if level == 1:  # a heartbeat
        return [(0.0, FLOOR_TOM, -12.0), (0.5, LOW_TOM, -20.0)]
    hits: list[Hit] = [(0.0, KICK, -2.0)]
    grid = 0.5 if level == 2 else 0.25
    for b in _every(measure, grid):
        on_strong = b in strong
        drum = LOW_TOM if on_strong or b % 1 else FLOOR_TOM
        hits.append((b, drum, -8.0 if on_strong else -18.0 if b % 0.5 == 0 else -26.0))
    if level == 3:
        hits += [(float(b), SNARE, -4.0) for b in back]
        hits.append((strong[-1] + (0.5 if syncopation < 0.5 else 0.75), KICK, -4.0))
    return hits


def fill_bar(measure: Measure, events: list[Event], *, groove: Groove, level: int) -> list[Event]:
    """The last bar of a section: its end becomes a run down the toms into the next downbeat."""
    if groove == "brush" or level < 2 or measure.bar.num_beats < 2:
        return events
    beats = 2.0 if level == 3 and measure.bar.num_beats >= 4 else 1.0
    start = measure.bar.num_beats - beats
    grid = 0.25 if level == 3 and measure.beat_s * 0.25 >= 0.085 else 0.5
    kept = [e for e in events if e.start_s < measure.time_s(start) - 1e-6]
    count = int(beats / grid)
    toms = (SNARE, HIGH_TOM, MID_TOM, FLOOR_TOM)
    run = [
        (start + i * grid, toms[i * len(toms) // count], -12.0 + 14.0 * i / max(count - 1, 1))
        for i in range(count)
    ]
    return kept + _struck(measure, run)


def accent_downbeat(measure: Measure, *, strength: float, weight: float) -> list[Event]:
    """Crash and kick on a bar's downbeat, for a strong cut or a section's start.

    Args:
        measure: the bar.
        strength: of the cut, 0..1.
        weight: how loud drums may be here, 0..1.
    """
    accent = -38.0 + 38.0 * weight + 8.0 * strength
    return _struck(measure, [(0.0, CRASH, accent - 4.0), (0.0, KICK, accent + 4.0)])


def soft_end(measure: Measure, weight: float) -> list[Event]:
    """The last bar: one soft hit, then nothing."""
    accent = -22.0 + 14.0 * weight
    cymbal = CRASH if weight > 0.3 else RIDE
    return _struck(measure, [(0.0, KICK, accent), (0.0, cymbal, accent - 4.0)])


def pitched_drums(
    measure: Measure, *, low: int, high: int, hit: bool, level: int, roll: bool
) -> list[Event]:
    """Timpani or taiko: the root on strong places, a roll with a crescendo into a new section."""
    events = []
    chord = measure.steps[0].chord
    if chord == NO_CHORD:
        return []
    root = nearest_pitch(pitch_classes(chord)[:1], low + 7, low, high)
    strong, _ = pulse_of(measure.bar.num_beats)
    if hit or level >= 1:
        events.append(Event(measure.time_s(0), measure.time_s(1), root, 6.0 if hit else -6.0))
    if level >= 2:
        for beat in strong[1:]:
            if (now := measure.chord_at(beat)) != NO_CHORD:
                pitch = nearest_pitch(pitch_classes(now)[:1], low + 7, low, high)
                start_s, end_s = measure.time_s(beat), measure.time_s(beat + 0.9)
                events.append(Event(start_s, end_s, pitch, -10.0))
    if roll and measure.bar.num_beats >= 2:
        last = measure.chord_at(measure.bar.num_beats - 1)
        if last != NO_CHORD:
            pitch = nearest_pitch(pitch_classes(last)[:1], low + 7, low, high)
            strokes = max(3, round(measure.beat_s / 0.1))
            times = np.linspace(
                measure.time_s(measure.bar.num_beats - 1), measure.bar.end_s, strokes + 1
            )
            accents = np.linspace(-26.0, 2.0, strokes)
            events = [e for e in events if e.start_s < times[0] - 1e-3]
            events += [
                Event(float(a), float(b), pitch, float(accent))
                for a, b, accent in zip(times, times[1:], accents, strict=False)
            ]
    return events
