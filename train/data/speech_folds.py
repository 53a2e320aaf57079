"""Who is tested when: the fixed folds of RAVDESS and EMO-DB, and folds inside a training side.

RAVDESS's six folds are EmoBox's five (Ma et al. 2024) and the remaining actors, as fixed in
benchmarks/protocols/ravdess_folds.json; EMO-DB leaves one speaker out at a time.
"""

from collections.abc import Iterable

import numpy as np

_RAVDESS_ACTORS = (
    (1, 11, 20, 21),
    (4, 10, 12, 14),
    (8, 9, 19, 23),
    (3, 5, 7, 24),
    (2, 15, 16, 18),
    (6, 13, 17, 22),
)
_EMODB_SPEAKERS = (3, 8, 9, 10, 11, 12, 13, 14, 15, 16)

Folds = list[tuple[str, ...]]


def ravdess_folds() -> Folds:
    """The test speakers of each of the six folds; every actor is tested once."""
    return [tuple(f"ravdess/actor{actor:02d}" for actor in fold) for fold in _RAVDESS_ACTORS]


def emodb_folds() -> Folds:
    """One speaker a fold, ten folds."""
    return [(f"emodb/spk{speaker:02d}",) for speaker in _EMODB_SPEAKERS]


def inner_folds(speakers: Iterable[str], *, num: int, seed: int = 0) -> Folds:
    """Split training speakers into `num` folds of nearly equal size, each speaker in one.

    Raises:
        ValueError: fewer speakers than folds.
    """
    names = sorted(set(speakers))
    if not 2 <= num <= len(names):
        raise ValueError(f"{len(names)} speakers cannot be split into {num} folds")
    order = np.random.default_rng(seed).permutation(len(names))
    return [tuple(sorted(names[place] for place in order[start::num])) for start in range(num)]
