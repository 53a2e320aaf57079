import itertools

import numpy as np
import pytest
import torch

from affetto.conditioning.emotion import emotion_condition
from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS
from affetto.emotion_bank.bank import (
    ANCHORS,
    LABEL_SCALE,
    decode,
    decode_arrays,
    embed,
    embed_tensors,
    priors,
    probs_from_vad,
    request_to_track,
)
from affetto.emotion_bank.compounds import COMPOUND_NAMES, compound_scores
from affetto.emotion_bank.space import LABEL_SPREAD
from affetto.emotion_words import COMPOUNDS
from affetto.errors import RequestError
from affetto.gaussian import LOG_VAR_RANGE
from affetto.request import parse_request


def track_of(text, *, duration_s=10.0, **rest):
    return request_to_track(parse_request(text), duration_s=duration_s, **rest)


def said(row):
    return {LABELS[i]: pytest.approx(float(row[i]), abs=1e-6) for i in np.flatnonzero(row > 1e-7)}


def test_each_anchor_is_most_probable_at_its_own_place():
    probs = probs_from_vad(ANCHORS, 0.0)
    np.testing.assert_array_equal(probs.argmax(axis=1), np.arange(11))
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-6)


def test_more_variance_flattens_and_unknown_axis_does_not_count():
    entropies = []
    for var in (0.0, 0.1, 1.0, 100.0, np.inf):
        probs = probs_from_vad(LABEL_VAD["sad"], var).astype(np.float64)
        entropies.append(-(probs * np.log(probs)).sum())
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(np.log(11), abs=1e-6)
    np.testing.assert_array_equal(
        probs_from_vad([0.2, 0.5, -1.0], [0.1, 0.1, np.inf]),
        probs_from_vad([0.2, 0.5, 1.0], [0.1, 0.1, np.inf]),
    )


def test_probs_batch_equals_singles():
    rng = np.random.default_rng(0)
    vad, var = rng.uniform(-1, 1, (2, 4, 3)), rng.uniform(0, 1, (2, 4, 3))
    together = probs_from_vad(vad, var)
    assert together.shape == (2, 4, 11)
    assert together.dtype == np.float32
    for place in np.ndindex(2, 4):
        np.testing.assert_array_equal(together[place], probs_from_vad(vad[place], var[place]))


@pytest.mark.parametrize(
    ("vad", "var"), [([0, 0], 0), ([0, 0, np.nan], 0), ([0, 0, 0], -1), ([0, 0, 0], np.nan), (0, 0)]
)
def test_probs_refuse_nonsense(vad, var):
    with pytest.raises(ValueError, match="vad"):
        probs_from_vad(vad, var)


def random_states(count, seed=0):
    rng = np.random.default_rng(seed)
    vad, probs = rng.uniform(-1, 1, (count, 3)), rng.dirichlet(np.ones(11), count)
    return vad, probs, rng.uniform(0.01, 1.0, (count, 3))


def test_embed_is_the_documented_layout():
    vad, probs, var = random_states(5)
    mean, log_var = embed(vad, probs, var)
    assert mean.shape == log_var.shape == (5, EMBEDDING_DIM)
    spare = np.zeros((5, 2))
    np.testing.assert_allclose(mean, np.hstack([vad, LABEL_SCALE * probs, spare]), atol=1e-6)
    np.testing.assert_allclose(log_var[:, :3], np.log(var), atol=1e-6)
    np.testing.assert_array_equal(log_var[:, 14:], 0)
    certain = embed(np.zeros((1, 3)), np.eye(11)[:1], [[0.0, 1e9, 1.0]])[1]
    np.testing.assert_allclose(certain[0, :2], LOG_VAR_RANGE, atol=1e-6)
    np.testing.assert_allclose(certain[0, 3:14], 2 * np.log(LABEL_SCALE * LABEL_SPREAD), atol=1e-6)


def test_embed_of_tensors_is_the_same_and_differentiable():
    states = [torch.from_numpy(rows).requires_grad_() for rows in random_states(4)]
    mean, log_var = embed_tensors(*states)
    for got, want in zip((mean, log_var), embed(*random_states(4)), strict=True):
        np.testing.assert_array_equal(got.detach().float().numpy(), want)
    (mean.sum() + log_var.sum()).backward()
    assert all((state.grad != 0).any() for state in states)
    for place in range(4):
        one = embed_tensors(*(state[place] for state in states))[0]
        torch.testing.assert_close(one, mean[place])


def test_decode_inverts_embed():
    vad, probs, var = random_states(50)
    for got, want in zip(decode_arrays(*embed(vad, probs, var)), (probs, vad, var), strict=True):
        np.testing.assert_allclose(got, want, atol=2e-6)


def test_decode_of_any_point_is_a_distribution():
    mean = torch.randn(64, EMBEDDING_DIM, generator=torch.Generator().manual_seed(0))
    mean.requires_grad_()
    probs, vad, vad_var = decode(mean, torch.zeros_like(mean))
    torch.testing.assert_close(probs.sum(dim=-1), torch.ones(64))
    assert probs.min() >= 0
    assert vad.abs().max() <= 1
    assert (vad_var == 1).all()
    probs[:, 0].sum().backward()
    assert (mean.grad != 0).any()


