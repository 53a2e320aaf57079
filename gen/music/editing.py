"""Bars of a finished piece composed anew, everything else left as it is, note for note.

A note belongs to the bar it begins in (players are up to 8 ms early, hence the margin). What rings
into the bars stays as it was; new notes give way to it, and to what begins after them, and end with
the bars. An old note held beyond the bars is struck again at their end for what is left of it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from affetto.condition import Conditions
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.arrange import arrange
from affetto.gen.music.arrange.humanise import MAX_JITTER_S
from affetto.gen.music.chord_sheet import ChordSheet, step_symbols
from affetto.gen.music.chords import chord_id, transpose
from affetto.gen.music.keys import parse_key
from affetto.gen.music.pipeline import ComposeOptions, MusicModels, predict_dynamics, sample_symbols
from affetto.gen.music.recast import Casting, recast
from affetto.gen.music.sync import chord_steps
from affetto.soundtrack import ChordSpan, Cut, Dynamics, Note, Part, Soundtrack

_EARLY_S = MAX_JITTER_S + 0.002
_SHORTEST_S = 0.03
_HELD_S = 0.3  # an old note that sounds so far beyond the bars is struck anew for what is left

Bars = tuple[int, int]  # first and last, from 0


def changed_bars(music: Soundtrack, sheet: ChordSheet) -> Bars | None:
    """First and last bar in which a sheet has other chords; None where it has the same.

    Raises:
        BadInput: the sheet has another number of chords than the piece.
    """
    symbols = step_symbols(music)
    if len(sheet.steps) != len(symbols):
        raise BadInput(
            f"the chord sheet has {len(sheet.steps)} chords and the piece {len(symbols)}: edit the "
            "chords.txt of the same folder, without adding or taking away any"
        )
    changed = [chord_id(a) != chord_id(b) for a, b in zip(symbols, sheet.steps, strict=True)]
    bars = [
        number
        for number, steps in enumerate(_steps_of_bars(music))
        if any(changed[step] for step in steps)
    ]
    return (bars[0], bars[-1]) if bars else None


def recompose(
    music: Soundtrack,
    bars: Bars,
    conditions: Conditions,
    emotion: EmotionTrack,
    cuts: Sequence[Cut],
    *,
    models: MusicModels,
    options: ComposeOptions,
    cast_seed: int,
    casting: Casting = (),
) -> Soundtrack:
    """The piece with some of its bars composed anew.

    Args:
        music: the piece.
        bars: the first and the last of them.
        conditions: the film's, as for `compose`.
        emotion: what these bars shall express.
        cuts: the film's.
        models: the nets.
        options: `seed` of the new bars, `instruments`, `style`, `hits`; `chords` to take instead of
            composing them. Key and tempo are the piece's.
        cast_seed: the seed the piece was composed with, so that the same players go on.
        casting: whose place others have taken since.

    Returns:
        A piece with the same bars, key and length, in which every note that begins outside the
        bars is the same.

    Raises:
        BadInput: there are no such bars, or the chord sheet does not fit.
    """
    first, last = bars
    if not 0 <= first <= last < len(music.bars):
        raise BadInput(f"bars {first + 1}-{last + 1}: the piece has bars 1 to {len(music.bars)}")
    steps = chord_steps(music.bars)
    inside = {step for steps in _steps_of_bars(music)[first : last + 1] for step in steps}
    symbols = step_symbols(music)
    if options.chords:
        changed_bars(music, options.chords)
        new = list(options.chords.steps)
    else:
        key = parse_key(music.key)
        kept = {
            step: transpose(chord_id(symbol), -key.shift)
            for step, symbol in enumerate(symbols)
            if step not in inside
        }
        new = list(
            sample_symbols(
                models.chords, conditions, emotion, music.bars, key,
                key_is_fixed=False, seed=options.seed, kept=kept,
            )
        )  # fmt: skip
    symbols = [new[step] if step in inside else symbol for step, symbol in enumerate(symbols)]
    spans = tuple(ChordSpan(a, b, name) for (a, b), name in zip(steps, symbols, strict=True))
    start_s, end_s = music.bars[first].start_s, music.bars[last].end_s
    dynamics = _spliced(
        music.dynamics,
        predict_dynamics(models.dynamics, conditions, emotion, music.duration_s),
        start_s,
        end_s,
    )
    parts = arrange(
        spans, music.bars, dynamics, emotion, cuts=options.hits.accents(cuts),
        points=options.hits.points, instruments=options.instruments, style=options.style,
        melody=models.melody, key=parse_key(music.key), seed=options.seed, cast_seed=cast_seed,
    )  # fmt: skip
    parts = recast(parts, casting)
    return replace(
        music,
        chords=spans,
        dynamics=dynamics,
        parts=splice_parts(music.parts, parts, start_s, end_s),
    )


def splice_parts(
    old: Sequence[Part], new: Sequence[Part], start_s: float, end_s: float
) -> tuple[Part, ...]:
    """The old parts with the new ones' notes from `start_s` to `end_s`, old players first."""
    fresh = {part.name: part for part in new}
    parts = []
    for part in old:
        notes = fresh[part.name].notes if part.name in fresh else ()
        parts.append(
            replace(
                part,
                notes=_spliced_notes(part.notes, notes, start_s, end_s, holds=not part.is_drum),
            )
        )
    names = {part.name for part in old}
    for part in new:
        if part.name not in names:
            notes = _spliced_notes((), part.notes, start_s, end_s, holds=False)
            parts += [replace(part, notes=notes)] if notes else []
    return tuple(part for part in parts if part.notes)


def _spliced_notes(
    old: Sequence[Note], new: Sequence[Note], start_s: float, end_s: float, *, holds: bool
) -> tuple[Note, ...]:
    def inside(note: Note) -> bool:
        return start_s - _EARLY_S <= note.start_s < end_s - _EARLY_S

    kept = [note for note in old if not inside(note)]
    ringing: dict[int, float] = {}  # pitch -> until when a kept note from before sounds
    coming: dict[int, float] = {}  # pitch -> when the next kept note after begins
    for note in kept:
        if note.start_s < start_s:
            ringing[note.pitch] = max(ringing.get(note.pitch, 0.0), note.end_s)
        else:
            coming[note.pitch] = min(coming.get(note.pitch, np.inf), note.start_s)
    added = []
    held = [note for note in old if inside(note) and note.end_s > end_s + _HELD_S]
    for note in held if holds else ():
        again = replace(note, start_s=max(note.start_s, end_s - 2 * _EARLY_S))
        coming[note.pitch] = min(coming.get(note.pitch, np.inf), again.start_s)
        added.append(again)
    for note in filter(inside, new):
        end = min(note.end_s, end_s, coming.get(note.pitch, np.inf))
        if note.start_s >= ringing.get(note.pitch, 0.0) and end - note.start_s >= _SHORTEST_S:
            added.append(replace(note, end_s=end))
    return tuple(sorted([*kept, *added], key=lambda note: (note.start_s, note.pitch)))


def _spliced(old: Dynamics, new: Dynamics, start_s: float, end_s: float) -> Dynamics:
    if len(old.times_s) != len(new.times_s):
        return old
    inside = (old.times_s >= start_s) & (old.times_s < end_s)
    return Dynamics(
        old.times_s,
        np.where(inside, new.density, old.density),
        np.where(inside, new.loudness, old.loudness),
    )


def _steps_of_bars(music: Soundtrack) -> list[range]:
    """The numbers of each bar's chord steps."""
    ranges, begin = [], 0
    for bar in music.bars:
        count = len(chord_steps([bar]))
        ranges.append(range(begin, begin + count))
        begin += count
    return ranges
