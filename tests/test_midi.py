"""MIDI out and in."""

import contextlib
import struct
import time
from dataclasses import replace
from io import BytesIO

import mido
import numpy as np
import pretty_midi
import pytest

from affetto.errors import BadInput
from affetto.gen.music.chord_sheet import read_chord_sheet, write_chord_sheet
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.midi import key_signature, write_midi
from affetto.gen.music.midi_reading import read_midi
from affetto.gen.music.sync import plan_bars
from affetto.soundtrack import (
    Marker,
    Note,
    Part,
)

ALL_KEYS = [Key(tonic, mode) for tonic in range(12) for mode in ("maj", "min")]


def test_midi_is_what_was_composed(tmp_path, piece):
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
def test_note_times_do_not_drift(tmp_path, duration_s, bpm, step, piece):
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


def test_steady_tempo_is_one_event(tmp_path, piece):
    bars = plan_bars(600.0, [], bpm=97.3, hits=False)
    path = tmp_path / "music.mid"
    write_midi(replace(piece(600.0), bars=bars), path)
    tempi = [message for message in mido.MidiFile(path).tracks[0] if message.type == "set_tempo"]
    assert len(tempi) < len(bars) / 10


def test_same_soundtrack_same_bytes(tmp_path, piece):
    for name in ("a.mid", "b.mid"):
        write_midi(piece(), tmp_path / name)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_midi_comes_back(tmp_path, piece):
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


def test_repeated_and_late_notes(tmp_path, piece):
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


def test_shortest_piece(tmp_path, piece):
    music = piece(24.0)
    bars = plan_bars(0.2, [], bpm=100.0)
    music = replace(music, duration_s=0.2, bars=bars, chords=(), markers=(), parts=())
    write_midi(music, tmp_path / "music.mid")
    assert read_midi(tmp_path / "music.mid").duration_s == pytest.approx(0.2, abs=0.001)
    write_chord_sheet(music, tmp_path / "chords.txt")
    assert read_chord_sheet(tmp_path / "chords.txt").steps == ("N",)


def test_too_many_parts_are_an_error_of_ours(tmp_path, piece):
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


def test_mutated_midi_raises_only_bad_input(tmp_path, piece):
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
