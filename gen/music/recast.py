"""Other players for the same notes: an instrument taken in another's place, or left out."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from affetto.errors import BadInput
from affetto.gen.music.arrange import INSTRUMENTS, Instrument
from affetto.soundtrack import Note, Part

OCTAVE = 12


Casting = tuple[tuple[str, str | None], ...]  # a part's name, who plays it instead or None


def recast(parts: Sequence[Part], casting: Casting) -> tuple[Part, ...]:
    """Parts taken over or left out, one after another; names that are not there change nothing.

    A part moves as a whole by the octaves that leave most of its notes in the new one's range; a
    note that is still outside moves alone.
    """
    for old, new in casting:
        names = [part.name for part in parts]
        if new is None:
            parts = [part for part in parts if part.name != old]
        elif new not in names:
            parts = [_taken_over(p, INSTRUMENTS[new]) if p.name == old else p for p in parts]
    return tuple(parts)


def check_casting(parts: Sequence[Part], casting: Casting) -> None:
    """Refuse what `recast` could not do with a piece's parts.

    Raises:
        BadInput: no such part, an unknown instrument, one that plays already, a drum kit and a
            pitched instrument in each other's place, or no part left.
    """
    players = {part.name: part.is_drum for part in parts}
    for old, new in casting:
        if old not in players:
            raise BadInput(f"the piece has no part {old!r} to change; it has {', '.join(players)}")
        is_drum = players.pop(old)
        if new is None:
            continue
        if new not in INSTRUMENTS:
            near = difflib.get_close_matches(new, INSTRUMENTS, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise BadInput(f"--swap: unknown instrument {new!r}: {hint}{', '.join(INSTRUMENTS)}")
        if new in players or new == old:
            raise BadInput(f"--swap {old}={new}: {new} plays already, take another instrument")
        if INSTRUMENTS[new].is_drum != is_drum:
            raise BadInput(f"--swap {old}={new}: a drum kit's notes are no pitches; try --mute")
        players[new] = is_drum
    if not players:
        raise BadInput("--mute: nothing would be left; leave at least one part")


def parse_casting(swaps: Sequence[str], mutes: Sequence[str]) -> Casting:
    """A casting from words such as "piano=harp" and names of parts to leave out.

    Raises:
        BadInput: a swap without its two names.
    """
    casting: list[tuple[str, str | None]] = []
    for words in swaps:
        old, equals, new = (word.strip().lower() for word in words.partition("="))
        if not (old and equals and new):
            raise BadInput(f"--swap {words}: give a part and an instrument, such as piano=harp")
        casting.append((old, new))
    return (*casting, *((name.strip().lower(), None) for name in mutes))


def _taken_over(part: Part, by: Instrument) -> Part:
    pitches = np.array([note.pitch for note in part.notes])
    shifts = sorted(range(-48, 49, OCTAVE), key=abs)
    inside = [((pitches + s >= by.low) & (pitches + s <= by.high)).sum() for s in shifts]
    shift = shifts[int(np.argmax(inside))]
    notes: dict[tuple[float, int], Note] = {}
    for note in part.notes:
        moved = replace(note, pitch=_within(note.pitch + shift, by.low, by.high))
        before = notes.get((moved.start_s, moved.pitch))  # octaves that fell together
        if before is None or before.end_s < moved.end_s:
            notes[moved.start_s, moved.pitch] = moved
    return Part(by.name, by.program, by.is_drum, _apart(list(notes.values())))


def _within(pitch: int, low: int, high: int) -> int:
    """The pitch in the nearest octave within the range."""
    if pitch < low:
        return pitch + OCTAVE * -(-(low - pitch) // OCTAVE)
    return pitch - OCTAVE * -(-(pitch - high) // OCTAVE) if pitch > high else pitch


def _apart(notes: Sequence[Note]) -> tuple[Note, ...]:
    """By time; a note ends where its pitch is struck again."""
    upcoming: dict[int, float] = {}
    kept = []
    for note in sorted(notes, key=lambda note: (note.start_s, note.pitch), reverse=True):
        kept.append(replace(note, end_s=min(note.end_s, upcoming.get(note.pitch, np.inf))))
        upcoming[note.pitch] = note.start_s
    return tuple(kept[::-1])
