"""Public HiCMAE checkpoints into our network, on made-up ones with the published names."""

import argparse

import pytest
import torch

from affetto.errors import WeightsError
from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import HicmaePretraining
from affetto.recognizers.audiovisual.published import our_name, read_published, take_published

LITTLE = HicmaeConfig(
    width=64,
    decoder_width=64,
    depth=4,
    num_frames=2,
    side=32,
    num_mel_frames=32,
    num_bands=32,
    skip_layers=(1, 2, 3),
)


def both(*names):
    return [f"{name}.{part}" for name in names for part in ("weight", "bias")]


BLOCK = [
    *both("norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"),
    *("attn.q_bias", "attn.v_bias", "attn.qkv.weight"),
]
CROSS = [
    *both("cross_norm1", "cross_norm2", "cross_attn.proj"),
    *("cross_attn.q_bias", "cross_attn.v_bias", "cross_attn.q.weight", "cross_attn.kv.weight"),
]
TASK = [*both("fc_norm", "head"), "video_layer_weights", "audio_layer_weights"]


def trunk_names():
    """As the public code spells them, by hand: not made from our table."""
    names = []
    for encoder in ("encoder", "encoder_audio"):
        names += both(f"{encoder}.patch_embed.proj", f"{encoder}.norm")
        names += [f"{encoder}.blocks.{n}.{x}" for n in range(4) for x in BLOCK]
    for blocks, norm in (("blocks", "norm"), ("blocks_audio", "norm_audio")):
        names += [f"encoder_fusion.{blocks}.{n}.{x}" for n in range(2) for x in BLOCK + CROSS]
        names += both(f"encoder_fusion.{norm}")
    return names


def decoder_names():
    names = []
    for tail in ("", "_audio"):
        names += [f"encoder_to_decoder{tail}.weight", f"mask_token{tail}"]
        names += both(f"decoder{tail}.norm", f"decoder{tail}.head")
        for number in range(4):
            inner = BLOCK + CROSS if number else BLOCK
            names += [f"decoder{tail}.blocks.{number}.{x}" for x in inner]
    return names


def made_up(names, network):
    """Random values under published names; what our network calls them says only their shapes."""
    draws, shapes = torch.Generator().manual_seed(0), network.state_dict()
    return {name: torch.randn(shapes[our_name(name)].shape, generator=draws) for name in names}


def test_pretraining_takes_all_under_published_names():
    network = HicmaePretraining(LITTLE)
    published = made_up(trunk_names() + decoder_names(), network)
    assert len(published) == len(network.state_dict())
    assert take_published(network, published) == ()
    for name, value in published.items():
        assert torch.equal(network.state_dict()[our_name(name)], value)
    attention = network.fusion.sound_blocks[1].cross_attn
    spots = {
        "encoder_fusion.blocks_audio.1.cross_attn.kv.weight": attention.kv.weight,
        "encoder.blocks.3.attn.q_bias": network.video.blocks[3].attn.q_bias,
        "encoder_audio.patch_embed.proj.bias": network.sound.tokens.bias,
        "decoder_audio.blocks.2.mlp.fc2.bias": network.sound_decoder.blocks[2].mlp.fc2.bias,
    }
    assert all(torch.equal(published[name], value) for name, value in spots.items())


def test_a_classifier_takes_the_trunk_and_keeps_its_head():
    network = Hicmae(LITTLE, num_outputs=6)
    head = network.head.weight.clone()
    published = made_up(trunk_names() + decoder_names(), HicmaePretraining(LITTLE))
    kept = take_published(network, published)
    assert set(kept) == {our_name(name) for name in TASK}
    assert torch.equal(network.head.weight, head)
    assert torch.equal(network.video.norm.bias, published["encoder.norm.bias"])


def test_a_tuned_checkpoint_fits_whole_or_without_its_head():
    published = made_up(trunk_names() + TASK, Hicmae(LITTLE, num_outputs=6))
    assert take_published(Hicmae(LITTLE, num_outputs=6), published) == ()
    other = Hicmae(LITTLE, num_outputs=11)
    assert take_published(other, published) == ("head.bias", "head.weight")
    assert torch.equal(other.video_layers, published["video_layer_weights"])


def test_what_does_not_fit_is_refused():
    network = Hicmae(LITTLE, num_outputs=6)
    published = made_up(trunk_names() + TASK, network)
    with pytest.raises(WeightsError, match="no parameter of HiCMAE"):
        take_published(network, published | {"cls_token": torch.zeros(1)})
    with pytest.raises(WeightsError, match="1 missing"):
        take_published(network, {n: v for n, v in published.items() if n != "encoder.norm.bias"})
    with pytest.raises(WeightsError, match="1 unknown"):
        take_published(network, published | {"encoder.blocks.9.norm1.bias": torch.zeros(64)})
    with pytest.raises(WeightsError, match=r"shape \(7,\)"):
        take_published(network, published | {"encoder.norm.bias": torch.zeros(7)})
    with pytest.raises(WeightsError, match="missing"):
        take_published(HicmaePretraining(LITTLE), published)


@pytest.mark.parametrize("holder", ["model", "module", None])
def test_a_file_is_read_without_running_anything(tmp_path, holder):
    state = {"head.bias": torch.ones(3)}
    path = tmp_path / "checkpoint-99.pth"
    held = {holder: state, "args": argparse.Namespace(lr=1.0), "epoch": 99} if holder else state
    torch.save(held, path)
    assert torch.equal(read_published(path)["head.bias"], torch.ones(3))


def test_files_of_other_things_are_refused(tmp_path):
    path = tmp_path / "model.pth"
    for held in (torch.nn.Linear(2, 2), {"epoch": 3}, [1]):
        torch.save(held, path)
        with pytest.raises(WeightsError):
            read_published(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match="not a checkpoint"):
        read_published(path)
    with pytest.raises(WeightsError, match="not a checkpoint"):
        read_published(tmp_path / "nowhere.pth")
