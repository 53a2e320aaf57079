"""FER+'s faces as blendshape coefficients with their votes: what the motion head learns from.

Made once by `face_landmarker` and kept as one .npz file (about 8 minutes of one core). Letters: N
faces. The faces are 48-pixel frames with nothing about them, so they are laid on grey first: of the
borders tried on 300 validation faces, grey let the landmarker find most (98 %; repeated or mirrored
pixels 91 %).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.recognizers.face.blaze import BlazeNet
from affetto.train.data.face_landmarker import MIN_PRESENCE, TASK_FILE, FaceLandmarker

FOLDER = Path("ferplus48")
SIDE, ROW = 48, 40  # pixels of a face; faces in a row and rows in a sheet
BORDER, SCALE, GREY = 24, 4, 128
NUM_EMOTIONS = 8
CACHE = "ferplus_blendshapes.npz"
PARTS = {"train": 0, "valid": 1, "test": 2}


@dataclass(frozen=True)
class MotionFaces:
    """Faces in which the landmarker saw a face, of one part.

    Attributes:
        blendshapes: (N, 52) float32 in [0, 1], order of `BLENDSHAPES`.
        shares: (N, 8) votes as shares over FER+'s emotions, single votes removed; rows sum to 1.
        majority: (N,) the label with more than half of all votes left, -1 where there is none.
        fer_index: (N,) row in FER2013.
        share_found: of the part's judged faces, how many the landmarker saw.
    """

    blendshapes: NDArray[np.float32]
    shares: NDArray[np.float32]
    majority: NDArray[np.int64]
    fer_index: NDArray[np.int64]
    share_found: float


def read_motion_faces(root: Path, cache: Path, part: str) -> MotionFaces:
    """One part of FER+ ("train": even fer_index alone, the loss nets' half; "valid"; "test").

    Args:
        root: the data folder with ferplus48/ and small_weights/.
        cache: folder where the coefficients are kept.
        part: a name in `PARTS`.

    Raises:
        BadInput: the data folder lacks them.
    """
    if not (root / FOLDER / "labels.npz").is_file():
        raise BadInput(f"no FER+ faces at {root / FOLDER}: point data.root to the data folder")
    if not (cache / CACHE).is_file():
        extract(root, cache / CACHE)
    kept, labels = np.load(cache / CACHE), np.load(root / FOLDER / "labels.npz")
    votes = np.where(labels["votes"] > 1, labels["votes"], 0).astype(np.float32)  # (M, 10)
    of_part = labels["usage"] == PARTS[part]
    if part == "train":
        of_part &= labels["fer_index"] % 2 == 0
    judged = of_part & (votes.argmax(axis=1) < NUM_EMOTIONS) & (votes.sum(axis=1) > 0)
    seen = judged & (kept["presence"] >= MIN_PRESENCE)
    majority = np.where(votes.max(axis=1) > votes.sum(axis=1) / 2, votes.argmax(axis=1), -1)
    emotions = votes[:, :NUM_EMOTIONS]
    return MotionFaces(
        blendshapes=kept["blendshapes"][seen].astype(np.float32),
        shares=emotions[seen] / emotions[seen].sum(axis=1, keepdims=True),
        majority=majority[seen],
        fer_index=labels["fer_index"][seen].astype(np.int64),
        share_found=float(seen.sum() / judged.sum()),
    )


def extract(root: Path, target: Path) -> None:
    """Run the landmarker over all faces and keep coefficients and certainty as float16."""
    import cv2

    landmarker, close = FaceLandmarker(root / TASK_FILE), BlazeNet("blaze_short")
    sheets = sorted((root / FOLDER / "sheets").glob("sheet_*.jpg"))
    count = len(np.load(root / FOLDER / "labels.npz")["votes"])
    values = np.zeros((count, NUM_BLENDSHAPES), dtype=np.float16)
    presence = np.zeros(count, dtype=np.float16)
    for number, path in enumerate(sheets):
        read = cv2.imread(str(path))
        if read is None:
            raise BadInput(f"{path} cannot be read as a picture")
        sheet = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
        for place in range(min(ROW * ROW, count - number * ROW * ROW)):
            top, left = place // ROW * SIDE, place % ROW * SIDE
            face = sheet[top : top + SIDE, left : left + SIDE]
            framed = cv2.copyMakeBorder(
                face, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)
            )
            wide = cv2.resize(framed, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_CUBIC)
            large = np.asarray(wide, dtype=np.uint8)
            found = close.find(large)
            if found:
                row = number * ROW * ROW + place
                values[row], presence[row] = landmarker.read(large, found[0])
    with staged_file(target) as staged, staged.open("wb") as file:
        np.savez_compressed(file, blendshapes=values, presence=presence)
