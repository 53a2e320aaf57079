"""The emotion that notes express: `MusicRecognizer`, from window features, and its track over time.

Two sets are shipped, each trained on one half of VGMIDI's games: `music_emotion` for losses and
steering, `music_emotion_judge` to judge and for nothing else. Letters: B windows, F features.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.space import embed, probs_from_vad
from affetto.errors import BadInput
from affetto.recognizers.music.features import FEATURES, Array, note_rows, window_features
from affetto.soundtrack import Note
from affetto.weights import Weights, fill, load_weights

WINDOW_S = 12.0  # about the length of VGMIDI's labelled phrases
MAX_LENGTH_S = 7200.0


@dataclass(frozen=True)
class MusicConfig:
    """Which of `FEATURES` are read, in this order."""

    features: Sequence[str] = FEATURES

    def __post_init__(self) -> None:
        """Refuse features that do not exist."""
        unknown = set(self.features) - set(FEATURES)
        if unknown or not self.features:
            raise ValueError(f"features {sorted(unknown)}: there are {', '.join(FEATURES)}")


class MusicRecognizer(nn.Module):
    """Logistic regression on window features for the signs of valence and arousal.

    Attributes:
        fingerprint: sha256 of the weights, "" when untrained.
        trained_on: names of the data (parts) seen in training.
    """

    def __init__(self, config: MusicConfig) -> None:
        super().__init__()
        self.fingerprint = ""
        self.trained_on: tuple[str, ...] = ()
        width = len(config.features)
        columns = torch.tensor([FEATURES.index(name) for name in config.features])
        self.register_buffer("columns", columns, persistent=False)
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("temperature", torch.ones(2))
        self.linear = nn.Linear(width, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities (B, 2) that valence and arousal are positive, of features (B, F)."""
        read = features.float()[:, self.get_buffer("columns")]
        scaled = (read - self.get_buffer("center")) / self.get_buffer("scale")
        logits: Tensor = self.linear(scaled.clamp(-4.0, 4.0)) / self.get_buffer("temperature")
        return logits.sigmoid()

    @torch.no_grad()
    def judge(self, notes: Iterable[Note]) -> tuple[float, float]:
        """Valence and arousal in [-1, 1] of a whole phrase; both 0 without notes."""
        rows = note_rows(notes)
        if not len(rows):
            return 0.0, 0.0
        features = window_features(rows, start_s=rows[0, 0], end_s=rows[:, 1].max())
        valence, arousal = (2.0 * self(torch.from_numpy(features)[None])[0] - 1.0).tolist()
        return valence, arousal


def load_music_recognizer(source: str | Path = "music_emotion") -> MusicRecognizer:
    """The recognizer with weights, in eval mode; `source` as in `affetto.weights.load_weights`.

    Raises:
        WeightsError: no such weights, or they do not fit.
    """
    weights: Weights = load_weights(source)
    recognizer = MusicRecognizer(MusicConfig(**weights.config))
    fill(recognizer, weights)
    recognizer.fingerprint, recognizer.trained_on = weights.sha256, weights.trained_on
    return recognizer.eval().requires_grad_(False)


@torch.no_grad()
def recognize_music(
    notes: Iterable[Note], *, recognizer: MusicRecognizer, duration_s: float
) -> EmotionTrack:
    """The emotion that music expresses, second by second, each from the 12 s around it.

    Args:
        notes: pitched ones, see `features.pitched_notes`.
        recognizer: which net judges.
        duration_s: of the piece; the track has a step at each half second past a whole one.

    Returns:
        A track whose valence and arousal are 2p - 1 of the sign's probability and whose variance
        is that of the sign, halved; dominance is unknown. Confidence is the share of the window
        in which notes sound, times the larger of the two |2p - 1|.

    Raises:
        BadInput: no length, or more than two hours.
    """
    if not 0.0 < duration_s <= MAX_LENGTH_S:
        raise BadInput(f"music of {duration_s} s: more than 0 and at most {MAX_LENGTH_S:.0f} s")
    rows = note_rows(notes)
    times_s = np.arange(max(1, int(duration_s))) + 0.5
    features = np.stack([_around(rows, time_s, duration_s) for time_s in times_s])
    heard: NDArray[np.bool_] = np.abs(features).sum(axis=1, keepdims=True) > 0.0
    sign = np.where(heard, 2.0 * recognizer(torch.from_numpy(features)).numpy() - 1.0, 0.0)
    unknown = np.zeros((len(times_s), 1))
    vad = np.concatenate([sign, unknown], axis=1)
    vad_var = np.concatenate([(1.0 - sign**2) / 2.0, unknown + 0.5], axis=1)
    probs = probs_from_vad(vad, vad_var)
    mean, log_var = embed(vad, probs, vad_var)
    sounding = heard[:, 0] * (1.0 - features[:, FEATURES.index("silence")])
    return EmotionTrack(
        times=times_s.astype(np.float32),
        mean=mean,
        log_var=log_var,
        vad=vad.astype(np.float32),
        vad_var=vad_var.astype(np.float32),
        probs=probs,
        confidence=(np.abs(sign).max(axis=1) * sounding).clip(0.0, 1.0).astype(np.float32),
        kind="expressed",
    )


def _around(rows: Array, time_s: float, duration_s: float) -> Array:
    """Features of the window centred on a time, kept inside the piece."""
    start_s = min(max(0.0, time_s - WINDOW_S / 2), max(0.0, duration_s - WINDOW_S))
    return window_features(rows, start_s=start_s, end_s=min(duration_s, start_s + WINDOW_S))
