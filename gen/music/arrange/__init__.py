"""From chords to notes: form, ensemble, voicing, rhythm, melody and playing."""

from affetto.gen.music.arrange.conductor import arrange
from affetto.gen.music.arrange.density import notes_sounding
from affetto.gen.music.arrange.mixing import ROLE_GAIN_DB, mix_position
from affetto.gen.music.arrange.palette import INSTRUMENTS, Instrument

__all__ = ["INSTRUMENTS", "ROLE_GAIN_DB", "Instrument", "arrange", "mix_position", "notes_sounding"]
