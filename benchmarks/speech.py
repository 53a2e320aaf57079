"""The speech recognizer: RAVDESS and EMO-DB by unseen speakers, across corpora, corrupted, with a baseline.

Run: python benchmarks/speech.py [--data ../shared/data] [--run runs/speech]

Needs the run of `affetto train speech` for its features and its judgements out of fold. Also writes
runs/readings/voice.npz and voice_pooled.npz: what the shipped recipe says of every utterance of a
speaker it never heard.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from speech_corrupted import KINDS, TEXT, corrupted
from torch import Tensor

from affetto.recognizers.metrics import bootstrap, calibration_error, confusion, uar
from affetto.recognizers.speech.head import WORDS, HeadConfig
from affetto.recognizers.speech.pooling import NUM_FEATURES
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech
from affetto.recognizers.speech.whisper import NUM_STATES
from affetto.recognizers.taxonomy import matrix
from affetto.train.augment_sound import gain
from affetto.train.data.speech_corpora import check_speakers, load_wav
from affetto.train.data.speech_folds import emodb_folds, inner_folds, ravdess_folds
from affetto.train.logistic import fit_logistic, fit_temperature
from affetto.train.speech import Corpus, SpeechData, SpeechRecipe, read_corpus, speaker_means

SHIPPED_STATES = range(HeadConfig().first_state, HeadConfig().first_state + HeadConfig().num_states)
PENALTIES = (0.1, 0.3, 1.0)
NUM_INNER = 3
ENROLMENT, DRAWS = 5, 5
SHARED = ("neutral", "happy", "sad", "angry", "fearful", "disgust")
SHARED_PLACES = [WORDS.index(word) for word in SHARED]
FOLDS = {"ravdess": ravdess_folds(), "emodb": emodb_folds()}
NAMES = {
    "ravdess": "RAVDESS, 8 classes, 6 folds",
    "emodb": "EMO-DB, 7 classes, leave one speaker out",
}
PRIOR_CLIPS = 1.0
Rows = NDArray[np.bool_]


@dataclass
class Judged:
    """Logits (N, 9) of each kind of sound, of the voice's own baseline, and a shuffled control."""

    plain: dict[str, Tensor]
    running: Tensor
    enrolled: list[Tensor]
    enrolled_rows: list[Rows]
    shuffled: Tensor
    penalties: list[float]
    temperature: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = load_speech()
    config = SpeechRecipe(data=SpeechData(root=str(given.data)), out=str(given.run))
    corpus = read_corpus(config, recognizer)
    joint = {
        name: torch.from_numpy(values)
        for name, values in np.load(given.run / "out_of_fold.npz").items()
    }
    save_readings(corpus, joint["plain"], recognizer, Path("runs/readings"))
    sounds = {"clean": corpus.clean.pooled} | {
        kind: corrupted(
            kind, corpus.utterances, corpus.folds, recognizer, given.run / "features"
        ).pooled
        for kind in KINDS
    }
    of = np.asarray([speaker.split("/")[0] for speaker in corpus.speakers])
    judged = {name: within(corpus, of == name, sounds, FOLDS[name]) for name in FOLDS}
    body = report(corpus, of, judged, joint, recognizer, across(corpus, of), config)
    write_result(
        "speech",
        body,
        command="affetto train speech && python benchmarks/speech.py --data ../shared/data",
    )


def within(
    corpus: Corpus,
    inside: Rows,
    sounds: dict[str, NDArray[np.float16]],
    folds: list[tuple[str, ...]],
) -> Judged:
    """Every utterance of one corpus by heads trained on that corpus's other speakers alone."""
    number = len(corpus.speakers)

    def empty() -> Tensor:
        return torch.zeros(number, len(WORDS))

    judged = Judged(
        {kind: empty() for kind in sounds}, empty(), [empty() for _ in range(DRAWS)],
        [inside.copy() for _ in range(DRAWS)], empty(), [], torch.ones(number),
    )  # fmt: skip
    for fold in folds:
        test = inside & np.isin(corpus.speakers, fold)
        train = inside & ~test
        check_speakers(
            *([corpus.utterances[i] for i in np.flatnonzero(side)] for side in (train, test))
        )
        penalty, temperature = chosen(corpus, train)
        head = Head(corpus, train, penalty, copies=True)
        control = Head(corpus, train, penalty, copies=False, shuffle=True)
        for kind, pooled in sounds.items():
            judged.plain[kind][test] = head(pooled[test])
        judged.shuffled[test] = control(sounds["clean"][test])
        judged.penalties.append(penalty)
        judged.temperature[test] = temperature
        with_baseline(corpus, train, test, penalty, judged)
    return judged


