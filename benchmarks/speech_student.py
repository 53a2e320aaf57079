"""The tiny speech student on RAVDESS, six folds of unseen actors: float, 8 bit, teacher, controls.

Run: python benchmarks/speech_student.py [--data ../shared/data] [--runs runs/speech_student]

Trains the folds that have no weights yet under --runs (about 3 CPU minutes each). The teacher's
readings are those of runs/readings/voice.npz where the speech recognizer's training left them,
else a linear head on Whisper's pooled states, fitted on each fold's training side.
"""

import argparse
import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from torch import Tensor

from affetto.config import load_config
from affetto.emotion_bank.bank import ANCHORS
from affetto.recognizers.metrics import bootstrap, calibration_error, ccc, confusion, uar
from affetto.recognizers.speech.onnx_export import ONNX_FILE, OnnxStudent, export_onnx
from affetto.recognizers.speech.student import SpeechStudent, load_student
from affetto.recognizers.taxonomy import matrix
from affetto.train.augment_sound import babble, phone
from affetto.train.data.speech_corpora import RAVDESS_LABELS, Sound, Utterance, load_wav
from affetto.train.data.speech_folds import ravdess_folds
from affetto.train.speech_student import StudentRecipe, fit, read_clips
from affetto.train.student_lessons import Lessons, fit_head, prepare_lessons, sample_axes
from affetto.weights import load_weights

Double = NDArray[np.float64]
CONFIG = Path(__file__).parents[1] / "train" / "configs" / "speech_student.yaml"
FOLDS = range(1, 7)
NUM_CALIBRATION = 100
SHUFFLED_EPOCHS = 6
QUOTED = {"eGeMAPS + RBF-SVM": 48.5, "ComParE + RBF-SVM": 55.7}  # facts/recognizer-trials.md
WAYS = ("clean", "phone", "babble 10 dB")


