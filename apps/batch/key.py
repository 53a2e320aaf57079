"""What an item's result hangs on, as one hash: inputs, options, weights and version.

Files enter by content, so a moved or renamed input is the same and a changed one is not. A file is
read again only if its size or its time of change differ from those in the ledger.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import affetto
from affetto.provenance import file_record

WEIGHT_FILES = (".json", ".safetensors")
NOT_IN_KEY = ("out", "threads")  # where, and how fast: not what

Seen = tuple[int, int, str]  # size in bytes, mtime in ns, sha256


class Digests:
    """sha256 of files, each read once; `known` are those of earlier runs by absolute path."""

    def __init__(self, known: Mapping[str, Seen]) -> None:
        self._known = dict(known)

    def of(self, path: Path) -> Seen:
        """Size, time and sha256 of a file."""
        status = path.stat()
        found = self._known.get(str(path))
        if found is None or found[:2] != (status.st_size, status.st_mtime_ns):
            found = (status.st_size, status.st_mtime_ns, file_record(path).sha256)
            self._known[str(path)] = found
        return found


def item_key(
    do: str,
    job: object,
    *,
    inputs: Iterable[Path],
    outputs: Iterable[str],
    digests: Digests,
) -> tuple[str, dict[str, Seen]]:
    """The key of a job, and its inputs as they are now.

    Args:
        do: the verb.
        job: its dataclass; defaults count as if they were written.
        inputs: the files it reads, absolute paths.
        outputs: names of the options that are outputs; their names count.
        digests: of files.
    """
    assert is_dataclass(job)
    assert not isinstance(job, type)
    seen = {str(path): digests.of(path) for path in inputs}
    options = {
        name: _plain(value, seen) if name not in outputs else value and Path(value).name
        for name, value in asdict(job).items()
        if name not in NOT_IN_KEY
    }
    record = {
        "do": do,
        "options": options,
        "inputs": sorted(digest for _, _, digest in seen.values()),
        "weights": shipped_weights(),
        "version": affetto.__version__,
    }
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest(), seen


def weight_files(folder: Path) -> list[Path]:
    """The files of a folder of weights."""
    found = (path for path in folder.rglob("*") if path.suffix in WEIGHT_FILES and path.is_file())
    return sorted(found)


@cache
def shipped_weights() -> str:
    """One hash over all weights that ship: a release with another net makes all results new."""
    from affetto.weights import SHIPPED

    return hashlib.sha256(json.dumps(SHIPPED, sort_keys=True).encode()).hexdigest()


def _plain(value: Any, seen: Mapping[str, Seen]) -> Any:  # noqa: ANN401 - any option
    """The value with every path that is an input replaced by its content's hash."""
    if isinstance(value, list | tuple):
        return [_plain(inner, seen) for inner in value]
    if isinstance(value, Path):
        return seen[str(value)][2] if str(value) in seen else value.name
    if isinstance(value, str):
        for path, (_, _, digest) in seen.items():
            if value in (path, f"like:{path}"):
                return value.replace(path, digest)
    return value
