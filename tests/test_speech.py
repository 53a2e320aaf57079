"""The speech recognizer: encoder, heads, presence, timeline, baseline, on shipped weights."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from affetto.emotion import LABELS
from affetto.errors import BadInput, WeightsError
from affetto.recognizers.speech.baseline import SpeakerBaseline
from affetto.recognizers.speech.head import BOREDOM, WORDS, EmotionHead, HeadConfig
from affetto.recognizers.speech.pooling import NUM_FEATURES, pool
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech, recognize_speech
from affetto.recognizers.speech.whisper import NUM_STATES, RATE_HZ, frames_of, read_container
from affetto.recognizers.speech.windows import windows, without_quiet_edges

SAMPLES = Path(__file__).parent.parent / "samples"

rng = np.random.default_rng(0)
# Log probabilities of the nine words for `voice()`, from the shipped weights.
GOLDEN = [-13.86, -7.69, -17.28, -13.38, -16.15, -17.90, -3.82, -13.00, -0.02]


@pytest.fixture(scope="module")
def recognizer() -> SpeechRecognizer:
    torch.set_num_threads(1)
    return load_speech()


def voice(seconds: float = 1.2, *, pitch_hz: float = 140.0) -> np.ndarray:
    """A buzzing vowel that rises and falls, syllable by syllable; the same each time."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(pitch_hz * (1 + 0.2 * np.sin(2 * np.pi * 1.5 * times))) / RATE_HZ
    sound = sum(np.sin(k * phase) / (1 + abs(k - 5)) for k in range(1, 24))
    sound = sound * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * times)) * 0.05
    return sound.astype(np.float32)


def test_reading_has_the_contract(recognizer: SpeechRecognizer) -> None:
    reading = recognizer.read(torch.from_numpy(voice())[None].repeat(2, 1))
    assert reading.logits.shape == reading.native.shape == (2, 8)
    assert torch.allclose(reading.logits.softmax(dim=1), reading.native, atol=1e-5)
    assert reading.probs.shape == (2, 11)
    assert reading.vad.shape == reading.vad_var.shape == (2, 3)
    assert torch.allclose(reading.probs.sum(dim=1), torch.ones(2), atol=1e-5)
    assert reading.vad.abs().max() <= 1
    assert reading.vad_var.min() > 0
    assert reading.confidence.min() >= 0
    assert reading.confidence.max() <= 1
    assert recognizer.modality == "voice"
    assert recognizer.taxonomy == "ravdess8"
    assert len(recognizer.fingerprint) == 64
    assert "RAVDESS" in recognizer.trained_on


def test_batch_is_singles_and_padding_does_not_matter(recognizer: SpeechRecognizer) -> None:
    long, short = voice(1.3), voice(0.9, pitch_hz=220.0)
    wav = torch.zeros(2, len(long) + 1000)
    wav[0, : len(long)], wav[1, : len(short)] = torch.from_numpy(long), torch.from_numpy(short)
    wav[1, len(short) :] = 0.3  # behind the mask: not heard
    mask = torch.arange(wav.shape[1])[None] < torch.tensor([[len(long)], [len(short)]])
    both = recognizer.head(recognizer.features(wav, mask))
    for row, sound in enumerate((long, short)):
        alone = recognizer.head(recognizer.features(torch.from_numpy(sound)[None]))
        assert torch.allclose(both[row], alone[0], atol=2e-3)
    assert not torch.allclose(both[0], both[1], atol=0.1)


@pytest.mark.parametrize("gain_db", [-30.0, -12.0, 12.0, 30.0])
def test_level_does_not_matter(recognizer: SpeechRecognizer, gain_db: float) -> None:
    wav = torch.from_numpy(voice(0.8))[None]
    changed = recognizer.head(recognizer.features(wav * 10 ** (gain_db / 20)))
    assert torch.allclose(changed, recognizer.head(recognizer.features(wav)), atol=1e-2)


def test_gradient_reaches_the_waveform(recognizer: SpeechRecognizer) -> None:
    wav = torch.from_numpy(voice(0.6))[None].requires_grad_()
    recognizer.head(recognizer.features(wav))[0, 4].backward()
    assert wav.grad is not None
    assert torch.isfinite(wav.grad).all()
    assert wav.grad.abs().sum() > 0
    silent = torch.zeros(1, 4000, requires_grad=True)
    recognizer.read(silent).vad.sum().backward()
    assert silent.grad is not None
    assert torch.isfinite(silent.grad).all()