@dataclass
class Scores:
    """Logits (N, 8) by row name over all tested clips, folds one after another."""

    labels: NDArray[np.int64]
    speakers: NDArray[np.str_]
    folds: NDArray[np.int64]
    logits: dict[str, Double]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/speech_student"))
    parser.add_argument("--readings", type=Path, default=Path("runs/readings/voice.npz"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    words = [f"data.root={given.data}", f"cache={given.runs / 'cache'}"]
    config = load_config(StudentRecipe, CONFIG, words)
    clips = read_clips(config)
    lessons = prepare_lessons(
        clips, config.student.front_end, num_copies=config.num_copies, cache=Path(config.cache)
    )
    scores, sizes = judge(config, clips, lessons, given.runs)
    teacher = read_teacher(given.readings, clips, scores, lessons)
    write_result(
        "speech_student",
        report(scores, sizes, teacher, config, shuffled(config, clips, lessons, given.runs)),
        command="python benchmarks/speech_student.py --data ../shared/data",
        packages=("torch", "numpy", "onnxruntime"),
    )


def judge(
    config: StudentRecipe, clips: list[Utterance], lessons: Lessons, runs: Path
) -> tuple[Scores, dict[str, float]]:
    """Every fold's net on its own strangers, trained first where needed."""
    labels, speakers, folds, found = [], [], [], []
    sizes: dict[str, float] = {}
    for fold in FOLDS:
        held = ravdess_folds()[fold - 1]
        train = [row for row, clip in enumerate(clips) if clip.speaker not in held]
        test = [row for row, clip in enumerate(clips) if clip.speaker in held]
        out = runs / f"fold{fold}"
        if not (out / "weights").is_dir():
            wanted = dataclasses.replace(config, fold=fold, out=str(out))
            fit(wanted, lessons.of(train), lessons.of(test))
        student = load_student(out / "weights")
        sounds = [load_wav(clips[row]) for row in test]
        calibration = [load_wav(clips[row]) for row in train[:: len(train) // NUM_CALIBRATION]]
        rng = np.random.default_rng(fold)
        crowd = [load_wav(clips[row]) for row in rng.choice(train, 60, replace=False)]
        logits = {way: said(student, disturbed(sounds, way, crowd, rng)) for way in WAYS}
        size = export_onnx(student, out / ONNX_FILE, sounds=calibration)
        session = OnnxStudent(out / ONNX_FILE)
        logits["int8"] = np.stack([session.logits(sound) for sound in sounds]).astype(np.float64)
        logits["statistics"] = statistics_logits(lessons, train, test)
        sizes = {"bytes": max(size, sizes.get("bytes", 0.0)), **speeds(student, session)}
        labels += [clips[row].label for row in test]
        speakers += [clips[row].speaker for row in test]
        folds += [fold] * len(test)
        found.append(logits)
    joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    return Scores(np.asarray(labels), np.asarray(speakers), np.asarray(folds), joined), sizes


@torch.no_grad()
def said(student: SpeechStudent, sounds: list[Sound]) -> Double:
    """(N, 8) logits, each clip on its own, as a user would ask."""
    rows = [student.read(torch.from_numpy(sound)[None]).logits[0] for sound in sounds]
    return torch.stack(rows).double().numpy()


def disturbed(
    sounds: list[Sound], way: str, crowd: list[Sound], rng: np.random.Generator
) -> list[Sound]:
    """The corrupted protocol's ways that a student of this size may be asked for."""
    changed = []
    for sound in sounds:
        voices = [crowd[place] for place in rng.choice(len(crowd), 3, replace=False)]
        match way:
            case "phone":
                changed.append(phone(sound))
            case "babble 10 dB":
                changed.append(babble(sound, voices, 10.0, rng))
            case _:
                changed.append(sound)
    return changed


def statistics_logits(lessons: Lessons, train: list[int], test: list[int]) -> Double:
    """The baseline: mean, deviation and change of each log-mel band, linear head."""
    clean = lessons.mel[:, 0].float()
    rows = []
    for picture, length in zip(clean, lessons.lengths, strict=True):
        sound = picture[:, :length]
        rows.append(torch.cat([sound.mean(1), sound.std(1), sound.diff(dim=1).std(1)]))
    inputs = torch.stack(rows)
    inputs = (inputs - inputs[train].mean(dim=0)) / inputs[train].std(dim=0)
    chosen = [row for row in train if lessons.labels[row] >= 0]
    weight, bias = fit_head(inputs[chosen], lessons.labels[chosen], penalty=1e-2)
    return (inputs[test] @ weight + bias).double().numpy()


def speeds(
    student: SpeechStudent, session: OnnxStudent, *, seconds: float = 5.0
) -> dict[str, float]:
    """Times real time on one core, by CPU time, best of ten."""
    sound = np.random.default_rng(0).normal(0, 0.05, int(seconds * 16000)).astype(np.float32)
    wav = torch.from_numpy(sound)[None]

    def best(call: object) -> float:
        times = []
        for _ in range(10):
            start = time.process_time()
            call()  # type: ignore[operator]
            times.append(time.process_time() - start)
        return seconds / min(times)

    with torch.no_grad():
        return {
            "torch": best(lambda: student.read(wav)),
            "onnx": best(lambda: session.logits(sound)),
            "parameters": float(sum(p.numel() for p in student.parameters())),
        }


def read_teacher(
    path: Path, clips: list[Utterance], scores: Scores, lessons: Lessons
) -> tuple[str, Double]:
    """Where the teacher's probabilities come from, and they (N, 8), of heads that are strangers."""
    tested = [row for fold in FOLDS for row in rows_of(clips, fold)]
    if path.is_file():
        with np.load(path) as table:
            place = {str(key): number for number, key in enumerate(table["key"])}
            logits = table["logits"][[place[clips[row].key] for row in tested]]
        source = "the speech recognizer's head, out-of-fold, calibrated"
        return source, softmax(logits.astype(np.float64))
    axes = sample_axes(lessons.pooled)
    parts = []
    for fold in FOLDS:
        test = rows_of(clips, fold)
        train = [row for row in range(len(clips)) if row not in set(test) and clips[row].label >= 0]
        weight, bias = fit_head(axes[train], lessons.labels[train], penalty=1e-3)
        parts.append((axes[test] @ weight + bias).softmax(dim=1))
    return "a linear head on Whisper's pooled states", torch.cat(parts).double().numpy()


def rows_of(clips: list[Utterance], fold: int) -> list[int]:
    held = ravdess_folds()[fold - 1]
    return [row for row, clip in enumerate(clips) if clip.speaker in held]


def shuffled(config: StudentRecipe, clips: list[Utterance], lessons: Lessons, runs: Path) -> float:
    """UAR on fold 1 of a net taught shuffled labels (its teacher's heads are fitted on them too)."""
    out = runs / "shuffled"
    test = rows_of(clips, 1)
    train = [row for row in range(len(clips)) if row not in set(test)]
    wrong = lessons.of(train)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(train)))
    wrong = dataclasses.replace(wrong, labels=wrong.labels[order])
    if not (out / "weights").is_dir():
        short = dataclasses.replace(config, fold=1, out=str(out), epochs=SHUFFLED_EPOCHS)
        fit(short, wrong, lessons.of(test))
    logits = said(load_student(out / "weights"), [load_wav(clips[row]) for row in test])
    return uar(lessons.labels[test], logits.argmax(axis=1))


def vad(probs: Double) -> Double:
    """(N, 3) derived valence, arousal and dominance of native probabilities (N, 8)."""
    return probs @ matrix("ravdess8").astype(np.float64) @ ANCHORS.astype(np.float64)


def softmax(logits: Double) -> Double:
    return Tensor.softmax(torch.from_numpy(logits), dim=1).numpy()


def row(name: str, got: NDArray[np.int64], scores: Scores) -> str:
    low, high = bootstrap(uar, scores.labels, got, groups=scores.speakers)
    folds = [
        f"{100 * uar(scores.labels[scores.folds == f], got[scores.folds == f]):.1f}" for f in FOLDS
    ]
    value = 100 * uar(scores.labels, got)
    return f"| {name} | {value:.1f} [{100 * low:.1f}, {100 * high:.1f}] | {' '.join(folds)} |"


def report(
    scores: Scores,
    sizes: dict[str, float],
    teacher: tuple[str, Double],
    config: StudentRecipe,
    shuffled_uar: float,
) -> str:
    said_by = {name: logits.argmax(axis=1) for name, logits in scores.logits.items()}
    source, probs = teacher
    own = softmax(scores.logits["clean"])
    mine, theirs = vad(own), vad(probs)
    table = confusion(scores.labels, said_by["clean"], len(RAVDESS_LABELS))
    lines = [
        "# The tiny speech student",
        "",
        "Data: RAVDESS speech, 1,440 clips, six folds of unseen actors (../shared/evaluation.md); EMO-DB only teaches.",
        "Of each fold's actors nothing is used: neither labels nor the teacher's, nor as babble. Settings and temperature",
        "were chosen on an inner split of fold 1's training actors, who are the tested actors of folds 2 to 6: only fold 1",
        f"is free of that choice. One seed ({config.seed}), the last epoch. Each clip is judged alone, from its waveform. UAR in",
        "%, pooled over folds, with a 95 % bootstrap over actors (predictions redrawn, no retraining).",
        "",
        "| | UAR | folds 1 to 6 |",
        "| --- | --- | --- |",
        row("**student**, float32", said_by["clean"], scores),
        row("**student**, ONNX int8", said_by["int8"], scores),
        *(row(f"student, {way}", said_by[way], scores) for way in WAYS[1:]),
        row(f"teacher: {source}", probs.argmax(axis=1), scores),
        row("baseline: log-mel statistics, linear head", said_by["statistics"], scores),
        row("control: one label for all", np.zeros_like(scores.labels), scores),
        f"| control: taught shuffled labels, {SHUFFLED_EPOCHS} epochs | {100 * shuffled_uar:.1f} | fold 1 only |",
        *(f"| quoted from earlier trials, same folds: {k} | {v} | |" for k, v in QUOTED.items()),
        "",
        f"8 bit against float: {100 * (uar(scores.labels, said_by['int8']) - uar(scores.labels, said_by['clean'])):+.2f} points; "
        f"the same label for {100 * (said_by['int8'] == said_by['clean']).mean():.1f} % of clips.",
        f"Size: {sizes['parameters']:.0f} parameters; ONNX int8 {sizes['bytes']:.0f} bytes. Speed on one core by CPU time, 5 s of "
        f"sound, best of 10: torch {sizes['torch']:.0f}x real time, ONNX int8 {sizes['onnx']:.0f}x.",
        f"Calibration error (15 bins): {calibration_error(scores.labels, own):.3f}.",
        "",
        "## Its derived valence and arousal against the teacher's, unseen actors",
        "",
        "Derived: means of the labels' anchors; RAVDESS has no human ratings of either.",
        "",
        "| | CCC with 95 % bootstrap over actors | control: constant | control: another clip's |",
        "| --- | --- | --- | --- |",
    ]
    order = np.random.default_rng(0).permutation(len(mine))
    for axis, name in enumerate(("valence", "arousal", "dominance")):
        low, high = bootstrap(ccc, theirs[:, axis], mine[:, axis], groups=scores.speakers)
        value = ccc(theirs[:, axis], mine[:, axis])
        other = ccc(theirs[:, axis], mine[order, axis])
        lines.append(f"| {name} | {value:.3f} [{low:.3f}, {high:.3f}] | 0 | {other:.3f} |")
    lines += [
        "",
        "## Confusions (rows: asked of the actor, columns: said; % of the row)",
        "",
        "| | " + " | ".join(RAVDESS_LABELS) + " |",
        "| --- |" + " --- |" * len(RAVDESS_LABELS),
    ]
    shares = 100 * table / table.sum(axis=1, keepdims=True)
    for name, values in zip(RAVDESS_LABELS, shares, strict=True):
        lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    shipped = load_weights("speech_student")
    lines += [
        "",
        f"The shipped net (all speakers) is model.safetensors sha256 {shipped.sha256[:16]}; it cannot be judged on these",
        "corpora: the figures are those of the six nets of the same recipe.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