class Head:
    """A linear head as in the recipe, on one corpus."""

    def __init__(
        self, corpus: Corpus, rows: Rows, penalty: float, *, copies: bool, shuffle: bool = False,
        words: Tensor | None = None, states: range = SHIPPED_STATES,
    ) -> None:  # fmt: skip
        width = np.arange(NUM_FEATURES).reshape(2, NUM_STATES, -1)
        self.columns = width[:, list(states)].ravel()
        parts = (corpus.clean, *corpus.copies) if copies else (corpus.clean,)
        pooled = torch.from_numpy(
            np.concatenate([part.pooled[rows][:, self.columns] for part in parts])
        ).float()
        targets = (corpus.words if words is None else words)[torch.from_numpy(rows)]
        if shuffle:
            targets = targets[torch.from_numpy(np.random.default_rng(0).permutation(len(targets)))]
        self.center, self.scale = pooled.mean(dim=0), pooled.std(dim=0) + 1e-4
        self.weight, self.bias = fit_logistic(
            pooled.sub_(self.center).div_(self.scale),
            targets.repeat(len(parts)),
            num_labels=len(WORDS),
            penalty=penalty,
        )

    def __call__(self, pooled: NDArray[np.float16]) -> Tensor:
        scaled = (torch.from_numpy(pooled[:, self.columns]).float() - self.center) / self.scale
        return (scaled @ self.weight.T + self.bias).log_softmax(dim=1)


def chosen(corpus: Corpus, train: Rows) -> tuple[float, float]:
    """Penalty and temperature by folds of speakers inside the training side, clean clips."""
    logits = {penalty: torch.zeros(len(train), len(WORDS)) for penalty in PENALTIES}
    for fold in inner_folds(corpus.speakers[train].tolist(), num=NUM_INNER):
        held = train & np.isin(corpus.speakers, fold)
        for penalty in PENALTIES:
            logits[penalty][held] = Head(corpus, train & ~held, penalty, copies=False)(
                corpus.clean.pooled[held]
            )
    rows = torch.from_numpy(train)
    wanted = corpus.words[rows]
    scores = {p: uar(wanted, found[rows].argmax(dim=1)) for p, found in logits.items()}
    best = max(PENALTIES, key=lambda p: scores[p])
    return best, fit_temperature(logits[best][rows], wanted)


def with_baseline(corpus: Corpus, train: Rows, test: Rows, penalty: float, judged: Judged) -> None:
    """The head on features less the speaker's mean: what was heard so far, or five clips."""
    columns = HeadConfig().columns()
    pooled = torch.from_numpy(corpus.clean.pooled).float()[:, columns]
    own = (pooled - speaker_means(corpus)[:, columns])[torch.from_numpy(train)]
    scale = own.std(dim=0) + 1e-4
    weight, bias = fit_logistic(
        own / scale, corpus.words[torch.from_numpy(train)], num_labels=len(WORDS), penalty=penalty
    )
    prior = pooled[torch.from_numpy(train)].mean(dim=0)

    def judge(features: Tensor, mean: Tensor) -> Tensor:
        return (((features - mean) / scale) @ weight.T + bias).log_softmax(dim=1)

    for speaker in np.unique(corpus.speakers[test]):
        rows = np.flatnonzero(corpus.speakers == speaker)
        order = np.random.default_rng(0).permutation(rows)
        heard = pooled[order].cumsum(dim=0)
        counts = torch.arange(1, len(order) + 1)[:, None]
        means = (heard + PRIOR_CLIPS * prior) / (counts + PRIOR_CLIPS)
        judged.running[order] = judge(pooled[order], means)
        for draw in range(DRAWS):
            enrolled = np.random.default_rng([draw, 1]).choice(rows, ENROLMENT, replace=False)
            judged.enrolled_rows[draw][enrolled] = False
            mean = (pooled[enrolled].sum(dim=0) + PRIOR_CLIPS * prior) / (ENROLMENT + PRIOR_CLIPS)
            judged.enrolled[draw][rows] = judge(pooled[rows], mean)


