"""Losses of the recipes."""

from collections.abc import Mapping
from itertools import combinations

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


def pairwise_contrast(
    embeddings: Mapping[str, Tensor],
    there: Mapping[str, Tensor] | None = None,
    *,
    temperature: float = 0.1,
) -> Tensor:
    """Each item finds its own other modality in the batch, for every pair of modalities.

    Cross-entropy in nats of cosines both ways, summed over pairs. Source: Franceschini et al. 2022
    (arXiv 2207.11482): nothing is fused in training, modalities meet at inference. Differs: items
    without one of a pair's modalities sit that pair out.

    Args:
        embeddings: modality -> (B, D), one width for all.
        there: modality -> (B,) bool; all are there if not given.
        temperature: of the cosines.

    Raises:
        ValueError: fewer than two modalities.
    """
    if len(embeddings) < 2:
        raise ValueError(f"a pair needs two modalities, got {', '.join(embeddings) or 'none'}")
    units = {name: functional.normalize(value, dim=1) for name, value in embeddings.items()}
    total = next(iter(units.values())).new_zeros(())
    for one, other in combinations(units, 2):
        first, second = units[one], units[other]
        if there is not None:
            both = there[one] & there[other]
            first, second = first[both], second[both]
        if len(first) < 2:
            continue
        alike = first @ second.T / temperature  # (B, B)
        own = torch.arange(len(first), device=first.device)
        ways = functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)
        total = total + 0.5 * ways
    return total


def adaptive_triplet(anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Triplets whose margin grows where like lie close and unlike far: what is easy is asked more.

    Mean over (B, D) rows of max(0, d_ap - (d_an + d_pn) / 2 + margin), margin = 2 + 2 exp(-4 d_ap)
    + 2 exp(4 d_an - 4), Euclidean distances. Source: M2FNet (Chudasama et al. 2022, arXiv
    2206.02187). Differs: rows are brought to length 1 first, which bounds the margin.
    """
    a, p, n = (functional.normalize(rows, dim=1) for rows in (anchor, positive, negative))
    to_positive, to_negative, between = (
        torch.linalg.vector_norm(one - other, dim=1) for one, other in ((a, p), (a, n), (p, n))
    )
    margin = 2.0 + 2.0 * torch.exp(-4.0 * to_positive) + 2.0 * torch.exp(4.0 * to_negative - 4.0)
    missed: Tensor = to_positive - (to_negative + between) / 2 + margin
    return missed.clamp(min=0.0).mean()


def spread_loss(embeddings: Tensor) -> Tensor:
    """Keeps the columns of (B, D) from collapsing and from repeating each other.

    Mean shortfall of each column's deviation from 1, plus the squared covariances between columns,
    by D. Source: the variance and covariance terms of VICReg (Bardes et al. 2022), as M2FNet's.
    """
    centred = embeddings - embeddings.mean(dim=0)
    deviation = (centred.square().sum(dim=0) / (len(centred) - 1) + 1e-4).sqrt()
    covariance = centred.T @ centred / (len(centred) - 1)
    apart = covariance - torch.diag(covariance.diagonal())
    return (1.0 - deviation).clamp(min=0.0).mean() + apart.square().sum() / centred.shape[1]
