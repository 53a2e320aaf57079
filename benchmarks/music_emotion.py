"""Signs of valence and arousal of VGMIDI's phrases: folds by game, controls, the two shipped sets.

Run: OMP_NUM_THREADS=1 python benchmarks/music_emotion.py [--data-root FOLDER]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from result_file import write_result
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor

from affetto.recognizers.music.features import FEATURES
from affetto.recognizers.music.recognizer import MusicRecognizer, load_music_recognizer
from affetto.train.data.vgmidi import read_vgmidi
from affetto.train.music_emotion import fit, game_folds, phrase_features, phrase_signs

REPEATS, FOLDS, SHUFFLES = 5, 5, 12
HAND = (
    "velocity", "velocity_spread", "note_rate", "onset_rate", "duration", "duration_spread",
    "polyphony", "pitch", "pitch_spread", "pitch_range", "major_fit", "minor_fit", "mode",
    "pitch_class_entropy", "gap_spread", "melody_step",
)  # fmt: skip
BARS = "| bar (issue 6) | > .780 | > .900 | | |"
DATA = Path(__file__).parents[2] / "shared" / "data" / "vgmidi"

Fit = Callable[[Tensor, Tensor, list[str]], MusicRecognizer]


def folded(
    features: Tensor, signs: Tensor, games: list[str], train: Fit, *, repeats: int = REPEATS
) -> list[list[float]]:
    """Per repeat: AUC of valence, arousal, balanced accuracy of both."""
    rows = []
    for repeat in range(repeats):
        fold = game_folds(games, num_folds=FOLDS, seed=100 + repeat)
        said = torch.zeros(len(games), 2)
        for number in range(FOLDS):
            out = torch.from_numpy(fold == number)
            kept = [game for game, own in zip(games, fold, strict=True) if own != number]
            said[out] = train(features[~out], signs[~out], kept)(features[out])
        rows.append(scores(said, signs))
    return rows


def shuffles(count: int) -> list[Tensor]:
    """Other orders of the labels, a seed each."""
    return [
        torch.from_numpy(np.random.default_rng(seed).permutation(count)) for seed in range(SHUFFLES)
    ]


def scores(said: Tensor, signs: Tensor) -> list[float]:
    """AUC of valence, arousal, balanced accuracy of both."""
    auc = [float(roc_auc_score(signs[:, axis], said[:, axis])) for axis in (0, 1)]
    right = [float(balanced_accuracy_score(signs[:, a], said[:, a] > 0.5)) for a in (0, 1)]
    return auc + right


def line(name: str, rows: list[list[float]]) -> str:
    """The Markdown row: mean, and the deviation over repeats where there are several."""
    values = np.array(rows)
    spread = values.std(axis=0) if len(rows) > 1 else np.zeros(values.shape[1])
    cells = [
        f"{mean:.3f}" + (f" ± {deviation:.3f}" if len(rows) > 1 else "")
        for mean, deviation in zip(values.mean(axis=0), spread, strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    phrases = read_vgmidi(arguments.data_root)
    features, signs = phrase_features(phrases), phrase_signs(phrases)
    games = [phrase.game for phrase in phrases]
    shuffled = [
        folded(features, signs[shuffle], games, lambda *a: fit(*a)[0], repeats=1)[0]
        for shuffle in shuffles(len(games))
    ]
    lines = [
        "# Music emotion from notes: VGMIDI, 204 phrases",
        f"\n{FOLDS} folds grouped by game, {REPEATS} repeats (seeds 100 to {99 + REPEATS}), mean and "
        "deviation over repeats. Strength and temperature by folds of games inside each training "
        "part. AUC is 0.5 for a constant.\n",
        "| | valence AUC | arousal AUC | valence balanced | arousal balanced |",
        "|---|---|---|---|---|",
        "| majority | .500 | .500 | .500 | .500 |",
        line(f"shuffled labels, {SHUFFLES} shuffles", shuffled),
        "| 16 hand features, an earlier measurement, not made here | .744 | .882 | .610 | .819 |",
        line(
            "16 hand features, ours nearest to them",
            folded(features, signs, games, lambda *a: fit(*a, names=HAND)[0]),
        ),
        line(
            f"all {len(FEATURES)} features",
            folded(features, signs, games, lambda *a: fit(*a)[0]),
        ),
        BARS,
        "\n## The shipped sets, each on the half of the games it has not seen\n",
        "| | valence AUC | arousal AUC | valence balanced | arousal balanced |",
        "|---|---|---|---|---|",
    ]
    for name, half in (("music_emotion", "B"), ("music_emotion_judge", "A")):
        other = torch.tensor([phrase.half == half for phrase in phrases])
        said = load_music_recognizer(name)(features[other])
        title = f"{name} on half {half} ({int(other.sum())} phrases)"
        lines.append(line(title, [scores(said, signs[other])]))
    lines.append("\nOver time, against the listeners' curves: benchmarks/music_emotion_curves.py.")
    write_result(
        "music_emotion",
        "\n".join(lines),
        command="OMP_NUM_THREADS=1 python benchmarks/music_emotion.py",
        packages=("torch", "numpy", "scikit-learn"),
    )


if __name__ == "__main__":
    main()
