"""From the emotion words of other systems to our eleven canonical labels, and back.

Each native taxonomy has one constant matrix: non-negative, rows sum to 1. It maps probabilities,
never logits. A label that a taxonomy cannot say comes out as 0, which there means "not known"
rather than "absent" (`known_labels`). The way back, for a generator that needs native words, keeps
one-to-one words and renders every other label by the words whose mixture lies nearest in VAD.
"""

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.emotion import LABEL_VAD, LABELS
from affetto.recognizers.label_tables import TABLES

Row = NDArray[np.float64]
NATIVE_LABELS: dict[str, tuple[str, ...]] = {name: tuple(table) for name, table in TABLES.items()}


def matrix(taxonomy: str) -> NDArray[np.float32]:
    """The (N native, 11 canonical) matrix of a taxonomy; rows sum to 1.

    Raises:
        ValueError: unknown taxonomy; the message lists the known ones.
    """
    if taxonomy not in TABLES:
        raise ValueError(f"unknown taxonomy {taxonomy!r}: known are {', '.join(TABLES)}")
    rows = [[row.get(label, 0.0) for label in LABELS] for row in TABLES[taxonomy].values()]
    return np.asarray(rows, dtype=np.float32)


def known_labels(taxonomy: str) -> tuple[bool, ...]:
    """For each of the 11 canonical labels, whether the taxonomy can say it at all."""
    return tuple(bool(can) for can in matrix(taxonomy).sum(axis=0) > 0)


def to_canonical(taxonomy: str, probs: ArrayLike) -> NDArray[np.float32]:
    """Map native probabilities to the canonical labels.

    Args:
        taxonomy: a name in `NATIVE_LABELS`.
        probs: (..., N) probabilities in the order of `NATIVE_LABELS[taxonomy]`; a row sum is kept.

    Returns:
        (..., 11) float32 over `affetto.emotion.LABELS`.

    Raises:
        ValueError: unknown taxonomy or a last axis that is not N.
    """
    return _mapped(probs, matrix(taxonomy), f"{taxonomy} has", NATIVE_LABELS[taxonomy])


@cache
def inverse_matrix(taxonomy: str) -> NDArray[np.float32]:
    """The (11 canonical, N native) matrix of the way back; rows sum to 1.

    A label for which there are words of their own goes to them in equal shares. Any other goes to
    the mixture of native words whose VAD, the mean of the labels' anchors, is nearest to its own.

    Raises:
        ValueError: unknown taxonomy.
    """
    forward = matrix(taxonomy).astype(np.float64)  # (N, 11)
    anchors = np.asarray([LABEL_VAD[label] for label in LABELS])  # (11, 3)
    own = (forward == 1.0).astype(np.float64)  # words that mean one label alone
    rows = [
        own[:, column] / own[:, column].sum()
        if own[:, column].any()
        else _nearest_mixture(forward @ anchors, anchors[column])
        for column in range(len(LABELS))
    ]
    back: NDArray[np.float32] = np.stack(rows).astype(np.float32)
    back.flags.writeable = False
    return back


def from_canonical(taxonomy: str, probs: ArrayLike) -> NDArray[np.float32]:
    """Say canonical probabilities in the words of another system.

    Args:
        taxonomy: a name in `NATIVE_LABELS`.
        probs: (..., 11) over `affetto.emotion.LABELS`; a row sum is kept.

    Returns:
        (..., N) float32 in the order of `NATIVE_LABELS[taxonomy]`.

    Raises:
        ValueError: unknown taxonomy or a last axis that is not 11.
    """
    return _mapped(probs, inverse_matrix(taxonomy), "there are", LABELS)


def _mapped(
    probs: ArrayLike, weights: NDArray[np.float32], there_are: str, names: tuple[str, ...]
) -> NDArray[np.float32]:
    given = np.asarray(probs, dtype=np.float32)
    if given.ndim == 0 or given.shape[-1] != len(weights):
        raise ValueError(
            f"{there_are} {len(weights)} labels ({', '.join(names)}); "
            f"got probabilities of shape {given.shape}"
        )
    mapped: NDArray[np.float32] = given @ weights
    return mapped


def _nearest_mixture(places: NDArray[np.float64], wanted: NDArray[np.float64]) -> Row:
    """Weights (N,) >= 0 with sum 1 whose mixture of `places` (N, 3) is nearest to `wanted` (3,)."""
    from scipy.optimize import nnls

    strict = 1e3  # holds the sum at 1
    equations = np.vstack([places.T, np.full(len(places), strict)])
    weights = np.asarray(nnls(equations, np.append(wanted, strict))[0], dtype=np.float64)
    mixture: Row = weights / weights.sum()
    return mixture
