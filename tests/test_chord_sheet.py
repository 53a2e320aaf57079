"""Chords by the names musicians use, and the chord sheet out and in."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.gen.music.chord_names import (
    NAMES,
    chord_name,
    key_name,
    read_chord_name,
    uses_flats,
)
from affetto.gen.music.chord_sheet import clock, read_chord_sheet, write_chord_sheet
from affetto.gen.music.chords import END, QUALITY_NAMES, chord_symbol
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.lead_sheet import KINDS
from affetto.gen.music.sync import chord_steps
from affetto.soundtrack import (
    Bar,
    ChordSpan,
    Marker,
)

ALL_KEYS = [Key(tonic, mode) for tonic in range(12) for mode in ("maj", "min")]


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


@pytest.mark.parametrize("key", ["C", "A:min", "F", "D#:min", "F#"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chord_sheet_comes_back_exactly(tmp_path, key, seed, piece):
    music = piece(60.0, bpm=70.0 + 20 * seed, key=key, seed=seed)
    path = tmp_path / "chords.txt"
    write_chord_sheet(music, path)
    sheet = read_chord_sheet(path)
    assert sheet.key == key
    assert sheet.steps == tuple(chord.symbol for chord in music.chords)


def test_chord_sheet_is_readable(tmp_path, piece):
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


def test_mutated_chord_sheets_raise_only_bad_input(tmp_path, piece):
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
