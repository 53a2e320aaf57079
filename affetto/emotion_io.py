"""EmotionTrack files: JSON (complete) and CSV (one row a step, for spreadsheets; no evidence)."""

import csv
import io
import json
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affetto.emotion import LABELS, TRACK_ARRAYS, VAD_AXES, Array, EmotionTrack, Evidence, Kind
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.text_file import read_text

FORMAT = "affetto-emotion-track"
VERSION = 1
MAX_BYTES = 32 * 1024 * 1024
MAX_STEPS = 500_000
_VAD_VAR = tuple(f"{axis}_var" for axis in VAD_AXES)
_FIXED_COLUMNS = ("time_s", "kind", "confidence", *VAD_AXES, *_VAD_VAR, *LABELS)


def save_track(path: Path, track: EmotionTrack) -> None:
    """Write a track, whole or not at all; numbers come back bit-equal.

    Args:
        path: ends in .json or .csv; the CSV leaves out the evidence.
        track: what to write.

    Raises:
        BadInput: another suffix.
    """
    text = _to_json(track) if _suffix(path) == ".json" else _to_csv(track)
    with staged_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def load_track(path: Path) -> EmotionTrack:
    """Read what `save_track` wrote.

    Raises:
        BadInput: another suffix, unreadable, larger than 32 MB, or not a valid track.
    """
    parse = _from_json if _suffix(path) == ".json" else _from_csv
    text = read_text(path, max_bytes=MAX_BYTES)
    try:
        return parse(text)
    except KeyError as error:
        raise BadInput(f"{path} is not an emotion track: it lacks {error}") from error
    except (ValueError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        raise BadInput(f"{path} is not an emotion track: {error}") from error


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in (".json", ".csv"):
        raise BadInput(f"{path}: emotion tracks are .json or .csv files")
    return suffix


def _to_json(track: EmotionTrack) -> str:
    record: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "kind": track.kind,
        "labels": LABELS,
        "evidence": [vars(item) for item in track.evidence],
    }
    for name in TRACK_ARRAYS:
        record[name] = _short(getattr(track, name)).tolist()
    return json.dumps(record, allow_nan=False) + "\n"


def _from_json(text: str) -> EmotionTrack:
    record = json.loads(text)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(f'expected an object with "format": "{FORMAT}"')
    if record.get("version") != VERSION or record["labels"] != list(LABELS):
        raise ValueError(
            f"version {record.get('version')!r} or its labels are not those of version {VERSION}"
        )
    arrays = {name: _array(record[name]) for name in TRACK_ARRAYS}
    evidence = tuple(
        Evidence(
            str(item["cue"]), float(item["start_s"]), float(item["end_s"]), float(item["weight"])
        )
        for item in record["evidence"]
    )
    return EmotionTrack(**arrays, kind=cast(Kind, record["kind"]), evidence=evidence)


def _to_csv(track: EmotionTrack) -> str:
    width = track.mean.shape[1]
    values = (
        track.confidence[:, None], track.vad, track.vad_var, track.probs, track.mean, track.log_var,
    )  # fmt: skip
    rows = _short(np.concatenate(values, axis=1)).tolist()  # (T, 18 + 2 D)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_FIXED_COLUMNS, *_embedding_columns(width)))
    for time, row in zip(_short(track.times).tolist(), rows, strict=True):
        writer.writerow((time, track.kind, *row))
    return out.getvalue()


def _from_csv(text: str) -> EmotionTrack:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = list(islice(reader, MAX_STEPS + 2))
    if len(rows) > MAX_STEPS + 1:
        raise ValueError(f"more than the {MAX_STEPS} steps allowed")
    header = rows[0] if rows else []
    width = sum(name.startswith("mean_") for name in header)
    columns = (*_FIXED_COLUMNS, *_embedding_columns(width))
    for name in columns:
        if header.count(name) != 1:
            raise ValueError(f"column {name!r} must be there once; the columns are {columns}")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} cells, the header {len(header)}")
    table = {name: [row[i] for row in rows[1:]] for i, name in enumerate(header)}
    kinds = set(table["kind"])
    if len(kinds) != 1:
        raise ValueError(f"column 'kind' must hold one word in all rows, got {sorted(kinds)}")

    def numbers(names: tuple[str, ...]) -> Array:
        return _array([table[name] for name in names]).T  # (T, names)

    return EmotionTrack(
        times=numbers(("time_s",))[:, 0],
        mean=numbers(_embedding_columns(width)[:width]),
        log_var=numbers(_embedding_columns(width)[width:]),
        vad=numbers(VAD_AXES),
        vad_var=numbers(_VAD_VAR),
        probs=numbers(LABELS),
        confidence=numbers(("confidence",))[:, 0],
        kind=cast(Kind, kinds.pop()),
    )


def _embedding_columns(width: int) -> tuple[str, ...]:
    return tuple(f"{name}_{i}" for name in ("mean", "log_var") for i in range(width))


def _short(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The doubles whose shortest spelling is that of the float32: 0.1, not 0.10000000149."""
    return values.astype("U32").astype(np.float64)


def _array(values: ArrayLike) -> Array:
    with np.errstate(over="ignore"):  # becomes infinite, which the track refuses
        return np.asarray(values, dtype=np.float64).astype(np.float32)
