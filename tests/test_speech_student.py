"""The tiny student: front end, masks, gradients, 8-bit export, lessons, training, weights."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.config import load_config
from affetto.recognizers.speech.front_end import FrontEndConfig, LogMel
from affetto.recognizers.speech.onnx_export import MAX_BYTES, ONNX_FILE, OnnxStudent, export_onnx
from affetto.recognizers.speech.student import (
    SHIPPED_STUDENT,
    SpeechStudent,
    StudentConfig,
    load_student,
)
from affetto.train.augment_log_mel import LogMelVariation, vary_log_mel
from affetto.train.speech_student import StudentRecipe, fit, save_student
from affetto.train.student_lessons import Lessons, frame_axes, teacher_probabilities
from affetto.weights import SHIPPED_FOLDER, file_sha256, load_weights

CONFIGS = Path(__file__).resolve().parents[1] / "train" / "configs"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TINY = StudentConfig(channels=(4, 4, 8, 8), width=8)
MOST_PARAMETERS = 80_000


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def made_net(config=TINY):
    """A net in which every tensor matters, statistics too."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = SpeechStudent(config)
        net.mel_mean.fill_(-4.0)
        net.mel_std.fill_(3.0)
        for module in net.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
        with torch.no_grad():
            net.read(torch.stack([voice(8000, seed=seed) for seed in range(4)]))
            net.emotion.weight.mul_(10.0)
    return net.eval()


@pytest.fixture(scope="module")
def net():
    return made_net()


@pytest.fixture(scope="module")
def shipped():
    return load_student()


