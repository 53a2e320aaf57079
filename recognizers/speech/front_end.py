"""The student's own front end: waveform to level-normalised log-mel, all in torch.

Only plain operations (strided slices, a matrix product, a logarithm), so that it is differentiable
and exports to ONNX; the Fourier and mel matrices are computed from whole numbers, not stored.
Letters: B items, S samples, T frames, F Fourier bins, M mel bands.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

QUIET_RMS = 1e-4  # full scale 1; below it the gain stays what it is here, so silence stays silent


@dataclass(frozen=True)
class FrontEndConfig:
    """Sizes of the log-mel picture.

    Attributes:
        rate_hz: of the waveform.
        window: samples of the Hann window and of the Fourier transform.
        hop: samples between frames; divides `window` twice.
        num_bands: mel bands M.
        low_hz: lower edge of the first band.
        high_hz: upper edge of the last band, at most half of rate_hz.
        level: root mean square that an utterance is brought to (full scale 1).
        floor: power added to each band before the logarithm.
    """

    rate_hz: int = 16000
    window: int = 400
    hop: int = 160
    num_bands: int = 64
    low_hz: float = 60.0
    high_hz: float = 7600.0
    level: float = 0.05
    floor: float = 1e-4


class LogMel(nn.Module):
    """Waveform (B, S) -> natural log of mel band power (B, M, T), T = S // hop + 1.

    Frame t is centred on sample t * hop; outside the sound there are zeros. The whole utterance is
    brought to one level first (facts: costs nothing within a corpus, decides across corpora), so a
    gain changes nothing unless the sound is nearly silent.
    """

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("sine_cosine", fourier_matrix(config.window), persistent=False)
        self.register_buffer("bands", mel_matrix(config), persistent=False)

    def forward(self, wav: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log-mel of a batch.

        Args:
            wav: (B, S) float at rate_hz, full scale 1.
            mask: (B, S) bool, True where there is sound; all if not given.

        Returns:
            (B, M, T); frames centred outside the mask hold what lies there: nothing but the floor.
        """
        config = self.config
        frames = frame(self.levelled(wav, mask), config.window, config.hop)  # (B, T, window)
        spectrum = frames @ self.get_buffer("sine_cosine")  # (B, T, 2F)
        num_bins = config.window // 2 + 1
        power = spectrum[..., :num_bins] ** 2 + spectrum[..., num_bins:] ** 2  # (B, T, F)
        mel = power @ self.get_buffer("bands")  # (B, T, M)
        return (mel + config.floor).log().transpose(1, 2)

    def levelled(self, wav: Tensor, mask: Tensor | None) -> Tensor:
        """(B, S) without offset, at the wanted level where the mask is True, 0 elsewhere."""
        share = torch.ones_like(wav) if mask is None else mask.to(wav.dtype)
        count = share.sum(dim=1, keepdim=True).clamp(min=1.0)
        centred = (wav - (wav * share).sum(dim=1, keepdim=True) / count) * share
        power = (centred**2).sum(dim=1, keepdim=True) / count  # (B, 1)
        return centred * (self.config.level / (power + QUIET_RMS**2).sqrt())


def frame(wav: Tensor, window: int, hop: int) -> Tensor:
    """Overlapping frames (B, S // hop + 1, window), zeros outside; window / hop need not be whole.

    Blocks of `hop` samples side by side instead of an unfold, which exports badly.
    """
    num_frames = wav.shape[1] // hop + 1
    num_blocks = math.ceil(window / hop)
    before = window // 2
    after = (num_frames - 1 + num_blocks) * hop - before - wav.shape[1]
    padded = functional.pad(wav, (before, after))
    blocks = padded.reshape(wav.shape[0], num_frames - 1 + num_blocks, hop)
    shifted = [blocks[:, k : k + num_frames] for k in range(num_blocks)]
    return torch.cat(shifted, dim=2)[:, :, :window]


def fourier_matrix(window: int) -> Tensor:
    """(window, 2F) Hann window times cosine, then times sine, F = window // 2 + 1."""
    sample = torch.arange(window)
    turns = (sample[:, None] * torch.arange(window // 2 + 1)) % window  # exact in whole numbers
    angle = turns * (2 * math.pi / window)
    hann = torch.sin(sample * (math.pi / window)) ** 2
    return torch.cat([angle.cos(), angle.sin()], dim=1) * hann[:, None]


def mel_matrix(config: FrontEndConfig) -> Tensor:
    """(F, M) triangles of height 1."""
    hertz = torch.arange(config.window // 2 + 1) * (config.rate_hz / config.window)
    edges = mel_edges(config)
    rise = (hertz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hertz[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rise, fall).clamp(min=0.0)


def mel_edges(config: FrontEndConfig) -> Tensor:
    """(M + 2,) hertz, even on O'Shaughnessy's mel scale (2595 log10(1 + f / 700)).

    Band m rises from edge m, is 1 at edge m + 1 and falls to 0 at edge m + 2.
    """
    low, high = (2595 * math.log10(1 + edge / 700) for edge in (config.low_hz, config.high_hz))
    mels = torch.linspace(low, high, config.num_bands + 2)
    return 700 * (10 ** (mels / 2595) - 1)
