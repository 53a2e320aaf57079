"""From one part's notes to sound, behind one small protocol, with the best synthesizer at hand."""

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Protocol

from affetto.errors import BadInput
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.sampled_synth import FluidSynth, TinySoundFont
from affetto.gen.music.soundfont import check_soundfont
from affetto.media_sound import Sound
from affetto.soundtrack import Part


class Synth(Protocol):
    """Anything that plays a part; `name` says which one and with what sounds."""

    @property
    def name(self) -> str:
        """For people, such as 'tinysoundfont 0.3.7 with TimGM6mb.sf2'."""

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """Play a part from second 0 to `duration_s`; the same bytes each time.

        Yields:
            (2, S) float32 blocks of one second, the last one shorter, in all
            round(duration_s * sample_rate) samples; not limited to [-1, 1].
        """


def choose_synth(soundfont: Path | None = None) -> Synth:
    """The first that can be imported of tinysoundfont and FluidSynth, else the built-in one.

    Args:
        soundfont: a General MIDI .sf2 file; None is TimGM6mb from the installed pretty_midi.

    Raises:
        BadInput: the sound font is missing, broken or unsafe, or nothing here can play it.
    """
    font = soundfont or _default_soundfont()
    if font is not None:
        presets = check_soundfont(font)
        tiny = _imported("tinysoundfont")
        if tiny is not None:
            return TinySoundFont(tiny, font, presets)
        fluid = _imported("fluidsynth")
        if fluid is not None:
            return FluidSynth(fluid, font, presets)
    if soundfont is not None:
        raise BadInput(
            f"nothing here can play {soundfont}: run `pip install --no-deps tinysoundfont`, or "
            f"leave --soundfont out to use the built-in synthesizer"
        )
    return BuiltInSynth()


def _default_soundfont() -> Path | None:
    found = importlib.util.find_spec("pretty_midi")
    if found is None or found.origin is None:
        return None
    font = Path(found.origin).parent / "TimGM6mb.sf2"
    return font if font.is_file() else None


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:  # not installed, or its library is missing
        return None
