"""Keyframes from a CSV or JSON file, as the words a timeline is written in.

Columns or keys: `time` (seconds or m:ss), then either `emotion` (as in a timeline) or `valence`
and `arousal` (and `dominance`), and if wanted `easing`. JSON holds a list of such objects.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affetto.emotion import EmotionTrack
from affetto.errors import RequestError
from affetto.files import staged_file
from affetto.text_file import read_text

MAX_FILE_BYTES = 256 * 1024
MAX_KEYFRAMES = 10_000
SUFFIXES = (".csv", ".json")
_KEYS = ("time", "emotion", "valence", "arousal", "dominance", "easing")
_EXPECTED = (
    "expected columns time,emotion or time,valence,arousal[,dominance], and easing if wanted; "
    'in JSON a list such as [{"time": 0, "emotion": "happy:0.9"}]'
)


@dataclass(frozen=True)
class KeyframeWords:
    """One keyframe, not yet understood: '1:30', 'sad:0.6+calm:0.2', 'linear' (or '')."""

    time: str
    target: str
    easing: str


def read_keyframes(path: Path) -> list[KeyframeWords]:
    """The rows of a keyframe file.

    Raises:
        RequestError: unreadable, over 256 kB or 10 000 keyframes, or not in the form above.
    """
    text = read_text(path, max_bytes=MAX_FILE_BYTES, refusal=RequestError)
    try:
        rows = _json_rows(text) if path.suffix.lower() == ".json" else _csv_rows(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise RequestError(f"{path} holds no keyframes: {error}; {_EXPECTED}") from error
    return [_words(row, f"{path}, keyframe {number}") for number, row in enumerate(rows, start=1)]


def write_keyframes(path: Path, track: EmotionTrack) -> None:
    """Write a track's valence, arousal and dominance as CSV that `read_keyframes` takes back."""
    rows = zip(track.times.tolist(), track.vad.tolist(), strict=True)
    lines = [f"{time_s:g}," + ",".join(f"{value:.3f}" for value in vad) for time_s, vad in rows]
    with staged_file(path) as staged:
        staged.write_text("\n".join(["time,valence,arousal,dominance", *lines]) + "\n")


def _json_rows(text: str) -> list[Any]:
    rows = json.loads(text, parse_constant=str)  # NaN stays a word and is refused as a number
    if not isinstance(rows, list):
        raise ValueError(f"the file holds a {type(rows).__name__}, not a list")
    return rows


def _csv_rows(text: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip().lower() for name in next(reader, [])]
    if len(set(header)) != len(header):
        raise ValueError(f"a column is there twice in {header}")
    rows = []
    for cells in reader:
        if len(cells) > len(header):
            raise ValueError(f"line {reader.line_num} has {len(cells)} cells, the header fewer")
        if cells:
            rows.append(dict(zip(header, cells, strict=False)))
    return rows


def _words(row: object, where: str) -> KeyframeWords:
    if not isinstance(row, Mapping):
        raise RequestError(f"{where}: got {repr(row)[:60]}; {_EXPECTED}")
    unknown = sorted(set(map(str, row)) - set(_KEYS))
    if unknown:
        names = ", ".join(unknown[:4]) + f" and {len(unknown) - 4} more" * (len(unknown) > 4)
        raise RequestError(f"{where}: unknown names {names}; {_EXPECTED}")
    for value in row.values():
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise RequestError(f"{where}: got {str(value)[:60]!r} for a value; {_EXPECTED}")
    cells = {key: str(value).strip() for key, value in row.items() if str(value).strip()}
    point = [cells[axis] for axis in ("valence", "arousal", "dominance") if axis in cells]
    if "time" not in cells or ("emotion" in cells) == bool(point):
        raise RequestError(f"{where}: got {', '.join(cells) or 'nothing'}; {_EXPECTED}")
    if point and not {"valence", "arousal"} <= set(cells):
        raise RequestError(f"{where}: valence and arousal go together; {_EXPECTED}")
    form = "va" if len(point) == 2 else "vad"
    target = cells.get("emotion") or f"{form}({','.join(point)})"
    return KeyframeWords(cells["time"], target, cells.get("easing", ""))
