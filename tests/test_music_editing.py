"""Bars composed anew: everything else is the same, in notes and in samples."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from affetto.apps.soundtrack import run
from affetto.apps.soundtrack_job import Job
from affetto.emotion import LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput, UsageError
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.composition import Composition, read_composition, write_composition
from affetto.gen.music.editing import changed_bars, splice_parts
from affetto.gen.music.splice import EARLY_S, splice_wav
from affetto.media_write import write_clip
from affetto.request import parse_request
from affetto.soundtrack import Note, Part


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    rng = np.random.default_rng(0)
    scenes = (rng.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(3))
    frames = (scene for scene in scenes for _ in range(60))
    voice = (0.1 * np.sin(np.arange(18 * 16_000) / 9))[None].astype(np.float32)
    write_clip(frames, Fraction(10), path, wav=voice, sample_rate=16_000)
    return path


@pytest.fixture(scope="module")
def folder(film, tmp_path_factory):
    out = tmp_path_factory.mktemp("edits") / "first"
    run(Job(film, out, emotion="happy", seed=3, provenance=False, threads=1))
    return out


def edited(film, folder, out, **options):
    return run(Job(film, out, edit=folder, provenance=False, threads=1, **options))


def piece(folder):
    return read_composition(folder / "composition.json").soundtrack


def test_a_composition_is_read_as_it_was_written(folder, tmp_path):
    found = read_composition(folder / "composition.json")
    write_composition(tmp_path / "again.json", found)
    again = read_composition(tmp_path / "again.json")
    for name in ("bars", "chords", "parts", "key", "duration_s", "markers"):
        assert getattr(again.soundtrack, name) == getattr(found.soundtrack, name)
    np.testing.assert_array_equal(
        again.soundtrack.dynamics.density, found.soundtrack.dynamics.density
    )
    assert (again.levels, again.asked) == (found.levels, found.asked)
    assert isinstance(found, Composition)


def test_only_the_bars_change(film, folder, tmp_path):
    result = edited(film, folder, tmp_path / "new", bars="3-4", seed=11)
    before, after = piece(folder), piece(tmp_path / "new")
    assert any("Bars 3-4 are new" in notice for notice in result.notices)
    assert after.bars == before.bars
    start_s, end_s = before.bars[2].start_s, before.bars[3].end_s
    for part in before.parts:
        later = next((p.notes for p in after.parts if p.name == part.name), ())
        outside = [n for n in part.notes if not start_s - 0.01 <= n.start_s < end_s - 0.01]
        assert [n for n in later if not start_s - 0.01 <= n.start_s < end_s - 0.01] == outside
    assert before.parts != after.parts
    for name in ["mix.wav", *(f"stems/{path.name}" for path in (folder / "stems").iterdir())]:
        if not (tmp_path / "new" / name).exists():
            continue
        old, rate = soundfile.read(folder / name, dtype="int32")
        new, _ = soundfile.read(tmp_path / "new" / name, dtype="int32")
        differs = np.flatnonzero((old != new).any(axis=1)) / rate
        assert len(differs) == 0 or (differs.min() >= start_s - EARLY_S - 1 / rate)
        assert len(differs) == 0 or differs.max() <= end_s + 3.0
        assert len(differs) or name != "mix.wav"


def test_edited_chords_change_their_bars_alone_and_edits_can_be_edited(film, folder, tmp_path):
    sheet = tmp_path / "chords.txt"
    music = piece(folder)
    lines = (folder / "chords.txt").read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("["))
    bars = lines[row].split("|")
    lines[row] = "|".join([*bars[:2], " Bb Eb ", *bars[3:]])
    sheet.write_text("\n".join(lines))
    assert changed_bars(music, read_chord_sheet(sheet)) == (1, 1)
    edited(film, folder, tmp_path / "new", chords=sheet)
    after = piece(tmp_path / "new")
    assert [span.symbol for span in after.chords][2:4] == ["A#", "D#"]
    assert after.bars == music.bars
    edited(film, tmp_path / "new", tmp_path / "newer", bars="3", emotion="sad")
    assert piece(tmp_path / "newer").chords[2:4] == after.chords[2:4]


def test_the_emotion_of_edited_bars_is_kept_by_later_edits(film, folder, tmp_path):
    edited(film, folder, tmp_path / "one", bars="2", emotion="sad")
    edited(film, tmp_path / "one", tmp_path / "two", bars="4", emotion="angry")
    bars = piece(folder).bars
    felt = read_composition(tmp_path / "two/composition.json").asked["felt"]
    assert [tuple(one) for one in felt] == [
        (bars[1].start_s, bars[1].end_s, "sad"), (bars[3].start_s, bars[3].end_s, "angry")
    ]  # fmt: skip
    followed = parse_request(str(tmp_path / "two/emotion.csv"))
    course = request_to_track(followed, duration_s=18.0)
    named = [course.at(np.array([(b.start_s + b.end_s) / 2])).probs[0].argmax() for b in bars[:4]]
    assert [LABELS[label] for label in named] == ["happy", "sad", "happy", "angry"]


def test_what_cannot_be_edited_is_said(film, folder, tmp_path):
    for options, words in (
        ({"bars": "3-99", "seed": 5}, "bars 1 to"),
        ({"bars": "three", "seed": 5}, "such as 9-12"),
        ({"bars": "3"}, "would change nothing"),
        ({"seed": 5}, "say which --bars"),
        ({"bars": "1", "seed": 5, "edit": tmp_path / "nowhere"}, "cannot read"),
    ):
        with pytest.raises(BadInput, match=words):
            run(Job(film, tmp_path / "x", **{"edit": folder, "provenance": False, **options}))
    with pytest.raises(UsageError, match="--bars needs --edit"):
        Job(film, tmp_path / "x", bars="3")
    with pytest.raises(UsageError, match="same folder"):
        Job(film, folder, edit=folder, bars="3")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "harm",
    ["text", "list", "version", "bar", "note", "chord", "dynamics", "levels", "part", "asked"],
)
def test_damaged_compositions_are_refused(folder, tmp_path, harm):
    content = json.loads((folder / "composition.json").read_text())
    if harm == "version":
        content["version"] = 99
    elif harm == "bar":
        content["bars"][1][1] = content["bars"][1][0]
    elif harm == "note":
        content["parts"][0]["notes"][0][2] = 300
    elif harm == "chord":
        content["chords"][0][2] = "H:maj"
    elif harm == "levels":
        content["levels"]["music_db"] = "loud"
    elif harm == "part":
        content["parts"][0]["name"] = "../../harp"
    elif harm == "asked":
        content["asked"] = 7
    elif harm == "dynamics":
        content["dynamics"]["density"] = []
    words = {"text": "no json", "list": "[]"}.get(harm) or json.dumps(content)
    (tmp_path / "composition.json").write_text(words)
    with pytest.raises(BadInput):
        read_composition(tmp_path / "composition.json")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("seed", "seven", "seed is 'seven'"),
        ("loudness_lufs", None, "loudness_lufs"),
        ("weights", "hub:stranger/chords", "--weights hub:stranger/chords: give it again"),
        ("soundfont", "/etc/passwd", "--soundfont /etc/passwd: give it again"),
        ("casting", 3, "casting"),
        ("felt", [["soon", 2.0, "sad"]], "felt"),
        ("hits", True, "hits is True"),
        ("hits", "/home/them/marks.edl", "hits is"),
    ],
)
def test_a_strangers_options_are_not_taken_on_trust(film, folder, tmp_path, name, value, words):
    content = json.loads((folder / "composition.json").read_text())
    content["asked"][name] = value
    (tmp_path / "composition.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match=words):
        edited(film, tmp_path, tmp_path / "new", bars="3-4", seed=11)


def test_another_film_is_refused(folder, tmp_path):
    short = tmp_path / "short.mp4"
    frames = (np.full((64, 96, 3), 7, np.uint8) for _ in range(40))
    write_clip(frames, Fraction(10), short)
    with pytest.raises(BadInput, match="that it was composed for"):
        edited(short, folder, tmp_path / "new", bars="1", seed=11)


def test_new_notes_give_way_to_what_stays():
    def part(*notes):
        return Part("piano", 0, False, tuple(Note(*n, 80) for n in notes))

    old = part((0.0, 2.5, 60), (2.0, 3.0, 64), (3.0, 6.0, 62), (4.0, 5.0, 67))
    new = part((2.0, 3.0, 60), (2.6, 3.5, 60), (3.0, 6.0, 67), (3.5, 6.0, 70), (9.0, 9.5, 50))
    (found,) = splice_parts([old], [new], 2.0, 4.0)
    assert found.notes == tuple(
        Note(*n, 80)
        for n in (
            (0.0, 2.5, 60), (2.6, 3.5, 60), (3.0, 4.0, 67), (3.5, 4.0, 70), (3.98, 6.0, 62),
            (4.0, 5.0, 67),
        )
    )  # fmt: skip
    assert dataclasses.replace(found, notes=()) == dataclasses.replace(old, notes=())


def test_samples_outside_are_the_old_ones(tmp_path):
    rng = np.random.default_rng(0)
    old, new = (rng.integers(-(2**22), 2**22, (80_000, 2)).astype(np.int32) << 8 for _ in range(2))
    for name, rows in (("old", old), ("new", new)):
        soundfile.write(tmp_path / f"{name}.wav", rows, 8_000, subtype="PCM_24")
    splice_wav(tmp_path / "old.wav", tmp_path / "new.wav", span_s=(2.0, 4.0))
    found, _ = soundfile.read(tmp_path / "new.wav", dtype="int32")
    np.testing.assert_array_equal(found[:15_904], old[:15_904])
    np.testing.assert_array_equal(found[15_920:52_000], new[15_920:52_000])
    np.testing.assert_array_equal(found[56_000:], old[56_000:])


def test_what_begins_or_ends_the_piece_is_new_to_its_edge(tmp_path):
    rows = {
        name: np.full((40_000, 2), value << 16, np.int32) for name, value in (("o", 1), ("n", 2))
    }
    for span_s, borders in (
        ((0.0, 1.0), (0, 28_000)),
        ((3.0, 5.0), (23_920, 40_000)),
        (None, (0, 0)),
    ):
        for name, samples in rows.items():
            soundfile.write(tmp_path / f"{name}.wav", samples, 8_000, subtype="PCM_24")
        off = splice_wav(tmp_path / "o.wav", tmp_path / "n.wav", span_s=span_s)
        found, _ = soundfile.read(tmp_path / "n.wav", dtype="int32")
        new = np.flatnonzero(found[:, 0] == 2 << 16)
        found_borders = (new.min(), new.max() + 1) if len(new) else (0, 0)
        np.testing.assert_allclose(found_borders, borders, atol=1)
        assert off == pytest.approx(2**16 / 2**31)


def test_players_change_and_everybody_else_stays(film, folder, tmp_path):
    parts = {part.name: part for part in piece(folder).parts}
    pitched = next(name for name, part in parts.items() if not part.is_drum)
    other = "harp" if "harp" not in parts else "marimba"
    out = tmp_path / "recast"
    result = edited(film, folder, out, swap=(f"{pitched}={other}",), mute=("drums",))
    after = {part.name: part for part in piece(out).parts}
    rest = parts.keys() - {pitched, "drums"}
    assert after.keys() == {*rest, other}
    assert all(after[name] == parts[name] for name in rest)
    assert len(after[other].notes) > 0.8 * len(parts[pitched].notes)
    for name in rest:
        old, new = (
            soundfile.read(f / "stems" / f"{name}.wav", dtype="int32")[0] for f in (folder, out)
        )
        np.testing.assert_array_equal(old, new)
    assert any(f"{other} plays what {pitched} played" in notice for notice in result.notices)
    assert not any("another synthesizer" in notice for notice in result.notices)
    assert f"--swap {pitched}={other} --mute drums" in result.command
    inputs = json.loads((out / "recipe.json").read_text())["inputs"]
    assert "composition.json" in {row["name"] for row in inputs}
    edited(film, out, tmp_path / "more", bars="3-4", seed=11)
    more = {part.name: part for part in piece(tmp_path / "more").parts}
    assert "drums" not in more
    assert pitched not in more
    start_s, end_s = (piece(folder).bars[2].start_s, piece(folder).bars[3].end_s)
    there = [note for note in after[other].notes if start_s <= note.start_s < end_s - 0.01]
    assert bool(there) == any(start_s <= n.start_s < end_s - 0.01 for n in more[other].notes)


def test_players_that_cannot_change_are_said(film, folder, tmp_path):
    for options, words in (
        ({"swap": ("kazoo=harp",)}, "no part 'kazoo'"),
        ({"mute": ("drums",), "seed": 9}, "say which --bars"),
    ):
        with pytest.raises(BadInput, match=words):
            run(Job(film, tmp_path / "x", edit=folder, provenance=False, **options))
    with pytest.raises(UsageError, match="--edit"):
        Job(film, tmp_path / "x", mute=("drums",))


def test_a_new_player_is_silent_outside(tmp_path):
    soundfile.write(tmp_path / "n.wav", np.full((64_000, 2), 1 << 20, np.int32), 8_000, "PCM_24")
    splice_wav(tmp_path / "none.wav", tmp_path / "n.wav", span_s=(2.0, 4.0))
    found, _ = soundfile.read(tmp_path / "n.wav", dtype="int32")
    assert not found[:15_904].any()
    assert not found[56_000:].any()
    assert (found[16_000:52_000] == 1 << 20).all()