def voice(num_samples, seed=0):
    """Something with harmonics and syllables (S,)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(num_samples) / 16000
    pitch = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 1.5 * time_s + seed)) / 16000
    sound = sum(np.sin(k * pitch) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3 * time_s + seed), 0, None)
    quiet = 0.01 * rng.standard_normal(num_samples)
    return torch.from_numpy((0.05 * sound * syllables + quiet).astype(np.float32))


def test_the_front_end_is_the_usual_log_mel_at_one_level():
    config = FrontEndConfig()
    front_end = LogMel(config)
    wav = voice(8000)
    levelled = (wav - wav.mean()) * config.level / (wav - wav.mean()).square().mean().sqrt()
    power = torch.stft(
        levelled, config.window, config.hop, window=torch.hann_window(config.window),
        pad_mode="constant", return_complex=True,
    ).abs() ** 2  # fmt: skip
    wanted = (front_end.bands.T @ power + config.floor).log()
    assert torch.allclose(front_end(wav[None])[0], wanted, atol=2e-3)
    assert torch.allclose(front_end(10 * wav[None]), front_end(wav[None]), atol=1e-3)


def test_a_reading_has_its_shapes_and_ranges(net):
    reading = net.read(torch.stack([voice(16000), voice(16000, seed=1)]))
    assert reading.logits.shape == reading.native.shape == (2, 8)
    assert torch.allclose(reading.probs.sum(dim=1), torch.ones(2))
    assert reading.vad.shape == reading.vad_var.shape == (2, 3)
    assert (reading.vad.abs() <= 1).all()
    assert (reading.vad_var > 0).all()
    assert (reading.confidence >= 0).all()
    assert (reading.confidence <= 1).all()


@pytest.mark.parametrize("lengths", [(16000, 9000, 5001), (8000, 1600, 161), (4000, 400, 1)])
def test_a_batch_says_what_each_clip_says_alone(net, lengths):
    clips = [voice(length, seed=length) for length in lengths]
    wav = torch.full((len(lengths), max(lengths)), 0.3)  # rubbish behind the ends
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    for row, clip in enumerate(clips):
        wav[row, : len(clip)] = clip
    together = net.read(wav, mask)
    for row, clip in enumerate(clips):
        alone = net.read(clip[None])
        assert torch.allclose(together.logits[row], alone.logits[0], atol=1e-4)
        assert torch.allclose(together.confidence[row], alone.confidence[0], atol=1e-4)


def test_neither_place_nor_level_matters(net):
    wav = torch.zeros(64000)  # silence on both sides for longer than a frame sees
    wav[24000:31000] = voice(7000)
    later = wav.roll(4 * 640)
    here, there = net.read(wav[None]), net.read(later[None])
    assert torch.allclose(here.logits, there.logits, atol=1e-3)
    louder = net.read(4 * wav[None])
    assert torch.allclose(here.logits, louder.logits, atol=1e-3)


def test_silence_and_next_to_nothing_are_read_without_confidence(net):
    for wav in (torch.zeros(1, 16000), torch.zeros(1, 1), 1e-6 * voice(1600)[None]):
        reading = net.read(wav)
        assert reading.confidence.item() < 1e-2
        assert torch.isfinite(reading.logits).all()


def test_a_step_on_the_sound_raises_the_wanted_label(net):
    wav = voice(4000)[None].requires_grad_()
    before = net.read(wav).logits.log_softmax(dim=1)[0, 4]
    before.backward()
    assert wav.grad is not None
    assert wav.grad.abs().sum() > 0
    after = net.read((wav + 1e-3 * wav.grad / wav.grad.norm()).detach())
    assert after.logits.log_softmax(dim=1)[0, 4] > before


def test_saved_weights_come_back(tmp_path, net):
    save_student(tmp_path / "student", net)
    again = load_student(tmp_path / "student")
    wav = voice(8000)[None]
    assert torch.allclose(again.read(wav).logits, net.read(wav).logits, atol=0.05)
    assert again.config == net.config
    assert len(again.fingerprint) == 64


@pytest.mark.filterwarnings("ignore")
def test_the_onnx_file_is_small_and_agrees(tmp_path, net):
    pytest.importorskip("onnxscript")
    sounds = [voice(12000, seed=seed).numpy() for seed in range(8)]
    path = tmp_path / ONNX_FILE
    size = export_onnx(net, path, sounds=sounds)
    assert size == path.stat().st_size < MAX_BYTES
    session = OnnxStudent(path)
    for length in (12000, 7001, 300):
        wav = voice(length, seed=3)
        wanted = net.read(wav[None]).logits[0].detach().numpy()
        assert np.abs(session.logits(wav.numpy()) - wanted).max() < 0.1 * np.ptp(wanted) + 0.05


def made_lessons(num_speakers=6, num_each=8, seed=0):
    """Pictures whose loud band tells the label, and pooled states that tell only the speaker."""
    rng = np.random.default_rng(seed)
    num = num_speakers * num_each
    labels = torch.arange(num) % 8
    mel = torch.from_numpy(rng.normal(-4, 1, (num, 2, 64, 60)).astype(np.float16))
    for row, label in enumerate(labels.tolist()):
        mel[row, :, 8 * label : 8 * label + 8] += 6
    speakers = tuple(f"made/{number // num_each:02d}" for number in range(num))
    return Lessons(
        mel=mel,
        lengths=torch.full((num,), 60),
        labels=labels,
        speakers=speakers,
        pooled=torch.from_numpy(rng.normal(size=(num, 40)).astype(np.float32)),
        states=torch.from_numpy(rng.normal(size=(num, 15, 12)).astype(np.float16)),
    )


def test_the_teacher_never_heard_the_speaker_it_judges():
    lessons = made_lessons(num_speakers=10, num_each=4)
    place = torch.tensor([int(name[-2:]) for name in lessons.speakers])
    told = dataclasses.replace(  # a label a speaker: a head that heard the speaker would know it
        lessons,
        labels=place % 8,
        pooled=torch.nn.functional.one_hot(place, 10).float() + 0.01 * lessons.pooled[:, :10],
    )
    right = teacher_probabilities(told).argmax(dim=1) == told.labels
    assert right.float().mean() < 0.5
    probs = teacher_probabilities(lessons)
    assert torch.allclose(probs.sum(dim=1), torch.ones(40), atol=1e-5)


def test_frame_states_are_turned_to_their_axes():
    values, sounding = frame_axes(made_lessons(), num_axes=5)
    assert values.shape == (48, 15, 5)
    assert sounding.all()
    assert values.float().var(dim=(0, 1)).mean() == pytest.approx(1.0, abs=0.1)


def test_no_variation_leaves_pictures_as_they_are():
    still = LogMelVariation(0.0, 0.0, 0.0, 0.0, 0, 0, 0)
    mel = torch.randn(3, 64, 50)
    varied, mask, source = vary_log_mel(
        mel, torch.tensor([50, 40, 20]), still, num_frames=50, fill=torch.zeros(64),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert torch.allclose(varied, mel, atol=1e-4)
    assert mask.sum(dim=1).tolist() == [50, 40, 20]
    assert torch.allclose(source[0], torch.arange(50.0), atol=1e-4)


def tiny_recipe(tmp_path, **changes):
    words = [f"out={tmp_path}", *(f"{name}={value}" for name, value in changes.items())]
    return load_config(StudentRecipe, CONFIGS / "speech_student_tiny.yaml", words)


def test_training_learns_and_a_break_changes_nothing(tmp_path, monkeypatch):
    lessons = made_lessons()
    recipe = tiny_recipe(
        tmp_path / "whole", epochs=8, batch_size=16, num_frames=48, save_every=4, mixup=0.2
    )
    figures = fit(recipe, lessons, lessons)
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in
              (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]  # fmt: skip
    assert losses[-1] < losses[0]
    assert 0 <= figures["test_uar"] <= 1
    broken = dataclasses.replace(recipe, out=str(tmp_path / "broken"))

    def stop(_folder, row, *, cpu_s):
        if row["epoch"] == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("affetto.train.speech_student.log_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(broken, lessons, lessons)
    fit(broken, lessons, lessons)
    whole, again = (load_student(tmp_path / name / "weights") for name in ("whole", "broken"))
    assert whole.fingerprint == again.fingerprint


def test_shipped_weights_are_small_and_say_what_they_said(shipped):
    assert sum(p.numel() for p in shipped.parameters()) <= MOST_PARAMETERS
    reading = shipped.read(voice(32000)[None])
    golden = [0.0137, 0.1080, 0.0063, 0.3530, 0.0166, 0.0560, 0.4125, 0.0340]
    assert np.allclose(reading.native[0].detach().numpy(), golden, atol=0.02)


def test_shipped_onnx_is_the_shipped_net(shipped):
    pytest.importorskip("onnxruntime")
    path = SHIPPED_FOLDER / SHIPPED_STUDENT / ONNX_FILE
    assert path.stat().st_size <= MAX_BYTES
    assert load_weights(SHIPPED_STUDENT).config["onnx_sha256"] == file_sha256(path)
    session = OnnxStudent(path)
    for seed in range(3):
        wav = voice(24000, seed=seed)
        wanted = shipped.read(wav[None]).logits[0].detach().numpy()
        assert np.abs(session.logits(wav.numpy()) - wanted).max() < 0.5


def test_shipped_presence_knows_noise_from_speech(shipped):
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(0.05 * rng.standard_normal((1, 32000)).astype(np.float32))
    time_s = torch.arange(32000) / 16000
    chord = sum(torch.sin(2 * torch.pi * hz * time_s) for hz in (220.0, 277.2, 329.6))[None] * 0.05
    for other in (noise, chord):
        assert shipped.read(other).confidence.item() < 0.15


@pytest.mark.skipif(not (DATA / "ravdess").is_dir(), reason="needs the RAVDESS clips")
def test_shipped_net_reads_real_clips(shipped):
    import soundfile

    wav, _ = soundfile.read(DATA / "ravdess/flac/03-01-05-02-01-01-12.flac", dtype="float32")
    reading = shipped.read(torch.from_numpy(wav)[None])
    assert shipped.labels[int(reading.native.argmax())] == "angry"
    assert reading.confidence.item() > 0.3
