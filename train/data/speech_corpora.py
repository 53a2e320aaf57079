"""RAVDESS and EMO-DB: acted speech with the emotion that was asked of the actor.

RAVDESS: Livingstone and Russo 2018, 24 actors, two sentences, eight emotions in two strengths.
EMO-DB: Burkhardt et al. 2005, ten German speakers, seven emotions; our copy ends every file after
2 s. Labels are places in the taxonomy `ravdess8`; boredom has none there and is `UNLABELLED`.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.recognizers.independence import check_split
from affetto.recognizers.taxonomy import NATIVE_LABELS

Sound = NDArray[np.float32]
RATE_HZ = 16000
UNLABELLED = -1
RAVDESS_LABELS = NATIVE_LABELS["ravdess8"]
# Words of the tables -> words of the taxonomy; "" has none.
_EMODB_WORDS = {
    "anger": "angry", "boredom": "", "disgust": "disgust", "fear": "fearful",
    "happiness": "happy", "neutral": "neutral", "sadness": "sad",
}  # fmt: skip


@dataclass(frozen=True)
class Utterance:
    """One recording.

    Attributes:
        path: of the sound file.
        label: place in `RAVDESS_LABELS`, or UNLABELLED.
        emotion: the label's word, or "boredom".
        speaker: unique over corpora, such as "ravdess/actor01".
        sex: "F" or "M".
        text: which sentence, unique within the corpus.
        seconds: length.
    """

    path: Path
    label: int
    emotion: str
    speaker: str
    sex: str
    text: str
    seconds: float

    @property
    def key(self) -> str:
        """The file's name without its ending, unique over both corpora."""
        return self.path.stem


def read_ravdess(root: Path) -> list[Utterance]:
    """The 1,440 spoken RAVDESS clips of folder `root`, in the order of its table.

    Raises:
        BadInput: no such table, or an emotion that is unknown.
    """
    return _read(root, "ravdess", {word: word for word in RAVDESS_LABELS} | {"fear": "fearful"})


def read_emodb(root: Path) -> list[Utterance]:
    """The 535 EMO-DB clips of folder `root`, in the order of its table.

    Raises:
        BadInput: no such table, or an emotion that is unknown.
    """
    return _read(root, "emodb", _EMODB_WORDS)


def load_wav(utterance: Utterance) -> Sound:
    """The samples (S,) at 16 kHz, full scale 1.

    Raises:
        BadInput: the file is missing, broken or not 16 kHz mono.
    """
    import soundfile

    try:
        samples, rate = soundfile.read(utterance.path, dtype="float32")
    except (OSError, soundfile.LibsndfileError) as error:
        raise BadInput(f"cannot read {utterance.path}: {error}") from error
    if rate != RATE_HZ or samples.ndim != 1 or not len(samples):
        raise BadInput(
            f"{utterance.path} must be mono at {RATE_HZ} Hz, got {samples.shape} at {rate} Hz"
        )
    wav: Sound = samples
    return wav


def check_speakers(train: Sequence[Utterance], test: Sequence[Utterance]) -> None:
    """Refuse a speaker on both sides, or one recording under two names.

    Raises:
        Dependent: names the speakers or files on both sides.
    """
    check_split((u.speaker for u in train), (u.speaker for u in test), by="speaker")
    check_split((u.key for u in train), (u.key for u in test), by="recording")


def of_speakers(utterances: Iterable[Utterance], speakers: Iterable[str]) -> list[Utterance]:
    """The utterances of the given speakers, order kept."""
    wanted = frozenset(speakers)
    return [utterance for utterance in utterances if utterance.speaker in wanted]


def _read(root: Path, corpus: str, words: dict[str, str]) -> list[Utterance]:
    table = root / "metadata.csv"
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        utterances = [_utterance(row, root, corpus, words) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise BadInput(f"cannot read {corpus} from {table}: {error!r}") from error
    if not utterances:
        raise BadInput(f"{table} holds no utterance")
    return utterances


def _utterance(row: dict[str, str], root: Path, corpus: str, words: dict[str, str]) -> Utterance:
    word = words[row["emotion"]]
    return Utterance(
        path=root / row["file"],
        label=RAVDESS_LABELS.index(word) if word else UNLABELLED,
        emotion=word or row["emotion"],
        speaker=f"{corpus}/{row['speaker']}",
        sex=row["sex"],
        text=row["text"],
        seconds=float(row["seconds"]),
    )
