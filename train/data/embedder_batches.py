"""Batches for the embedder: items of several modalities that mean the same, and CREMA-D's votes.

No corpus has a voice, a face and a text of one moment with one label, so items of one label are
put together at random, always of different people. Votes of CREMA-D are of one moment: they alone
teach how much a voice and a face count when they disagree. Letters: B items, M = 6 modalities.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from affetto.emotion import LABELS
from affetto.emotion_bank.bank import ANCHOR_SPREAD, ANCHORS, probs_from_vad
from affetto.emotion_bank.commitment import FELT_SPREAD
from affetto.emotion_bank.embedder import KNOWN, MODALITIES, TOKEN_WIDTH, place, token
from affetto.train.data.cremad import VOTED_PLACES, CremadVotes, Votes, over_labels
from affetto.train.data.readings import Floats, Readings, decidedness, derived

Rng = np.random.Generator
_NUM_LABELS = len(LABELS)


@dataclass(frozen=True)
class EmbedderBatch:
    """Items with what should come out.

    Attributes:
        tokens: (B, 6, 18), one place a modality of `MODALITIES`.
        mask: (B, 6) bool, which are there.
        wanted: (B, 11) label probabilities.
        asked: (B, 11) 1 where the label was open to those who judged: CREMA-D asked for six.
        vad: (B, 3) wanted.
        person: (B,) long, equal for items of one person.
        kind: (B,) long, the single label where there is one, else -1.
    """

    tokens: Tensor
    mask: Tensor
    wanted: Tensor
    asked: Tensor
    vad: Tensor
    person: Tensor
    kind: Tensor

    def modality(self) -> Tensor:
        """(B, 6) long: every place holds its own modality."""
        return torch.arange(len(MODALITIES)).expand(self.mask.shape)


class Pools:
    """The readings sorted by label, ready to be drawn from.

    Attributes:
        readings: by modality.
        can: (11, 6) bool, which modalities have items of a label.
    """

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        """Sort; motion borrows the face's readings where it has none, it says the same labels."""
        self.readings = dict(readings)
        if "face" in readings:
            self.readings.setdefault("motion", readings["face"])
        labels = np.arange(_NUM_LABELS)
        self._order = {n: np.argsort(r.label, kind="stable") for n, r in self.readings.items()}
        self._first, self._count = {}, {}
        for name, r in self.readings.items():
            ordered = r.label[self._order[name]]
            self._first[name] = np.searchsorted(ordered, labels)
            self._count[name] = np.searchsorted(ordered, labels, side="right") - self._first[name]
        names = sorted({person for r in readings.values() for person in r.person})
        numbers = {name: number for number, name in enumerate(names)}
        self.person = {
            n: np.asarray([numbers[p] for p in r.person]) for n, r in self.readings.items()
        }
        self.can = np.zeros((_NUM_LABELS, len(MODALITIES)), dtype=np.bool_)
        for name in self.readings:
            self.can[:, place(name)] = self._count[name] > 0
        self.can[:, [place("scene"), place("request")]] = True

    def draw(self, modality: str, labels: NDArray[np.int64], *, rng: Rng) -> NDArray[np.int64]:
        """An item of each label, equally likely: rows of the modality's readings."""
        steps = (rng.random(len(labels)) * self._count[modality][labels]).astype(np.int64)
        rows: NDArray[np.int64] = self._order[modality][self._first[modality][labels] + steps]
        return rows


def labelled_batch(pools: Pools, size: int, *, single: float, rng: Rng) -> EmbedderBatch:
    """`size` items of labels drawn equally, each with one modality (share `single`) or several.

    Scenes and requests are made up: a scene is a rough VAD point somewhere near the label's anchor,
    a request the label itself.
    """
    rows = _Rows(size)
    labels = rng.integers(_NUM_LABELS, size=size)
    number = np.where(rng.random(size) < single, 1, rng.integers(2, 4, size=size))
    luck = np.where(pools.can[labels], rng.random((size, len(MODALITIES))), -1.0)
    ranks = (-luck).argsort(axis=1).argsort(axis=1)
    shown = (ranks < number[:, None]) & (luck >= 0)  # (B, 6)
    for name in MODALITIES:
        here = np.flatnonzero(shown[:, place(name)])
        if name == "request":
            items = _requests(labels[here])
        elif name == "scene":
            items = _scenes(labels[here], rng=rng)
        elif name in pools.readings:
            chosen = pools.draw(name, labels[here], rng=rng)
            items = _items(pools.readings[name], chosen, rng=rng)
            rows.person[here] = pools.person[name][chosen]
        else:
            continue
        rows.put(here, name, items)
    rows.wanted[np.arange(size), labels] = 1.0
    rows.vad[:] = ANCHORS[labels]
    rows.kind[:] = labels
    return rows.batch()


