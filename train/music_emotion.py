"""Train the music recognizer: signs of valence and arousal from the features of a phrase.

    affetto train music_emotion data.root=... out=runs/music_emotion

Ridge logistic regression; strength by folds of games inside the training half, so that nothing of
the other half is seen. The judge is the same on the other half's games and on fewer features.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from affetto.recognizers.music.features import FEATURES, note_rows, window_features
from affetto.recognizers.music.recognizer import MusicConfig, MusicRecognizer
from affetto.train.data.vgmidi import Phrase, read_vgmidi
from affetto.train.logistic import fit_logistic, fit_temperature
from affetto.train.metrics_log import log_epoch
from affetto.weights import save_weights

LICENCE = "Trained on VGMIDI's labels of game music, which state no licence: research use"
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
NUM_FOLDS = 5


@dataclass
class MusicData:
    """Where things are, and which half of the games is learned."""

    root: str = "../shared/data"  # has vgmidi/
    half: str = "A"


@dataclass
class MusicRecipe:
    """The whole run."""

    data: MusicData = field(default_factory=MusicData)
    features: list[str] = field(default_factory=lambda: list(FEATURES))
    out: str = "runs/music_emotion"
    num_threads: int = 1


def run(config: MusicRecipe) -> dict[str, float]:
    """Train on one half, keep out/weights, give the inner folds' figures."""
    torch.set_num_threads(config.num_threads)
    started = time.process_time()
    read = read_vgmidi(Path(config.data.root) / "vgmidi")
    phrases = [phrase for phrase in read if phrase.half == config.data.half]
    features, signs = phrase_features(phrases), phrase_signs(phrases)
    net, figures = fit(features, signs, [p.game for p in phrases], names=config.features)
    out = Path(config.out)
    save_weights(
        out / "weights",
        config={"features": list(config.features)},
        tensors=net.state_dict(),
        licence=LICENCE,
        commercial=False,
        trained_on=(f"vgmidi_{config.data.half}",),
    )
    log_epoch(out, {"epoch": 0, **figures}, cpu_s=time.process_time() - started)
    return figures


def phrase_features(phrases: Sequence[Phrase]) -> Tensor:
    """(B, F) of whole phrases."""
    found = []
    for phrase in phrases:
        rows = note_rows(phrase.notes)
        found.append(window_features(rows, start_s=rows[0, 0], end_s=rows[:, 1].max()))
    return torch.from_numpy(np.stack(found)).float()


def phrase_signs(phrases: Sequence[Phrase]) -> Tensor:
    """(B, 2) of 0 and 1: valence, arousal positive."""
    return torch.tensor([[phrase.valence, phrase.arousal] for phrase in phrases]).long()


def fit(
    features: Tensor, signs: Tensor, games: Sequence[str], *, names: Sequence[str] = FEATURES
) -> tuple[MusicRecognizer, dict[str, float]]:
    """The recognizer of features (B, F) and signs (B, 2); strength and temperature by folds."""
    net = MusicRecognizer(MusicConfig(names))
    read = features[:, net.get_buffer("columns")]
    net.get_buffer("center").copy_(read.mean(dim=0))
    net.get_buffer("scale").copy_(read.std(dim=0).clamp(min=1e-3))
    scaled = ((read - net.get_buffer("center")) / net.get_buffer("scale")).clamp(-4.0, 4.0)
    fold = game_folds(games, num_folds=NUM_FOLDS, seed=0)
    figures: dict[str, float] = {}
    for axis, axis_name in enumerate(("valence", "arousal")):
        target = signs[:, axis]
        held_out = [_held_out(scaled, target, fold, penalty) for penalty in PENALTIES]
        losses = [float(functional.cross_entropy(logits, target)) for logits in held_out]
        best = int(np.argmin(losses))
        matrix, biases = fit_logistic(
            scaled, target, num_labels=2, penalty=PENALTIES[best], balance=0.0
        )
        with torch.no_grad():
            net.linear.weight[axis] = matrix[1] - matrix[0]
            net.linear.bias[axis] = biases[1] - biases[0]
        net.get_buffer("temperature")[axis] = fit_temperature(held_out[best], target)
        figures |= {f"{axis_name}_loss": losses[best], f"{axis_name}_penalty": PENALTIES[best]}
    return net.eval().requires_grad_(False), figures


def game_folds(games: Sequence[str], *, num_folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each item: games in shuffled order, each to the fold with the fewest items."""
    order = np.random.default_rng(seed).permutation(sorted(set(games)))
    counts = {game: games.count(game) for game in order}
    held = np.zeros(num_folds, dtype=np.int64)
    fold_of: dict[str, int] = {}
    for game in order:
        fold_of[game] = int(held.argmin())
        held[fold_of[game]] += counts[game]
    return np.array([fold_of[game] for game in games])


def _held_out(scaled: Tensor, target: Tensor, fold: NDArray[np.int64], penalty: float) -> Tensor:
    """Logits (B, 2) of each item by the fit that did not see its game."""
    logits = torch.zeros(len(target), 2)
    for number in set(fold.tolist()):
        out = torch.from_numpy(fold == number)
        matrix, biases = fit_logistic(
            scaled[~out], target[~out], num_labels=2, penalty=penalty, balance=0.0
        )
        logits[out] = scaled[out] @ matrix.T + biases
    return logits
