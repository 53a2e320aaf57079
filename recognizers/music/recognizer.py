"""The emotion that notes express: `MusicRecognizer`, window by window, and its track over time.

Two sets are shipped. `music_emotion`, for losses and steering, is linear in cues that a musician
names (`features`). `music_emotion_judge`, to judge and for nothing else, learned from other games,
reads histograms (`histograms`) and compares them with windows that it remembers.

Letters: B windows, F numbers of a window, L remembered windows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.space import embed, probs_from_vad
from affetto.errors import BadInput
from affetto.recognizers.music.features import FEATURES, Array, note_rows, window_features
from affetto.recognizers.music.histograms import HISTOGRAM_SIZE, window_histograms
from affetto.soundtrack import Note
from affetto.weights import Weights, fill, load_weights

WINDOW_S = 12.0  # about the length of VGMIDI's labelled phrases
HOP_S = 6.0
MAX_LENGTH_S = 7200.0
READERS = {
    "cues": (window_features, len(FEATURES)),
    "histograms": (window_histograms, HISTOGRAM_SIZE),
}


@dataclass(frozen=True)
class MusicConfig:
    """Shape of a MusicRecognizer.

    Attributes:
        reads: what it sees of a window.
        num_landmarks: remembered windows that one is compared with; 0 is linear.
    """

    reads: Literal["cues", "histograms"] = "cues"
    num_landmarks: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if self.reads not in READERS or self.num_landmarks < 0:
            raise ValueError(
                f"reads is {' or '.join(READERS)} and num_landmarks >= 0, "
                f"got {self.reads!r}, {self.num_landmarks}"
            )


class MusicRecognizer(nn.Module):
    """Ridge regression of listeners' valence and arousal on a window, linear or with a kernel.

    Attributes:
        fingerprint: sha256 of the weights, "" when untrained.
        trained_on: names of the data (parts) seen in training.
    """

    modality = "music"
    center: Tensor
    scale: Tensor
    landmarks: Tensor
    gamma: Tensor
    slope: Tensor
    offset: Tensor

    def __init__(self, config: MusicConfig) -> None:
        super().__init__()
        self.fingerprint = ""
        self.trained_on: tuple[str, ...] = ()
        self._read, width = READERS[config.reads]
        self.num_landmarks = config.num_landmarks
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("landmarks", torch.zeros(config.num_landmarks, width))
        self.register_buffer("gamma", torch.full((1,), 1.0 / width))
        self.register_buffer("slope", torch.ones(2))
        self.register_buffer("offset", torch.zeros(2))
        self.linear = nn.Linear(config.num_landmarks or width, 2)

    def read(self, rows: Array, *, start_s: float, end_s: float) -> Array:
        """(F,) what it sees of a window of (N, 4) `features.note_rows`; all 0 without a note."""
        return self._read(rows, start_s=start_s, end_s=end_s)

    def described(self, windows: Tensor) -> Tensor:
        """What the regression is linear in: windows (B, F) standardised, or their kernel (B, L)."""
        scaled = ((windows.float() - self.center) / self.scale).clamp(-4.0, 4.0)
        if not self.num_landmarks:
            return scaled
        return torch.exp(-self.gamma * torch.cdist(scaled, self.landmarks).square())

    def scores(self, windows: Tensor) -> Tensor:
        """(B, 2) valence and arousal of windows (B, F) on the scale of VGMIDI's listeners."""
        scores: Tensor = self.linear(self.described(windows))
        return scores

    def signs(self, scores: Tensor) -> Tensor:
        """(..., 2) in [-1, 1] of scores: 2p - 1 of the probability that the sign is positive."""
        return torch.tanh((self.slope * scores + self.offset) / 2.0)

    @torch.no_grad()
    def judge(self, notes: Iterable[Note]) -> tuple[float, float]:
        """Valence and arousal in [-1, 1] of a whole phrase; both 0 without notes."""
        rows = note_rows(notes)
        if not len(rows):
            return 0.0, 0.0
        valence, arousal = self.signs(self.scores(self.windows(rows)).mean(dim=0)).tolist()
        return valence, arousal

    def windows(self, rows: Array) -> Tensor:
        """(B, F) what it sees of a phrase, 12 s every 6 s, those without a note left out."""
        edges = window_edges(rows[0, 0], rows[:, 1].max())
        seen = np.stack([self.read(rows, start_s=a, end_s=b) for a, b in edges])
        return torch.from_numpy(seen[np.abs(seen).sum(axis=1) > 0])


def window_edges(start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Windows of 12 s every 6 s from start to end; one shorter window where there is less."""
    count = 1 + max(0, round((end_s - start_s - WINDOW_S) / HOP_S))
    begins = [start_s + HOP_S * number for number in range(count)]
    return [(begin, min(end_s, begin + WINDOW_S)) for begin in begins]


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
    edges = [_around(time_s, duration_s) for time_s in times_s]
    windows = np.stack([recognizer.read(rows, start_s=a, end_s=b) for a, b in edges])
    heard: NDArray[np.bool_] = np.abs(windows).sum(axis=1, keepdims=True) > 0.0
    judged = recognizer.signs(recognizer.scores(torch.from_numpy(windows))).numpy()
    sign = np.where(heard, judged, 0.0)
    unknown = np.zeros((len(times_s), 1))
    vad = np.concatenate([sign, unknown], axis=1)
    vad_var = np.concatenate([(1.0 - sign**2) / 2.0, unknown + 0.5], axis=1)
    probs = probs_from_vad(vad, vad_var)
    mean, log_var = embed(vad, probs, vad_var)
    sounding = np.array([_sounding_share(rows, a, b) for a, b in edges])
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


def _around(time_s: float, duration_s: float) -> tuple[float, float]:
    """The window centred on a time, kept inside the piece."""
    start_s = min(max(0.0, time_s - WINDOW_S / 2), max(0.0, duration_s - WINDOW_S))
    return start_s, min(duration_s, start_s + WINDOW_S)


def _sounding_share(rows: Array, start_s: float, end_s: float) -> float:
    """Share of a window in which a note sounds."""
    inside = rows[(rows[:, 1] > start_s) & (rows[:, 0] < end_s)]
    reached, total_s = start_s, 0.0
    for begin, stop in np.clip(inside[:, :2], start_s, end_s):  # in order of their beginnings
        total_s += max(0.0, stop - max(begin, reached))
        reached = max(reached, stop)
    return total_s / (end_s - start_s)
