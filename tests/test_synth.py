"""Notes become sound at the right sample, the same each time; hostile sound fonts are refused."""

import importlib.util
import os
import struct
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.gen.music import synth as synth_module
from affetto.gen.music.built_in_drums import drum_hit
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.note_events import note_events
from affetto.gen.music.sampled_synth import TinySoundFont, choose_preset
from affetto.gen.music.soundfont import Preset, check_soundfont
from affetto.gen.music.synth import choose_synth
from affetto.soundtrack import Note, Part

RATE = 44_100
FONT = Path(importlib.util.find_spec("pretty_midi").origin).parent / "TimGM6mb.sf2"


def part(*notes, program=0, is_drum=False):
    return Part("part", program, is_drum, tuple(Note(*note) for note in notes))


def rendered(synth, music, *, duration_s, sample_rate=RATE):
    return np.concatenate(
        list(synth.render(music, duration_s=duration_s, sample_rate=sample_rate)), axis=1
    )


def synths():
    found = [BuiltInSynth()]
    if importlib.util.find_spec("tinysoundfont"):
        found.insert(0, choose_synth())
    return found


@pytest.fixture(params=synths(), ids=lambda synth: type(synth).__name__)
def synth(request):
    return request.param


def test_length_is_exact_and_blocks_are_seconds(synth):
    blocks = list(synth.render(part((0.0, 3.0, 60, 90)), duration_s=2.3333, sample_rate=RATE))
    assert [block.shape for block in blocks] == [
        (2, RATE),
        (2, RATE),
        (2, round(2.3333 * RATE) - 2 * RATE),
    ]
    assert all(block.dtype == np.float32 and np.isfinite(block).all() for block in blocks)


@pytest.mark.parametrize("start_s", [0.0, 0.2501, 0.99999, 1.0003, 1.51234])
def test_a_note_begins_on_its_sample(synth, start_s):
    sound = rendered(synth, part((start_s, 1.9, 72, 120), program=80), duration_s=2.0)
    first = np.flatnonzero(np.abs(sound).max(axis=0) > 1e-6)[0]
    assert abs(first - start_s * RATE) <= 0.001 * RATE


