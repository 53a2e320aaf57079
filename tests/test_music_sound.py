"""Sounding music to emotion: the front end, the recognizer that hears, its lessons."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from affetto.apps import recognize
from affetto.apps.judges import Nets
from affetto.emotion_bank.space import decode_arrays
from affetto.errors import BadInput, ConfigError
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.recognizers.music.features import note_rows
from affetto.recognizers.music.recognizer import (
    READERS,
    load_music_recognizer,
    recognize_music_sound,
)
from affetto.recognizers.music.sound import (
    FRAME_HZ,
    HOP,
    NUM_BANDS,
    RATE,
    SOUND_SIZE,
    heard_share,
    sound_frames,
    sound_span,
    window_sound,
)
from affetto.soundtrack import Part
from affetto.train import music_sound
from affetto.train.data.vgmidi import Phrase, Piece
from affetto.train.music_sound import (
    SoundData,
    SoundRecipe,
    Take,
    played_lessons,
    played_songs,
    with_songs,
)
from affetto.train.render_music import rendered_frames
from tests.test_music_emotion import song

GOLDEN = (0.2119, 0.1981)
PITCH_CLASSES, MODE = slice(-21, -9), -7  # of a window: above the tonic; major less minor


def played(notes, *, length_s=None):
    """(2, S) of the notes on the built-in piano."""
    length_s = length_s or max(note.end_s for note in notes) + 0.5
    blocks = BuiltInSynth().render(
        Part("all", 0, False, notes), duration_s=length_s, sample_rate=RATE
    )
    return np.concatenate(list(blocks), axis=1)


def frames(notes):
    return sound_frames([played(notes)])


def test_frames_do_not_depend_on_blocks_gain_or_channels():
    sound = played(song())
    whole = sound_frames([sound])
    assert whole.shape == (-(-sound.shape[1] // HOP), NUM_BANDS + 12)
    parts = sound_frames(np.array_split(sound, 13, axis=1))
    np.testing.assert_allclose(parts, whole, atol=1e-9)
    quiet = sound_frames([0.1 * sound.mean(axis=0, keepdims=True)])
    np.testing.assert_allclose(quiet[:, :NUM_BANDS], whole[:, :NUM_BANDS], atol=1e-2)
    loud, soft = (window_sound(seen, start_s=0.0, end_s=4.0) for seen in (whole, quiet))
    np.testing.assert_allclose(soft, loud, atol=2e-2)


def test_later_is_the_same():
    sound = played(song())
    late = np.concatenate([np.zeros((2, 43 * HOP), np.float32), sound], axis=1)
    np.testing.assert_allclose(sound_frames([late])[43:], sound_frames([sound]), atol=1e-4)


def test_nothing_and_silence_are_nothing():
    assert sound_frames([]).shape == (0, NUM_BANDS + 12)
    silent = sound_frames([np.zeros((2, RATE * 3), np.float32)])
    assert not window_sound(silent, start_s=0.0, end_s=3.0).any()
    assert heard_share(silent, 0.0, 3.0) == 0.0
    assert sound_span(silent)[1] == pytest.approx(3.0, abs=1 / FRAME_HZ)
    seen = frames(song())
    assert not window_sound(seen, start_s=0.0, end_s=0.2).any()  # too short to say anything
    assert not window_sound(seen, start_s=100.0, end_s=112.0).any()
    assert heard_share(seen, 0.0, 4.0) > 0.95


def test_windows_hear_mode_pace_and_key():
    major, minor = (frames(song(names)) for names in ("C C G C", "Am Am Am Am"))
    bright, dark = (window_sound(seen, start_s=0.0, end_s=4.0) for seen in (major, minor))
    assert bright.shape == (SOUND_SIZE,)
    assert np.isfinite(bright).all()
    lower = window_sound(frames(song("C C G C", shift=-3)), start_s=0.0, end_s=4.0)
    np.testing.assert_allclose(lower[PITCH_CLASSES], bright[PITCH_CLASSES], atol=0.03)
    assert bright[MODE] > 0.2 > -0.2 > dark[MODE]


def test_fast_loud_major_is_brighter_than_slow_soft_minor():
    net = load_music_recognizer("music_sound")
    bright = net.judge_seen(frames(song("C G C C " * 12, beat_s=0.25, velocity=115, shift=5)))
    dark = net.judge_seen(frames(song("Am Am Am Am", beat_s=3.0, velocity=35, shift=-7)))
    assert bright[0] > dark[0]
    assert bright[1] > dark[1] + 0.3
    assert net.judge_seen(sound_frames([])) == (0.0, 0.0)


def test_golden_judgement():
    found = load_music_recognizer("music_sound").judge_seen(
        frames(song("C G Am C " * 4, beat_s=0.5))
    )
    np.testing.assert_allclose(found, GOLDEN, atol=5e-3)


def test_the_net_that_hears_knows_the_judges_games_only():
    net, loss = load_music_recognizer("music_sound"), load_music_recognizer("music_emotion")
    assert net.trained_on == ("vgmidi_B", "pop909")
    assert not set(net.trained_on) & set(loss.trained_on)


def test_track_lies_in_the_shared_space_and_follows_the_music():
    net = load_music_recognizer("music_sound")
    loud = song("C G C C " * 40, beat_s=0.25, velocity=115)
    soft = tuple(
        replace(note, start_s=note.start_s + 40, end_s=note.end_s + 40)
        for note in song("Am " * 10, beat_s=4.0, velocity=35)
    )
    sound = played(loud + soft, length_s=80.0)
    track = recognize_music_sound([sound], recognizer=net, duration_s=80.0)
    assert len(track.times) == 80
    assert track.vad[:30, 1].mean() > track.vad[50:, 1].mean() + 0.3
    _, vad, _ = decode_arrays(track.mean, track.log_var)
    np.testing.assert_allclose(vad, track.vad, atol=1e-3)


def test_silence_is_unknown_and_hours_are_refused_unread():
    net = load_music_recognizer("music_sound")
    silent = [np.zeros((1, 3 * RATE), np.float32)]
    track = recognize_music_sound(silent, recognizer=net, duration_s=3.0)
    assert not track.vad.any()
    assert not track.confidence.any()

    def unread():
        raise AssertionError("read")
        yield

    with pytest.raises(BadInput, match="at most 7200"):
        recognize_music_sound(unread(), recognizer=net, duration_s=9000.0)


def test_sound_is_music_only_where_music_is_asked_for(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, played(song("C G Am C " * 3)).T, RATE)
    found = recognize.recognize_medium(path, nets=Nets(), only=("music",))
    assert [row.what for row in found.rows] == ["all", "music"]
    assert found.judges[0].name == "music_sound"
    assert found.track.confidence.max() > 0
    both = recognize.recognize_medium(path, nets=Nets())
    assert [row.what for row in both.rows] == ["all", "voice"]
    soundfile.write(path, np.zeros(RATE * 2), RATE)
    silent = recognize.recognize_medium(path, nets=Nets(), only=("music",))
    assert silent.missing == {"music": "it is silent"}


def test_lessons_are_played_and_songs_get_the_teachers_word(monkeypatch):
    monkeypatch.setattr(
        music_sound, "takes", lambda: (Take(BuiltInSynth(), True), Take(BuiltInSynth(), False))
    )
    notes = song("C G Am C " * 6, beat_s=0.5)
    heard = np.linspace([-1.0, 0.5], [1.0, 0.5], 6)
    lessons, again = (
        played_lessons(
            [Piece("game", "piece", notes, heard)],
            [Phrase("game", "p", notes, True, False)],
            seed=1,
        )
        for _ in range(2)
    )
    assert lessons.windows.shape[1] == SOUND_SIZE
    assert len(lessons.windows) == len(lessons.heard) == len(lessons.games) >= 2
    np.testing.assert_array_equal(lessons.windows, again.windows)
    assert float(lessons.heard[:, 1].mean()) == pytest.approx(0.5)
    teacher = load_music_recognizer("music_emotion_judge")
    late = tuple(replace(note, start_s=note.start_s + 9, end_s=note.end_s + 9) for note in notes)
    windows, seen = played_songs([note_rows(late)], READERS["histograms"], seed=1)
    assert len(windows) == len(seen) >= 1
    joined = with_songs(lessons, windows, teacher.scores(seen))
    assert len(joined.windows) == len(lessons.windows) + len(windows)
    assert set(joined.games) == {"game", ""}
    assert len(joined.part({"game"}).windows) == len(lessons.windows)


def test_a_take_is_the_same_again_and_its_tilt_is_bounded():
    rows = note_rows(song())
    one, two = (
        rendered_frames(rows, BuiltInSynth(), (40, 48), rng=np.random.default_rng(3))
        for _ in range(2)
    )
    np.testing.assert_array_equal(one, two)
    assert one[:, :NUM_BANDS].max() <= 3.0


def test_a_teacher_of_other_games_is_refused():
    recipe = SoundRecipe(data=SoundData(half="A"))
    with pytest.raises(ConfigError, match="knows vgmidi_B"):
        music_sound.run(recipe)
