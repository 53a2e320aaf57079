"""Windows of motion with the speech and the emotion behind them, cut as sampling cuts them.

Half of the windows have no prefix; those hear nothing from before their start, and a fair share
begin where their clip begins, as every speech's first window does. A prefix carries a little noise,
as the sampler's own prefix is never perfect. Letters: B items, F frames with the prefix, T steps at
50 Hz, S width of the sound, W width of the emotion, C = 62 channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from affetto.emotion import EmotionTrack
from affetto.emotion_bank.codes import EmotionBank
from affetto.gen.portrait.motion.network import PREFIX, WINDOW, Window
from affetto.gen.portrait.motion.sampling import window_at
from affetto.motion import CHANNELS, FPS, Motion

SHORTEST = 16  # new frames in a window, at least
AT_START = 0.3  # share of windows that begin with their clip


@dataclass(frozen=True)
class MotionClip:
    """A clip's speech, motion and emotion.

    Attributes:
        sound: (T, S) float16 the conditions side by side at 50 Hz.
        motion: (N, C) float32 at 25 fps.
        emotion: (N, W) float32 the bank's vector of each frame.
        probs: (N, 11) float32.
        vad: (N, 3) float32.
        liveliness: it was made with; 1 for real motion.
        speaker: by whom clips are split.
    """

    sound: Tensor
    motion: Tensor
    emotion: Tensor
    probs: Tensor
    vad: Tensor
    liveliness: float
    speaker: str


@dataclass(frozen=True)
class MotionBatch:
    """A training batch.

    Attributes:
        window: the conditions; its emotion is the bank's.
        motion: (B, F, C) in its own units, zeros where no frame is.
        probs: (B, F, 11).
        vad: (B, F, 3).
    """

    window: Window
    motion: Tensor
    probs: Tensor
    vad: Tensor


@torch.no_grad()
def make_clip(
    sound: Tensor,
    motion: Motion,
    track: EmotionTrack,
    *,
    bank: EmotionBank,
    liveliness: float,
    speaker: str,
) -> MotionClip:
    """Put a clip together.

    Args:
        sound: (T, S) the conditions side by side at 50 Hz.
        motion: at any rate.
        track: at any times.
        bank: frozen.
        liveliness: see MotionClip.
        speaker: see MotionClip.
    """
    values = motion.at_fps(FPS).values
    there = track.at((np.arange(len(values)) + 0.5) / FPS)
    vector = bank(torch.from_numpy(there.mean), torch.from_numpy(there.log_var)).vector
    return MotionClip(
        sound=sound.half(),
        motion=torch.from_numpy(values.copy()),
        emotion=vector,
        probs=torch.from_numpy(there.probs),
        vad=torch.from_numpy(there.vad),
        liveliness=liveliness,
        speaker=speaker,
    )


def draw_batch(
    clips: Sequence[MotionClip], count: int, *, rng: np.random.Generator, prefix_noise: float
) -> MotionBatch:
    """Windows drawn from clips, longer clips more often.

    Args:
        clips: to draw from.
        count: B.
        rng: of the draws.
        prefix_noise: standard deviation put on a prefix, as a share of each channel's in its clip.
    """
    lengths = np.array([len(clip.motion) for clip in clips], dtype=np.float64)
    chosen = rng.choice(len(clips), size=count, p=lengths / lengths.sum())
    items = [_cut(clips[one], rng=rng, prefix_noise=prefix_noise) for one in chosen]
    return stacked(items)


def cut_at(clip: MotionClip, first: int, *, has_prefix: bool) -> MotionBatch:
    """One window (B = 1) of a clip, whose new frames begin at `first`."""
    there = min(WINDOW, len(clip.motion) - first)
    frames = torch.arange(-PREFIX, WINDOW) + first
    places = frames.clamp(0, len(clip.motion) - 1)
    window = window_at(
        clip.sound.float(),
        torch.ones(len(clip.sound), dtype=torch.bool),
        clip.emotion[places][None],
        first=first,
        num_frames=there,
        has_prefix=has_prefix,
    )
    motion = clip.motion[places][None] * window.present[..., None]
    return MotionBatch(
        window=replace(window, liveliness=torch.full((1,), clip.liveliness)),
        motion=motion,
        probs=clip.probs[places][None],
        vad=clip.vad[places][None],
    )


def stacked(items: Sequence[MotionBatch]) -> MotionBatch:
    """Items of one batch."""
    windows = [item.window for item in items]
    emotions = [window.emotion for window in windows if window.emotion is not None]
    return MotionBatch(
        window=Window(
            sound=torch.cat([window.sound for window in windows]),
            heard=torch.cat([window.heard for window in windows]),
            liveliness=torch.cat([window.liveliness for window in windows]),
            emotion=torch.cat(emotions) if emotions else None,
            present=torch.cat([window.present for window in windows]),
            known=torch.cat([window.known for window in windows]),
        ),
        motion=torch.cat([item.motion for item in items]),
        probs=torch.cat([item.probs for item in items]),
        vad=torch.cat([item.vad for item in items]),
    )


def statistics(clips: Sequence[MotionClip]) -> tuple[Tensor, Tensor]:
    """Mean and spread of the sounds, (S,) each; what never varies gets a spread of 1."""
    total = torch.cat([clip.sound for clip in clips]).double()
    spread = total.std(dim=0, correction=0)
    return total.mean(dim=0).float(), torch.where(spread > 1e-4, spread, 1.0).float()


def _cut(clip: MotionClip, *, rng: np.random.Generator, prefix_noise: float) -> MotionBatch:
    latest = max(0, len(clip.motion) - SHORTEST)
    first = 0 if rng.random() < AT_START else int(rng.integers(latest + 1))
    has_prefix = first >= PREFIX and rng.random() < 0.5 / (1.0 - AT_START)
    batch = cut_at(clip, first, has_prefix=has_prefix)
    if has_prefix and prefix_noise:
        drawn = rng.standard_normal((1, PREFIX, len(CHANNELS)), dtype=np.float32)
        spread = clip.motion.std(dim=0, correction=0)
        batch.motion[:, :PREFIX] += prefix_noise * spread * torch.from_numpy(drawn)
    return batch
