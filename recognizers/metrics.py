"""Measures of recognition, each from arrays, with intervals over persons.

Labels are integers. Nothing here knows a corpus. Sources: UAR as in the INTERSPEECH challenges
(Schuller et al. 2009); concordance correlation from Lin 1989; calibration error from Guo et al.
2017 (equal bins); bootstrap percentiles from Efron 1979, resampling whole persons.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Double = NDArray[np.float64]
Measure = Callable[..., float]


def confusion(wanted: ArrayLike, got: ArrayLike, num_labels: int) -> NDArray[np.int64]:
    """(K, K) counts: rows are the wanted labels, columns what was said."""
    rows, columns = _pair(wanted, got)
    table = np.zeros((num_labels, num_labels), dtype=np.int64)
    np.add.at(table, (rows.astype(np.intp), columns.astype(np.intp)), 1)
    return table


def accuracy(wanted: ArrayLike, got: ArrayLike) -> float:
    """Share of items that are right, in [0, 1]."""
    rows, columns = _pair(wanted, got)
    return float((rows == columns).mean())


def uar(wanted: ArrayLike, got: ArrayLike) -> float:
    """Unweighted average recall over the labels present in `wanted`, in [0, 1]."""
    rows, columns = _pair(wanted, got)
    return float(np.mean([(columns[rows == label] == label).mean() for label in np.unique(rows)]))


def pearson(wanted: ArrayLike, got: ArrayLike) -> float:
    """Correlation in [-1, 1]; 0 where either side is constant."""
    a, b = _pair(wanted, got)
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def ccc(wanted: ArrayLike, got: ArrayLike) -> float:
    """Concordance correlation in [-1, 1]: 1 only for equal values; 0 where either is constant."""
    a, b = _pair(wanted, got)
    below = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(2 * ((a - a.mean()) * (b - b.mean())).mean() / below) if below > 0 else 0.0


def calibration_error(wanted: ArrayLike, probs: ArrayLike, *, num_bins: int = 15) -> float:
    """Expected calibration error of the most probable label, in [0, 1].

    Args:
        wanted: (M,) labels.
        probs: (M, K), rows sum to 1.
        num_bins: equal bins of confidence.
    """
    table = np.asarray(probs, dtype=np.float64)
    said, right = table.max(axis=1), table.argmax(axis=1) == np.asarray(wanted)
    place = np.minimum((said * num_bins).astype(np.intp), num_bins - 1)
    gaps = [
        (place == index).mean() * abs(said[place == index].mean() - right[place == index].mean())
        for index in np.unique(place)
    ]
    return float(np.sum(gaps))


def bootstrap(
    measure: Measure, *arrays: ArrayLike, groups: ArrayLike, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of measure(*arrays) when whole groups (speakers, songs) are drawn anew.

    Args:
        measure: takes the arrays' drawn rows.
        arrays: each (M, ...).
        groups: (M,) the person an item belongs to.
        rounds: draws.
        seed: of the draws.
    """
    columns = [np.asarray(values) for values in arrays]
    names = np.asarray(groups)
    rows = [np.flatnonzero(names == name) for name in np.unique(names)]
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(rounds):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        found.append(measure(*(values[drawn] for values in columns)))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def _pair(wanted: ArrayLike, got: ArrayLike) -> tuple[Double, Double]:
    a, b = (np.asarray(values, dtype=np.float64) for values in (wanted, got))
    if a.ndim != 1 or a.shape != b.shape or not a.size:
        raise ValueError(f"expected two equal (M,) arrays with M >= 1, got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("values must be finite")
    return a, b