def test_what_is_no_voice_is_not_judged(recognizer: SpeechRecognizer) -> None:
    times = np.arange(2 * RATE_HZ) / RATE_HZ
    sounds = {
        "silence": np.zeros(len(times)),
        "dither": 3e-5 * rng.standard_normal(len(times)),
        "white noise": 0.1 * rng.standard_normal(len(times)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * times),
        "beep": 0.1 * np.sin(2 * np.pi * 1000 * times),
        "chord": sum(0.05 * np.sin(2 * np.pi * f * times) for f in (262, 330, 392)),
        "constant": np.full(len(times), 0.5),
    }
    for name, sound in sounds.items():
        reading = recognizer.read(torch.from_numpy(sound.astype(np.float32))[None])
        assert reading.confidence.item() < 0.05, name
        assert reading.native.max().item() < 0.25, name


@pytest.mark.parametrize("num_samples", [1, 100, 319, 1600])
def test_very_short_sound_is_read_without_confidence(
    recognizer: SpeechRecognizer, num_samples: int
) -> None:
    sound = torch.from_numpy(voice()[4000 : 4000 + num_samples])[None]
    reading = recognizer.read(sound)
    assert torch.isfinite(reading.logits).all()
    assert reading.confidence.item() < 0.05


def test_bad_sound_is_refused(recognizer: SpeechRecognizer) -> None:
    for wrong in (torch.zeros(0), torch.zeros(1, 0), torch.zeros(2, 3, 4), torch.ones(1, 9).int()):
        with pytest.raises(BadInput):
            recognizer.read(wrong)
    with pytest.raises(BadInput, match="NaN"):
        recognizer.read(torch.full((1, 1600), torch.nan))
    with pytest.raises(BadInput, match="too long"):
        recognizer.read(torch.zeros(1, 31 * RATE_HZ))
    with pytest.raises(BadInput, match="mask"):
        recognizer.read(torch.zeros(1, 1600), torch.ones(1, 1599, dtype=torch.bool))


def test_states_made_another_way_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="context"):
        HeadConfig(context="30 s")
    (tmp_path / "model.bin").write_bytes(b"not a container")
    with pytest.raises(WeightsError):
        read_container(tmp_path / "model.bin")


