"""The two judges of rendered faces, and what they recall of real faces: nobody's loss, reporting only."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from face_api_net import LABELS, SIDE, FaceApiNet
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector, crop_face
from affetto.recognizers.face.judge import FaceJudge, load_face_judge
from affetto.train.data.ferplus import read_ferplus

Probs = NDArray[np.float64]

KEPT = Path("runs/portrait_score")
JUDGES = ("face_judge", "face-api")
FERPLUS = ("neutral", "happy", "surprised", "sad", "angry", "disgusted", "fearful", "contemptuous")
PLACES = [FERPLUS.index(label) for label in LABELS]  # face_judge's columns in the order of LABELS
CROP_SIDE = 96


@dataclass
class Judges:
    """Both nets and the detector."""

    judge: FaceJudge
    second: FaceApiNet
    detector: FaceDetector

    def face_of(self, picture: Picture) -> FaceBox | None:
        """The largest face."""
        return next(iter(self.detector.detect(picture)), None)

    def read(self, picture: Picture, face: FaceBox | None = None) -> Probs:
        """(2, 7) probabilities of `LABELS` by each of `JUDGES`; NaN without a face.

        Contempt, which only the first knows, is left out and the rest scaled to sum to 1.
        """
        face = face or self.face_of(picture)
        if face is None:
            return np.full((len(JUDGES), len(LABELS)), np.nan)
        grey = torch.from_numpy(crop_face(picture, face, side=CROP_SIDE))
        with torch.no_grad():
            first = self.judge.read(grey[None, None]).native[0, PLACES].double().numpy()
        return np.stack([first / first.sum(), self.second.read(picture, face)])


def load_judges(package: Path) -> Judges:
    """Both, frozen."""
    return Judges(load_face_judge(), FaceApiNet(package).eval(), FaceDetector())


def real_answers(judges: Judges, data: Path) -> tuple[NDArray[np.intp], Probs]:
    """(N,) labels and (2, N, 7) answers for FER+'s official test faces of the seven classes.

    Kept on disk: neither the judges nor these faces change.
    """
    kept = KEPT / f"real_answers_{judges.judge.fingerprint[:12]}.npz"
    if kept.is_file():
        with np.load(kept) as found:
            return found["wanted"], found["answers"]
    faces = read_ferplus(data, "test")
    labels = np.asarray([FERPLUS[m] if m >= 0 else "" for m in faces.majority])
    known = np.isin(labels, LABELS)
    wanted = np.asarray([LABELS.index(label) for label in labels[known]], dtype=np.intp)
    pixels = torch.from_numpy(faces.pixels[known].reshape(-1, 1, 48, 48)).float()
    first, second = [], []
    with torch.no_grad():
        for batch in pixels.split(64):
            probs = judges.judge.read(batch / 255).native[:, PLACES].double()
            first.append(probs / probs.sum(dim=1, keepdim=True))
            second.append(judges.second.both(enlarged(batch)).double())
    answers = np.stack([torch.cat(first).numpy(), torch.cat(second).numpy()])
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, wanted=wanted, answers=answers)
    return wanted, answers


def enlarged(faces: torch.Tensor) -> torch.Tensor:
    """FER frames (B, 1, 48, 48) as face-api's crops show faces: 5 % more around, in three channels."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    rows, columns = torch.meshgrid(1.05 * line, 1.05 * line, indexing="ij")
    grid = torch.stack([columns, rows], dim=-1).expand(len(faces), -1, -1, -1)
    view = torch.nn.functional.grid_sample(
        faces, grid, mode="bicubic", padding_mode="border", align_corners=False
    )
    return view.clamp(0, 255).expand(-1, 3, -1, -1)


def recalls(wanted: NDArray[np.intp], answers: Probs) -> NDArray[np.float64]:
    """(7,) share of each label's faces that are named so."""
    said = answers.argmax(axis=1)
    return np.asarray([(said[wanted == k] == k).mean() for k in range(len(LABELS))])