def voted_batch(votes: CremadVotes, chosen: NDArray[np.int64]) -> EmbedderBatch:
    """The chosen clips: votes by voice and by face go in, votes by both should come out."""
    rows = _Rows(len(chosen))
    everywhere = np.arange(len(chosen))
    for name, table in (("voice", votes.voice), ("face", votes.face)):
        rows.put(everywhere, name, judgements(table[chosen]))
    rows.wanted[:] = over_labels(votes.both[chosen])
    rows.asked[:] = 0.0
    rows.asked[:, VOTED_PLACES] = 1.0
    rows.vad[:] = derived(rows.wanted)[0]
    return rows.batch()


def single_batch(readings: Readings) -> EmbedderBatch:
    """All items of one recognizer, untouched, that modality alone."""
    rows = _Rows(len(readings))
    rows.put(np.arange(len(readings)), readings.modality, tokens_of(readings))
    labelled = np.flatnonzero(readings.label >= 0)
    rows.wanted[labelled, readings.label[labelled]] = 1.0
    rows.vad[labelled] = ANCHORS[readings.label[labelled]]
    rows.kind[:] = readings.label
    return rows.batch()


def tokens_of(readings: Readings) -> Floats:
    """(N, 18) tokens of all items."""
    return _tokens(readings.probs, readings.vad, readings.vad_var, readings.confidence)


def judgements(votes: Votes) -> Floats:
    """Votes (N, 6) of CREMA-D as a recognizer would put them: tokens (N, 18)."""
    probs = over_labels(votes)
    return _tokens(probs, *derived(probs), decidedness(probs, len(VOTED_PLACES)))


def jittered(probs: Floats, temperature: Floats) -> Floats:
    """Probabilities (N, 11) at other temperatures (N,); labels at 0 stay there."""
    powers = np.where(probs > 0, np.maximum(probs, 1e-9) ** (1.0 / temperature[:, None]), 0.0)
    warmed: Floats = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return warmed


def _items(readings: Readings, chosen: NDArray[np.int64], *, rng: Rng) -> Floats:
    """Tokens at temperatures of .7 to 1.5, half of them untouched; text keeps its VAD."""
    temperature = np.exp(rng.uniform(np.log(0.7), np.log(1.5), len(chosen)))
    temperature[rng.random(len(chosen)) < 0.5] = 1.0
    before, vad, variance = (
        values[chosen] for values in (readings.probs, readings.vad, readings.vad_var)
    )
    num_labels = sum(KNOWN[readings.modality])
    probs = jittered(before, temperature.astype(np.float32))
    gain = decidedness(probs, num_labels) / np.maximum(decidedness(before, num_labels), 1e-3)
    if readings.modality != "text":
        vad, variance = derived(probs)
    return _tokens(probs, vad, variance, np.minimum(1.0, readings.confidence[chosen] * gain))


def _scenes(labels: NDArray[np.int64], *, rng: Rng) -> Floats:
    share = rng.uniform(0.05, 0.4, (len(labels), 1))
    vad = ANCHORS[labels] * np.sqrt(share) + rng.normal(0.0, 0.15, (len(labels), 3))
    variance = np.tile(FELT_SPREAD**2 * (1.0 - share), (1, 3))
    vad = np.clip(vad, -1.0, 1.0)
    return _tokens(probs_from_vad(vad, variance), vad, variance, np.sqrt(share[:, 0]))


def _requests(labels: NDArray[np.int64]) -> Floats:
    probs = np.eye(_NUM_LABELS, dtype=np.float32)[labels]
    number = len(labels)
    return _tokens(probs, ANCHORS[labels], np.full((number, 3), ANCHOR_SPREAD**2), np.ones(number))


def _tokens(probs: ArrayLike, vad: ArrayLike, variance: ArrayLike, confidence: ArrayLike) -> Floats:
    arrays = (np.asarray(values, np.float32) for values in (probs, vad, variance, confidence))
    tokens: Floats = token(*(torch.from_numpy(values) for values in arrays)).numpy()
    return tokens


class _Rows:
    """A batch while it is being filled."""

    def __init__(self, size: int) -> None:
        self.tokens = np.zeros((size, len(MODALITIES), TOKEN_WIDTH), dtype=np.float32)
        self.tokens[..., 0] = 1.0
        self.mask = np.zeros((size, len(MODALITIES)), dtype=np.bool_)
        self.wanted = np.zeros((size, _NUM_LABELS), dtype=np.float32)
        self.asked = np.ones((size, _NUM_LABELS), dtype=np.float32)
        self.vad = np.zeros((size, 3), dtype=np.float32)
        self.person = -1 - np.arange(size)
        self.kind = np.full(size, -1)

    def put(self, here: NDArray[np.int64], name: str, tokens: Floats) -> None:
        self.tokens[here, place(name)] = tokens
        self.mask[here, place(name)] = True

    def batch(self) -> EmbedderBatch:
        names = ("tokens", "mask", "wanted", "asked", "vad", "person", "kind")
        return EmbedderBatch(*(torch.from_numpy(getattr(self, name)) for name in names))
