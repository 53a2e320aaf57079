"""How many notes sound in each second, and which levels of figure come nearest to what is asked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.arrange.event import Event, sounding_rate
from affetto.soundtrack import Part

_LEAST_OVERLAP_S = 0.03  # less is a note let go a little late, not one that is heard
_KEYS_PULL = 0.4
_PAD_PULL = 0.4
_CHANGE_COST = 0.5
_PAD_CHANGE_COST = 0.25
_BOTH_HELD_COST = 2.0  # keys that only hold what the strings hold already


def notes_sounding(parts: Sequence[Part], duration_s: float) -> NDArray[np.int64]:
    """Notes of all parts that sound within each second of film, the `density` of MuVi-Sync.

    Args:
        parts: the arrangement.
        duration_s: length of the film.

    Returns:
        (ceil(duration_s),) counts; a note counts where it sounds for 30 ms or more.
    """
    size = max(1, int(np.ceil(duration_s - 1e-6)))
    change = np.zeros(size + 1, dtype=np.int64)
    for part in parts:
        starts = np.array([n.start_s for n in part.notes])
        ends = np.array([n.end_s for n in part.notes])
        short = np.minimum(_LEAST_OVERLAP_S, 0.5 * (ends - starts))
        first = np.clip(np.floor(starts + short).astype(int), 0, size - 1)
        last = np.clip(np.floor(ends - short).astype(int), first, size - 1)
        np.add.at(change, first, 1)
        np.add.at(change, last + 1, -1)
    return np.cumsum(change)[:size]


def choose_levels(
    keys: Sequence[Sequence[Event]],
    pads: Sequence[Sequence[Event]],
    *,
    length_s: float,
    asked: float,
    wished: tuple[float, float],
    before: tuple[int, int],
    pad_range: tuple[int, int],
) -> tuple[int, int]:
    """The pair of levels whose notes come nearest to the density asked of both together.

    Args:
        keys: the bar at each level of the chords' figure (one empty level when nobody plays it).
        pads: the same of the sustained chords.
        length_s: seconds in the bar.
        asked: notes per second left for the two.
        wished: preferred levels of the two.
        before: the levels of the bar before, which are kept unless a change pays.
        pad_range: lowest and highest pad level allowed.
    """
    keys_rate = np.array([sounding_rate(events, length_s) for events in keys])
    # Tied voices are met once per second and seldom struck anew.
    pad_rate = np.array(
        [sum(e.end_s - e.start_s + 0.4 for e in events) / length_s for events in pads]
    )
    cost = np.abs(keys_rate[:, None] + pad_rate[None, :] - asked)
    cost += _KEYS_PULL * np.abs(np.arange(len(keys)) - wished[0])[:, None]
    cost += _PAD_PULL * np.abs(np.arange(len(pads)) - wished[1])[None, :]
    cost += _CHANGE_COST * (np.arange(len(keys)) != before[0])[:, None]
    cost += _PAD_CHANGE_COST * (np.arange(len(pads)) != before[1])[None, :]
    if len(keys) > 1:
        cost[0, 2:] += _BOTH_HELD_COST
    cost[:, : pad_range[0]] = np.inf
    cost[:, pad_range[1] + 1 :] = np.inf
    best = int(np.argmin(cost))
    return best // len(pads), best % len(pads)
