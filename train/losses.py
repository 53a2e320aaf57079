"""Losses of the recipes."""

import torch
from torch import Tensor
from torch.nn import functional

from affetto.emotion import LABELS
from affetto.gen.music.chords import NUM_CHORDS, NUM_QUALITIES, PAD, QUALITY_NAMES

# Video2Music's qualities that suit each of its six words, in its order.
SUITING = {
    "exciting": ("maj", "sus4", "7"),
    "fearful": ("dim", "min7", "dim7", "hdim7"),
    "tense": ("dim", "sus4", "min7", "7"),
    "sad": ("min7", "min", "sus2"),
    "relaxing": ("maj", "maj6", "maj7"),
    "neutral": (),
}
CHORD_SHARE, EMOTION_SHARE = 0.4, 0.6


def chord_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of (B, L, 159) against ids (B, L); PAD targets do not count."""
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


def emotion_match_loss(logits: Tensor, targets: Tensor, emotion: Tensor) -> Tensor:
    """Whether each second's most probable emotion gets chords of a quality that suits it.

    Binary cross-entropy of all 159 logits against the chords of the suiting qualities on all roots.
    Source: Video2Music 2023, section 3.3. Differs: padded seconds do not count (they did).

    Args:
        logits: (B, L, 159).
        targets: (B, L) ids, PAD where nothing counts.
        emotion: (B, L, 14) the `emotion` condition of the same seconds.
    """
    suiting = suiting_chords(emotion).to(logits.dtype)
    loss = functional.binary_cross_entropy_with_logits(logits, suiting, reduction="none")
    real = targets != PAD
    return loss[real].mean()


def seed_loss(logits: Tensor, targets: Tensor, emotion: Tensor) -> Tensor:
    """Video2Music's total: 0.4 chord cross-entropy + 0.6 emotion match; arguments as above."""
    matched = emotion_match_loss(logits, targets, emotion)
    return CHORD_SHARE * chord_loss(logits, targets) + EMOTION_SHARE * matched


def suiting_chords(emotion: Tensor) -> Tensor:
    """(..., 159) bool: chords that suit the likeliest of Video2Music's words at (..., 14).

    The words' probabilities are read back from the canonical labels, of which 'angry' and an equal
    part of 'fearful' are half of 'tense' each.
    """
    label = {name: emotion[..., 3 + number] for number, name in enumerate(LABELS)}
    tense = 2 * label["angry"]
    fearful = label["fearful"] - label["angry"]
    words = [label["excited"], fearful, tense, label["sad"], label["calm"], label["neutral"]]
    table = torch.zeros(len(SUITING), NUM_CHORDS, dtype=torch.bool, device=emotion.device)
    for row, qualities in enumerate(SUITING.values()):
        for quality in qualities:
            table[row, 1 + QUALITY_NAMES.index(quality) : 1 + 12 * NUM_QUALITIES : 13] = True
    return table[torch.stack(words, dim=-1).argmax(dim=-1)]
