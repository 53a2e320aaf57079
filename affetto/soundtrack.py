"""Soundtrack: composed music with every time in seconds; MIDI ticks exist only at the edge."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Note:
    """One note: seconds from the start of the film, MIDI pitch 0..127 and velocity 1..127."""

    start_s: float
    end_s: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """One instrument: `program` is the General MIDI number 0..127; drums ignore it."""

    name: str
    program: int
    is_drum: bool
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class ChordSpan:
    """A chord in the vocabulary's spelling ('A:min7', 'N') and where it sounds, in seconds."""

    start_s: float
    end_s: float
    symbol: str


@dataclass(frozen=True)
class Bar:
    """One bar: where it starts and ends and how many even quarter-note beats it holds."""

    start_s: float
    end_s: float
    num_beats: int

    @property
    def bpm(self) -> float:
        """Quarter notes per minute inside this bar."""
        return 60.0 * self.num_beats / (self.end_s - self.start_s)


@dataclass(frozen=True)
class Cut:
    """Where one shot ends and the next begins, and how strong the change is (0..1)."""

    time_s: float
    strength: float


@dataclass(frozen=True)
class HitPoint:
    """A moment that the user chose: the music shall meet it with a downbeat.

    Attributes:
        time_s: seconds from the start of the film.
        wish: how it shall be met, "stop", "swell" or "silence"; "" leaves it to the mood.
        rest_s: seconds of a silence; None lasts to the next point or the end.
        name: its marker's.
    """

    time_s: float
    wish: str = ""
    rest_s: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Marker:
    """A named point in time, for example a cut."""

    time_s: float
    text: str


@dataclass(frozen=True)
class Dynamics:
    """The course, all (T,): density in notes sounding per second, loudness as linear RMS."""

    times_s: NDArray[np.float64]
    density: NDArray[np.float64]
    loudness: NDArray[np.float64]


@dataclass(frozen=True)
class Soundtrack:
    """All of a piece: `bars` tile [0, duration_s] without gaps; `key` is such as 'A:min' or 'C'."""

    duration_s: float
    key: str
    bars: tuple[Bar, ...]
    chords: tuple[ChordSpan, ...]
    parts: tuple[Part, ...]
    dynamics: Dynamics
    markers: tuple[Marker, ...]
