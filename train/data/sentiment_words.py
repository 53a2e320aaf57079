"""Single words with the valence that people heard in them: VADER's lexicon.

Hutto and Gilbert 2014, MIT, read from the wheel `vaderSentiment`: ten raters a word, -4..4. We take
the words of letters alone (no emoticons, no digits), and leave out those that stand alone in our
phrases, whose held-out groups stay unseen so. Words that begin alike ("happy", "happily") are never
on both sides of the split.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput

PACKAGE = "vaderSentiment"
FILE = "vader_lexicon.txt"
HIGHEST = 4.0
MIN_LETTERS = 3
STEM_LETTERS = 5
NUM_FOLDS = 10
TEST_FOLD = 0
FRAMES = ("{}", "I feel {}")


@dataclass(frozen=True)
class SentimentWords:
    """N words, valence (N,) in [-1, 1], fold (N,) 0..9 by how they begin; fold 0 is the test."""

    words: tuple[str, ...]
    valence: NDArray[np.float32]
    fold: NDArray[np.int64]

    @property
    def learned(self) -> NDArray[np.int64]:
        """Places of the words to learn from."""
        return np.flatnonzero(self.fold != TEST_FOLD)

    @property
    def tested(self) -> NDArray[np.int64]:
        """Places of the held-out words."""
        return np.flatnonzero(self.fold == TEST_FOLD)

    def every(self, step: int) -> "SentimentWords":
        """Every `step`-th word."""
        return SentimentWords(self.words[::step], self.valence[::step], self.fold[::step])


def stem(word: str) -> str:
    """What words of one family have in common, roughly: the first five letters."""
    return word[:STEM_LETTERS]


def read_sentiment_words(*, without: Collection[str] = ()) -> SentimentWords:
    """The lexicon's words, in its order.

    Args:
        without: words to leave out, lower case.

    Raises:
        BadInput: the package is not installed.
    """
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise BadInput(f"{PACKAGE} is not installed: pip install {PACKAGE}")
    lines = (Path(package.origin).parent / FILE).read_text(encoding="utf-8").splitlines()
    found: dict[str, float] = {}
    for line in lines:
        word, valence, *_ = line.split("\t")
        letters = word.isascii() and word.isalpha() and word.islower()
        if letters and len(word) >= MIN_LETTERS and word not in without:
            found.setdefault(word, float(valence) / HIGHEST)
    return SentimentWords(
        words=tuple(found),
        valence=np.array(list(found.values()), dtype=np.float32),
        fold=np.array([_fold(word) for word in found]),
    )


def _fold(word: str) -> int:
    return int(hashlib.sha256(stem(word).encode()).hexdigest(), 16) % NUM_FOLDS
