"""Looking through a sound font before a C parser sees it: sizes, orders and indices.

The synthesizers trust the file's own indices; a crafted one makes them read outside their memory.
Everything they index by is therefore checked here. Layout: SoundFont 2.04 specification, section 5
(RIFF structure) and section 7 (the nine tables of `pdta`).
"""

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.errors import BadInput

MAX_BYTES = 1_500_000_000
MAX_TABLE_BYTES = 64_000_000
MAX_REGIONS = 1_000_000  # zones over all presets once instruments are unfolded; large fonts: 50,000

PRESETS = np.dtype(
    [("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]
)
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
MODULATOR = np.dtype("V10")
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<u2")])
INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
SAMPLE = np.dtype(
    [
        ("name", "S20"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("loop_start", "<u4"),
        ("loop_end", "<u4"),
        ("rate_hz", "<u4"),
        ("rest", "V4"),
        ("kind", "<u2"),
    ]
)
TABLES = {
    b"phdr": PRESETS,
    b"pbag": BAG,
    b"pmod": MODULATOR,
    b"pgen": GENERATOR,
    b"inst": INSTRUMENT,
    b"ibag": BAG,
    b"imod": MODULATOR,
    b"igen": GENERATOR,
    b"shdr": SAMPLE,
}
INSTRUMENT_KIND, SAMPLE_KIND = 41, 53  # generators that hold an index
# Generators that move a sample's borders, fine (in samples) and coarse (in 32768 samples).
START_KINDS, END_KINDS, LOOP_START_KINDS, LOOP_END_KINDS = (0, 4), (1, 12), (2, 45), (3, 50)
OFFSET_KINDS = (*START_KINDS, *END_KINDS, *LOOP_START_KINDS, *LOOP_END_KINDS)
COMPRESSED = 0x30  # flags in a sample's kind that tinysoundfont takes for sf3's

Records = NDArray[np.void]


class Chunk(NamedTuple):
    """A RIFF chunk: its four letters and where its content lies in the file."""

    name: bytes
    start: int
    size: int


class Preset(NamedTuple):
    """Where an instrument stands: bank 0 is General MIDI, bank 128 holds drum kits."""

    bank: int
    program: int


def check_soundfont(path: Path) -> frozenset[Preset]:
    """Refuse what is no whole, consistent, uncompressed SoundFont 2 file; its presets otherwise.

    Raises:
        BadInput: says what is wrong with it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                raise BadInput(f"{path} is no regular file: give a .sf2 sound font")
            if state.st_size > MAX_BYTES:
                raise BadInput(
                    f"{path} has {state.st_size / 1e6:.0f} MB, allowed for a sound font are "
                    f"{MAX_BYTES / 1e6:.0f}: use a smaller one"
                )
            return _check(file, state.st_size)
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such sound font") from error
    except OSError as error:
        raise BadInput(f"cannot read the sound font {path}: {error}") from error
    except _Broken as error:
        raise BadInput(
            f"{path} is no sound font that can be used: {error}. Give a General MIDI .sf2 file"
        ) from error


class _Broken(Exception):
    """What is wrong inside the file."""


def _check(file: BinaryIO, size: int) -> frozenset[Preset]:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise _Broken("it does not begin as a RIFF file of kind sfbk")
    stated = struct.unpack("<I", head[4:8])[0]
    if stated + 8 > size:
        raise _Broken(f"it is cut short: {stated + 8} bytes stated, {size} there")
    lists = {}
    for chunk in _chunks(file, 12, stated + 8):
        if chunk.name != b"LIST" or chunk.size < 4:
            raise _Broken(f"unexpected chunk {chunk.name!r}")
        file.seek(chunk.start)
        kind = file.read(4)
        lists[kind] = _chunks(file, chunk.start + 4, chunk.start + chunk.size)
    if not {b"INFO", b"sdta", b"pdta"} <= set(lists):
        raise _Broken(f"of INFO, sdta and pdta only {sorted(lists)} are there")
    samples = [chunk for chunk in lists[b"sdta"] if chunk.name == b"smpl"]
    if len(samples) != 1 or samples[0].size < 2:
        raise _Broken("it holds no samples")
    tables = _tables(file, lists[b"pdta"])
    _check_samples(tables[b"shdr"], samples[0].size // 2)
    zones = _check_layer(tables, b"inst", b"ibag", b"imod", b"igen", SAMPLE_KIND, b"shdr")
    presets = _check_layer(tables, b"phdr", b"pbag", b"pmod", b"pgen", INSTRUMENT_KIND, b"inst")
    _check_regions(tables[b"pgen"], zones, presets)
    _check_offsets(tables, samples[0].size // 2)
    real = tables[b"phdr"][:-1]
    numbers = zip(real["bank"].tolist(), real["preset"].tolist(), strict=True)
    return frozenset(Preset(bank, program) for bank, program in numbers)


def _chunks(file: BinaryIO, start: int, end: int) -> list[Chunk]:
    chunks = []
    while start < end:
        file.seek(start)
        head = file.read(8)
        size = struct.unpack("<I", head[4:])[0] if len(head) == 8 else 0
        if len(head) < 8 or start + 8 + size > end:
            raise _Broken(f"chunk {head[:4]!r} at byte {start} reaches beyond its end")
        if size % 2:
            raise _Broken(f"chunk {head[:4]!r} at byte {start} has an odd size")
        chunks.append(Chunk(head[:4], start + 8, size))
        if len(chunks) > 64:
            raise _Broken("it has more chunks than the format knows")
        start += 8 + size
    return chunks


def _tables(file: BinaryIO, chunks: list[Chunk]) -> dict[bytes, Records]:
    names = [chunk.name for chunk in chunks]
    if names != list(TABLES):
        raise _Broken(f"its tables are {names}")
    tables = {}
    for chunk in chunks:
        dtype = TABLES[chunk.name]
        if chunk.size % dtype.itemsize or not dtype.itemsize <= chunk.size <= MAX_TABLE_BYTES:
            raise _Broken(f"table {chunk.name!r} has {chunk.size} bytes")
        file.seek(chunk.start)
        tables[chunk.name] = np.frombuffer(file.read(chunk.size), dtype)
    for name in (b"phdr", b"inst", b"shdr"):
        if len(tables[name]) < 2:
            raise _Broken(f"table {name!r} is empty")
    return tables


def _check_samples(samples: Records, count: int) -> None:
    real = samples[:-1]
    if (samples["kind"] & COMPRESSED).any():  # it unpacks even what the closing record points to
        raise _Broken("its samples are compressed (sf3); convert it to sf2")
    rom = (real["kind"] & 0x8000) != 0
    kept = real[~rom]
    ordered = (kept["start"] <= kept["end"]) & (kept["end"] <= count)
    looped = (kept["loop_start"] <= kept["loop_end"]) & (kept["loop_end"] <= count)
    if rom.any() or not (ordered & looped).all():
        raise _Broken("a sample lies outside the sample data")
    if not ((kept["rate_hz"] >= 400) & (kept["rate_hz"] <= 200_000) | (kept["end"] == 0)).all():
        raise _Broken("a sample has an impossible rate")


def _check_layer(
    tables: dict[bytes, Records],
    owners: bytes,
    bags: bytes,
    modulators: bytes,
    generators: bytes,
    index_kind: int,
    target: bytes,
) -> NDArray[np.int64]:
    """Check one of the two layers (presets, instruments); zones of each of its owners."""
    bag = tables[owners]["bag"].astype(np.int64)
    for name, order, limit in (
        (owners, bag, len(tables[bags]) - 1),
        (bags, tables[bags]["generator"].astype(np.int64), len(tables[generators])),
        (bags, tables[bags]["modulator"].astype(np.int64), len(tables[modulators])),
    ):
        if (np.diff(order) < 0).any() or order[-1] > limit:
            raise _Broken(f"table {name!r} points outside the next one")
    table = tables[generators]
    pointing = table[table["kind"] == index_kind]["amount"]
    if (pointing >= len(tables[target]) - 1).any():
        raise _Broken(f"table {generators!r} names a {target!r} entry that is not there")
    zones: NDArray[np.int64] = np.diff(bag)
    return zones


def _check_regions(
    generators: Records, zones: NDArray[np.int64], presets: NDArray[np.int64]
) -> None:
    used = generators[generators["kind"] == INSTRUMENT_KIND]["amount"].astype(np.int64)
    if int(zones[used].sum()) > MAX_REGIONS or int(presets.sum()) > MAX_REGIONS:
        raise _Broken(f"its presets unfold to more than {MAX_REGIONS} zones")


def _check_offsets(tables: dict[bytes, Records], count: int) -> None:
    """Each sample as its instrument zone, and the preset zone above that, move its borders."""
    for number in range(len(tables[b"inst"]) - 1):
        _check_instrument(tables, number, {}, count)
    presets = len(tables[b"phdr"]) - 1
    for number in range(presets):
        for amounts in _zones(tables, b"phdr", b"pbag", b"pgen", number, INSTRUMENT_KIND):
            moves = {kind: amounts[kind] for kind in OFFSET_KINDS if amounts.get(kind)}
            if moves:
                _check_instrument(tables, amounts[INSTRUMENT_KIND], moves, count)


def _check_instrument(
    tables: dict[bytes, Records], number: int, moves: dict[int, int], count: int
) -> None:
    for amounts in _zones(tables, b"inst", b"ibag", b"igen", number, SAMPLE_KIND):
        if moves or not amounts.keys().isdisjoint(OFFSET_KINDS):
            total = {
                kind: _signed(amounts.get(kind, 0)) + _signed(moves.get(kind, 0))
                for kind in OFFSET_KINDS
            }
            _check_moved(tables[b"shdr"][amounts[SAMPLE_KIND]], total, count)


def _zones(
    tables: dict[bytes, Records],
    owners: bytes,
    bags: bytes,
    generators: bytes,
    number: int,
    index_kind: int,
) -> Iterator[dict[int, int]]:
    """Raw amounts by kind of each zone of one owner, the global zone's beneath its own."""
    first, last = (int(tables[owners]["bag"][row]) for row in (number, number + 1))
    shared: dict[int, int] = {}
    for zone in range(first, last):
        low, high = (int(tables[bags]["generator"][row]) for row in (zone, zone + 1))
        rows = tables[generators][low:high]
        amounts = dict(zip(rows["kind"].tolist(), rows["amount"].tolist(), strict=True))
        if index_kind in amounts:
            yield shared | amounts
        elif zone == first:
            shared = amounts


def _signed(amount: int) -> int:
    return ((amount + 0x8000) & 0xFFFF) - 0x8000


def _check_moved(sample: np.void, amounts: dict[int, int], count: int) -> None:
    def moved(name: str, kinds: tuple[int, int]) -> int:
        fine, coarse = kinds
        return int(sample[name]) + amounts[fine] + 32768 * amounts[coarse]

    start, end = moved("start", START_KINDS), moved("end", END_KINDS)
    loop_start, loop_end = moved("loop_start", LOOP_START_KINDS), moved("loop_end", LOOP_END_KINDS)
    if not (0 <= start <= end <= count and 0 <= loop_start <= loop_end <= count):
        raise _Broken("a zone moves its sample outside the sample data")
