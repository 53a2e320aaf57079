"""Cached readings: what the recognizers said of items they were not trained on.

A file a modality, <folder>/<modality>.npz, with arrays of N items: probs (N, 11), vad (N, 3),
vad_var (N, 3), confidence (N,), label (N,) place in LABELS or -1, speaker (N,) who it is, key (N,)
the item's name, and part or fold (N,). They are the only thing the embedder is trained on.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS
from affetto.emotion_bank.bank import ANCHOR_SPREAD, ANCHORS
from affetto.errors import BadInput

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Readings:
    """What one recognizer said of N items.

    Attributes:
        modality: one of `affetto.emotion_bank.embedder.MODALITIES`.
        probs: (N, 11) over LABELS.
        vad: (N, 3).
        vad_var: (N, 3).
        confidence: (N,).
        label: (N,) what it is, place in LABELS, -1 where nobody said.
        person: (N,) who it is; every item its own person where that is not known.
        part: (N,) of the corpus, for example "ravdess/3", "valid" or "test".
        key: (N,) the item's file name, text or number.
    """

    modality: str
    probs: Floats
    vad: Floats
    vad_var: Floats
    confidence: Floats
    label: NDArray[np.int64]
    person: NDArray[np.str_]
    part: NDArray[np.str_]
    key: NDArray[np.str_]

    def __len__(self) -> int:
        """How many items."""
        return len(self.label)

    def where(self, chosen: NDArray[np.bool_]) -> "Readings":
        """The chosen items, (N,) bool."""
        names = (field.name for field in fields(self) if field.name != "modality")
        return Readings(self.modality, *(getattr(self, name)[chosen] for name in names))


def read_readings(folder: Path, modality: str) -> Readings:
    """Read <folder>/<modality>.npz.

    Raises:
        BadInput: missing, or not such a file.
    """
    path = folder / f"{modality}.npz"
    if not path.is_file():
        raise BadInput(f"no readings at {path}: make them with the {modality} recognizer first")
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        number = len(arrays["label"])
        part = np.asarray(arrays.get("part", np.full(number, "")), dtype=np.str_)
        if "fold" in arrays:
            corpus = np.asarray(arrays.get("corpus", part), dtype=np.str_)
            folds = np.asarray(arrays["fold"], dtype=np.str_)
            part = np.char.add(np.char.add(corpus, "/"), folds)
        person = arrays.get("speaker", np.arange(number))
        readings = Readings(
            modality,
            probs=arrays["probs"].astype(np.float32),
            vad=arrays["vad"].astype(np.float32),
            vad_var=arrays["vad_var"].astype(np.float32),
            confidence=arrays["confidence"].astype(np.float32),
            label=arrays["label"].astype(np.int64),
            person=np.asarray(person, dtype=np.str_),
            part=part,
            key=np.asarray(arrays.get("key", np.arange(number)), dtype=np.str_),
        )
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"{path} is not a file of readings: {error!r}") from error
    if readings.probs.shape != (number, len(LABELS)):
        raise BadInput(f"{path}: probs must be (N, {len(LABELS)}), got {readings.probs.shape}")
    return readings


def derived(probs: Floats) -> tuple[Floats, Floats]:
    """VAD (N, 3) and its variance (N, 3) of label probabilities (N, 11), as in `Recognizer`."""
    vad = probs @ ANCHORS
    variance = np.maximum(probs @ ANCHORS**2 - vad**2, 0.0) + ANCHOR_SPREAD**2
    return vad.astype(np.float32), variance.astype(np.float32)


def decidedness(probs: Floats, num_labels: int) -> Floats:
    """1 less the entropy of probs (N, 11) as a share of that of `num_labels` equal ones, (N,)."""
    entropy = -(probs * np.log(np.maximum(probs, 1e-12))).sum(axis=1)
    decided: Floats = np.clip(1.0 - entropy / np.log(num_labels), 0.0, 1.0).astype(np.float32)
    return decided