def across(corpus: Corpus, of: NDArray[np.str_]) -> list[str]:
    """Trained on RAVDESS (calm = neutral), tested on EMO-DB's six shared classes."""
    words = corpus.words.clone()
    words[words == WORDS.index("calm")] = WORDS.index("neutral")
    shared = np.isin(words.numpy(), [WORDS.index(word) for word in SHARED])
    train, test = of == "ravdess", shared & (of == "emodb")
    runs = [
        range(first, last)
        for first in range(NUM_STATES)
        for last in range(first + 1, NUM_STATES + 1)
    ]
    inner = {run: unseen_sentence(corpus, train, words, run) for run in runs}
    best = max(runs, key=lambda run: inner[run])
    assert best == SHIPPED_STATES, best
    lines = [
        "| head | unseen sentence and actors within RAVDESS, UAR of 7 | EMO-DB, UAR of 6 | recalls "
        + " / ".join(SHARED)
        + " |",
        "| --- | --- | --- | --- |",
    ]
    for text, run, shuffle in (
        (
            f"**states {best.start} to {best.stop - 1}, chosen by the second column, as shipped**",
            best,
            False,
        ),
        ("same, labels shuffled", best, True),
        ("all five states", range(NUM_STATES), False),
    ):
        head = Head(corpus, train, 0.3, copies=True, shuffle=shuffle, words=words, states=run)
        logits = head(corpus.clean.pooled[test])[:, SHARED_PLACES]
        got = np.asarray(SHARED_PLACES)[logits.argmax(dim=1).numpy()]
        wanted = words.numpy()[test]
        recalls = [f"{100 * (got[wanted == place] == place).mean():.0f}" for place in SHARED_PLACES]
        chosen_by = "" if shuffle else f"{100 * inner[run]:.1f}"
        lines.append(
            f"| {text} | {chosen_by} | {score(wanted, got, corpus.speakers[test])} | {' / '.join(recalls)} |"
        )
    ranked = sorted(runs, key=lambda run: -inner[run])[:5]
    told = ", ".join(f"{run.start}-{run.stop - 1} {100 * inner[run]:.1f}" for run in ranked)
    return [*lines, "", f"Best runs of states by the second column: {told}."]


def unseen_sentence(corpus: Corpus, train: Rows, words: Tensor, states: range) -> float:
    """UAR on one of RAVDESS's two sentences by actors not heard, heads from the other sentence."""
    texts = np.asarray([u.text for u in corpus.utterances])
    wanted, got = [], []
    for text in np.unique(texts[train]):
        for fold in ravdess_folds():
            held = train & np.isin(corpus.speakers, fold)
            learned, judged = train & ~held & (texts != text), held & (texts == text)
            head = Head(corpus, learned, 0.3, copies=True, words=words, states=states)
            got.append(head(corpus.clean.pooled[judged]).argmax(dim=1).numpy())
            wanted.append(words.numpy()[judged])
    return uar(np.concatenate(wanted), np.concatenate(got))


def score(wanted: NDArray[np.int64], got: NDArray[np.int64], speakers: NDArray[np.str_]) -> str:
    low, high = bootstrap(uar, wanted, got, groups=speakers)
    return f"{100 * uar(wanted, got):.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def report(
    corpus: Corpus, of: NDArray[np.str_], judged: dict[str, Judged], joint: dict[str, Tensor],
    recognizer: SpeechRecognizer, across_lines: list[str], config: SpeechRecipe,
) -> str:  # fmt: skip
    lines = [
        "# Speech emotion",
        "",
        "Every utterance is judged once by a head that never heard its speaker (checked by name and by file). UAR in %, in",
        "brackets the 95 % interval over speakers (bootstrap, 1000 draws, no retraining). 'Within': trained on that corpus alone,",
        f"{config.copies} varied copies and {config.crowded_copies} among voices of each training clip; penalty from {PENALTIES} and temperature chosen by {NUM_INNER} speaker folds",
        "inside the training side. 'Joint': the shipped recipe, both corpora, its fixed penalty, out of fold. The shape of the",
        "recipe (pooled mean and deviation of three states, linear, number of copies) was settled while looking at these same",
        "corpora, so a point of optimism remains. Context rule: real length + 0.5 s. One seed; the fits are convex.",
    ]
    for name, text in NAMES.items():
        lines += corpus_lines(name, text, corpus, of == name, judged[name], joint, recognizer)
    lines += [
        "",
        "## Across corpora: trained on RAVDESS, tested on EMO-DB (454 clips, 6 classes, chance 16.7)",
        "",
    ]
    lines += [
        *across_lines,
        "",
        "RAVDESS's surprise is learned but is no answer here. Penalty 0.3 in all rows. The states were chosen among all runs of neighbours by a",
        "sentence and actors that a head has not heard, inside RAVDESS; nothing of the target is used, no feature scaling either. (Earlier trials",
        "looked at the target: runs with states 1 and 2 reach 58-60 there, but the source does not choose them.)",
        "",
    ]
    lines += gain_lines(corpus, recognizer)
    return "\n".join(lines)


