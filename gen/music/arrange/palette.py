"""The instruments a user may name, and which of them a film's mood calls for."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from affetto.errors import BadInput
from affetto.gen.music.arrange.moods import INSTRUMENTS_BY_MOOD

Role = Literal["drums", "bass", "harmony", "texture", "lead"]
ROLES: tuple[Role, ...] = ("drums", "bass", "harmony", "texture", "lead")


@dataclass(frozen=True)
class Instrument:
    """One playable name.

    Attributes:
        name: what users type and what the part is called.
        program: General MIDI program, 0..127 (0 for the drum kit).
        low: lowest MIDI pitch we write for it.
        high: highest MIDI pitch we write for it.
        role: what it does in the ensemble.
        chordal: whether it can play several notes at once.
        plucked: whether a note dies away by itself (struck or plucked), so that it may ring.
    """

    name: str
    program: int
    low: int
    high: int
    role: Role
    chordal: bool = False
    plucked: bool = False

    @property
    def is_drum(self) -> bool:
        """Whether pitches mean drum sounds, as on MIDI channel 10."""
        return self.name == "drums"

    @property
    def centre(self) -> int:
        """The pitch a melody sits around: a little under the middle of the range."""
        return round(self.low + 0.45 * (self.high - self.low))


_ALL = (
    Instrument("drums", 0, 35, 82, "drums"),
    Instrument("timpani", 47, 36, 57, "drums", plucked=True),
    Instrument("taiko", 116, 36, 55, "drums", plucked=True),
    Instrument("bass", 33, 28, 47, "bass", plucked=True),
    Instrument("acoustic-bass", 32, 28, 47, "bass", plucked=True),
    Instrument("synth-bass", 38, 28, 47, "bass"),
    Instrument("contrabass", 43, 28, 47, "bass"),
    Instrument("piano", 0, 36, 96, "harmony", chordal=True, plucked=True),
    Instrument("electric-piano", 4, 36, 90, "harmony", chordal=True, plucked=True),
    Instrument("guitar", 24, 40, 83, "harmony", chordal=True, plucked=True),
    Instrument("steel-guitar", 25, 40, 83, "harmony", chordal=True, plucked=True),
    Instrument("electric-guitar", 27, 40, 83, "harmony", chordal=True, plucked=True),
    Instrument("harp", 46, 36, 96, "harmony", chordal=True, plucked=True),
    Instrument("marimba", 12, 45, 96, "harmony", chordal=True, plucked=True),
    Instrument("vibraphone", 11, 53, 89, "harmony", chordal=True, plucked=True),
    Instrument("organ", 19, 36, 96, "harmony", chordal=True),
    Instrument("strings", 48, 43, 91, "texture", chordal=True),
    Instrument("slow-strings", 49, 43, 91, "texture", chordal=True),
    Instrument("tremolo-strings", 44, 43, 88, "texture", chordal=True),
    Instrument("pad", 89, 43, 88, "texture", chordal=True),
    Instrument("choir", 52, 48, 81, "texture", chordal=True),
    Instrument("flute", 73, 65, 89, "lead"),
    Instrument("oboe", 68, 62, 84, "lead"),
    Instrument("clarinet", 71, 57, 82, "lead"),
    Instrument("violin", 40, 62, 88, "lead"),
    Instrument("viola", 41, 52, 74, "lead"),
    Instrument("cello", 42, 45, 72, "lead"),
    Instrument("horn", 60, 50, 72, "lead"),
    Instrument("trumpet", 56, 58, 80, "lead"),
    Instrument("saxophone", 65, 57, 79, "lead"),
    Instrument("celesta", 8, 67, 96, "lead", chordal=True, plucked=True),
    Instrument("glockenspiel", 9, 72, 96, "lead", chordal=True, plucked=True),
    Instrument("music-box", 10, 67, 93, "lead", chordal=True, plucked=True),
    Instrument("synth-lead", 81, 60, 84, "lead"),
)
INSTRUMENTS: dict[str, Instrument] = {instrument.name: instrument for instrument in _ALL}

Ensemble = dict[Role, tuple[Instrument, ...]]


def instruments_named(names: Sequence[str]) -> Ensemble:
    """The user's own ensemble by role, in the order given.

    When nothing in it carries chords, the first lead that can play several notes at once does.

    Raises:
        BadInput: a name is unknown (the nearest names are offered) or there are none.
    """
    if not names:
        raise BadInput(f"no instruments: name one or more of {', '.join(INSTRUMENTS)}")
    chosen: dict[str, Instrument] = {}
    for name in names:
        key = name.strip().lower().replace(" ", "-").replace("_", "-")
        if key not in INSTRUMENTS:
            near = difflib.get_close_matches(key, INSTRUMENTS, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise BadInput(f"unknown instrument {name!r}: {hint}Known: {', '.join(INSTRUMENTS)}")
        chosen[key] = INSTRUMENTS[key]
    roles = {instrument.role for instrument in chosen.values()}
    if not roles & {"harmony", "texture"}:
        for key, instrument in chosen.items():
            if instrument.chordal:
                chosen[key] = replace(instrument, role="harmony")
                break
    return {
        role: tuple(i for i in chosen.values() if i.role == role)
        for role in ROLES
        if any(i.role == role for i in chosen.values())
    }


def liking(instrument: Instrument, moods: Mapping[str, float]) -> float:
    """How well an instrument suits a mixture of moods: the mixture of its published likings."""
    return sum(
        weight * INSTRUMENTS_BY_MOOD[mood].get(instrument.name, 0.0)
        for mood, weight in moods.items()
    )


def choose_ensemble(
    overall: Mapping[str, float], peak: Mapping[str, float], rng: np.random.Generator
) -> Ensemble:
    """The film's ensemble: per role the best for the film as a whole and the best for its peak.

    Args:
        overall: mood weights of the whole film, summing to 1.
        peak: mood weights of its strongest passage.
        rng: breaks near ties, so that another seed may cast another ensemble.

    Returns:
        One or two instruments per role; the kit is always there, one bass only.
    """
    taste = {name: float(rng.uniform(0.88, 1.12)) for name in INSTRUMENTS}
    ensemble: Ensemble = {}
    for role in ROLES:
        players = [i for i in _ALL if i.role == role]
        first = max(players, key=lambda i: liking(i, overall) * taste[i.name])
        second = max(players, key=lambda i: liking(i, peak) * taste[i.name])
        if role == "drums":
            drums = [INSTRUMENTS["drums"]]
            extra = max(players[1:], key=lambda i: liking(i, overall) + liking(i, peak))
            wanted = max(liking(extra, overall), liking(extra, peak)) > 0.3
            ensemble[role] = tuple(drums + ([extra] if wanted else []))
        elif role == "bass" or first == second:
            ensemble[role] = (first,)
        else:
            ensemble[role] = (first, second)
    return ensemble
