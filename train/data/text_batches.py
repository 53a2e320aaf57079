"""Batches of texts whose lower layers are computed once and kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from affetto.recognizers.text.encoder import MiniLM, Tokens


@dataclass(frozen=True)
class TextStates:
    """Texts as token numbers and float16 states (L, 384) after the layers that are not tuned."""

    token_ids: tuple[Tensor, ...]
    states: tuple[Tensor, ...]

    def __len__(self) -> int:
        """How many texts."""
        return len(self.token_ids)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(ids) for ids in self.token_ids]

    def where(self, places: Sequence[int] | NDArray[np.int64]) -> "TextStates":
        """The texts at these places."""
        return TextStates(
            tuple(self.token_ids[i] for i in places), tuple(self.states[i] for i in places)
        )

    def batch(self, encoder: MiniLM, places: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings (B, L, 384), states (B, L, 384), mask (B, L) of the texts at `places`."""
        ids = pad_sequence([self.token_ids[i] for i in places], batch_first=True)
        states = pad_sequence([self.states[i] for i in places], batch_first=True)
        return encoder.embed(ids), states.float(), ids != 0


@torch.no_grad()
def encode_texts(encoder: MiniLM, tokens: Tokens, texts: Sequence[str]) -> TextStates:
    """Run the frozen layers over all texts, short ones together."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    ids: dict[int, Tensor] = {}
    states: dict[int, Tensor] = {}
    for places in np.array_split(order, max(1, len(order) // 64)):
        token_ids, mask = tokens([texts[i] for i in places])
        found = encoder(encoder.embed(token_ids), mask).half()
        for row, place in enumerate(places):
            length = int(mask[row].sum())
            ids[int(place)] = token_ids[row, :length].clone()
            states[int(place)] = found[row, :length].clone()
    return TextStates(*(tuple(kept[i] for i in range(len(texts))) for kept in (ids, states)))


def shuffled_places(
    lengths: Sequence[int], batch_size: int, *, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Batches of places in random order, texts of near length together."""
    noisy = np.asarray(lengths) * rng.uniform(0.8, 1.25, len(lengths))
    order = np.argsort(noisy)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    for number in rng.permutation(len(batches)):
        yield batches[number].astype(np.int64)
