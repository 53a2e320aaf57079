"""Sound -> lip shape by ridge regression, learned from real talking clips of other people.

If the lips of a clip go with its sound the way people's lips do, a regression that has seen other
people explains part of their movement (R2 above 0); of frozen, random or shuffled lips it explains
nothing. Also which lip class (see `articulation`) a linear discriminant reads from the shape at
each sound. Neither is shipped trained: the clips may be measured with, not published.
Letters: T frames, M mel bands, D = 6 lip measures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.recognizers.score_portrait.articulation import TARGETS, Spoken, lip_class
from affetto.recognizers.score_portrait.lips import Lips

Double = NDArray[np.float64]

RATE_HZ = 16_000
HOP, WINDOW, BINS, NUM_MELS = 160, 400, 512, 32
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
CONTEXT_S = tuple(np.arange(-8, 9) * 0.02)
STRENGTH = 3.0  # of the ridge, per frame
CLASSES = tuple(TARGETS)
SHRINKAGE = 0.2


@dataclass(frozen=True)
class Talk:
    """One clip to learn from or to judge: lips with their sound.

    Attributes:
        lips: T frames.
        mels: (T', M) log mel bands at 100 Hz, from `log_mels`.
        sounds: what is said when.
        person: who; clips of one person are never on both sides.
    """

    lips: Lips
    mels: Double
    sounds: Sequence[Spoken] = ()
    person: str = ""


def log_mels(wav: NDArray[np.floating]) -> Double:
    """(S,) at 16 kHz -> (T', 32) log power in mel bands every 10 ms, mean 0 and spread 1 a band."""
    sound = np.pad(np.asarray(wav, dtype=np.float64), (WINDOW // 2, WINDOW))
    count = max(1, len(wav) // HOP)
    places = np.arange(WINDOW) + HOP * np.arange(count)[:, None]
    power = np.abs(np.fft.rfft(sound[places] * np.hanning(WINDOW), BINS)) ** 2
    bands = np.log(power @ _filters().T + 1e-6)
    return np.asarray((bands - bands.mean(axis=0)) / (bands.std(axis=0) + 1e-3))


def sound_windows(mels: Double, frames: int, *, fps: float, lag_s: float = 0.0) -> Double:
    """(T, 17 M) the sound round each frame; `lag_s` > 0 takes earlier sound."""
    centres = (np.arange(frames) + 0.5) / fps - lag_s
    times = np.arange(len(mels)) * HOP / RATE_HZ
    columns = [
        np.stack([np.interp(centres + shift, times, band) for band in mels.T], axis=1)
        for shift in CONTEXT_S
    ]
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class LipRegression:
    """Ridge weights; see `fit_regression`."""

    mean: Double
    spread: Double
    weights: Double  # (17 M, D)

    def predict(self, talk: Talk, *, lag_s: float = 0.0) -> Double:
        """(T, D) lip shape that the sound lets expect, in spreads of the clip."""
        heard = sound_windows(talk.mels, len(talk.lips.gap), fps=talk.lips.fps, lag_s=lag_s)
        values: Double = ((heard - self.mean) / self.spread) @ self.weights
        return values

    def r2(self, talk: Talk, *, lag_s: float = 0.0) -> float:
        """Share of the lips' variance explained, mean over D; lips that do not move get 0."""
        shape, expected = standard_shape(talk.lips), self.predict(talk, lag_s=lag_s)
        expected = expected - expected.mean(axis=0)
        return float(1 - ((shape - expected) ** 2).sum() / max((shape**2).sum(), 1e-9)) * bool(
            shape.any()
        )


def fit_regression(talks: Sequence[Talk]) -> LipRegression:
    """Learn from clips; each has the same weight a frame."""
    heard = np.concatenate(
        [sound_windows(one.mels, len(one.lips.gap), fps=one.lips.fps) for one in talks]
    )
    shapes = np.concatenate([standard_shape(one.lips) for one in talks])
    mean, spread = heard.mean(axis=0), heard.std(axis=0) + 1e-6
    inputs = (heard - mean) / spread
    ridge = STRENGTH * len(inputs) * np.eye(inputs.shape[1])
    return LipRegression(
        mean, spread, np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ shapes)
    )


@dataclass(frozen=True)
class LipReader:
    """A linear discriminant from lip shape to lip class; see `fit_reader`."""

    means: Double  # (classes, D)
    precision: Double  # (D, D)

    def agreement(self, talk: Talk) -> float:
        """Mean recall of the lip classes over the sounds of a clip; by chance 1 / classes there."""
        shapes, wanted = _at_sounds(talk)
        if not len(wanted):
            return float("nan")
        apart = shapes[:, None] - self.means  # (N, classes, D)
        said = np.einsum("ncd,de,nce->nc", apart, self.precision, apart).argmin(axis=1)
        return float(np.mean([(said[wanted == one] == one).mean() for one in np.unique(wanted)]))


def fit_reader(talks: Sequence[Talk]) -> LipReader:
    """Learn the classes' mean shapes and their shared covariance, shrunk to its diagonal."""
    pairs = [_at_sounds(talk) for talk in talks]
    shapes = np.concatenate([shape for shape, _ in pairs])
    wanted = np.concatenate([one for _, one in pairs])
    means = np.stack([shapes[wanted == number].mean(axis=0) for number in range(len(CLASSES))])
    inside = np.cov((shapes - means[wanted]).T)
    inside = (1 - SHRINKAGE) * inside + SHRINKAGE * np.diag(np.diag(inside))
    return LipReader(means, np.asarray(np.linalg.inv(inside), dtype=np.float64))


def standard_shape(lips: Lips) -> Double:
    """(T, D) lip measures with mean 0 and spread 1 over the clip; what does not move stays 0."""
    shape = lips.shape()
    shape = shape - shape.mean(axis=0)
    spread = shape.std(axis=0)
    return np.asarray(shape / np.where(spread > 1e-4, spread, np.inf))


def _at_sounds(talk: Talk) -> tuple[Double, NDArray[np.intp]]:
    """(N, D) mean shape while each sound is made, (N,) its class."""
    shape, fps = standard_shape(talk.lips), talk.lips.fps
    rows, wanted = [], []
    for sound in talk.sounds:
        first = int(np.floor((sound.start_s - 0.02) * fps))
        last = int(np.floor(min(sound.end_s, sound.start_s + 0.1) * fps))
        if first < 0 or first >= len(shape):
            continue
        rows.append(shape[first : last + 1].mean(axis=0))
        wanted.append(CLASSES.index(lip_class(sound.symbol)))
    return np.reshape(rows, (-1, shape.shape[1])), np.asarray(wanted, dtype=np.intp)


def _filters() -> Double:
    """(M, bins) triangles, evenly spaced on the mel scale."""
    hz = np.linspace(0, RATE_HZ / 2, BINS // 2 + 1)
    low, high = (2595 * float(np.log10(1 + edge / 700)) for edge in (LOWEST_HZ, HIGHEST_HZ))
    mel = np.linspace(low, high, NUM_MELS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    up = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    return np.asarray(np.clip(np.minimum(up, down), 0, None))
