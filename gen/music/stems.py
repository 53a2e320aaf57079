"""The parts of a piece as sound: each at its place and in the room, and their sum."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from affetto.ahead import made_ahead
from affetto.gen.music.arrange import INSTRUMENTS, mix_position
from affetto.gen.music.loudness import LoudnessMeter
from affetto.gen.music.room import Room, room_send_db
from affetto.gen.music.sound_files import read_raw, rows, wav_writer
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.soundtrack import Part, Soundtrack

FADE_IN_S, FADE_OUT_S = 0.002, 0.04
AHEAD = 8  # blocks that are played before they are placed
STEMS_AT_ONCE = 2


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
    """Play each part into its own raw file and add it to the bus.

    One thread plays while another places what was played, adds its room and writes it.
    """
    total = round(soundtrack.duration_s * sample_rate)
    stems = _stem_paths(soundtrack.parts, work)
    bus, peak, done = work / "bus.raw", 0.0, 0
    bus.touch()
    room = Room(sample_rate)
    with closing(made_ahead(_played(soundtrack, synth, sample_rate), depth=AHEAD)) as played:
        for part, blocks in groupby(played, key=lambda pair: pair[0]):
            place = gains[part.name] if gains is not None else _place(part)
            room.reset()
            placed = _placed(part, (dry for _, dry in blocks), room, place, total, sample_rate)
            with bus.open("r+b") as sum_file, stems[part.name].open("wb") as file:
                for block in placed:
                    row = rows(block)
                    file.write(row.data)
                    peak = max(peak, float(row.max(initial=0.0)), -float(row.min(initial=0.0)))
                    _add(row, sum_file)
                    done += len(row)
                    tell(done / (total * len(soundtrack.parts)))
    meter = LoudnessMeter(sample_rate, peaks=False)
    for block in read_raw(bus, block=sample_rate):
        meter.add(block)
    return Music(stems, bus, meter.finish().integrated_lufs, peak)


def _add(row: NDArray[np.float32], sum_file: BinaryIO) -> None:
    """Add (S, 2) to what stands at the file's place, or append it; `row` is changed."""
    before = np.frombuffer(sum_file.read(row.nbytes), "<f4")
    if before.size:
        sum_file.seek(-row.nbytes, 1)
        row += before.reshape(row.shape)
    sum_file.write(row.data)


def _stem_paths(parts: Sequence[Part], work: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for number, part in enumerate(parts):
        if part.name in stems or not part.name or set(part.name) & set("/\\\0"):
            raise ValueError(f"part names must differ and be file names, got {part.name!r}")
        stems[part.name] = work / f"{number}.raw"
        stems[part.name].touch()
    return stems


def _played(soundtrack: Soundtrack, synth: Synth, sample_rate: int) -> Iterator[tuple[Part, Sound]]:
    """Each part's dry sound in blocks, one part after another."""
    for part in soundtrack.parts:
        for dry in synth.render(part, duration_s=soundtrack.duration_s, sample_rate=sample_rate):
            yield part, dry


def _place(part: Part) -> tuple[float, float]:
    return mix_position(part.name) if part.name in INSTRUMENTS else (0.0, 0.0)


def _placed(
    part: Part,
    blocks: Iterator[Sound],
    room: Room,
    place: tuple[float, float],
    total: int,
    sample_rate: int,
) -> Iterator[Sound]:
    """A part at its level and place, with its room and faded ends."""
    gain_db, pan = place
    angle = (pan + 1) * np.pi / 4  # equal power; the middle is unchanged
    sides = np.sqrt(2) * 10 ** (gain_db / 20) * np.array([[np.cos(angle)], [np.sin(angle)]])
    send = np.float32(10 ** (room_send_db(part) / 20))
    start = 0
    for dry in blocks:
        block = dry * sides.astype(np.float32)
        block += room(send * block)
        yield faded(block, start, total, sample_rate)
        start += block.shape[1]


def write_stems(folder: Path, music: Music, gain_db: float, sample_rate: int) -> None:
    """Write each stem at its final level, some at the same time, and drop its raw file."""
    folder.mkdir(exist_ok=True)
    gain = np.float32(10 ** (gain_db / 20))

    def write(name: str, raw: Path) -> None:
        with wav_writer(folder / f"{name}.wav", sample_rate=sample_rate) as wav:
            for block in read_raw(raw, block=sample_rate):
                wav.add(gain * block)
        raw.unlink()

    with ThreadPoolExecutor(STEMS_AT_ONCE) as pool:
        for _ in pool.map(write, *zip(*music.stems.items(), strict=True)):
            pass


def faded(block: Sound, start: int, total: int, sample_rate: int) -> Sound:
    """The (2, S) from sample `start` on of a piece that begins and ends without a click."""
    into_s, left_s = start / sample_rate, (total - start - block.shape[1]) / sample_rate
    if into_s > FADE_IN_S and left_s > FADE_OUT_S:
        return block
    return block * fade(start, block.shape[1], total, sample_rate)


def fade(start: int, count: int, total: int, sample_rate: int) -> NDArray[np.float32]:
    """(S,) gain that begins and ends the piece without a click."""
    position = np.arange(start, start + count)
    into = (position + 0.5) / max(1.0, min(FADE_IN_S * sample_rate, total / 4))
    left = (total - position - 0.5) / max(1.0, min(FADE_OUT_S * sample_rate, total / 2))
    rise = np.sin(np.clip(np.minimum(into, left), 0, 1) * (np.pi / 2))
    gain: NDArray[np.float32] = np.square(rise).astype(np.float32)
    return gain
