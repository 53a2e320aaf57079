"""lead.musicxml: chord symbols, the lead line, metres and tempo marks for a notation program.

Source: W3C Music Notation Community Group, "MusicXML 4.0" (2021), written directly.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from affetto.files import staged_file
from affetto.gen.music.arrange.palette import INSTRUMENTS
from affetto.gen.music.chord_names import uses_flats
from affetto.gen.music.chord_sheet import step_symbols
from affetto.gen.music.chords import ROOTS
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.midi import key_signature
from affetto.gen.music.sync import chord_steps
from affetto.soundtrack import Bar, Note, Part, Soundtrack

SLOTS_PER_BEAT = 4  # the line is written in sixteenths
TEMPO_MARK = 0.02  # a new mark where the tempo has changed by this much
# Our qualities in MusicXML's words.
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
    "hdim7": "half-diminished",
    "7": "dominant",
    "min6": "minor-sixth",
    "maj7": "major-seventh",
}
# Sixteenths that one sign can stand for: its name and whether it has a dot.
SIGNS = {
    16: ("whole", False),
    12: ("half", True),
    8: ("half", False),
    6: ("quarter", True),
    4: ("quarter", False),
    3: ("eighth", True),
    2: ("eighth", False),
    1: ("16th", False),
}
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
FIFTHS = "FCGDAEB"  # letters along the circle of fifths
DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
)


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
        ResourceError: no space, or not allowed to write there.
    """
    score = _score(soundtrack)
    ElementTree.indent(score)
    text = ElementTree.tostring(score, encoding="unicode")
    with staged_file(path) as staged:
        staged.write_text(f"{DOCTYPE}{text}\n", encoding="utf-8")


def _score(soundtrack: Soundtrack) -> Element:
    score = Element("score-partwise", version="4.0")
    _text(SubElement(score, "work"), "work-title", "Lead sheet")
    about = SubElement(score, "identification")
    _text(about, "creator", "Affetto").set("type", "composer")
    _text(SubElement(about, "encoding"), "software", "Affetto")
    listed = SubElement(SubElement(score, "part-list"), "score-part", id="P1")
    _text(listed, "part-name", "Lead")
    lead = SubElement(score, "part", id="P1")
    key, tones = parse_key(soundtrack.key), _line(soundtrack)
    symbols = iter(step_symbols(soundtrack))
    first, next_tone, num_beats, bpm = 0, 0, 0, 0.0
    for number, bar in enumerate(soundtrack.bars, 1):
        measure = SubElement(lead, "measure", number=str(number))
        if number == 1 or bar.num_beats != num_beats:
            num_beats = bar.num_beats
            _attributes(measure, num_beats, key if number == 1 else None)
        if abs(bar.bpm - bpm) > TEMPO_MARK * bpm:
            bpm = bar.bpm
            _tempo(measure, bpm)
        last = first + num_beats * SLOTS_PER_BEAT
        while next_tone < len(tones) and tones[next_tone].end <= first:
            next_tone += 1
        chords = [(first + slot, next(symbols)) for slot in _chord_slots(bar)]
        for sound in _sounds(tones[next_tone:], first, last):
            for slot, symbol in chords:
                if sound.start <= slot < sound.end:
                    _chord(measure, symbol, slot - sound.start, key)
            _sign(measure, sound, key)
        first = last
    return score


def _text(parent: Element, name: str, text: object) -> Element:
    element = SubElement(parent, name)
    element.text = str(text)
    return element


def _attributes(measure: Element, num_beats: int, key: Key | None) -> None:
    attributes = SubElement(measure, "attributes")
    if key:
        _text(attributes, "divisions", SLOTS_PER_BEAT)
        name = key_signature(key).removesuffix("m")
        fifths = FIFTHS.index(name[0]) - 1 + 7 * name.count("#") - 7 * name.count("b")
        signature = SubElement(attributes, "key")
        _text(signature, "fifths", fifths - 3 if key.mode == "min" else fifths)
        _text(signature, "mode", "minor" if key.mode == "min" else "major")
    metre = SubElement(attributes, "time")
    _text(metre, "beats", num_beats)
    _text(metre, "beat-type", 4)
    if key:
        clef = SubElement(attributes, "clef")
        _text(clef, "sign", "G")
        _text(clef, "line", 2)


