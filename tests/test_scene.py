import numpy as np
import pytest
import torch

from affetto.condition import ConditionTrack
from affetto.emotion import EMBEDDING_DIM, LABELS
from affetto.emotion_bank.commitment import FELT_SPREAD
from affetto.recognizers.scene.recognizer import COLOUR, EXPLAINED, recognize_scene


def scene(
    steps=30, *, rate_hz=1.0, brightness=0.38, contrast=0.4, saturation=0.2, motion=4.9, flow=0.1,
    shot_s=4.0,
):  # fmt: skip
    """Conditions of a film that is the same all along; the defaults are ordinary."""
    times = np.arange(steps) / rate_hz
    columns = {
        "light": np.stack(
            [np.full(steps, x) for x in (brightness, contrast, saturation, 0.3)], axis=1
        ),
        "motion": np.full((steps, 1), motion),
        "flow": np.full((steps, 1), flow),
        "scene_offset": (times % shot_s)[:, None] if shot_s else times[:, None],
    }
    return {
        name: ConditionTrack(
            torch.tensor(values[None], dtype=torch.float32),
            torch.ones(1, steps, dtype=torch.bool),
            rate_hz,
        )
        for name, values in columns.items()
    }


DARK_SLOW = {"brightness": 0.08, "saturation": 0.1, "motion": 0.3, "flow": 0.01, "shot_s": 15.0}
BRIGHT_FAST = {"brightness": 0.7, "saturation": 0.6, "motion": 30.0, "flow": 0.8, "shot_s": 1.0}


def joined(*films):
    return {
        name: ConditionTrack(
            torch.cat([film[name].values for film in films], dim=1),
            torch.cat([film[name].mask for film in films], dim=1),
            films[0][name].rate_hz,
        )
        for name in films[0]
    }


def test_shapes_and_ranges():
    track = recognize_scene(scene(30, **BRIGHT_FAST), duration_s=30.0)
    assert track.kind == "evoked"
    np.testing.assert_allclose(track.times, np.arange(30))
    assert track.vad.shape == track.vad_var.shape == (30, 3)
    assert track.mean.shape == track.log_var.shape == (30, EMBEDDING_DIM)
    assert track.probs.shape == (30, len(LABELS))
    np.testing.assert_allclose(track.probs.sum(axis=1), 1.0, atol=1e-5)
    assert (np.abs(track.vad) <= 1).all()
    assert ((track.confidence > 0) & (track.confidence <= 0.5)).all()
    for values in (track.vad, track.vad_var, track.mean, track.log_var, track.probs):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


def test_dark_and_slow_against_bright_and_fast():
    dark = recognize_scene(scene(**DARK_SLOW), duration_s=30.0)
    bright = recognize_scene(scene(**BRIGHT_FAST), duration_s=30.0)
    assert (dark.vad[:, 0] < bright.vad[:, 0] - 0.2).all()
    assert (dark.vad[:, 1] < bright.vad[:, 1] - 0.4).all()
    sad, excited = LABELS.index("sad"), LABELS.index("excited")
    assert (dark.probs[:, sad] > bright.probs[:, sad]).all()
    assert (dark.probs[:, excited] < bright.probs[:, excited]).all()


@pytest.mark.parametrize(
    ("change", "axis", "sign"),
    [
        ({"brightness": 0.6}, 0, 1),
        ({"brightness": 0.6}, 1, -1),
        ({"brightness": 0.6}, 2, -1),
        ({"saturation": 0.5}, 0, 1),
        ({"saturation": 0.5}, 1, 1),
        ({"saturation": 0.5}, 2, 1),
        ({"motion": 20.0}, 1, 1),
        ({"flow": 0.5}, 1, 1),
        ({"shot_s": 1.0}, 1, 1),
        ({"shot_s": 10.0}, 1, -1),
    ],
)
def test_each_cue_acts_as_published(change, axis, sign):
    ordinary = recognize_scene(scene(), duration_s=30.0)
    changed = recognize_scene(scene(**change), duration_s=30.0)
    assert (sign * (changed.vad[:, axis] - ordinary.vad[:, axis]) > 0.01).all()


def test_colour_in_closed_form():
    track = recognize_scene(scene(brightness=0.38 + 0.15, saturation=0.2 - 0.12), duration_s=30.0)
    for axis in (0, 2):
        bright, saturated = COLOUR[axis]
        wanted = (bright - saturated) / np.hypot(bright, saturated)
        wanted *= np.sqrt(EXPLAINED[axis]) * FELT_SPREAD
        np.testing.assert_allclose(track.vad[:, axis], wanted, atol=1e-6)


def test_an_ordinary_scene_is_near_the_middle():
    track = recognize_scene(scene(32), duration_s=32.0)
    np.testing.assert_allclose(track.vad, 0, atol=0.05)
    assert track.evidence == ()


def test_a_constant_film_gives_a_flat_track():
    track = recognize_scene(scene(40, shot_s=None, **{"brightness": 0.1}), duration_s=40.0)
    np.testing.assert_allclose(track.vad, np.repeat(track.vad[:1], 40, axis=0), atol=1e-6)
    np.testing.assert_allclose(track.probs, np.repeat(track.probs[:1], 40, axis=0), atol=1e-6)


