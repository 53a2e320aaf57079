"""FER+ (Barsoum et al. 2016): 48-pixel grey faces of FER2013 with the votes of ten people.

Single votes are taken as slips and removed, as the authors do; a face whose winner is then
"unknown" or "not a face" is not used. Letters: N faces.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput

FOLDER = Path("ferplus48")
SIDE, ROW = 48, 40  # pixels of a face; faces in a row of a sheet
NUM_EMOTIONS = 8
PARTS = {"train": 0, "valid": 1, "test": 2}
Half = Literal["even", "odd", "all"]
NEAR_BITS = 4  # of 256: fingerprints this close are taken for one picture


@dataclass(frozen=True)
class Faces:
    """Faces of one part, labels in the order of the taxonomy "ferplus8".

    Attributes:
        pixels: (N, 48, 48) uint8.
        votes: (N, 10) as given: eight emotions, unknown, not a face.
        shares: (N, 8) the emotions' votes without single ones; rows sum to 1.
        winner: (N,) the emotion with most votes.
        majority: (N,) the same where it has more than half of what is left of all ten columns, else
            -1: the official test takes only faces with one.
        fer_index: (N,) row in FER2013.
    """

    pixels: NDArray[np.uint8]
    votes: NDArray[np.int64]
    shares: NDArray[np.float32]
    winner: NDArray[np.int64]
    majority: NDArray[np.int64]
    fer_index: NDArray[np.int64]


def read_ferplus(root: Path, part: str, *, half: Half = "all") -> Faces:
    """One part, or one half of it by the parity of fer_index.

    Args:
        root: the data folder with ferplus48/.
        part: "train", "valid" or "test".
        half: the net that may serve as a loss learns from the even half of "train", the judge from
            the odd one.

    Raises:
        BadInput: the data folder lacks them.
    """
    import cv2

    folder = root / FOLDER
    if not (folder / "labels.npz").is_file():
        raise BadInput(f"no FER+ faces at {folder}: point data.root to the data folder")
    labels = np.load(folder / "labels.npz")
    votes, index = labels["votes"].astype(np.int64), labels["fer_index"].astype(np.int64)
    kept = np.where(votes > 1, votes, 0)
    used = (labels["usage"] == PARTS[part]) & (kept.argmax(axis=1) < NUM_EMOTIONS)
    used &= kept.sum(axis=1) > 0
    if half != "all":
        used &= index % 2 == (half == "odd")
    rows = np.flatnonzero(used)
    pixels = np.empty((len(rows), SIDE, SIDE), dtype=np.uint8)
    for number in np.unique(rows // ROW**2):
        sheet = cv2.imread(str(folder / "sheets" / f"sheet_{number:02d}.jpg"), cv2.IMREAD_GRAYSCALE)
        if sheet is None:
            raise BadInput(
                f"no FER+ sheet {number} at {folder / 'sheets'}: get the whole data folder"
            )
        places = np.flatnonzero(rows // ROW**2 == number)
        for place in places:
            top, left = (rows[place] % ROW**2) // ROW * SIDE, rows[place] % ROW * SIDE
            pixels[place] = sheet[top : top + SIDE, left : left + SIDE]
    clear, emotions = kept[rows], kept[rows, :NUM_EMOTIONS]
    winner = clear.argmax(axis=1)
    decided = 2 * clear.max(axis=1) > clear.sum(axis=1)
    return Faces(
        pixels=pixels,
        votes=votes[rows],
        shares=(emotions / emotions.sum(axis=1, keepdims=True)).astype(np.float32),
        winner=winner,
        majority=np.where(decided, winner, -1),
        fer_index=index[rows],
    )


def twins(faces: Faces, others: Faces) -> NDArray[np.bool_]:
    """(N,) whether a face has a near duplicate among others: FER2013 holds many."""
    marks = [1.0 - 2.0 * _fingerprints(part.pixels) for part in (faces, others)]
    nearest = [
        ((256.0 - block @ marks[1].T) / 2.0).min(axis=1)
        for block in np.array_split(marks[0], len(marks[0]) // 256 + 1)
    ]
    close: NDArray[np.bool_] = np.concatenate(nearest) <= NEAR_BITS
    return close


def _fingerprints(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 256) 1 where brightness rises from cell to cell of 16 rows of 17, else 0."""
    import cv2

    small = np.stack([cv2.resize(face, (17, 16), interpolation=cv2.INTER_AREA) for face in pixels])
    rising = np.diff(small.astype(np.int16), axis=2) > 0
    return rising.reshape(len(pixels), -1).astype(np.float32)
