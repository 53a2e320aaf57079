"""Variances that cover and labels that are as sure as they should be.

Split conformal prediction (Vovk et al. 2005; the scaled scores of Lei et al. 2018): one factor an
axis makes 90 % of held-out errors fall inside 1.645 standard deviations. The softness of the labels
is the temperature of Guo et al. 2017, for shares instead of single labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.recognizers.text.network import TextNetwork, TextOutput
from affetto.train.data.phrases import Phrases

COVERED = 0.9
HALF_WIDTH = 1.6449  # standard deviations of a Gaussian's central 90 %
TEMPERATURES = np.geomspace(0.5, 3.0, 60)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Told:
    """What a net said of N texts: place (N,) in the corpus, and `TextOutput`'s arrays."""

    place: NDArray[np.int64]
    logits: Floats
    rated: Floats
    rated_var: Floats
    asked: Floats
    asked_var: Floats

    @staticmethod
    @torch.no_grad()
    def of(place: NDArray[np.int64], net: TextNetwork, pooled: Tensor) -> "Told":
        """Ask the net about pooled texts (N, 1152)."""
        said = net.judge(pooled)
        return Told(place, *(getattr(said, one.name).numpy() for one in fields(TextOutput)))

    @staticmethod
    def joined(parts: Sequence["Told"]) -> "Told":
        """Several as one."""
        names = [one.name for one in fields(Told)]
        return Told(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def calibrate(
    net: TextNetwork, *, asked: Told, phrases: Phrases, rated: Told, ratings: Floats
) -> None:
    """Set the net's `var_scale` and `temperature`.

    Args:
        net: with both still 1.
        asked: of phrases that were held out.
        phrases: the corpus that `asked.place` points into.
        rated: of texts that were held out.
        ratings: (N, 3) their ratings.
    """
    wanted = phrases.vad[asked.place]
    scales = np.stack(
        [
            covering(rated.rated, rated.rated_var, ratings),
            covering(asked.asked, asked.asked_var, wanted),
        ]
    )
    net.var_scale.copy_(torch.from_numpy(scales))
    net.temperature.fill_(softness(asked.logits, phrases.shares[asked.place]))


def covering(mean: Floats, var: Floats, wanted: Floats) -> Floats:
    """(3,) the factors of var (N, 3) that cover; unknown wanted values (NaN) do not count."""
    scores = np.abs(mean - wanted) / np.sqrt(var)
    factors = [
        (np.quantile(column[~np.isnan(column)], COVERED, method="higher") / HALF_WIDTH) ** 2
        for column in scores.T
    ]
    return np.asarray(factors, dtype=np.float32)


def coverage(mean: Floats, var: Floats, wanted: Floats) -> NDArray[np.float64]:
    """(3,) shares of wanted values inside the central 90 % of the Gaussians."""
    inside: NDArray[np.float64] = (np.abs(mean - wanted) <= HALF_WIDTH * np.sqrt(var)).mean(axis=0)
    return inside


def softness(logits: Floats, shares: Floats) -> float:
    """The temperature under which the shares (N, 11) are likeliest; rows of 0 do not count."""

    def unlikely(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        said = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return float(-(shares * said).sum())

    return float(min(TEMPERATURES, key=unlikely))
