"""A voice to emotion: waveform -> Whisper states -> pooled -> nine words -> Reading; over time."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.emotion import LABELS, EmotionTrack, Evidence
from affetto.emotion_bank.bank import embed
from affetto.errors import BadInput
from affetto.recognizers.processor import bfloat16_is_fast
from affetto.recognizers.reading import Reading, Recognizer
from affetto.recognizers.speech.baseline import ENOUGH_PRESENCE, SpeakerBaseline
from affetto.recognizers.speech.head import EmotionHead, HeadConfig
from affetto.recognizers.speech.pooling import pool
from affetto.recognizers.speech.presence import PresenceHead
from affetto.recognizers.speech.whisper import (
    MAX_S,
    WhisperEncoder,
    frames_of,
    load_whisper,
)
from affetto.recognizers.speech.windows import Sound, batches, windows
from affetto.weights import fill, load_weights

SILENT_RMS = 2e-5  # full scale 1; softer sound is not brought up any further
_LEAST_PROBABILITY = 1e-7
STANDS_OUT = 0.35  # confidence from which a stretch is evidence
SHORTEST_WINDOW_S = 0.05


class SpeechRecognizer(Recognizer):
    """The emotion that a voice expresses, in RAVDESS's eight words.

    Attributes:
        encoder: Whisper tiny.en's, frozen and no part of the weights.
        head: pooled states to words.
        presence: is there one clear voice.
    """

    modality = "voice"
    taxonomy = "ravdess8"

    def __init__(self, config: HeadConfig, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.config = config
        self.head = EmotionHead(config)
        self.presence = PresenceHead()
        # Kept out of the registered modules: the state dict holds what we trained, nothing else.
        self.__dict__["encoder"] = encoder

    def read(
        self, inputs: Tensor, mask: Tensor | None = None, *, speaker: SpeakerBaseline | None = None
    ) -> Reading:
        """Judge clips of 16 kHz sound; gradients flow to the waveform.

        Where no clear voice is heard the probabilities go towards all words alike and the
        confidence to 0. Level does not matter: each clip is brought to one level first.

        Args:
            inputs: (B, S) float32, full scale 1, up to 29.5 s.
            mask: (B, S) bool, True for sound, which comes first in its row; None: all is sound.
            speaker: whose voice it is; see `SpeakerBaseline`.

        Raises:
            BadInput: not (B, S) with S >= 1, not finite, or longer than 29.5 s.
        """
        wav, lengths = _checked(inputs, mask)
        level = sound_level(wav, lengths)
        features = self._features(wav, lengths, level)
        return self.judge(features, level, lengths, speaker=speaker)

    def judge(
        self,
        features: Tensor,
        level: Tensor,
        lengths: Tensor,
        *,
        speaker: SpeakerBaseline | None = None,
    ) -> Reading:
        """The Reading of pooled features (B, F), RMS level (B,) and samples (B,)."""
        words = self.head(features, None if speaker is None else speaker.mean)  # (B, 9)
        return self.judged(words, self.presence(features, level, lengths))

    def judged(self, words: Tensor, presence: Tensor) -> Reading:
        """The Reading of log probabilities of the nine words (B, 9) and presence (B,)."""
        eight = self.head.to_eight(words)
        known = presence[:, None] * eight + (1.0 - presence[:, None]) / eight.shape[1]
        return self.reading(known.clamp(min=_LEAST_PROBABILITY).log(), presence)

    def features(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Pooled states (B, F) of clips as in `read`; they tell who speaks, so keep them inside."""
        wav, lengths = _checked(inputs, mask)
        return self._features(wav, lengths, sound_level(wav, lengths))

    def states(self, inputs: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frame states (B, 5, T, 384) of clips as in `read`, and how many frames are real (B,)."""
        wav, lengths = _checked(inputs, mask)
        return self._states(wav, lengths, sound_level(wav, lengths))

    def _features(self, wav: Tensor, lengths: Tensor, level: Tensor) -> Tensor:
        return pool(*self._states(wav, lengths, level))

    def _states(self, wav: Tensor, lengths: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        encoder: WhisperEncoder = self.__dict__["encoder"]
        gain = self.config.level / level.clamp(min=SILENT_RMS)  # (B,)
        return encoder(wav * gain[:, None], lengths), frames_of(lengths)


def load_speech(source: str | Path = "speech") -> SpeechRecognizer:
    """The recognizer with weights from a shipped name, a folder or hub:owner/name, in eval mode.

    Raises:
        WeightsError: no such weights, or they do not fit.
    """
    weights = load_weights(source)
    recognizer = SpeechRecognizer(HeadConfig(**weights.config), load_whisper())
    fill(recognizer, weights)
    recognizer.stamp(weights)
    return recognizer.requires_grad_(False).eval()


def recognize_speech(
    wav: Sound | Iterable[Sound],
    *,
    window_s: float = 3.0,
    hop_s: float = 1.0,
    recognizer: SpeechRecognizer | None = None,
    speaker: SpeakerBaseline | None = None,
) -> EmotionTrack:
    """The emotion that a voice expresses, window by window.

    A window's soft edges are cut off first, so that pauses do not count. Where there is no clear
    voice, the confidence is near 0 and the probabilities are those of all eight words alike.

    Args:
        wav: (S,) at 16 kHz, or blocks (S,) or (C, S) of it as `affetto.media_sound` gives them.
        window_s: length of a window, up to 29.5; voices were learned in clips of 1 to 4 s.
        hop_s: from one window to the next.
        recognizer: by default the shipped one, loaded anew.
        speaker: the one speaker's baseline; a running one goes on learning here.

    Returns:
        kind "expressed"; one step a window, at its middle. Evidence names the stretches that stand
        out and how the voice sounds there.

    Raises:
        BadInput: no sample at all, NaN, or window and hop that cannot be.
    """
    if not (SHORTEST_WINDOW_S <= window_s <= MAX_S and 0 < hop_s <= window_s):
        raise BadInput(
            f"a window is {SHORTEST_WINDOW_S:g} to {MAX_S:g} s and a hop at most a window, "
            f"got {window_s:g} and {hop_s:g}"
        )
    judge = recognizer or load_speech()
    times: list[float] = []
    rows: list[NDArray[np.float32]] = []
    for middles, sounds in batches(windows(wav, window_s, hop_s)):
        reading = _judge(judge, sounds, speaker)
        times += middles
        rows.append(
            torch.cat(
                [reading.vad, reading.vad_var, reading.probs, reading.confidence[:, None]], dim=1
            ).numpy()
        )
    if not times:
        raise BadInput("there is no sound to judge: 0 samples")
    return _track(np.asarray(times), np.concatenate(rows), hop_s)


def _judge(
    recognizer: SpeechRecognizer, sounds: list[Sound], speaker: SpeakerBaseline | None
) -> Reading:
    wav = torch.zeros(len(sounds), max(map(len, sounds)))
    lengths = torch.tensor([len(sound) for sound in sounds])
    for row, sound in zip(wav, sounds, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    with torch.no_grad():
        mask = torch.arange(wav.shape[1])[None] < lengths[:, None]
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast()):
            features = recognizer.features(wav, mask)
        features, level = features.float(), sound_level(wav, lengths)
        if speaker is not None and speaker.running:
            heard = recognizer.presence(features, level, lengths) > ENOUGH_PRESENCE
            speaker.add(features[heard])
        return recognizer.judge(features, level, lengths, speaker=speaker)


def _track(times: NDArray[np.float64], rows: NDArray[np.float32], hop_s: float) -> EmotionTrack:
    vad, vad_var, probs, confidence = np.split(rows, [3, 6, 6 + len(LABELS)], axis=1)
    mean, log_var = embed(vad, probs, vad_var)
    track = EmotionTrack(
        times=times.astype(np.float32),
        mean=mean,
        log_var=log_var,
        vad=vad,
        vad_var=vad_var,
        probs=probs,
        confidence=confidence[:, 0],
        kind="expressed",
    )
    return replace(track, evidence=_evidence(track, hop_s))


def _evidence(track: EmotionTrack, hop_s: float) -> tuple[Evidence, ...]:
    """Runs of steps with one most probable label, not neutral, judged with some confidence."""
    tops = np.where(track.confidence >= STANDS_OUT, track.probs.argmax(axis=1), -1)
    tops[tops == LABELS.index("neutral")] = -1
    edges = [0, *(np.flatnonzero(np.diff(tops)) + 1).tolist(), len(tops)]
    return tuple(
        Evidence(
            cue=f"the voice sounds {LABELS[int(tops[start])]}",
            start_s=max(0.0, float(track.times[start]) - hop_s / 2),
            end_s=float(track.times[end - 1]) + hop_s / 2,
            weight=min(1.0, float(track.confidence[start:end].mean())),
        )
        for start, end in pairwise(edges)
        if tops[start] >= 0
    )


def config_record(config: HeadConfig) -> dict[str, object]:
    """The config as JSON types, for `save_weights`."""
    return asdict(config)


def _checked(inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sound with zeros after each end, and lengths (B,) >= 1."""
    if inputs.ndim != 2 or not inputs.shape[1] or not inputs.is_floating_point():
        raise BadInput(
            f"a voice is read from (B, S) floating samples at 16 kHz with S >= 1, got "
            f"{tuple(inputs.shape)} {inputs.dtype}"
        )
    if not torch.isfinite(inputs).all():
        raise BadInput("the sound holds NaN or infinite samples")
    if mask is None:
        return inputs, torch.full((len(inputs),), inputs.shape[1], device=inputs.device)
    if mask.shape != inputs.shape:
        raise BadInput(f"mask must be {tuple(inputs.shape)}, got {tuple(mask.shape)}")
    return inputs * mask, mask.sum(dim=1).clamp(min=1)


def sound_level(wav: Tensor, lengths: Tensor) -> Tensor:
    """Root mean square (B,) of each clip."""
    return ((wav**2).sum(dim=1) / lengths + 1e-14).sqrt()
