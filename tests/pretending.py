"""A performer for tests: verbs that sleep, fail, crash, hoard and hang; they cost nothing."""

import os
import signal
import time
from pathlib import Path

from affetto.errors import MediaError


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
    elif verb == "hoard":
        kept = []
        while True:
            kept.append(bytearray(os.urandom(1 << 20) * 16))
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
