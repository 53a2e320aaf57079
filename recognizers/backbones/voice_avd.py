"""Public nets that rate a voice's arousal, dominance and valence: wav2vec2 and Wav2Small.

Both say arousal, dominance, valence about 0 to 1, in that order; what leaves this file is valence,
arousal, dominance in [-1, 1]. Letters: B clips, S samples, T frames, M mel bands, C channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.space import embed, probs_from_vad
from affetto.errors import BadInput
from affetto.recognizers.backbones.catalogue import backbone, filled, folder_of, read_tensors
from affetto.recognizers.speech.windows import Sound, windows

ORDER = (2, 0, 1)  # of what the nets say: valence, arousal, dominance
ERROR_VAR = 0.09  # of a rating: our choice, not measured
CONFIDENCE = 0.5  # where there is sound: the nets do not say how sure they are
SHORTEST = 400  # samples
QUIET = 10.0 ** (-84.0 / 10.0)  # power re full scale, as for the shipped recognizer
CHANNELS, FFT, HOP, BANDS = 13, 64, 32, 26  # of Wav2Small


@dataclass(frozen=True)
class Ratings:
    """What was said of B clips.

    Attributes:
        vad: (B, 3) valence, arousal, dominance; 0 is the middle of the scale, it may leave [-1, 1].
        features: (B, F) what the last layer read.
    """

    vad: Tensor
    features: Tensor


class VoiceRater(nn.Module, ABC):
    """A net from waveforms to arousal, dominance, valence, with its licence.

    Attributes:
        licence: of the weights in it, "" when untrained.
        commercial: whether they allow commercial use.
    """

    licence = ""
    commercial = True

    def rate(self, wav: Tensor) -> Ratings:
        """Rate clips (B, S) at 16 kHz, any level; gradients flow to them, nothing is written.

        Raises:
            BadInput: not (B, S) with S >= 400.
        """
        if wav.ndim != 2 or wav.shape[1] < SHORTEST:
            raise BadInput(f"voices are (B, S) at 16 kHz, S >= {SHORTEST}; got {tuple(wav.shape)}")
        said, features = self.forward(standardised(wav))
        return Ratings(2.0 * said[:, list(ORDER)] - 1.0, features)

    @abstractmethod
    def forward(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """Arousal, dominance, valence (B, 3) and features (B, F) of standardised clips."""


class Wav2vec2Avd(VoiceRater):
    """wav2vec2 with a regression head ("Dawn", Wagner et al. 2023, arXiv 2203.07378)."""

    def __init__(self, config: Any) -> None:  # noqa: ANN401 - transformers' Wav2Vec2Config
        super().__init__()
        from transformers import Wav2Vec2Model

        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = nn.ModuleDict(
            {
                "dense": nn.Linear(config.hidden_size, config.hidden_size),
                "out_proj": nn.Linear(config.hidden_size, 3),
            }
        )

    def forward(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over time of the last layer's states, then two layers."""
        features = self.wav2vec2(wav).last_hidden_state.mean(dim=1)
        inner = torch.tanh(self.classifier["dense"](features))
        return self.classifier["out_proj"](inner), features


