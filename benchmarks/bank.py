"""The shared space and the Emotion Bank: priors, requests, blends, taxonomies, codes, with controls.

Run: python benchmarks/bank.py [--data ../shared/data] [--readings runs/readings] [--weights bank]
"""

import argparse
import csv
import gzip
import itertools
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from scipy.stats import pearsonr, spearmanr
from sklearn.cluster import KMeans
from torch import Tensor

from affetto.emotion import LABEL_VAD, LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.codes import EmotionBank, load_bank
from affetto.emotion_bank.embedder import CrossModalEmbedder, load_embedder, place, token
from affetto.emotion_bank.quantizer import QuantizerConfig, VectorQuantizer, perplexity
from affetto.emotion_bank.space import ANCHORS, LABEL_SCALE, decode, decode_arrays, priors
from affetto.emotion_words import ALIASES, COMPOUNDS, labels_of
from affetto.gaussian import wasserstein
from affetto.recognizers.taxonomy import NATIVE_LABELS, matrix
from affetto.request import parse_request
from affetto.train.data.emotion_population import (
    Population,
    embedded,
    held_out,
    mixed,
    random_requests,
)
from affetto.train.data.readings import read_readings

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
NUM_SHUFFLES, NUM_STATES, SWEEP = 1000, 4000, np.linspace(0.0, 1.0, 21)
SEEDS, NUM_UPDATES = (0, 1, 2), 1500
UPPER = np.triu_indices(len(LABELS), 1)
Double = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--readings", type=Path, default=Path("runs/readings"))
    parser.add_argument("--weights", default="bank")
    given = parser.parse_args()
    torch.set_num_threads(1)
    bank, embedder = load_bank(given.weights), load_embedder()
    train, test = populations(given.readings, embedder)
    parts = [
        "# The shared emotion space and the bank",
        space_report(human_vad(given.data / "lexicons"), bank, embedder),
        request_report(),
        sweep_report(bank, embedder),
        taxonomy_report(given.data / "music_va_annotations"),
        codes_report(bank, train, test),
    ]
    write_result(
        "bank",
        "\n\n".join(parts),
        command="python benchmarks/bank.py --data ../shared/data --readings runs/readings",
        packages=("torch", "numpy", "scikit-learn"),
    )


def distances(rows: Double) -> Double:
    """Between all pairs of the eleven, (55,)."""
    return np.linalg.norm(rows[:, None] - rows[None], axis=-1)[UPPER]


def cosines(rows: Double) -> Double:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return (unit @ unit.T)[UPPER]


def mantel(rows: Double, vad: Double) -> tuple[float, float]:
    """Correlation of distances with VAD distances, and its 95th percentile under shuffled labels."""
    rng = np.random.default_rng(0)
    found = pearsonr(distances(rows), distances(vad))[0]
    chance = [
        pearsonr(distances(rows), distances(vad[rng.permutation(len(vad))]))[0]
        for _ in range(NUM_SHUFFLES)
    ]
    return float(found), float(np.percentile(chance, 95))


def human_vad(folder: Path) -> Double:
    """Warriner, Kuperman and Brysbaert 2013: ratings of the label words, 1..9 brought to [-1, 1]."""
    with gzip.open(folder / "warriner2013.csv.gz", "rt", encoding="utf-8") as file:
        rated = {row["Word"]: row for row in csv.DictReader(file)}
    words = ["contempt" if label == "contemptuous" else label for label in LABELS]
    columns = ("V.Mean.Sum", "A.Mean.Sum", "D.Mean.Sum")
    return np.asarray([[(float(rated[w][c]) - 5) / 4 for c in columns] for w in words])


