"""From exact events to played notes: velocity from the loudness course, small human deviations."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.arrange.event import Event, untangled
from affetto.soundtrack import Dynamics, Note

MAX_JITTER_S = 0.008
_JITTER_SD_S = 0.0035
_SHORTEST_S = 0.03
_FULL_LOUDNESS = 0.5

# How far above or below the course each role plays, in velocity steps.
ROLE_VELOCITY = {"drums": -2.0, "bass": 0.0, "harmony": -4.0, "texture": -12.0, "lead": 8.0}


def velocity_of(loudness: NDArray[np.float64]) -> NDArray[np.float64]:
    """MIDI velocity for linear RMS loudness: 34 at silence, 110 at 0.5 and above, rising.

    Source:
        Video2Music maps l to 49 + 63 (l / 0.5)^0.3; ours is 34 + 76 (l / 0.5)^0.5, because MuVi's
        loudness (0.175 +- 0.099) spans only 18 of its 63 steps; here it spans 27.
    """
    return 34.0 + 76.0 * np.sqrt(np.clip(loudness, 0.0, _FULL_LOUDNESS) / _FULL_LOUDNESS)


def perform(
    events: Iterable[Event],
    *,
    role: str,
    dynamics: Dynamics,
    last_s: float,
    exact_s: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Note, ...]:
    """Play one part.

    Args:
        events: its notes, exact.
        role: sets how it stands against the others.
        dynamics: the loudness course.
        last_s: no note sounds beyond it.
        exact_s: (N,) times, rising, where onsets stay exact (strong cuts).
        rng: the player.

    Returns:
        Notes by time: onsets within 8 ms of the written ones, at 0 or later; velocities 1..127.
    """
    rows = [e for e in untangled(events) if e.start_s < last_s - _SHORTEST_S]
    if not rows:
        return ()
    starts = np.array([e.start_s for e in rows])
    ends = np.array([e.end_s for e in rows])
    # Notes struck together drift together; each hand then differs a little.
    # Drawn note by note, so that a piece begins alike however far it is written.
    _, first, together = np.unique(np.round(starts, 3), return_index=True, return_inverse=True)
    drawn = rng.normal(size=(starts.size, 3))
    drift = _JITTER_SD_S * (drawn[first[together], 0] + 0.3 * drawn[:, 1])
    if exact_s.size:
        after = np.clip(np.searchsorted(exact_s, starts), 0, exact_s.size - 1)
        nearest = np.minimum(
            np.abs(exact_s[after] - starts), np.abs(exact_s[np.maximum(after - 1, 0)] - starts)
        )
        drift[nearest < 1e-4] = 0.0
    played = np.maximum(starts + np.clip(drift, -MAX_JITTER_S, MAX_JITTER_S), 0.0)
    stops = np.clip(ends, played + _SHORTEST_S, None)
    stops = np.minimum(stops, last_s)
    course = velocity_of(np.interp(starts, dynamics.times_s, dynamics.loudness))
    accents = np.array([e.accent for e in rows])
    velocity = course + ROLE_VELOCITY[role] + accents + 2.5 * drawn[:, 2]
    levels = np.clip(np.round(velocity), 1, 127).astype(int)
    notes = [
        Note(float(start), float(stop), event.pitch, int(level))
        for start, stop, event, level in zip(played, stops, rows, levels, strict=True)
    ]
    return without_overlap(notes)


def without_overlap(notes: list[Note]) -> tuple[Note, ...]:
    """Jitter may let a note reach into the next of its pitch; a MIDI note-off would cut that."""
    notes.sort(key=lambda n: (n.start_s, n.pitch))
    coming: dict[int, float] = {}
    kept = []
    for note in reversed(notes):
        end_s = min(note.end_s, coming.get(note.pitch, np.inf))
        if end_s - note.start_s >= 0.5 * _SHORTEST_S:
            kept.append(Note(note.start_s, end_s, note.pitch, note.velocity))
            coming[note.pitch] = note.start_s
    return tuple(reversed(kept))
