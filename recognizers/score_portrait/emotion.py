"""Is the emotion seen that was asked for, the more the more, and when it was asked for?

From what judges say of frames (probabilities over labels); nobody who was a loss may judge, see
`affetto.recognizers.independence`. Letters: T steps, K labels.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Double = NDArray[np.float64]

MAX_LAG_S = 1.5


def monotony(strengths: ArrayLike, judged: ArrayLike) -> float:
    """Spearman's correlation of asked strength and judged probability of the emotion, [-1, 1].

    0 where the judged probability does not change at all.
    """
    from scipy.stats import rankdata

    asked, seen = (np.asarray(values, dtype=np.float64) for values in (strengths, judged))
    if asked.ndim != 1 or asked.shape != seen.shape or len(asked) < 3:
        raise ValueError(f"two equal (N >= 3,) arrays wanted, got {asked.shape}, {seen.shape}")
    a, b = rankdata(asked), rankdata(seen)
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def timeline_match(asked: ArrayLike, judged: ArrayLike, *, rate_hz: float) -> tuple[float, float]:
    """How well a judged course follows the asked one.

    Only labels whose asked share changes count; each has equal weight.

    Args:
        asked: (T, K) shares of the labels, as requested.
        judged: (T, K) what a judge saw.
        rate_hz: steps a second.

    Returns:
        (correlation at the best lag, that lag in seconds, positive where the judged course comes
        later); lags within 1.5 s are tried.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (asked, judged))
    if a.ndim != 2 or a.shape != b.shape or not rate_hz > 0:
        raise ValueError(f"two equal (T, K) arrays wanted, got {a.shape} and {b.shape}")
    moving = a.std(axis=0) > 0.05
    if not moving.any():
        raise ValueError("what is asked does not change over time: nothing to follow")
    reach = min(round(MAX_LAG_S * rate_hz), len(a) // 3)
    scores = {
        lag: _correlation(
            a[max(0, -lag) : len(a) - max(0, lag), moving],
            b[max(0, lag) : len(b) - max(0, -lag), moving],
        )
        for lag in range(-reach, reach + 1)
    }
    best = max(scores, key=lambda lag: (scores[lag], -abs(lag)))
    return scores[best], best / rate_hz


def _correlation(a: Double, b: Double) -> float:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    below = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return float(
        np.divide((a * b).sum(axis=0), below, out=np.zeros_like(below), where=below > 1e-9).mean()
    )
