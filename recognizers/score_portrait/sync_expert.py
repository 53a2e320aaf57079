"""Sync expert: do these lips belong to this sound, and at which lag?

Two small nets put half a second of sound and of lip shape into one space; trained so that what
belongs together lies together, against the same clip at other times (Chung and Zisserman 2016,
"Out of time"; here with the softmax loss of CLIP and lip outlines instead of pixels). Only real
clips teach it, and a person is never judged by a net that has seen them. Not shipped: the clips
may be measured with, not published. Letters: B windows, W frames, K = 32 dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.score_portrait.lip_shape import HOP, NUM_MELS, RATE_HZ, Talk
from affetto.recognizers.score_portrait.lips import Lips

Double = NDArray[np.float64]

FRAMES = 11
TICKS = 44  # of sound at 100 Hz
OUTLINE = 80
WIDTH, DIMS = 64, 32
MAX_LAG = 15  # frames
NEAREST = 4  # frames between the windows of a batch that come from one clip
BATCH, ROUNDS, RATE, DECAY = 96, 500, 2e-3, 0.05
MELS_S = HOP / RATE_HZ


class SyncExpert(nn.Module):
    """Lips (B, W, 80 * 2) and sound (B, 44, 32) -> unit vectors (B, K) each."""

    def __init__(self) -> None:
        """With random weights; `train_expert` gives a trained one."""
        super().__init__()
        self.lips = _tower(2 * OUTLINE, stride=1)
        self.sound = _tower(NUM_MELS, stride=2)
        self.sharpness = nn.Parameter(torch.tensor(2.0))

    def forward(self, lips: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Both embedded."""
        return self.embed(self.lips, lips), self.embed(self.sound, sound)

    @staticmethod
    def embed(tower: nn.Module, values: Tensor) -> Tensor:
        """(B, K) of length 1."""
        return functional.normalize(tower(values.transpose(1, 2)).mean(dim=2), dim=1)


@dataclass(frozen=True)
class Sync:
    """What the expert says of a clip.

    Attributes:
        confidence: median over lags of the mean distance, less the least; higher is better.
        distance: the least mean distance over lags, 0 to 2; lower is better.
        lag_s: of the lips behind the sound where the distance is least.
        at_zero: the median over lags less the distance at lag 0.
    """

    confidence: float
    distance: float
    lag_s: float
    at_zero: float


def train_expert(talks: Sequence[Talk], *, seed: int, rounds: int = ROUNDS) -> SyncExpert:
    """Train on real clips; `rounds` batches, 7 s on one core by default."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SyncExpert()
        data = [(_lip_windows(talk.lips), _sound_windows(talk)) for talk in talks]
        optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=rounds)
        lengths = np.asarray([len(lips) for lips, _ in data], dtype=np.float64)
        for _ in range(rounds):
            lips, sound = _batch(data, lengths / lengths.sum(), rng)
            seen, heard = net(lips, sound)
            scores = net.sharpness.exp() * seen @ heard.T
            own = torch.arange(len(scores))
            loss = functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return net.eval()


def judge_sync(net: SyncExpert, talk: Talk) -> Sync:
    """Slide lips against sound within 15 frames."""
    with torch.no_grad():
        seen, heard = net(_lip_windows(talk.lips), _sound_windows(talk))
    count = min(len(seen), len(heard))
    lags = np.arange(-MAX_LAG, MAX_LAG + 1)
    distances = np.full(len(lags), np.nan)
    for number in range(len(lags)):
        lag = number - MAX_LAG
        first, last = max(0, lag), min(count, count + lag)
        if last > first:
            apart = seen[first:last] - heard[first - lag : last - lag]
            distances[number] = float(apart.norm(dim=1).mean())
    usual = float(np.nanmedian(distances))
    best = int(np.nanargmin(distances))
    return Sync(
        confidence=usual - float(distances[best]),
        distance=float(distances[best]),
        lag_s=float(lags[best]) / talk.lips.fps,
        at_zero=usual - float(distances[MAX_LAG]),
    )


def _tower(channels: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(channels, WIDTH, 5, padding=2, stride=stride),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv1d(WIDTH, WIDTH, 5, padding=2, stride=stride),
        nn.BatchNorm1d(WIDTH),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Conv1d(WIDTH, DIMS, 3, padding=1),
    )


def _lip_windows(lips: Lips) -> Tensor:
    """(N, W, 160) outlines less their mean over the clip, and their speed, in the clip's spread."""
    outline = lips.outline - lips.outline.mean(axis=0)
    outline = outline / max(float(outline.std()), 1e-3)
    speed = np.gradient(outline, axis=0) if len(outline) > 1 else np.zeros_like(outline)
    values = torch.from_numpy(np.concatenate([outline, speed], axis=1)).float()
    padded = torch.cat(
        [values[:1].expand(FRAMES // 2, -1), values, values[-1:].expand(FRAMES // 2, -1)]
    )
    return padded.unfold(0, FRAMES, 1).transpose(1, 2)


def _sound_windows(talk: Talk) -> Tensor:
    """(N, 44, 32) the sound round each frame."""
    centres = (np.arange(len(talk.lips.gap)) + 0.5) / talk.lips.fps
    first = np.round(centres / MELS_S).astype(int) - TICKS // 2
    places = np.clip(first[:, None] + np.arange(TICKS), 0, len(talk.mels) - 1)
    return torch.from_numpy(talk.mels[places]).float()


def _batch(
    data: list[tuple[Tensor, Tensor]], shares: Double, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Windows of a few clips, those of one clip at least `NEAREST` frames apart; hard negatives."""
    seen, heard = [], []
    clips = rng.choice(len(data), size=4, p=shares)
    for clip in np.unique(clips):
        lips, sound = data[clip]
        slots = np.arange(rng.integers(NEAREST), min(len(lips), len(sound)), NEAREST)
        places = rng.permutation(slots)[: BATCH // 4]
        seen.append(lips[places])
        heard.append(sound[places])
    return torch.cat(seen), torch.cat(heard)
