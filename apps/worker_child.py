"""The process behind `affetto.apps.worker.Worker`: jobs come in as lines of JSON, answers go out.

Started as `python -P -m affetto.apps.worker_child PERFORMER LIFELINE MEMORY_MB`. In: one object a
line, {"verb", "options"}. Out: {"started"}, {"progress": [what, share]}, and at the end of a job
{"result"} or {"error", "text", "trace"}. Whatever libraries print goes to stderr.
"""

import fcntl
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from affetto.errors import Cancelled, EngineError, ResourceError

PROGRESS_S = 0.1  # between two reports that say the same thing
MAX_WORDS = 300  # of a report, so that its line is written at once: an interrupt cannot cut it
KILL_FIRST = "800"  # of 1000: when memory is short the kernel takes this process, not its parent
CANCELLED = "cancelled; nothing half-written is left"
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "bad_alloc", "Cannot allocate")


def main() -> None:
    """Do jobs until there are no more, or until the parent is gone."""
    performer, lifeline, memory_mb = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    interrupts = Interrupts()
    _die_with_parent(lifeline)
    _limit_memory(memory_mb)
    orders, answers = _own_pipes()
    module, _, name = performer.partition(":")
    perform = getattr(importlib.import_module(module), name)
    for line in orders:
        order = json.loads(line)
        said = Sayer(answers)
        said({"started": True})
        said(_answer(perform, order, said.progress, interrupts))


class Sayer:
    """Writes answers; progress that comes too often is passed over."""

    def __init__(self, answers: int) -> None:
        self._answers = answers
        self._last = ("", 0.0)

    def __call__(self, answer: Mapping[str, Any]) -> None:
        """Say one thing; what is shorter than a pipe's atom is said whole or not at all."""
        line = (json.dumps(answer) + "\n").encode()
        while line:
            line = line[os.write(self._answers, line) :]

    def progress(self, what: str, share: float) -> None:
        """Say what is being done, unless that was just said."""
        now = time.monotonic()
        if what != self._last[0] or now - self._last[1] >= PROGRESS_S:
            self._last = (what, now)
            self({"progress": [what[:MAX_WORDS], share]})


class Interrupts:
    """Turns the parent's SIGINT into KeyboardInterrupt while a job is under way, and only then."""

    def __init__(self) -> None:
        self._wanted = False
        signal.signal(signal.SIGINT, self._interrupt)

    def __enter__(self) -> None:
        self._wanted = True

    def __exit__(self, *_: object) -> None:
        self._wanted = False

    def _interrupt(self, _number: int, _frame: object) -> None:
        if self._wanted:
            self._wanted = False  # once is enough; cleaning up is not to be disturbed
            raise KeyboardInterrupt


def _answer(
    perform: Callable[..., dict[str, Any]],
    order: Mapping[str, Any],
    progress: Callable[[str, float], None],
    interrupts: Interrupts,
) -> dict[str, Any]:
    try:
        with interrupts:
            return {"result": perform(order["verb"], order["options"], progress=progress)}
    except KeyboardInterrupt:
        return _refusal(Cancelled(CANCELLED))
    except EngineError as error:
        return _refusal(error)
    except MemoryError:
        return _refusal(ResourceError("out of memory: use a shorter or smaller input"))
    except Exception as error:  # noqa: BLE001 - a defect in one job must not end the others
        if any(words in str(error) for words in OUT_OF_MEMORY):
            return _refusal(ResourceError("out of memory: use a shorter or smaller input"))
        kind = type(error).__name__
        unexpected = EngineError(f"{order['verb']} failed unexpectedly ({kind}: {error})")
        return _refusal(unexpected) | {"trace": traceback.format_exc()}


def _refusal(error: EngineError) -> dict[str, Any]:
    return {"error": type(error).__name__, "text": str(error)}


def _die_with_parent(lifeline: int) -> None:
    """Let the kernel end this process when the parent's end of `lifeline` closes, however it died.

    SIGIO is sent when the pipe's last writer goes, and ends a process that does not handle it. (The
    kernel's 'parent death signal' would come as soon as the parent's *thread* ends.)
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it went before we listened
        os._exit(1)


def _limit_memory(memory_mb: int) -> None:
    """Refuse allocations beyond `memory_mb` (0: none), and be the first to go when all is short."""
    if memory_mb:
        size = memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    score = Path("/proc/self/oom_score_adj")
    if score.exists():
        score.write_text(KILL_FIRST)


def _own_pipes() -> tuple[IO[str], int]:
    """The pipes from and to the parent; stdin becomes empty and stdout joins stderr."""
    orders = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return orders, answers


if __name__ == "__main__":
    main()
