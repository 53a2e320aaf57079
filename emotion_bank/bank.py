"""The bank: where labels, VAD points and embeddings meet, and where a request becomes a track."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.emotion import LABEL_VAD, LABELS

Array = NDArray[np.float32]

# How far ratings of one emotion scatter around its anchor, per axis (standard deviation). A design
# choice near the scatter of single raters in Russell & Mehrabian 1977; not fitted.
ANCHOR_SPREAD = 0.25
ANCHORS: Array = np.asarray([LABEL_VAD[label] for label in LABELS], dtype=np.float32)  # (11, 3)


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
