"""The motion head: shapes, masks, symmetry, gradients, shipped weights, the recipe."""

import numpy as np
import pytest
import torch

from affetto.blendshapes import BLENDSHAPES, MIRROR, NUM_BLENDSHAPES
from affetto.recognizers.face.motion import MotionConfig, MotionRecognizer, load_motion
from affetto.train.data.ferplus_blendshapes import MotionFaces
from affetto.train.face_motion import MotionRecipe, fit
from affetto.weights import fill, load_weights


@pytest.fixture(scope="module")
def motion():
    return load_motion()


def face(**coefficients):
    values = torch.zeros(1, 1, NUM_BLENDSHAPES)
    for name, value in coefficients.items():
        for index, known in enumerate(BLENDSHAPES):
            if known.startswith(name):
                values[..., index] = value
    return values


def test_52_names_and_their_mirror():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert [MIRROR[MIRROR[i]] for i in range(52)] == list(range(52))
    assert BLENDSHAPES[MIRROR[BLENDSHAPES.index("mouthSmileLeft")]] == "mouthSmileRight"
    assert MIRROR[BLENDSHAPES.index("jawOpen")] == BLENDSHAPES.index("jawOpen")


def test_plain_faces_are_read_as_anyone_would(motion):
    labels = motion.labels
    smile = face(mouthSmile=0.8, cheekSquint=0.4, mouthUpperUp=0.4)
    gape = face(jawOpen=0.6, browInnerUp=0.9, browOuterUp=0.8, eyeWide=0.4)
    assert labels[motion.read(smile).native.argmax()] == "happiness"
    assert labels[motion.read(gape).native.argmax()] == "surprise"
    frown = face(browDown=0.9, eyeSquint=0.5, mouthPress=0.5, mouthFrown=0.5)
    assert labels[motion.read(frown).native.argmax()] in ("anger", "disgust")
    wrinkle = face(noseSneer=1.0, mouthUpperUp=0.6, eyeSquint=0.4)
    assert labels[motion.read(wrinkle).native.argmax()] == "disgust"
    assert labels[motion.read(torch.zeros(1, 1, 52)).native.argmax()] == "neutral"
    assert motion.read(smile).vad[0, 0] > 0.3
    happier = motion.read(face(mouthSmile=0.5)).probs[0, 1] < motion.read(smile).probs[0, 1]
    assert happier


def test_golden(motion):
    reading = motion.read(face(mouthSmile=0.8, mouthUpperUp=0.4))
    assert reading.native.shape == (1, 8)
    assert reading.probs.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert reading.native[0, 1].item() == pytest.approx(0.9705, abs=1e-3)


def test_batch_equals_singles_and_padding_does_not_count(motion):
    rng = torch.Generator().manual_seed(0)
    batch = torch.rand(3, 7, NUM_BLENDSHAPES, generator=rng)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3, [False, True] + [False] * 5])
    together = motion.read(batch, mask)
    alone = [
        motion.read(batch[:1]),
        motion.read(batch[1:2, :4]),
        motion.read(batch[2:, 1:2]),
    ]
    for row, one in enumerate(alone):
        assert torch.allclose(together.native[row], one.native[0], atol=1e-5)
    batch[1, 4:] = torch.nan
    assert torch.allclose(motion.read(batch, mask).native, together.native, atol=1e-5)


def test_the_sides_of_a_face_count_alike(motion):
    rng = torch.Generator().manual_seed(1)
    values = torch.rand(2, 3, NUM_BLENDSHAPES, generator=rng)
    mirrored = motion.read(values[..., list(MIRROR)])
    assert torch.allclose(mirrored.native, motion.read(values).native, atol=1e-5)


def test_nothing_to_judge_gives_no_confidence(motion):
    empty = motion.read(torch.rand(2, 4, 52), torch.zeros(2, 4, dtype=torch.bool))
    assert torch.equal(empty.confidence, torch.zeros(2))
    assert torch.allclose(empty.native, torch.full((2, 8), 1 / 8))


def test_gradient_reaches_the_motion_and_raises_what_is_wanted(motion):
    values = torch.full((1, 5, 52), 0.1, requires_grad=True)
    mask = torch.tensor([[True, True, True, False, False]])
    before = motion.read(values, mask)
    before.native[0, motion.labels.index("happiness")].log().backward()
    assert torch.isfinite(values.grad).all()
    assert values.grad[0, :3].abs().sum() > 0
    assert values.grad[0, 3:].abs().sum() == 0
    assert values.grad[0, 0, BLENDSHAPES.index("mouthSmileLeft")] > 0
    moved = (values + 0.05 * values.grad.sign()).detach()
    assert motion.read(moved, mask).native[0, 1] > before.native[0, 1]
    none = torch.zeros(1, 2, 52, requires_grad=True)
    motion.read(none, torch.zeros(1, 2, dtype=torch.bool)).probs.sum().backward()
    assert torch.isfinite(none.grad).all()


def test_dead_blendshapes_are_not_looked_at(motion):
    unseen = {BLENDSHAPES[index] for index in motion.unseen}
    assert unseen == {"tongueOut", "cheekPuff", "jawForward"}
    plain, puffed = torch.zeros(1, 1, 52), face(cheekPuff=1.0, tongueOut=1.0)
    assert torch.equal(motion.read(plain).native, motion.read(puffed).native)


def test_shapes_are_checked(motion):
    with pytest.raises(ValueError, match=r"\(B, T, 52\)"):
        motion.read(torch.zeros(2, 52))
    with pytest.raises(ValueError, match="mask must be"):
        motion.read(torch.zeros(2, 3, 52), torch.ones(2, 4, dtype=torch.bool))


def faces(count, seed):
    rng = np.random.default_rng(seed)
    majority = np.arange(count) % 8
    values = rng.random((count, 52)).astype(np.float32) * 0.2
    values[np.arange(count), majority] += 0.6
    return MotionFaces(
        blendshapes=values,
        shares=np.eye(8, dtype=np.float32)[majority] * 0.9 + 0.0125,
        majority=majority,
        fer_index=np.arange(count),
        share_found=1.0,
    )


def test_the_recipe_learns_saves_and_goes_on_alike(tmp_path):
    def recipe(out, epochs):
        model = MotionConfig(width=16, num_layers=1)
        return MotionRecipe(
            model=model, out=str(out), epochs=epochs, batch_size=16, learning_rate=0.02
        )

    train, valid = faces(256, 0), faces(64, 1)
    best = fit(recipe(tmp_path / "a", 6), train, valid)
    assert best["valid_uar"] > 0.3
    weights = load_weights(tmp_path / "a" / "weights")
    net = MotionRecognizer(MotionConfig(**weights.config))
    fill(net, weights)
    net.stamp(weights)
    assert net.fingerprint == weights.sha256
    assert net.trained_on
    again = fit(recipe(tmp_path / "a", 6), train, valid)
    assert again == best
    assert load_weights(tmp_path / "a" / "weights").sha256 == weights.sha256
