"""What an emotion looks like: recipes, strengths, blends."""

import numpy as np
import pytest

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.emotion import LABEL_VAD, LABELS
from affetto.gen.portrait.motion.expressions import AT_HALF, RECIPES, curve, expression
from affetto.motion import CHANNELS, PLACE


def shown(label, strength=1.0, share=1.0):
    probs = np.zeros(len(LABELS))
    probs[LABELS.index(label)] = share
    probs[LABELS.index("neutral")] += 1 - share
    return expression(probs, share * np.asarray(LABEL_VAD[label]), strength)


def test_every_label_has_a_recipe_of_known_channels():
    assert tuple(RECIPES) == LABELS == tuple(AT_HALF)
    known = {name.removesuffix("Left").removesuffix("Right") for name in CHANNELS} | set(CHANNELS)
    assert all(name in known for recipe in RECIPES.values() for name in recipe)


def test_neutral_is_the_photo():
    assert not shown("neutral").any()
    assert not shown("angry", strength=0.0).any()


@pytest.mark.parametrize("label", [label for label in LABELS if label != "neutral"])
def test_grows_with_strength_and_keeps_its_bounds(label):
    rows = np.stack([shown(label, strength) for strength in np.linspace(0, 1, 11)])
    assert rows.shape == (11, 62)
    assert rows.dtype == np.float32
    assert (np.diff(np.abs(rows).sum(axis=1)) > 0).all()
    faces = rows[:, :NUM_BLENDSHAPES]
    assert faces.min() >= 0
    assert faces.max() <= 1
    assert (np.diff(faces, axis=0) >= -1e-6).all()


def test_half_strength_shows_more_than_half():
    for label in ("sad", "angry", "fearful", "disgusted"):
        full, half = shown(label), shown(label, 0.5)
        assert np.abs(half).sum() > 0.6 * np.abs(full).sum()
        assert curve(label, 0.5) == pytest.approx(AT_HALF[label])


def test_strength_by_probability_or_by_itself_is_the_same():
    np.testing.assert_allclose(shown("sad", 0.4), shown("sad", 1.0, share=0.4), atol=1e-5)


def test_weaker_vad_on_the_same_way_adds_nothing():
    probs = np.eye(len(LABELS))[LABELS.index("fearful")]
    full = np.asarray(LABEL_VAD["fearful"])
    np.testing.assert_allclose(expression(probs, 0.5 * full, 1), expression(probs, full, 1))


def test_blend_lies_between():
    probs = np.zeros(len(LABELS))
    probs[[LABELS.index("happy"), LABELS.index("surprised")]] = 0.5
    vad = (np.asarray(LABEL_VAD["happy"]) + np.asarray(LABEL_VAD["surprised"])) / 2
    both = expression(probs, vad, 1.0)
    for name, label in (("mouthSmileLeft", "happy"), ("jawOpen", "surprised")):
        assert 0.3 * shown(label)[PLACE[name]] < both[PLACE[name]] < shown(label)[PLACE[name]]


def test_contempt_is_one_sided_and_fear_is_not():
    contempt, fear = shown("contemptuous"), shown("fearful")
    assert contempt[PLACE["mouthDimpleLeft"]] > contempt[PLACE["mouthDimpleRight"]] + 0.3
    assert fear[PLACE["eyeWideLeft"]] == fear[PLACE["eyeWideRight"]]


def test_vad_beyond_the_label_is_a_nuance():
    probs = np.eye(len(LABELS))[LABELS.index("neutral")]
    glad = expression(probs, (0.8, 0.0, 0.0), 1.0)
    assert 0.1 < glad[PLACE["mouthSmileLeft"]] < 0.4
    assert np.abs(expression(probs, (0.0, 0.0, 0.0), 1.0)).max() == 0
