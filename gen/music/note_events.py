"""A part's notes as on and off events on exact samples, and the walk from event to event."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from affetto.media_sound import Sound
from affetto.soundtrack import Part


class Event(NamedTuple):
    """Velocity 0 is note off; at the same sample, offs sort before ons."""

    sample: int
    is_on: bool
    pitch: int
    velocity: int


def note_events(part: Part, *, duration_s: float, sample_rate: int) -> list[Event]:
    """On and off events in order of time, at most one sounding note a pitch.

    A pitch struck again while it sounds is ended first, and its earlier end is dropped. Notes that
    begin after the end are left out.
    """
    total = round(duration_s * sample_rate)
    spans: dict[int, list[tuple[int, int, int]]] = {}
    for note in sorted(part.notes, key=lambda note: (note.start_s, note.end_s, note.velocity)):
        start = max(0, round(note.start_s * sample_rate))
        end = max(start + 1, round(note.end_s * sample_rate))
        row = spans.setdefault(note.pitch, [])
        if row and row[-1][0] == start:
            row[-1] = (start, max(end, row[-1][1]), max(note.velocity, row[-1][2]))
            continue
        if row and row[-1][1] > start:
            row[-1] = (row[-1][0], start, row[-1][2])
        if start < total:
            row.append((start, end, note.velocity))
    events = []
    for pitch, row in spans.items():
        for start, end, velocity in row:
            events.append(Event(start, True, pitch, velocity))
            if end < total:
                events.append(Event(end, False, pitch, 0))
    return sorted(events)


def play(
    events: list[Event],
    *,
    num_samples: int,
    block: int,
    send: Callable[[Event], None],
    fill: Callable[[NDArray[np.float32]], None],
) -> Iterator[Sound]:
    """Drive an instrument: play up to each event's sample, send it, and give even blocks.

    Args:
        events: in order of time.
        num_samples: to give in all.
        block: samples of a block; the last one may be shorter.
        send: takes one event.
        fill: writes the next n samples into (n, 2).

    Yields:
        (2, S) float32.
    """
    position, upcoming = 0, 0
    while position < num_samples:
        first, end = position, min(position + block, num_samples)
        row = np.empty((end - first, 2), np.float32)
        while position < end:
            while upcoming < len(events) and events[upcoming].sample <= position:
                send(events[upcoming])
                upcoming += 1
            stop = min(end, events[upcoming].sample) if upcoming < len(events) else end
            fill(row[position - first : stop - first])
            position = stop
        yield rearrange(row, "s c -> c s")
