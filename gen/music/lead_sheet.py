"""lead.musicxml: chord symbols, the lead line, metres and tempo marks for a notation program.

Through music21, the extra `affetto[score]`.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from affetto.errors import EngineError
from affetto.files import staged_file
from affetto.gen.music.arrange.palette import INSTRUMENTS
from affetto.gen.music.chord_names import uses_flats
from affetto.gen.music.chord_sheet import step_symbols
from affetto.gen.music.chords import ROOTS
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.midi import key_signature
from affetto.gen.music.sync import chord_steps
from affetto.soundtrack import Note, Part, Soundtrack

if TYPE_CHECKING:
    from music21.harmony import ChordSymbol
    from music21.note import GeneralNote
    from music21.stream import Measure, Score

SLOTS_PER_BEAT = 4  # the line is written in sixteenths
TEMPO_MARK = 0.02  # a new mark where the tempo has changed by this much
# Our qualities in music21's words.
KINDS = {
    "maj": "major",
    "dim": "diminished",
    "sus4": "suspended-fourth",
    "min7": "minor-seventh",
    "min": "minor",
    "sus2": "suspended-second",
    "aug": "augmented",
    "dim7": "diminished-seventh",
    "maj6": "major-sixth",
    "hdim7": "half-diminished-seventh",
    "7": "dominant-seventh",
    "min6": "minor-sixth",
    "maj7": "major-seventh",
}
_SHARPS = ROOTS
_FLATS = ("C", "D-", "D", "E-", "E", "F", "G-", "G", "A-", "A", "B-", "B")  # music21 writes b as -


class _Tone(NamedTuple):
    """A note of the line, in sixteenths from the start of the film."""

    start: int
    end: int
    pitch: int


def write_lead_sheet(soundtrack: Soundtrack, path: Path) -> None:
    """Write the chords and the lead line as MusicXML; the same soundtrack gives the same bytes.

    The line is the top voice of the lead instruments (without any: of the first part that is not
    drums), rounded to sixteenths; without notes the sheet has chords over rests.

    Args:
        soundtrack: the piece.
        path: the .musicxml file to write.

    Raises:
        EngineError: music21 is not installed.
        ResourceError: no space, or not allowed to write there.
    """
    try:
        from music21.musicxml.m21ToXml import GeneralObjectExporter
    except ImportError as error:
        raise EngineError("lead.musicxml needs music21: pip install 'affetto[score]'") from error
    text = GeneralObjectExporter(_score(soundtrack)).parse().decode("utf-8")
    text = re.sub(r"\s*<encoding-date>.*?</encoding-date>", "", text)
    for number, part_id in enumerate(re.findall(r'<score-part id="([^"]+)"', text), 1):
        text = text.replace(f'"{part_id}"', f'"P{number}"')
    with staged_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def _score(soundtrack: Soundtrack) -> "Score":
    from music21 import key as keys
    from music21 import metadata, meter, stream, tempo

    key = parse_key(soundtrack.key)
    lead = stream.Part(id="lead")  # type: ignore[no-untyped-call]
    lead.partName = "Lead"
    symbols = iter(step_symbols(soundtrack))
    tones = _line(soundtrack)
    first_slot, next_tone = 0, 0
    num_beats, bpm = 0, 0.0
    for number, bar in enumerate(soundtrack.bars, 1):
        measure = stream.Measure(number=number)
        if number == 1:
            tonic = key_signature(key).replace("b", "-")
            measure.insert(
                0, keys.Key(tonic[:-1], "minor") if key.mode == "min" else keys.Key(tonic)
            )
        if bar.num_beats != num_beats:
            num_beats = bar.num_beats
            measure.insert(0, meter.TimeSignature(f"{num_beats}/4"))
        if abs(bar.bpm - bpm) > TEMPO_MARK * bpm:
            bpm = bar.bpm
            measure.insert(0, tempo.MetronomeMark(number=round(bpm, 1)))
        for start_s, _ in chord_steps([bar]):
            beat = round((start_s - bar.start_s) / (bar.end_s - bar.start_s) * num_beats)
            measure.insert(beat, _chord(next(symbols), key))
        last_slot = first_slot + num_beats * SLOTS_PER_BEAT
        while next_tone < len(tones) and tones[next_tone].end <= first_slot:
            next_tone += 1
        _fill(measure, tones[next_tone:], first_slot, last_slot, key)
        first_slot = last_slot
        lead.append(measure)  # type: ignore[no-untyped-call]
    score = stream.Score(id="score")
    score.metadata = metadata.Metadata(title="Lead sheet", composer="Affetto")
    score.insert(0, lead)
    return score


def _line(soundtrack: Soundtrack) -> list[_Tone]:
    """The lead as one voice of sixteenths: the highest note of each onset, until the next onset."""
    edges_s = [bar.start_s for bar in soundtrack.bars] + [soundtrack.duration_s]
    beats = np.cumsum([0] + [bar.num_beats for bar in soundtrack.bars])
    total = int(beats[-1]) * SLOTS_PER_BEAT
    top: dict[int, tuple[int, int]] = {}  # onset -> pitch, end
    for note in _lead_notes(soundtrack.parts):
        times_s = [note.start_s, note.end_s]
        start, end = np.rint(np.interp(times_s, edges_s, beats * SLOTS_PER_BEAT)).astype(int)
        if start < total:
            found = (note.pitch, max(int(end), int(start) + 1))
            top[int(start)] = max(top.get(int(start), found), found)
    return [
        _Tone(start, min(top[start][1], following), top[start][0])
        for start, following in pairwise([*sorted(top), total])
    ]


def _lead_notes(parts: Sequence[Part]) -> list[Note]:
    """The notes of all lead instruments; without any, of the first part that is not drums."""
    melodic = [part for part in parts if part.notes and not part.is_drum]
    leads = [
        part
        for part in melodic
        if part.name in INSTRUMENTS and INSTRUMENTS[part.name].role == "lead"
    ]
    return [note for part in leads or melodic[:1] for note in part.notes]


def _fill(measure: "Measure", tones: Sequence[_Tone], first: int, last: int, key: Key) -> None:
    """Put the tones and rests between two slots into a bar; a tone over a bar line is tied."""
    from music21 import note, tie

    slot = first
    for tone in tones:
        if tone.start >= last:
            break
        start, end = max(tone.start, first), min(tone.end, last)
        if start > slot:
            _place(measure, note.Rest(), slot - first, start - slot)
        sound = note.Note(_pitch_name(tone.pitch, key))
        if tone.end > last:
            kind = "start" if tone.start >= first else "continue"
            sound.tie = tie.Tie(kind)  # type: ignore[no-untyped-call]
        elif tone.start < first:
            sound.tie = tie.Tie("stop")  # type: ignore[no-untyped-call]
        _place(measure, sound, start - first, end - start)
        slot = end
    if slot < last:
        _place(measure, note.Rest(), slot - first, last - slot)


def _place(measure: "Measure", sound: "GeneralNote", slot: int, num_slots: int) -> None:
    sound.quarterLength = num_slots / SLOTS_PER_BEAT
    measure.insert(slot / SLOTS_PER_BEAT, sound)


def _pitch_name(pitch: int, key: Key) -> str:
    octave, pitch_class = divmod(pitch, 12)
    return f"{(_FLATS if uses_flats(key) else _SHARPS)[pitch_class]}{octave - 1}"


def _chord(symbol: str, key: Key) -> "ChordSymbol":
    from music21 import harmony

    if symbol == "N":
        return harmony.NoChord()
    root, _, quality = symbol.partition(":")
    names = _FLATS if uses_flats(key) else _SHARPS
    return harmony.ChordSymbol(root=names[ROOTS.index(root)], kind=KINDS[quality or "maj"])
