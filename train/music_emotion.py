"""Train the music recognizer: what listeners felt, window by window, and the sign of a phrase.

    affetto train music_emotion data.root=... out=runs/music_emotion

Ridge regression, linear or on a kernel with landmarks (Nystroem), to the listeners' mean in windows
of whole pieces, each as it is and in fuller settings. Strength, kernel width and the calibration to
signs come from folds of games inside the training half, so that nothing of the other half is seen.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.recognizers.music.features import note_rows
from affetto.recognizers.music.recognizer import MusicConfig, MusicRecognizer, window_edges
from affetto.train.augment_music import fuller_setting
from affetto.train.data.vgmidi import Phrase, Piece, read_pieces, read_vgmidi
from affetto.train.logistic import fit_logistic
from affetto.train.metrics_log import log_epoch
from affetto.weights import save_weights

LICENCE = "Trained on VGMIDI's labels of game music, which state no licence: research use"
PENALTIES = {True: (0.1, 0.3, 1.0, 3.0), False: (100.0, 300.0, 1000.0, 3000.0)}  # by: has landmarks
WIDTHS = (0.003, 0.006, 0.012)  # of the kernel, per squared standard deviation
NUM_FOLDS = 5
SETTINGS = 2  # fuller ones beside the piece as it is


@dataclass
class MusicData:
    """Where things are, and which half of the games is learned."""

    root: str = "../shared/data"  # has vgmidi/
    half: str = "A"


@dataclass
class MusicRecipe:
    """The whole run."""

    data: MusicData = field(default_factory=MusicData)
    reads: str = "cues"
    num_landmarks: int = 0
    out: str = "runs/music_emotion"
    seed: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class Lessons:
    """What is learned from, for one kind of reader.

    Attributes:
        windows: (M, F) of whole pieces in all settings.
        heard: (M, 2) the listeners' mean in each.
        games: (M,) which game each is of.
        phrases: (B_i, F) windows of each labelled phrase.
        signs: (P, 2) of 0 and 1: valence, arousal of the phrases.
        phrase_games: (P,).
    """

    windows: Tensor
    heard: Tensor
    games: NDArray[np.str_]
    phrases: list[Tensor]
    signs: Tensor
    phrase_games: NDArray[np.str_]

    def part(self, games: set[str]) -> "Lessons":
        """What is of these games."""
        own = np.isin(self.games, list(games))
        kept = np.flatnonzero(np.isin(self.phrase_games, list(games)))
        return Lessons(
            self.windows[torch.from_numpy(own)],
            self.heard[torch.from_numpy(own)],
            self.games[own],
            [self.phrases[index] for index in kept],
            self.signs[torch.from_numpy(kept)],
            self.phrase_games[kept],
        )


def run(config: MusicRecipe) -> dict[str, float]:
    """Train on one half, keep out/weights, give the inner folds' figures."""
    torch.set_num_threads(config.num_threads)
    started = time.process_time()
    root = Path(config.data.root) / "vgmidi"
    pieces = [piece for piece in read_pieces(root) if piece.half == config.data.half]
    phrases = [phrase for phrase in read_vgmidi(root) if phrase.half == config.data.half]
    shape = MusicConfig(config.reads, config.num_landmarks)  # type: ignore[arg-type]
    lessons = read_lessons(shape, pieces, phrases, seed=config.seed)
    net, figures = fit(shape, lessons, seed=config.seed)
    keep(Path(config.out), net, shape, trained_on=(f"vgmidi_{config.data.half}",))
    log_epoch(Path(config.out), {"epoch": 0, **figures}, cpu_s=time.process_time() - started)
    return figures


def keep(
    out: Path, net: MusicRecognizer, shape: MusicConfig, *, trained_on: tuple[str, ...]
) -> None:
    """Write a recognizer's weights to out/weights."""
    save_weights(
        out / "weights",
        config={"reads": shape.reads, "num_landmarks": shape.num_landmarks},
        tensors=net.state_dict(),
        licence=LICENCE,
        commercial=False,
        trained_on=trained_on,
    )


def read_lessons(
    shape: MusicConfig, pieces: Sequence[Piece], phrases: Sequence[Phrase], *, seed: int
) -> Lessons:
    """Windows of pieces in all settings, and of phrases as they are."""
    rng = np.random.default_rng(seed)
    net = MusicRecognizer(shape)
    windows, heard, games = [], [], []
    for piece in pieces:
        rows = note_rows(piece.notes)
        for setting in [rows, *(fuller_setting(rows, rng=rng) for _ in range(SETTINGS))]:
            start_s, end_s = setting[0, 0], setting[:, 1].max()
            for first_s, last_s in window_edges(start_s, end_s):
                window = net.reader.window(setting, start_s=first_s, end_s=last_s)
                if window.any():
                    windows.append(window)
                    heard.append(heard_between(piece, (start_s, end_s), first_s, last_s))
                    games.append(piece.game)
    return Lessons(
        torch.from_numpy(np.stack(windows)).float(),
        torch.from_numpy(np.stack(heard)).float(),
        np.array(games),
        [net.windows(note_rows(phrase.notes)).float() for phrase in phrases],
        torch.tensor([[phrase.valence, phrase.arousal] for phrase in phrases]).long(),
        np.array([phrase.game for phrase in phrases]),
    )


