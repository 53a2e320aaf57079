"""`affetto batch`: a manifest of jobs in, a folder of results and a ledger out.

`run` is the straight line: read and check the manifest, see what is there already, let an engine do
the rest, note each outcome in the ledger, write the summary.
"""

import importlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from affetto.apps.batch.item import WORK, made_of
from affetto.apps.batch.job import Engine, Item, Job, Outcome, Problem, Summary
from affetto.apps.batch.key import Digests
from affetto.apps.batch.ledger import Ledger, locked
from affetto.apps.batch.manifest import read_manifest
from affetto.apps.batch.summary import write_summary
from affetto.apps.progress import Report, silent
from affetto.errors import BadInput, Cancelled, UsageError
from affetto.files import resource_errors

# name -> "module:function", an `affetto.apps.batch.job.Engine`, imported when asked for
ENGINES = {
    "local": "affetto.apps.batch.local:do_locally",
    "ray": "affetto.apps.batch.on_ray:do_on_ray",
    "slurm": "affetto.apps.batch.on_slurm:do_on_slurm",
}
NEWS_S = 1.0  # between two counts that are told
READING = 0.02  # share of the progress that goes to reading the manifest


def run(
    job: Job,
    *,
    progress: Report = silent,
    warn: Callable[[Problem], None] = lambda _: None,
) -> Summary:
    """Do what of the manifest is not done yet.

    Args:
        job: what is asked.
        progress: is told what is happening.
        warn: is told, before any work, about each line that cannot be done.

    Raises:
        Cancelled: on Ctrl-C; what is done stays done.
        EngineError: the manifest, the folder or the engine cannot be used; what is wrong with
            single lines is in the summary.
    """
    started = time.monotonic()
    engine = _engine(job)
    if job.out.exists() and not job.out.is_dir():
        raise BadInput(f"--out {job.out} is a file: give a folder")
    with resource_errors(job.out):
        job.out.mkdir(parents=True, exist_ok=True)
    with locked(job.out), closing(Ledger(job.out)) as ledger:
        items, problems = read_manifest(
            job.manifest,
            out=job.out,
            job_of=importlib.import_module(job.verbs).job_of,
            digests=Digests(ledger.inputs),
            progress=lambda what, share: progress(what, READING * share),
        )
        for problem in problems:
            warn(problem)
        missing = _missing(items, job.out, ledger)
        tally = _Tally(len(items), len(items) - len(missing), progress)
        _clear(job.out / WORK, keep=[item.id for item in missing])
        with _stopping(job, tally):
            _do(engine, missing, job, ledger, tally)
        shutil.rmtree(job.out / WORK, ignore_errors=True)
        summary = Summary(
            out=str(job.out),
            total=len(items) + len(problems),
            done=tally.before + tally.done,
            done_before=tally.before,
            failed=tuple(tally.failed),
            problems=tuple(problems),
            wall_s=round(time.monotonic() - started, 3),
            done_s=round(tally.done_s, 3),
        )
        write_summary(job.out, summary, items)
    return summary


def _engine(job: Job) -> Engine:
    if job.engine not in ENGINES:
        raise UsageError(f"--engine {job.engine}: there is {', '.join(ENGINES)}")
    module, _, name = ENGINES[job.engine].partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)
    return engine


def _missing(items: Sequence[Item], out: Path, ledger: Ledger) -> list[Item]:
    """The items without a result of their key. One that only the ledger lacks is noted there."""
    missing = []
    for item in items:
        if made_of(out / item.id) != item.key:
            missing.append(item)
        elif ledger.done.get(item.id) != item.key:
            ledger.add(item.ended(attempts=0), item)
    return missing


def _clear(work: Path, *, keep: Sequence[str]) -> None:
    """Remove what an earlier run left half done, but for what this one can go on with."""
    with resource_errors(work):
        work.mkdir(exist_ok=True)
    kept = set(keep)
    for path in work.iterdir():
        if path.name not in kept:
            shutil.rmtree(path, ignore_errors=True)


def _do(engine: Engine, items: Sequence[Item], job: Job, ledger: Ledger, tally: "_Tally") -> None:
    if not items:
        return
    by_id = {item.id: item for item in items}
    outcomes = engine(items, out=job.out, limits=job.limits, workers=job.workers, doing=tally.doing)
    with closing(outcomes):
        for outcome in outcomes:
            if outcome is not None:
                ledger.add(outcome, by_id[outcome.id])
                tally.add(outcome)
            tally.show()


@contextmanager
def _stopping(job: Job, tally: "_Tally") -> Iterator[None]:
    """Ctrl-C says how far it was and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        done = tally.before + tally.done
        raise Cancelled(
            f"stopped with {done} of {tally.total} done in {job.out}; nothing half-written is "
            "among them. The same command goes on from there."
        ) from None


class _Tally:
    """What is done, how fast, and how long the rest will take."""

    def __init__(self, total: int, before: int, progress: Report) -> None:
        self.total, self.before = total, before
        self.done, self.done_s = 0, 0.0
        self.failed: list[Outcome] = []
        self._progress = progress
        self._started = time.monotonic()
        self._under_way: dict[str, float] = {}
        self._told, self._words = self._started, self._described()

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self._under_way.pop(outcome.id, None)
        if outcome.state == "done":
            self.done += 1
            self.done_s += outcome.wall_s
        else:
            self.failed.append(outcome)
        now = time.monotonic()
        if now - self._told >= NEWS_S or self.before + self._ended == self.total:
            self._told, self._words = now, self._described()

    def doing(self, item_id: str, _what: str, share: float) -> None:
        """Note what is under way."""
        self._under_way[item_id] = share

    def show(self) -> None:
        """Tell the progress."""
        left = self.total - self.before - self._ended
        begun = sum(list(self._under_way.values()))
        share = (self.before + self._ended + min(begun, left)) / max(self.total, 1)
        self._progress(self._words, READING + (1 - READING) * share)

    @property
    def _ended(self) -> int:
        return self.done + len(self.failed)

    def _described(self) -> str:
        left = self.total - self.before - self._ended
        parts = [f"{self.before + self.done} of {self.total} done"]
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self._ended:
            rate = self._ended / max(time.monotonic() - self._started, 1e-3)
            parts.append(f"{60 * rate:.1f} a minute")
            if left:
                parts.append(f"{_clock(left / rate)} left")
        return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    return (
        f"{seconds:.0f} s" if seconds < 90 else f"{minutes} min" if hours < 2 else f"{hours:.1f} h"
    )
