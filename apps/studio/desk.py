"""The desk where the studio's jobs are done: one at a time, each in a folder of its own.

A job runs in another process (`affetto.apps.worker`). While it runs, `Desk.run` tells what is
happening, hands out stretches of film that are done, and stops within a second when asked to.
"""

import contextlib
import queue
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from affetto.apps.studio.examples import FOLDER as EXAMPLES
from affetto.apps.studio.examples import PORTRAIT, SPEECH
from affetto.apps.studio.own_paths import clear_folders, without_folders
from affetto.apps.studio.settings import Settings
from affetto.apps.worker import Worker
from affetto.errors import EngineError
from affetto.files import staged_file

PERFORMER = "affetto.apps.studio.performer:perform"
KEPT = ".unfinished"  # what `affetto talk` adds to the name of a result under way
EARLY = ".preview.wav"  # what `affetto soundtrack` adds to it for the first bars
RESULT = "result"
OUTPUTS = ("out", "csv", "plot", "webvtt", "track")  # options that say where results go
KEEP_S = 3600.0  # a job's files are thrown away after this long
KEEP_BYTES = 4_000_000_000  # of all results; the oldest go first
REMEMBERED = 256  # sessions that stopped their jobs
LOOK_S = 0.25
WARM_UP_SAMPLES = 10_000
LEAST_SHARE = 0.08  # before this nobody can say how long it takes


@dataclass(frozen=True)
class Step:
    """What is happening.

    Attributes:
        what: in words.
        share: done, 0 to 1.
        left_s: seconds still to go, None where nobody can tell.
    """

    what: str
    share: float
    left_s: float | None


@dataclass(frozen=True)
class Preview:
    """A stretch of the film that is done, or a wav file of its first bars."""

    file: Path


@dataclass(frozen=True)
class Done:
    """The end of a job.

    Attributes:
        folder: with all its files.
        answer: what `affetto VERB --json` prints, without the studio's folders.
        options: what was asked.
    """

    folder: Path
    answer: dict[str, Any]
    options: Mapping[str, Any]

    @property
    def command(self) -> str:
        """The command line that repeats it beside the same files; empty if the job says none."""
        return str(self.answer.get("command", ""))


Event = Step | Preview | Done


