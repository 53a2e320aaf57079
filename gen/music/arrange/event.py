"""A note before it is humanised: times are exact, loudness is an accent around the course."""

from collections.abc import Iterable
from typing import NamedTuple


class Event(NamedTuple):
    """One note to be: seconds, MIDI pitch, and velocity steps above or below the course."""

    start_s: float
    end_s: float
    pitch: int
    accent: float = 0.0


def sounding_rate(events: Iterable[Event], length_s: float) -> float:
    """Mean number of notes that one second meets, for events that fill `length_s` seconds.

    A note of d seconds is met by d + 1 one-second windows, on average over where they begin.
    """
    return sum(e.end_s - e.start_s + 1.0 for e in events) / length_s


def tied(events: Iterable[Event], *, longest_s: float, breaks_s: frozenset[float]) -> list[Event]:
    """Join a note with the next one of the same pitch where they touch, as string players do.

    Args:
        events: notes of one part.
        longest_s: no joined note gets longer.
        breaks_s: times where a new attack is wanted.
    """
    joined: list[Event] = []
    open_at: dict[int, int] = {}
    for event in sorted(events):
        index = open_at.get(event.pitch)
        if index is not None:
            before = joined[index]
            touches = abs(before.end_s - event.start_s) < 2e-3
            fits = event.end_s - before.start_s <= longest_s
            if touches and fits and event.start_s not in breaks_s:
                joined[index] = before._replace(end_s=event.end_s)
                continue
        open_at[event.pitch] = len(joined)
        joined.append(event)
    return joined


def untangled(events: Iterable[Event]) -> list[Event]:
    """Events by time, each ending at the latest where the same pitch is struck again.

    The same pitch struck twice at once (within 5 ms) is played once, for the longer time.
    """
    rows = sorted(events)
    last: dict[int, int] = {}
    kept: list[Event] = []
    for event in rows:
        index = last.get(event.pitch)
        if index is not None:
            before = kept[index]
            if event.start_s - before.start_s < 5e-3:
                kept[index] = before._replace(
                    end_s=max(before.end_s, event.end_s), accent=max(before.accent, event.accent)
                )
                continue
            if before.end_s > event.start_s:
                kept[index] = before._replace(end_s=event.start_s)
        last[event.pitch] = len(kept)
        kept.append(event)
    return kept
