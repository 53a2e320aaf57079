"""Reading a manifest: one JSON object a line, each checked before any work begins.

A line that cannot be done is reported with its number; the others are done all the same.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from affetto.apps.batch.job import Item, Problem
from affetto.apps.batch.key import Digests, item_key, weight_files
from affetto.apps.progress import Report, silent
from affetto.errors import BadInput, EngineError
from affetto.gen.music.hit_points import names_file
from affetto.request import parse_request

MAX_LINE_BYTES = 64 * 1024
MAX_LINES = 1_000_000
MAX_SHOWN = 600  # characters of a complaint
ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
OUTPUTS = ("csv", "plot", "webvtt", "track", "motion_out")
REQUESTS = ("emotion", "request")
FOLDERS = ("weights", "clip_model")  # options that may name a folder of weights
OWN = ("out",)  # chosen by the batch
WITHOUT_FOLDER = ("recognize",)  # verbs whose results are the answer and the files asked for
RECORD = "item.json"

JobOf = Callable[[str, Mapping[str, Any]], object]


def read_manifest(
    path: Path,
    *,
    out: Path,
    job_of: JobOf,
    digests: Digests,
    progress: Report = silent,
) -> tuple[list[Item], list[Problem]]:
    """The items that can be done, and the lines that cannot.

    Args:
        path: the manifest; paths in it are relative to its folder.
        out: the batch's folder.
        job_of: makes a verb's job of its options, or refuses.
        digests: of the inputs.
        progress: is told how far it is.

    Raises:
        BadInput: no such file, no lines, or too many.
    """
    items: list[Item] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}  # id -> line
    size = path.stat().st_size if path.is_file() else 0
    for number, place, raw in _lines(path):
        progress("reading manifest and inputs", place / max(size, 1))
        try:
            item = _item(number, raw, path.resolve().parent, job_of=job_of, digests=digests)
            if item.id in lines:
                raise BadInput(f"the id {item.id!r} is that of line {lines[item.id]} already")
            lines[item.id] = number
            folder = out / item.id
            if folder.exists() and not (folder / RECORD).is_file():
                raise BadInput(f"{folder} is there and not made by batch: move it, or change id")
            items.append(item)
        except (EngineError, OSError, ValueError) as error:
            problems.append(Problem(number, _shown(str(error))))
    if not items and not problems:
        raise BadInput(f'{path} holds no lines: write one such as {{"do": "talk", ...}} for a job')
    return items, problems


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Line number, bytes read so far, and the line, cut where it is too long; no empty ones."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file" if not path.is_dir() else f"{path} is a folder")
    with path.open("rb") as file:
        number, place = 0, 0
        while raw := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number > MAX_LINES:
                raise BadInput(f"{path} has more than {MAX_LINES} lines: split it")
            rest = raw
            while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES + 1)
            place = file.tell()
            if raw.strip():
                yield number, place, raw


def _item(number: int, raw: bytes, base: Path, *, job_of: JobOf, digests: Digests) -> Item:
    row = _parsed(raw)
    identity = row.pop("id", None)
    do = row.pop("do", None)
    if not isinstance(do, str):
        raise BadInput('"do" must say what to do: "talk", "soundtrack", "recognize" or "score"')
    if identity is None:
        identity = f"{do}-{_digest({'do': do} | row)[:12]}"
    if not isinstance(identity, str) or not ID.fullmatch(identity):
        raise BadInput(f"the id {identity!r} must be 1 to 64 of A-Z a-z 0-9 _ -")
    for name in OWN:
        if name in row:
            raise BadInput(f"{name!r} is chosen by the batch: leave it out")
    inputs: list[Path] = []
    options = {name: _placed(name, value, base, inputs) for name, value in row.items()}
    folder = {} if do in WITHOUT_FOLDER else {"out": identity}
    for field, paths in _paths(job_of(do, options | folder)):
        if field not in (*OUTPUTS, *OWN):
            placed = [str(_input(path, base)) for path in paths]
            options[field] = placed if isinstance(options[field], list) else placed[0]
            inputs += map(Path, placed)
    job = job_of(do, options | folder)
    outputs = tuple(name for name in OUTPUTS if getattr(job, name, None) is not None)
    for name in outputs:
        if not NAME.fullmatch(str(options[name])):
            raise BadInput(f"{name} {str(options[name])!r}: give a plain file name such as out.csv")
    key, seen = item_key(do, job, inputs=inputs, outputs=outputs, digests=digests)
    if hasattr(job, "threads"):
        options = {"threads": 1} | options
    return Item(identity, number, do, options, outputs, key, seen)


def _parsed(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_LINE_BYTES:
        raise BadInput(f"the line is longer than the {MAX_LINE_BYTES // 1024} kB allowed")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) != len(pairs):
            raise BadInput("a key is written twice")
        return row

    def never(word: str) -> None:
        raise BadInput(f"{word} is no number")

    try:
        text = raw.decode("utf-8-sig")
        row = json.loads(text, object_pairs_hook=once, parse_constant=never)
        json.dumps(row, ensure_ascii=False).encode()  # half characters are no text
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise BadInput('not a JSON object: write {"do": "talk", ...}')
    return row


def _shown(text: str) -> str:
    """The text with nothing in it that a terminal would obey, and not without end."""
    return "".join(one if one.isprintable() else "\ufffd" for one in text[:MAX_SHOWN])


def _digest(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def _placed(name: str, value: Any, base: Path, inputs: list[Path]) -> Any:  # noqa: ANN401
    """Files within a request, and folders of weights, made absolute and added to `inputs`."""
    if not isinstance(value, str):
        return value
    if name in REQUESTS:
        return _placed_request(value, base, inputs)
    if name == "hits" and names_file(value):
        inputs.append(_input(Path(value.strip()), base))
        return str(inputs[-1])
    if name in FOLDERS:
        folder = base / value
        if not folder.is_dir():
            return value
        inputs += weight_files(folder)
        return str(folder)
    return value


def _placed_request(text: str, base: Path, inputs: list[Path]) -> str:
    """An emotion request whose file, if it names one, is absolute and among `inputs`."""
    words = text.strip()
    lead, rest = (words[:5], words[5:].strip()) if words[:5].casefold() == "like:" else ("", words)
    if not lead and ("=" in rest or not rest.casefold().endswith((".csv", ".json"))):
        parse_request(text)
        return text
    inputs.append(_input(Path(rest), base))
    parse_request(placed := f"{lead.lower()}{inputs[-1]}")
    return placed


def _input(path: Path, base: Path) -> Path:
    """Where a file is that the manifest names."""
    place = base / path
    if place.is_dir():
        raise BadInput(f"{path} is a folder: give a file")
    if not place.is_file():
        raise BadInput(f"{path}: no such file (paths are relative to the manifest)")
    short = Path(os.path.normpath(place))  # without "..", unless a link makes that another file
    return short if short.exists() and short.samefile(place) else place


def _paths(job: object) -> Iterator[tuple[str, list[Path]]]:
    """The job's options that hold paths: name, paths."""
    assert is_dataclass(job)
    for field in fields(job):
        value = getattr(job, field.name)
        many = value if isinstance(value, tuple) else (value,)
        if paths := [one for one in many if isinstance(one, Path)]:
            yield field.name, paths
