"""Do a sad voice, a sad face and sad words land together: retrieval, nearest priors, the gap, a picture.

Run: python benchmarks/embedding.py [--data ../shared/data] [--readings runs/readings]
"""

import argparse
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from identity import fold_embedders, speaker_folds
from numpy.typing import NDArray
from result_file import write_result

from affetto.emotion import LABELS
from affetto.emotion_bank.embedder import CrossModalEmbedder, build_embedder, place
from affetto.emotion_bank.space import ANCHOR_SPREAD, ANCHORS, priors
from affetto.gaussian import wasserstein
from affetto.recognizers.metrics import bootstrap
from affetto.train.data.embedder_batches import single_batch
from affetto.train.data.readings import Readings, read_readings
from affetto.train.embedder import MODALITIES_READ
from affetto.weights import load_weights

Double = NDArray[np.float64]
FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "embedding.png"
MAX_GALLERY = 1200  # items of one modality that are searched, drawn at random


class Placed:
    """Held-out items of one modality in the space: mean, log_var (N, 16), label, person (N,)."""

    def __init__(self, net: CrossModalEmbedder, readings: Readings) -> None:
        batch = single_batch(readings)
        with torch.no_grad():
            self.mean, self.log_var = net(batch.tokens, batch.modality(), batch.mask)
        self.label, self.person = readings.label, readings.person


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--readings", type=Path, default=Path("runs/readings"))
    parser.add_argument("--folds", type=Path, default=Path("runs/embedder_folds"))
    parser.add_argument("--weights", default="embedder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    voice = read_readings(given.readings, "voice")
    voice = voice.where(voice.label >= 0)
    folds = speaker_folds(voice)
    nets = fold_embedders(given.data, given.readings, given.folds, folds, voice)
    tests = {name: held_out(read_readings(given.readings, name)) for name in MODALITIES_READ[1:]}
    placed = [
        {"voice": Placed(net, voice.where(folds == fold))}
        | {name: Placed(net, readings) for name, readings in tests.items()}
        for fold, net in enumerate(nets)
    ]
    counts = {name: len(readings) for name, readings in tests.items()}
    lines = [
        "# One space for voice, face and text",
        "",
        f"Data: out-of-fold voices (RAVDESS and EMO-DB, {int((voice.label >= 0).sum())}), FER+ test faces and held-out texts"
        f" ({counts}; at most {MAX_GALLERY} drawn of each).",
        "For each of six folds an embedder is trained by the shipped recipe without the fold's speakers; its own voices, the",
        "test faces and the test texts are embedded. Figures are means over the folds.",
    ]
    lines += retrieval(placed)
    lines += nearest(placed)
    lines += gap(placed)
    weights = load_weights(given.weights)
    draw(build_embedder(weights), placed[0])
    lines += [
        "",
        f"Picture: docs/figures/embedding.png (fold 0; shipped net {weights.sha256[:16]} for the words).",
    ]
    write_result(
        "embedding",
        "\n".join(lines),
        command="python benchmarks/embedding.py --data ../shared/data --readings runs/readings",
    )


def held_out(readings: Readings) -> Readings:
    """Labelled items of the test part, at most MAX_GALLERY."""
    rows = np.flatnonzero((readings.part == "test") & (readings.label >= 0))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MAX_GALLERY])
    chosen = np.zeros(len(readings), dtype=np.bool_)
    chosen[rows] = True
    return readings.where(chosen)


# Retrieval


