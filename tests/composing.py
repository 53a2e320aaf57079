"""A small random soundtrack for the tests of what is written of one."""

import numpy as np

from affetto.gen.music.chords import END, chord_symbol
from affetto.gen.music.sync import chord_steps, plan_bars
from affetto.soundtrack import (
    ChordSpan,
    Cut,
    Dynamics,
    Marker,
    Note,
    Part,
    Soundtrack,
)


def piece(duration_s=24.0, *, bpm=100.0, key="A:min", seed=0, note_step=1.0):
    """A small soundtrack with random cuts, chords and notes; no pitch overlaps itself."""
    rng = np.random.default_rng(seed)
    cuts = [
        Cut(float(t), float(rng.random()))
        for t in np.sort(rng.uniform(0, duration_s, int(duration_s / 5)))
    ]
    bars = plan_bars(duration_s, cuts, bpm=bpm)
    chords = tuple(
        ChordSpan(start, end, chord_symbol(int(rng.integers(0, END))))
        for start, end in chord_steps(bars)
    )
    starts = np.arange(0.0, duration_s - 0.5, note_step) + rng.uniform(0, 0.1)
    lead = tuple(
        Note(float(t), float(t + rng.uniform(0.05, 0.4)), 60 + index % 24, 40 + index % 60)
        for index, t in enumerate(starts)
    )
    drums = tuple(Note(bar.start_s, min(bar.start_s + 0.1, bar.end_s), 36, 100) for bar in bars)
    dynamics = Dynamics(np.array([0.5]), np.ones(1), np.ones(1))
    markers = tuple(Marker(cut.time_s, f"cut {number}") for number, cut in enumerate(cuts, 1))
    parts = (Part("violin", 40, False, lead), Part("drums", 0, True, drums))
    return Soundtrack(duration_s, key, bars, chords, parts, dynamics, markers)
