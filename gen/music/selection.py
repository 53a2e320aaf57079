"""Chords for a film: several sequences are drawn, the one that moves most like real songs is kept.

A long film is written in windows as long as the songs the model learned from, each going on from
the last chords of the one before, so that memory does not grow with length.

Sampling with an in-song memory falls into two-chord loops now and then. Three plain statistics tell
such a loop from a song; their means and spreads are those of 597 MuVi-Sync training songs, 60
seconds each (script: benchmarks/chord_selection.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import repeat
from numpy.typing import NDArray
from torch import Tensor

from affetto.condition import Conditions, ConditionTrack
from affetto.gen.music.transformer import MusicTransformer

NUM_CANDIDATES = 16
TEMPERATURE = 1.0
TOP_P = 0.95
MAX_REPEAT = 4
WRITTEN_AT_ONCE = 300  # steps: the length of the songs trained on
KEPT_IN_MIND = 150  # steps of what was written before
LOOK_AHEAD = 30  # steps of film beyond a window, so that it does not seem to end there
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


def sample_chords(
    model: MusicTransformer,
    inputs: Conditions,
    bias: Tensor,
    *,
    minor: bool,
    seed: int,
    returns: Sequence[int] | None = None,
    first: int = WRITTEN_AT_ONCE,
    begun: Callable[[NDArray[np.int64]], None] | None = None,
) -> NDArray[np.int64]:
    """Chord ids (T,) in the model's keys.

    Args:
        model: in eval mode.
        inputs: batch 1, one step a chord.
        bias: (T, 159) added to the logits; its length is the number of chords.
        minor: mode of the piece.
        seed: same seed, same chords.
        returns: (T,) the earlier step whose chord comes again at each step, if it can, or -1.
        first: steps of the first window.
        begun: is told its chords before the rest is written.
    """
    generator = torch.Generator().manual_seed(seed)
    written = np.zeros(0, dtype=np.int64)
    while len(written) < len(bias):
        known = written[-KEPT_IN_MIND:]
        start = len(written) - len(known)
        stop = min(start + WRITTEN_AT_ONCE if len(written) else first, len(bias))
        drawn = _draw(
            model,
            {name: _window(track, start, stop + LOOK_AHEAD) for name, track in inputs.items()},
            bias[start:stop],
            known,
            minor=minor,
            returns=None if returns is None else [step - start for step in returns[start:stop]],
            generator=generator,
        )
        written = np.concatenate([written, drawn[most_song_like(drawn), len(known) :]])
        if begun and not len(known):
            begun(written)
    return written


def _draw(
    model: MusicTransformer,
    inputs: Conditions,
    bias: Tensor,
    known: NDArray[np.int64],
    *,
    minor: bool,
    returns: Sequence[int] | None,
    generator: torch.Generator,
) -> NDArray[np.int64]:
    """(NUM_CANDIDATES, T) chords that begin with the known ones."""
    primer = repeat(torch.from_numpy(known), "t -> b t", b=NUM_CANDIDATES) if len(known) else None
    chords = model.generate(
        inputs,
        torch.full((NUM_CANDIDATES,), minor),
        len(bias),
        generator=generator,
        primer=primer,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        max_repeat=MAX_REPEAT,
        returns=returns,
        logit_bias=repeat(bias, "t c -> b t c", b=NUM_CANDIDATES),
    )
    return chords.numpy()


def _window(track: ConditionTrack, start: int, stop: int) -> ConditionTrack:
    values = repeat(track.values[:, start:stop], "1 t d -> b t d", b=NUM_CANDIDATES)
    mask = repeat(track.mask[:, start:stop], "1 t -> b t", b=NUM_CANDIDATES)
    return replace(track, values=values, mask=mask)
