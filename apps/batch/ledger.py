"""The ledger of a batch: one line of JSON for each item done or failed, only ever added to.

A line is on the disk before the batch goes on. A line that a crash has torn is passed over: its
item's folder, if it is whole, says the same, else the item is done again.
"""

import fcntl
import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from affetto.apps.batch.job import Item, Outcome
from affetto.apps.batch.key import Seen
from affetto.errors import ResourceError
from affetto.files import resource_errors

LEDGER, LOCK = "ledger.jsonl", ".lock"


class Ledger:
    """The open ledger of one folder; `done` is id -> key, `inputs` what files were like."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER
        self.done: dict[str, str] = {}
        self.inputs: dict[str, Seen] = {}
        with resource_errors(self._path):
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        for line in read_ledger(self._path):
            self._take(line)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            with resource_errors(self._path):
                os.write(self._file, b"\n")  # what follows is not to be torn too

    def add(self, outcome: Outcome, item: Item) -> None:
        """Write a line and wait until the disk has it.

        Raises:
            ResourceError: no room.
        """
        record = asdict(outcome) | {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "inputs": dict(item.inputs),
        }
        line = (json.dumps(record) + "\n").encode()
        with resource_errors(self._path):
            rest = line
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        self._take(json.loads(line))

    def close(self) -> None:
        """No more lines."""
        os.close(self._file)

    def _take(self, line: Mapping[str, Any]) -> None:
        if line["state"] == "done":
            self.done[line["id"]] = line["key"]
        for path, seen in line["inputs"].items():
            self.inputs[path] = (int(seen[0]), int(seen[1]), str(seen[2]))


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a ledger; torn ones are passed over."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for raw in file:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if _is_whole(line):
                yield line


def _is_whole(line: Any) -> bool:  # noqa: ANN401 - whatever JSON there is
    words = ("id", "key", "state")
    return (
        isinstance(line, dict)
        and all(isinstance(line.get(name), str) for name in words)
        and isinstance(line.get("inputs"), dict)
        and all(isinstance(seen, list) and len(seen) == 3 for seen in line["inputs"].values())
    )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for one batch at a time; the kernel lets go when the process ends.

    Raises:
        ResourceError: another batch is at work there.
    """
    path = folder / LOCK
    with resource_errors(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(file, 200, 0).decode("utf-8", "replace")
            raise ResourceError(
                f"another batch is at work in {folder} ({who}): wait for it, or use another --out"
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield
    finally:
        os.close(file)
