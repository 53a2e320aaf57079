"""The tiny speech student: under 80,000 parameters from a waveform to a Reading.

After Wav2Small (arXiv 2408.13920): a fixed transform and mel matrix in front, a few small
convolutions, a softmax over time, weighted statistics, one linear head, taught by a large net. We
differ: 10 ms frames instead of 2 ms (a fifth of the work), strides in both directions, one
weight a frame rather than a channel, mean and deviation rather than the Gram matrix, labels (VAD is
derived from them) and a second output for whether there is one voice to judge at all.
Letters: B items, S samples, T frames, M mel bands, C channels, N labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.recognizers.reading import Reading, Recognizer
from affetto.recognizers.speech.front_end import FrontEndConfig, LogMel
from affetto.weights import fill, load_weights

SHIPPED_STUDENT = "speech_student"
CONTEXT = 9  # frames of 40 ms
AUDIBLE_RMS = 10 ** (-70 / 20)


@dataclass(frozen=True)
class StudentConfig:
    """Sizes of the network.

    Attributes:
        front_end: the log-mel picture.
        channels: after each convolution; the first two halve bands and frames, the third bands.
        width: C of a frame once its bands are gathered.
        num_contexts: residual blocks that look 160 ms both ways once bands are gathered.
        dropout: of the pooled statistics, in training.
    """

    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    channels: tuple[int, int, int, int] = (16, 32, 48, 48)
    width: int = 64
    num_contexts: int = 2
    dropout: float = 0.2


class SpeechStudent(Recognizer):
    """Waveform to eight RAVDESS labels, VAD and confidence; differentiable from the samples on.

    Example:
        >>> reading = SpeechStudent(StudentConfig()).eval().read(torch.zeros(1, 16000))
        >>> reading.native.shape, float(reading.confidence)
        (torch.Size([1, 8]), 0.0)
    """

    modality = "voice"
    taxonomy = "ravdess8"

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        self.config = config
        self.front_end = LogMel(config.front_end)
        first, second, third, fourth = config.channels
        self.register_buffer("mel_mean", torch.zeros(config.front_end.num_bands, 1))
        self.register_buffer("mel_std", torch.ones(config.front_end.num_bands, 1))
        self.stages = nn.ModuleList(
            [
                Stage(1, first, kernel=5, stride=(2, 2)),
                Stage(first, second, stride=(2, 2)),
                Stage(second, third, stride=(2, 1)),
                Stage(third, fourth, stride=(1, 1)),
            ]
        )
        num_rows = config.front_end.num_bands // 8
        self.gather = nn.Sequential(
            nn.Conv1d(fourth * num_rows, config.width, 1, bias=False),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
        )
        self.contexts = nn.ModuleList(Context(config.width) for _ in range(config.num_contexts))
        self.attention = nn.Conv1d(config.width, 1, 1)
        self.dropout = nn.Dropout(config.dropout)
        self.emotion = nn.Linear(2 * config.width, len(self.labels))
        self.presence = nn.Linear(2 * config.width, 1)

    def read(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """Judge a batch of utterances.

        Args:
            inputs: wav (B, S) at 16 kHz, full scale 1, any level; shorter ones filled up behind.
            mask: (B, S) bool, True where there is sound; all if not given.
        """
        pooled = self.pool(self.front_end(inputs, mask), self.frame_mask(mask))
        presence = self.presence(pooled)[:, 0].sigmoid()
        return self.reading(self.emotion(pooled), presence * loudness_gate(inputs, mask))

    def forward(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N) logits and (B,) presence logits of unmasked sound: what the ONNX file holds."""
        pooled = self.pool(self.front_end(wav), None)
        return self.emotion(pooled), self.presence(pooled)[:, 0]

    def frame_mask(self, mask: Tensor | None) -> Tensor | None:
        """(B, S) of samples -> (B, T) of frames, as many as each utterance has on its own."""
        if mask is None:
            return None
        num_frames = mask.sum(dim=1) // self.config.front_end.hop + 1  # (B,)
        steps = torch.arange(mask.shape[1] // self.config.front_end.hop + 1, device=mask.device)
        return steps < num_frames[:, None]

    def framed(self, mel: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Log-mel (B, M, T) and its frames (B, T) bool -> (B, C, T / 4) and their mask."""
        hidden = ((mel - self.get_buffer("mel_mean")) / self.get_buffer("mel_std"))[:, None]
        hidden = kept(hidden, mask)  # (B, 1, M, T)
        for stage in self.stages:
            before = hidden
            hidden = stage(before)  # (B, C, rows, T / stride)
            if hidden.shape == before.shape:
                hidden = hidden + before
            mask = None if mask is None else mask[:, :: stage.stride]
            hidden = kept(hidden, mask)
        frames = self.gather(rearrange(hidden, "b c rows t -> b (c rows) t"))
        for context in self.contexts:
            if mask is not None:
                frames = frames * mask[:, None].to(frames.dtype)
            frames = (frames + context(frames)).relu()
        return frames, mask

    def statistics(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Frames (B, C, T) and their mask (B, T) -> weighted mean and deviation (B, 2C)."""
        scores = self.attention(frames)  # (B, 1, T)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        weights = scores.softmax(dim=2)
        mean = (weights * frames).sum(dim=2)  # (B, C)
        scatter = (weights * (frames - mean[:, :, None]) ** 2).sum(dim=2)
        return torch.cat([mean, (scatter + 1e-4).sqrt()], dim=1)

    def pool(self, mel: Tensor, mask: Tensor | None) -> Tensor:
        """Log-mel (B, M, T) and its frames (B, T) bool -> statistics over time (B, 2C)."""
        return self.statistics(*self.framed(mel, mask))


class Stage(nn.Sequential):
    """Convolution, batch normalisation, ReLU; `stride` is that in time."""

    def __init__(
        self, num_inputs: int, num_outputs: int, *, kernel: int = 3, stride: tuple[int, int]
    ) -> None:
        super().__init__(
            nn.Conv2d(
                num_inputs, num_outputs, kernel, stride=stride, padding=kernel // 2, bias=False
            ),
            nn.BatchNorm2d(num_outputs),
            nn.ReLU(),
        )
        self.stride = stride[1]


class Context(nn.Sequential):
    """Each channel along time, then all channels of a frame: what is added to frames (B, C, T)."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.Conv1d(width, width, CONTEXT, padding=CONTEXT // 2, groups=width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 1, bias=False),
            nn.BatchNorm1d(width),
        )


def kept(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """(B, C, rows, T) with zeros outside the mask (B, T), as if nothing followed the sound."""
    return hidden if mask is None else hidden * mask[:, None, None].to(hidden.dtype)


def loudness_gate(wav: Tensor, mask: Tensor | None) -> Tensor:
    """(B,) in [0, 1]: 0 for digital silence, half at -70 dB of full scale, 1 when loud enough."""
    share = torch.ones_like(wav) if mask is None else mask.to(wav.dtype)
    power = (wav**2 * share).sum(dim=1) / share.sum(dim=1).clamp(min=1.0)
    return power / (power + AUDIBLE_RMS**2)


def load_student(source: str | Path = SHIPPED_STUDENT) -> SpeechStudent:
    """The student with weights, in eval mode, from a shipped name, folder or hub: address."""
    weights = load_weights(source)
    student = SpeechStudent(student_config(weights.config["student"]))
    fill(student, weights)
    student.stamp(weights)
    return student.float().eval()


def student_config(values: Mapping[str, Any]) -> StudentConfig:
    """A StudentConfig from its JSON form."""
    return StudentConfig(
        **{
            **values,
            "front_end": FrontEndConfig(**values["front_end"]),
            "channels": tuple(values["channels"]),
        }
    )
