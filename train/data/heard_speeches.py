"""Speeches as the motion side hears them, made of short recordings, kept on disk between runs.

Corpora of acted speech hold single sentences of a second or two; a speaker's sentences, in random
order and with pauses between them, make speeches as long as a portrait's. Synthesized ones are
spoken by flite (Black and Lenzo 2001) and are nobody's voice to protect: `synthesized` says phrases
as the voice says them, `varied` sentences, phrases and random words of the pronouncing dictionary,
each faster or slower, higher or lower. Letters: S samples, T steps at 50 Hz.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.phones import SpokenPhone, SpokenPhones
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.gen.portrait.hearing import listen
from affetto.train.data.speech_corpora import Utterance, load_wav, read_emodb, read_ravdess
from affetto.train.data.synthesized_speech import (
    SENTENCES,
    USUAL_PITCH_HZ,
    WORDS_IN_A_LIST,
    dictionary_words,
    synthesize,
)

Sound = NDArray[np.float32]

CORPORA = ("ravdess", "emodb", "synthesized", "varied")
SYNTHESIZED = ("synthesized", "varied")  # nobody's voice, nobody's data
RATE_HZ = 16000
LENGTH_S = 9.0  # about, of a speech
PAUSES_S = (0.08, 0.9)
EDGES_S = (0.0, 0.6)
VOICES = ("slt", "rms", "awb", "kal16")
PHRASES = Path(__file__).parent / "phrases.csv"
STRETCHES, PITCHES = (0.8, 1.35), (0.8, 1.25)  # of `varied` speech, over the voice's own
Sentence = Callable[[np.random.Generator], Sound]


@dataclass(frozen=True)
class Speech:
    """A speech as heard.

    Attributes:
        name: unique.
        speaker: by whom speeches are split.
        states: (T, 384) float16 Whisper states.
        prosody: (T, 4) float32.
        phones: with times.
    """

    name: str
    speaker: str
    states: NDArray[np.float16]
    prosody: NDArray[np.float32]
    phones: SpokenPhones


def read_speeches(
    root: Path,
    folder: Path,
    corpora: Sequence[str],
    *,
    per_speaker: int,
    per_voice: int,
    num_speakers: int = 0,
    leave_out: tuple[str, ...] = (),
    clean: bool = False,
) -> Iterator[Speech]:
    """Hear the corpora's speeches, speaker by speaker in turn; those in `folder` are not made anew.

    Args:
        root: of the data.
        folder: where they are kept.
        corpora: names in `CORPORA`.
        per_speaker: speeches of each recorded speaker.
        per_voice: speeches of each synthesized voice, which has more sentences to say.
        num_speakers: of each corpus, the last ones; 0 is all.
        leave_out: beginnings of the names of speakers that are not even heard.
        clean: see `affetto.gen.portrait.hearing.listen`; such speeches want a folder of their own.

    Raises:
        BadInput: an unknown corpus.
    """
    unknown = sorted(set(corpora) - set(CORPORA))
    if unknown:
        raise BadInput(f"unknown corpora {', '.join(unknown)}: there are {', '.join(CORPORA)}")
    folder.mkdir(parents=True, exist_ok=True)
    speakers = []
    for corpus in corpora:
        known = [one for one in _speakers(root, corpus) if not one[0].startswith(leave_out)]
        speakers += known[-num_speakers:]
    for number in range(max(per_speaker, per_voice)):
        for speaker, sentences in speakers:
            if number >= (per_voice if speaker.startswith(SYNTHESIZED) else per_speaker):
                continue
            name = f"{speaker.replace('/', '_')}_{number:03d}"
            path = folder / f"{name}.npz"
            if not path.exists():
                wav = joined(sentences, rng=np.random.default_rng([number, len(sentences)]))
                with staged_file(path) as staged, staged.open("wb") as file:
                    np.savez(file, **heard(wav, clean=clean))  # type: ignore[arg-type]
            with np.load(path) as kept:
                yield spoken(kept, name, speaker)


def _speakers(root: Path, corpus: str) -> list[tuple[str, list[Sentence]]]:
    """Each speaker's name and sentences, each a function that gives its sound."""
    if corpus == "synthesized":
        return [
            (f"synthesized/{voice}", [partial(_said, text=text, voice=voice) for text in phrases()])
            for voice in VOICES
        ]
    if corpus == "varied":
        return [(f"varied/{voice}", [partial(varied, voice=voice)]) for voice in VOICES]
    found = read_ravdess(root / corpus) if corpus == "ravdess" else read_emodb(root / corpus)
    names = list(dict.fromkeys(one.speaker for one in found))
    return [
        (name, [partial(_recorded, one=one) for one in found if one.speaker == name])
        for name in names
    ]


def phrases() -> list[str]:
    """Our own English phrases of three words or more."""
    with PHRASES.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["language"] == "en"]
    return [row["text"] for row in rows if len(row["text"].split()) > 2]


def varied(rng: np.random.Generator, *, voice: str) -> Sound:
    """(S,) at 16 kHz: a sentence, a phrase or a list of words, with a rate and pitch of its own."""
    kind = int(rng.integers(3))
    if kind == 2:
        text = " ".join(rng.choice(dictionary_words(), int(rng.integers(*WORDS_IN_A_LIST)))) + "."
    else:
        text = str(rng.choice(np.array((SENTENCES, phrases())[kind])))
    pitch_hz = USUAL_PITCH_HZ[voice] * float(rng.uniform(*PITCHES))
    stretch = float(rng.uniform(*STRETCHES))
    return synthesize(text, voice=voice, key="", stretch=stretch, pitch_hz=pitch_hz).wav


def _said(_: np.random.Generator, *, text: str, voice: str) -> Sound:
    return synthesize(text, voice=voice, key="", stretch=None).wav


def _recorded(_: np.random.Generator, *, one: Utterance) -> Sound:
    return load_wav(one)


def joined(sentences: Sequence[Sentence], *, rng: np.random.Generator) -> Sound:
    """(S,) sentences drawn in random order, brought to one level, with pauses, `LENGTH_S` long."""
    level = rng.uniform(0.03, 0.12)
    parts = [_silence(rng.uniform(*EDGES_S))]
    while sum(len(part) for part in parts) < LENGTH_S * RATE_HZ:
        wav = sentences[int(rng.integers(len(sentences)))](rng)
        loud = float(np.sqrt(np.mean(wav.astype(np.float64) ** 2)))
        parts += [wav * np.float32(level / max(loud, 1e-4)), _silence(rng.uniform(*PAUSES_S))]
    return np.concatenate(parts)


def _silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def heard(wav: Sound, *, clean: bool = False) -> dict[str, NDArray[np.generic]]:
    """What is kept of a speech: arrays for a .npz, see `spoken`."""
    known = listen(wav, clean=clean)
    return {
        "states": known.conditions["speech"].values[0].numpy().astype(np.float16),
        "prosody": known.conditions["prosody"].values[0].numpy(),
        "symbols": np.array([phone.symbol for phone in known.phones], dtype=np.str_),
        "times": np.array([phone[1:] for phone in known.phones], dtype=np.float32).reshape(-1, 3),
    }


def spoken(kept: Mapping[str, NDArray[np.generic]], name: str, speaker: str) -> Speech:
    """The speech from the arrays of `heard`."""
    phones = tuple(
        SpokenPhone(str(symbol), *(float(value) for value in row))
        for symbol, row in zip(kept["symbols"], kept["times"], strict=True)
    )
    states, prosody = kept["states"].astype(np.float16), kept["prosody"].astype(np.float32)
    return Speech(name, speaker, states, prosody, phones)