def heard_between(
    piece: Piece, span_s: tuple[float, float], first_s: float, last_s: float
) -> NDArray[np.float64]:
    """(2,) the listeners' mean of the bars whose middles lie between two times, or the nearest.

    `span_s` is from when to when the piece's notes sound where it is played.
    """
    bars_s = np.linspace(*span_s, len(piece.heard) + 1)
    middles_s = (bars_s[1:] + bars_s[:-1]) / 2
    inside = (middles_s >= first_s) & (middles_s < last_s)
    nearest = np.abs(middles_s - (first_s + last_s) / 2).argmin()
    felt = piece.heard[inside] if inside.any() else piece.heard[[nearest]]
    mean: NDArray[np.float64] = felt.mean(axis=0)
    return mean


def fit(
    shape: MusicConfig, lessons: Lessons, *, seed: int = 0
) -> tuple[MusicRecognizer, dict[str, float]]:
    """The recognizer of some lessons; what is chosen is chosen by folds of their games."""
    names = lessons.phrase_games.tolist()
    fold_of = dict(zip(names, game_folds(names, num_folds=NUM_FOLDS, seed=0), strict=True))
    choices = [
        (penalty, width)
        for penalty in PENALTIES[shape.num_landmarks > 0]
        for width in (WIDTHS if shape.num_landmarks else WIDTHS[:1])
    ]
    held_out = {c: torch.zeros(len(lessons.phrases), 2) for c in choices}
    games = {*fold_of, *lessons.games.tolist()}
    for number in range(NUM_FOLDS):
        out = {game for game, fold in fold_of.items() if fold == number}
        kept = lessons.part(games - out)
        own = np.flatnonzero(np.isin(lessons.phrase_games, list(out)))
        for choice in choices:
            net = solve(shape, kept, *choice, seed=seed)
            for index in own:
                held_out[choice][index] = net.scores(lessons.phrases[index]).mean(dim=0)
    calibrated = {c: calibrate(scores, lessons.signs) for c, scores in held_out.items()}
    best = min(choices, key=lambda choice: calibrated[choice][2])
    net = solve(shape, lessons, *best, seed=seed)
    slope, offset, loss = calibrated[best]
    net.slope.copy_(slope)
    net.offset.copy_(offset)
    return net.eval(), {"penalty": best[0], "width": best[1], "folds_loss": loss}


@torch.no_grad()
def solve(
    shape: MusicConfig, lessons: Lessons, penalty: float, width: float, *, seed: int
) -> MusicRecognizer:
    """Ridge regression in closed form; the calibration stays as it begins."""
    net = MusicRecognizer(shape).requires_grad_(False)
    net.center.copy_(lessons.windows.mean(dim=0))
    net.scale.copy_(lessons.windows.std(dim=0).clamp(min=1e-3))
    net.gamma.fill_(width)
    inner = torch.eye(net.linear.in_features, dtype=torch.float64)
    if shape.num_landmarks:
        chosen = np.random.default_rng(seed).permutation(len(lessons.windows))
        scaled = (lessons.windows[chosen[: shape.num_landmarks]] - net.center) / net.scale
        net.landmarks.copy_(scaled.clamp(-4.0, 4.0))
        distance = torch.cdist(net.landmarks.double(), net.landmarks.double())
        inner = torch.exp(-width * distance.square()) + 1e-6 * inner
    seen = net.described(lessons.windows).double()  # (M, F or L)
    mean, level = seen.mean(dim=0), lessons.heard.double().mean(dim=0)
    seen, wanted = seen - mean, lessons.heard.double() - level
    weights = torch.linalg.solve(seen.T @ seen + penalty * inner, seen.T @ wanted)
    net.linear.weight.copy_(weights.T.float())
    net.linear.bias.copy_((level - mean @ weights).float())
    return net


def calibrate(scores: Tensor, signs: Tensor) -> tuple[Tensor, Tensor, float]:
    """Slope and offset (2,) each of the logit of a positive sign, both signs weighing alike.

    Returns:
        Also the mean cross-entropy of the two, balanced in the same way.
    """
    slopes, offsets, losses = [], [], []
    for axis in (0, 1):
        deviation = scores[:, axis].std().clamp(min=1e-6)
        read = (scores[:, axis] / deviation)[:, None]
        matrix, biases = fit_logistic(read, signs[:, axis], num_labels=2, penalty=0.01)
        slopes.append((matrix[1] - matrix[0])[0] / deviation)
        offsets.append(biases[1] - biases[0])
        logits = slopes[-1] * scores[:, axis] + offsets[-1]
        each = torch.nn.functional.softplus(torch.where(signs[:, axis] == 1, -logits, logits))
        losses.append(sum(float(each[signs[:, axis] == s].mean()) for s in (0, 1)) / 2)
    return torch.stack(slopes), torch.stack(offsets), sum(losses) / 2


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
