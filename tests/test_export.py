"""MIDI out and in, the chord sheet, the lead sheet."""

import contextlib
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO

import mido
import numpy as np
import pretty_midi
import pytest

from affetto.errors import BadInput, EngineError
from affetto.gen.music.chord_names import (
    NAMES,
    chord_name,
    key_name,
    read_chord_name,
    uses_flats,
)
from affetto.gen.music.chord_sheet import clock, read_chord_sheet, write_chord_sheet
from affetto.gen.music.chords import END, QUALITY_NAMES, ROOTS, chord_symbol
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.lead_sheet import KINDS, write_lead_sheet
from affetto.gen.music.midi import key_signature, write_midi
from affetto.gen.music.midi_reading import read_midi
from affetto.gen.music.sync import chord_steps, plan_bars
from affetto.soundtrack import (
    Bar,
    ChordSpan,
    Cut,
    Dynamics,
    Marker,
    Note,
    Part,
    Soundtrack,
)

ALL_KEYS = [Key(tonic, mode) for tonic in range(12) for mode in ("maj", "min")]


def piece(duration_s=24.0, *, bpm=100.0, key="A:min", seed=0, note_step=1.0):
    """A small soundtrack with random cuts, chords and notes; no pitch overlaps itself."""
    rng = np.random.default_rng(seed)
    cuts = [
        Cut(float(t), float(rng.random()))
        for t in np.sort(rng.uniform(0, duration_s, int(duration_s / 5)))
    ]
    bars = plan_bars(duration_s, cuts, bpm=bpm)
    chords = tuple(
        ChordSpan(start, end, chord_symbol(int(rng.integers(0, END))))
        for start, end in chord_steps(bars)
    )
    starts = np.arange(0.0, duration_s - 0.5, note_step) + rng.uniform(0, 0.1)
    lead = tuple(
        Note(float(t), float(t + rng.uniform(0.05, 0.4)), 60 + index % 24, 40 + index % 60)
        for index, t in enumerate(starts)
    )
    drums = tuple(Note(bar.start_s, min(bar.start_s + 0.1, bar.end_s), 36, 100) for bar in bars)
    dynamics = Dynamics(np.array([0.5]), np.ones(1), np.ones(1))
    markers = tuple(Marker(cut.time_s, f"cut {number}") for number, cut in enumerate(cuts, 1))
    parts = (Part("violin", 40, False, lead), Part("drums", 0, True, drums))
    return Soundtrack(duration_s, key, bars, chords, parts, dynamics, markers)


# --- chord names ---


@pytest.mark.parametrize("key", ALL_KEYS)
def test_every_chord_has_a_name_both_ways_in_every_key(key):
    for chord in range(END):
        symbol = chord_symbol(chord)
        assert read_chord_name(chord_name(symbol, key)) == symbol
    assert parse_key(key_name(key)) == key


def test_names_are_the_musicians():
    c, f = Key(0, "maj"), Key(5, "maj")
    expected = {
        "C": "C",
        "C:dim": "Cdim",
        "C:sus4": "Csus4",
        "C:min7": "Cm7",
        "C:min": "Cm",
        "C:sus2": "Csus2",
        "C:aug": "Caug",
        "C:dim7": "Cdim7",
        "C:maj6": "C6",
        "C:hdim7": "Cm7b5",
        "C:7": "C7",
        "C:min6": "Cm6",
        "C:maj7": "Cmaj7",
        "N": "N.C.",
    }
    assert {symbol: chord_name(symbol, c) for symbol in expected} == expected
    assert chord_name("A#:min7", f) == "Bbm7"
    assert chord_name("A#:min7", c) == "A#m7"
    assert uses_flats(Key(0, "min"))
    assert not uses_flats(Key(4, "min"))
    assert set(NAMES) == set(QUALITY_NAMES) == set(KINDS)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("Am", "A:min"),
        ("Bb", "A#"),
        ("Ebm7", "D#:min7"),
        ("Cmaj7", "C:maj7"),
        ("G7", "G:7"),
        ("Bdim", "B:dim"),
        ("A:min7", "A:min7"),
        ("Bb:hdim7", "A#:hdim7"),
        ("Fø", "F:hdim7"),
        ("C+", "C:aug"),
        ("CM7", "C:maj7"),
        ("Cb", "B"),
        ("E#m", "F:min"),
        ("N.C.", "N"),
        ("NC", "N"),
    ],
)
def test_edits_are_understood(text, symbol):
    assert read_chord_name(text) == symbol


