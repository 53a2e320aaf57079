"""HiCMAE on pixels and sound: Kaldi's filter banks, a checkpoint's words, a film in one line."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch

from affetto.clip import Clip
from affetto.errors import BadInput, WeightsError
from affetto.media_write import write_clip
from affetto.recognizers.audiovisual import hicmae
from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.audiovisual.fbank import hicmae_mel, kaldi_fbank
from affetto.recognizers.audiovisual.hicmae import HicmaeRecognizer, load_hicmae
from affetto.recognizers.audiovisual.published import STARTS
from affetto.recognizers.audiovisual.timeline import recognize

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SPEECH = Path(__file__).parent.parent / "samples" / "mona_lisa_speaks.flac"
LITTLE = HicmaeConfig(width=64, decoder_width=64, depth=1, fusion_depth=1, skip_layers=(0,))
# Every 16th of 128 bands, frames 0 and 3 of the tone below, by kaldi-native-fbank 1.22.4.
BY_KALDI = (
    (-6.5151, -6.5931, -0.2942, 2.8484, 1.4859, -12.2592, -15.9424, -15.9424),
    (-6.4795, -15.9424, -15.9424, -15.9424, -14.293, -0.3482, 5.1697, -14.442),
)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(hicmae, "SIZES", {"tiny": LITTLE})
    torch.manual_seed(0)
    return HicmaeRecognizer(size="tiny").requires_grad_(False).eval()


def test_filter_banks_are_kaldis():
    t = np.arange(1200) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * (200 * t + 40_000 * t**2))
    wav = (tone + 0.05 * np.sin(2 * np.pi * 90 * t + 1) + 0.02).astype(np.float32)
    bands = kaldi_fbank(torch.from_numpy(wav)[None])[0]
    assert bands.shape == (6, 128)
    np.testing.assert_allclose(bands[[0, 3], ::16], BY_KALDI, atol=2e-3)


def test_the_mel_picture_has_the_clips_length_whatever_the_sounds():
    short, long = (hicmae_mel(torch.randn(2, n)) for n in (16_000, 60_000))
    assert short.shape == long.shape == (2, 1, 256, 128)
    assert torch.equal(short[:, :, 98:], torch.full_like(short[:, :, 98:], 4.2677393 / 9.1379948))
    with pytest.raises(ValueError, match="400"):
        kaldi_fbank(torch.zeros(1, 399))


def test_gradients_reach_pixels_and_samples(small):
    frames = torch.rand(1, 16, 160, 160, 3, requires_grad=True)
    wav = (0.1 * torch.randn(1, 40_960)).requires_grad_()
    reading = small.read(frames, wav=wav)
    assert small.labels == ("anger", "disgust", "fear", "happy", "neutral", "sad")
    torch.testing.assert_close(reading.native.sum(dim=1), torch.ones(1))
    reading.logits[0, 0].backward()
    assert frames.grad.abs().sum() > 0
    assert wav.grad.abs().sum() > 0
    with pytest.raises(BadInput, match="16, 160, 160, 3"):
        small.read(frames[:, :8], wav=wav)


def checkpoint(path, network):
    """Our parameters under published names, as a .pth."""
    theirs = {}
    for name, value in network.state_dict().items():
        published = next(a for a, b in STARTS.items() if name.startswith(b))
        theirs[published + name.removeprefix(STARTS[published])] = value
    torch.save({"model": theirs}, path)


def test_a_checkpoint_is_loaded_whole_or_refused(small, tmp_path):
    checkpoint(tmp_path / "best.pth", small.network)
    again = load_hicmae(tmp_path / "best.pth", size="tiny")
    frames, wav = torch.rand(1, 16, 160, 160, 3), 0.1 * torch.randn(1, 40_960)
    assert torch.equal(again.read(frames, wav=wav).logits, small.read(frames, wav=wav).logits)
    assert len(again.fingerprint) == 64
    with pytest.raises(WeightsError, match="head"):
        load_hicmae(tmp_path / "best.pth", size="tiny", taxonomy="ekman7")


def test_a_film_in_one_line(small, tmp_path):
    face = cv2.cvtColor(cv2.imread(str(ASTRONAUT)), cv2.COLOR_BGR2RGB)
    shown = np.full((240, 320, 3), 90, np.uint8)
    shown[40:200, 80:240] = cv2.resize(face, (160, 160))
    wav = soundfile.read(SPEECH, dtype="float32")[0][: 3 * 16_000]
    path = tmp_path / "face.mp4"
    write_clip(iter([shown] * 30), Fraction(10), path, wav=wav[None], sample_rate=16_000)
    track = recognize(Clip.open(path), recognizer=small)
    assert len(track.times) == 2
    assert (track.confidence > 0).all()
    known = np.asarray(small.known)
    assert (track.probs[:, ~known] == 0).all()
    silent = tmp_path / "silent.mp4"
    write_clip(iter([shown] * 30), Fraction(10), silent, wav=0 * wav[None], sample_rate=16_000)
    assert recognize(Clip.open(silent), recognizer=small) is None
