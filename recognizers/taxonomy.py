"""From the emotion words of other systems to our eleven canonical labels.

Each native taxonomy has one constant matrix: non-negative, rows sum to 1. It maps probabilities,
never logits. Only the one-to-one rows are facts; the splits (tense, amusement, awe, contentment,
the quadrants) are our design choices, not measured. A label that a taxonomy cannot say comes out
as 0, which there means "not known" rather than "absent".
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.emotion import LABELS

Row = dict[str, float]

# Native label -> shares of canonical labels; the order of a table is the order of its columns.
TABLES: dict[str, dict[str, Row]] = {
    # Video2Music (Kang, Poria and Herremans 2023): CLIP's six words.
    "video2music6": {
        "exciting": {"excited": 1.0},
        "fearful": {"fearful": 1.0},
        "tense": {"fearful": 0.5, "angry": 0.5},
        "sad": {"sad": 1.0},
        "relaxing": {"calm": 1.0},
        "neutral": {"neutral": 1.0},
    },
    # Ekman's six and neutral, in our order; readers of corpora bring their columns into it.
    "ekman7": {
        "neutral": {"neutral": 1.0},
        "happy": {"happy": 1.0},
        "sad": {"sad": 1.0},
        "angry": {"angry": 1.0},
        "fearful": {"fearful": 1.0},
        "disgusted": {"disgusted": 1.0},
        "surprised": {"surprised": 1.0},
    },
    # The six of Ekman 1992 without neutral, and the seven with contempt.
    "ekman6": {
        "happy": {"happy": 1.0},
        "sad": {"sad": 1.0},
        "angry": {"angry": 1.0},
        "fearful": {"fearful": 1.0},
        "disgusted": {"disgusted": 1.0},
        "surprised": {"surprised": 1.0},
    },
    "ekman8": {
        "neutral": {"neutral": 1.0},
        "happy": {"happy": 1.0},
        "sad": {"sad": 1.0},
        "angry": {"angry": 1.0},
        "fearful": {"fearful": 1.0},
        "disgusted": {"disgusted": 1.0},
        "surprised": {"surprised": 1.0},
        "contemptuous": {"contemptuous": 1.0},
    },
    # RAVDESS (Livingstone and Russo 2018), by its emotion codes 01..08.
    "ravdess8": {
        "neutral": {"neutral": 1.0},
        "calm": {"calm": 1.0},
        "happy": {"happy": 1.0},
        "sad": {"sad": 1.0},
        "angry": {"angry": 1.0},
        "fearful": {"fearful": 1.0},
        "disgust": {"disgusted": 1.0},
        "surprised": {"surprised": 1.0},
    },
    # FER+ (Barsoum et al. 2016), the eight emotion columns of its vote table.
    "ferplus8": {
        "neutral": {"neutral": 1.0},
        "happiness": {"happy": 1.0},
        "surprise": {"surprised": 1.0},
        "sadness": {"sad": 1.0},
        "anger": {"angry": 1.0},
        "disgust": {"disgusted": 1.0},
        "fear": {"fearful": 1.0},
        "contempt": {"contemptuous": 1.0},
    },
    # MEAD (Wang et al. 2020).
    "mead8": {
        "neutral": {"neutral": 1.0},
        "angry": {"angry": 1.0},
        "contempt": {"contemptuous": 1.0},
        "disgusted": {"disgusted": 1.0},
        "fear": {"fearful": 1.0},
        "happy": {"happy": 1.0},
        "sad": {"sad": 1.0},
        "surprised": {"surprised": 1.0},
    },
    # Our own eleven.
    "canonical11": {label: {label: 1.0} for label in LABELS},
    # Mikels et al. 2005, alphabetical as in EmoSet.
    "mikels8": {
        "amusement": {"excited": 0.6, "happy": 0.4},
        "anger": {"angry": 1.0},
        "awe": {"tender": 0.7, "surprised": 0.3},
        "contentment": {"calm": 0.7, "happy": 0.3},
        "disgust": {"disgusted": 1.0},
        "excitement": {"excited": 1.0},
        "fear": {"fearful": 1.0},
        "sadness": {"sad": 1.0},
    },
    # Russell's quadrants as in EMOPIA: valence and arousal +/+, -/+, -/-, +/-.
    "va_quadrants": {
        "Q1": {"happy": 0.5, "excited": 0.5},
        "Q2": {"angry": 0.5, "fearful": 0.5},
        "Q3": {"sad": 1.0},
        "Q4": {"calm": 0.5, "tender": 0.5},
    },
}
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
    native = np.asarray(probs, dtype=np.float32)
    weights = matrix(taxonomy)  # (N, 11)
    if native.ndim == 0 or native.shape[-1] != len(weights):
        raise ValueError(
            f"{taxonomy} has {len(weights)} labels ({', '.join(NATIVE_LABELS[taxonomy])}); "
            f"got probabilities of shape {native.shape}"
        )
    mapped: NDArray[np.float32] = native @ weights  # (..., 11)
    return mapped
