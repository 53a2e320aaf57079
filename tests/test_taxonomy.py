import numpy as np
import pytest

from affetto.emotion import LABELS
from affetto.recognizers.taxonomy import (
    NATIVE_LABELS,
    from_canonical,
    inverse_matrix,
    known_labels,
    matrix,
    to_canonical,
)
from affetto.vad import to_vad


@pytest.mark.parametrize("taxonomy", NATIVE_LABELS)
def test_matrices_are_stochastic(taxonomy):
    weights = matrix(taxonomy)
    assert weights.shape == (len(NATIVE_LABELS[taxonomy]), len(LABELS))
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)


def test_video2music_words_reach_their_labels():
    assert NATIVE_LABELS["video2music6"] == (
        "exciting", "fearful", "tense", "sad", "relaxing", "neutral",
    )  # fmt: skip
    mapped = to_canonical("video2music6", np.eye(6))
    said = [{LABELS[i]: float(row[i]) for i in np.flatnonzero(row)} for row in mapped]
    assert said == [
        {"excited": 1.0},
        {"fearful": 1.0},
        {"angry": 0.5, "fearful": 0.5},
        {"sad": 1.0},
        {"calm": 1.0},
        {"neutral": 1.0},
    ]


def test_any_leading_shape_keeps_row_sums():
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(8), size=(2, 5))
    mapped = to_canonical("mikels8", probs)
    assert mapped.shape == (2, 5, 11)
    assert mapped.dtype == np.float32
    np.testing.assert_allclose(mapped.sum(axis=-1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(mapped[1, 3], to_canonical("mikels8", probs)[1, 3])
    np.testing.assert_allclose(mapped[1, 3], to_canonical("mikels8", probs[1, 3]), atol=1e-6)


@pytest.mark.parametrize("taxonomy", NATIVE_LABELS)
def test_the_way_back_is_stochastic_and_keeps_words_of_one_label(taxonomy):
    back, there = inverse_matrix(taxonomy), matrix(taxonomy)
    assert back.shape == there.T.shape
    assert (back >= 0).all()
    np.testing.assert_allclose(back.sum(axis=1), 1.0, atol=1e-6)
    said = [label for label, row in zip(LABELS, there.T, strict=True) if (row == 1).any()]
    for label in said:
        one_hot = np.eye(len(LABELS))[LABELS.index(label)]
        again = to_canonical(taxonomy, from_canonical(taxonomy, one_hot))
        np.testing.assert_allclose(again, one_hot, atol=1e-6)


def test_video2music_gets_its_own_words():
    words = NATIVE_LABELS["video2music6"]
    said = {
        label: words[row.argmax()]
        for label, row in zip(LABELS, inverse_matrix("video2music6"), strict=True)
    }
    assert said == {
        "neutral": "neutral", "happy": "exciting", "sad": "sad", "angry": "tense",
        "fearful": "fearful", "disgusted": "tense", "surprised": "exciting",
        "contemptuous": "tense", "calm": "relaxing", "excited": "exciting", "tender": "neutral",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"there are 11 labels \(neutral.*got .* \(6,\)"):
        from_canonical("video2music6", np.ones(6))


def test_known_labels_are_those_a_taxonomy_can_say():
    assert sum(known_labels("ekman6")) == 6
    assert [LABELS[i] for i in np.flatnonzero(~np.asarray(known_labels("ravdess8")))] == [
        "contemptuous", "excited", "tender",
    ]  # fmt: skip
    assert all(known_labels("canonical11"))
    assert len(NATIVE_LABELS["jamendo_moods30"]) == 30
    assert "boredom" in NATIVE_LABELS["emodb7"]
    assert len(NATIVE_LABELS["cremad6"]) == 6
    assert len(NATIVE_LABELS["gems9"]) == 9


def test_unknown_taxonomy_lists_names():
    with pytest.raises(ValueError, match=r"'plutchik': .* mikels8, va_quadrants, gems9"):
        to_canonical("plutchik", np.ones(8))


def test_wrong_width_says_what_was_got():
    with pytest.raises(ValueError, match=r"6 labels \(exciting.*\(2, 7\)"):
        to_canonical("video2music6", np.ones((2, 7)))
    with pytest.raises(ValueError, match=r"shape \(\)"):
        to_canonical("video2music6", 1.0)


def test_vad_order_permuted_fixture():
    ours = np.array([[0.5, -0.25, 0.75], [-1.0, 1.0, 0.0]])
    for order in ("VAD", "VDA", "AVD", "ADV", "DVA", "DAV"):
        theirs = ours[:, ["VAD".index(axis) for axis in order]]
        np.testing.assert_allclose(to_vad(theirs, order=order, low=-1, high=1), ours)


@pytest.mark.parametrize(
    ("low", "high", "rating", "want"),
    [(0, 1, 0.75, 0.5), (1, 9, 7, 0.5), (1, 5, 2, -0.5), (1, 10, 10, 1.0), (1, 7, 4, 0.0)],
)
def test_vad_ranges(low, high, rating, want):
    np.testing.assert_allclose(to_vad([rating] * 3, order="ADV", low=low, high=high), [want] * 3)


def test_vad_refuses_bad_arguments():
    with pytest.raises(ValueError, match="permutation of 'VAD', got 'AVV'"):
        to_vad([0, 0, 0], order="AVV", low=0, high=1)
    with pytest.raises(ValueError, match="low < high"):
        to_vad([0, 0, 0], order="VAD", low=1, high=1)
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        to_vad([0, 0], order="VAD", low=0, high=1)
