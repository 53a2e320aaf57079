"""Notes to emotion: features, the recognizer, its track, the halves, the recipe."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.emotion_bank.space import decode_arrays
from affetto.errors import BadInput
from affetto.recognizers.music.features import (
    FEATURES,
    note_rows,
    pitched_notes,
    window_features,
)
from affetto.recognizers.music.histograms import HISTOGRAM_SIZE, window_histograms
from affetto.recognizers.music.recognizer import (
    MusicConfig,
    MusicRecognizer,
    load_music_recognizer,
    recognize_music,
)
from affetto.soundtrack import Note, Part
from affetto.train.augment_music import fuller_setting
from affetto.train.data.vgmidi import half_of, read_pieces, read_vgmidi
from affetto.train.music_emotion import Lessons, fit, game_folds
from affetto.weights import load_weights, save_weights

ROOT = Path(__file__).parents[1]
VGMIDI = ROOT.parent / "shared" / "data" / "vgmidi"
CHORDS = {"C": (48, 64, 67, 72), "G": (43, 62, 67, 71), "Am": (45, 60, 64, 69)}
GOLDEN_LOSS, GOLDEN_JUDGE = (0.9289, -0.5734), (-0.2768, 0.4919)
KEY_FEATURES = ("major_fit", "minor_fit", "mode", "third_of_key", "major_triads", "minor_triads")


def song(names="C G Am C", *, beat_s=1.0, velocity=80, shift=0):
    return tuple(
        Note(i * beat_s, (i + 1) * beat_s, pitch + shift, velocity)
        for i, name in enumerate(names.split())
        for pitch in CHORDS[name]
    )


def features(notes, *, start_s=0.0, length_s=4.0):
    return window_features(note_rows(notes), start_s=start_s, end_s=start_s + length_s)


def value(notes, name):
    return features(notes)[FEATURES.index(name)]


def test_key_features_are_the_same_an_octave_higher():
    low, high = song(), song(shift=12)
    for name in KEY_FEATURES:
        assert value(low, name) == pytest.approx(value(high, name))
    assert value(high, "pitch") == pytest.approx(value(low, "pitch") + 1)


def test_key_features_are_the_same_in_another_key():
    for name in KEY_FEATURES:
        assert value(song(), name) == pytest.approx(value(song(shift=5), name))


def test_later_is_the_same_and_order_does_not_matter():
    late = tuple(replace(n, start_s=n.start_s + 64, end_s=n.end_s + 64) for n in song())
    np.testing.assert_allclose(features(late, start_s=64.0), features(song()), atol=1e-9)
    np.testing.assert_array_equal(features(song()[::-1]), features(song()))


def test_no_note_is_nothing_and_one_note_is_finite():
    assert not features(()).any()
    assert not features(song(), start_s=100.0).any()
    assert np.isfinite(features((Note(0.0, 1.0, 60, 80),))).all()
    assert np.isfinite(features((Note(-1.0, 9.0, 60, 80),))).all()


def test_features_say_what_they_are_called():
    assert value(song("C C G C"), "mode") > 0 > value(song("Am Am Am Am"), "mode")
    assert value(song("Am Am Am Am"), "minor_triads") == 1.0
    assert value(song("C C C C"), "major_triads") == 1.0
    assert value(song(beat_s=0.5), "onset_rate") == pytest.approx(np.log1p(1.0))
    assert value(song(beat_s=0.5), "silence") == pytest.approx(0.5)


def test_drums_are_not_heard():
    kit = Part("kit", 0, True, song())
    assert pitched_notes((kit, Part("keys", 0, False, song()[:2]))) == song()[:2]


@pytest.mark.parametrize("name", ["music_emotion", "music_emotion_judge"])
def test_fast_loud_major_is_brighter_than_slow_soft_minor(name):
    net = load_music_recognizer(name)
    bright = net.judge(song("C G C C " * 8, beat_s=0.25, velocity=115, shift=5))
    dark = net.judge(song("Am Am Am Am", beat_s=3.0, velocity=35, shift=-7))
    assert bright[0] > dark[0]
    assert bright[1] > dark[1] + 0.5
    assert net.judge(()) == (0.0, 0.0)


def test_loss_and_judge_are_two_nets_of_two_halves():
    loss, judge = (load_music_recognizer(name) for name in ("music_emotion", "music_emotion_judge"))
    assert loss.fingerprint != judge.fingerprint
    assert (loss.trained_on, judge.trained_on) == (("vgmidi_A",), ("vgmidi_B",))
    assert loss.num_landmarks == 0 < judge.num_landmarks


@pytest.mark.parametrize("name", ["music_emotion", "music_emotion_judge"])
def test_batch_is_the_same_as_singles(name):
    net = load_music_recognizer(name)
    rows = (note_rows(notes) for notes in (song(), song("Am Am"), song("G Am C")))
    seen = torch.from_numpy(np.stack([net.reader.window(r, start_s=0.0, end_s=4.0) for r in rows]))
    singles = torch.cat([net.scores(window[None]) for window in seen])
    torch.testing.assert_close(net.scores(seen), singles)


@pytest.mark.parametrize(
    ("name", "golden"), [("music_emotion", GOLDEN_LOSS), ("music_emotion_judge", GOLDEN_JUDGE)]
)
def test_golden_judgements(name, golden):
    found = load_music_recognizer(name).judge(song("C G Am C " * 4, beat_s=0.5))
    np.testing.assert_allclose(found, golden, atol=1e-3)


def test_saved_and_loaded_is_the_same(tmp_path):
    torch.manual_seed(0)
    net = MusicRecognizer(MusicConfig("histograms", 5)).requires_grad_(False)
    net.landmarks.normal_()
    save_weights(
        tmp_path / "w", config={"reads": "histograms", "num_landmarks": 5},
        tensors=net.state_dict(), licence="test", commercial=False, trained_on=(),
    )  # fmt: skip
    assert load_weights(tmp_path / "w").config["num_landmarks"] == 5
    assert load_music_recognizer(tmp_path / "w").judge(song()) == net.judge(song())


def test_histograms_are_the_same_in_another_key_and_later():
    rows = note_rows(song())
    found = window_histograms(rows, start_s=0.0, end_s=4.0)
    assert found.shape == (HISTOGRAM_SIZE,)
    other = note_rows(song(shift=5))
    keyless = slice(0, 24)
    np.testing.assert_allclose(
        window_histograms(other, start_s=0.0, end_s=4.0)[keyless], found[keyless], atol=1e-9
    )
    late = rows + np.array([64.0, 64.0, 0.0, 0.0])
    np.testing.assert_allclose(window_histograms(late, start_s=64.0, end_s=68.0), found, atol=1e-9)
    assert not window_histograms(rows, start_s=100.0, end_s=104.0).any()


def test_a_fuller_setting_has_the_same_music_and_repeats():
    rows = note_rows(song("C G Am C " * 4))
    full, same = (fuller_setting(rows, rng=np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(full, same)
    assert len(full) >= len(rows)
    assert full[:, 2].min() >= 21
    assert full[:, 3].min() >= 1
    length_s = full[:, 1].max() / rows[:, 1].max()
    assert 0.9 < length_s < 1.1


def test_track_lies_in_the_shared_space_and_follows_the_music():
    net = load_music_recognizer()
    loud = song("C G C C " * 40, beat_s=0.25, velocity=115)
    soft = tuple(
        replace(n, start_s=n.start_s + 40, end_s=n.end_s + 40)
        for n in song("Am " * 10, beat_s=4.0, velocity=35)
    )
    track = recognize_music(loud + soft, recognizer=net, duration_s=80.0)
    assert len(track.times) == 80
    assert track.vad[:30, 1].mean() > track.vad[50:, 1].mean() + 0.5
    _, vad, _ = decode_arrays(track.mean, track.log_var)
    np.testing.assert_allclose(vad, track.vad, atol=1e-3)


def test_silence_is_unknown_and_bad_lengths_are_refused():
    net = load_music_recognizer()
    track = recognize_music((), recognizer=net, duration_s=3.0)
    assert not track.vad.any()
    assert not track.confidence.any()
    for length_s in (0.0, float("nan"), 1e6):
        with pytest.raises(BadInput):
            recognize_music((), recognizer=net, duration_s=length_s)


def test_unknown_readers_are_refused():
    with pytest.raises(ValueError, match="tea leaves"):
        MusicConfig("tea leaves")


def test_halves_are_the_protocols():
    lines = (ROOT / "benchmarks/protocols/vgmidi_halves.txt").read_text().splitlines()[2:]
    assert len(lines) == 30
    assert all(half_of(line[2:]) == line[0] for line in lines)


def test_folds_keep_games_together_and_fit_finds_a_planted_sign():
    rng = np.random.default_rng(0)
    games = [f"game {i % 12}" for i in range(120)]
    fold = game_folds(games, num_folds=5, seed=1)
    assert len({(game, own) for game, own in zip(games, fold, strict=True)}) == 12
    planted = torch.from_numpy(rng.standard_normal((120, len(FEATURES)))).float()
    lessons = Lessons(
        windows=planted,
        heard=planted[:, :2] * 0.2,
        games=np.array(games),
        phrases=[row[None] for row in planted],
        signs=(planted[:, :2] > 0).long(),
        phrase_games=np.array(games),
    )
    net, _ = fit(MusicConfig(), lessons)
    said = net.signs(net.scores(planted))
    assert ((said > 0) == (lessons.signs > 0)).float().mean() > 0.85


@pytest.mark.skipif(not VGMIDI.is_dir(), reason="needs VGMIDI")
def test_vgmidi_is_read_whole():
    phrases = read_vgmidi(VGMIDI)
    assert len(phrases) == 204
    assert sum(p.valence for p in phrases) == 138
    assert all(p.notes for p in phrases)
    pieces = read_pieces(VGMIDI)
    assert len(pieces) == 200
    assert {piece.game for piece in pieces} == {phrase.game for phrase in phrases}
    assert all(np.abs(piece.heard).max() <= 1.0 and piece.heard.shape[1] == 2 for piece in pieces)
