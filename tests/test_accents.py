"""Swells into the moments that the music meets, stops at them, silence from them."""

import numpy as np
import pytest

from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.arrange import conductor
from affetto.gen.music.arrange.humanise import MAX_JITTER_S
from affetto.gen.music.hit_points import CUTS, Hits
from affetto.gen.music.pipeline import ComposeOptions, compose, load_models
from affetto.request import parse_request
from affetto.soundtrack import Cut, HitPoint

FILM_S = 60.0
EARLY_S = MAX_JITTER_S + 1e-6
MOODS = ("sad", "excited", "fearful", "0=calm; 25=angry")


@pytest.fixture(scope="module")
def models():
    return load_models()


def piece(models, words, *points, cuts=(), seed=1, hits=None):
    return compose(
        {}, request_to_track(parse_request(words), duration_s=FILM_S), cuts, duration_s=FILM_S,
        models=models, options=ComposeOptions(seed, hits=hits or Hits(True, points)),
    )  # fmt: skip


def notes(music):
    return [note for part in music.parts for note in part.notes]


def sounding(music, start_s, end_s):
    """Notes of which more than players' jitter lies between two times."""
    return [n for n in notes(music) if n.start_s < end_s - EARLY_S and n.end_s > start_s + EARLY_S]


@pytest.mark.parametrize("words", MOODS)
def test_silence_is_silent_and_the_music_comes_back(models, words):
    music = piece(models, words, HitPoint(20.0, "silence", 4.3), HitPoint(40.0))
    assert not sounding(music, 20.0, 24.3)
    assert len(sounding(music, 17.0, 19.9)) >= 3
    assert len(sounding(music, 24.3, 27.0)) >= 3
    plain = piece(models, words, HitPoint(20.0), HitPoint(40.0))
    before = [[n for n in notes(one) if n.end_s < 16.0] for one in (music, plain)]
    assert before[0] == before[1]


def test_silence_without_a_length_lasts_to_the_next_moment_or_the_end(models):
    music = piece(
        models, "happy", HitPoint(15.0, "silence"), HitPoint(22.5), HitPoint(50.0, "silence")
    )
    assert not sounding(music, 15.0, 22.5)
    assert min(n.start_s for n in notes(music) if n.start_s > 16.0) == pytest.approx(22.5, abs=1e-3)
    assert not sounding(music, 50.0, FILM_S)
    assert music.bars[-1].end_s == FILM_S


@pytest.mark.parametrize("words", MOODS)
def test_a_stop_is_a_stroke_and_then_the_bar_rests(models, words):
    music = piece(models, words, HitPoint(30.0, "stop"))
    (bar,) = [bar for bar in music.bars if abs(bar.start_s - 30.0) < 0.04]
    beat_s = (bar.end_s - bar.start_s) / bar.num_beats
    struck = [n for n in notes(music) if abs(n.start_s - bar.start_s) < 1e-6]
    assert len(struck) >= 3
    assert not sounding(music, bar.start_s + max(0.5 * beat_s, 0.2), bar.end_s)
    assert sounding(music, bar.end_s, bar.end_s + beat_s)


@pytest.mark.parametrize("words", MOODS)
def test_a_swell_grows_into_its_moment(models, words, monkeypatch):
    music = piece(models, words, HitPoint(30.0, "swell"))
    monkeypatch.setattr(conductor, "plan_accents", lambda *_, **__: [])
    plain = piece(models, words, HitPoint(30.0))
    line = next(n for n, bar in enumerate(music.bars) if abs(bar.start_s - 30.0) < 0.04)
    start_s = music.bars[line - 1].start_s
    if 30.0 - start_s < 1.6:
        start_s = music.bars[line - 2].start_s
    slopes = []
    for one in (music, plain):
        inside = [n for n in notes(one) if start_s <= n.start_s < 29.98]
        times, levels = np.array([(n.start_s, n.velocity) for n in inside]).T
        slopes.append(np.polyfit(times - start_s, levels, 1)[0] * (30.0 - start_s))
    assert slopes[0] > slopes[1] + 8
    outside = [[n for n in notes(one) if n.end_s < start_s - 0.1] for one in (music, plain)]
    assert outside[0] == outside[1]


def test_a_moment_off_the_bar_line_is_still_silent_and_stops(models):
    points = (HitPoint(20.0), HitPoint(20.31, "silence", 3.0), HitPoint(40.2, "stop"),
              HitPoint(40.31))  # fmt: skip
    music = piece(models, "excited", *points)
    assert not sounding(music, 20.31, 23.31)


def test_moods_decide_and_calm_music_does_not_break_off(models):
    rng = np.random.default_rng(2)
    cuts = [Cut(float(t), 0.9) for t in np.cumsum(rng.uniform(5, 9, 7)) if t < 56]
    lively, calm = [], []
    for seed in range(6):
        for words, found in (("angry", lively), ("tender", calm)):
            music = piece(models, words, cuts=cuts, seed=seed, hits=CUTS)
            edges = np.sort([n.start_s for n in notes(music)])
            ends = np.sort([n.end_s for n in notes(music)])
            # A rest of all players: nothing sounds for a quarter of a second in mid-piece.
            times = np.arange(8.0, 50.0, 0.02)
            count = np.searchsorted(edges, times) - np.searchsorted(ends, times)
            quiet = np.convolve(count <= 0, np.ones(12), "valid") >= 12
            found.append(bool(quiet.any()))
    assert not any(calm)
    assert any(lively)


def test_the_same_seed_gives_the_same_accents(models):
    points = (HitPoint(11.0), HitPoint(26.0), HitPoint(44.0, "swell"))
    assert piece(models, "angry", *points).parts == piece(models, "angry", *points).parts


def test_short_films_with_any_wishes(models):
    track = request_to_track(parse_request("happy"), duration_s=4.0)
    for wish in ("stop", "swell", "silence"):
        for time_s in (0.0, 0.7, 2.0, 4.0):
            music = compose(
                {}, track, (), duration_s=4.0, models=models,
                options=ComposeOptions(0, hits=Hits(True, (HitPoint(time_s, wish),))),
            )  # fmt: skip
            assert music.bars[-1].end_s == 4.0
            assert all(note.end_s > note.start_s for note in notes(music))
