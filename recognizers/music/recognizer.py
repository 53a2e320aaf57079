"""The emotion that music expresses: `MusicRecognizer`, window by window, and its track over time.

Three sets are shipped. `music_emotion`, for losses and steering, is linear in cues of notes that a
musician names (`features`). `music_emotion_judge`, to judge and for nothing else, learned from
other games, reads histograms (`histograms`) and compares them with windows that it remembers.
`music_sound`, learned from the judge's games, hears instead of reading notes (`sound`).

Letters: B windows, F numbers of a window, L remembered windows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.space import embed, probs_from_vad
from affetto.errors import BadInput
from affetto.media_sound import Sound
from affetto.recognizers.music.features import FEATURES, Array, note_rows, window_features
from affetto.recognizers.music.histograms import HISTOGRAM_SIZE, window_histograms
from affetto.recognizers.music.sound import (
    SOUND_SIZE,
    heard_share,
    sound_frames,
    sound_span,
    window_sound,
)
from affetto.soundtrack import Note
from affetto.weights import Weights, fill, load_weights

WINDOW_S = 12.0  # about the length of VGMIDI's labelled phrases
HOP_S = 6.0
MAX_LENGTH_S = 7200.0


class Reader(NamedTuple):
    """What a net sees of music.

    Attributes:
        window: (R, C) rows or frames, start_s=, end_s= -> (width,), all 0 where nothing sounds.
        width: F.
        span: from when to when there is music, in seconds.
        sounding: share of the time between two seconds in which something sounds.
    """

    window: Callable[..., Array]
    width: int
    span: Callable[[Array], tuple[float, float]]
    sounding: Callable[[Array, float, float], float]


def _note_span(rows: Array) -> tuple[float, float]:
    return float(rows[0, 0]), float(rows[:, 1].max())


def _sounding_share(rows: Array, start_s: float, end_s: float) -> float:
    """Share of a window in which a note sounds."""
    inside = rows[(rows[:, 1] > start_s) & (rows[:, 0] < end_s)]
    reached, total_s = start_s, 0.0
    for begin, stop in np.clip(inside[:, :2], start_s, end_s):  # in order of their beginnings
        total_s += max(0.0, stop - max(begin, reached))
        reached = max(reached, stop)
    return total_s / (end_s - start_s)


READERS = {
    "cues": Reader(window_features, len(FEATURES), _note_span, _sounding_share),
    "histograms": Reader(window_histograms, HISTOGRAM_SIZE, _note_span, _sounding_share),
    "sound": Reader(window_sound, SOUND_SIZE, sound_span, heard_share),
}


@dataclass(frozen=True)
class MusicConfig:
    """Shape of a MusicRecognizer.

    Attributes:
        reads: what it sees of a window.
        num_landmarks: remembered windows that one is compared with; 0 is linear.
    """

    reads: Literal["cues", "histograms", "sound"] = "cues"
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
        self.reader = READERS[config.reads]
        width = self.reader.width
        self.num_landmarks = config.num_landmarks
        self.register_buffer("center", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("landmarks", torch.zeros(config.num_landmarks, width))
        self.register_buffer("gamma", torch.full((1,), 1.0 / width))
        self.register_buffer("slope", torch.ones(2))
        self.register_buffer("offset", torch.zeros(2))
        self.linear = nn.Linear(config.num_landmarks or width, 2)

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
        return self.judge_seen(rows) if len(rows) else (0.0, 0.0)

    @torch.no_grad()
    def judge_seen(self, seen: Array) -> tuple[float, float]:
        """The same of rows or frames (R, C) that its reader reads; both 0 where nothing sounds."""
        windows = self.windows(seen)
        if not len(windows):
            return 0.0, 0.0
        valence, arousal = self.signs(self.scores(windows).mean(dim=0)).tolist()
        return valence, arousal

    def windows(self, seen: Array) -> Tensor:
        """(B, F) of rows or frames, 12 s every 6 s, those where nothing sounds left out."""
        edges = window_edges(*self.reader.span(seen))
        windows = np.stack([self.reader.window(seen, start_s=a, end_s=b) for a, b in edges])
        return torch.from_numpy(windows[np.abs(windows).sum(axis=1) > 0])


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


def recognize_music(
    notes: Iterable[Note], *, recognizer: MusicRecognizer, duration_s: float
) -> EmotionTrack:
    """The emotion that notes express, second by second, each from the 12 s around it.

    Args:
        notes: pitched ones, see `features.pitched_notes`.
        recognizer: which net judges, one that reads notes.
        duration_s: of the piece; the track has a step at each half second past a whole one.

    Returns:
        A track whose valence and arousal are 2p - 1 of the sign's probability and whose variance
        is that of the sign, halved; dominance is unknown. Confidence is the share of the window
        in which something sounds, times the larger of the two |2p - 1|.

    Raises:
        BadInput: no length, or more than two hours.
    """
    return _course(note_rows(notes), recognizer, duration_s)


def recognize_music_sound(
    blocks: Iterable[Sound], *, recognizer: MusicRecognizer, duration_s: float
) -> EmotionTrack:
    """The emotion that sounding music expresses; else as `recognize_music`.

    Args:
        blocks: (C, S) of `sound.RATE` samples a second, taken to be music; see `sound_frames`.
        recognizer: which net judges, one that hears.
        duration_s: of the sound.

    Raises:
        BadInput: no length, or more than two hours.
    """
    if duration_s > MAX_LENGTH_S:  # before all of it is read
        raise _bad_length(duration_s)
    return _course(sound_frames(blocks), recognizer, duration_s)


@torch.no_grad()
def _course(seen: Array, recognizer: MusicRecognizer, duration_s: float) -> EmotionTrack:
    if not 0.0 < duration_s <= MAX_LENGTH_S:
        raise _bad_length(duration_s)
    reader = recognizer.reader
    times_s = np.arange(max(1, int(duration_s))) + 0.5
    edges = [_around(time_s, duration_s) for time_s in times_s]
    windows = np.stack([reader.window(seen, start_s=a, end_s=b) for a, b in edges])
    heard: NDArray[np.bool_] = np.abs(windows).sum(axis=1, keepdims=True) > 0.0
    judged = recognizer.signs(recognizer.scores(torch.from_numpy(windows))).numpy()
    sign = np.where(heard, judged, 0.0)
    unknown = np.zeros((len(times_s), 1))
    vad = np.concatenate([sign, unknown], axis=1)
    vad_var = np.concatenate([(1.0 - sign**2) / 2.0, unknown + 0.5], axis=1)
    probs = probs_from_vad(vad, vad_var)
    mean, log_var = embed(vad, probs, vad_var)
    sounding = np.array([reader.sounding(seen, a, b) for a, b in edges])
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


def _bad_length(duration_s: float) -> BadInput:
    return BadInput(f"music of {duration_s} s: more than 0 and at most {MAX_LENGTH_S:.0f} s")


def _around(time_s: float, duration_s: float) -> tuple[float, float]:
    """The window centred on a time, kept inside the piece."""
    start_s = min(max(0.0, time_s - WINDOW_S / 2), max(0.0, duration_s - WINDOW_S))
    return start_s, min(duration_s, start_s + WINDOW_S)
