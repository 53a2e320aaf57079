"""The lead sheet, read again by music21."""

from dataclasses import replace

import pytest

from affetto.gen.music.chords import ROOTS
from affetto.gen.music.lead_sheet import KINDS, write_lead_sheet
from affetto.soundtrack import (
    Bar,
    Note,
    Part,
)

# music21's longer words for two of MusicXML's.
SPELLED_OUT = {"dominant": "dominant-seventh", "half-diminished": "half-diminished-seventh"}


def test_lead_sheet_parses_back(tmp_path, piece):
    music21 = pytest.importorskip("music21")
    music = piece(40.0, key="D#:min", bpm=90.0)
    path = tmp_path / "lead.musicxml"
    write_lead_sheet(music, path)
    score = music21.converter.parse(path)
    (part,) = score.parts
    measures = list(part.getElementsByClass("Measure"))
    assert len(measures) == len(music.bars)
    lengths = [measure.duration.quarterLength for measure in measures]
    assert lengths == [bar.num_beats for bar in music.bars]
    found = list(part.recurse().getElementsByClass("ChordSymbol"))
    assert len(found) == len(music.chords)
    for symbol, chord in zip(found, music.chords, strict=True):
        if chord.symbol == "N":
            assert isinstance(symbol, music21.harmony.NoChord)
        else:
            root, _, quality = chord.symbol.partition(":")
            assert symbol.root().pitchClass == ROOTS.index(root)
            kind = KINDS[quality or "maj"]
            assert symbol.chordKind == SPELLED_OUT.get(kind, kind)
    assert len(list(part.recurse().getElementsByClass("MetronomeMark"))) >= 1
    assert part.recurse().getElementsByClass("Key")[0].tonicPitchNameWithCase == "e-"
    sounding = [n for n in part.recurse().notes if isinstance(n, music21.note.Note)]
    pitches = [n.pitch.midi for n in sounding if n.tie is None or n.tie.type == "start"]
    assert pitches == [note.pitch for note in music.parts[0].notes]


def test_lead_sheet_without_notes_and_odd_metres(tmp_path, piece):
    music21 = pytest.importorskip("music21")
    bars = (Bar(0.0, 1.0, 2), Bar(1.0, 2.5, 3), Bar(2.5, 5.0, 5), Bar(5.0, 7.0, 4))
    music = replace(piece(), duration_s=7.0, bars=bars, chords=(), parts=(), markers=())
    path = tmp_path / "lead.musicxml"
    write_lead_sheet(music, path)
    (part,) = music21.converter.parse(path).parts
    measures = part.getElementsByClass("Measure")
    assert [measure.duration.quarterLength for measure in measures] == [2, 3, 5, 4]
    chords = part.recurse().getElementsByClass("ChordSymbol")
    assert [chord.offset for chord in chords] == [0, 0, 0, 2, 0, 2]


def test_the_lead_is_all_lead_instruments(tmp_path, piece):
    music21 = pytest.importorskip("music21")
    bars = (Bar(0.0, 2.0, 4), Bar(2.0, 4.0, 4))
    parts = (
        Part("cello", 42, False, (Note(0.0, 1.0, 50, 80),)),
        Part("flute", 73, False, (Note(2.0, 3.0, 70, 80),)),
        Part("strings", 48, False, (Note(0.0, 4.0, 90, 80),)),
        Part("drums", 0, True, (Note(0.0, 4.0, 36, 80),)),
    )
    music = replace(piece(), duration_s=4.0, bars=bars, chords=(), markers=(), parts=parts)
    for kept, pitches in ((parts, [50, 70]), (parts[2:], [90, 90]), (parts[3:], [])):
        write_lead_sheet(replace(music, parts=kept), tmp_path / "lead.musicxml")
        score = music21.converter.parse(tmp_path / "lead.musicxml")
        notes = score.recurse().getElementsByClass("Note")
        assert [note.pitch.midi for note in notes] == pitches


def test_long_notes_are_tied_over_bar_lines(tmp_path, piece):
    music21 = pytest.importorskip("music21")
    bars = tuple(Bar(2.0 * i, 2.0 * i + 2.0, 4) for i in range(4))
    part = Part("flute", 73, False, (Note(1.25, 7.3, 70, 80), Note(1.25, 2.0, 62, 80)))
    music = replace(
        piece(), duration_s=8.0, bars=bars, chords=(), parts=(part,), markers=(), key="F"
    )
    path = tmp_path / "lead.musicxml"
    write_lead_sheet(music, path)
    notes = list(music21.converter.parse(path).recurse().getElementsByClass("Note"))
    assert {note.nameWithOctave for note in notes} == {"B-4"}
    assert sum(note.quarterLength for note in notes) == pytest.approx(12.0)
    assert notes[0].tie.type == "start"
    assert notes[-1].tie.type == "stop"


def test_lead_sheet_same_bytes(tmp_path, piece):
    for name in ("a.musicxml", "b.musicxml"):
        write_lead_sheet(piece(10.0), tmp_path / name)
    assert (tmp_path / "a.musicxml").read_bytes() == (tmp_path / "b.musicxml").read_bytes()
