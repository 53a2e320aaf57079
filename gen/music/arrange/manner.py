"""Styles a user may ask for: who may play, and how what the emotion asks is played.

The emotion still chooses within a style: its tempo, harmony, density and which of the style's
players are heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from affetto.errors import BadInput
from affetto.gen.music.arrange.form import Section
from affetto.gen.music.arrange.moods import Figure, Groove
from affetto.gen.music.arrange.palette import INSTRUMENTS, Ensemble

_MELODY_LOW, _MELODY_HIGH = 64, 91  # a pianist's right hand


@dataclass(frozen=True)
class Manner:
    """How a style plays; factors and floors over what the mood says.

    Attributes:
        players: names of the instruments it may use.
        drums: factor of how much the drums may do.
        length: factor of how long notes sound.
        figures: mood's family of chord figures -> this style's, where they differ.
        grooves: the same of drum patterns.
    """

    players: frozenset[str]
    drums: float = 1.0
    length: float = 1.0
    figures: Mapping[Figure, Figure] = field(default_factory=dict)
    grooves: Mapping[Groove, Groove] = field(default_factory=dict)


_CINEMATIC = (
    "timpani", "taiko", "contrabass", "piano", "harp", "strings", "slow-strings",
    "tremolo-strings", "choir", "violin", "viola", "cello", "horn", "trumpet", "oboe", "celesta",
)  # fmt: skip
_ELECTRONIC = (
    "drums", "synth-bass", "electric-piano", "vibraphone", "pad", "synth-lead", "music-box",
)  # fmt: skip
_ACOUSTIC = (
    "drums", "acoustic-bass", "guitar", "steel-guitar", "piano", "flute", "clarinet", "violin",
    "cello",
)  # fmt: skip
STYLES: dict[str, Manner] = {
    "cinematic": Manner(
        frozenset(_CINEMATIC),
        length=1.15,
        figures={"comp": "pulse"},
        grooves={"full": "war", "light": "brush"},
    ),
    "piano": Manner(frozenset({"piano"}), drums=0.0, figures={"comp": "broken"}),
    "electronic": Manner(
        frozenset(_ELECTRONIC),
        drums=1.3,
        length=0.9,
        figures={"comp": "pulse"},
        grooves={"brush": "light", "war": "full"},
    ),
    "acoustic": Manner(
        frozenset(_ACOUSTIC),
        drums=0.7,
        figures={"pulse": "comp"},
        grooves={"full": "light", "war": "light"},
    ),
}


def style_named(name: str) -> Manner:
    """The manner of a style.

    Raises:
        BadInput: there is no such style.
    """
    if name not in STYLES:
        raise BadInput(f"unknown style {name!r}: there is {', '.join(STYLES)}")
    return STYLES[name]


def in_manner(section: Section, manner: Manner) -> Section:
    """A section played the style's way."""
    style = replace(
        section.style,
        drums=min(manner.drums * section.style.drums, 1.0),
        length=min(manner.length * section.style.length, 1.0),
    )
    return replace(
        section,
        style=style,
        figure=manner.figures.get(section.figure, section.figure),
        groove=manner.grooves.get(section.groove, section.groove),
    )


def solo_piano() -> Ensemble:
    """One pianist: chords and bass in the left hand, the melody in the right."""
    piano = INSTRUMENTS["piano"]
    right = replace(piano, role="lead", low=_MELODY_LOW, high=_MELODY_HIGH)
    return {"harmony": (piano,), "lead": (right,)}
