"""HiCMAE's network: sizes, forward against the paper's written out plainly, masks, losses."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from affetto.recognizers.audiovisual.config import SIZES, HicmaeConfig
from affetto.recognizers.audiovisual.masking import random_mask, tube_mask
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import (
    CONTRAST_WEIGHT,
    HicmaePretraining,
    PretrainingLosses,
    hierarchical_contrast,
    patches_of,
    sound_targets,
    video_targets,
)
from tests.hicmae_written_out import cut, encoded, fused, plain_decoded, plain_features

LITTLE = HicmaeConfig(
    width=128,
    decoder_width=64,
    depth=4,
    skip_layers=(0, 2, 3),
    num_frames=4,
    side=64,
    num_mel_frames=64,
    num_bands=32,
)  # 32 video tokens, 8 sound tokens


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def clips(config, num_clips=2, seed=1):
    frames = (num_clips, 3, config.num_frames, config.side, config.side)
    mel = (num_clips, 1, config.num_mel_frames, config.num_bands)
    return torch.randn(frames, generator=rng(seed)), torch.randn(mel, generator=rng(seed + 1))


def stirred(network):
    """All parameters away from where they start: a bias of zero would hide a lost bias."""
    draws = rng(7)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.1 * torch.randn(value.shape, generator=draws))
    return network.eval()


def masks(config, num_clips=2):
    video = tube_mask(num_clips, config.video_grid, generator=rng(3), hidden=0.75)
    sound = random_mask(num_clips, math.prod(config.sound_grid), generator=rng(4), hidden=0.75)
    return {"video_mask": video, "sound_mask": sound}


# The paper's forward, one clip at a time, in plain products; `p` is a state dict.
@pytest.mark.parametrize(
    ("size", "tuned", "pretrained"),
    [("tiny", 20.5, 22.7), ("small", 45.7, 50.6), ("base", 80.8, 99.6)],
)
def test_published_numbers_of_parameters_in_millions(size, tuned, pretrained):
    with torch.device("meta"):
        networks = Hicmae(SIZES[size], num_outputs=6), HicmaePretraining(SIZES[size])
    counts = [sum(p.numel() for p in network.parameters()) / 1e6 for network in networks]
    assert [round(count, 1) for count in counts] == [tuned, pretrained]


@pytest.mark.parametrize("change", [{"width": 100}, {"side": 40}, {"skip_layers": (3, 1, 2)}])
def test_sizes_that_do_not_fit_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        HicmaeConfig(**{"width": 64, "decoder_width": 64, **change})


def test_features_equal_the_plain_forward_and_a_batch_its_singles():
    network = stirred(Hicmae(LITTLE, num_outputs=3))
    frames, mel = clips(LITTLE)
    with torch.inference_mode():
        got = network.features(frames, mel)
        for number in range(2):
            one = slice(number, number + 1)
            plain = plain_features(network.state_dict(), LITTLE, frames[number], mel[number])
            torch.testing.assert_close(got[number], plain, atol=1e-4, rtol=1e-4)
            alone = network.features(frames[one], mel[one])
            torch.testing.assert_close(got[one], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_base_features_equal_the_plain_forward():
    config = SIZES["base"]
    network = Hicmae(config, num_outputs=6).eval()
    frames, mel = clips(config, num_clips=1)
    with torch.inference_mode():
        plain = plain_features(network.state_dict(), config, frames[0], mel[0])
        torch.testing.assert_close(network.features(frames, mel)[0], plain, atol=1e-4, rtol=0)


def test_visible_tokens_alone_equal_full_attention_that_never_looks_at_hidden_ones():
    network = stirred(HicmaePretraining(LITTLE))
    frames, mel = clips(LITTLE)
    hidden = masks(LITTLE)
    state = network.state_dict()
    with torch.inference_mode():
        video, sound, contrast = network(frames, mel, **hidden)
        skips = {"video": [], "sound": []}
        for number in range(2):
            unseen = hidden["video_mask"][number], hidden["sound_mask"][number]
            video_layers = encoded(state, "video", LITTLE, cut(frames[number]), unseen[0])
            sound_layers = encoded(state, "sound", LITTLE, cut(mel[number]), unseen[1])
            seen = [x[~unseen[0]] for x in video_layers]
            heard = [x[~unseen[1]] for x in sound_layers]
            met = fused(state, LITTLE, seen[-1], heard[-1])
            for name, layers, tokens, mask, got in (
                ("video", seen, met[0], unseen[0], video),
                ("sound", heard, met[1], unseen[1], sound),
            ):
                inner = [layers[layer] for layer in LITTLE.skip_layers]
                skips[name].append(inner)
                want = plain_decoded(state, f"{name}_decoder", tokens, inner, mask)
                torch.testing.assert_close(got[number], want, atol=1e-3, rtol=1e-3)
    wanted = 0.0
    for layer in range(3):
        means = [torch.stack([skips[m][c][layer].mean(0) for c in (0, 1)]) for m in skips]
        one, other = (m / m.norm(dim=1, keepdim=True) for m in means)
        alike = (one @ other.T / 0.07).exp()
        for table in (alike, alike.T):
            wanted -= 0.5 * (table.diag() / table.sum(1)).log().mean()
    torch.testing.assert_close(contrast, wanted, atol=1e-4, rtol=1e-4)


def test_what_is_hidden_changes_nothing():
    network = stirred(HicmaePretraining(LITTLE))
    frames, mel = clips(LITTLE)
    hidden = masks(LITTLE)
    loud = mel.clone()
    patch = int(hidden["sound_mask"][0].nonzero()[0])
    time, band = divmod(patch, LITTLE.sound_grid[1])
    loud[0, 0, 16 * time : 16 * time + 16, 16 * band : 16 * band + 16] += 9.0
    with torch.inference_mode():
        for one, other in zip(
            network(frames, mel, **hidden), network(frames, loud, **hidden), strict=True
        ):
            assert torch.equal(one, other)


def test_masks_hide_as_many_as_published_and_tubes_the_same_at_all_times():
    config = SIZES["base"]
    tube = tube_mask(5, config.video_grid, generator=rng(1))
    assert tube.sum(1).tolist() == [720] * 5
    slots = tube.reshape(5, 8, 100)
    assert (slots == slots[:, :1]).all()
    flat = random_mask(5, 128, generator=rng(1))
    assert flat.sum(1).tolist() == [102] * 5
    assert len({tuple(row.tolist()) for row in flat}) == 5
    assert torch.equal(flat, random_mask(5, 128, generator=rng(1)))
    often = random_mask(400, 10, generator=rng(2), hidden=0.5).float().mean(0)
    assert (often - 0.5).abs().max() < 0.1
    with pytest.raises(ValueError, match="hides 0"):
        random_mask(1, 4, generator=rng(), hidden=0.1)


def test_targets_are_patches_and_how_they_change():
    frames, mel = clips(LITTLE)
    video = video_targets(frames).reshape(2, 32, 2, 256, 3)
    first, second = video[:, :, 0], video[:, :, 0] + video[:, :, 1]
    both = torch.stack([first, second], dim=2).flatten(2, 3)
    torch.testing.assert_close(both.mean(2), torch.zeros(2, 32, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(both.std(2), torch.ones(2, 32, 3), atol=1e-3, rtol=0)
    colour = cut(frames[0])[5].reshape(3, 512)[1]
    torch.testing.assert_close(
        both[0, 5, :, 1], (colour - colour.mean()) / colour.std(), atol=1e-3, rtol=1e-3
    )
    patch = cut(mel[1])[3]
    torch.testing.assert_close(
        sound_targets(mel)[1, 3], (patch - patch.mean()) / patch.std(), atol=1e-4, rtol=1e-4
    )


def test_contrast_is_small_for_pairs_and_large_for_strangers():
    layers = [torch.randn(8, 5, 64, generator=rng(n)) for n in range(3)]
    paired = hierarchical_contrast(layers, layers)
    crossed = hierarchical_contrast(layers, [layer.roll(1, 0) for layer in layers])
    assert paired < 0.1 < 3 * math.log(8) < crossed
    ones = torch.ones(())
    assert PretrainingLosses(ones, ones, ones).total == 2 + CONTRAST_WEIGHT == 2.0025


def test_pretraining_learns_and_reaches_every_parameter():
    torch.manual_seed(0)
    network = HicmaePretraining(LITTLE)
    frames, mel = clips(LITTLE)
    targets = video_targets(frames), sound_targets(mel)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    course = []
    for _ in range(8):
        total = network.losses(frames, mel, **masks(LITTLE), targets=targets).total
        optimiser.zero_grad()
        total.backward()
        course.append(total.item())
        assert all(value.grad is not None for value in network.parameters())
        optimiser.step()
    assert course[-1] < 0.9 * course[0]


def test_saved_and_loaded_gives_the_same_bytes(tmp_path):
    network = stirred(Hicmae(LITTLE, num_outputs=3))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    again = Hicmae(LITTLE, num_outputs=3).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    frames, mel = clips(LITTLE)
    with torch.inference_mode():
        assert torch.equal(network(frames, mel), again(frames, mel))


STATES = HicmaeConfig(
    width=64, decoder_width=64, depth=2, fusion_depth=1, skip_layers=(1,), num_frames=4, side=6,
    num_mel_frames=16, num_bands=1, video_channels=5, video_patch=2, sound_channels=7,
    sound_patch=(4, 1),
)  # fmt: skip


def states(num_clips=3):
    return torch.randn(num_clips, 5, 4, 6, 6, generator=rng()), torch.randn(
        num_clips, 7, 16, 1, generator=rng(1)
    )


def test_other_inputs_than_pixels_are_cut_into_the_same_tokens():
    video, sound = states()
    seen, heard = patches_of(video, sound, STATES)
    assert seen.shape == (3, 18, STATES.video_values)
    assert heard.shape == (3, 4, STATES.sound_values)
    assert torch.equal(seen[1, 9 + 3 + 2], video[1, :, 2:4, 2:4, 4:6].permute(1, 2, 3, 0).flatten())
    assert torch.equal(heard[2, 1], sound[2, :, 4:8, 0].T.flatten())


def test_a_missing_modality_leaves_no_trace_and_the_batch_is_as_its_items():
    network = stirred(Hicmae(STATES, num_outputs=3))
    video, sound = states()
    there = torch.tensor([[True, True], [True, False], [False, True]])
    with torch.inference_mode():
        out = network(video, sound, there)
        other_video, other_sound = video.clone(), sound.clone()
        other_sound[1], other_video[2] = 9.0, -3.0
        torch.testing.assert_close(network(other_video, other_sound, there), out)
        assert torch.equal(network(video, sound)[0], network(video, sound, there | True)[0])
        for row in range(3):
            alone = network(video[row : row + 1], sound[row : row + 1], there[row : row + 1])
            torch.testing.assert_close(alone[0], out[row], atol=1e-5, rtol=1e-4)


def test_drop_path_is_for_training_alone():
    from dataclasses import replace

    torch.manual_seed(0)
    network = stirred(Hicmae(replace(STATES, drop_path=0.5), num_outputs=3))
    plain = Hicmae(STATES, num_outputs=3).eval()
    plain.load_state_dict(network.state_dict())
    video, sound = states()
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(video, sound), plain(video, sound))
        assert not torch.allclose(network.train()(video, sound), plain(video, sound), atol=1e-3)
