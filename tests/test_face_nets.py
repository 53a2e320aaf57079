import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.errors import BadInput
from affetto.recognizers.face.judge import FaceJudge, load_face_judge
from affetto.recognizers.face.recognizer import FaceLoss, FaceRecognizer, load_face, load_face_loss
from affetto.recognizers.reading import consistency_loss
from affetto.train.augment_face import FaceAugmentation, varied
from affetto.train.data.ferplus import read_ferplus
from affetto.train.face import as_tensor
from affetto.weights import SHIPPED, load_weights

LOADERS = {"face": load_face, "face_loss": load_face_loss, "face_judge": load_face_judge}
DATA = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="module", params=["face", "face_loss", "face_judge"])
def net(request):
    return LOADERS[request.param]()


def faces(count, side=48, seed=0):
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(seed))


def test_a_reading_is_whole(net):
    reading = net.read(faces(3))
    assert reading.native.shape == (3, 8)
    torch.testing.assert_close(reading.probs.sum(dim=1), torch.ones(3))
    assert reading.vad.shape == reading.vad_var.shape == (3, 3)
    assert ((reading.confidence >= 0) & (reading.confidence <= 1)).all()


def test_a_batch_is_its_singles(net):
    batch = faces(4)
    together = net.read(batch).logits
    alone = torch.cat([net.read(one[None]).logits for one in batch])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_mirror_light_and_size_do_not_matter(net):
    one = torch.nn.functional.interpolate(faces(2, side=6), size=(48, 48), mode="bicubic").clamp(
        0, 1
    )
    base = net.read(one).native
    torch.testing.assert_close(net.read(one.flip(3)).native, base, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net.read(0.2 + 0.7 * one).native, base, atol=3e-2, rtol=0)
    large = torch.nn.functional.interpolate(one, scale_factor=4, mode="nearest")
    torch.testing.assert_close(net.read(large).native, base, atol=5e-2, rtol=0)


def test_a_step_on_the_pixels_brings_the_wanted_label(net):
    pixels = faces(1).requires_grad_()
    wanted = torch.nn.functional.one_hot(torch.tensor([1]), 11).float()  # happy
    before = net.read(pixels)
    torch.autograd.backward(consistency_loss(before, wanted))
    moved = pixels.detach() - 0.02 * pixels.grad.sign()
    assert net.read(moved).probs[0, 1] > before.probs[0, 1]
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("shape", [(1, 3, 48, 48), (1, 48, 48), (1, 1, 4, 4)])
def test_other_shapes_are_refused(net, shape):
    with pytest.raises(ValueError, match="faces must be"):
        net.read(torch.zeros(shape))


def test_an_even_surface_is_no_crash(net):
    assert torch.isfinite(net.read(torch.full((1, 1, 48, 48), 0.5)).logits).all()


def test_loss_and_judge_are_two_nets_of_two_halves():
    face, judge = load_weights("face_loss"), load_weights("face_judge")
    assert face.sha256 != judge.sha256
    assert not set(face.trained_on) & set(judge.trained_on)
    assert not face.commercial
    assert not judge.commercial
    assert type(FaceLoss().network) is not type(FaceJudge().network)
    assert load_face().fingerprint == SHIPPED["face"]


def test_the_face_net_is_small():
    assert sum(parameter.numel() for parameter in FaceRecognizer().parameters()) <= 1_000_000


def test_variation_keeps_shape_and_repeats_with_its_generator():
    batch = faces(5)
    seen = [
        varied(
            batch, side=40, amount=FaceAugmentation(), generator=torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    ]
    assert seen[0].shape == (5, 1, 40, 40)
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


def test_missing_data_says_where_to_point(tmp_path):
    with pytest.raises(BadInput, match=r"data\.root"):
        read_ferplus(tmp_path, "train")


@pytest.mark.skipif(not (DATA / "ferplus48").is_dir(), reason="needs the sibling data folder")
class TestFerPlus:
    def test_the_official_protocol_has_3153_faces(self):
        test = read_ferplus(DATA, "test")
        assert (test.majority >= 0).sum() == 3153
        np.testing.assert_allclose(test.shares.sum(axis=1), 1.0, rtol=1e-6)

    def test_the_halves_are_disjoint_and_the_rest_is_apart(self):
        even, odd = (read_ferplus(DATA, "train", half=half).fer_index for half in ("even", "odd"))
        valid, test = (read_ferplus(DATA, part).fer_index for part in ("valid", "test"))
        for one, other in itertools.combinations((even, odd, valid, test), 2):
            assert not np.intersect1d(one, other).size

    def test_the_shipped_net_knows_smiles(self):
        test = read_ferplus(DATA, "test")
        smiles = test.pixels[test.majority == 1][:16]
        assert (load_face().read(as_tensor(smiles)).native.argmax(dim=1) == 1).sum() >= 13
