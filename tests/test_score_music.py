"""Music as notes: recognized, scored against what was asked, measured again."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from affetto.apps import recognize, score
from affetto.apps.judges import Nets
from affetto.apps.score_music import score_music
from affetto.apps.score_report import plain, table
from affetto.errors import BadInput
from affetto.gen.music.composition import FILE, Composition, Levels, write_composition
from affetto.gen.music.midi import write_midi
from affetto.recognizers.music.recognizer import (
    load_music_recognizer,
    recognize_music,
    recognize_music_sound,
)
from affetto.recognizers.music.sound import RATE
from affetto.soundtrack import Bar, ChordSpan, Dynamics, Marker, Note, Part, Soundtrack
from tests.test_music_emotion import song
from tests.test_music_sound import played

LENGTH_S = 24.0


def piece(*, cuts=(4.0, 8.02)):
    """Half a minute: slow and soft in minor, then fast and loud in major; bars of two seconds."""
    dark = song("Am Am Am Am", beat_s=3.0, velocity=35, shift=-7)
    bright = tuple(
        replace(note, start_s=note.start_s + 12, end_s=note.end_s + 12)
        for note in song("C G C C " * 12, beat_s=0.25, velocity=115)
    )
    bars = tuple(Bar(2.0 * i, 2.0 * i + 2.0, 4) for i in range(12))
    even = np.zeros(2)
    return Soundtrack(
        LENGTH_S, "C", bars, (ChordSpan(0.0, LENGTH_S, "C"),),
        (Part("piano", 0, False, dark + bright), Part("drums", 0, True, (Note(0.0, 0.1, 36, 90),))),
        Dynamics(np.array([0.0, LENGTH_S]), even, even),
        tuple(Marker(time_s, f"cut {i}") for i, time_s in enumerate(cuts, 1)),
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A soundtrack's folder, without sound."""
    write_midi(piece(), tmp_path / "music.mid")
    write_composition(tmp_path / FILE, Composition(piece(), Levels(0.0, 0.0, 0.0), {}))
    course = "time,emotion\n0,sad\n11,sad\n13,excited\n24,excited\n"
    (tmp_path / "emotion.csv").write_text(course)
    return tmp_path


def judged(music):
    net = load_music_recognizer("music_emotion_judge")
    notes = [note for part in music.parts if not part.is_drum for note in part.notes]
    return recognize_music(notes, recognizer=net, duration_s=music.duration_s)


def test_notes_are_recognized(folder):
    job = recognize.Job(media=(folder / "music.mid",))
    answer = recognize.run(job, nets=Nets())
    (found,) = answer.found
    assert found.kind == "notes"
    assert [row.what for row in found.rows] == ["all", "music"]
    assert found.judges[0].name == "music_emotion_judge"
    assert found.duration_s == pytest.approx(LENGTH_S, abs=0.01)
    start, end = (found.track.at(np.array([time_s])).vad[0] for time_s in (3.0, 21.0))
    assert start[1] < 0 < end[1]


def test_notes_are_no_voice_and_drums_alone_have_no_feeling(folder):
    with pytest.raises(BadInput, match="has music"):
        recognize.recognize_medium(folder / "music.mid", nets=Nets(), only=("voice",))
    kit = replace(piece(), parts=piece().parts[1:])
    write_midi(kit, folder / "kit.mid")
    with pytest.raises(BadInput, match="no pitched note"):
        recognize.recognize_medium(folder / "kit.mid", nets=Nets())


def test_a_soundtracks_folder_is_held_against_the_course_it_followed(folder):
    result = score.run(score.Job(media=folder, out=folder / "scores"))
    (one,) = result.comparisons
    assert one.what.endswith("emotion.csv")
    metrics = {metric.name: metric.score for metric in one.score.metrics}
    assert metrics["arousal_ccc"] > 0.5
    assert {"key", "tempo", "arousal"} <= {found.name for found in result.music}
    assert "the music, measured again" in table(result)
    assert (
        json.loads((folder / "scores/scores.json").read_text())["music"] == plain(result)["music"]
    )


def test_the_music_is_heard_without_the_films_own_sound(folder):
    notes = [note for part in piece().parts if not part.is_drum for note in part.notes]
    sound = played(notes, length_s=LENGTH_S)
    (folder / "stems").mkdir()
    for name, gain in (("piano", 0.75), ("echo", 0.25)):
        soundfile.write(folder / f"stems/{name}.wav", gain * sound.T, RATE, subtype="FLOAT")
    storm = np.random.default_rng(0).uniform(-0.3, 0.3, sound.shape)
    soundfile.write(folder / "mix.wav", (sound + storm).T, RATE)
    result = score.run(score.Job(media=folder))
    assert [judge.name for judge in result.judges] == ["music_emotion_judge", "music_sound"]
    found = {one.name: one for one in result.music}
    assert {"valence", "valence by ear", "arousal by ear", "loudness"} <= set(found)
    alone = recognize_music_sound([sound], recognizer=Nets().music_sound, duration_s=LENGTH_S)
    assert found["arousal by ear"].value == f"{alone.vad[:, 1].mean():+.2f}"
    low, high = re.findall(r"[+-]\d\.\d+", found["arousal by ear"].beside)
    assert float(low) < 0 < float(high)


def test_a_folder_without_notes_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"music\.mid"):
        score.run(score.Job(media=tmp_path, request="sad"))


def test_measures_are_what_is_in_the_notes(folder):
    found = {one.name: one for one in score_music(folder / "music.mid", judged(piece()))}
    assert found["tempo"].value == "120 bpm"
    assert found["key"].beside.startswith("composed in C;")
    assert found["cuts within 40 ms of a bar line"].value == "100% of 2"
    assert "chance 4%" in found["cuts within 40 ms of a bar line"].beside
    assert float(found["different pitches at once"].value) == pytest.approx(4.0)
    assert "outside" not in found["share in one major scale"].beside
    assert "loudness" not in found


def test_a_midi_file_alone_has_its_tempo_and_no_cuts(tmp_path):
    write_midi(piece(cuts=()), tmp_path / "song.mid")
    found = {one.name: one for one in score_music(tmp_path / "song.mid", judged(piece()))}
    assert found["tempo"].value == "120 bpm"
    assert not any("cuts" in name for name in found)
    assert "composed" not in found["key"].beside