class Desk:
    """Does the jobs of one studio.

    Args:
        settings: where files lie, and what one job may take.
        performer: see `Worker`.
    """

    def __init__(self, settings: Settings, *, performer: str = PERFORMER) -> None:
        self.settings = settings
        self._worker = Worker(memory_mb=settings.job_memory_mb, performer=performer)
        self._running: dict[str, threading.Event] = {}  # session -> set to stop its job
        self._stopped: deque[str] = deque(maxlen=REMEMBERED)  # sessions that stopped their job

    def lend(self, example: Path) -> str:
        """A fresh copy of an example, where the page may hand it out."""
        place = self.settings.uploads / "examples"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with staged_file(place / example.name) as staged:
            shutil.copyfile(example, staged)
        return str(place / example.name)

    def warm_up(self) -> None:
        """Load what a talking portrait needs, aside, so that the first job need not wait for it."""
        folder = self.settings.jobs / "warm_up"
        folder.mkdir(parents=True, mode=0o700)
        wav, rate = soundfile.read(SPEECH, stop=WARM_UP_SAMPLES)
        soundfile.write(folder / "speech.wav", wav, rate)
        options = {"portrait": str(PORTRAIT), "speech": str(folder / "speech.wav"), "size": 64}

        def work() -> None:
            with contextlib.suppress(EngineError):
                self._worker.perform("talk", options | {"out": str(folder / RESULT)})
            shutil.rmtree(folder, ignore_errors=True)

        threading.Thread(target=work, name="studio warm-up", daemon=True).start()

    def close(self) -> None:
        """Stop whatever runs, and throw all files away."""
        self._worker.close()
        shutil.rmtree(self.settings.folder, ignore_errors=True)

    def cancel(self, session: str) -> None:
        """Stop the job of this session, if it has one."""
        self._stopped.append(session)
        if stop := self._running.get(session):
            stop.set()

    def was_stopped(self, session: str) -> bool:
        """Whether the last job of this session ended because somebody stopped it."""
        return session in self._stopped

    def run(
        self, verb: str, options: Mapping[str, Any], *, session: str
    ) -> Generator[Event, None, None]:
        """Do a job; leaving the generator stops it.

        Args:
            verb: "talk", "soundtrack", "recognize", "score" or "verify".
            options: fields of the verb's Job; those in `OUTPUTS` are names within the job's folder.
            session: whose job it is.

        Yields:
            Steps and previews, and Done at the end.

        Raises:
            EngineError: the job failed, or was cancelled.
        """
        self._sweep()
        with contextlib.suppress(ValueError):
            self._stopped.remove(session)
        folder = self.settings.jobs / secrets.token_hex(16)
        folder.mkdir(parents=True, mode=0o700)
        stop = self._running[session] = threading.Event()
        told: queue.SimpleQueue[Event | EngineError] = queue.SimpleQueue()
        started = time.monotonic()

        def report(what: str, share: float) -> None:
            told.put(Step(what, share, _left_s(share, time.monotonic() - started)))

        def work() -> None:
            try:
                answer = self._worker.perform(
                    verb,
                    _placed(options, folder),
                    progress=report,
                    limit_s=self.settings.job_limit_s,
                    cancelled=stop.is_set,
                )
                result = folder / RESULT
                clear_folders(result, *self._places)
                told.put(Done(result, without_folders(answer, *self._places), options))
            except EngineError as error:
                shutil.rmtree(folder, ignore_errors=True)
                told.put(type(error)(without_folders(str(error), *self._places)))
            except BaseException as error:
                told.put(EngineError(f"the job ended without an answer ({type(error).__name__})"))
                raise

        threading.Thread(target=work, name=f"studio {verb}", daemon=True).start()
        try:
            yield from _events(told, folder)
        finally:
            stop.set()
            if self._running.get(session) is stop:
                del self._running[session]

    @property
    def _places(self) -> tuple[Path, Path]:
        """Folders that nobody needs to hear of."""
        return self.settings.folder, EXAMPLES

    def _sweep(self) -> None:
        """Throw away what is older than `KEEP_S`, and the oldest where there is too much."""
        found = []
        for folder in self.settings.jobs.glob("*"):
            with contextlib.suppress(OSError):  # going away in this moment
                size = sum(path.stat().st_size for path in folder.rglob("*"))
                found.append((folder.stat().st_mtime, size, folder))
        kept = 0
        for made_at, size, folder in sorted(found, reverse=True):
            kept += size
            if made_at < time.time() - KEEP_S or kept > KEEP_BYTES:
                shutil.rmtree(folder, ignore_errors=True)


def _events(
    told: "queue.SimpleQueue[Event | EngineError]", folder: Path
) -> Generator[Event, None, None]:
    """What the job says, and stretches of film or sound as they appear."""
    shown, heard = 0, False
    while True:
        try:
            event = told.get(timeout=LOOK_S)
        except queue.Empty:
            pass
        else:
            if isinstance(event, EngineError):
                raise event
            yield event
            if isinstance(event, Done):
                return
        part = folder / (RESULT + KEPT) / f"segment_{shown:05d}.mp4"
        if part.exists():
            copy = folder / f"preview_{shown}.mp4"
            with contextlib.suppress(FileNotFoundError):  # delivered in this very moment
                shutil.copyfile(part, copy)
                yield Preview(copy)
            shown += 1
        early = folder / (RESULT + EARLY)
        if not heard and early.exists():
            heard, copy = True, folder / "preview.wav"
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(early, copy)
                yield Preview(copy)


def _placed(options: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The options with the job's own folder put in."""
    return {
        name: str(folder / value) if name in OUTPUTS else value for name, value in options.items()
    }


def _left_s(share: float, elapsed_s: float) -> float | None:
    return elapsed_s * (1 - share) / share if share >= LEAST_SHARE else None
