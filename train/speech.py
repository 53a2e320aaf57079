"""Train the speech recognizer's heads on Whisper states of RAVDESS and EMO-DB.

    affetto train speech data.root=... out=runs/speech

The encoder is fixed; its pooled states of every clip and of varied copies are kept in out/features.
Every speaker is judged once by a head that never heard them; those judgements choose the
temperature and give the figures. The head that is saved then learns from all speakers.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.recognizers.metrics import calibration_error, uar
from affetto.recognizers.speech.head import WORDS, EmotionHead, HeadConfig
from affetto.recognizers.speech.presence import PresenceHead
from affetto.recognizers.speech.recognizer import SpeechRecognizer, config_record
from affetto.recognizers.speech.whisper import load_whisper
from affetto.train.data.presence_examples import not_one_voice
from affetto.train.data.speech_corpora import (
    Utterance,
    check_speakers,
    load_wav,
    read_emodb,
    read_ravdess,
)
from affetto.train.data.speech_features import Features, clean, crowded, extract, varied
from affetto.train.data.speech_folds import Folds, emodb_folds, ravdess_folds
from affetto.train.logistic import fit_logistic, fit_temperature
from affetto.train.metrics_log import log_epoch
from affetto.weights import save_weights

LICENCE = "Non-commercial: RAVDESS is CC BY-NC-SA 4.0, EMO-DB is free for research; Whisper is MIT."


@dataclass
class SpeechData:
    """What to train on.

    Attributes:
        root: folder that holds ravdess/ and emodb/.
        corpora: any of ravdess, emodb.
        every: take each so-manieth clip, 1 for all.
    """

    root: str = "../shared/data"
    corpora: tuple[str, ...] = ("ravdess", "emodb")
    every: int = 1


@dataclass
class SpeechRecipe:
    """The whole run.

    Attributes:
        copies: varied copies of each clip.
        crowded_copies: copies among other voices.
        penalty: of the plain head's weights.
        relative_penalty: of the head that knows the speaker's baseline.
        presence_penalty: of the presence head.
        presence_examples: sounds without one clear voice.
    """

    data: SpeechData = field(default_factory=SpeechData)
    out: str = "runs/speech"
    copies: int = 3
    crowded_copies: int = 1
    penalty: float = 0.3
    relative_penalty: float = 0.5
    presence_penalty: float = 0.05
    presence_examples: int = 700
    steps: int = 60
    seed: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class Corpus:
    """Utterances with their features.

    Attributes:
        utterances: N of them.
        words: (N,) place in WORDS.
        speakers: (N,).
        clean: features (N, F).
        copies: features of varied copies, each (N, F).
        folds: test speakers of each fold.
    """

    utterances: list[Utterance]
    words: Tensor
    speakers: NDArray[np.str_]
    clean: Features
    copies: tuple[Features, ...]
    folds: Folds


def run(config: SpeechRecipe) -> dict[str, float]:
    """Extract, judge out of fold, fit on all, save to out/weights; gives out-of-fold figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    recognizer = SpeechRecognizer(HeadConfig(), load_whisper()).eval()
    corpus = read_corpus(config, recognizer)
    plain, relative = out_of_fold(corpus, config)
    np.savez(out / "out_of_fold.npz", plain=plain.numpy(), relative=relative.numpy())
    corpora = np.asarray([speaker.split("/")[0] for speaker in corpus.speakers])
    head = fit_head(corpus, np.ones(len(corpus.utterances), dtype=bool), config)
    alike = torch.from_numpy(1.0 / np.unique(corpora, return_counts=True)[1])  # a corpus
    share = alike[torch.from_numpy(np.unique(corpora, return_inverse=True)[1])]
    head.get_buffer("temperature").copy_(
        torch.tensor([fit_temperature(found, corpus.words, share) for found in (plain, relative)])
    )
    recognizer.head.load_state_dict(head.state_dict())
    recognizer.presence.load_state_dict(fit_presence(corpus, recognizer, config).state_dict())
    save_weights(
        out / "weights",
        config=config_record(recognizer.config),
        tensors={
            name: value.half() if name.endswith("weight") else value
            for name, value in recognizer.state_dict().items()
        },
        licence=LICENCE,
        commercial=False,
        trained_on=tuple({"ravdess": "RAVDESS", "emodb": "EMO-DB"}[c] for c in config.data.corpora),
    )
    found = {
        f"{kind}_{name}": value
        for kind, logits, place in (("plain", plain, 0), ("relative", relative, 1))
        for name, value in figures(logits / head.get_buffer("temperature")[place], corpus).items()
    }
    log_epoch(out, {"epoch": 0, **found}, cpu_s=0.0)
    return found


def read_corpus(config: SpeechRecipe, recognizer: SpeechRecognizer) -> Corpus:
    """All clips of the corpora with their features, from out/features where they are."""
    root, folder = Path(config.data.root), Path(config.out) / "features"
    readers = {"ravdess": (read_ravdess, ravdess_folds), "emodb": (read_emodb, emodb_folds)}
    utterances: list[Utterance] = []
    folds: Folds = []
    for name in config.data.corpora:
        read, folds_of = readers[name]
        utterances += read(root / name)[:: config.data.every]
        folds += folds_of()
    found = frozenset(utterance.speaker for utterance in utterances)
    folds = [fold for fold in folds if found & frozenset(fold)]
    number = len(utterances)
    kinds = {"copy": (varied, config.copies), "crowded": (crowded, config.crowded_copies)}
    copies = tuple(
        extract(
            recognizer,
            number,
            change(utterances, folds, copy),
            path=folder / f"{kind}{copy}_{number}.npz",
        )
        for kind, (change, count) in kinds.items()
        for copy in range(1, count + 1)
    )
    return Corpus(
        utterances=utterances,
        words=torch.tensor([WORDS.index(u.emotion) for u in utterances]),
        speakers=np.asarray([u.speaker for u in utterances]),
        clean=extract(recognizer, number, clean(utterances), path=folder / f"clean_{number}.npz"),
        copies=copies,
        folds=folds,
    )