def test_priors_are_far_apart_and_ordered_by_vad():
    mean = priors()[0].double()
    upper = np.triu_indices(11, 1)
    distances = torch.cdist(mean, mean).numpy()[upper]
    apart = torch.cdist(*[torch.from_numpy(ANCHORS).double()] * 2).numpy()[upper]
    assert np.corrcoef(distances, apart)[0, 1] > 0.98
    cosines = torch.nn.functional.cosine_similarity(mean[:, None], mean[None], dim=-1)
    assert cosines.numpy()[upper].max() < 0.41
    for index, label in enumerate(LABELS):
        track = track_of(label)
        np.testing.assert_allclose(track.mean[0], mean[index], atol=1e-6)


def test_request_to_track_to_labels():
    for label in LABELS:
        track = track_of(label)
        probs, vad, _ = decode_arrays(track.mean, track.log_var)
        np.testing.assert_allclose(probs, track.probs, atol=1e-6)
        np.testing.assert_allclose(vad, track.vad, atol=1e-6)
        assert LABELS[probs[0].argmax()] == label


@pytest.mark.parametrize("label", LABELS)
def test_label_is_its_anchor_throughout(label):
    track = track_of(label)
    assert track.kind == "requested"
    assert track.times.tolist() == list(range(11))
    np.testing.assert_allclose(track.vad, np.tile(LABEL_VAD[label], (11, 1)), atol=1e-6)
    assert said(track.probs[4]) == {label: 1.0}
    assert (track.confidence == 1).all()


def test_strength_lies_between_neutral_and_label():
    track = track_of("angry:0.7")
    np.testing.assert_allclose(track.vad[0], 0.7 * np.array(LABEL_VAD["angry"]), atol=1e-6)
    assert said(track.probs[0]) == {"angry": 0.7, "neutral": 0.3}
    np.testing.assert_array_equal(track_of("angry:0").probs, track_of("neutral").probs)


def test_mixtures_add_and_never_exceed_one():
    half = track_of("sad:0.5+surprised:0.3")
    assert said(half.probs[0]) == {"sad": 0.5, "surprised": 0.3, "neutral": 0.2}
    sad, surprised = np.array(LABEL_VAD["sad"]), np.array(LABEL_VAD["surprised"])
    np.testing.assert_allclose(half.vad[0], 0.5 * sad + 0.3 * surprised, atol=1e-6)
    full = track_of("happy+excited")
    assert said(full.probs[0]) == {"happy": 0.5, "excited": 0.5}
    assert np.abs(full.vad).max() <= 1


def test_each_compound_holds_its_two_labels_in_halves():
    for index, (name, pair) in enumerate(COMPOUNDS.items()):
        track = track_of(name)
        assert said(track.probs[0]) == dict.fromkeys(pair, 0.5)
        scores = compound_scores(track.probs[0])
        assert COMPOUND_NAMES[index] == name
        assert scores.argmax() == index
        assert scores[index] == pytest.approx(1.0)
    assert compound_scores(np.eye(11)).max() == 0


def test_blend_sweeps_move_steadily_from_one_label_to_the_other():
    shares = np.linspace(0, 1, 21)
    anchors = dict(zip(LABELS, priors()[0].numpy(), strict=True))
    for first, second in itertools.combinations(LABELS, 2):
        requests = [f"{first}:{1 - share:.2f}+{second}:{share:.2f}" for share in shares]
        tracks = [track_of(request, duration_s=0.5) for request in requests]
        way = [track.mean[0] for track in tracks]
        assert (np.diff([np.linalg.norm(row - anchors[second]) for row in way]) < 0).all()
        assert (np.diff([np.linalg.norm(row - anchors[first]) for row in way]) > 0).all()
        decoded = np.stack([decode_arrays(row, row)[0] for row in way])
        assert (np.diff(decoded[:, LABELS.index(second)]) > 0).all()


def test_point_keeps_numbers_and_infers_the_rest():
    track = track_of("va(-0.4,0.7)")
    np.testing.assert_allclose(track.vad[0, :2], [-0.4, 0.7], atol=1e-6)
    assert LABELS[track.probs[0].argmax()] in ("angry", "fearful")
    dominances = [LABEL_VAD[label][2] for label in LABELS]
    assert track.vad[0, 2] == pytest.approx(float(track.probs[0] @ dominances), abs=1e-5)
    assert track.vad_var[0, 2] > track.vad_var[0, 0]
    for dominance, label in ((0.25, "angry"), (-0.43, "fearful")):
        given = track_of(f"vad(-0.55,0.6,{dominance})")
        assert LABELS[given.probs[0].argmax()] == label
        assert given.vad[0, 2] == pytest.approx(dominance)
    assert track_of("vad(0,0,0)").vad[0, 2] == 0


