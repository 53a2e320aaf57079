"""The parts of a piece as sound: each at its place and in the room, and their sum."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.arrange import INSTRUMENTS, mix_position
from affetto.gen.music.loudness import LoudnessMeter
from affetto.gen.music.room import Room, room_send_db
from affetto.gen.music.sound_files import read_raw, wav_writer
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.soundtrack import Part, Soundtrack

FADE_IN_S, FADE_OUT_S = 0.002, 0.04


@dataclass(frozen=True)
class Music:
    """The played parts on disk as raw files, their sum, its loudness and the stems' peak."""

    stems: dict[str, Path]
    bus: Path
    lufs: float
    stem_peak: float


def play_parts(
    soundtrack: Soundtrack,
    work: Path,
    synth: Synth,
    sample_rate: int,
    gains: Mapping[str, tuple[float, float]] | None,
    tell: Callable[[float], None],
) -> Music:
    """Play each part into its own raw file and add it to the bus."""
    total = round(soundtrack.duration_s * sample_rate)
    stems: dict[str, Path] = {}
    bus, peak = work / "bus.raw", 0.0
    bus.touch()
    for number, part in enumerate(soundtrack.parts):
        if part.name in stems or not part.name or set(part.name) & set("/\\\0"):
            raise ValueError(f"part names must differ and be file names, got {part.name!r}")
        stems[part.name] = work / f"{number}.raw"
        place = gains[part.name] if gains is not None else _place(part)
        with bus.open("r+b") as sum_file, stems[part.name].open("wb") as file:
            for start, block in _placed(part, soundtrack.duration_s, synth, sample_rate, place):
                row = block.T.astype("<f4")
                file.write(row.tobytes())
                before = np.frombuffer(sum_file.read(row.nbytes), "<f4")
                if before.size:
                    sum_file.seek(-row.nbytes, 1)
                    row = row + before.reshape(row.shape)
                sum_file.write(row.tobytes())
                peak = max(peak, float(np.abs(block).max(initial=0.0)))
                tell((number + start / total) / len(soundtrack.parts))
    meter = LoudnessMeter(sample_rate)
    for block in read_raw(bus, block=sample_rate):
        meter.add(block)
    return Music(stems, bus, meter.finish().integrated_lufs, peak)


def _place(part: Part) -> tuple[float, float]:
    return mix_position(part.name) if part.name in INSTRUMENTS else (0.0, 0.0)


def _placed(
    part: Part, duration_s: float, synth: Synth, sample_rate: int, place: tuple[float, float]
) -> Iterator[tuple[int, Sound]]:
    """(first sample, block) of a part at its level and place, with its room and faded ends."""
    gain_db, pan = place
    angle = (pan + 1) * np.pi / 4  # equal power; the middle is unchanged
    sides = np.sqrt(2) * 10 ** (gain_db / 20) * np.array([[np.cos(angle)], [np.sin(angle)]])
    send = np.float32(10 ** (room_send_db(part) / 20))
    room, total, start = Room(sample_rate), round(duration_s * sample_rate), 0
    for dry in synth.render(part, duration_s=duration_s, sample_rate=sample_rate):
        block = dry * sides.astype(np.float32)
        block = block + room(send * block)
        yield start, block * fade(start, block.shape[1], total, sample_rate)
        start += block.shape[1]


def write_stems(folder: Path, music: Music, gain_db: float, sample_rate: int) -> None:
    """Write each stem at its final level and drop its raw file."""
    folder.mkdir(exist_ok=True)
    gain = np.float32(10 ** (gain_db / 20))
    for name, raw in music.stems.items():
        with wav_writer(folder / f"{name}.wav", sample_rate=sample_rate) as wav:
            for block in read_raw(raw, block=sample_rate):
                wav.add(gain * block)
        raw.unlink()


def fade(start: int, count: int, total: int, sample_rate: int) -> NDArray[np.float32]:
    """(S,) gain that begins and ends the piece without a click."""
    position = np.arange(start, start + count)
    into = (position + 0.5) / max(1.0, min(FADE_IN_S * sample_rate, total / 4))
    left = (total - position - 0.5) / max(1.0, min(FADE_OUT_S * sample_rate, total / 2))
    rise = np.sin(np.clip(np.minimum(into, left), 0, 1) * (np.pi / 2))
    gain: NDArray[np.float32] = np.square(rise).astype(np.float32)
    return gain
