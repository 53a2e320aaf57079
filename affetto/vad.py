"""The one place where other systems' order and range of valence, arousal, dominance become ours."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ORDER = "VAD"


def to_vad(values: ArrayLike, *, order: str, low: float, high: float) -> NDArray[np.float32]:
    """Bring ratings into our order (valence, arousal, dominance) and range [-1, 1].

    Args:
        values: (..., 3) ratings.
        order: their axes as a permutation of "VAD", for example "ADV" (wav2vec2 of audEERING).
        low: the rating scale's lowest value, for example 0, or 1 for a 1..9 scale.
        high: its highest value. Ratings outside [low, high] are mapped on without clipping.

    Returns:
        (..., 3) float32, the middle of the scale at 0.

    Raises:
        ValueError: not a permutation, an empty range, or a last axis that is not 3.

    Example:
        >>> to_vad([5.0, 9.0, 1.0], order="ADV", low=1, high=9).tolist()
        [-1.0, 0.0, 1.0]
    """
    if sorted(order) != sorted(_ORDER):
        raise ValueError(f"order must be a permutation of 'VAD', got {order!r}")
    if not low < high:
        raise ValueError(f"the scale needs low < high, got {low} and {high}")
    ratings = np.asarray(values, dtype=np.float64)
    if ratings.ndim == 0 or ratings.shape[-1] != 3:
        raise ValueError(f"expected ratings of shape (..., 3), got {ratings.shape}")
    ours = ratings[..., [order.index(axis) for axis in _ORDER]]  # (..., 3)
    scaled: NDArray[np.float32] = (2.0 * (ours - low) / (high - low) - 1.0).astype(np.float32)
    return scaled
