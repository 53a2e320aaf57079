"""The corruptions of the voice protocol (evaluation.md) and the features of corrupted corpora."""

from pathlib import Path

import numpy as np

from affetto.recognizers.speech.recognizer import SpeechRecognizer
from affetto.train import augment_sound as sound
from affetto.train.data.speech_corpora import Utterance, load_wav
from affetto.train.data.speech_features import Change, Features, extract
from affetto.train.data.speech_folds import Folds

BABBLE_DB = 10.0
KINDS = ("phone", "babble", "room4", "room8", "distance", "shout")
TEXT = {
    "phone": "phone: 300-3,400 Hz, 8 kHz, mu-law",
    "babble": "babble 10 dB, three other speakers of the training side",
    "room4": "room, RT60 0.4 s",
    "room8": "room, RT60 0.8 s",
    "distance": "distance: direct-to-reverberant 0 dB, low-pass 4 kHz",
    "shout": "shouting: F0 x1.3, +6 dB/octave over 1 kHz",
}


def corrupted(
    kind: str, utterances: list[Utterance], folds: Folds, recognizer: SpeechRecognizer, folder: Path
) -> Features:
    """Features of every utterance after one corruption, cached in `folder`."""
    path = folder / f"{kind}_{len(utterances)}.npz"
    return extract(recognizer, len(utterances), change(kind, utterances, folds), path=path)


def change(kind: str, utterances: list[Utterance], folds: Folds) -> Change:
    fold_of = {speaker: number for number, fold in enumerate(folds) for speaker in fold}

    def others(place: int, rng: np.random.Generator) -> list[sound.Sound]:
        corpus = utterances[place].speaker.split("/")[0]
        pool = [
            other
            for other, u in enumerate(utterances)
            if u.speaker.startswith(corpus)
            and fold_of[u.speaker] != fold_of[utterances[place].speaker]
        ]
        found: dict[str, sound.Sound] = {}
        while len(found) < 3:
            chosen = utterances[pool[rng.integers(len(pool))]]
            found.setdefault(chosen.speaker, load_wav(chosen))
        return list(found.values())

    def corrupt(place: int) -> sound.Sound:
        wav = load_wav(utterances[place])
        match kind:
            case "phone":
                return sound.phone(wav)
            case "babble":
                voices = others(place, np.random.default_rng([place, 77]))
                return sound.babble(wav, voices, BABBLE_DB, np.random.default_rng([place, 78]))
            case "room4":
                return sound.room(wav, 0.4, np.random.default_rng([place, 79]))
            case "room8":
                return sound.room(wav, 0.8, np.random.default_rng([place, 80]))
            case "distance":
                return sound.distance(wav, np.random.default_rng([place, 81]))
            case "shout":
                return sound.shout(wav)
        raise ValueError(f"unknown corruption {kind!r}")

    return corrupt
