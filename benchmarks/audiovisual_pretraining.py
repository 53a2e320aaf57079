"""What pre-training on unlabelled clips is worth at few labels, and what each of its parts is worth.

python benchmarks/audiovisual_pretraining.py --data ../shared/data --run runs/audiovisual
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from audiovisual_corrupted import test_states
from result_file import write_result
from sklearn.metrics import f1_score
from torch import Tensor

from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import HicmaePretraining
from affetto.recognizers.audiovisual.recognizer import StateScale
from affetto.recognizers.audiovisual.states import SHIPPED
from affetto.train.audiovisual import AudioVisualRecipe, lessons
from affetto.train.audiovisual_stages import (
    FineTuning,
    Pretraining,
    begun,
    features_of,
    fine_tuned,
    logits_of,
    pretrained,
    scale_of,
)
from affetto.train.data.audiovisual_lessons import States
from affetto.train.logistic import fit_logistic

SEEDS = 5
SHARE = 0.05
EPOCHS = 20  # of pre-training for every row here; what ships has more
PENALTIES = (0.01, 0.1, 1.0)
FUSED = slice(2 * SHIPPED.width, 4 * SHIPPED.width)


class WithoutSkips(HicmaePretraining):
    """Decoders whose later blocks look at the last layer alone."""

    def __init__(self, config: HicmaeConfig) -> None:
        super().__init__(config)
        for decoder in (self.video_decoder, self.sound_decoder):
            decoder.forward = self._flat(decoder.forward)

    @staticmethod
    def _flat(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda tokens, skips, mask: forward(tokens, [skips[-1]] * len(skips), mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/audiovisual"))
    parser.add_argument("--turn", type=int, default=0, help="this process's share of the seeds")
    parser.add_argument("--of", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = AudioVisualRecipe(out=str(given.run))
    recipe.data.root = str(given.data)
    train = lessons(recipe, "train")
    test, _ = test_states(given.data, given.run)
    kept = given.run / "pretraining_scores"
    kept.mkdir(exist_ok=True)
    for seed in range(given.turn, SEEDS, given.of):
        path = kept / f"{seed}.json"
        if not path.is_file():
            path.write_text(json.dumps(scores(train, test, seed)))
    found = [json.loads(path.read_text()) for path in sorted(kept.glob("*.json"))]
    if len(found) == SEEDS:
        write_result(
            "audiovisual_pretraining",
            "\n".join(report(found, len(train), len(test))),
            command="python benchmarks/audiovisual_pretraining.py --data ../shared/data --run runs/audiovisual",
            packages=("torch", "numpy", "scikit-learn"),
        )


def scores(train: States, test: States, seed: int) -> dict[str, float]:
    """Macro-F1 of every row for one seed of labels, order and start."""
    scale = scale_of(train, SHIPPED)
    settings = Pretraining(epochs=EPOCHS)
    without = Pretraining(epochs=EPOCHS, contrast_weight=0.0)
    rows = few(train, seed)
    made = {
        "pretrained": pretrained(train, scale, SHIPPED, settings, seed=seed),
        "without contrast": pretrained(train, scale, SHIPPED, without, seed=seed),
        "without skips": pretrained(train, scale, SHIPPED, settings, seed=seed, make=WithoutSkips),
        "random start": None,
    }
    found: dict[str, float] = {}
    for name, network in made.items():
        classifier = begun(network, SHIPPED, seed=seed)
        learned, seen = (features_of(classifier, part, scale) for part in (train, test))
        found[f"probe, {name}"] = probe(learned, seen, train, test, rows)
        found[f"probe on all labels, {name}"] = probe(
            learned, seen, train, test, np.arange(len(train))
        )
        if name == "pretrained":
            found["probe, fused parts alone"] = probe(
                learned[:, FUSED], seen[:, FUSED], train, test, rows
            )
            found["recall@1, audio to face"] = retrieval(learned=classifier, test=test, scale=scale)
            shuffled = np.random.default_rng(seed).permutation(train.label)
            found["probe, labels shuffled"] = probe(
                learned, seen, States(train.faces, train.voices, train.spoken, shuffled), test, rows
            )
        if name in ("pretrained", "random start"):
            found[f"all weights tuned, {name}"] = tuned(classifier, train, test, scale, rows, seed)
        print(seed, name, found, flush=True)
    raw = [raw_features(part, scale) for part in (train, test)]
    found["probe, means of the states themselves"] = probe(raw[0], raw[1], train, test, rows)
    return found


def few(train: States, seed: int) -> np.ndarray:
    """Clips of a twentieth of the utterances, drawn evenly over labels."""
    rng = np.random.default_rng(seed)
    label_of = dict(zip(train.spoken.tolist(), train.label.tolist(), strict=True))
    chosen: list[int] = []
    for label in range(8):
        own = [row for row, value in label_of.items() if value == label]
        chosen += rng.permutation(own)[: max(2, round(SHARE * len(own)))].tolist()
    return np.flatnonzero(np.isin(train.spoken, chosen))


def probe(learned: Tensor, seen: Tensor, train: States, test: States, rows: np.ndarray) -> float:
    """Macro-F1 of a logistic probe; its penalty is chosen on every third utterance of `rows`."""
    features, labels = learned[rows], torch.from_numpy(train.label[rows])
    center, spread = features.mean(dim=0), features.std(dim=0) + 1e-4
    scaled, there = (features - center) / spread, (seen - center) / spread
    held = torch.from_numpy(np.unique(train.spoken[rows], return_inverse=True)[1] % 3 == 0)

    def fitted(chosen: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
        return fit_logistic(scaled[chosen], labels[chosen], num_labels=8, penalty=penalty)

    def judged(part: Tensor, weights: tuple[Tensor, Tensor]) -> np.ndarray:
        return (part @ weights[0].T + weights[1]).argmax(dim=1).numpy()

    def inner(penalty: float) -> float:
        said = judged(scaled[held], fitted(~held, penalty))
        return f1_score(labels[held], said, average="macro")

    best = max(PENALTIES, key=inner)
    every = torch.ones(len(labels), dtype=torch.bool)
    return 100 * f1_score(test.label, judged(there, fitted(every, best)), average="macro")


def tuned(
    classifier: Hicmae, train: States, test: States, scale: StateScale, rows: np.ndarray, seed: int
) -> float:
    """All weights learn the few labels: as many steps for either start."""
    settings = FineTuning(epochs=40, without_face=0.0, without_voice=0.0, average_decay=0.98)
    net = fine_tuned(classifier, train, scale, settings, seed=seed, rows=rows)
    said = logits_of(net, features_of(net, test, scale)).argmax(dim=1)
    return 100 * f1_score(test.label, said, average="macro")


def retrieval(*, learned: Hicmae, test: States, scale: StateScale, count: int = 200) -> float:
    """Per cent of voices that find their own face first among 200 clips of as many utterances."""
    rng = np.random.default_rng(0)
    first = np.unique(test.spoken, return_index=True)[1]
    rows = np.sort(rng.permutation(first)[:count])
    zeros = np.zeros_like(rows)
    faces, voices, _ = test.batch(rows, zeros, zeros)
    with torch.inference_mode():
        seen, heard = scale(faces, voices)
        layers = zip(learned.video(seen), learned.sound(heard), strict=True)
        score = torch.zeros(len(rows), len(rows))
        for place, (video, sound) in enumerate(layers):
            if place in SHIPPED.skip_layers:
                one, other = (
                    torch.nn.functional.normalize(part.mean(dim=1), dim=1)
                    for part in (sound, video)
                )
                score += one @ other.T
    return 100 * float((score.argmax(dim=1) == torch.arange(len(rows))).float().mean())


def raw_features(states: States, scale: StateScale) -> Tensor:
    """Means over time of the scaled states, no transformer."""
    found = []
    for start in range(0, len(states), 64):
        rows = np.arange(start, min(start + 64, len(states)))
        faces, voices, _ = states.batch(rows, np.zeros_like(rows), np.zeros_like(rows))
        seen, heard = scale(faces, voices)
        found.append(torch.cat([seen.mean(dim=(2, 3, 4)), heard.mean(dim=(2, 3))], dim=1))
    return torch.cat(found)


def report(found: list[dict[str, float]], num_train: int, num_test: int) -> list[str]:
    """A table of means over seeds, and paired differences."""
    names = list(found[0])
    lines = [
        "# Pre-training on unlabelled clips",
        "",
        f"{num_train} animated clips of training's speakers without labels; labels of a twentieth of the utterances, drawn anew for each of",
        f"{SEEDS} seeds, which also draw order and start; {num_test} test clips of other speakers, faces and action units, all faces synthetic. Macro-F1",
        f"over eight labels in per cent. {EPOCHS} epochs of pre-training in every row. Probes: logistic, penalty chosen on held-out utterances of",
        "the few. The shipped nets for faces and voices, which read pixels and sound, are frozen in all rows: 'random start' is a random",
        "transformer over their states.",
        "",
        "| | mean | each seed |",
        "| --- | --- | --- |",
    ]
    for name in names:
        values = [row[name] for row in found]
        each = " ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name} | {np.mean(values):.1f} | {each} |")
    lines += [
        "",
        "Differences, paired over seeds, mean and 95 % interval (t, 4 degrees of freedom):",
        "",
    ]
    pairs = [
        ("probe, pretrained", other)
        for other in names
        if other.startswith("probe, ") and other != "probe, pretrained"
    ]
    pairs += [("probe, pretrained", "all weights tuned, random start")]
    pairs += [("all weights tuned, pretrained", "all weights tuned, random start")]
    for one, other in pairs:
        apart = np.asarray([row[one] - row[other] for row in found])
        half = 2.776 * apart.std(ddof=1) / len(apart) ** 0.5
        lines.append(
            f"- {one} less {other}: {apart.mean():+.1f} [{apart.mean() - half:+.1f}, {apart.mean() + half:+.1f}]"
        )
    return lines


if __name__ == "__main__":
    main()