def corpus_lines(
    name: str, text: str, corpus: Corpus, inside: Rows, judged: Judged, joint: dict[str, Tensor],
    recognizer: SpeechRecognizer,
) -> list[str]:  # fmt: skip
    words = corpus.words.numpy()
    held = np.unique(words[inside])
    temperatures = recognizer.head.get_buffer("temperature")

    def row(title: str, logits: Tensor, rows: Rows, temperature: Tensor | None = None) -> str:
        kept = logits[torch.from_numpy(rows)][:, held]
        if temperature is not None:
            kept = kept / temperature
        places = np.searchsorted(held, words[rows])
        got = kept.argmax(dim=1).numpy()
        ece = "" if temperature is None else f"{calibration_error(places, kept.softmax(dim=1)):.3f}"
        per_fold = [
            f"{100 * uar(places[part], got[part]):.1f}"
            for fold in FOLDS[name]
            if (part := np.isin(corpus.speakers[rows], fold)).any()
        ]
        return f"| {title} | {score(places, got, corpus.speakers[rows])} | {' '.join(per_fold)} | {ece} |"

    own = judged.temperature[torch.from_numpy(inside)][:, None]
    constant = torch.zeros(len(words), len(WORDS))
    lines = ["", f"## {text}", "", "| head | UAR | each fold | ECE |", "| --- | --- | --- | --- |"]
    lines += [
        row("**within**", judged.plain["clean"], inside, own),
        row("joint (shipped recipe)", joint["plain"], inside, temperatures[0]),
        row(
            "within, running baseline (clips in random order, itself included)",
            judged.running,
            inside,
        ),
        *(
            row(f"within, {ENROLMENT} enrolment clips of any mood, draw {n}", logits, rows)
            for n, (logits, rows) in enumerate(
                zip(judged.enrolled, judged.enrolled_rows, strict=True)
            )
        ),
        row(
            "joint, baseline of all the speaker's clips", joint["relative"], inside, temperatures[1]
        ),
        row("within, labels shuffled", judged.shuffled, inside),
        row("constant", constant, inside),
        *(row(f"within, {TEXT[kind]}", judged.plain[kind], inside) for kind in KINDS),
    ]
    got = judged.plain["clean"][torch.from_numpy(inside)][:, held].argmax(dim=1).numpy()
    table = confusion(np.searchsorted(held, words[inside]), got, len(held))
    heads = [WORDS[place] for place in held]
    lines += [
        "",
        f"Penalties chosen: {judged.penalties}. Confusions ('within', rows are what was acted):",
        "",
    ]
    lines += [f"| | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    lines += [
        f"| {head} | {' | '.join(map(str, counts))} |"
        for head, counts in zip(heads, table.tolist(), strict=True)
    ]
    return lines


def gain_lines(corpus: Corpus, recognizer: SpeechRecognizer) -> list[str]:
    """Through the shipped recognizer: does the level matter at all?"""
    clips = [load_wav(utterance) for utterance in corpus.utterances[::40]]
    lines = []
    for gain_db in (-12.0, 12.0):
        changed, most = 0, 0.0
        for wav in clips:
            pair = [
                recognizer.read(torch.from_numpy(sound)[None]).native[0]
                for sound in (wav, gain(wav, gain_db))
            ]
            changed += int(pair[0].argmax() != pair[1].argmax())
            most = max(most, float((pair[0] - pair[1]).abs().max()))
        lines.append(
            f"Gain {gain_db:+g} dB, every 40th clip ({len(clips)}): {changed} labels change, "
            f"largest change of a probability {most:.1e}."
        )
    return ["## Level", "", *lines]


def save_readings(
    corpus: Corpus, logits: Tensor, recognizer: SpeechRecognizer, folder: Path
) -> None:
    """What the recipe says of speakers it never heard, in the form that other recipes read."""
    clean = corpus.clean
    pooled = torch.from_numpy(clean.pooled).float()
    presence = recognizer.presence(
        pooled, torch.from_numpy(clean.level), torch.from_numpy(clean.lengths)
    )
    reading = recognizer.judged(logits / recognizer.head.get_buffer("temperature")[0], presence)
    canonical = matrix("ravdess8").argmax(axis=1)
    fold = np.zeros(len(logits), np.int64)
    for number, speakers in enumerate(corpus.folds):
        fold[np.isin(corpus.speakers, speakers)] = number
    keys = np.asarray([u.key for u in corpus.utterances])
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "voice.npz",
        logits=reading.logits.numpy(),
        probs=reading.probs.numpy(),
        vad=reading.vad.numpy(),
        vad_var=reading.vad_var.numpy(),
        confidence=reading.confidence.numpy(),
        label=np.asarray([canonical[u.label] if u.label >= 0 else -1 for u in corpus.utterances]),
        speaker=corpus.speakers,
        sex=np.asarray([u.sex for u in corpus.utterances]),
        corpus=np.asarray([u.speaker.split("/")[0] for u in corpus.utterances]),
        fold=fold,
        key=keys,
    )
    np.savez(folder / "voice_pooled.npz", features=clean.pooled.astype(np.float32), key=keys)


if __name__ == "__main__":
    main()
