"""Baselines of the chord benchmark: Witten-Bell n-grams, alone and with an in-song cache."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.chords import PAD

NUM_TARGETS = PAD  # 0..156 and END


class WittenBell:
    """Interpolated n-gram: p(w | h) = (c(hw) + t(h) p(w | h')) / (c(h) + t(h)).

    c counts, t(h) is how many different chords followed h, h' drops h's oldest chord; below the
    unigram stands the uniform distribution. Source: Witten and Bell 1991, method C.
    """

    def __init__(self, order: int) -> None:
        self.order = order
        self.counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)

    def fit(self, songs: Iterable[Sequence[int]]) -> "WittenBell":
        for song in songs:
            for position in range(1, len(song)):
                self.observe(song, position)
        return self

    def observe(self, song: Sequence[int], position: int) -> None:
        """Count what stands at `position` after each of its contexts."""
        for length in range(min(self.order, position + 1)):
            self.counts[tuple(song[position - length : position])][song[position]] += 1

    def probs(self, song: Sequence[int], position: int) -> NDArray[np.float64]:
        """(158,) probabilities of what stands at `position`, given what stands before."""
        result = np.full(NUM_TARGETS, 1 / NUM_TARGETS)
        for length in range(min(self.order, position + 1)):
            followers = self.counts.get(tuple(song[position - length : position]))
            if not followers:
                break
            result *= len(followers)
            for chord, count in followers.items():
                result[chord] += count
            result /= followers.total() + len(followers)
        return result


def ngram_log_probs(model: WittenBell, song: Sequence[int]) -> NDArray[np.float64]:
    """(L - 1, 158) natural log probabilities of song[1:]."""
    return np.log([model.probs(song, position) for position in range(1, len(song))])


def cached_log_probs(
    model: WittenBell, song: Sequence[int], *, share: float
) -> NDArray[np.float64]:
    """As above, mixed with an n-gram of the same order of the song so far, weight `share`."""
    played = WittenBell(model.order)
    rows = []
    for position in range(1, len(song)):
        own = played.probs(song, position)
        rows.append((1 - share) * model.probs(song, position) + share * own)
        played.observe(song, position)
    return np.log(rows)