def _tempo(measure: Element, bpm: float) -> None:
    direction = SubElement(measure, "direction", placement="above")
    mark = SubElement(SubElement(direction, "direction-type"), "metronome")
    _text(mark, "beat-unit", "quarter")
    _text(mark, "per-minute", round(bpm, 1))
    SubElement(direction, "sound", tempo=str(round(bpm, 1)))


def _chord_slots(bar: Bar) -> list[int]:
    length_s = bar.end_s - bar.start_s
    return [
        SLOTS_PER_BEAT * round((start_s - bar.start_s) / length_s * bar.num_beats)
        for start_s, _ in chord_steps([bar])
    ]


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


class _Sound(NamedTuple):
    """What one sign stands for: a note or a rest (pitch None), with its ties."""

    start: int
    end: int
    pitch: int | None
    from_before: bool
    goes_on: bool


def _sounds(tones: Sequence[_Tone], first: int, last: int) -> Iterator[_Sound]:
    """The tones and rests between two slots; a tone over the edge, or of two signs, is tied."""
    slot = first
    for tone in tones:
        if tone.start >= last:
            break
        start, end = max(tone.start, first), min(tone.end, last)
        yield from _signs(slot, start, None, first, last)
        yield from _signs(start, end, tone.pitch, tone.start, tone.end)
        slot = end
    yield from _signs(slot, last, None, first, last)


def _signs(start: int, end: int, pitch: int | None, begins: int, ends: int) -> Iterator[_Sound]:
    while start < end:
        stop = start + next(length for length in SIGNS if length <= end - start)
        sounds = pitch is not None
        yield _Sound(start, stop, pitch, sounds and start > begins, sounds and stop < ends)
        start = stop


def _sign(measure: Element, sound: _Sound, key: Key) -> None:
    note = SubElement(measure, "note")
    if sound.pitch is None:
        SubElement(note, "rest")
    else:
        _named(SubElement(note, "pitch"), "step", "alter", sound.pitch % 12, key)
        _text(note[0], "octave", sound.pitch // 12 - 1)
    ties = [
        kind for kind, there in (("stop", sound.from_before), ("start", sound.goes_on)) if there
    ]
    _text(note, "duration", sound.end - sound.start)
    for kind in ties:
        SubElement(note, "tie", type=kind)
    name, dotted = SIGNS[sound.end - sound.start]
    _text(note, "type", name)
    if dotted:
        SubElement(note, "dot")
    if ties:
        notations = SubElement(note, "notations")
        for kind in ties:
            SubElement(notations, "tied", type=kind)


def _named(parent: Element, step: str, alter: str, pitch_class: int, key: Key) -> None:
    """Letter and accidental of a pitch class, as the key spells it."""
    name = (_FLATS if uses_flats(key) else ROOTS)[pitch_class]
    _text(parent, step, name[0])
    if len(name) > 1:
        _text(parent, alter, 1 if name[1] == "#" else -1)


def _chord(measure: Element, symbol: str, offset: int, key: Key) -> None:
    """A chord symbol, `offset` sixteenths into the sign that follows."""
    harmony = SubElement(measure, "harmony")
    root, _, quality = symbol.partition(":")
    if symbol == "N":
        _text(SubElement(harmony, "root"), "root-step", "C").set("text", "")
        _text(harmony, "kind", "none").set("text", "N.C.")
    else:
        _named(SubElement(harmony, "root"), "root-step", "root-alter", ROOTS.index(root), key)
        _text(harmony, "kind", KINDS[quality or "maj"])
    if offset:
        _text(harmony, "offset", offset)
