"""From chords to notes: form, ensemble, voicing, rhythm, melody and playing."""

from affetto.gen.music.arrange.conductor import arrange
from affetto.gen.music.arrange.density import notes_sounding
from affetto.gen.music.arrange.manner import STYLES
from affetto.gen.music.arrange.palette import (
    INSTRUMENTS,
    PAN,
    ROLE_GAIN_DB,
    Instrument,
    mix_position,
)

__all__ = [
    "INSTRUMENTS",
    "PAN",
    "ROLE_GAIN_DB",
    "STYLES",
    "Instrument",
    "arrange",
    "mix_position",
    "notes_sounding",
]
