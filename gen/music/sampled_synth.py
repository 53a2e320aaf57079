"""Playing sound fonts through tinysoundfont (best) or FluidSynth."""

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.gen.music.note_events import Event, note_events, play
from affetto.gen.music.soundfont import Preset
from affetto.media_sound import Sound
from affetto.soundtrack import Part

Row = NDArray[np.float32]

DRUM_CHANNEL = 9
DRUM_BANK = 128
MAX_VOICES = 256
FLUID_GAIN = 0.6  # its output is 16-bit and clips; full chords stay below


class TinySoundFont:
    """Sample-exact; the font is loaded anew for each part, so that parts never touch."""

    def __init__(self, module: ModuleType, soundfont: Path, presets: frozenset[Preset]) -> None:
        self._module = module
        self._soundfont = soundfont
        self._presets = presets
        self.name = f"tinysoundfont {_version('tinysoundfont')} with {soundfont.name}"

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """See `Synth.render`.

        Raises:
            BadInput: the font cannot be loaded, lacks the instrument, or plays no finite numbers.
        """
        preset = choose_preset(part, self._presets, self._soundfont)
        player = self._module.Synth(samplerate=sample_rate)
        try:
            font = player.sfload(str(self._soundfont), max_voices=MAX_VOICES)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise BadInput(f"{self._soundfont} cannot be loaded: {error}") from error
        channel = DRUM_CHANNEL if part.is_drum else 0
        player.program_select(channel, font, 0, preset.program, part.is_drum)

        def fill(row: Row) -> None:
            player.generate_simple(len(row), buffer=row.data.cast("B"))

        for block in _played(player, channel, fill, part, duration_s, sample_rate):
            if not np.isfinite(block).all():
                raise BadInput(f"{self._soundfont} plays numbers that are no sound: use another")
            yield block


class FluidSynth:
    """Through pyfluidsynth; FluidSynth itself begins notes on its next 64 samples (1.5 ms)."""

    def __init__(self, module: ModuleType, soundfont: Path, presets: frozenset[Preset]) -> None:
        self._module = module
        self._soundfont = soundfont
        self._presets = presets
        self.name = f"pyfluidsynth {_version('pyfluidsynth')} with {soundfont.name}"

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """See `Synth.render`.

        Raises:
            BadInput: the font cannot be loaded or lacks the instrument.
        """
        preset = choose_preset(part, self._presets, self._soundfont)
        options = {"synth.reverb.active": 0, "synth.chorus.active": 0}
        player = self._module.Synth(gain=FLUID_GAIN, samplerate=float(sample_rate), **options)

        def fill(row: Row) -> None:
            samples = player.get_samples(len(row)).astype(np.float32) / 32768
            row[:] = rearrange(samples, "(s c) -> s c", c=2)

        try:
            font = player.sfload(str(self._soundfont))
            if font < 0:
                raise BadInput(f"{self._soundfont} cannot be loaded by FluidSynth")
            channel = DRUM_CHANNEL if part.is_drum else 0
            player.program_select(channel, font, preset.bank, preset.program)
            yield from _played(player, channel, fill, part, duration_s, sample_rate)
        finally:
            player.delete()


def choose_preset(part: Part, presets: frozenset[Preset], soundfont: Path) -> Preset:
    """The part's own program, else one of its family of eight, else the nearest number there is.

    Raises:
        BadInput: the font has no instrument, or for drums no kit, at all.
    """
    bank = DRUM_BANK if part.is_drum else 0
    there = sorted(preset for preset in presets if preset.bank == bank)
    if not there:
        what = f"drum kit (bank {bank})" if part.is_drum else "instrument in bank 0"
        raise BadInput(
            f"{soundfont} has no {what}: use a General MIDI sound font"
            + (", or name --instruments without drums" if part.is_drum else "")
        )
    if part.is_drum:
        return there[0]
    wanted = part.program
    return min(there, key=lambda p: (p.program // 8 != wanted // 8, abs(p.program - wanted)))


def _played(
    player: Any,  # noqa: ANN401  (of an untyped, optional package)
    channel: int,
    fill: Callable[[Row], None],
    part: Part,
    duration_s: float,
    sample_rate: int,
) -> Iterator[Sound]:
    def send(event: Event) -> None:
        if event.is_on:
            player.noteon(channel, event.pitch, event.velocity)
        else:
            player.noteoff(channel, event.pitch)

    return play(
        note_events(part, duration_s=duration_s, sample_rate=sample_rate),
        num_samples=round(duration_s * sample_rate),
        block=sample_rate,
        send=send,
        fill=fill,
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
