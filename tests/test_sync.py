"""Bars against cuts: tiling, hits, bounds, odd films, speed."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest

from affetto.gen.music.alignment import alignment, hits_met
from affetto.gen.music.sync import chord_steps, plan_bars
from affetto.gen.music.tempo_glide import CADENCE, MAX_CHANGE, MAX_TEMPO
from affetto.soundtrack import Bar, Cut, HitPoint


def film(rng, duration_s, mean_s):
    times_s = np.cumsum(rng.exponential(mean_s, size=int(3 * duration_s / mean_s) + 20))
    return [Cut(float(t), float(rng.random())) for t in times_s if t < duration_s]


def assert_tiles(bars, duration_s):
    assert bars[0].start_s == 0.0
    assert bars[-1].end_s == duration_s
    assert all(a.end_s == b.start_s for a, b in pairwise(bars))
    assert all(bar.end_s > bar.start_s for bar in bars)
    assert {bar.num_beats for bar in bars} <= {1, 2, 3, 4, 5}


def tempo_changes(bars):
    """(N - 1,) of the tempo, from bar to bar, of the smaller."""
    return np.exp(np.abs(np.diff(np.log([bar.bpm for bar in bars])))) - 1


@pytest.mark.parametrize("bpm", [50.0, 60.0, 90.0, 120.0, 150.0, 180.0])
def test_tempo_stays_within_its_bound_and_the_last_bar_is_a_slower_full_bar(bpm):
    rng = np.random.default_rng(3)
    for mean_s in (0.3, 1.0, 3.0, 8.0):
        cuts = film(rng, 100.0, mean_s)
        bars = plan_bars(100.0, cuts, bpm=bpm)
        assert_tiles(bars, 100.0)
        ratios = np.array([bar.bpm / bpm for bar in bars])
        assert ratios.min() >= 1 - MAX_TEMPO - 1e-9
        assert ratios.max() <= 1 + MAX_TEMPO + 1e-9
        assert bars[-1].num_beats == 4
        assert np.median(np.abs(ratios - 1)) < 0.08
        assert tempo_changes(bars).max() <= MAX_CHANGE + 1e-9


def test_strongest_cuts_are_hit_exactly_and_plain_bars_hit_by_chance():
    rng = np.random.default_rng(4)
    on, off, chance = [], [], []
    for bpm in (60.0, 90.0, 120.0, 150.0):
        for _ in range(6):
            cuts = film(rng, 120.0, 3.0)
            bars = plan_bars(120.0, cuts, bpm=bpm)
            measured = alignment(bars, cuts)
            on.append(measured.strongest_hit_share)
            assert np.count_nonzero(measured.line_errors_s == 0) >= 5
            plain = alignment(plan_bars(120.0, cuts, bpm=bpm, hits=False), cuts)
            off.append(plain.strongest_hit_share)
            chance.append(plain.strongest_chance)
    assert np.mean(on) >= 0.8
    assert abs(np.mean(off) - np.mean(chance)) < 0.05


def test_one_strong_cut_gets_a_downbeat_and_the_end_an_anchor():
    bars = plan_bars(20.0, [Cut(7.31, 1.0)], bpm=100.0)
    assert 7.31 in [bar.start_s for bar in bars]
    assert bars[-1].end_s == 20.0
    assert bars[-1].bpm < bars[-2].bpm


def test_a_stronger_neighbour_wins():
    bars = plan_bars(30.0, [Cut(10.0, 0.2), Cut(10.4, 0.9), Cut(10.9, 0.3)], bpm=60.0)
    starts_s = [bar.start_s for bar in bars]
    assert 10.4 in starts_s
    assert 10.0 not in starts_s


def test_the_users_moments_go_before_all_cuts():
    rng = np.random.default_rng(11)
    errors_ms, told = [], []
    for bpm in (60.0, 90.0, 120.0, 150.0):
        for _ in range(4):
            times_s = np.cumsum(rng.uniform(4.0, 12.0, size=20))
            times_s = times_s[times_s < 116.0]
            points = [HitPoint(float(time_s)) for time_s in times_s]
            cuts = film(rng, 120.0, 1.5)
            bars = plan_bars(120.0, cuts, bpm=bpm, points_s=times_s.tolist())
            assert_tiles(bars, 120.0)
            assert tempo_changes(bars).max() <= MAX_CHANGE + 1e-9
            met = hits_met(bars, points)
            told += [one.on for one in met]
            errors_ms += [abs(one.error_ms) for one in met]
    assert told.count("downbeat") >= 0.98 * len(told)
    assert np.median(errors_ms) == 0


def test_a_moment_that_cannot_be_met_is_told():
    points = [HitPoint(10.0), HitPoint(10.13, name="too near"), HitPoint(0.0), HitPoint(30.0)]
    bars = plan_bars(30.0, [], bpm=90.0, points_s=[point.time_s for point in points])
    met = hits_met(bars, points)
    assert sorted(one.on for one in met[:2]) == ["downbeat", "nothing"]
    missed = next(one for one in met if one.on == "nothing")
    assert abs(missed.error_ms) == pytest.approx(130)
    assert [one.on for one in met[2:]] == ["downbeat", "downbeat"]
    assert (met[2].bar, met[2].beat, met[3].bar) == (1, 1, len(bars) + 1)


def test_without_cuts_the_users_moments_still_count():
    bars = plan_bars(30.0, [Cut(11.0, 1.0)], bpm=90.0, hits=False, points_s=[12.3, -1.0, 30.0])
    assert 12.3 in [bar.start_s for bar in bars]
    assert 11.0 not in [bar.start_s for bar in bars]


def test_cadence_without_cuts():
    bars = plan_bars(60.0, [], bpm=96.0)
    assert bars[-2].bpm / bars[-1].bpm == pytest.approx(CADENCE)
    assert {bar.num_beats for bar in bars} == {4}


def test_plain_bars_share_one_tempo():
    cuts = film(np.random.default_rng(5), 61.7, 2.0)
    bars = plan_bars(61.7, cuts, bpm=110.0, hits=False)
    assert_tiles(bars, 61.7)
    assert np.ptp([bar.bpm for bar in bars]) < 1e-6
    assert abs(bars[0].bpm / 110.0 - 1) < 0.05
    assert bars == plan_bars(61.7, [], bpm=110.0, hits=False)


@pytest.mark.parametrize("hits", [True, False])
def test_every_length_is_tiled(hits):
    for bpm in (40.0, 73.0, 120.0, 200.0):
        for duration_s in np.concatenate([np.arange(0.2, 12.0, 0.17), [59.94, 600.0]]):
            bars = plan_bars(float(duration_s), [], bpm=bpm, hits=hits)
            assert_tiles(bars, float(duration_s))
            if duration_s > 4 * 60 / bpm:
                assert max(abs(bar.bpm / bpm - 1) for bar in bars) <= MAX_TEMPO + 1e-9


def test_any_short_film_with_any_cuts():
    rng = np.random.default_rng(8)
    for _ in range(1500):
        duration_s = float(rng.uniform(0.2, 9.0))
        cuts = [Cut(float(t), float(rng.random())) for t in rng.uniform(0, duration_s, size=6)]
        bars = plan_bars(duration_s, cuts[: rng.integers(7)], bpm=float(rng.uniform(50, 180)))
        assert_tiles(bars, duration_s)


def test_shortest_film_is_one_bar():
    (bar,) = plan_bars(0.2, [Cut(0.1, 1.0)], bpm=100.0)
    assert (bar.start_s, bar.end_s, bar.num_beats) == (0.0, 0.2, 1)


def test_two_hours_in_seconds():
    cuts = film(np.random.default_rng(6), 7200.0, 3.6)[:2000]
    start = time.process_time()
    bars = plan_bars(7200.0, cuts, bpm=140.0)
    assert time.process_time() - start < 5.0
    assert_tiles(bars, 7200.0)
    assert alignment(bars, cuts).strongest_hit_share > 0.8


def test_flicker_is_bars_not_madness():
    rng = np.random.default_rng(7)
    cuts = [Cut(0.06 * index, float(rng.random())) for index in range(1000)]
    bars = plan_bars(60.0, cuts, bpm=120.0)
    assert_tiles(bars, 60.0)
    assert len(bars) < 45


def test_odd_cut_lists():
    wanted = plan_bars(30.0, [Cut(11.3, 0.8), Cut(19.0, 0.6)], bpm=90.0)
    messy = [
        Cut(19.0, 0.6),
        Cut(0.0, 1.0),
        Cut(30.0, 1.0),
        Cut(11.3, 0.8),
        Cut(11.3, 0.8),
        Cut(-4.0, 1.0),
        Cut(99.0, 1.0),
        Cut(5.0, math.nan),
    ]
    assert plan_bars(30.0, messy, bpm=90.0) == wanted
    assert {11.3, 19.0} <= {bar.start_s for bar in wanted}


def test_many_equal_cuts():
    cuts = [Cut(float(t), 0.5) for t in np.arange(1.0, 120.0, 1.0)]
    bars = plan_bars(120.0, cuts, bpm=120.0)
    assert alignment(bars, cuts).strongest_hit_share > 0.8


@pytest.mark.parametrize(
    ("duration_s", "bpm"), [(0.0, 100.0), (-1.0, 100.0), (math.nan, 100.0), (10.0, 0.0)]
)
def test_bad_arguments(duration_s, bpm):
    with pytest.raises(ValueError, match="positive"):
        plan_bars(duration_s, [], bpm=bpm)


def test_alignment_counts_windows_and_chance():
    bars = [Bar(2.0 * index, 2.0 * index + 2.0, 4) for index in range(8)]
    cuts = [Cut(9.0, 0.9), Cut(2.035, 0.9), Cut(3.0, 0.1), Cut(14.0, 0.5)]
    measured = alignment(bars, cuts)
    assert measured.line_errors_s == pytest.approx([0.035, 1.0, 1.0, 0.0])
    assert measured.strongest_hit_share == 0.5
    assert measured.strongest_chance == pytest.approx(0.04)
    empty = alignment(bars, [])
    assert empty.strongest_hit_share is None
    assert len(empty.line_errors_s) == 0


def test_chord_steps_cover_every_bar():
    bars = [
        Bar(0.0, 2.0, 4),
        Bar(2.0, 4.5, 5),
        Bar(4.5, 6.0, 3),
        Bar(6.0, 7.0, 2),
        Bar(7.0, 7.5, 1),
    ]
    steps = chord_steps(bars)
    assert steps == [(0, 1), (1, 2), (2, 3), (3, 4.5), (4.5, 6), (6, 7), (7, 7.5)]


def test_a_moving_tempo_is_followed_and_the_film_still_ends_exactly() -> None:
    bars = plan_bars(60.0, [Cut(20.0, 0.9)], bpm=lambda time_s: 80.0 if time_s < 30 else 120.0)
    assert bars[-1].end_s == 60.0
    early = [bar.bpm for bar in bars if bar.end_s < 28]
    late = [bar.bpm for bar in bars[:-1] if bar.start_s > 36]
    assert max(early) < 100 < min(late)
    assert all(a.end_s == b.start_s for a, b in pairwise(bars))
    assert tempo_changes(bars).max() <= MAX_CHANGE + 1e-9


@pytest.mark.parametrize("hits", [True, False])
def test_however_the_wish_moves_the_tempo_changes_little_from_bar_to_bar(hits):
    rng = np.random.default_rng(9)
    for _ in range(12):
        points = rng.uniform(50, 160, size=8)
        cuts = film(rng, 60.0, 3.0)
        bars = plan_bars(
            60.0, cuts, bpm=lambda t, points=points: float(points[int(t // 8)]), hits=hits
        )
        assert_tiles(bars, 60.0)
        assert tempo_changes(bars).max() <= MAX_CHANGE + 1e-9


def test_cuts_with_room_between_them_meet_beats_and_random_ones_only_by_chance():
    rng = np.random.default_rng(10)
    met, other, chance = [], [], []
    for bpm in (70.0, 100.0, 130.0):
        for _ in range(4):
            times_s = np.cumsum(rng.uniform(4.0, 10.0, size=30))
            cuts = [Cut(float(t), float(rng.random())) for t in times_s if t < 150.0]
            bars = plan_bars(150.0, cuts, bpm=bpm)
            measured = alignment(bars, cuts)
            met.append(measured.beat_share)
            chance.append(measured.beat_chance)
            strangers = [Cut(float(t), 0.5) for t in rng.uniform(0, 150.0, size=30)]
            other.append(alignment(bars, strangers).beat_share)
    assert np.mean(met) >= 0.9
    assert abs(np.mean(other) - np.mean(chance)) < 0.06
