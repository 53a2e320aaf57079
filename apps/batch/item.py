"""Doing one item anywhere: aside, within limits, tried again when its worker dies, put in place.

The folder of an item appears by one rename, after all of it is on the disk. Its item.json names the
key of what it was made of: a folder that is there is done, whatever the ledger has to say.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from affetto.apps.batch.job import Doing, Item, Limits, Outcome
from affetto.apps.batch.manifest import RECORD, WITHOUT_FOLDER
from affetto.apps.worker import Worker, WorkerDied
from affetto.errors import Cancelled, EngineError
from affetto.files import resource_errors

WORK = ".work"  # inside the batch's folder; nothing in it is a result
RESULT = "result.json"
BEFORE = "before."  # no id has a dot


def do_item(
    item: Item,
    *,
    out: Path,
    aside: Path,
    worker: Worker,
    limits: Limits,
    doing: Doing,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Do an item, unless its folder is there already.

    Args:
        item: what to do.
        out: the batch's folder.
        aside: a folder of this item's own on the same disk; what an interrupted job left there is
            gone on with.
        worker: does it.
        limits: for time, and for how often.
        doing: is told about progress.
        cancelled: whether to stop.

    Raises:
        Cancelled: `cancelled` said so; what helps to go on stays in `aside`.
    """
    started = time.monotonic()
    attempts = 0
    failure: EngineError | None = None
    done = made_of(out / item.id) == item.key
    while not done:
        attempts += 1
        try:
            _attempt(item, out, aside, worker, limits, doing, cancelled)
            done, failure = True, None
        except Cancelled:
            raise
        except EngineError as error:
            failure = error
            if not isinstance(error, WorkerDied) or attempts > limits.retries:
                break
    shutil.rmtree(aside, ignore_errors=True)
    wall_s = round(time.monotonic() - started, 3)
    return item.ended(attempts=attempts, wall_s=wall_s, failure=failure)


def made_of(folder: Path) -> str | None:
    """The key of the result in a folder; None where there is none."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return record.get("key") if isinstance(record, dict) else None


def _attempt(
    item: Item,
    out: Path,
    aside: Path,
    worker: Worker,
    limits: Limits,
    doing: Doing,
    cancelled: Callable[[], bool],
) -> None:
    folder = aside / item.id
    with resource_errors(out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    started = time.monotonic()
    result = worker.perform(
        item.do,
        _options(item, folder),
        progress=lambda what, share: doing(item.id, what, share),
        limit_s=limits.limit_s,
        cancelled=cancelled,
    )
    with resource_errors(out):
        _write(folder / RESULT, _settled(result, folder, out / item.id))
        _write(
            folder / RECORD,
            {
                "id": item.id,
                "do": item.do,
                "key": item.key,
                "wall_s": round(time.monotonic() - started, 3),
                "result": RESULT,
            },
        )
        _to_disk(folder)
        _put(folder, out / item.id, aside, item.key)


def _options(item: Item, folder: Path) -> dict[str, Any]:
    options = dict(item.options)
    for name in item.outputs:
        options[name] = str(folder / options[name])
    return options | ({} if item.do in WITHOUT_FOLDER else {"out": str(folder)})


def _settled(value: Any, aside: Path, final: Path) -> Any:  # noqa: ANN401 - JSON
    """The result, saying where it is in the end."""
    if isinstance(value, dict):
        return {name: _settled(inner, aside, final) for name, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner, aside, final) for inner in value]
    return value.replace(str(aside), str(final)) if isinstance(value, str) else value


def _write(path: Path, record: Any) -> None:  # noqa: ANN401 - JSON
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _to_disk(folder: Path) -> None:
    """Wait until the disk has every file of a folder, so that a rename never shows empty ones."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put(folder: Path, final: Path, aside: Path, key: str) -> None:
    """Put a folder in its place; the one of another key that is there makes room."""
    if final.exists():
        shutil.rmtree(aside / BEFORE, ignore_errors=True)
        final.rename(aside / BEFORE)
    try:
        folder.rename(final)
    except OSError:
        if made_of(final) != key:  # else someone else was as far a moment ago
            raise
    _sync(final.parent)