class Wav2Small(VoiceRater):
    """Wav2Small in the layout of its release 2.0 (Kounadis-Bastian et al. 2024, arXiv 2408.13920).

    A fixed Fourier and mel front end of 4 ms windows, seven convolutions, a softmax over time, and
    the pooled picture beside its own products. Differs: the waveform is standardised without being
    written to. How the published net pads the sound's ends is not documented: here it mirrors them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.vgg7 = _Vgg7()
        self.adv = nn.Linear(CHANNELS * (CHANNELS + CHANNELS), 3)

    def forward(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """Of (B, S)."""
        pooled = self.vgg7(wav)  # (B, 13, 13)
        features = torch.cat([pooled, pooled @ pooled.transpose(1, 2)], dim=2).flatten(1)
        return self.adv(features), features


class _Vgg7(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spectrogram_extractor = nn.ModuleDict(
            {
                name: nn.Conv1d(1, FFT // 2 + 1, FFT, HOP, bias=False)
                for name in ("conv_real", "conv_imag")
            }
        )
        self.logmel_extractor = _MelBands()
        for number in range(1, 8):
            setattr(self, f"l{number}", _Layer(1 if number == 1 else CHANNELS))
        self.lin = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.sof = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, wav: Tensor) -> Tensor:
        padded = functional.pad(wav[:, None], (FFT // 2, FFT // 2), mode="reflect")
        parts = [part(padded).square() for part in self.spectrogram_extractor.values()]
        power = (parts[0] + parts[1]).transpose(1, 2)  # (B, T, 33)
        mel = power @ self.logmel_extractor.melW  # (B, T, 26)
        values = 10.0 * mel.clamp(min=1e-10).log10()[:, None]
        for number in range(1, 8):
            values = self.get_submodule(f"l{number}")(values)
            if number == 3:
                values = functional.max_pool2d(values, 3, stride=2, padding=1)
        pooled: Tensor = (self.lin(values) * self.sof(values).softmax(dim=2)).sum(dim=2)
        return pooled


class _MelBands(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.melW = nn.Parameter(torch.zeros(FFT // 2 + 1, BANDS))


class _Layer(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, CHANNELS, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(CHANNELS)

    def forward(self, values: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(values)))


def standardised(wav: Tensor) -> Tensor:
    """(B, S) with mean 0 and deviation 1 over each clip, as both nets learned."""
    centred = wav - wav.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-7).sqrt()


def load_voice_rater(name: str, path: str | Path | None = None) -> VoiceRater:
    """A public net, frozen, in eval mode; look at its `licence`.

    Args:
        name: "wav2vec2-avd" or "wav2small".
        path: a folder with config.json (wav2vec2) and model.safetensors; None: from the hub.

    Raises:
        WeightsError: not to be had, or it does not fit.
    """
    known = backbone(name)
    folder = folder_of(name, path)
    tensors = read_tensors(folder)
    rater: VoiceRater
    if name == "wav2small":
        rater = Wav2Small()
    else:
        from transformers import Wav2Vec2Config

        rater = Wav2vec2Avd(Wav2Vec2Config.from_pretrained(folder))
        tensors = {_renamed(one): value for one, value in tensors.items()}
    filled(rater, tensors, folder)
    rater.licence, rater.commercial = known.licence, known.commercial
    return rater.requires_grad_(False).eval()


def _renamed(name: str) -> str:
    """Older files keep weight norm under other names than torch now does."""
    old = {"conv.weight_g": "conv.parametrizations.weight.original0",
           "conv.weight_v": "conv.parametrizations.weight.original1"}  # fmt: skip
    for one, other in old.items():
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def recognize_voice(
    wav: Sound | Iterable[Sound], *, rater: VoiceRater, window_s: float = 3.0, hop_s: float = 1.0
) -> EmotionTrack:
    """A voice's course as a public net rates it; labels are what lies near its ratings.

    Args:
        wav: (S,) at 16 kHz, or blocks of it as `affetto.media_sound` gives them.
        rater: from `load_voice_rater`.
        window_s: length of a window.
        hop_s: from one window to the next.

    Returns:
        kind "expressed"; one step a window, at its middle. Silence has confidence 0.

    Raises:
        BadInput: no sound.
    """
    times, rows, loud = [], [], []
    for middle_s, sound in windows(wav, window_s, hop_s):
        padded = np.resize(sound, max(len(sound), SHORTEST))
        with torch.inference_mode():
            rows.append(
                rater.rate(torch.from_numpy(padded.astype(np.float32))[None]).vad[0].numpy()
            )
        times.append(middle_s)
        loud.append(float(np.square(sound).mean()) > QUIET)
    if not times:
        raise BadInput("there is no sound to judge: 0 samples")
    vad = np.clip(np.stack(rows), -1.0, 1.0).astype(np.float32)
    vad_var = np.full_like(vad, ERROR_VAR)
    probs = probs_from_vad(vad, vad_var)
    mean, log_var = embed(vad, probs, vad_var)
    return EmotionTrack(
        times=np.asarray(times, np.float32),
        mean=mean,
        log_var=log_var,
        vad=vad,
        vad_var=vad_var,
        probs=probs,
        confidence=np.where(loud, CONFIDENCE, 0.0).astype(np.float32),
        kind="expressed",
    )
