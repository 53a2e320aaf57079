"""The parts of a piece as sound: each at its place and in the room, and their sum."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from affetto.ahead import made_ahead
from affetto.gen.music.arrange import INSTRUMENTS, mix_position
from affetto.gen.music.room import BLOCK_S, Room, room_send_db
from affetto.gen.music.sound_files import read_raw, rows, wav_writer
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.soundtrack import Part, Soundtrack

FADE_IN_S, FADE_OUT_S = 0.002, 0.04
AT_ONCE = 2  # parts that are played, and stems that are written


@dataclass(frozen=True)
class Music:
    """The played parts on disk as raw files, their sum and the stems' peak."""

    stems: dict[str, Path]
    bus: Path
    stem_peak: float


def play_parts(
    soundtrack: Soundtrack,
    work: Path,
    synth: Synth,
    sample_rate: int,
    gains: Mapping[str, tuple[float, float]] | None,
    tell: Callable[[float], None],
    hear: Callable[[Sound], object] | None = None,
) -> Music:
    """Play the parts side by side, each into its own raw file, and add them up in the bus.

    `tell` is told the share done; `hear`, if any, hears the bus.
    """
    total = round(soundtrack.duration_s * sample_rate)
    stems, bus, peak, done = _stem_paths(soundtrack.parts, work), work / "bus.raw", 0.0, 0
    with contextlib.ExitStack() as stack:
        players = []
        for part in soundtrack.parts:
            place = gains[part.name] if gains is not None else _place(part)
            dry = synth.render(part, duration_s=soundtrack.duration_s, sample_rate=sample_rate)
            wet = _placed(part, dry, place, total, sample_rate)
            players.append(_kept(wet, stack.enter_context(stems[part.name].open("wb"))))
        file = stack.enter_context(bus.open("wb"))
        together = stack.enter_context(contextlib.closing(made_ahead(_summed(players), depth=1)))
        for block, highest in together:
            file.write(rows(block).data)
            if hear:
                hear(block)
            peak, done = max(peak, highest), done + block.shape[1]
            tell(done / total)
    return Music(stems, bus, peak)


def _kept(blocks: Iterator[Sound], file: BinaryIO) -> Iterator[tuple[Sound, float]]:
    """The blocks, written to a file too, each with its peak."""
    for block in blocks:
        file.write(rows(block).data)
        yield block, max(float(block.max(initial=0.0)), -float(block.min(initial=0.0)))


def _summed(players: Sequence[Iterator[tuple[Sound, float]]]) -> Iterator[tuple[Sound, float]]:
    """Block by block the sum of all, some of them played at the same time, and the highest peak."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while played := [one for one in pool.map(_next, players) if one]:
            blocks, peaks = zip(*played, strict=True)
            total = blocks[0].copy()
            for one in blocks[1:]:
                total += one
            yield total, max(peaks)


def _next(player: Iterator[tuple[Sound, float]]) -> tuple[Sound, float] | None:
    return next(player, None)


def _stem_paths(parts: Sequence[Part], work: Path) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for number, part in enumerate(parts):
        if part.name in stems or not part.name or set(part.name) & set("/\\\0"):
            raise ValueError(f"part names must differ and be file names, got {part.name!r}")
        stems[part.name] = work / f"{number}.raw"
        stems[part.name].touch()
    return stems


def _place(part: Part) -> tuple[float, float]:
    return mix_position(part.name) if part.name in INSTRUMENTS else (0.0, 0.0)


def _placed(
    part: Part,
    blocks: Iterator[Sound],
    place: tuple[float, float],
    total: int,
    sample_rate: int,
) -> Iterator[Sound]:
    """A part at its level and place, with its room and faded ends."""
    gain_db, pan = place
    angle = (pan + 1) * np.pi / 4  # equal power; the middle is unchanged
    level = np.sqrt(2) * 10 ** (gain_db / 20)
    left, right = np.float32(level * np.cos(angle)), np.float32(level * np.sin(angle))
    send = np.float32(10 ** (room_send_db(part) / 20))
    room, start = Room(sample_rate), 0
    while seconds := list(islice(blocks, BLOCK_S)):
        block = np.concatenate(seconds, axis=1)
        block[0] *= left
        block[1] *= right
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

    with ThreadPoolExecutor(AT_ONCE) as pool:
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
