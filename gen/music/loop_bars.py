"""Which bars of a piece go round best, and their notes as a loop's.

No intro and no last bar is inside. Among phrases the pair of bar lines is taken at which tempo,
players, density and loudness before the end are most like those after the start, and at which the
step from the last chord to the first is one that the piece itself takes.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.arrange.form import lay_out_measures, plan_sections
from affetto.gen.music.arrange.humanise import MAX_JITTER_S
from affetto.soundtrack import ChordSpan, Cut, Note, Part, Soundtrack

Bars = tuple[int, int]  # first and last, from 0

LEAST_BARS = 4
PHRASE_BARS = 4
MOST_S = 180.0
EARLY_S = MAX_JITTER_S + 0.002  # players may begin a bar's first note so early
_LONGER = 0.25  # what twice the length is worth
_STRANGE_STEP = 0.5


def choose_loop(music: Soundtrack, emotion: EmotionTrack, cuts: Sequence[Cut]) -> Bars:
    """The bars of a piece that make the best loop.

    Args:
        music: the piece, which ends with a closing bar.
        emotion: what it was composed for.
        cuts: that it was composed to.

    Raises:
        BadInput: the piece is too short.
    """
    edges = _phrase_edges(music, emotion, cuts)
    pairs = [pair for pair in combinations(edges, 2) if _fits(music, *pair)]
    if not pairs:
        last = len(music.bars) - 1  # the closing bar, which no loop has
        pairs = [(a, b) for a, b in combinations(range(last + 1), 2) if b - a >= min(2, last)]
        pairs = [(a, b) for a, b in pairs if music.bars[b].start_s - music.bars[a].start_s < MOST_S]
    if not pairs:
        raise BadInput(f"--loop: {len(music.bars)} bar of music is too short for a loop")
    known = {(a.symbol, b.symbol) for a, b in pairwise(music.chords)}
    first, end = min(pairs, key=lambda pair: _cost(music, known, *pair))
    return first, end - 1


def loop_parts(music: Soundtrack, bars: Bars) -> tuple[Part, ...]:
    """The notes of some bars, in seconds from their start; the first may lie `EARLY_S` before it.

    What is held over the first bar line begins on it, what is held over the last ends there.
    """
    start_s, end_s = music.bars[bars[0]].start_s, music.bars[bars[1]].end_s
    parts = []
    for part in music.parts:
        notes = []
        for note in part.notes:
            begins = note.start_s
            if part.is_drum and begins < start_s - EARLY_S:
                continue
            if begins < start_s - EARLY_S:
                begins = start_s
            ends = min(note.end_s, end_s)
            if begins < end_s - EARLY_S and ends - begins > EARLY_S:
                notes.append(replace(note, start_s=begins - start_s, end_s=ends - start_s))
        if notes:
            parts.append(replace(part, notes=_once(notes)))
    return tuple(parts)


def _once(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Notes by time; of the same pitch at the same time the longest."""
    longest: dict[tuple[float, int], Note] = {}
    for note in sorted(notes, key=lambda note: note.end_s):
        longest[note.start_s, note.pitch] = note
    return tuple(sorted(longest.values(), key=lambda note: (note.start_s, note.pitch)))


def _phrase_edges(music: Soundtrack, emotion: EmotionTrack, cuts: Sequence[Cut]) -> list[int]:
    """Bars at which a phrase begins, after the intro, the closing bar last."""
    measures = lay_out_measures(music.chords, music.bars, music.dynamics, cuts)
    edges = set()
    for section in plan_sections(measures, music.dynamics, emotion):
        first, stop = section.measures[0].index, section.measures[-1].index + 1
        if section.kind != "intro":
            edges |= set(range(first, stop, PHRASE_BARS))
    closing = len(music.bars) - 1
    return sorted({edge for edge in edges if edge < closing} | {closing})


def _fits(music: Soundtrack, first: int, end: int) -> bool:
    length_s = music.bars[end].start_s - music.bars[first].start_s
    return end - first >= LEAST_BARS and length_s <= MOST_S


def _cost(music: Soundtrack, known: set[tuple[str, str]], first: int, end: int) -> float:
    """How much the end and the start of bars [first, end) differ; less for longer ones."""
    start, last = music.bars[first], music.bars[end - 1]
    tempo = abs(np.log(last.bpm / start.bpm)) / np.log(1.06)
    before, after = (_playing(music, bar.start_s, bar.end_s) for bar in (last, start))
    names = before.keys() | after.keys()
    players = len(before.keys() ^ after.keys()) / max(1, len(names))
    counts = [sum(len(v) for v in bar.values()) for bar in (before, after)]
    density = abs(np.log((counts[0] + 4) / (counts[1] + 4)))
    loud = [np.mean([*np.concatenate([[64.0], *bar.values()])]) for bar in (before, after)]
    step = (_chord_at(music, end - 1, last=True), _chord_at(music, first, last=False))
    strange = 0.0 if step[0] == step[1] or step in known else _STRANGE_STEP
    level = abs(loud[0] - loud[1]) / 20.0
    return float(tempo + players + density + level + strange - _LONGER * np.log2(end - first))


def _playing(music: Soundtrack, start_s: float, end_s: float) -> dict[str, list[int]]:
    """Part -> velocities of the notes that begin between two times."""
    found = {
        part.name: [n.velocity for n in part.notes if start_s <= n.start_s + EARLY_S < end_s]
        for part in music.parts
    }
    return {name: velocities for name, velocities in found.items() if velocities}


def _chord_at(music: Soundtrack, bar: int, *, last: bool) -> str:
    """The first or the last chord of a bar."""
    where = music.bars[bar]
    inside: list[ChordSpan] = [
        span
        for span in music.chords
        if span.start_s < where.end_s - 0.02 and span.end_s > where.start_s + 0.02
    ]
    return inside[-1 if last else 0].symbol if inside else ""
