"""CREMA-D's votes: what people heard in a voice, saw in a face, and made of both together.

Cao et al. 2014: 7,442 clips of 91 actors, each judged by some ten people from the voice alone, ten
from the face alone and ten from both. There are no media here, only the votes.
"""

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS
from affetto.errors import BadInput

Votes = NDArray[np.float64]
Part = Literal["train", "valid", "test"]
# Columns of the table, and what they mean with us.
COLUMNS = {
    "A": "angry", "D": "disgusted", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad",
}  # fmt: skip
VOTED = tuple(COLUMNS.values())
VOTED_PLACES = np.asarray([LABELS.index(label) for label in VOTED])
_PARTS = {"1": "voice", "2": "face", "3": "both"}  # first digit of a row's number


@dataclass(frozen=True)
class CremadVotes:
    """Counts of votes a clip, over `VOTED`.

    Attributes:
        names: (N,) of the clips.
        actors: (N,) as strings.
        voice: (N, 6) votes of those who only heard.
        face: (N, 6) of those who only saw.
        both: (N, 6) of those who heard and saw.
    """

    names: NDArray[np.str_]
    actors: NDArray[np.str_]
    voice: Votes
    face: Votes
    both: Votes


def read_cremad(root: Path) -> CremadVotes:
    """Read cremad_tabulatedVotes.csv.gz of folder `root`, clips in the table's order.

    Raises:
        BadInput: the file is missing or is another table.
    """
    path = root / "cremad_tabulatedVotes.csv.gz"
    try:
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
        tables: dict[str, dict[str, list[float]]] = {part: {} for part in _PARTS.values()}
        for row in rows:
            part = _PARTS[row[""][0]]
            tables[part][row["fileName"]] = [float(row[column]) for column in COLUMNS]
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise BadInput(f"cannot read CREMA-D's votes from {path}: {error!r}") from error
    names = [name for name in tables["both"] if name in tables["voice"] and name in tables["face"]]
    if not names:
        raise BadInput(f"{path} holds no clip that was judged by voice, by face and by both")
    return CremadVotes(
        names=np.asarray(names),
        actors=np.asarray([name[:4] for name in names]),
        voice=np.asarray([tables["voice"][name] for name in names]),
        face=np.asarray([tables["face"][name] for name in names]),
        both=np.asarray([tables["both"][name] for name in names]),
    )


def part(votes: CremadVotes, wanted: Part) -> CremadVotes:
    """The clips of a part: actors whose number leaves 0 on division by 4 test, 1 validate."""
    left = votes.actors.astype(np.int64) % 4
    chosen = {"test": left == 0, "valid": left == 1, "train": left >= 2}[wanted]
    names = ("names", "actors", "voice", "face", "both")
    return CremadVotes(*(getattr(votes, name)[chosen] for name in names))


def over_labels(votes: Votes) -> NDArray[np.float32]:
    """Shares of votes (N, 6) as probabilities (N, 11) over the canonical labels.

    A sixth of a vote is added to each of the six, so that ten votes for one do not mean certainty.
    """
    shares = (votes + 1.0 / len(VOTED)) / (votes.sum(axis=1, keepdims=True) + 1.0)
    probs = np.zeros((len(votes), len(LABELS)), dtype=np.float32)
    probs[:, VOTED_PLACES] = shares
    return probs
