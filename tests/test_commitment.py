"""A decision keeps the course and restores the spread."""

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import embed, probs_from_vad, request_to_track
from affetto.emotion_bank.commitment import FELT_SPREAD, commit
from affetto.request import parse_request


def estimate(vad, explained):
    variance = np.full_like(vad, FELT_SPREAD**2 * (1 - explained))
    probs = probs_from_vad(vad, variance)
    mean, log_var = embed(vad, probs, variance)
    steps = np.arange(len(vad))
    return EmotionTrack(steps, mean, log_var, vad, variance, probs, np.ones(len(vad)), "evoked")


def test_shrinkage_is_undone_exactly():
    felt = np.random.default_rng(0).uniform(-0.9, 0.9, (50, 3))
    for explained in (0.1, 0.4, 1.0):
        decided = commit(estimate(felt * np.sqrt(explained), explained))
        np.testing.assert_allclose(decided.vad, felt, atol=1e-5)
        assert decided.kind == "requested"


def test_what_was_asked_for_stays():
    asked = request_to_track(parse_request("sad:0.6+angry:0.3"), duration_s=4)
    np.testing.assert_allclose(commit(asked).vad, asked.vad, atol=0.15)


def test_a_hedged_storm_becomes_a_fearful_one():
    hedged = estimate(np.array([[-0.15, 0.25, -0.05]]), 0.1)
    assert hedged.probs[0].max() < 0.3
    assert commit(hedged).probs[0].argmax() == 4
