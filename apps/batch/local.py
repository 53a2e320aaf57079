"""Items on this machine: so many workers, one item each at a time, in the manifest's order."""

import os
from collections import deque
from collections.abc import Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from affetto.apps.batch.item import WORK, do_item
from affetto.apps.batch.job import Doing, Item, Limits, Outcome
from affetto.apps.worker import Worker
from affetto.errors import Cancelled

LOOK_S = 0.2


def do_locally(
    items: Sequence[Item], *, out: Path, limits: Limits, workers: int | None, doing: Doing
) -> Generator[Outcome | None, None, None]:
    """See `affetto.apps.batch.job.Engine`. What a killed run had half done is gone on with."""
    waiting, outcomes, stop = deque(items), SimpleQueue[Outcome | BaseException](), Event()

    def work() -> None:
        with Worker(memory_mb=limits.memory_mb, performer=limits.performer) as worker:
            while not stop.is_set():
                try:
                    item = waiting.popleft()
                except IndexError:
                    return
                try:
                    outcome = do_item(
                        item,
                        out=out,
                        aside=out / WORK / item.id,
                        worker=worker,
                        limits=limits,
                        doing=doing,
                        cancelled=stop.is_set,
                    )
                    outcomes.put(outcome)
                except Cancelled:
                    return
                except BaseException as error:  # noqa: BLE001 - raised below, in the caller's thread
                    outcomes.put(error)

    count = min(workers or len(os.sched_getaffinity(0)), len(items))
    threads = [Thread(target=work, daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        left = len(items)
        while left:
            try:
                outcome = outcomes.get(timeout=LOOK_S)
            except Empty:
                yield None
                continue
            if isinstance(outcome, BaseException):
                raise outcome
            left -= 1
            yield outcome
    finally:
        stop.set()
        for thread in threads:
            thread.join()
