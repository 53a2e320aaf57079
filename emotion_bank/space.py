"""The shared space: where labels and VAD points lie in it, and how they are read back.

The 16 dimensions are a fixed, readable layout: 0..2 valence, arousal, dominance; 3..13 the label
probabilities times `LABEL_SCALE`; 14..15 spare. Two pure emotions are apart by
sqrt(|VAD difference|^2 + 2 LABEL_SCALE^2): far from each other, and ordered by VAD. A mixture of
emotions lies on the straight line between them.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, Array
from affetto.gaussian import LOG_VAR_RANGE

# How far ratings of one emotion scatter around its anchor, per axis (standard deviation). A design
# choice near the scatter of single raters in Russell & Mehrabian 1977; not fitted.
ANCHOR_SPREAD = 0.25
ANCHORS: Array = np.asarray([LABEL_VAD[label] for label in LABELS], dtype=np.float32)  # (11, 3)
# What a label counts beside VAD, where 1 is as much. Larger pushes emotions of alike VAD apart,
# smaller follows VAD more closely; benchmarks/bank.py measures the choice.
LABEL_SCALE = 1.25
# Scatter of the probability of a label that is certain (standard deviation); a design choice.
LABEL_SPREAD = 0.2
_FIRST_LABEL = 3
_FIRST_SPARE = _FIRST_LABEL + len(LABELS)


def embed_tensors(vad: Tensor, probs: Tensor, vad_var: Tensor) -> tuple[Tensor, Tensor]:
    """Place VAD and label probabilities in the shared space, differentiable.

    Args:
        vad: (..., 3) in [-1, 1].
        probs: (..., 11), rows sum to 1.
        vad_var: (..., 3) variances of vad, >= 0.

    Returns:
        mean (..., 16) and log_var (..., 16). The variances are those of VAD, and for a label that
        of a yes or no, p (1 - p), and its own scatter; all inside `affetto.gaussian.LOG_VAR_RANGE`.
        Spare dimensions are 0 with variance 1.
    """
    spare = vad.new_zeros((*vad.shape[:-1], EMBEDDING_DIM - _FIRST_SPARE))
    label_var = LABEL_SCALE**2 * (probs * (1.0 - probs) + LABEL_SPREAD**2)
    low, high = LOG_VAR_RANGE
    log_var = torch.cat([vad_var, label_var], dim=-1).clamp(np.exp(low), np.exp(high)).log()
    mean = torch.cat([vad, LABEL_SCALE * probs, spare], dim=-1)
    return mean, torch.cat([log_var, spare], dim=-1)


def embed(vad: ArrayLike, probs: ArrayLike, vad_var: ArrayLike) -> tuple[Array, Array]:
    """`embed_tensors` of arrays: mean and log_var, float32."""
    given = (torch.from_numpy(np.asarray(rows, dtype=np.float64)) for rows in (vad, probs, vad_var))
    mean, log_var = embed_tensors(*given)
    return mean.float().numpy(), log_var.float().numpy()


def decode(mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Read labels and VAD out of the space: the inverse of `embed_tensors`, differentiable.

    Args:
        mean: (..., 16); need not be a point that `embed_tensors` makes: the nearest label
            distribution and the nearest VAD in [-1, 1] are read.
        log_var: (..., 16).

    Returns:
        probs (..., 11), rows sum to 1; vad (..., 3); vad_var (..., 3).
    """
    probs = _nearest_distribution(mean[..., _FIRST_LABEL:_FIRST_SPARE] / LABEL_SCALE)
    vad = mean[..., :_FIRST_LABEL].clamp(-1.0, 1.0)
    return probs, vad, log_var[..., :_FIRST_LABEL].exp()


def decode_arrays(mean: ArrayLike, log_var: ArrayLike) -> tuple[Array, Array, Array]:
    """`decode` of arrays: probs, vad, vad_var, float32."""
    given = (torch.from_numpy(np.asarray(rows, dtype=np.float64)) for rows in (mean, log_var))
    probs, vad, vad_var = decode(*given)
    return probs.float().numpy(), vad.float().numpy(), vad_var.float().numpy()


def priors() -> tuple[Tensor, Tensor]:
    """The Gaussians of the eleven pure emotions, in the order of LABELS.

    Returns:
        mean (11, 16) and log_var (11, 16), float32.
    """
    count = len(LABELS)
    return embed_tensors(
        torch.from_numpy(ANCHORS.copy()), torch.eye(count), torch.full((count, 3), ANCHOR_SPREAD**2)
    )


def probs_from_vad(vad: ArrayLike, var: ArrayLike) -> Array:
    """Label probabilities of an uncertain VAD point: the posterior under equal priors.

    Every label is a round Gaussian of `ANCHOR_SPREAD` about its anchor, so label k has weight
    N(vad; anchor_k, var + spread^2). The larger the variance, the flatter the answer; an axis with
    infinite variance does not count.

    Args:
        vad: (..., 3) valence, arousal, dominance in [-1, 1].
        var: (..., 3) variances of the same, >= 0, infinite where an axis is not known.

    Returns:
        (..., 11) float32 over `LABELS`, rows sum to 1.

    Raises:
        ValueError: wrong shapes, non-finite vad, or a variance that is negative or NaN.
    """
    point, spread = np.broadcast_arrays(
        np.asarray(vad, dtype=np.float64), np.asarray(var, dtype=np.float64)
    )
    if point.ndim == 0 or point.shape[-1] != 3:
        raise ValueError(f"vad and var must be (..., 3), got {np.shape(vad)} and {np.shape(var)}")
    if not np.isfinite(point).all() or not (spread >= 0).all():
        raise ValueError("vad must be finite and var >= 0 (infinite for an unknown axis)")
    difference = point[..., None, :] - ANCHORS  # (..., 11, 3)
    logits = -0.5 * (difference**2 / (spread[..., None, :] + ANCHOR_SPREAD**2)).sum(axis=-1)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (..., 11)
    probs: Array = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probs


def _nearest_distribution(values: Tensor) -> Tensor:
    """The Euclidean projection on the simplex, (..., N) (Duchi et al. 2008, figure 1)."""
    falling = values.sort(dim=-1, descending=True).values
    ranks = torch.arange(1, values.shape[-1] + 1, device=values.device, dtype=values.dtype)
    excess = (falling.cumsum(dim=-1) - 1.0) / ranks  # (..., N)
    kept = (falling > excess).sum(dim=-1, keepdim=True)  # >= 1
    return (values - excess.gather(-1, kept - 1)).clamp(min=0.0)
