"""Reliability of voice and face, and the voice's confusions, drawn from cached readings of items the nets never learned from.

Run after benchmarks/speech.py and benchmarks/face.py: python benchmarks/calibration.py [--readings runs/readings]
"""

import argparse
from pathlib import Path

import numpy as np
from confusion_plot import draw_shares
from result_file import write_result

from affetto.emotion import LABELS
from affetto.recognizers.metrics import calibration_error, confusion
from affetto.train.data.readings import Readings, read_readings

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
NUM_BINS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=Path, default=Path("runs/readings"))
    given = parser.parse_args()
    voice, face = (read_readings(given.readings, name) for name in ("voice", "face"))
    known = voice.label >= 0
    corpus = np.asarray([part.split("/")[0].lower() for part in voice.part])
    parts = {
        "voice, RAVDESS": voice.where(known & (corpus == "ravdess")),
        "voice, EMO-DB": voice.where(known & (corpus == "emodb")),
        "face, FER+ test": face.where((face.label >= 0) & (face.part == "test")),
    }
    draw_reliability(parts)
    draw_confusion(parts["voice, RAVDESS"])
    lines = [
        "# Calibration of voice and face",
        "",
        "Readings of items never learned from (voice: out of fold, unseen speakers, the shipped joint recipe; face: FER+ test,",
        "official protocol), over the canonical labels. EMO-DB here is without boredom, which the head shares out over neutral, calm and",
        "sad: it is too unsure there (over its own seven words: see the speech file). Control: the same answers with every probability pushed to certainty.",
        "",
        "| | items | right | mean top probability | expected calibration error, 15 bins | control |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, readings in parts.items():
        top = readings.probs.argmax(axis=1)
        sure = np.eye(len(LABELS))[top]
        lines.append(
            f"| {name} | {len(readings)} | {100 * (top == readings.label).mean():.1f} % | {readings.probs.max(axis=1).mean():.3f} "
            f"| **{calibration_error(readings.label, readings.probs):.3f}** | {calibration_error(readings.label, sure):.3f} |"
        )
    write_result("calibration", "\n".join(lines), command="python benchmarks/calibration.py")


def draw_reliability(parts: dict[str, Readings]) -> None:
    """docs/figures/calibration.png: how often right, by how sure; bars below: how many."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(parts), figsize=(11, 4.6), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    for column, (name, readings) in enumerate(parts.items()):
        said = readings.probs.max(axis=1)
        right = readings.probs.argmax(axis=1) == readings.label
        place = np.minimum((said * NUM_BINS).astype(int), NUM_BINS - 1)
        filled = [index for index in range(NUM_BINS) if (place == index).sum() >= 10]
        top, below = axes[0, column], axes[1, column]
        top.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        top.errorbar(
            [said[place == index].mean() for index in filled],
            [right[place == index].mean() for index in filled],
            yerr=[
                1.96
                * np.sqrt(
                    max(right[place == i].mean() * (1 - right[place == i].mean()), 1e-4)
                    / (place == i).sum()
                )
                for i in filled
            ],
            marker="o",
            color="#0072b2",
            capsize=2,
        )
        top.set(title=f"{name} ({len(readings)})", ylim=(0, 1.02), xlim=(0, 1))
        below.hist(said, bins=np.linspace(0, 1, NUM_BINS + 1), color="0.6")
        below.set(xlabel="probability of the label it names")
    axes[0, 0].set_ylabel("share that is right")
    axes[1, 0].set_ylabel("items")
    save(figure, "calibration.png")


def draw_confusion(readings: Readings) -> None:
    """docs/figures/speech_confusion.png: rows are what was acted."""
    from matplotlib import pyplot

    present = np.flatnonzero(np.bincount(readings.label, minlength=len(LABELS)))
    table = confusion(readings.label, readings.probs.argmax(axis=1), len(LABELS))[
        np.ix_(present, present)
    ]
    figure, axis = pyplot.subplots(figsize=(5.6, 5), layout="constrained")
    draw_shares(axis, table, [LABELS[index] for index in present])
    axis.set(title="Voice, 24 unseen actors: what it said, %", ylabel="what was acted (clips)")
    save(figure, "speech_confusion.png")


def save(figure, name: str) -> None:
    FIGURES.mkdir(exist_ok=True)
    figure.savefig(FIGURES / name, dpi=80)
    print(FIGURES / name)


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    main()