@pytest.mark.slow
def test_encoder_is_whispers(recognizer: SpeechRecognizer) -> None:
    """Against transformers on a full 30 s window."""
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Reference

    ours = recognizer.encoder
    sound = np.pad(np.tile(voice(1.0), 29), (0, RATE_HZ // 2))[: int(29.5 * RATE_HZ)]
    mel = WhisperFeatureExtractor()(
        np.pad(sound, (0, 30 * RATE_HZ - len(sound))), sampling_rate=RATE_HZ, return_tensors="pt"
    ).input_features
    config = WhisperConfig(
        d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536
    )
    reference = Reference(config).eval()
    reference.load_state_dict(_transformers_names(ours.state_dict()), strict=True)
    with torch.no_grad():
        wanted = reference(mel, output_hidden_states=True).hidden_states
        got = ours(torch.from_numpy(sound)[None], torch.tensor([len(sound)]))
    assert got.shape == (1, NUM_STATES, 1475, 384)
    for number, state in enumerate(wanted):
        assert torch.allclose(got[:, number], state[:, :1475], atol=5e-3), number


def _transformers_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = {
        "attention_norm": "self_attn_layer_norm",
        ".norm.": ".final_layer_norm.",
        "widen": "fc1",
        "narrow": "fc2",
        ".out.": ".self_attn.out_proj.",
        "positions": "embed_positions.weight",
    }
    named = {}
    for name, values in tensors.items():
        for ours, theirs in parts.items():
            name = name.replace(ours, theirs)
        name = f"layer_{name}" if name.startswith("norm") else name
        if "query_key_value" not in name:
            named[name] = values
            continue
        for letter, share in zip("qkv", values.chunk(3), strict=True):
            if (letter, name[-4:]) != ("k", "bias"):
                named[name.replace("query_key_value", f"self_attn.{letter}_proj")] = share
    return named


def test_pooling_heeds_the_real_frames_only() -> None:
    states = torch.randn(1, NUM_STATES, 7, 384, generator=torch.Generator().manual_seed(0))
    pooled = pool(states, torch.tensor([5]))
    assert pooled.shape == (1, NUM_FEATURES)
    mean, spread = pooled.reshape(2, NUM_STATES, 384)
    assert torch.allclose(mean, states[0, :, :5].mean(dim=1), atol=1e-5)
    assert torch.allclose(spread, states[0, :, :5].std(dim=1, correction=0), atol=1e-3)
    assert frames_of(torch.tensor([1, 320, 321])).tolist() == [1, 1, 2]


def test_boredom_is_shared_out() -> None:
    head = EmotionHead(HeadConfig())
    logits = torch.full((1, len(WORDS)), -20.0)
    logits[0, -1] = 20.0
    eight = head.to_eight(logits)[0]
    assert sum(BOREDOM.values()) == pytest.approx(1.0)
    assert eight.sum().item() == pytest.approx(1.0)
    assert eight[WORDS.index("calm")].item() == pytest.approx(1 / 3, abs=1e-4)


def test_track_of_any_length(recognizer: SpeechRecognizer) -> None:
    sound = np.concatenate([voice(4.0), np.zeros(5 * RATE_HZ, np.float32), voice(2.5)])
    track = recognize_speech(sound, window_s=2.0, recognizer=recognizer)
    assert track.kind == "expressed"
    assert track.probs.shape == (len(track.times), len(LABELS))
    assert track.times[0] == pytest.approx(1.0)
    assert track.times[-1] < 11.5
    quiet = track.confidence[(track.times > 5.0) & (track.times < 8.0)]
    assert quiet.max() < 0.01
    blocks = [np.stack([part, part]) for part in np.array_split(sound, 37)]  # stereo, odd sizes
    streamed = recognize_speech(iter(blocks), window_s=2.0, recognizer=recognizer)
    assert np.allclose(streamed.times, track.times)
    assert np.allclose(streamed.probs, track.probs, atol=0.02)


def test_track_of_little_or_nothing(recognizer: SpeechRecognizer) -> None:
    track = recognize_speech(voice()[:1600], recognizer=recognizer)
    assert len(track.times) == 1
    assert track.confidence[0] < 0.05
    assert not track.evidence
    assert recognize_speech(np.zeros(10, np.float32), recognizer=recognizer).confidence[0] < 0.01
    with pytest.raises(BadInput, match="0 samples"):
        recognize_speech(np.zeros(0, np.float32), recognizer=recognizer)
    with pytest.raises(BadInput, match="finite"):
        recognize_speech(np.full(1600, np.inf, np.float32), recognizer=recognizer)
    for window_s, hop_s in ((40.0, 1.0), (1.0, 2.0), (1.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(BadInput, match="window"):
            recognize_speech(voice(), window_s=window_s, hop_s=hop_s, recognizer=recognizer)


def test_windows_keep_little_in_memory() -> None:
    def hours() -> Iterator[np.ndarray]:
        for _ in range(600):
            yield np.zeros((1, 10 * RATE_HZ), np.float32)

    count = 0
    for count, (_, sound) in enumerate(windows(hours(), 3.0, 1.0), start=1):  # noqa: B007
        assert sound.base is None or sound.base.nbytes < 4e6
    assert count == 5998
    edges = np.concatenate([np.zeros(5000), np.ones(3200), np.zeros(5000)]).astype(np.float32)
    assert 3200 <= len(without_quiet_edges(edges)) <= 3200 + 640


def test_baseline_needs_clips_and_changes_the_judgement(recognizer: SpeechRecognizer) -> None:
    clips = [voice(0.7, pitch_hz=hz) for hz in (120.0, 150.0, 180.0)]
    with pytest.raises(ValueError, match="enrolment"):
        SpeakerBaseline.enrolled(recognizer, clips[:2])
    baseline = SpeakerBaseline.enrolled(recognizer, clips)
    assert baseline.count == 3
    assert not baseline.running
    wav = torch.from_numpy(voice(0.8))[None]
    features = recognizer.features(wav)
    plain, relative = recognizer.head(features), recognizer.head(features, baseline.mean)
    assert not torch.allclose(plain, relative, atol=0.05)
    assert recognizer.read(wav, speaker=baseline).logits.shape == (1, 8)
    running = SpeakerBaseline.running_for(recognizer)
    running.add(recognizer.features(wav))
    assert running.count == 1
    assert running.mean.shape == recognizer.head.get_buffer("center").shape


def test_golden_numbers(recognizer: SpeechRecognizer) -> None:
    words = recognizer.head(recognizer.features(torch.from_numpy(voice())[None]))[0]
    assert np.allclose(words.numpy(), GOLDEN, atol=0.05), words


def test_half_precision_only_where_the_processor_has_it(monkeypatch):
    from affetto.recognizers.speech import recognizer as module

    wav = soundfile.read(SAMPLES / "mona_lisa_speaks.flac", dtype="float32")[0][:48_000]
    judge, found = load_speech(), []
    for fast in (False, True):
        monkeypatch.setattr(module, "bfloat16_is_fast", lambda fast=fast: fast)
        found.append(recognize_speech(wav, recognizer=judge))
    np.testing.assert_allclose(found[0].probs, found[1].probs, atol=0.05)
    assert not np.array_equal(found[0].probs, found[1].probs)
