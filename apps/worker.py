"""One process that does jobs: limits hold, cancel stops, and whatever happens in it ends there.

The process is started with the first job and stays, so that libraries and models are loaded once.
Parent and child speak lines of JSON over pipes; nothing is pickled. A decoder that crashes, a job
that takes all memory or never ends cost that one job an error: the next one gets a new process.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import affetto.errors
from affetto.apps.progress import Report, silent
from affetto.apps.worker_child import CANCELLED, OUT_OF_MEMORY
from affetto.errors import Cancelled, EngineError, ResourceError

PERFORMER = "affetto.apps.verbs:perform"
THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOOK_S = 0.1  # between looks at the clock, the memory and whether the job is still wanted
PATIENCE_S = 0.7  # for a cancelled job to clean up, before it is killed
START_S = 180.0  # for a new process to begin with its job
MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_LOG_BYTES = 4096


class WorkerDied(ResourceError):
    """The process was killed or crashed; the same job may well succeed when tried again."""


class Worker:
    """A process that does one job after another.

    Args:
        memory_mb: what a job may hold; None is all there is.
        performer: "module:function" that does the jobs, called as `perform(verb, options,
            progress=)`.

    Example:
        >>> with Worker(memory_mb=4000) as worker:  # doctest: +SKIP
        ...     worker.perform("talk", {"portrait": "a.jpg", "speech": "b.wav", "out": "c"})
    """

    def __init__(self, *, memory_mb: int | None = None, performer: str = PERFORMER) -> None:
        self._memory_mb = memory_mb
        self._performer = performer
        self._busy = threading.Lock()
        self._child: _Child | None = None

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the process, if there is one now."""
        return self._child.process.pid if self._child else None

    def perform(
        self,
        verb: str,
        options: Mapping[str, Any],
        *,
        progress: Report = silent,
        limit_s: float | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """Do a job and give its result; one job at a time, others wait.

        Args:
            verb: "talk", "soundtrack", "recognize" or "score".
            options: fields of the verb's Job, plain JSON values; paths as strings.
            progress: is told what is happening.
            limit_s: wall time the job may take, the start of the process apart; None is any.
            cancelled: asked about ten times a second; True stops the job within a second.

        Raises:
            EngineError: what the job raised: the same class, the same text.
            Cancelled: `cancelled` said so.
            WorkerDied: the process was killed or crashed.
            ResourceError: the job took too long or too much memory.
        """
        with self._busy:
            child = self._child = self._child or _Child(self._performer, self._memory_mb)
            healthy = False
            try:
                child.order({"verb": verb, "options": dict(options)})
                answer = child.answer(progress, limit_s, cancelled)
                healthy = answer.get("error") != ResourceError.__name__  # short of memory, perhaps
            finally:
                if not healthy:
                    self._child = None
                    child.stop()
                    child.clear()
            return _unwrapped(answer)

    def close(self) -> None:
        """End the process, whatever it does; a later job starts a new one."""
        if child := self._child:
            child.stop()  # a job under way fails, and clears up in its own thread
        with self._busy:
            if self._child:
                self._child.clear()
            self._child = None


def _unwrapped(answer: Mapping[str, Any]) -> dict[str, Any]:
    if "result" in answer:
        result: dict[str, Any] = answer["result"]
        return result
    kind = getattr(affetto.errors, str(answer.get("error")), EngineError)
    error = kind(str(answer.get("text")))
    if "trace" in answer:
        error.add_note(str(answer["trace"]))
    raise error


class _Child:
    """The process, its pipes, and what it printed."""

    def __init__(self, performer: str, memory_mb: int | None) -> None:
        self._memory_mb = memory_mb
        self._unread = bytearray()
        self._log: IO[bytes] = tempfile.TemporaryFile("ab+")  # noqa: SIM115 - closed by clear
        lifeline, self._life = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "affetto.apps.worker_child", performer, str(lifeline),
             str(memory_mb or 0)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            pass_fds=(lifeline,),
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
            env=os.environ | dict.fromkeys(THREAD_SETTINGS, "1"),
        )  # fmt: skip
        os.close(lifeline)

    def order(self, order: Mapping[str, Any]) -> None:
        """Hand over a job."""
        assert self.process.stdin is not None
        self._log.truncate(0)
        line = (json.dumps(order) + "\n").encode()
        with contextlib.suppress(BrokenPipeError):  # dead: the answer will say so
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def answer(
        self, progress: Report, limit_s: float | None, cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        """Wait for the end of the job, looking after it meanwhile."""
        ends = time.monotonic() + START_S
        started = False
        gives_up: float | None = None
        while True:
            try:
                lines = self._lines()
            except WorkerDied:
                if gives_up is None:
                    raise
                raise Cancelled(CANCELLED) from None
            for line in lines:
                if "started" in line:
                    started = True
                    ends = time.monotonic() + (limit_s or 0)
                elif "progress" in line:
                    progress(str(line["progress"][0]), float(line["progress"][1]))
                elif gives_up is None and line.get("error") == Cancelled.__name__:
                    raise WorkerDied("somebody else interrupted the process of the job")
                else:
                    return line
            self._check_memory()
            now = time.monotonic()
            if gives_up is None and cancelled():
                gives_up = now + PATIENCE_S
                self.process.send_signal(signal.SIGINT)
            if gives_up is not None and now > gives_up:
                raise Cancelled(CANCELLED)
            if not started and now > ends:
                raise ResourceError(f"not begun within {START_S:g} s: the machine is too busy")
            if started and limit_s is not None and now > ends:
                raise ResourceError(
                    f"not done within {limit_s:g} s: allow more time, or use a shorter input"
                )

    def _lines(self) -> list[dict[str, Any]]:
        """What the child said within the next moment."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        if not select.select([pipe], [], [], LOOK_S)[0]:
            return []
        block = os.read(pipe, 1 << 20)
        if not block:
            raise self._death()
        self._unread += block
        if len(self._unread) > MAX_ANSWER_BYTES:
            raise ResourceError(f"an answer of more than {MAX_ANSWER_BYTES} bytes: ask for less")
        *whole, self._unread = self._unread.split(b"\n")
        try:
            return [json.loads(line) for line in whole]
        except ValueError as error:
            raise WorkerDied("the process of the job spoke nonsense") from error

    def _check_memory(self) -> None:
        """Kill what holds more than it may; the child's own limit comes first for most."""
        if self._memory_mb is None:
            return
        if resident_mb(self.process.pid) > self._memory_mb:
            raise self._too_large()

    def _too_large(self) -> ResourceError:
        return ResourceError(
            f"took more memory than the {self._memory_mb} MB allowed: allow more, or use a "
            "shorter or smaller input"
        )

    def _death(self) -> ResourceError:
        code = self.process.wait()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - MAX_LOG_BYTES))
        log = self._log.read().decode("utf-8", "replace")
        if self._memory_mb is not None and any(words in log for words in OUT_OF_MEMORY):
            return self._too_large()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        if -code == signal.SIGKILL:
            how += ", by somebody or for want of memory,"
        died = WorkerDied(f"the process of the job ended {how} before the job was done")
        died.add_note(log)
        return died

    def stop(self) -> None:
        """End the process and those it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def clear(self) -> None:
        """Let go of what belonged to a stopped process."""
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._log):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # an order that was never read
                pipe.close()
        os.close(self._life)


def resident_mb(pid: int) -> float:
    """Memory a process holds now; 0 once it is gone, or where the system does not say."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0.0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6
