"""Markers from an editing program: CMX3600 edit lists, OpenTimelineIO, CSV. Nothing is executed.

- `.edl`: `* LOC: 01:00:05:12 RED name` (Avid), `|C:... |M:name |D:1` under an event (DaVinci
  Resolve), and without any of them where its events begin. `FCM: DROP FRAME` or `;` in timecode
  means 29.97 frames a second, a comment such as `* FPS: 25` says another rate; else the film's.
- `.otio`: markers of the timeline, its tracks and clips, by their place in the timeline.
- `.csv`, `.tsv`, `.txt`: a header with a column of times (Premiere `In`, Audition `Start`, Resolve
  `Record In`, or `time`), seconds, m:ss, h:mm:ss or timecode, and one of names.

Source: the CMX3600 conventions as OpenTimelineIO's adapter documents them, and OpenTimelineIO's
file format specification. Nothing was borrowed from an implementation.
"""

import csv
import io
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from affetto.errors import BadInput
from affetto.gen.music.otio_markers import otio_markers
from affetto.gen.music.timecode import frame_rate, is_timecode, seconds_at
from affetto.soundtrack import Marker
from affetto.text_file import read_text
from affetto.time_words import seconds_of

SUFFIXES = (".edl", ".otio", ".csv", ".tsv", ".txt")
MAX_BYTES = 16_000_000
MAX_NAME = 80

_TIMES = (
    "time", "time (s)", "time_s", "seconds", "start", "start time", "record in", "in", "timecode",
    "position",
)  # fmt: skip
_NAMES = (
    "name", "marker name", "marker", "label", "title", "text", "description", "comment", "comments",
    "notes", "note",
)  # fmt: skip
_CODE = r"\d{1,2}[:;]\d{2}[:;]\d{2}[:;]\d{2,3}"
_EVENT = re.compile(rf"\d{{1,6}}\s+(.*?)\s+{_CODE}\s+{_CODE}\s+({_CODE})\s+{_CODE}\b.*", re.ASCII)
_AVID = re.compile(rf"\*\s*LOC:\s*({_CODE})\s*(\S*)\s*(.*)", re.ASCII | re.IGNORECASE)
_RESOLVE = re.compile(r"(.*?)\|C:[^|]*\|M:([^|]*)(?:\|.*)?")
_RATE = re.compile(
    r"\*?\s*(?:FPS|FRAME[ _-]?RATE|TIMEBASE)\s*[:=]?\s*(\d{1,3}(?:\.\d{1,6})?)\b.*",
    re.ASCII | re.IGNORECASE,
)
_NUMBERED = re.compile(r"marker \d+", re.ASCII | re.IGNORECASE)  # a name that nobody gave


def read_markers(path: Path, *, film_rate: Fraction) -> tuple[Marker, ...]:
    """The markers of a file, by time, as the file counts it.

    Args:
        path: with one of `SUFFIXES`.
        film_rate: frames a second of the film, where the file does not say its own.

    Raises:
        BadInput: unreadable, over 16 MB, not of its kind, or without any marker; says what is
            wrong and where.
    """
    text = read_text(path, max_bytes=MAX_BYTES)
    suffix = path.suffix.lower()
    try:
        if suffix == ".otio":
            found = otio_markers(text)
        else:
            found = (_edl if suffix == ".edl" else _table)(text, film_rate)
    except (ValueError, RecursionError, csv.Error) as error:
        raise BadInput(f"{path}: {error}") from error
    if not found:
        raise BadInput(
            f"{path} holds no markers: export it again with markers, or write times such as "
            "3.2,17.5"
        )
    clean = [Marker(time_s, _shown(name)) for time_s, name in found]
    return tuple(sorted(clean, key=lambda marker: marker.time_s))


def _shown(name: str) -> str:
    """A stranger's words on one line, without anything a terminal would obey."""
    plain = "".join(one if one.isprintable() else " " for one in name)
    return " ".join(plain.split())[:MAX_NAME]


def _edl(text: str, film_rate: Fraction) -> list[tuple[float, str]]:
    rate, drop = film_rate, False
    for line in text.splitlines():
        if stated := _RATE.fullmatch(line.strip()):
            rate = frame_rate(float(stated[1]))
        if line.upper().startswith("FCM:"):
            drop = line.upper().split(":", 1)[1].strip().startswith("DROP")
    found = list(_edl_lines(text))
    kinds = {kind for kind, _, _ in found}
    kind = "marker" if "marker" in kinds else "picture" if "picture" in kinds else "sound"
    times: dict[float, str] = {}
    for one, code, name in found:
        if one == kind:
            try:
                times.setdefault(seconds_at(code, rate, drop=drop), name)
            except ValueError as error:
                raise ValueError(
                    f"timecode {code} {error}; if the list has another frame rate, say it in a "
                    "line such as '* FPS: 25'"
                ) from error
    if not found:
        raise ValueError("no event of an edit list (CMX3600) is in it")
    return sorted(times.items())


def _edl_lines(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands in an edit list: "marker", "picture" or "sound", its timecode and name."""
    begins = None
    for line in map(str.strip, text.splitlines()):
        if len(line) > 2000:
            continue
        if event := _EVENT.fullmatch(line):
            begins = event[2]
            track = (event[1].split() or [""])[1:2]
            sound = track and re.fullmatch(r"A+\d*|NONE", track[0].upper())
            yield "sound" if sound else "picture", begins, ""
        elif locator := _AVID.fullmatch(line):
            yield "marker", locator[1], locator[3]
        elif begins and (mark := _RESOLVE.fullmatch(line)):
            note, name = mark[1].strip(), mark[2].strip()
            yield "marker", begins, note if note and _NUMBERED.fullmatch(name) else name or note


def _table(text: str, film_rate: Fraction) -> list[tuple[float, str]]:
    head = text.partition("\n")[0]
    sign = next((sign for sign in "\t;" if sign in head), ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
    header = [name.strip().lower() for name in next(reader, [])]
    time = next((header.index(name) for name in _TIMES if name in header), None)
    if time is None:
        raise ValueError(
            f"no column of times in its first line ({', '.join(header)[:80]}): name one "
            f"{', '.join(_TIMES[:5])} or In"
        )
    names = [header.index(name) for name in _NAMES if name in header]
    found = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        word = cells[time].strip() if time < len(cells) else ""
        try:
            time_s = seconds_at(word, film_rate) if is_timecode(word) else seconds_of(word)
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {word[:40]!r} {error}") from error
        said = (cells[place].strip() for place in names if place < len(cells))
        found.append((time_s, next(filter(None, said), "")))
    return found
