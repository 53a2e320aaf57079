"""The Python door: the same verbs, the same options, and nets that stay loaded."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affetto import api
from affetto.apps.verbs import VERBS, _job_class
from affetto.errors import UsageError
from affetto.gen.portrait.pipeline import TalkOptions

SAMPLES = Path(__file__).parent.parent / "samples"
WISHES = {
    "talk": (api.TalkWishes, {"portrait", "speech", "out"}),
    "soundtrack": (api.SoundtrackWishes, {"video", "out"}),
    "recognize": (api.RecognizeWishes, {"media"}),
    "score": (api.ScoreWishes, {"media"}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_job_can_be_wished(verb):
    wishes, files = WISHES[verb]
    fields = {field.name for field in dataclasses.fields(_job_class(verb))}
    assert set(wishes.__annotations__) == fields - files


def test_the_door_is_light():
    code = "import sys, affetto.api; print(any(m in sys.modules for m in ('torch', 'numpy')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(AttributeError, match="TalkingPortrait"):
        _ = api.Dream


def test_a_talking_portrait_gives_frames_and_writes_nothing(tmp_path, monkeypatch, half_a_second):
    photo, speech = SAMPLES / "mona_lisa.jpg", half_a_second
    monkeypatch.chdir(tmp_path)
    portrait = api.TalkingPortrait.from_pretrained()
    talk = portrait(photo, speech, emotion="happy", size=128)
    frames = list(talk.frames)
    assert len(frames) == talk.num_frames == 12
    assert frames[0].shape == (128, 128, 3)
    assert np.array_equal(frames[0], next(iter(talk.frames)))
    assert list(tmp_path.iterdir()) == [speech]
    for wrong in ({"fps": 0}, {"size": 8}, {"options": TalkOptions(strength=9)}):
        with pytest.raises(UsageError, match="give"):
            portrait(photo, speech, **wrong)


def test_a_recognizer_is_kept(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("Nobody came to say goodbye.")
    recognizer = api.EmotionRecognizer.from_pretrained()
    first, again = recognizer(note), recognizer(note)
    assert np.array_equal(first.track.probs, again.track.probs)
    assert "text" in recognizer.nets.__dict__


def test_music_is_composed_for_a_film():
    music = api.AffectiveMusic.from_pretrained()(SAMPLES / "lantern_boat.mp4", emotion="calm")
    assert music.chords
    assert any(part.notes for part in music.parts)


@pytest.fixture
def half_a_second(tmp_path):
    import soundfile

    sound, rate = soundfile.read(SAMPLES / "mona_lisa_speaks.flac", frames=8000)
    soundfile.write(tmp_path / "speech.wav", sound[: rate // 2], rate)
    return tmp_path / "speech.wav"