def test_note_off_is_heard_and_loudness_follows_velocity(synth):
    held = rendered(synth, part((0.0, 2.0, 60, 100), program=19), duration_s=2.0)
    short = rendered(synth, part((0.0, 0.5, 60, 100), program=19), duration_s=2.0)
    soft = rendered(synth, part((0.0, 2.0, 60, 50), program=19), duration_s=2.0)
    assert np.array_equal(held[:, : RATE // 2], short[:, : RATE // 2])
    assert np.abs(short[:, RATE:]).max() < 0.05 * np.abs(held[:, RATE:]).max()
    assert np.abs(soft).max() < 0.7 * np.abs(held).max()


def test_the_same_bytes_each_time(synth):
    music = part(*((k / 7, k / 7 + 0.3, 50 + k, 60 + k) for k in range(14)), program=48)
    assert np.array_equal(*(rendered(synth, music, duration_s=2.0) for _ in range(2)))


@pytest.mark.parametrize("program", [0, 18, 27, 36, 48, 60, 63, 72, 81, 90, 99, 108])
@pytest.mark.parametrize("sample_rate", [22_050, 48_000])
def test_every_family_sounds_in_tune(synth, program, sample_rate):
    sound = rendered(
        synth, part((0.0, 1.0, 69, 100), program=program), duration_s=1.0, sample_rate=sample_rate
    )
    assert 0.005 < np.abs(sound).max() < 1.0
    spectrum = np.abs(np.fft.rfft(sound.sum(axis=0) * np.hanning(sound.shape[1])))
    near = [spectrum[int(hz) - 12 : int(hz) + 13].sum() for hz in (220, 440, 880, 1320, 1760)]
    assert sum(near) > 0.25 * spectrum.sum()


def test_drums_differ_and_end(synth):
    sounds = [
        rendered(synth, part((0.0, 0.1, pitch, 100), is_drum=True), duration_s=3.0)
        for pitch in (36, 38, 42, 49)
    ]
    assert all(np.abs(sound).max() > 0.01 for sound in sounds)
    centres = []
    for sound in sounds:
        power = np.abs(np.fft.rfft(sound[0])) ** 2
        centres.append((power * np.fft.rfftfreq(sound.shape[1], 1 / RATE)).sum() / power.sum())
    assert centres[0] < centres[1] < centres[2]


def test_no_notes_is_silence_and_late_notes_are_left_out(synth):
    for music in (part(), part((5.0, 6.0, 60, 90))):
        assert not rendered(synth, music, duration_s=1.5).any()


def test_built_in_is_the_same_wherever_blocks_end_and_does_not_fold():
    whole = rendered(BuiltInSynth(), part((0.5, 1.8, 60, 90), program=48), duration_s=3.0)
    later = rendered(BuiltInSynth(), part((0.9, 2.2, 60, 90), program=48), duration_s=3.0)
    shift = round(0.4 * RATE)
    assert np.allclose(whole[:, :-shift], later[:, shift:], atol=1e-4)
    high = rendered(BuiltInSynth(), part((0.0, 1.0, 108, 127), program=57), duration_s=1.0)
    spectrum = np.abs(np.fft.rfft(high[0] * np.hanning(high.shape[1])))
    hz = np.fft.rfftfreq(high.shape[1], 1 / RATE)
    assert spectrum[hz < 3000].max() < 0.01 * spectrum.max()
    assert drum_hit(36, RATE).shape[0] == 2


def test_a_note_struck_again_is_not_cut_by_its_own_past():
    events = note_events(
        part((0.0, 1.0, 60, 90), (0.5, 2.0, 60, 80), (0.5, 0.7, 64, 70)),
        duration_s=3.0,
        sample_rate=100,
    )
    assert [(e.sample, e.is_on, e.pitch) for e in events] == [
        (0, True, 60), (50, False, 60), (50, True, 60),
        (50, True, 64), (70, False, 64), (200, False, 60),
    ]  # fmt: skip
    for one, two in pairwise(events):
        assert one <= two


def test_choice_of_synth(monkeypatch):
    assert choose_synth().name.startswith(("tinysoundfont", "pyfluidsynth", "built-in"))
    monkeypatch.setattr(synth_module, "_imported", lambda name: None)
    assert isinstance(choose_synth(), BuiltInSynth)
    with pytest.raises(BadInput, match="nothing here can play"):
        choose_synth(FONT)
    monkeypatch.setattr(synth_module, "_default_soundfont", lambda: None)
    assert isinstance(choose_synth(), BuiltInSynth)


def test_missing_programs_fall_to_their_neighbours():
    def chosen(*presets, program=40, is_drum=False):
        return choose_preset(
            part(program=program, is_drum=is_drum), frozenset(Preset(*p) for p in presets), FONT
        )

    assert chosen((0, 0), (0, 39), (0, 47), (8, 40)) == (0, 47)
    assert chosen((0, 0), (0, 39)) == (0, 39)
    assert chosen((0, 0), (128, 8), (128, 16), is_drum=True) == (128, 8)
    with pytest.raises(BadInput, match="no instrument"):
        chosen((128, 0))
    with pytest.raises(BadInput, match="no drum kit"):
        chosen((0, 0), is_drum=True)


# A sound font small enough to break in every way.


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content


def generators(*pairs):
    return b"".join(struct.pack("<HH", *pair) for pair in pairs)


def preset(bag):
    return struct.pack("<20sHHHIII", b"one", 0, 0, bag, 0, 0, 0)


TWO = generators((0, 0), (2, 0))  # a zone of two generators


def riff(samples=b"\0\0" * 400, **tables):
    whole = {
        "phdr": struct.pack("<20sHHHIII", b"one", 0, 0, 0, 0, 0, 0)
        + struct.pack("<20sHHHIII", b"EOP", 0, 0, 1, 0, 0, 0),
        "pbag": generators((0, 0), (1, 0)),
        "pmod": b"\0" * 10,
        "pgen": generators((41, 0), (0, 0)),
        "inst": struct.pack("<20sH", b"one", 0) + struct.pack("<20sH", b"EOI", 1),
        "ibag": generators((0, 0), (1, 0)),
        "imod": b"\0" * 10,
        "igen": generators((53, 0), (0, 0)),
        "shdr": struct.pack("<20sIIIIIBBHH", b"one", 0, 300, 10, 290, RATE, 60, 0, 0, 1)
        + b"\0" * 46,
    } | tables
    pdta = b"pdta" + b"".join(chunk(name.encode(), content) for name, content in whole.items())
    info = b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 1))
    body = (
        b"sfbk"
        + chunk(b"LIST", info)
        + chunk(b"LIST", b"sdta" + chunk(b"smpl", samples))
        + chunk(b"LIST", pdta)
    )
    return chunk(b"RIFF", body)


def sample(start=0, end=300, loop_start=10, loop_end=290, rate_hz=RATE, kind=1):
    return (
        struct.pack(
            "<20sIIIIIBBHH", b"one", start, end, loop_start, loop_end, rate_hz, 60, 0, 0, kind
        )
        + b"\0" * 46
    )


