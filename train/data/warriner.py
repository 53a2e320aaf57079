"""Warriner, Kuperman and Brysbaert 2013: valence, arousal and dominance of 13,915 English words.

CC BY-NC-ND 3.0: for measuring only. Nothing here is trained on and nothing of it ships.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.vad import to_vad

FILE = Path("lexicons") / "warriner2013.csv.gz"


@dataclass(frozen=True)
class RatedWords:
    """Words and their mean ratings, vad (N, 3) in [-1, 1]."""

    words: tuple[str, ...]
    vad: NDArray[np.float32]


def read_warriner(root: Path) -> RatedWords:
    """All words of the list in `root`, the data folder.

    Raises:
        BadInput: the file is not there.
    """
    path = root / FILE
    if not path.is_file():
        raise BadInput(f"Warriner's words are not at {path}: see JULIELab/XANEW")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ratings = [[float(row[f"{axis}.Mean.Sum"]) for axis in "VAD"] for row in rows]
    return RatedWords(
        words=tuple(row["Word"] for row in rows), vad=to_vad(ratings, order="VAD", low=1, high=9)
    )
