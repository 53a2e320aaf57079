"""Playing sound fonts through tinysoundfont (best) or FluidSynth."""

import importlib.metadata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from einops import rearrange

from affetto.errors import BadInput
from affetto.gen.music.note_events import Event, Sound, note_events, play
from affetto.soundtrack import Part

DRUM_CHANNEL = 9
DRUM_BANK = 128
MAX_VOICES = 256
FLUID_GAIN = 0.3  # its output is 16-bit and clips; a full chord stays below


class TinySoundFont:
    """Sample-exact; the font is loaded anew for each part, so that parts never touch."""

    def __init__(self, module: ModuleType, soundfont: Path) -> None:
        self._module = module
        self._soundfont = soundfont
        self.name = f"tinysoundfont {_version('tinysoundfont')} with {soundfont.name}"

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """See `Synth.render`.

        Raises:
            BadInput: the font cannot be loaded, lacks the instrument, or plays no finite numbers.
        """
        player = self._module.Synth(samplerate=sample_rate)
        try:
            font = player.sfload(str(self._soundfont), max_voices=MAX_VOICES)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise BadInput(f"{self._soundfont} cannot be loaded: {error}") from error
        if part.is_drum:
            channel = DRUM_CHANNEL
            if player.sfpreset_name(font, DRUM_BANK, 0) is None:
                raise BadInput(_no_drums(self._soundfont))
            player.program_select(channel, font, 0, 0, True)
        else:
            channel = 0
            program = nearest_program(
                part.program,
                lambda program: player.sfpreset_name(font, 0, program) is not None,
                self._soundfont,
            )
            player.program_select(channel, font, 0, program)

        def send(event: Event) -> None:
            if event.is_on:
                player.noteon(channel, event.pitch, event.velocity)
            else:
                player.noteoff(channel, event.pitch)

        def generate(count: int) -> Sound:
            samples = np.frombuffer(player.generate(count), np.float32)
            if not np.isfinite(samples).all():
                raise BadInput(f"{self._soundfont} plays numbers that are no sound: use another")
            return rearrange(samples, "(s c) -> c s", c=2)

        return play(
            note_events(part, duration_s=duration_s, sample_rate=sample_rate),
            num_samples=round(duration_s * sample_rate),
            block=sample_rate,
            send=send,
            generate=generate,
        )


class FluidSynth:
    """Through pyfluidsynth; FluidSynth itself begins notes on its next 64 samples (1.5 ms)."""

    def __init__(self, module: ModuleType, soundfont: Path) -> None:
        self._module = module
        self._soundfont = soundfont
        self.name = f"pyfluidsynth {_version('pyfluidsynth')} with {soundfont.name}"

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """See `Synth.render`.

        Raises:
            BadInput: the font cannot be loaded or lacks the instrument.
        """
        options = {"synth.reverb.active": 0, "synth.chorus.active": 0}
        player = self._module.Synth(gain=FLUID_GAIN, samplerate=float(sample_rate), **options)
        try:
            yield from self._played(player, part, duration_s, sample_rate)
        finally:
            player.delete()

    def _played(
        self,
        player: Any,  # noqa: ANN401  (an untyped, optional package)
        part: Part,
        duration_s: float,
        sample_rate: int,
    ) -> Iterator[Sound]:
        font = player.sfload(str(self._soundfont))
        if font < 0:
            raise BadInput(f"{self._soundfont} cannot be loaded by FluidSynth")

        def has(bank: int, program: int) -> bool:
            return player.sfpreset_name(font, bank, program) is not None

        channel, bank, program = DRUM_CHANNEL, DRUM_BANK, 0
        if not part.is_drum:
            program = nearest_program(part.program, partial(has, 0), self._soundfont)
            channel, bank = 0, 0
        elif not has(bank, program):
            raise BadInput(_no_drums(self._soundfont))
        player.program_select(channel, font, bank, program)

        def send(event: Event) -> None:
            if event.is_on:
                player.noteon(channel, event.pitch, event.velocity)
            else:
                player.noteoff(channel, event.pitch)

        def generate(count: int) -> Sound:
            samples: Sound = player.get_samples(count).astype(np.float32) / 32768
            return rearrange(samples, "(s c) -> c s", c=2)

        yield from play(
            note_events(part, duration_s=duration_s, sample_rate=sample_rate),
            num_samples=round(duration_s * sample_rate),
            block=sample_rate,
            send=send,
            generate=generate,
        )


def nearest_program(program: int, has: Callable[[int], bool], soundfont: Path) -> int:
    """The program itself, else one of its family of eight, else the nearest number there is.

    Raises:
        BadInput: there is no program at all in bank 0.
    """
    there = [number for number in range(128) if has(number)]
    if not there:
        raise BadInput(f"{soundfont} has no instruments in bank 0: use a General MIDI sound font")
    return min(there, key=lambda number: (number // 8 != program // 8, abs(number - program)))


def _no_drums(soundfont: Path) -> str:
    return (
        f"{soundfont} has no drum kit (bank {DRUM_BANK}): use a General MIDI sound font, or name "
        f"--instruments without drums"
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
