"""Public networks by name: order and range of ratings, layouts, what cannot be had. All tiny."""

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch.nn.utils import parametrize

from affetto.errors import BadInput, WeightsError
from affetto.recognizers.backbones.catalogue import BACKBONES, backbone, read_tensors
from affetto.recognizers.backbones.features import (
    PictureEmbedder,
    SoundEmbedder,
    SoundStates,
    load_features,
)
from affetto.recognizers.backbones.voice_avd import (
    ORDER,
    VoiceRater,
    Wav2Small,
    Wav2vec2Avd,
    load_voice_rater,
    recognize_voice,
)
from affetto.vad import to_vad

LITTLE = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
    "conv_dim": (8, 8), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
}  # fmt: skip


def wav(seed=0, count=2, samples=1600):
    return torch.randn(count, samples, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["wav2vec2", "wav2small"])
def rater(request):
    torch.manual_seed(0)
    if request.param == "wav2small":
        net = Wav2Small()
        for value in net.parameters():  # the mel bands begin as zeros
            torch.nn.init.normal_(value, std=0.2)
    else:
        net = Wav2vec2Avd(transformers.Wav2Vec2Config(**LITTLE))
    return net.eval().requires_grad_(False)


class Says(VoiceRater):
    """Always the same."""

    def forward(self, wav):
        return torch.tensor([[0.9, 0.5, 0.1]]).expand(len(wav), 3), wav[:, :2]


def test_arousal_dominance_valence_become_ours():
    ours = Says().rate(wav())
    torch.testing.assert_close(ours.vad[0], torch.tensor([-0.8, 0.8, 0.0]))
    # the one table of orders says the same
    said = to_vad([0.9, 0.5, 0.1], order="ADV", low=0, high=1)
    np.testing.assert_allclose(ours.vad[0], said, atol=1e-6)
    assert ["ADV"[place] for place in ORDER] == ["V", "A", "D"]


