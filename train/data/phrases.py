"""Our own phrases and words, written by hand, with label shares, valence and arousal.

phrases.csv is CC0. The judgements are its one author's, not ratings: `labels` in the grammar of
requests (shares are scaled to sum to 1, empty where no label fits), valence and arousal in [-1, 1],
`group` for near paraphrases, which are never on both sides of a split. Dominance is what the labels
have on average.
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS
from affetto.emotion_bank.bank import ANCHORS

FILE = Path(__file__).parent / "phrases.csv"
NUM_FOLDS = 5
TEST_FOLD = 0


@dataclass(frozen=True)
class Phrases:
    """Phrases of a part.

    Attributes:
        texts: N of them.
        shares: (N, 11) over LABELS, rows sum to 1, or are 0 where no label is given.
        vad: (N, 3); dominance NaN where no label is given.
        group: (N,) ids; a group of single words begins with "w", of phrases with "p" or "c".
        language: (N,) en, de, fr or es.
        fold: (N,) 0..4 by the group's hash; fold 0 is the test.
    """

    texts: tuple[str, ...]
    shares: NDArray[np.float32]
    vad: NDArray[np.float32]
    group: NDArray[np.str_]
    language: NDArray[np.str_]
    fold: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> "Phrases":
        """The chosen ones, (N,) bool."""
        return Phrases(
            tuple(text for text, yes in zip(self.texts, chosen, strict=True) if yes),
            *(
                getattr(self, name)[chosen]
                for name in ("shares", "vad", "group", "language", "fold")
            ),
        )


def read_phrases(path: Path = FILE) -> Phrases:
    """All phrases of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shares = np.stack([_shares(row["labels"]) for row in rows])
    known = shares.sum(axis=1) > 0
    dominance = np.where(known, shares @ ANCHORS[:, 2], np.nan)
    given = np.array([[float(row["valence"]), float(row["arousal"])] for row in rows])
    group = np.array([row["group"] for row in rows])
    return Phrases(
        texts=tuple(row["text"] for row in rows),
        shares=shares,
        vad=np.column_stack([given, dominance]).astype(np.float32),
        group=group,
        language=np.array([row["language"] for row in rows]),
        fold=np.array([_fold(name) for name in group]),
    )


def _fold(group: str) -> int:
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % NUM_FOLDS


def _shares(labels: str) -> NDArray[np.float32]:
    shares = np.zeros(len(LABELS), dtype=np.float32)
    for part in filter(None, labels.split("+")):
        label, _, share = part.partition(":")
        shares[LABELS.index(label)] = float(share or 1)
    return shares / max(float(shares.sum()), 1e-6)
