"""HiCMAE's picture of sound: Kaldi's filter banks, in torch, so that gradients reach the waveform.

As `torchaudio.compliance.kaldi.fbank` gives them for the settings of HiCMAE and SSAST (hann window,
128 bands, 10 ms, no energy, no dither). Letters: B clips, S samples, T frames, M = 128 bands.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

RATE_HZ = 16000
WINDOW, HOP, FFT = 400, 160, 512
NUM_BANDS = 128
LOW_HZ = 20.0
PREEMPHASIS = 0.97
LEAST = torch.finfo(torch.float32).eps
MEAN, SPREAD = -4.2677393, 2 * 4.5689974  # of AudioSet; published with the networks


def kaldi_fbank(wav: Tensor) -> Tensor:
    """Natural log of mel energies (B, T, M), T = 1 + (S - 400) // 160, whole windows alone.

    Args:
        wav: (B, S >= 400) at 16 kHz, full scale 1.

    Raises:
        ValueError: shorter than a window.
    """
    if wav.ndim != 2 or wav.shape[1] < WINDOW:
        raise ValueError(f"sound must be (B, S) with S >= {WINDOW}, got {tuple(wav.shape)}")
    frames = wav.unfold(1, WINDOW, HOP)  # (B, T, 400)
    frames = frames - frames.mean(dim=2, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], dim=2)
    frames = (frames - PREEMPHASIS * before) * hann().to(wav)
    power = torch.fft.rfft(frames, n=FFT).abs().square()  # (B, T, 257)
    bands: Tensor = power[..., :-1] @ mel_bands().to(wav)  # (B, T, M)
    return bands.clamp(min=LEAST).log()


def hicmae_mel(wav: Tensor, num_frames: int = 256) -> Tensor:
    """What HiCMAE reads of sound (B, S): (B, 1, num_frames, 128), cut or filled up at its end."""
    bands = kaldi_fbank(wav - wav.mean(dim=1, keepdim=True))[:, :num_frames]
    whole = functional.pad(bands, (0, 0, 0, num_frames - bands.shape[1]))
    return ((whole - MEAN) / SPREAD)[:, None]


def hann() -> Tensor:
    """(400,) symmetric."""
    turns = torch.arange(WINDOW, dtype=torch.float64) * (2 * math.pi / (WINDOW - 1))
    return (0.5 - 0.5 * turns.cos()).float()


def mel_bands() -> Tensor:
    """(256, M) triangles of height 1, even on Kaldi's mel scale, 20 Hz to 8 kHz."""
    hertz = torch.arange(FFT // 2, dtype=torch.float64) * (RATE_HZ / FFT)
    low, high = (1127.0 * math.log1p(edge / 700.0) for edge in (LOW_HZ, RATE_HZ / 2))
    edges = torch.linspace(low, high, NUM_BANDS + 2, dtype=torch.float64)
    mels = 1127.0 * torch.log1p(hertz / 700.0)[:, None]
    rise = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    return torch.minimum(rise, fall).clamp(min=0.0).float()