def test_ratings_are_of_each_clip_alone_at_any_level(rater):
    clips = wav()
    before = clips.clone()
    both = rater.rate(clips)
    assert torch.equal(clips, before)  # nothing is normalised in place
    assert both.vad.shape == (2, 3)
    for row in range(2):
        alone = rater.rate(clips[row : row + 1])
        torch.testing.assert_close(alone.vad[0], both.vad[row], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(rater.rate(4 * clips + 1).vad, both.vad, atol=1e-3, rtol=1e-3)


def test_gradients_reach_the_waveform(rater):
    clips = wav().requires_grad_()
    rater.rate(clips).vad[:, 0].sum().backward()
    assert clips.grad.abs().sum() > 0


def test_too_short_is_told(rater):
    with pytest.raises(BadInput, match="400"):
        rater.rate(torch.zeros(1, 100))


def test_wav2small_has_the_published_layout():
    state = Wav2Small().state_dict()
    for name in ("l1.conv.weight", "l7.norm.running_mean", "lin.bias", "sof.weight",
                 "spectrogram_extractor.conv_real.weight", "spectrogram_extractor.conv_imag.weight",
                 "logmel_extractor.melW"):  # fmt: skip
        assert f"vgg7.{name}" in state
    count = sum(value.numel() for value in Wav2Small().parameters())
    assert count == 15_888  # of them 4,224 Fourier and 858 mel weights that are fixed
    assert state["adv.weight"].shape == (3, 338)


def test_a_folder_is_loaded_whole_with_its_licence(tmp_path):
    torch.manual_seed(1)
    made = Wav2vec2Avd(transformers.Wav2Vec2Config(**LITTLE)).eval()
    made.wav2vec2.config.save_pretrained(tmp_path)
    old = {}
    for name, value in made.state_dict().items():  # as files from before torch 2 spell it
        name = name.replace("parametrizations.weight.original0", "weight_g")
        old[name.replace("parametrizations.weight.original1", "weight_v")] = value.contiguous()
    assert any(name.endswith("weight_g") for name in old)
    save_file(old, tmp_path / "model.safetensors")
    rater = load_voice_rater("wav2vec2-avd", tmp_path)
    torch.testing.assert_close(rater.rate(wav()).vad, made.rate(wav()).vad)
    assert "NC" in rater.licence
    assert not rater.commercial
    assert parametrize.is_parametrized(rater.wav2vec2.encoder.pos_conv_embed.conv)
    del old["classifier.dense.weight"]
    save_file(old, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"classifier\.dense\.weight"):
        load_voice_rater("wav2vec2-avd", tmp_path)


def test_what_cannot_be_had_is_told(tmp_path):
    with pytest.raises(WeightsError, match="known are wav2vec2-avd"):
        backbone("nonsense")
    with pytest.raises(WeightsError, match="no folder"):
        load_voice_rater("wav2small", tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="neither"):
        read_tensors(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(WeightsError, match="damaged"):
        read_tensors(tmp_path)
    with pytest.raises(WeightsError, match="no wavlm"):
        load_features("wavlm", tmp_path)
    with pytest.raises(WeightsError, match="load_voice_rater"):
        load_features("wav2small", tmp_path)
    assert all(one.licence for one in BACKBONES.values())


def test_a_pickle_with_code_in_it_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    torch.save({"x": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="damaged"):
        read_tensors(tmp_path)


def test_a_course_has_silence_without_confidence():
    sound = wav(count=1, samples=6 * 16_000)[0].numpy()
    sound[: 3 * 16_000] = 0.0
    track = recognize_voice(sound, rater=Says(), window_s=3.0, hop_s=3.0)
    np.testing.assert_allclose(track.times, [1.5, 4.5])
    assert track.confidence.tolist() == [0.0, 0.5]
    np.testing.assert_allclose(track.vad[1], [-0.8, 0.8, 0.0], atol=1e-6)
    np.testing.assert_allclose(track.probs.sum(axis=1), 1, atol=1e-5)


# Features


def test_states_of_all_layers_with_their_times(tmp_path):
    model = transformers.HubertModel(transformers.HubertConfig(**LITTLE))
    model.save_pretrained(tmp_path, safe_serialization=True)
    for name, rate_hz in (("hubert", 16_000), ("mert", 24_000)):
        net = load_features(name, tmp_path)
        assert isinstance(net, SoundStates)
        found = net.states(wav(count=1)[0].numpy())
        assert found.values.shape[0] == 3
        assert found.values.shape[2] == 16
        assert found.times.shape == (found.values.shape[1], 2)
        assert found.times[-1, 1] == pytest.approx(1600 / rate_hz)
    clips = wav().requires_grad_()
    net.tensors(clips)[:, -1].sum().backward()
    assert clips.grad.abs().sum() > 0


def test_a_picture_and_a_sound_have_one_embedding_each():
    vision = transformers.CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        image_size=32, patch_size=16, projection_dim=8,
    )  # fmt: skip
    clip = PictureEmbedder(
        transformers.CLIPVisionModelWithProjection(vision),
        transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        licence="MIT",
    )
    assert clip.embed(np.zeros((40, 50, 3), np.uint8)).shape == (8,)
    audio = transformers.ClapAudioConfig(
        patch_embeds_hidden_size=16, depths=[1, 1], num_attention_heads=[2, 2], num_mel_bins=64,
        spec_size=256, window_size=8, hidden_size=32, projection_dim=8, num_hidden_layers=2,
    )  # fmt: skip
    text = transformers.ClapTextConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
        vocab_size=99, projection_dim=8,
    )  # fmt: skip
    config = transformers.ClapConfig(
        text_config=text.to_dict(), audio_config=audio.to_dict(), projection_dim=8
    )
    clap = SoundEmbedder(
        transformers.ClapModel(config),
        transformers.ClapFeatureExtractor(truncation="rand_trunc"),
        licence="Apache-2.0",
    )
    assert clap.rate_hz == 48_000
    long = wav(count=1, samples=11 * 48_000)[0].numpy()
    assert clap.embed(long[:48_000]).shape == (8,)
    assert np.array_equal(clap.embed(long), clap.embed(long))
