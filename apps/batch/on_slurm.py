"""Items on a SLURM cluster, by submitit: arrays of jobs that each do a few items one by one.

What a job has done it notes in a file of its own; this side reads those files into the ledger. A
job that dies leaves items without a note: they go out again. All nodes need the same folders and
the same Affetto. Partition, account and the like are SLURM's own environment variables, such as
SBATCH_PARTITION.
"""

import json
import math
import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from affetto.apps.batch.item import WORK, do_item
from affetto.apps.batch.job import Doing, Item, Limits, Outcome
from affetto.apps.worker import Worker
from affetto.errors import Cancelled, ResourceError, UsageError

LOOK_S = 0.5
SHARES_PER_WORKER = 4  # so that long items do not leave the other workers idle at the end
MOST_IN_SHARE = 50
SPARE_MIN = 10  # minutes of a job for starting up
DEFAULT_MB = 4000


def do_on_slurm(
    items: Sequence[Item],
    *,
    out: Path,
    limits: Limits,
    workers: int | None,
    doing: Doing,
    cluster: str = "slurm",
) -> Generator[Outcome | None, None, None]:
    """See `affetto.apps.batch.job.Engine`.

    Raises:
        UsageError: no `workers`.
        ResourceError: submitit or SLURM is not there.
    """
    if workers is None:
        raise UsageError("--engine slurm needs --workers: how many jobs may run at once")
    work = out.absolute() / WORK / uuid4().hex
    work.mkdir(parents=True)
    executor = _executor(work, limits, workers, cluster)
    left = {item.id: item for item in items}
    jobs: list[Any] = []
    try:
        for _ in range(limits.retries + 1):
            shares = _shares(list(left.values()), workers)
            notes = [work / f"{uuid4().hex}.jsonl" for _ in shares]
            paths = [str(path) for path in notes]
            jobs = executor.map_array(
                do_share, shares, paths, [str(out.absolute())] * len(shares), [limits] * len(shares)
            )
            for outcome in _noted(jobs, notes):
                # SLURM may have run a job again
                if outcome is None or left.pop(outcome.id, None) is not None:
                    yield outcome
            if not left:
                return
    finally:
        for job in jobs:
            if not job.done():
                job.cancel()
    times = limits.retries + 1
    lost = ResourceError(f"its SLURM job died {times} times, or ran out of time")
    for item in left.values():
        yield item.ended(attempts=times, failure=lost)


def do_share(items: Sequence[Item], notes: str, out: str, limits: Limits) -> None:
    """Do items one by one and note each outcome; runs within a job of the cluster.

    It stops early when its batch is over: another run has taken the folder.
    """
    path = Path(notes)

    def is_over() -> bool:
        return not path.parent.is_dir()

    with Worker(memory_mb=limits.memory_mb, performer=limits.performer) as worker:
        for item in items:
            if is_over():
                return
            try:
                outcome = do_item(
                    item,
                    out=Path(out),
                    aside=path.parent / f"{path.stem}.{item.id}",
                    worker=worker,
                    limits=limits,
                    doing=lambda *_: None,
                    cancelled=is_over,
                )
            except Cancelled:
                return
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
                file.flush()
                os.fsync(file.fileno())


def _executor(work: Path, limits: Limits, workers: int, cluster: str) -> Any:  # noqa: ANN401
    try:
        import submitit
    except ImportError as error:
        raise ResourceError(
            "--engine slurm needs submitit: pip install 'affetto[slurm]', or use --engine local"
        ) from error
    try:
        executor = submitit.AutoExecutor(folder=work / "jobs", cluster=cluster)
    except RuntimeError as error:
        raise ResourceError(f"SLURM is not here ({error}): use --engine local or ray") from error
    executor.update_parameters(
        name="affetto",
        timeout_min=math.ceil(MOST_IN_SHARE * limits.limit_s / 60) + SPARE_MIN,
        cpus_per_task=1,
        mem_gb=math.ceil((limits.memory_mb or DEFAULT_MB) / 1000) + 1,
        slurm_array_parallelism=workers,
    )
    return executor


def _shares(items: Sequence[Item], workers: int) -> list[list[Item]]:
    """The items dealt out in turn, so that each share has something of each kind."""
    size = min(MOST_IN_SHARE, math.ceil(len(items) / (workers * SHARES_PER_WORKER)))
    count = math.ceil(len(items) / size)
    return [list(items[start::count]) for start in range(count)]


def _noted(jobs: Sequence[Any], notes: Sequence[Path]) -> Iterator[Outcome | None]:
    """The outcomes as they are noted, until every job has ended and its notes are read."""
    starts = [0] * len(notes)
    running = list(range(len(notes)))
    while running:
        ended = [number for number in running if jobs[number].done()]
        for number in running:
            outcomes, starts[number] = _new_notes(notes[number], starts[number])
            yield from outcomes
        running = [number for number in running if number not in ended]
        yield None
        time.sleep(LOOK_S if running else 0)


def _new_notes(path: Path, start: int) -> tuple[list[Outcome], int]:
    """The outcomes in the whole lines from byte `start` on, and the byte after them."""
    if not path.exists():
        return [], start
    with path.open("rb") as file:
        file.seek(start)
        whole = file.read().rpartition(b"\n")[0]
    outcomes = [Outcome(**json.loads(line)) for line in whole.splitlines()]
    return outcomes, start + len(whole) + bool(whole)
