"""From conditions and an emotion to a whole Soundtrack, with the shipped nets."""

import numpy as np
import pytest
import torch

from affetto.condition import ConditionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.gen.music.alignment import alignment, hits_met
from affetto.gen.music.chord_sheet import ChordSheet
from affetto.gen.music.chords import NUM_CHORDS, chord_id
from affetto.gen.music.harmony import TYPICAL, emotion_leaning, shape_ends
from affetto.gen.music.hit_points import Hits
from affetto.gen.music.keys import parse_key, suggest_key, suggest_tempo
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.request import parse_request
from affetto.soundtrack import Cut, HitPoint

CUTS = tuple(
    Cut(time_s, strength) for time_s, strength in ((4.1, 0.9), (7.3, 0.4), (13.0, 1.0), (21.7, 0.8))
)


@pytest.fixture(scope="module")
def models():
    return load_models()


def conditions(duration_s):
    steps = int(np.ceil(duration_s))
    values = torch.arange(steps, dtype=torch.float32)[None, :, None]
    mask = torch.ones(1, steps, dtype=torch.bool)
    return {
        "scene_offset": ConditionTrack(values % 7, mask, 1.0),
        "motion": ConditionTrack(10 + values % 3, mask, 1.0),
    }


def composed(models, *, request="happy:0.8", duration_s=30.0, **options):
    track = request_to_track(parse_request(request), duration_s=duration_s)
    return compose(
        conditions(duration_s), track, CUTS, duration_s=duration_s, models=models,
        options=ComposeOptions(**({"seed": 3} | options)),
    )  # fmt: skip


@pytest.mark.parametrize("duration_s", [0.4, 1.0, 5.3, 30.0, 400.0])
def test_music_lasts_exactly_as_long_as_the_film(models, duration_s):
    music = composed(models, duration_s=duration_s)
    assert music.bars[0].start_s == 0
    assert music.bars[-1].end_s == duration_s
    assert music.chords[-1].end_s == duration_s
    assert max(note.end_s for part in music.parts for note in part.notes) <= duration_s


def test_same_seed_same_music_and_another_seed_another(models):
    assert _same(composed(models), composed(models))
    assert not _same(composed(models), composed(models, seed=4))


def _same(one, other):
    return one.chords == other.chords and one.parts == other.parts and one.bars == other.bars


def test_strong_cuts_fall_on_downbeats_only_when_hits_are_on(models):
    assert alignment(composed(models).bars, CUTS).strongest_hit_share == 1
    assert alignment(composed(models, hits=Hits(cuts=False)).bars, CUTS).strongest_hit_share < 1


def test_the_users_moments_are_downbeats_before_any_cut(models):
    points = (HitPoint(7.9, name="door"), HitPoint(16.2), HitPoint(20.4))
    music = composed(models, hits=Hits(True, points))
    met = hits_met(music.bars, points)
    assert [(one.on, one.name) for one in met] == [
        ("downbeat", "door"), ("downbeat", ""), ("downbeat", ""),
    ]  # fmt: skip
    assert max(abs(one.error_ms) for one in met) < 1
    assert [m.text for m in music.markers if m.text.startswith("hit")] == [
        "hit 1: door", "hit 2", "hit 3",
    ]  # fmt: skip


def test_emotion_sets_mode_tempo_and_weight(models):
    happy, sad = composed(models, request="excited"), composed(models, request="sad")
    assert ":min" not in happy.key
    assert ":min" in sad.key
    assert np.mean([bar.bpm for bar in happy.bars]) > 1.2 * np.mean([bar.bpm for bar in sad.bars])
    assert happy.dynamics.density.mean() > sad.dynamics.density.mean()
    assert happy.dynamics.loudness.mean() > sad.dynamics.loudness.mean()


def test_it_begins_and_ends_at_home(models):
    for key in ("Dm", "F#", "Bb"):
        music = composed(models, key=key)
        assert music.chords[0].symbol == music.chords[-1].symbol == music.key


