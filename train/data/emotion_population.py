"""Whom the bank's codes serve: what people may ask for, and what recognizers have said."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.emotion import LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.embedder import CrossModalEmbedder, place, token
from affetto.emotion_bank.space import decode
from affetto.request import EmotionRequest, Keyframe, Mixture, Point, Share, Timeline
from affetto.train.data.readings import Readings

# Of random requests: one label, two, three, a point va(v,a), a point vad(v,a,d).
KINDS = ("one", "two", "three", "va", "vad")
KIND_SHARES = (0.3, 0.3, 0.15, 0.15, 0.1)
# A person in this fold of the hash validates; the embedder's recipe leaves out the same people.
NUM_FOLDS = 5


@dataclass(frozen=True)
class Population:
    """N states of emotion in the shared space, and what they mean.

    Attributes:
        mean: (N, 16).
        log_var: (N, 16).
        probs: (N, 11).
        vad: (N, 3).
    """

    mean: Tensor
    log_var: Tensor
    probs: Tensor
    vad: Tensor

    def __len__(self) -> int:
        """How many."""
        return len(self.mean)

    def at(self, chosen: NDArray[np.intp] | Tensor) -> "Population":
        """The chosen states, by index."""
        rows = torch.as_tensor(chosen)
        return Population(self.mean[rows], self.log_var[rows], self.probs[rows], self.vad[rows])


def random_requests(count: int, *, rng: np.random.Generator) -> Population:
    """States that random requests ask for, made by the grammar's own types and `request_to_track`.

    Mixtures draw their strengths evenly from [0.1, 1]; points are even over [-1, 1].
    """
    keyframes = tuple(Keyframe(float(i), random_target(rng), "step") for i in range(count))
    track = request_to_track(EmotionRequest(Timeline(keyframes)), duration_s=max(count - 1, 0.5))
    rows = (track.mean, track.log_var, track.probs, track.vad)
    return Population(*(torch.from_numpy(row.copy()) for row in rows))


@torch.no_grad()
def embedded(readings: Readings, embedder: CrossModalEmbedder) -> Population:
    """Where the embedder places one modality's readings, and what is read there."""
    rows = (readings.probs, readings.vad, readings.vad_var, readings.confidence)
    tokens = token(*(torch.from_numpy(row) for row in rows))[:, None]  # (N, 1, 18)
    modality = torch.full(tokens.shape[:2], place(readings.modality))
    mean, log_var = embedder(tokens, modality)
    probs, vad, _ = decode(mean, log_var)
    return Population(mean, log_var, probs, vad)


def held_out(readings: Readings) -> NDArray[np.bool_]:
    """(N,) True for the fifth of the people whom training never sees."""
    folds = {
        person: hashlib.sha1(person.encode(), usedforsecurity=False).digest()[0] % NUM_FOLDS
        for person in set(readings.person)
    }
    return np.asarray([folds[person] == 0 for person in readings.person], dtype=np.bool_)


def mixed(sources: list[Population], count: int, *, rng: np.random.Generator) -> Population:
    """`count` states, equally many of each source (drawn again where a source is small)."""
    shares = np.full(len(sources), count // len(sources))
    shares[: count % len(sources)] += 1
    drawn = [
        source.at(rng.choice(len(source), size=share, replace=share > len(source)))
        for source, share in zip(sources, shares, strict=True)
    ]
    return Population(
        *(torch.cat([getattr(p, n) for p in drawn]) for n in ("mean", "log_var", "probs", "vad"))
    )


def random_target(rng: np.random.Generator) -> Mixture | Point:
    """What one random request asks for."""
    kind = rng.choice(KINDS, p=KIND_SHARES)
    if kind in ("va", "vad"):
        valence, arousal, dominance = rng.uniform(-1, 1, size=3).tolist()
        return Point(valence, arousal, dominance if kind == "vad" else None)
    labels = rng.choice(LABELS, size=1 + KINDS.index(kind), replace=False)
    strengths = rng.uniform(0.1, 1.0, size=len(labels)).tolist()
    return Mixture(tuple(Share(str(lb), s) for lb, s in zip(labels, strengths, strict=True)))