@torch.no_grad()
def space_report(human: Double, bank: EmotionBank, embedder: CrossModalEmbedder) -> str:
    mean, log_var = priors()
    anchors = ANCHORS.astype(np.float64)
    chosen = mean.double().numpy()
    tokens = token(
        torch.eye(11), torch.from_numpy(ANCHORS), torch.full((11, 3), 0.0625), torch.ones(11)
    )[:, None]
    through = embedder(tokens, torch.full((11, 1), place("request")))[0]
    rows = {
        "anchors in VAD alone": anchors,
        **{
            f"labels x {scale:g} beside VAD": np.hstack([anchors, scale * np.eye(11)])
            for scale in SCALES
        },
        f"**priors (labels x {LABEL_SCALE:g})**": chosen,
        "pure requests through the embedder": through.double().numpy(),
        "the bank's condition of the priors": bank(mean, log_var).vector.double().numpy(),
    }
    pairs = list(itertools.combinations(range(11), 2))
    lines = [
        "## Priors: far apart, ordered by VAD",
        "55 pairs of the eleven emotions. Correlation (Pearson) of their distances with VAD distances: of our own anchors",
        "(Russell and Mehrabian 1977, of which the layout is made: no independent proof) and of people's ratings of the",
        "words (Warriner et al. 2013, which nothing here has seen; contempt for contemptuous). Chance = 95th percentile",
        f"with labels shuffled, {NUM_SHUFFLES} times. Bars: correlation .8 (aim .9), nearest pair cosine .7 (aim .5); the eight",
        "released vectors of DICE-Talk lie at .91-.99.",
        "",
        "| rows | r with our VAD (chance) | r with human VAD (chance) | nearest pair, cosine | its distance / the mean |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, values in rows.items():
        ours, human_r = mantel(values, anchors), mantel(values, human)
        apart, alike = distances(values), cosines(values)
        a, b = pairs[int(alike.argmax())]
        lines.append(
            f"| {name} | {ours[0]:.3f} ({ours[1]:.2f}) | {human_r[0]:.3f} ({human_r[1]:.2f}) | "
            f"{alike.max():.3f} {LABELS[a]}-{LABELS[b]} | {apart.min() / apart.mean():.2f} |"
        )
    whole = wasserstein(mean[:, None], log_var[:, None], mean[None], log_var[None]).numpy()[UPPER]
    lines += [
        "",
        f"2-Wasserstein distances of the prior Gaussians: r with our VAD {pearsonr(whole, distances(anchors))[0]:.3f}, "
        f"smallest {whole.min():.2f}, largest {whole.max():.2f}; deviation along a VAD axis .25, along a label .25.",
    ]
    return "\n".join(lines)


def request_report() -> str:
    """Request -> track -> labels, exactly and by the most probable."""
    rng = np.random.default_rng(0)
    pure = [f"{label}:{s:.2f}" for label in LABELS for s in np.linspace(0.55, 1.0, 10)]
    words = {
        "labels at strength .55 to 1": (pure, [request.split(":")[0] for request in pure]),
        "everyday words of one label": (
            [w for w, got in ALIASES.items() if len(got) == 1],
            [got[0] for got in ALIASES.values() if len(got) == 1],
        ),
    }
    lines = [
        "## Request -> track -> labels",
        "| requests | number | label right |",
        "| --- | --- | --- |",
    ]
    for name, (requests, wanted) in words.items():
        got = [LABELS[decoded(request).argmax()] for request in requests]
        right = np.mean([a == b for a, b in zip(got, wanted, strict=True)])
        lines.append(f"| {name} | {len(requests)} | {100 * right:.1f} % |")
    both = [
        {LABELS[i] for i in np.argsort(decoded(name))[-2:]} == set(labels_of(name))
        for name in COMPOUNDS
    ]
    lines.append(
        f"| the seven compounds, both labels | {len(both)} | {100 * np.mean(both):.1f} % |"
    )
    states = random_requests(NUM_STATES, rng=rng)
    probs, vad, _ = decode(states.mean, states.log_var)
    error = max(float((probs - states.probs).abs().max()), float((vad - states.vad).abs().max()))
    same = (probs.argmax(dim=-1) == states.probs.argmax(dim=-1)).float().mean()
    lines.append(f"| random mixtures and points | {len(states)} | {100 * same:.1f} % |")
    return "\n".join(lines) + f"\n\nLargest error of any number read back: {error:.1e}."


def decoded(request: str) -> Double:
    track = request_to_track(parse_request(request), duration_s=1.0)
    return decode_arrays(track.mean, track.log_var)[0][0].astype(np.float64)


@torch.no_grad()
def sweep_report(bank: EmotionBank, embedder: CrossModalEmbedder) -> str:
    """Spearman of the blend ratio with what is read back, over all 55 pairs."""
    found: dict[str, list[float]] = {}
    for first, second in itertools.combinations(LABELS, 2):
        words = [f"{first}:{1 - share:.2f}+{second}:{share:.2f}" for share in SWEEP]
        tracks = [request_to_track(parse_request(w), duration_s=0.5) for w in words]
        rows = [
            torch.from_numpy(np.concatenate(v))
            for v in zip(
                *((t.mean, t.log_var, t.probs, t.vad, t.vad_var) for t in tracks), strict=True
            )
        ]
        mean, log_var, probs, vad, vad_var = rows
        ends = [LABELS.index(first), LABELS.index(second)]
        tokens = token(probs, vad, vad_var, torch.ones(len(probs)))[:, None]
        through = embedder(tokens, torch.full((len(probs), 1), place("request")))
        condition = bank(mean, log_var).vector
        shares = {
            "track: label share": probs,
            "embedding: label share": decode(mean, log_var)[0],
            "embedding: cosine to the prior": similarity(mean),
            "embedding: - distance to the prior": -torch.cdist(mean, priors()[0]),
            "learned embedder: label share": decode(*through)[0],
            "nearest code: label share": decode(bank.quantizer(mean).values, log_var)[0],
            "bank's condition: label share": bank.read(condition)[0].softmax(dim=-1),
        }
        for name, table in shares.items():
            rise = spearmanr(SWEEP, table[:, ends[1]].numpy()).statistic
            fall = spearmanr(SWEEP, table[:, ends[0]].numpy()).statistic
            found.setdefault(name, []).append(min(float(rise), -float(fall)))
    lines = [
        "## Blend sweeps a:1-s + b:s",
        f"All 55 pairs, {len(SWEEP)} steps of s. Spearman of s with the share of b (rising) and of a (falling), the worse of the two.",
        "Bar .95, aim .99 (for what a request becomes; the codes are steps by nature).",
        "",
        "| read from | worst pair | mean |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {n} | {min(v):.3f} | {np.mean(v):.3f} |" for n, v in found.items()]
    return "\n".join(lines)


def similarity(mean: Tensor) -> Tensor:
    """Cosine (N, 11) to the priors."""
    return torch.nn.functional.cosine_similarity(mean[:, None], priors()[0], dim=-1)


def taxonomy_report(folder: Path) -> str:
    """Our mood rows against published ratings of the tags' words."""
    with (folder / "jamendo_moodtag_va_scores.csv").open() as file:
        rated = {row["MoodTag"]: row for row in csv.DictReader(file)}
    anchors = np.asarray([LABEL_VAD[label] for label in LABELS])
    ours = matrix("jamendo_moods30") @ anchors
    names = NATIVE_LABELS["jamendo_moods30"]
    theirs = np.asarray(
        [[(float(rated[n][c]) - 5) / 4 for c in ("Valence", "Arousal")] for n in names]
    )
    rng = np.random.default_rng(0)
    cells = []
    for axis, name in enumerate(("valence", "arousal")):
        r = pearsonr(ours[:, axis], theirs[:, axis])[0]
        chance = [
            pearsonr(ours[rng.permutation(len(ours)), axis], theirs[:, axis])[0]
            for _ in range(NUM_SHUFFLES)
        ]
        cells.append(
            f"{name} r = {r:.2f} (95th percentile of shuffled rows {np.percentile(chance, 95):.2f})"
        )
    return (
        "## Taxonomies\n"
        f"The 30 mood tags' places by our matrix against the ratings of their words that Music2Emotion ships: {'; '.join(cells)}."
    )


def populations(
    folder: Path, embedder: CrossModalEmbedder
) -> tuple[dict[str, Population], dict[str, Population]]:
    """By source, for training and held out."""
    train = {"requests": random_requests(8000, rng=np.random.default_rng(11))}
    test = {"requests": random_requests(NUM_STATES, rng=np.random.default_rng(12))}
    for name in ("voice", "face", "text"):
        if (folder / f"{name}.npz").is_file():
            readings = read_readings(folder, name)
            apart = held_out(readings)
            train[name] = embedded(readings.where(~apart), embedder)
            test[name] = embedded(readings.where(apart), embedder)
    test["**all, equally many of each**"] = mixed(
        list(test.values()), NUM_STATES, rng=np.random.default_rng(13)
    )
    return train, test


def codes_report(
    bank: EmotionBank, train: dict[str, Population], test: dict[str, Population]
) -> str:
    sources = list(train.values())
    pool = mixed(sources, 16_000, rng=np.random.default_rng(14))
    books = {"**shipped bank**": [bank.quantizer.get_buffer("codes")]}
    books["same recipe, 3 seeds"] = [learned(seed, sources) for seed in SEEDS]
    books["same, no code fixed at a prior"] = [learned(seed, sources, fixed=0) for seed in SEEDS]
    books["same, busy codes do not stand back (plain VQ)"] = [
        learned(seed, sources, balance=0.0) for seed in SEEDS
    ]
    books["same, learned from requests alone"] = [learned(seed, sources[:1]) for seed in SEEDS]
    books["k-means on the same states, 3 seeds"] = [
        torch.from_numpy(
            KMeans(64, n_init=1, random_state=s).fit(pool.mean.numpy()).cluster_centers_
        )
        for s in SEEDS
    ]
    books["64 random states, 3 seeds"] = [
        pool.mean[torch.randperm(len(pool), generator=torch.Generator().manual_seed(s))[:64]]
        for s in SEEDS
    ]
    sizes = ", ".join(f"{name.strip('*')} {len(states)}" for name, states in test.items())
    lines = [
        "## Codes",
        f"64 codes judged on held-out states: {sizes}. Requests are random (30 % one label, 30 % two, 15 % three, 25 % points);",
        "readings are what the recognizers said of people whom no training of the bank saw, placed by the shipped embedder.",
        "Perplexity of usage (64 is the most; bar 40, aim 50) / share of the scatter not explained (%) / most probable label",
        "kept by the nearest code (%) / mean VAD error. Mean over seeds.",
        "",
        "| codes | " + " | ".join(test) + " |",
        "| --- |" + " --- |" * len(test),
    ]
    for name, seeds in books.items():
        cells = []
        for states in test.values():
            found = np.asarray([measured(codes, states) for codes in seeds])
            middle, spread = found.mean(axis=0), np.ptp(found[:, 0]) / 2
            around = f" (+-{spread:.1f})" if len(seeds) > 1 else ""
            cells.append(
                f"{middle[0]:.1f}{around} / {middle[1]:.0f} / {middle[2]:.0f} / {middle[3]:.3f}"
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Through the shipped bank's condition (attention over the codes, linear reading): label kept (%) / VAD error:",
    ]
    for name, states in test.items():
        with torch.no_grad():
            logits, vad = bank.read(bank(states.mean, states.log_var).vector)
        kept = (logits.argmax(dim=-1) == states.probs.argmax(dim=-1)).float().mean()
        error = (vad - states.vad).abs().mean()
        lines.append(f"- {name.strip('*')}: {100 * kept:.1f} / {error:.3f}")
    return "\n".join(lines)


def learned(
    seed: int, sources: list[Population], *, balance: float = 1.5, fixed: int = 11
) -> Tensor:
    """The codes of the shipped recipe without its attention, which does not touch them."""
    quantizer = VectorQuantizer(QuantizerConfig(num_fixed=fixed, balance=balance))
    generator = torch.Generator().manual_seed(seed)
    pool = mixed(sources, 16_000, rng=np.random.default_rng(seed)).mean
    quantizer.begin(
        pool[torch.randperm(len(pool), generator=generator)[:2048]],
        fixed=priors()[0][:fixed],
        generator=generator,
    )
    for _ in range(NUM_UPDATES):
        chosen = torch.randint(len(pool), (256,), generator=generator)
        quantizer.update(pool[chosen], generator=generator)
    return quantizer.get_buffer("codes")


def measured(codes: Tensor, states: Population) -> tuple[float, float, float, float]:
    indices = torch.cdist(states.mean, codes).argmin(dim=-1)
    nearest = codes[indices]
    probs, vad, _ = decode(nearest, states.log_var)
    lost = ((states.mean - nearest) ** 2).sum() / (
        (states.mean - states.mean.mean(dim=0)) ** 2
    ).sum()
    kept = (probs.argmax(dim=-1) == states.probs.argmax(dim=-1)).float().mean()
    return (
        perplexity(indices, num_codes=len(codes)),
        100 * float(lost),
        100 * float(kept),
        float((vad - states.vad).abs().mean()),
    )


if __name__ == "__main__":
    main()