def test_edited_chords_are_played(models):
    music = composed(models)
    symbols = tuple(
        "A:min7" if index == 2 else span.symbol for index, span in enumerate(music.chords)
    )
    sheet = ChordSheet(key=music.key, steps=symbols)
    again = composed(models, chords=sheet)
    assert tuple(span.symbol for span in again.chords) == symbols
    with pytest.raises(BadInput, match="this film at this tempo needs"):
        composed(models, chords=ChordSheet(key="C", steps=("C", "G")))


@pytest.mark.parametrize(
    ("name", "value"),
    [("bpm", 10.0), ("bpm", float("nan")), ("key", "H"), ("instruments", ("kazoo",))],
)
def test_wrong_options_say_what_is_allowed(models, name, value):
    with pytest.raises(BadInput):
        composed(models, **{name: value})


def test_keys_are_read_in_every_spelling():
    for text, spelled in (
        ("C", "C"),
        ("am", "A:min"),
        ("F#m", "F#:min"),
        ("Bb major", "A#"),
        ("Eb minor", "D#:min"),
        ("A:min", "A:min"),
    ):
        assert str(parse_key(text)) == spelled
    assert parse_key("G").shift in range(-5, 7)


def test_leaning_follows_valence_and_ends_are_forced():
    bias = emotion_leaning(torch.tensor([1.0, -1.0, 0.5]), mode="maj")
    assert bias.shape == (3, NUM_CHORDS)
    assert bias[0, chord_id("C")] > bias[0, chord_id("C:dim")]
    assert bias[1, chord_id("C")] < bias[1, chord_id("C:dim")]
    assert bias[1, chord_id("E:7")] > bias[1, chord_id("G:7")]
    assert bias[2, chord_id("F#")] < bias[2, chord_id("D")] < bias[2, chord_id("F")]
    for mode, typical in TYPICAL.items():
        same = emotion_leaning(torch.full((2,), typical), mode=mode)
        assert not same[:, [chord_id(name) for name in ("C", "A:min", "E:7", "D:min7")]].any()
    darker = emotion_leaning(torch.zeros(2), mode="maj")
    assert darker[0, chord_id("A:min")] > darker[0, chord_id("C")]
    assert bias[1, chord_id("A:min")] > bias[1, chord_id("D:min")] > bias[1, chord_id("C")]
    shaped = shape_ends(
        torch.zeros(8, NUM_CHORDS), mode="min", first="min", last="min", last_bar_steps=2
    )
    assert shaped[-1].argmax() == shaped[-2].argmax() == chord_id("A:min")
    assert (shaped[-3] == 0).nonzero().flatten().tolist() == sorted(
        map(chord_id, ("E", "E:7", "D:min", "G"))
    )
    assert shaped[3, chord_id("A")] < shaped[3, chord_id("E")] == 0  # no major tonic in minor


def test_a_piece_that_turns_happy_ends_in_the_relative_major(models):
    """Unless the user fixed the key."""
    turning = "0=sad; 15=sad; 24=happy"
    music = composed(models, request=turning)
    key, last = parse_key(music.key), parse_key(music.chords[-1].symbol)
    assert (key.mode, last.mode) == ("min", "maj")
    assert (last.tonic - key.tonic) % 12 == 3
    fixed = composed(models, request=turning, key="Am")
    assert fixed.chords[-1].symbol == "A:min"


def test_labels_of_equal_arousal_are_equally_loud(models):
    """What the net never saw (dominance, other labels) has no say in the dynamics."""
    loud = [
        composed(models, request=request).dynamics.loudness.mean()
        for request in ("fearful", "va(-0.64,0.6)", "va(0.3,0.6)")
    ]
    np.testing.assert_allclose(loud, loud[0], rtol=0.01)


def test_suggestions_follow_the_emotion():
    calm, angry = (
        request_to_track(parse_request(word), duration_s=5) for word in ("calm", "angry")
    )
    assert suggest_tempo(calm)(2.0) < suggest_tempo(angry)(2.0)
    assert suggest_key(angry, rng=np.random.default_rng(0)).mode == "min"
    assert suggest_key(calm, rng=np.random.default_rng(0)).mode == "maj"
