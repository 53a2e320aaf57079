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
    """

    name: str
    program: int
    low: int
    high: int
    role: Role
    chordal: bool = False

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
    Instrument("timpani", 47, 36, 57, "drums"),
    Instrument("taiko", 116, 36, 55, "drums"),
    Instrument("bass", 33, 28, 47, "bass"),
    Instrument("acoustic-bass", 32, 28, 47, "bass"),
    Instrument("synth-bass", 38, 28, 47, "bass"),
    Instrument("contrabass", 43, 28, 47, "bass"),
    Instrument("piano", 0, 36, 96, "harmony", chordal=True),
    Instrument("electric-piano", 4, 36, 90, "harmony", chordal=True),
    Instrument("guitar", 24, 40, 83, "harmony", chordal=True),
    Instrument("steel-guitar", 25, 40, 83, "harmony", chordal=True),
    Instrument("electric-guitar", 27, 40, 83, "harmony", chordal=True),
    Instrument("harp", 46, 36, 96, "harmony", chordal=True),
    Instrument("marimba", 12, 45, 96, "harmony", chordal=True),
    Instrument("vibraphone", 11, 53, 89, "harmony", chordal=True),
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
    Instrument("celesta", 8, 67, 96, "lead", chordal=True),
    Instrument("glockenspiel", 9, 72, 96, "lead", chordal=True),
    Instrument("music-box", 10, 67, 93, "lead", chordal=True),
    Instrument("synth-lead", 81, 60, 84, "lead"),
)
INSTRUMENTS: dict[str, Instrument] = {instrument.name: instrument for instrument in _ALL}

Ensemble = dict[Role, tuple[Instrument, ...]]

# The mix. `TRIM_DB` brings every instrument to -20 LUFS for typical material of its role at
# velocity 80 with the TimGM6mb sound font (the contrabass 3 dB less, as meters hardly hear the
# lowest octave); `ROLE_GAIN_DB` then sets the roles against each other. Velocities already hold a
# part of that balance (see humanise.ROLE_VELOCITY).
ROLE_GAIN_DB: dict[Role, float] = {
    "drums": -2.0,
    "bass": -1.5,
    "harmony": -2.0,
    "texture": -4.0,
    "lead": -2.0,
}
TRIM_DB: dict[str, float] = {
    "drums": 1.5, "timpani": 0.0, "taiko": 3.5, "bass": -2.0, "acoustic-bass": 0.5,
    "synth-bass": -1.0, "contrabass": -1.0, "piano": 8.5, "electric-piano": -0.5, "guitar": -1.5,
    "steel-guitar": 3.5, "electric-guitar": 4.0, "harp": -8.5, "marimba": 2.5, "vibraphone": -4.5,
    "organ": 1.5, "strings": 0.5, "slow-strings": 0.5, "tremolo-strings": -5.5, "pad": -5.5,
    "choir": -4.0, "flute": -6.5, "oboe": -8.0, "clarinet": -1.0, "violin": -1.5, "viola": 0.0,
    "cello": -1.0, "horn": -5.0, "trumpet": -4.0, "saxophone": -4.5, "celesta": 10.0,
    "glockenspiel": 4.5, "music-box": 3.5, "synth-lead": 5.5,
}  # fmt: skip
# -1 left .. 1 right, roughly where an audience sees them; kit, bass and melody near the middle.
PAN: dict[str, float] = {
    "drums": 0.0, "timpani": 0.2, "taiko": -0.1, "bass": 0.0, "acoustic-bass": 0.0,
    "synth-bass": 0.0, "contrabass": 0.1, "piano": -0.15, "electric-piano": -0.2, "guitar": -0.3,
    "steel-guitar": -0.3, "electric-guitar": 0.3, "harp": 0.35, "marimba": 0.3, "vibraphone": 0.25,
    "organ": 0.0, "strings": 0.15, "slow-strings": 0.15, "tremolo-strings": 0.2, "pad": 0.0,
    "choir": 0.0, "flute": 0.1, "oboe": 0.1, "clarinet": -0.1, "violin": -0.15, "viola": 0.1,
    "cello": 0.15, "horn": -0.2, "trumpet": 0.15, "saxophone": 0.1, "celesta": -0.25,
    "glockenspiel": -0.3, "music-box": 0.2, "synth-lead": 0.0,
}  # fmt: skip


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
    """How well an instrument suits a mixture of moods, 0..1.

    Weights are squared, so that the leading moods decide and not the instrument that fits all.
    """
    total = sum(weight**2 for weight in moods.values())
    return sum(
        weight**2 / total * INSTRUMENTS_BY_MOOD[mood].get(instrument.name, 0.0)
        for mood, weight in moods.items()
    )


def choose_ensemble(
    overall: Mapping[str, float],
    peak: Mapping[str, float],
    rng: np.random.Generator,
    *,
    players: frozenset[str] | None = None,
) -> Ensemble:
    """The film's ensemble: per role the best for the film as a whole and the best for its peak.

    Args:
        overall: mood weights of the whole film, summing to 1.
        peak: mood weights of its strongest passage.
        rng: breaks near ties, so that another seed may cast another ensemble.
        players: names to choose from, None for all.

    Returns:
        One or two instruments per role that has any; the kit where it may play, one bass only.
    """
    known = INSTRUMENTS.keys() if players is None else players
    taste = {name: float(rng.uniform(0.75, 1.25)) for name in INSTRUMENTS}
    ensemble: Ensemble = {}
    for role in ROLES:
        choice = [i for i in _ALL if i.role == role and i.name in known]
        if not choice:
            continue
        first = max(choice, key=lambda i: liking(i, overall) * taste[i.name])
        second = max(choice, key=lambda i: liking(i, peak) * taste[i.name])
        if role == "drums":
            drums = [i for i in choice if i.is_drum]
            others = [i for i in choice if not i.is_drum]
            if others:
                extra = max(others, key=lambda i: liking(i, overall) + liking(i, peak))
                wanted = not drums or max(liking(extra, overall), liking(extra, peak)) > 0.45
                drums += [extra] if wanted else []
            ensemble[role] = tuple(drums)
        elif role == "bass" or first == second:
            ensemble[role] = (first,)
        else:
            ensemble[role] = (first, second)
    return ensemble


def mix_position(name: str) -> tuple[float, float]:
    """(gain in dB, pan -1 left .. 1 right) of an instrument of `INSTRUMENTS`."""
    return ROLE_GAIN_DB[INSTRUMENTS[name].role] + TRIM_DB[name], PAN[name]