def out_of_fold(corpus: Corpus, config: SpeechRecipe) -> tuple[Tensor, Tensor]:
    """Logits (N, K) of every utterance by heads that never heard its speaker: plain, relative."""
    number = len(corpus.utterances)
    plain, relative = torch.zeros(number, len(WORDS)), torch.zeros(number, len(WORDS))
    for fold in corpus.folds:
        test = np.isin(corpus.speakers, fold)
        chosen = [
            [u for u, is_test in zip(corpus.utterances, test, strict=True) if is_test == side]
            for side in (False, True)
        ]
        check_speakers(*chosen)
        head = fit_head(corpus, ~test, config)
        pooled = torch.from_numpy(corpus.clean.pooled[test].astype(np.float32))
        means = speaker_means(corpus)[torch.from_numpy(test)][:, head.get_buffer("columns")]
        with torch.no_grad():
            plain[torch.from_numpy(test)] = head(pooled)
            relative[torch.from_numpy(test)] = head(pooled, means)
    return plain, relative


def fit_head(corpus: Corpus, rows: NDArray[np.bool_], config: SpeechRecipe) -> EmotionHead:
    """A head from the chosen utterances (N,) and their copies; temperatures 1."""
    head = EmotionHead(HeadConfig())
    columns = head.get_buffer("columns")
    parts = (corpus.clean, *corpus.copies)
    pooled = torch.from_numpy(np.concatenate([part.pooled[rows] for part in parts])).float()
    pooled = pooled[:, columns]
    words = corpus.words[torch.from_numpy(rows)]
    center, scale = pooled.mean(dim=0), pooled.std(dim=0) + 1e-4
    own = pooled[: len(words)] - speaker_means(corpus)[torch.from_numpy(rows)][:, columns]
    matrix, biases = fit_logistic(
        pooled.sub_(center).div_(scale),
        words.repeat(len(parts)),
        num_labels=len(WORDS),
        penalty=config.penalty,
        steps=config.steps,
    )
    relative_scale = own.std(dim=0) + 1e-4
    relative_matrix, relative_biases = fit_logistic(
        own / relative_scale,
        words,
        num_labels=len(WORDS),
        penalty=config.relative_penalty,
        steps=config.steps,
    )
    with torch.no_grad():
        head.plain.weight.copy_(matrix)
        head.plain.bias.copy_(biases)
        head.relative.weight.copy_(relative_matrix)
        head.relative.bias.copy_(relative_biases)
        head.get_buffer("center").copy_(center)
        head.get_buffer("scale").copy_(scale)
        head.get_buffer("relative_scale").copy_(relative_scale)
    return head.requires_grad_(False).eval()


def speaker_means(corpus: Corpus) -> Tensor:
    """(N, F) each utterance's speaker's mean clean features."""
    pooled = torch.from_numpy(corpus.clean.pooled).float()
    means = torch.zeros_like(pooled)
    for speaker in np.unique(corpus.speakers):
        rows = torch.from_numpy(corpus.speakers == speaker)
        means[rows] = pooled[rows].mean(dim=0)
    return means


def fit_presence(
    corpus: Corpus, recognizer: SpeechRecognizer, config: SpeechRecipe
) -> PresenceHead:
    """Voices and their copies against sounds without one clear voice."""
    voices = [
        [load_wav(u) for u in corpus.utterances if u.speaker == speaker][:20]
        for speaker in np.unique(corpus.speakers)
    ]
    sounds, _ = not_one_voice(voices, count=config.presence_examples, seed=config.seed)
    absent = extract(
        recognizer,
        len(sounds),
        lambda place: sounds[place],
        path=Path(config.out) / "features" / f"absent_{len(sounds)}_{config.seed}.npz",
    )
    present = (corpus.clean, *corpus.copies)
    pooled = torch.from_numpy(
        np.concatenate([absent.pooled, *(part.pooled for part in present)])
    ).float()
    targets = (torch.arange(len(pooled)) >= len(sounds)).long()
    head = PresenceHead()
    center, scale = pooled.mean(dim=0), pooled.std(dim=0) + 1e-4
    matrix, biases = fit_logistic(
        (pooled - center) / scale,
        targets,
        num_labels=2,
        penalty=config.presence_penalty,
        steps=config.steps,
    )
    with torch.no_grad():
        head.linear.weight.copy_(matrix[1:] - matrix[:1])
        head.linear.bias.copy_(biases[1:] - biases[:1])
        head.get_buffer("center").copy_(center)
        head.get_buffer("scale").copy_(scale)
    return head.requires_grad_(False).eval()


def figures(logits: Tensor, corpus: Corpus) -> dict[str, float]:
    """Unweighted recall and calibration error of each corpus among the words it holds."""
    found = {}
    names = np.asarray([speaker.split("/")[0] for speaker in corpus.speakers])
    for name in np.unique(names):
        rows = torch.from_numpy(names == name)
        wanted = corpus.words[rows]
        held = torch.unique(wanted)
        probs = logits[rows][:, held].softmax(dim=-1).numpy()
        places = torch.searchsorted(held, wanted).numpy()
        found[f"{name}_uar"] = uar(places, probs.argmax(axis=1))
        found[f"{name}_ece"] = calibration_error(places, probs)
    return found
