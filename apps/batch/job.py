"""What `affetto batch` is asked, what it hands to an engine, and what comes back."""

import platform
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from affetto.errors import EngineError

VERBS_MODULE = "affetto.apps.verbs"
EngineName = Literal["local", "ray", "slurm"]
LIMIT_S = 3600.0
RETRIES = 2

# (id of an item, what is being done with it, share done in 0..1)
Doing = Callable[[str, str, float], None]


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto batch --help`).

    Attributes:
        manifest: one JSON object a line.
        out: folder of results, ledger and summary.
        engine: who does the work.
        workers: jobs done at once; None is one for each core (or each of a Ray cluster's).
        retries: how often an item is tried again whose worker died.
        limit_s: wall time for one item.
        memory_mb: memory for one item; None is all there is.
        verbs: module with `job_of` and `perform`.
    """

    manifest: Path
    out: Path
    engine: EngineName = "local"
    workers: int | None = None
    retries: int = RETRIES
    limit_s: float = LIMIT_S
    memory_mb: int | None = None
    verbs: str = VERBS_MODULE

    @property
    def limits(self) -> "Limits":
        """What each item may take."""
        return Limits(self.retries, self.limit_s, self.memory_mb, f"{self.verbs}:perform")


@dataclass(frozen=True)
class Limits:
    """What each item may take, and who does it ("module:function")."""

    retries: int
    limit_s: float
    memory_mb: int | None
    performer: str


@dataclass(frozen=True)
class Item:
    """One line of the manifest that can be done.

    Attributes:
        id: names its folder.
        line: in the manifest, from 1.
        do: the verb.
        options: of the verb, plain JSON values; inputs as absolute paths, outputs as bare names.
        outputs: those options that are outputs.
        key: hash of inputs, options, weights and version; see `affetto.apps.batch.key`.
        inputs: absolute path -> (size in bytes, mtime in ns, sha256).
    """

    id: str
    line: int
    do: str
    options: Mapping[str, Any]
    outputs: tuple[str, ...] = ()
    key: str = ""
    inputs: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)

    def ended(
        self, *, attempts: int, wall_s: float = 0.0, failure: EngineError | None = None
    ) -> "Outcome":
        """What became of it: done, or failed for a reason."""
        return Outcome(
            id=self.id,
            do=self.do,
            key=self.key,
            state="failed" if failure else "done",
            attempts=attempts,
            wall_s=wall_s,
            error=str(failure) if failure else "",
            exit_code=failure.exit_code if failure else 0,
        )


@dataclass(frozen=True)
class Problem:
    """A line of the manifest that cannot be done, and why."""

    line: int
    text: str


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Attributes:
        id, do, key: the item's.
        state: done or failed.
        attempts: how often it was tried.
        wall_s: seconds of all attempts.
        error: why it failed, in a sentence.
        exit_code: that of the error; 0 if done.
        host: the machine that did it.
    """

    id: str
    do: str
    key: str
    state: Literal["done", "failed"]
    attempts: int
    wall_s: float
    error: str = ""
    exit_code: int = 0
    host: str = field(default_factory=platform.node)


@dataclass(frozen=True)
class Summary:
    """What came of a batch.

    Attributes:
        out: its folder.
        total: lines of the manifest that are not empty.
        done: items whose result is there, from now or before.
        done_before: those of them that were there already.
        failed: items that were tried in vain.
        problems: lines that cannot be done.
        wall_s: seconds this run took.
        done_s: the sum of the seconds that the items done now took.
    """

    out: str
    total: int
    done: int
    done_before: int
    failed: tuple[Outcome, ...]
    problems: tuple[Problem, ...]
    wall_s: float
    done_s: float

    @property
    def exit_code(self) -> int:
        """0 where all is done, else the highest code of what failed."""
        codes = [one.exit_code for one in self.failed] + [3] * bool(self.problems)
        return max(codes, default=0)


class Engine(Protocol):
    """Does items somewhere; gives each outcome as it comes and None now and then meanwhile.

    Closing the generator stops all work within about a second.
    """

    def __call__(
        self,
        items: Sequence[Item],
        *,
        out: Path,
        limits: Limits,
        workers: int | None,
        doing: Doing,
    ) -> Generator[Outcome | None, None, None]:
        """Do `items`."""
