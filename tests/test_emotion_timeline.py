import numpy as np
import pytest

from affetto.emotion import LABELS, EmotionTrack, Evidence
from affetto.emotion_timeline import blend, crop, join, resample, shift, smooth

ARRAYS = ("times", "mean", "log_var", "vad", "vad_var", "probs", "confidence")


def make_track(times=None, *, seed=0, **changes):
    rng = np.random.default_rng(seed)
    times = np.arange(12) * 0.5 if times is None else np.asarray(times)
    steps = len(times)
    fields = {
        "times": times,
        "mean": rng.normal(size=(steps, 4)),
        "log_var": rng.normal(size=(steps, 4)),
        "vad": rng.uniform(-1, 1, size=(steps, 3)),
        "vad_var": rng.uniform(0, 1, size=(steps, 3)),
        "probs": rng.dirichlet(np.ones(len(LABELS)), size=steps),
        "confidence": rng.uniform(0.1, 1.0, size=steps),
        "kind": "evoked",
        "evidence": (Evidence(f"cue {seed}", 0.0, 2.0, 0.75),),
    }
    return EmotionTrack(**{**fields, **changes})


def assert_same(one, other, *, atol=0.0):
    for name in ARRAYS:
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=0, atol=atol, err_msg=name
        )
    assert (one.kind, one.evidence) == (other.kind, other.evidence)


def test_resample_at_its_own_rate_changes_nothing():
    for start in (0.0, 7.3):
        track = make_track(start + np.arange(12) * 0.5)
        assert_same(resample(track, rate_hz=2.0), track, atol=1e-6)


def test_resample_finer_and_back():
    track = make_track()
    fine = resample(track, rate_hz=8.0)
    assert len(fine.times) == 45
    assert_same(resample(fine, rate_hz=2.0), track, atol=1e-6)
    assert len(resample(make_track([3.0]), rate_hz=10.0).times) == 1
    with pytest.raises(ValueError, match="rate_hz must be > 0, got 0"):
        resample(track, rate_hz=0)


def test_smooth_leaves_a_steady_track_and_narrow_widths_alone():
    track = make_track()
    steady = track.at([1.0])
    held = steady.at(np.arange(10.0))
    assert_same(smooth(held, width_s=2.0), held, atol=1e-5)
    assert_same(smooth(track, width_s=1e-3), track, atol=1e-5)
    with pytest.raises(ValueError, match="width_s must be > 0, got -1"):
        smooth(track, width_s=-1)


def test_smooth_shrinks_scatter_and_says_where_neighbours_disagree():
    track = make_track(np.arange(60.0))
    got = smooth(track, width_s=3.0)
    assert got.vad.std() < 0.5 * track.vad.std()
    assert got.vad_var.mean() > track.vad_var.mean()
    np.testing.assert_allclose(got.probs.sum(axis=1), 1.0, atol=1e-6)


def test_smooth_counts_steps_by_their_confidence():
    confidence = np.ones(5)
    confidence[2] = 0.0
    track = make_track(np.arange(5.0), confidence=confidence)
    other = make_track(np.arange(5.0), confidence=confidence, vad=track.vad.copy())
    other.vad[2] = 1.0
    np.testing.assert_array_equal(smooth(track, width_s=1.0).vad, smooth(other, width_s=1.0).vad)
    silent = smooth(make_track(np.arange(5.0), confidence=np.zeros(5)), width_s=1.0)
    assert (silent.confidence == 0).all()
    assert np.isfinite(silent.vad).all()


def test_smooth_does_not_see_the_time_of_day():
    track = make_track()
    later = smooth(shift(track, 100.0), width_s=1.0)
    assert_same(shift(later, -100.0), smooth(track, width_s=1.0), atol=1e-4)


def test_blend_ends_are_the_tracks():
    first, second = make_track(), make_track(seed=1, evidence=make_track().evidence)
    assert_same(blend(first, second, 0.0), first)
    assert_same(blend(first, second, 1.0), second)


def test_blend_between_and_along_time():
    first, second = make_track(), make_track(seed=1)
    half = blend(first, second, 0.5)
    np.testing.assert_allclose(half.vad, (first.vad + second.vad) / 2, atol=1e-6)
    assert half.evidence == (*first.evidence, *second.evidence)
    faded = blend(first, second, np.linspace(0, 1, 12))
    np.testing.assert_array_equal(faded.probs[0], first.probs[0])
    np.testing.assert_array_equal(faded.probs[-1], second.probs[-1])
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\], got 1.5"):
        blend(first, second, 1.5)
    with pytest.raises(ValueError, match=r"different widths: \[4, 5\]"):
        blend(first, make_track(mean=np.zeros((12, 5)), log_var=np.zeros((12, 5))), 0.5)


@pytest.mark.parametrize("cut", [2.0, 2.2])
def test_joined_crops_are_the_original(cut):
    track = make_track()
    pieces = [crop(track, start_s=0.0, end_s=cut), crop(track, start_s=cut, end_s=5.5)]
    again = join(pieces)
    assert_same(again.at(track.times), track, atol=1e-6)
    if cut in track.times:
        assert_same(again, track)


def test_crop_has_steps_at_its_bounds_and_keeps_the_evidence_it_touches():
    track = make_track()
    part = crop(track, start_s=2.2, end_s=3.1)
    np.testing.assert_allclose(part.times, [2.2, 2.5, 3.0, 3.1])
    assert part.evidence == ()
    assert crop(track, start_s=1.9, end_s=3.1).evidence == track.evidence
    assert len(crop(track, start_s=1.0, end_s=1.0).times) == 1
    np.testing.assert_array_equal(crop(track, start_s=5.0, end_s=9.0).vad[-1], track.vad[-1])
    with pytest.raises(ValueError, match="start_s <= end_s, got 2 and 1"):
        crop(track, start_s=2, end_s=1)


def test_join_refuses_what_does_not_follow():
    track = make_track()
    with pytest.raises(ValueError, match="nothing to join"):
        join([])
    with pytest.raises(ValueError, match="begins at 0 s cannot follow one that ends at 5"):
        join([track, track])
    with pytest.raises(ValueError, match="one kind can be joined, got evoked and requested"):
        join([track, shift(make_track(kind="requested"), 9.0)])
    three = join([track, shift(track, 5.5), shift(track, 20.0)])
    assert len(three.times) == 12 + 11 + 12


def test_shift_there_and_back():
    track = make_track()
    later = shift(track, 3.0)
    assert later.evidence[0].start_s == 3.0
    np.testing.assert_allclose(later.at([4.0]).vad, track.at([1.0]).vad, atol=1e-6)
    assert_same(shift(later, -3.0), track, atol=1e-6)