def retrieval(placed: list[dict[str, Placed]]) -> list[str]:
    lines = [
        "",
        "## Retrieval by emotion",
        "",
        "Every item of one modality asks for those of its label in another, nearest first (Wasserstein distance of the",
        "Gaussians). Labels that both have. mAP: mean over labels of their queries' average precision. Chance: the exact",
        "expectation of a random order. Times chance has to be 2, 3 was aimed at. Intervals: bootstrap over the queries'",
        "persons. Shuffled: the gallery's labels permuted.",
        "",
        "| query -> gallery | labels | mAP | chance | times chance | shuffled | mAP over all queries / chance |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for a, b in permutations(MODALITIES_READ, 2):
        columns: list[tuple[Double, ...]] = []
        for items in placed:
            columns.append(average_precisions(items[a], items[b]))
        precision, shuffled, chance = (np.concatenate([c[i] for c in columns]) for i in range(3))
        label = np.concatenate([c[3] for c in columns])
        person = np.concatenate([c[4] for c in columns])
        times = over_labels(precision, label) / over_labels(chance, label)
        low, high = bootstrap(
            lambda p, c, k: over_labels(p, k) / over_labels(c, k),
            precision,
            chance,
            label,
            groups=person,
            rounds=300,
        )
        lines.append(
            f"| {a} -> {b} | {len(np.unique(label))} | {over_labels(precision, label):.3f} "
            f"| {over_labels(chance, label):.3f} | {times:.2f} [{low:.2f}, {high:.2f}] "
            f"| {over_labels(shuffled, label):.3f} | {precision.mean():.3f} / {chance.mean():.3f} |"
        )
        print(lines[-1], flush=True)
    return lines


def average_precisions(query: Placed, gallery: Placed) -> tuple[Double, ...]:
    """A query each: average precision, with shuffled labels, expected; its label and person."""
    common = np.intersect1d(query.label, gallery.label)
    asks = np.flatnonzero(np.isin(query.label, common))
    holds = np.flatnonzero(np.isin(gallery.label, common))
    near = wasserstein(
        query.mean[asks][:, None],
        query.log_var[asks][:, None],
        gallery.mean[holds],
        gallery.log_var[holds],
    ).numpy()
    ties = np.random.default_rng(0).random(near.shape[1])  # equal distances in random order
    order = np.lexsort((np.broadcast_to(ties, near.shape), near), axis=1)
    labels = gallery.label[holds]
    mixed = np.random.default_rng(1).permutation(labels)
    wanted = query.label[asks]
    number = len(holds)
    relevant = (labels == wanted[:, None]).sum(axis=1)
    harmonic = (1.0 / np.arange(1, number + 1)).sum() / number
    chance = (relevant - 1) / (number - 1) * (1 - harmonic) + harmonic
    found = (average_precision(kind[order] == wanted[:, None]) for kind in (labels, mixed))
    return *found, chance, wanted, query.person[asks]


def average_precision(hits: NDArray[np.bool_]) -> Double:
    """(Q,) from hits (Q, N) in order of rank."""
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    found: Double = (precision * hits).sum(axis=1) / hits.sum(axis=1)
    return found


def over_labels(values: Double, labels: Double) -> float:
    return float(np.mean([values[labels == k].mean() for k in np.unique(labels)]))


# Where they land


def nearest(placed: list[dict[str, Placed]]) -> list[str]:
    """Which prior is the nearest, among the labels that the modality's items have."""
    lines = [
        "",
        "## Nearest prior",
        "",
        "Share of items whose nearest prior of the bank is their label's (mean over labels), among the labels present.",
        "",
        "| | labels | right | chance | " + " | ".join(LABELS) + " |",
        "| --- " * (len(LABELS) + 4) + "|",
    ]
    means, log_vars = priors()
    for name in MODALITIES_READ:
        right: dict[int, list[float]] = {}
        for items in placed:
            here = items[name]
            present = np.unique(here.label)
            distance = wasserstein(
                here.mean[:, None], here.log_var[:, None], means[present], log_vars[present]
            )
            said = present[distance.argmin(dim=1).numpy()]
            for k in present:
                right.setdefault(int(k), []).append(float((said == k)[here.label == k].mean()))
        recalls = {k: float(np.mean(v)) for k, v in right.items()}
        cells = [f"{recalls[k]:.2f}" if k in recalls else "" for k in range(len(LABELS))]
        lines.append(
            f"| {name} | {len(recalls)} | {np.mean(list(recalls.values())):.3f} "
            f"| {1 / len(recalls):.3f} | {' | '.join(cells)} |"
        )
        print(lines[-1], flush=True)
    return lines


def gap(placed: list[dict[str, Placed]]) -> list[str]:
    lines = [
        "",
        "## Gap between the modalities",
        "",
        "Distance of the mean of one label in two modalities, beside the distance between labels within a modality (both",
        "averaged over the labels that the two share); a share well under 1 means that what is felt decides where an item",
        "lies, not where it comes from. Accuracy of telling the modality from the embedding would need no more than the gap.",
        "",
        "| | same label, other modality | other label, same modality | share |",
        "| --- | --- | --- | --- |",
    ]
    for a, b in (("voice", "face"), ("voice", "text"), ("face", "text")):
        between, within = [], []
        for items in placed:
            common = np.intersect1d(items[a].label, items[b].label)
            centres = [
                np.stack([items[n].mean.numpy()[items[n].label == k].mean(axis=0) for k in common])
                for n in (a, b)
            ]
            between.append(np.linalg.norm(centres[0] - centres[1], axis=1).mean())
            for one in centres:
                apart = np.linalg.norm(one[:, None] - one, axis=2)
                within.append(apart[np.triu_indices(len(common), k=1)].mean())
        lines.append(
            f"| {a}, {b} | {np.mean(between):.2f} | {np.mean(within):.2f} "
            f"| {np.mean(between) / np.mean(within):.2f} |"
        )
        print(lines[-1], flush=True)
    return lines


# The picture


def draw(net: CrossModalEmbedder, items: dict[str, Placed]) -> None:
    """Principal axes of the priors; items coloured by label, shaped by modality, words as stars."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    means = priors()[0].numpy()
    centre = means.mean(axis=0)
    axes = np.linalg.svd(means - centre, full_matrices=False)[2][:2]
    figure, plots = plt.subplots(1, 4, figsize=(19, 5.4), sharex=True, sharey=True)
    colours = plt.get_cmap("tab20")(np.arange(len(LABELS)) / len(LABELS) * 0.99)
    rng = np.random.default_rng(0)
    tokens = torch.cat(
        [
            torch.eye(len(LABELS)),
            torch.from_numpy(ANCHORS.copy()),
            torch.full((len(LABELS), 3), float(np.log(ANCHOR_SPREAD**2))),
            torch.ones(len(LABELS), 1),
        ],
        dim=1,
    )[:, None]
    with torch.no_grad():
        words, _ = net(tokens, torch.full((len(LABELS), 1), place("request")))
    stars = (words.numpy() - centre) @ axes.T
    shapes = {"voice": "o", "face": "s", "text": "^"}
    for plot, shown in zip(plots, (*([name] for name in shapes), list(shapes)), strict=True):
        for name in shown:
            here = items[name]
            most = [
                rng.permutation(np.flatnonzero(here.label == k))[:40] for k in range(len(LABELS))
            ]
            rows = rng.permutation(np.concatenate(most))
            flat = (here.mean.numpy()[rows] - centre) @ axes.T
            flat += rng.normal(0.0, 0.02, flat.shape)  # what is rounded alike would hide itself
            plot.scatter(
                *flat.T, c=colours[here.label[rows]], marker=shapes[name], s=16, alpha=0.6, lw=0
            )
        for k, label in enumerate(LABELS):
            plot.scatter(*stars[k], color=colours[k], marker="*", s=220, edgecolor="black", lw=0.8)
            plot.annotate(label, stars[k], xytext=(5, 6), textcoords="offset points", fontsize=8)
        plot.set_title(" + ".join(shown) + ", held out")
        plot.set_aspect("equal")
    figure.supxlabel("first principal axis of the priors; stars: the requested words")
    figure.tight_layout()
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(FIGURE, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main()
