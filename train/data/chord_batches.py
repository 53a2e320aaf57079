"""Songs as padded batches for the chord model. B batch, T condition steps, L chords."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.condition import Conditions, ConditionTrack
from affetto.gen.music.chords import END, PAD
from affetto.train.data.muvi_sync import MAX_STEPS, Song

Statistics = dict[str, tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class ChordBatch:
    """Inputs and targets.

    Attributes:
        chords: (B, L) int64 ids, PAD on the right.
        targets: (B, L) int64, the next ids: END after a song's last chord, then PAD.
        conditions: (B, T, D) each, absent where a song has none.
        minor: (B,) bool.
    """

    chords: Tensor
    targets: Tensor
    conditions: Conditions
    minor: Tensor


def batch_of(songs: Sequence[Song], widths: Mapping[str, int]) -> ChordBatch:
    """Pad songs of at most 300 chords into a batch.

    As in Video2Music END is a target unless the song fills all 300 seconds.

    Args:
        songs: each of 2..300 chords.
        widths: condition name -> D of what the network reads.
    """
    rows = [with_end(song.chords) for song in songs]
    length = max(len(row) for row in rows)
    tokens = np.full((len(rows), length), PAD, dtype=np.int64)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = row
    padded = torch.from_numpy(tokens)
    chords = padded[:, :-1].clone()
    chords[chords == END] = PAD
    steps = max(len(song.chords) for song in songs)
    return ChordBatch(
        chords=chords,
        targets=padded[:, 1:],
        conditions={name: _track(songs, name, width, steps) for name, width in widths.items()},
        minor=torch.tensor([song.minor for song in songs]),
    )


def shuffled_batches(
    songs: Sequence[Song],
    widths: Mapping[str, int],
    size: int,
    *,
    rng: np.random.Generator,
    worker: tuple[int, int] = (0, 1),
) -> Iterator[ChordBatch]:
    """One epoch: each song once, batches of similar length in random order; see `share_of`."""
    lengths = np.array([min(len(song.chords), MAX_STEPS) for song in songs])
    order = np.argsort(lengths + rng.uniform(0, 40, len(songs)))  # like lengths together, loosely
    groups = [order[start : start + size] for start in range(0, len(order), size)]
    for number in rng.permutation(len(groups)):
        yield batch_of([songs[index] for index in share_of(groups[number], worker)], widths)


def share_of(group: NDArray[np.int64], worker: tuple[int, int]) -> NDArray[np.int64]:
    """What of a batch's songs a worker takes, (its index, count of all); at least one."""
    index, count = worker
    return group[min(index, len(group) - 1) :: count]


def drop_conditions(
    conditions: Conditions, *, share: float, share_all: float, generator: torch.Generator
) -> Conditions:
    """Make each condition of each song absent with probability `share`, all with `share_all`."""
    kept = {}
    for name, track in sorted(conditions.items()):
        keep = torch.rand(len(track.mask), generator=generator) >= share
        kept[name] = track, keep.to(track.mask.device)
    batch = len(next(iter(conditions.values())).mask) if conditions else 0
    keep_any = torch.rand(batch, generator=generator) >= share_all
    return {
        name: ConditionTrack(
            track.values,
            track.mask & (keep & keep_any.to(keep.device))[:, None],
            track.rate_hz,
        )
        for name, (track, keep) in kept.items()
    }


def statistics(songs: Sequence[Song], widths: Mapping[str, int]) -> Statistics:
    """Mean and standard deviation (D,) of each condition over all seconds of all songs."""
    found = {}
    for name in widths:
        parts = [song.conditions[name] for song in songs if name in song.conditions]
        if parts:
            values = np.concatenate(parts).astype(np.float64)
            mean, deviation = values.mean(axis=0), values.std(axis=0)
            found[name] = torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()
    return found


def with_end(chords: NDArray[np.int16]) -> NDArray[np.int64]:
    """The chords and END; without END where they fill all 300 seconds, as in Video2Music."""
    row = chords.astype(np.int64)
    return row if len(row) >= MAX_STEPS else np.append(row, END)


def _track(songs: Sequence[Song], name: str, width: int, steps: int) -> ConditionTrack:
    values = torch.zeros(len(songs), steps, width)
    mask = torch.zeros(len(songs), steps, dtype=torch.bool)
    for number, song in enumerate(songs):
        if name in song.conditions:
            given = torch.from_numpy(song.conditions[name])
            values[number, : len(given)] = given
            mask[number, : len(given)] = True
    return ConditionTrack(values, mask, 1.0)