def test_variance_leaves_room_for_what_is_not_seen():
    """Total spread is kept: what the cues explain plus what they do not is one constant."""
    rng = np.random.default_rng(0)
    track = recognize_scene(scene(**BRIGHT_FAST), duration_s=30.0)
    np.testing.assert_allclose(
        track.vad_var, np.tile(FELT_SPREAD**2 * (1 - EXPLAINED), (30, 1)), rtol=1e-6
    )
    z = np.clip(rng.standard_normal((400, 2)), -2.5, 2.5)
    means = np.stack(
        [
            recognize_scene(
                scene(2, brightness=0.38 + 0.15 * b, saturation=0.2 + 0.12 * s), duration_s=2.0
            ).vad[0]
            for b, s in z
        ]
    )
    explained = means[:, 0].var() / (means[:, 0].var() + track.vad_var[0, 0])
    assert explained == pytest.approx(EXPLAINED[0], abs=0.03)


def test_even_surfaces_are_not_judged():
    blank = recognize_scene(scene(brightness=0.0, contrast=0.0, saturation=0.0), duration_s=30.0)
    assert (blank.confidence == 0).all()
    np.testing.assert_allclose(blank.vad, 0, atol=1e-6)
    np.testing.assert_allclose(blank.vad_var, FELT_SPREAD**2, rtol=1e-6)


def test_masked_steps_do_not_count():
    film = scene(30, brightness=0.6)
    wild = joined(scene(10, brightness=0.6), scene(10, **BRIGHT_FAST), scene(10, brightness=0.6))
    for name, track in wild.items():
        mask = track.mask.clone()
        mask[:, 10:20] = False
        wild[name] = ConditionTrack(track.values, mask, track.rate_hz)
    np.testing.assert_allclose(
        recognize_scene(wild, duration_s=30.0).vad[[0, 5, 24], 0],
        recognize_scene(film, duration_s=30.0).vad[[0, 5, 24], 0],
        atol=1e-6,
    )


def test_a_change_shows_where_it_happens_and_smoothly():
    film = joined(scene(30, **DARK_SLOW), scene(30, **BRIGHT_FAST))
    film["scene_offset"] = ConditionTrack(
        torch.where(film["scene_offset"].values > 3, 0.0, film["scene_offset"].values),
        film["scene_offset"].mask, 1.0,
    )  # fmt: skip
    valence = recognize_scene(film, duration_s=60.0).vad[:, 0]
    assert valence[:24].max() < valence[36:].min()
    assert np.abs(np.diff(valence)).max() < 0.5 * (valence.max() - valence.min())
    assert 27 <= int(np.argmax(np.diff(valence))) <= 32


def test_time_shift():
    film = joined(scene(20), scene(20, brightness=0.7), scene(20))
    later = joined(scene(8), film)
    plain = recognize_scene(film, duration_s=60.0).vad[12:48, 0]
    shifted = recognize_scene(later, duration_s=68.0).vad[20:56, 0]
    np.testing.assert_allclose(shifted, plain, atol=1e-6)


def test_rates_agree():
    slow = recognize_scene(scene(30, **DARK_SLOW), duration_s=30.0)
    fast = recognize_scene(scene(120, rate_hz=4.0, **DARK_SLOW), duration_s=30.0)
    np.testing.assert_allclose(fast.times[::4], slow.times)
    np.testing.assert_allclose(fast.vad[::4, 0], slow.vad[:, 0], atol=1e-6)


def test_evidence_names_cue_and_time():
    film = joined(scene(20), scene(20, brightness=0.05), scene(20))
    dark = [e for e in recognize_scene(film, duration_s=59.5).evidence if e.cue == "dark picture"]
    assert len(dark) == 1
    assert dark[0].start_s == pytest.approx(20, abs=2)
    assert dark[0].end_s == pytest.approx(40, abs=2)
    assert 0.3 < dark[0].weight <= 1
    whole = recognize_scene(scene(60, **BRIGHT_FAST), duration_s=59.5).evidence
    assert {e.cue for e in whole} == {
        "bright picture", "saturated colours", "much movement", "fast cutting",
    }  # fmt: skip
    assert {(e.start_s, e.end_s) for e in whole} == {(0.0, 59.5)}


def test_one_step_and_repeatable():
    one = recognize_scene(scene(1, shot_s=None), duration_s=0.04)
    assert one.vad.shape == (1, 3)
    again = recognize_scene(scene(1, shot_s=None), duration_s=0.04)
    for name in ("mean", "log_var", "vad", "probs", "confidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert abs(one.vad[0, 1]) < 0.05  # a short single shot is not fast cutting


def test_bad_input():
    film = scene()
    del film["flow"]
    with pytest.raises(ValueError, match="lack flow"):
        recognize_scene(film, duration_s=30.0)
    film = scene()
    film["flow"] = scene(10)["flow"]
    with pytest.raises(ValueError, match="one film at one rate"):
        recognize_scene(film, duration_s=30.0)
    with pytest.raises(ValueError, match="one film"):
        recognize_scene(scene(), duration_s=0.0)
