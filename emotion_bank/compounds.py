"""How much of each compound emotion a distribution over the labels holds.

Compounds are no labels of their own: they are two labels at once, so their scores are derived.
"""

import numpy as np
from numpy.typing import ArrayLike

from affetto.emotion import LABELS, Array
from affetto.emotion_words import COMPOUNDS

COMPOUND_NAMES = tuple(COMPOUNDS)
_PLACES = np.asarray([[LABELS.index(label) for label in pair] for pair in COMPOUNDS.values()])


def compound_scores(probs: ArrayLike) -> Array:
    """Twice the smaller of the two labels' probabilities, for each of the seven compounds.

    Args:
        probs: (..., 11) over LABELS, rows sum to 1.

    Returns:
        (..., 7) float32 in the order of `COMPOUND_NAMES`, in [0, 1]: 1 where the two labels hold
        half each, 0 where one is missing. The seven overlap and do not sum to 1.

    Source:
        The classes are those of C-EXPR-DB (Kollias 2023), which trains them as classes of their
        own; here no training is needed, and a score grows with how evenly both are there.
    """
    pairs = np.asarray(probs, dtype=np.float32)[..., _PLACES]  # (..., 7, 2)
    scores: Array = 2.0 * pairs.min(axis=-1)
    return scores
