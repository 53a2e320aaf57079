"""The face recognizer and the face judge on FER+'s test part, by three definitions, with controls; their readings for the embedder.

Run: python benchmarks/face.py [--data ../shared/data] [--readings runs/readings]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from confusion_plot import draw_shares
from result_file import write_result

from affetto.emotion import LABELS
from affetto.recognizers.face.expression import ExpressionRecognizer
from affetto.recognizers.face.judge import load_face_judge
from affetto.recognizers.face.recognizer import load_face, load_face_loss
from affetto.recognizers.metrics import (
    accuracy,
    bootstrap,
    calibration_error,
    confusion,
    uar,
)
from affetto.recognizers.taxonomy import NATIVE_LABELS
from affetto.train.data.ferplus import NEAR_BITS, Faces, read_ferplus, twins
from affetto.train.face import as_tensor

EMOTIONS = NATIVE_LABELS["ferplus8"]
# FER+'s emotion -> place in our labels
CANONICAL = [
    LABELS.index(name)
    for name in (
        "neutral",
        "happy",
        "surprised",
        "sad",
        "angry",
        "disgusted",
        "fearful",
        "contemptuous",
    )
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--readings", type=Path, default=Path("runs/readings"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    train, valid, test = (read_ferplus(given.data, part) for part in ("train", "valid", "test"))
    nets = {
        "face": load_face(),
        "face_loss": load_face_loss(),
        "face_judge": load_face_judge(),
    }
    native = {name: read(net, test.pixels) for name, net in nets.items()}
    save_readings(given.readings / "face.npz", nets["face"], valid, test)
    official = test.majority >= 0
    decided = 2 * test.votes.max(axis=1) > test.votes.sum(axis=1)
    parts = {
        "official": (official, test.majority),
        "most votes": (np.ones(len(test.winner), bool), test.winner),
        "more than half of all ten raw votes": (official & decided, test.winner),
    }
    lines = [
        "# Faces: FER+ test part",
        "",
        "Data: FER2013 pictures with FER+ votes. `face`, the recognizer, learned from the whole training part; `face_loss`, the same",
        "net, from its even half (by fer_index), `face_judge`, another net, from its odd half; everything else (how much of the label frequencies is taken out, temperature) was set on",
        "validation faces without a near twin in the training part; one setting a net for all columns. Answers are the mean of a face and its mirror image.",
        "Official: single votes removed, more than half of what is left for one emotion, unknown and not-a-face dropped.",
        "Intervals: bootstrap over faces, as persons are not known.",
        "",
        "| net | parameters | protocol | n | accuracy [95 %] | UAR [95 %] | calibration error | KL to votes | ms a face, batch 1 / 16 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, net in nets.items():
        speed = f"{milliseconds(net, 1):.1f} / {milliseconds(net, 16):.1f}"
        size = sum(p.numel() for p in net.parameters())
        for protocol, (rows, labels) in parts.items():
            wanted, probs = labels[rows], native[name][rows]
            said = probs.argmax(axis=1)
            each = np.arange(len(said))
            spans = [
                bootstrap(measure, wanted, said, groups=each, rounds=500)
                for measure in (accuracy, uar)
            ]
            shares = test.shares[rows]
            kl = np.sum(
                shares * (np.log(np.maximum(shares, 1e-9)) - np.log(np.maximum(probs, 1e-9))),
                axis=1,
            ).mean()
            lines.append(
                f"| {name} | {size / 1e6:.2f} M | {protocol} | {len(said)} | **{100 * accuracy(wanted, said):.1f}** "
                f"[{100 * spans[0][0]:.1f}, {100 * spans[0][1]:.1f}] | **{100 * uar(wanted, said):.1f}** "
                f"[{100 * spans[1][0]:.1f}, {100 * spans[1][1]:.1f}] | {calibration_error(wanted, probs):.3f} | {kl:.3f} | {speed} |"
            )
    wanted = test.majority[official]
    lines += ["", *recall_table(wanted, {name: table[official] for name, table in native.items()})]
    lines += ["", *controls(wanted, native["face"][official])]
    loss, judge = (native[name][official].argmax(axis=1) for name in ("face_loss", "face_judge"))
    lines += [
        "",
        f"Loss and judge agree on {100 * (loss == judge).mean():.1f} % of the official test faces, Cohen's kappa {kappa(loss, judge):.3f}.",
        "",
        *without_twins(train, test, official, native),
        "",
        "Times are CPU time of one thread, mirror image included, best of 5.",
    ]
    write_result("face", "\n".join(lines), command="python benchmarks/face.py")
    draw(wanted, {name: table[official].argmax(axis=1) for name, table in native.items()})


def read(net: ExpressionRecognizer, pixels: np.ndarray) -> np.ndarray:
    """(N, 8) calibrated native probabilities."""
    with torch.inference_mode():
        parts = [
            net.read(as_tensor(part)).native
            for part in np.array_split(pixels, len(pixels) // 64 + 1)
        ]
    return torch.cat(parts).numpy()


def save_readings(path: Path, net: ExpressionRecognizer, valid: Faces, test: Faces) -> None:
    """What the shipped face net says of faces it was not trained on, for the embedder."""
    pixels = np.concatenate([valid.pixels, test.pixels])
    names = ("logits", "probs", "vad", "vad_var", "confidence")
    columns: dict[str, list[np.ndarray]] = {name: [] for name in names}
    with torch.inference_mode():
        for part in np.array_split(pixels, len(pixels) // 64 + 1):
            reading = net.read(as_tensor(part))
            for name in names:
                columns[name].append(getattr(reading, name).numpy())
    majority = np.concatenate([valid.majority, test.majority])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        **{name: np.concatenate(values) for name, values in columns.items()},
        label=np.where(majority >= 0, np.asarray(CANONICAL)[majority], -1),
        votes=np.concatenate([valid.votes, test.votes]),
        part=np.repeat(["valid", "test"], [len(valid.pixels), len(test.pixels)]),
        key=np.concatenate([valid.fer_index, test.fer_index]).astype(str),
    )
    print(path)


def recall_table(wanted: np.ndarray, tables: dict[str, np.ndarray]) -> list[str]:
    counts = np.bincount(wanted, minlength=len(EMOTIONS))
    rows = [
        "Recalls, official protocol, in per cent:",
        "",
        "| net | " + " | ".join(f"{name} ({counts[i]})" for i, name in enumerate(EMOTIONS)) + " |",
        "| --- |" + " --- |" * len(EMOTIONS),
    ]
    for name, probs in tables.items():
        said = probs.argmax(axis=1)
        recalls = [100 * (said[wanted == i] == i).mean() for i in range(len(EMOTIONS))]
        rows.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in recalls) + " |")
    return rows


def controls(wanted: np.ndarray, probs: np.ndarray) -> list[str]:
    said = probs.argmax(axis=1)
    rng = np.random.default_rng(0)
    shuffled = [rng.permutation(said) for _ in range(20)]
    most = np.full(len(wanted), np.bincount(wanted).argmax())
    return [
        "| control (official) | accuracy | UAR |",
        "| --- | --- | --- |",
        f"| constant: {EMOTIONS[most[0]]} | {100 * accuracy(wanted, most):.1f} | {100 * uar(wanted, most):.1f} |",
        f"| the face net's answers, shuffled (20 times) | {100 * np.mean([accuracy(wanted, s) for s in shuffled]):.1f} "
        f"| {100 * np.mean([uar(wanted, s) for s in shuffled]):.1f} |",
        "| published: VGG13 (Barsoum et al. 2016), whole training part, majority | about 85 | - |",
    ]


def without_twins(
    train: Faces, test: Faces, official: np.ndarray, native: dict[str, np.ndarray]
) -> list[str]:
    """What near duplicates in the training part (by a 256-bit difference fingerprint) are worth."""
    paired = twins(test, train)
    clean = official & ~paired
    figures = ", ".join(
        f"{name} {100 * accuracy(test.majority[clean], table[clean].argmax(axis=1)):.1f} / "
        f"{100 * uar(test.majority[clean], table[clean].argmax(axis=1)):.1f}"
        for name, table in native.items()
    )
    return [
        f"Near twins: {paired.sum()} of {len(paired)} test faces ({paired[official].sum()} of the official ones) have a training picture "
        f"within {NEAR_BITS} of 256 bits of a difference fingerprint; the protocol leaves them in. Without them ({clean.sum()} faces), "
        f"accuracy / UAR: {figures}. The two halves share such twins too (about 650 faces): they are disjoint by picture number.",
    ]


def milliseconds(net: ExpressionRecognizer, batch: int) -> float:
    faces = torch.rand(batch, 1, 48, 48)
    times = []
    with torch.inference_mode():
        for _ in range(6):
            started = time.process_time()
            net.read(faces)
            times.append(time.process_time() - started)
    return 1000 * min(times[1:]) / batch


def kappa(first: np.ndarray, second: np.ndarray) -> float:
    agreed = (first == second).mean()
    chance = sum((first == i).mean() * (second == i).mean() for i in range(len(EMOTIONS)))
    return float((agreed - chance) / (1 - chance))


def draw(wanted: np.ndarray, said: dict[str, np.ndarray]) -> None:
    """docs/figures/face_confusion.png: rows are what people saw."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(said), figsize=(11, 5), sharey=True, layout="constrained")
    for axis, (name, answers) in zip(axes, said.items(), strict=True):
        draw_shares(axis, confusion(wanted, answers, len(EMOTIONS)), EMOTIONS)
        axis.set_title(f"{name}: what it said")
    axes[0].set_ylabel("what most voters saw (faces)")
    path = Path(__file__).parents[1] / "docs" / "figures" / "face_confusion.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=80)
    print(path)


if __name__ == "__main__":
    main()