@pytest.mark.parametrize("text", ["", "H", "am", "C13", "C/E", "Cmin9", "X:min", "%", "C:"])
def test_unknown_chords_are_refused_with_what_is_allowed(text):
    if text == "C:":
        assert read_chord_name(text) == "C"
        return
    with pytest.raises(BadInput, match="m7b5"):
        read_chord_name(text)


# --- chord sheet ---


@pytest.mark.parametrize("key", ["C", "A:min", "F", "D#:min", "F#"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chord_sheet_comes_back_exactly(tmp_path, key, seed):
    music = piece(60.0, bpm=70.0 + 20 * seed, key=key, seed=seed)
    path = tmp_path / "chords.txt"
    write_chord_sheet(music, path)
    sheet = read_chord_sheet(path)
    assert sheet.key == key
    assert sheet.steps == tuple(chord.symbol for chord in music.chords)


def test_chord_sheet_is_readable(tmp_path):
    bars = (
        Bar(0.0, 2.0, 4),
        Bar(2.0, 4.0, 4),
        Bar(4.0, 5.5, 3),
        Bar(5.5, 7.5, 4),
        Bar(7.5, 9.5, 4),
    )
    names = ["A:min", "A:min", "F", "C", "G:7", "N", "E:7", "A:min7", "D:min"]
    chords = tuple(
        ChordSpan(*step, name) for step, name in zip(chord_steps(bars), names, strict=True)
    )
    markers = (Marker(5.5, "cut 1"),)
    music = replace(piece(), duration_s=9.5, bars=bars, chords=chords, markers=markers, key="A:min")
    path = tmp_path / "chords.txt"
    write_chord_sheet(music, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "key: Am" in lines
    assert "tempo: 120.0 (120.0 to 120.0)" in lines
    assert "bars: 5" in lines
    assert "length: 0:09.50" in lines
    assert lines[-2] == "[0:00.00] | Am . | F C | (3/4) G7 | N.C. E7 |  # cut 1 at 0:05.50"
    assert lines[-1] == "[0:07.50] | Am7 Dm |"
    assert read_chord_sheet(path).steps == tuple(names)


def test_hand_written_sheet(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(
        "\ufeffKey: Bb minor # mine\n\n| Bbm Gb | % | (5/4) F7 . |\r\n| F#m | C#m7 N.C. ||\n",
        "utf-8",
    )
    sheet = read_chord_sheet(path)
    assert sheet.key == "A#:min"
    assert sheet.steps == (
        *("A#:min", "F#") * 2,
        *("F:7", "F:7"),
        *("F#:min", "F#:min"),
        *("C#:min7", "N"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("| Am F |", "no line 'key: Am'"),
        ("key: Am\n", "no bars"),
        ("key: H\n| Am F |", "line 1: unknown key"),
        ("key: Am\n| Am Fx |", "line 2 column 6: unknown chord 'Fx'.*m7b5"),
        ("key: Am\n| Am F G |", "line 2 column 3: a bar of 4/4 has 2 chords, got 3"),
        ("key: Am\n| (3/4) Am F |", "a bar of 3/4 has 1 chords, got 2"),
        ("key: Am\n| (3/4) |", "got 0"),
        ("key: Am\n| . Am |", "there is none"),
        ("key: Am\n| % |", "stands alone"),
        ("key: Am\n| Am F | Am % |", "column 13: '%' stands alone"),
        ("key: Am\nverse one\n", "line 2 column 1: expected '|'"),
        ("key: Am\n| (7/4) Am |", "column 3: unknown chord"),
    ],
)
def test_mistakes_name_line_and_column(tmp_path, text, message):
    path = tmp_path / "chords.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_chord_sheet(path)


def test_chord_sheet_guards(tmp_path):
    path = tmp_path / "chords.txt"
    with pytest.raises(BadInput, match="cannot read"):
        read_chord_sheet(path)
    with pytest.raises(BadInput, match="cannot read"):
        read_chord_sheet(tmp_path)
    path.write_bytes(b"key: Am\n\xff\xfe| Am |")
    with pytest.raises(BadInput, match="cannot read"):
        read_chord_sheet(path)
    path.write_text("| Am Am |\n" * 200_000)
    with pytest.raises(BadInput, match="larger"):
        read_chord_sheet(path)
    path.write_text("key: C\n" + "| C |" * 60_000)
    with pytest.raises(BadInput, match="more than"):
        read_chord_sheet(path)


def test_mutated_chord_sheets_raise_only_bad_input(tmp_path):
    path = tmp_path / "chords.txt"
    write_chord_sheet(piece(20.0), path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(good)
        for position in rng.integers(0, len(data), size=rng.integers(1, 6)):
            data[position] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        with contextlib.suppress(BadInput):
            read_chord_sheet(path)


def test_clock():
    assert clock(0.0) == "0:00.00"
    assert clock(59.996) == "1:00.00"
    assert clock(3725.5) == "62:05.50"


# --- MIDI ---


def test_midi_is_what_was_composed(tmp_path):
    music = piece(60.0, key="F#:min")
    path = tmp_path / "music.mid"
    write_midi(music, path)
    file = mido.MidiFile(path)
    conductor = file.tracks[0]
    assert [track.name for track in file.tracks[1:]] == ["violin", "drums"]
    kinds = [message.type for message in conductor]
    assert kinds.count("marker") == len(music.markers)
    assert "text" in kinds
    assert next(m.key for m in conductor if m.type == "key_signature") == "F#m"
    heard = pretty_midi.PrettyMIDI(str(path))
    assert heard.instruments[0].program == 40
    assert heard.instruments[1].is_drum
    downbeats = heard.get_downbeats()
    starts_s = [bar.start_s for bar in music.bars]
    assert np.abs(downbeats[: len(starts_s)] - starts_s).max() < 0.001
    assert file.length == pytest.approx(60.0, abs=0.001)


@pytest.mark.parametrize(("duration_s", "bpm", "step"), [(60.0, 40.0, 0.11), (7200.0, 220.0, 7.3)])
def test_note_times_do_not_drift(tmp_path, duration_s, bpm, step):
    music = piece(duration_s, bpm=bpm, note_step=step, seed=3)
    path = tmp_path / "music.mid"
    write_midi(music, path)
    heard = pretty_midi.PrettyMIDI(str(path)).instruments[0].notes
    wanted = music.parts[0].notes
    assert len(heard) == len(wanted)
    heard = sorted(heard, key=lambda note: (note.start, note.pitch))
    for note, original in zip(heard, wanted, strict=True):
        assert note.pitch == original.pitch
        assert note.velocity == original.velocity
        assert abs(note.start - original.start_s) < 0.001
        assert abs(note.end - original.end_s) < 0.001


def test_steady_tempo_is_one_event(tmp_path):
    bars = plan_bars(600.0, [], bpm=97.3, hits=False)
    path = tmp_path / "music.mid"
    write_midi(replace(piece(600.0), bars=bars), path)
    tempi = [message for message in mido.MidiFile(path).tracks[0] if message.type == "set_tempo"]
    assert len(tempi) < len(bars) / 10


def test_same_soundtrack_same_bytes(tmp_path):
    for name in ("a.mid", "b.mid"):
        write_midi(piece(), tmp_path / name)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_midi_comes_back(tmp_path):
    music = piece(30.0)
    music = replace(music, markers=(*music.markers, Marker(29.0, "Schlußakkord – fin")))
    path = tmp_path / "music.mid"
    write_midi(music, path)
    read = read_midi(path)
    assert read.duration_s == pytest.approx(30.0, abs=0.001)
    assert [marker.text for marker in read.markers] == [marker.text for marker in music.markers]
    for part, original in zip(read.parts, music.parts, strict=True):
        assert (part.name, part.is_drum) == (original.name, original.is_drum)
        assert part.program == original.program
        for note, wanted in zip(part.notes, original.notes, strict=True):
            assert note.pitch == wanted.pitch
            assert abs(note.start_s - wanted.start_s) < 0.001
            assert abs(note.end_s - wanted.end_s) < 0.001


def test_repeated_and_late_notes(tmp_path):
    notes = (
        Note(1.0, 3.0, 60, 80),
        Note(2.0, 4.0, 60, 80),
        Note(2.0, 2.5, 60, 80),
        Note(5.0, 5.0, 62, 80),
        Note(23.9, 99.0, 64, 80),
        Note(24.0, 25.0, 65, 80),
    )
    music = replace(piece(24.0), parts=(Part("Keys", 0, False, notes),))
    path = tmp_path / "music.mid"
    write_midi(music, path)
    (part,) = read_midi(path).parts
    assert [note.pitch for note in part.notes] == [60, 60, 62, 64]
    times_s = [(note.start_s, note.end_s) for note in part.notes]
    assert times_s[0] == pytest.approx((1.0, 2.0), abs=0.001)
    assert times_s[1] == pytest.approx((2.0, 4.0), abs=0.001)
    assert times_s[3] == pytest.approx((23.9, 24.0), abs=0.001)


def test_shortest_piece(tmp_path):
    music = piece(24.0)
    bars = plan_bars(0.2, [], bpm=100.0)
    music = replace(music, duration_s=0.2, bars=bars, chords=(), markers=(), parts=())
    write_midi(music, tmp_path / "music.mid")
    assert read_midi(tmp_path / "music.mid").duration_s == pytest.approx(0.2, abs=0.001)
    write_chord_sheet(music, tmp_path / "chords.txt")
    assert read_chord_sheet(tmp_path / "chords.txt").steps == ("N",)


def test_too_many_parts_are_an_error_of_ours(tmp_path):
    music = replace(piece(), parts=tuple(Part(f"P{i}", i, False, ()) for i in range(16)))
    with pytest.raises(ValueError, match="15 parts"):
        write_midi(music, tmp_path / "music.mid")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ALL_KEYS)
def test_key_signatures_exist(key):
    mido.MetaMessage("key_signature", key=key_signature(key))
    assert parse_key(key_signature(key)) == key


def midi_bytes(track, *, kind=1, num_tracks=1, resolution=480):
    header = b"MThd" + struct.pack(">LHHH", 6, kind, num_tracks, resolution)
    return header + b"MTrk" + struct.pack(">L", len(track)) + track


END_OF_TRACK = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40\x60\x80\x3c\x00"
HOSTILE = {
    "bomb of 37 bytes": midi_bytes(b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x00" + END_OF_TRACK),
    "slow tempo": midi_bytes(b"\x00\xff\x51\x03\xff\xff\xff" + NOTE + END_OF_TRACK),
    "no tempo": midi_bytes(b"\x00\xff\x51\x03\x00\x00\x00" + NOTE + END_OF_TRACK),
    "endless number": midi_bytes(b"\xff" * 4_000_000),
    "endless length": midi_bytes(b"\x00\xff\x01" + b"\xff" * 1000),
    "many events": midi_bytes(b"\x00\xc0\x00" + b"\x00\x00" * 2_000_000),
    "many notes": midi_bytes(b"\x00\x90" + b"\x3c\x40\x00" * 400_000),
    "empty": b"",
    "text": b"this is no music" * 10,
    "header only": b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0",
    "type 2": midi_bytes(NOTE + END_OF_TRACK, kind=2),
    "no tracks": midi_bytes(NOTE + END_OF_TRACK, num_tracks=0),
    "too many tracks": midi_bytes(NOTE + END_OF_TRACK, num_tracks=60_000),
    "missing track": midi_bytes(NOTE + END_OF_TRACK, num_tracks=2),
    "no resolution": midi_bytes(NOTE + END_OF_TRACK, resolution=0),
    "smpte": midi_bytes(NOTE + END_OF_TRACK, resolution=0xE728),
    "running nothing": midi_bytes(b"\x00\x3c\x40" + END_OF_TRACK),
    "running sysex": midi_bytes(b"\x00\xf0\x01\xf7\x00\x7f" + END_OF_TRACK),
    "loud data byte": midi_bytes(b"\x00\x90\x3c\xff" + END_OF_TRACK),
    "unknown kind": midi_bytes(b"\x00\xf4" + END_OF_TRACK),
    "over its end": midi_bytes(b"\x00\xff\x01\x05ab"),
    "no such key": midi_bytes(b"\x00\xff\x59\x02\x40\x05" + END_OF_TRACK),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_midi_is_refused_quickly(tmp_path, name):
    path = tmp_path / "bad.mid"
    path.write_bytes(HOSTILE[name])
    start = time.perf_counter()
    with pytest.raises(BadInput):
        read_midi(path)
    limit_s = 0.05 if len(HOSTILE[name]) < 1000 else 3.0
    assert time.perf_counter() - start < limit_s


def test_missing_and_large_midi(tmp_path):
    with pytest.raises(BadInput, match="cannot read"):
        read_midi(tmp_path / "none.mid")
    path = tmp_path / "large.mid"
    path.write_bytes(b"MThd" + bytes(5_000_001))
    with pytest.raises(BadInput, match="larger"):
        read_midi(path)


def test_a_sound_file_from_elsewhere_is_read(tmp_path):
    file = mido.MidiFile(type=0, ticks_per_beat=96)
    track = mido.MidiTrack(
        [
            mido.Message("program_change", program=5, channel=2),
            mido.Message("note_on", note=60, velocity=90, channel=2, time=0),
            mido.Message("note_on", note=60, velocity=0, channel=2, time=96),
            mido.MetaMessage("set_tempo", tempo=1_000_000),
            mido.Message("sysex", data=[1, 2, 3]),
            mido.Message("note_on", note=64, velocity=90, channel=2, time=0),
            mido.MetaMessage("end_of_track", time=96),
        ]
    )
    file.tracks.append(track)
    buffer = BytesIO()
    file.save(file=buffer)
    path = tmp_path / "other.mid"
    path.write_bytes(buffer.getvalue())
    (part,) = read_midi(path).parts
    assert part.program == 5
    assert part.notes == (Note(0.0, 0.5, 60, 90), Note(0.5, 1.5, 64, 90))


def test_mutated_midi_raises_only_bad_input(tmp_path):
    path = tmp_path / "music.mid"
    write_midi(piece(12.0), path)
    good = path.read_bytes()
    rng = np.random.default_rng(1)
    num_read = 0
    for _ in range(600):
        data = bytearray(good[: rng.integers(20, len(good))] if rng.random() < 0.1 else good)
        for position in rng.integers(0, len(data), size=rng.integers(1, 8)):
            data[position] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        with contextlib.suppress(BadInput):
            num_read += read_midi(path).duration_s >= 0
    assert 0 < num_read < 600


# --- lead sheet ---


def test_lead_sheet_parses_back(tmp_path):
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
            assert symbol.chordKind == KINDS[quality or "maj"]
    assert len(list(part.recurse().getElementsByClass("MetronomeMark"))) >= 1
    assert part.recurse().getElementsByClass("Key")[0].tonicPitchNameWithCase == "e-"
    sounding = [n for n in part.recurse().notes if isinstance(n, music21.note.Note)]
    pitches = [n.pitch.midi for n in sounding if n.tie is None or n.tie.type == "start"]
    assert pitches == [note.pitch for note in music.parts[0].notes]


def test_lead_sheet_without_notes_and_odd_metres(tmp_path):
    music21 = pytest.importorskip("music21")
    bars = (Bar(0.0, 1.0, 2), Bar(1.0, 2.5, 3), Bar(2.5, 5.0, 5), Bar(5.0, 7.0, 4))
    music = replace(piece(), duration_s=7.0, bars=bars, chords=(), parts=(), markers=())
    path = tmp_path / "lead.musicxml"
    write_lead_sheet(music, path)
    (part,) = music21.converter.parse(path).parts
    measures = part.getElementsByClass("Measure")
    assert [measure.duration.quarterLength for measure in measures] == [2, 3, 5, 4]


def test_the_lead_is_all_lead_instruments(tmp_path):
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


def test_long_notes_are_tied_over_bar_lines(tmp_path):
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


def test_lead_sheet_same_bytes(tmp_path):
    pytest.importorskip("music21")
    for name in ("a.musicxml", "b.musicxml"):
        write_lead_sheet(piece(10.0), tmp_path / name)
    assert (tmp_path / "a.musicxml").read_bytes() == (tmp_path / "b.musicxml").read_bytes()


def test_lead_sheet_leaves_home_alone(tmp_path):
    pytest.importorskip("music21")
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import sys; from pathlib import Path; import affetto.gen.music.lead_sheet as s;"
        "assert 'music21' not in sys.modules; import music21.musicxml.m21ToXml"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert list(home.iterdir()) == []


def test_missing_music21_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "music21.musicxml.m21ToXml", None)
    with pytest.raises(EngineError, match=r"affetto\[score\]"):
        write_lead_sheet(piece(), tmp_path / "lead.musicxml")
    assert list(tmp_path.iterdir()) == []
