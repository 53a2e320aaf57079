"""The arranger's pieces by themselves: voicings, styles, counting."""

from itertools import pairwise

import numpy as np
import pytest

from affetto.gen.music.arrange import INSTRUMENTS, notes_sounding
from affetto.gen.music.arrange.moods import INSTRUMENTS_BY_MOOD, blend_style, mood_weights
from affetto.gen.music.arrange.voicing import KEYS_HIGH, KEYS_LOW, next_voicing, voicings
from affetto.gen.music.chords import END, chord_id, pitch_classes
from affetto.soundtrack import Note, Part


def test_voicings_have_each_tone_once_and_no_mud() -> None:
    for chord in range(1, END):
        for low, high in ((KEYS_LOW, KEYS_HIGH), (43, 91), (67, 96)):
            choices = voicings(chord, low, high)
            assert choices
            for tones in choices:
                assert low <= tones[0]
                assert tones[-1] <= high
                assert sorted(p % 12 for p in tones) == sorted(pitch_classes(chord))
                assert all(b - a >= 5 for a, b in pairwise(tones) if a < 48)


def test_voices_move_little() -> None:
    before = next_voicing(chord_id("C"), (), KEYS_LOW, KEYS_HIGH, 62)
    motion = []
    for symbol in ("A:min", "F", "D:min7", "G:7", "C:maj7", "E:min", "A:min", "E:7", "A:min"):
        after = next_voicing(chord_id(symbol), before, KEYS_LOW, KEYS_HIGH, 62)
        motion.append(np.mean([min(abs(p - q) for q in before) for p in after]))
        before = after
    assert np.mean(motion) < 2.0
    assert max(motion) <= 3.0


def test_notes_sounding_counts_what_each_second_meets() -> None:
    notes = (Note(0.2, 2.5, 60, 80), Note(1.0, 1.9, 64, 80), Note(0.0, 1.01, 67, 80))
    counts = notes_sounding([Part("piano", 0, False, notes)], 4.0)
    assert counts.tolist() == [2, 2, 1, 0]
    assert notes_sounding([], 2.5).tolist() == [0, 0, 0]


def test_style_changes_smoothly_with_feeling() -> None:
    probs = np.full(11, 1 / 11)
    path = [
        np.array([v, a, 0.0]) for v, a in zip(*np.linspace([-1, -1], [1, 1], 101).T, strict=True)
    ]
    styles = np.array([list(vars(blend_style(mood_weights(p, probs))).values()) for p in path])
    span = styles.max(axis=0) - styles.min(axis=0)
    assert np.all(np.abs(np.diff(styles, axis=0)).max(axis=0) < 0.1 * span)
    for weights in (mood_weights(p, probs) for p in path):
        assert sum(weights.values()) == pytest.approx(1.0)
    assert all(name in INSTRUMENTS for likes in INSTRUMENTS_BY_MOOD.values() for name in likes)


@pytest.mark.parametrize(("low", "high"), [(48, 72), (48, 84), (43, 66)])
def test_one_hand_can_take_every_voicing_and_no_third_lies_under_c3(low: int, high: int) -> None:
    for chord in range(1, END):
        assert voicings(chord, low, high)
        for voicing in voicings(chord, low, high):
            assert voicing[-1] - voicing[0] <= 16
            for lower, upper in pairwise(voicing):
                assert lower >= 48 or upper - lower > 4
