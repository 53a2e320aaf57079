"""Songs as padded batches for the dynamics model. B batch, T steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.condition import Conditions
from affetto.gen.music.encoder import CONDITION_WIDTHS
from affetto.train.data.chord_batches import batch_of, share_of
from affetto.train.data.muvi_sync import MAX_STEPS, Song

Course = NDArray[np.float32]


@dataclass(frozen=True)
class DynamicsBatch:
    """Inputs and targets.

    Attributes:
        conditions: (B, T, D) each.
        targets: (B, T, 2) note density and loudness, zeros after a song's end.
        lengths: (B,) seconds of each song.
        ends: (B,) bool, False where the song was cut off at 300 s.
    """

    conditions: Conditions
    targets: Tensor
    lengths: Tensor
    ends: Tensor


def course(song: Song) -> Course:
    """(T, 2) note density and loudness of a song that has them."""
    assert song.density is not None
    assert song.loudness is not None
    return np.stack([song.density, song.loudness], axis=-1)


def dynamics_batch(songs: Sequence[Song], names: Sequence[str]) -> DynamicsBatch:
    """Pad songs that have density and loudness into a batch."""
    lengths = [len(song.chords) for song in songs]
    targets = torch.zeros(len(songs), max(lengths), 2)
    for number, song in enumerate(songs):
        targets[number, : lengths[number]] = torch.from_numpy(course(song))
    steps = torch.tensor(lengths)
    tracks = batch_of(songs, {name: CONDITION_WIDTHS[name] for name in names}).conditions
    return DynamicsBatch(tracks, targets, steps, steps < MAX_STEPS)


def shuffled_batches(
    songs: Sequence[Song],
    names: Sequence[str],
    size: int,
    *,
    rng: np.random.Generator,
    worker: tuple[int, int] = (0, 1),
) -> Iterator[DynamicsBatch]:
    """One epoch in random order; see `share_of`."""
    order = rng.permutation(len(songs))
    for start in range(0, len(songs), size):
        share = share_of(order[start : start + size], worker)
        yield dynamics_batch([songs[index] for index in share], names)
