"""How well a course of density and loudness is met: Video2Music's padded error and honest ones."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.gen.music.dynamics import DynamicsNet
from affetto.train.data.dynamics_batches import Course, course, dynamics_batch
from affetto.train.data.muvi_sync import MAX_STEPS, Song

AXES = ("density", "loudness")


def padded_rmse(predicted: Tensor, targets: Tensor) -> Tensor:
    """Each song's root mean squared error (B, 2) over 300 positions, as Video2Music counts it.

    Args:
        predicted: (B, T, 2), T at most 300; positions up to 300 that are missing count as right.
        targets: (B, T, 2), zeros after a song's end.
    """
    squares = (predicted - targets).square().sum(dim=1) / MAX_STEPS
    return (squares + 1e-12).sqrt()


def predict(net: DynamicsNet, songs: Sequence[Song], *, batch_size: int = 25) -> list[Course]:
    """The net's course (T, 2) of each song, in eval mode."""
    net.eval()
    courses = []
    for start in range(0, len(songs), batch_size):
        batch = dynamics_batch(songs[start : start + batch_size], net.names)
        with torch.no_grad():
            rows = net(batch.conditions, lengths=batch.lengths, ends=batch.ends)
        courses += [row[:length].numpy() for row, length in zip(rows, batch.lengths, strict=True)]
    return courses


def score_courses(courses: Sequence[Course], songs: Sequence[Song]) -> dict[str, float]:
    """Errors and correlations of predicted courses.

    Args:
        courses: (T, 2) of each song; (300, 2) where padding is predicted too.
        songs: with density and loudness.

    Returns:
        For each of density and loudness: `_padded_rmse`, over 300 positions with zeros after the
        end, averaged over songs (Video2Music's protocol); `_rmse`, over all real seconds;
        `_correlation`, Pearson over all real seconds; `_within`, the mean of each song's own.
        Where nothing varies a correlation is 0.
    """
    wanted = [course(song) for song in songs]
    padded = padded_errors(courses, songs).mean(axis=0)
    within = np.mean(
        [
            [_pearson(mine, theirs) for mine, theirs in zip(guess[: len(t)].T, t.T, strict=True)]
            for guess, t in zip(courses, wanted, strict=True)
        ],
        axis=0,
    )
    real = np.concatenate([c[: len(t)] for c, t in zip(courses, wanted, strict=True)])
    target = np.concatenate(wanted)
    figures = {}
    for axis, name in enumerate(AXES):
        error = real[:, axis].astype(np.float64) - target[:, axis]
        figures[f"{name}_padded_rmse"] = float(padded[axis])
        figures[f"{name}_rmse"] = float(np.sqrt(np.square(error).mean()))
        figures[f"{name}_correlation"] = _pearson(real[:, axis], target[:, axis])
        figures[f"{name}_within"] = float(within[axis])
    return figures


def padded_errors(courses: Sequence[Course], songs: Sequence[Song]) -> NDArray[np.float64]:
    """Each song's root mean squared error (N, 2) over 300 positions, zeros where a course ends."""
    errors = []
    for guess, song in zip(courses, songs, strict=True):
        target = course(song)
        rows = np.zeros((2, MAX_STEPS, 2))
        rows[0, : len(guess)], rows[1, : len(target)] = guess, target
        errors.append(np.sqrt(np.square(rows[0] - rows[1]).mean(axis=0)))
    return np.array(errors)


def _pearson(a: Course, b: Course) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])
