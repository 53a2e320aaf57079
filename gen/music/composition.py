"""composition.json: a piece exactly as it was composed and mixed, to be opened again and edited.

Times are seconds at full precision, so what is read is equal to what was written, note for note.
"""

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.gen.music.arrange import INSTRUMENTS
from affetto.gen.music.chords import chord_id
from affetto.gen.music.keys import parse_key
from affetto.soundtrack import Bar, ChordSpan, Dynamics, Marker, Note, Part, Soundtrack

FILE = "composition.json"
FORMAT, VERSION = "affetto composition", 1
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Levels:
    """The gains a mix came to, in dB: of the music, of the film's own sound, of the stems."""

    music_db: float
    original_db: float
    stems_db: float


@dataclass(frozen=True)
class Composition:
    """A piece, the gains of its mix, and the words it was asked in.

    Attributes:
        soundtrack: the piece.
        levels: how it was mixed.
        asked: the job's options as plain values, to go on with.
    """

    soundtrack: Soundtrack
    levels: Levels
    asked: dict[str, Any]


def write_composition(path: Path, composition: Composition) -> None:
    """Write a composition as JSON.

    Raises:
        ResourceError: no space, or not allowed to write there.
    """
    music = composition.soundtrack
    content = {
        "format": FORMAT,
        "version": VERSION,
        "duration_s": float(music.duration_s),
        "key": music.key,
        "bars": [(bar.start_s, bar.end_s, bar.num_beats) for bar in music.bars],
        "chords": [(span.start_s, span.end_s, span.symbol) for span in music.chords],
        "parts": [
            {
                "name": part.name,
                "program": part.program,
                "is_drum": part.is_drum,
                "notes": [(n.start_s, n.end_s, n.pitch, n.velocity) for n in part.notes],
            }
            for part in music.parts
        ],
        "dynamics": {
            name: getattr(music.dynamics, name).tolist()
            for name in ("times_s", "density", "loudness")
        },
        "markers": [(marker.time_s, marker.text) for marker in music.markers],
        "levels": asdict(composition.levels),
        "asked": composition.asked,
    }
    with staged_file(path) as staged:
        staged.write_text(json.dumps(content, default=_plain), encoding="utf-8")


def read_composition(path: Path) -> Composition:
    """Read a composition back.

    Raises:
        BadInput: no such file, or not one of ours; says what is wrong.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES // 1_000_000} MB: no composition")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            f"cannot read {path}: {error}; give the folder of a soundtrack made by this version"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BadInput(f"{path} is no composition of ours")
    if content.get("version") != VERSION:
        raise BadInput(
            f"{path} has version {content.get('version')!r}, this program reads {VERSION}: compose "
            "it anew"
        )
    try:
        levels = Levels(**{name: float(value) for name, value in content["levels"].items()})
        if not all(math.isfinite(value) for value in vars(levels).values()):
            raise ValueError("levels must be finite")
        return Composition(_soundtrack(content), levels, dict(content["asked"]))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, BadInput) as error:
        raise BadInput(f"{path} is damaged: {error}") from error


def _soundtrack(content: dict[str, Any]) -> Soundtrack:
    bars = tuple(Bar(float(a), float(b), int(beats)) for a, b, beats in content["bars"])
    chords = tuple(ChordSpan(float(a), float(b), str(name)) for a, b, name in content["chords"])
    parts = tuple(
        Part(
            str(part["name"]),
            int(part["program"]),
            bool(part["is_drum"]),
            tuple(_note(*values) for values in part["notes"]),
        )
        for part in content["parts"]
    )
    rows = [
        np.array(content["dynamics"][n], np.float64) for n in ("times_s", "density", "loudness")
    ]
    duration_s = float(content["duration_s"])
    music = Soundtrack(
        duration_s,
        str(content["key"]),
        bars,
        chords,
        parts,
        Dynamics(*rows),
        tuple(Marker(float(time_s), str(text)) for time_s, text in content["markers"]),
    )
    _check(music)
    return music


def _note(start_s: float, end_s: float, pitch: int, velocity: int) -> Note:
    note = Note(float(start_s), float(end_s), int(pitch), int(velocity))
    if not (
        0 <= note.start_s < note.end_s < math.inf and 0 <= pitch <= 127 and 1 <= velocity <= 127
    ):
        raise ValueError(f"no note: {note}")
    return note


def _check(music: Soundtrack) -> None:
    """Refuse what the arranger or the mixer could not work with."""
    tiled = all(a.end_s == b.start_s for a, b in pairwise(music.bars))
    whole = all(bar.start_s < bar.end_s and bar.num_beats >= 1 for bar in music.bars)
    if not music.bars or music.bars[0].start_s != 0 or not tiled or not whole:
        raise ValueError("bars must tile the piece from 0")
    if not 0 < music.duration_s < math.inf or not music.chords:
        raise ValueError("a length and chords are needed")
    names = [part.name for part in music.parts]
    if len(set(names)) < len(names) or not set(names) <= set(INSTRUMENTS):
        raise ValueError(f"parts must be instruments, each once; got {names}")
    if len({len(row) for row in vars(music.dynamics).values()}) != 1 or not len(
        music.dynamics.times_s
    ):
        raise ValueError("dynamics must have one length")
    parse_key(music.key)
    for span in music.chords:
        chord_id(span.symbol)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else str(value)
