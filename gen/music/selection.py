"""Several chord sequences are drawn; the one that moves most like real songs is kept.

Sampling with an in-song memory falls into two-chord loops now and then. Three plain statistics tell
such a loop from a song; their means and spreads are those of 597 MuVi-Sync training songs, 60
seconds each (script: benchmarks/chord_variety.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 16
# mean and standard deviation over real songs
DISTINCT = (4.57, 0.98)
CHANGING = (0.506, 0.155)
RETURNING = (0.174, 0.174)


@dataclass(frozen=True)
class Variety:
    """How a chord sequence moves.

    Attributes:
        distinct: different chords in 16 steps, mean over windows.
        changing: share of steps whose chord differs from the one before.
        returning: share of chord changes that go straight back to the chord before the last (a
            two-chord loop has 1).
    """

    distinct: float
    changing: float
    returning: float

    @property
    def strangeness(self) -> float:
        """Sum of squared distances from real songs in standard deviations; 0 is typical."""
        pairs = ((self.distinct, DISTINCT), (self.changing, CHANGING), (self.returning, RETURNING))
        return sum(((value - mean) / spread) ** 2 for value, (mean, spread) in pairs)


def variety(chords: NDArray[np.integer]) -> Variety:
    """Measure ids (T,), T >= 1; no-chord counts as a chord."""
    starts = range(0, max(1, len(chords) - WINDOW + 1), WINDOW // 2)
    distinct = np.mean([len(np.unique(chords[start : start + WINDOW])) for start in starts])
    changed = chords[1:] != chords[:-1]
    runs = chords[np.r_[True, changed]]
    back = runs[2:] == runs[:-2]
    return Variety(
        distinct=float(distinct),
        changing=float(changed.mean()) if len(changed) else CHANGING[0],
        returning=float(back.mean()) if len(back) else RETURNING[0],
    )


def most_song_like(candidates: NDArray[np.integer]) -> int:
    """The index of the candidate (N, T) least strange; the first of equals."""
    return int(np.argmin([variety(chords).strangeness for chords in candidates]))