def test_timeline_eases_and_holds():
    track = track_of("2=neutral; 6=happy; 8=sad linear; 9=angry step", rate_hz=4.0)
    happy = track.probs[:, LABELS.index("happy")]

    def at(time_s):
        return int(time_s * 4)

    assert happy[at(0)] == happy[at(2)] == 0
    assert happy[at(4)] == pytest.approx(0.5)
    assert happy[at(3)] == pytest.approx((1 - np.cos(np.pi / 4)) / 2, abs=1e-6)
    assert happy[at(6)] == 1
    assert happy[at(6.5)] == pytest.approx(0.75)
    assert said(track.probs[at(8.75)]) == {"sad": 1.0}
    for time_s in (9, 9.25, 10):
        assert said(track.probs[at(time_s)]) == {"angry": 1.0}
    np.testing.assert_allclose(track.probs.sum(axis=1), 1.0, atol=1e-6)
    assert (np.diff(happy[at(2) : at(6) + 1]) > 0).all()


def test_timeline_shifted_is_the_same_later():
    early = track_of("0=calm; 4=fearful:0.8", duration_s=20)
    late = track_of("5=calm; 9=fearful:0.8", duration_s=20)
    np.testing.assert_allclose(early.vad[:10], late.vad[5:15], atol=1e-6)


def test_one_keyframe_and_keyframes_after_the_end():
    np.testing.assert_array_equal(track_of("3=sad;").vad, track_of("sad").vad)
    np.testing.assert_array_equal(track_of("50=sad; 60=happy").vad, track_of("sad").vad)


@pytest.mark.parametrize(
    ("duration_s", "rate_hz", "steps"),
    [(0.04, 1.0, 1), (10.5, 1.0, 11), (3.0, 2.0, 7), (0.3, 10.0, 4), (7200.0, 1.0, 7201)],
)
def test_steps_cover_the_film(duration_s, rate_hz, steps):
    track = track_of("happy", duration_s=duration_s, rate_hz=rate_hz)
    assert len(track.times) == steps
    assert duration_s - 1 / rate_hz < track.times[-1] <= duration_s + 1e-5


@pytest.mark.parametrize("duration_s", [0.0, -1.0, np.nan, np.inf])
def test_impossible_durations(duration_s):
    with pytest.raises(ValueError, match="duration_s"):
        track_of("happy", duration_s=duration_s)


def test_counterpoint_is_the_measured_track_turned_round():
    measured = track_of("0=happy; 10=calm", duration_s=10.0, rate_hz=2.0)
    got = track_of("counterpoint", measured=measured, duration_s=5.0, rate_hz=2.0)
    same = track_of("auto", measured=measured, duration_s=5.0, rate_hz=2.0)
    np.testing.assert_array_equal(got.vad[:, :2], -same.vad[:, :2])
    np.testing.assert_allclose(got.probs.sum(axis=1), 1.0, atol=1e-5)
    assert got.probs[0].argmax() != same.probs[0].argmax()
    with pytest.raises(RequestError, match="counterpoint needs media"):
        track_of("counterpoint")


def test_auto_is_the_measured_track():
    measured = track_of("0=calm; 9=fearful")
    got = track_of("auto", measured=measured, duration_s=5.0, rate_hz=2.0)
    assert len(got.times) == 11
    np.testing.assert_allclose(got.vad[::2], measured.vad[:6], atol=1e-6)
    assert got.kind == "requested"
    with pytest.raises(RequestError, match="auto needs media"):
        track_of("auto")


@pytest.mark.parametrize(
    ("text", "needs"), [("a dark and stormy night", "text"), ("like:voice.wav", "face/voice")]
)
def test_free_text_and_like_take_the_resolved_track(text, needs):
    spoken = track_of("0=calm; 4=fearful", duration_s=4.0)
    got = track_of(text, resolved=spoken, duration_s=8.0, measured=track_of("happy"))
    assert got.kind == "requested"
    np.testing.assert_array_equal(got.probs[:5], spoken.probs)
    np.testing.assert_array_equal(got.vad[8], spoken.vad[4])
    with pytest.raises(RequestError, match=rf"by the {needs} recognizer: hand .* `resolved`.*va\("):
        track_of(text)


def test_emotion_condition_follows_the_contract():
    track = track_of("0=calm; 9=fearful")
    condition = emotion_condition(track, [0.0, 4.5, 9.0, 99.0], rate_hz=1.0)
    assert condition.values.shape == (1, 4, 14)
    assert condition.values.dtype == torch.float32
    assert condition.mask.all()
    values = condition.values[0].numpy()
    np.testing.assert_allclose(values[2, :3], LABEL_VAD["fearful"], atol=1e-6)
    np.testing.assert_allclose(values[:, 3:].sum(axis=1), 1.0, atol=1e-6)
    assert values[0, 3 + LABELS.index("calm")] == 1
    np.testing.assert_array_equal(values[3], values[2])
