"""EmoBank: 10,062 English sentences with valence, arousal and dominance.

Buechel and Hahn 2017, CC BY-SA 4.0; means of five raters' and two perspectives' ratings on a 1..5
scale. The split is the corpus's own column: 8,062 train, 1,000 dev, 1,000 test.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.vad import to_vad

FILE = Path("lexicons") / "emobank.csv.gz"
PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class RatedTexts:
    """Texts and what people thought of them.

    Attributes:
        texts: N of them.
        vad: (N, 3) in [-1, 1].
        document: (N,) the document a text comes from.
    """

    texts: tuple[str, ...]
    vad: NDArray[np.float32]
    document: NDArray[np.str_]


def read_emobank(root: Path, part: str) -> RatedTexts:
    """One part of EmoBank.

    Args:
        root: the data folder.
        part: train, dev or test.

    Raises:
        BadInput: the file is not there.
    """
    path = root / FILE
    if part not in PARTS:
        raise ValueError(f"part is {', '.join(PARTS)}; got {part!r}")
    if not path.is_file():
        raise BadInput(f"EmoBank is not at {path}: see the corpus JULIELab/EmoBank")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == part]
    ratings = [[float(row[axis]) for axis in "VAD"] for row in rows]
    return RatedTexts(
        texts=tuple(row["text"] for row in rows),
        vad=to_vad(ratings, order="VAD", low=1, high=5),
        document=np.array([row["id"].rsplit("_", 2)[0] for row in rows]),
    )
