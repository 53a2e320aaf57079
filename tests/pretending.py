"""A performer for tests: verbs that sleep, fail, crash, hoard and hang; they cost nothing."""

import mmap
import os
import signal
import time
from dataclasses import dataclass, fields
from pathlib import Path

from affetto.errors import MediaError, UsageError


@dataclass(frozen=True)
class Job:
    """What the verbs take in a batch."""

    out: Path
    media: Path
    seconds: float = 0.0
    emotion: str = "auto"
    weights: str = "default"
    csv: Path | None = None
    threads: int | None = None


def job_of(verb, options):
    """As affetto.apps.verbs.job_of."""
    if verb not in ("sleep", "crash", "refuse", "copy", "fragile", "fell", "stopped"):
        raise UsageError(f"{verb!r} is no verb")
    if unknown := set(options) - {field.name for field in fields(Job)}:
        raise UsageError(f"{verb} knows no {', '.join(sorted(unknown))}")
    paths = {name: Path(options[name]) for name in ("out", "media", "csv") if name in options}
    return Job(**options | paths)


def perform(verb, options, *, progress):
    """Do what `verb` says."""
    progress(f"to {verb}", 0.1)
    if verb == "sleep":
        for step in range(10):
            time.sleep(options["seconds"] / 10)
            progress("sleeping", step / 10)
    elif verb == "hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # as inside a native library
        time.sleep(60)
    elif verb == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif verb == "abort":  # as C++ does where memory cannot be had
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'")
        os.abort()
    elif verb == "hoard":
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1 << 20) * 16))
    elif verb == "claim":  # memory that is never used
        mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    elif verb == "share":  # memory that is no data of the process
        kept = mmap.mmap(-1, 1 << 29)
        for _ in range(512):
            kept.write(bytes(1 << 20))
        time.sleep(20)
    elif verb == "copy":
        time.sleep(options.get("seconds", 0))
        text = Path(options["media"]).read_text()
        (Path(options["out"]) / "copy.txt").write_text(text.upper())
    elif verb in ("fragile", "fell"):  # dies the first time, or takes who gave it the job with it
        mark = Path(options["media"]).with_suffix(".died")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid() if verb == "fragile" else os.getppid(), signal.SIGKILL)
            time.sleep(60)
    elif verb == "stopped":  # Ctrl-C by somebody else
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    elif verb == "refuse":
        raise MediaError("no such film: here.mp4")
    elif verb == "stumble":
        raise KeyError("a defect")
    elif verb == "half":
        Path(options["file"]).write_text("half")
        try:
            time.sleep(60)
        finally:
            Path(options["file"]).unlink()
    print("said on stdout")
    return {"verb": verb, "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]} | options


def do_on_submitit(items, **settings):
    """The SLURM engine over submitit's processes on this machine."""
    from affetto.apps.batch.on_slurm import do_on_slurm

    return do_on_slurm(items, cluster="local", **settings)