HOSTILE = {
    "empty": b"",
    "text": b"this is no sound font, whatever its name says" * 100,
    "wav": b"RIFF" + struct.pack("<I", 36) + b"WAVE" + b"\0" * 32,
    "cut short": riff()[:-60],
    "chunk beyond the end": riff().replace(b"smpl\x20\x03\0\0", b"smpl\xfe\xff\xff\xff"),
    "no samples": riff(samples=b""),
    "odd table": riff(shdr=b"\0" * 90),
    "only terminators": riff(phdr=b"\0" * 38),
    "sample end": riff(shdr=sample(end=401)),
    "sample start after end": riff(shdr=sample(start=301)),
    "loop outside": riff(shdr=sample(loop_end=4_000_000_000)),
    "rate of zero": riff(shdr=sample(rate_hz=0)),
    "compressed": riff(shdr=sample(kind=0x11)),
    "compressed closing record": riff(shdr=sample()[:-2] + b"\x31\x55"),  # crashed tinysoundfont
    "rom": riff(shdr=sample(kind=0x8001)),
    "instrument index": riff(pgen=struct.pack("<HHHH", 41, 1, 0, 0)),
    "sample index": riff(igen=struct.pack("<HHHH", 53, 65535, 0, 0)),
    "bag order": riff(pbag=struct.pack("<HHHH", 2, 0, 1, 0)),
    "bag beyond": riff(ibag=struct.pack("<HHHH", 0, 0, 9, 0)),
    "modulators beyond": riff(ibag=struct.pack("<HHHH", 0, 0, 1, 77)),
    "preset bag beyond": riff(phdr=preset(0) + preset(60_000)),
    "start moved below zero": riff(igen=generators((0, 65535), (53, 0), (0, 0)), ibag=TWO),
    "end moved far": riff(igen=generators((12, 1), (53, 0), (0, 0)), ibag=TWO),
    "end moved by the preset": riff(pgen=generators((12, 1), (41, 0), (0, 0)), pbag=TWO),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sound_fonts_are_refused(tmp_path, name):
    path = tmp_path / "font.sf2"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(BadInput, match=r"font\.sf2"):
        choose_synth(path)


def test_no_file_a_folder_a_pipe_and_too_large(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.sf2")
    for path in (tmp_path / "none.sf2", tmp_path, tmp_path / "pipe.sf2"):
        with pytest.raises(BadInput):
            check_soundfont(path)
    with (tmp_path / "large.sf2").open("wb") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(BadInput, match="2000 MB"):
        check_soundfont(tmp_path / "large.sf2")


def test_the_small_font_and_the_shipped_one_are_accepted(tmp_path):
    path = tmp_path / "font.sf2"
    path.write_bytes(riff(samples=np.arange(-200, 200, dtype="<i2").tobytes()))
    presets = check_soundfont(path)
    assert presets == {(0, 0)}
    assert {(0, program) for program in range(128)} < check_soundfont(FONT)
    module = pytest.importorskip("tinysoundfont")
    small = TinySoundFont(module, path, presets)
    assert rendered(small, part((0.0, 1.0, 60, 90), program=33), duration_s=1.0).any()
    with pytest.raises(BadInput, match="no drum kit"):
        rendered(small, part(is_drum=True), duration_s=1.0)


def test_mutated_fonts_never_crash_the_parser(tmp_path):
    """Bytes of the tables changed at random: refused, or played by the C parser without harm."""
    pytest.importorskip("tinysoundfont")
    (tmp_path / "good.sf2").write_bytes(riff(samples=np.arange(-200, 200, dtype="<i2").tobytes()))
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from affetto.errors import BadInput
        from affetto.gen.music.synth import choose_synth
        from affetto.soundtrack import Note, Part
        folder = Path(sys.argv[1])
        good = np.frombuffer((folder / "good.sf2").read_bytes(), np.uint8)
        rng = np.random.default_rng(0)
        notes = Note(0.0, 0.1, 60, 90), Note(0.02, 0.1, 100, 127), Note(0.02, 0.1, 5, 20)
        music, sizes = Part("p", 0, False, notes), dict(duration_s=0.15, sample_rate=8000)
        played = refused = 0
        for _ in range(250):
            bad = good.copy()
            where = rng.integers(0, len(bad), rng.integers(1, 6))
            tables = rng.integers(850, len(bad), len(where))
            where = np.where(rng.random(len(where)) < 0.8, tables, where)
            bad[where] = rng.choice([0, 1, 127, 128, 255, 41, 53], len(where))
            (folder / "bad.sf2").write_bytes(bad.tobytes())
            try:
                for block in choose_synth(folder / "bad.sf2").render(music, **sizes):
                    assert np.isfinite(block).all()
                played += 1
            except BadInput:
                refused += 1
        assert played > 10 and refused > 80, (played, refused)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
