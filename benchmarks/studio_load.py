"""Two hundred callers at once: memory stays bounded, refusals are clean, the accepted all finish.

    python benchmarks/studio_load.py [--callers 200]

First all want a job in the same moment, then all upload, then all hold a stream open. /healthz is
asked ten times a second meanwhile, and the memory of server and job process looked at.
"""

import argparse
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from studio_probes import FILM, shown, uploaded
from studio_servers import Answer, Server, running

UPLOAD_BYTES = 2_000_000
HELD_S = 10.0
LIMIT_S = 300.0


def main() -> None:
    """Run and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--callers", type=int, default=200)
    options = parser.parse_args()
    folder = Path("runs/studio_load").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    with running("ours", folder) as server:
        film = uploaded(server, FILM)
        assert server.call("verify", [shown(film)]).startswith("complete")
        watch = Watch(server)
        before = watch.memory_mb()
        parts = {
            "jobs": (lambda: job(server, film), options.callers),
            "uploads": (lambda: upload(server), options.callers),
            "streams held open": (lambda: hold(server), options.callers),
        }
        rows = []
        for name, (act, callers) in parts.items():
            began = time.monotonic()
            ends = at_once(act, callers)
            rows.append((name, callers, ends, time.monotonic() - began, watch.memory_mb()))
            print(rows[-1], flush=True)
        works = server.call("verify", [shown(film)]).startswith("complete")
        waits = watch.stop()
        log = (folder / "ours" / "said.txt").read_text()
    report(rows, before, watch.most_mb, waits, works, log, options.callers)


def at_once(act: Callable[[], str], callers: int) -> Counter[str]:
    """How it ended, by kind, for callers who begin in the same moment."""
    gate = threading.Barrier(callers)

    def one() -> str:
        gate.wait()
        return act()

    with ThreadPoolExecutor(callers) as pool:
        return Counter(future.result() for future in [pool.submit(one) for _ in range(callers)])


def job(server: Server, film: str) -> str:
    """Ask for a job and wait for its end."""
    begun = server.say("/gradio_api/call/verify", {"data": [shown(film)]}, timeout_s=LIMIT_S)
    if begun.status != 200:
        return said(begun)
    event = json.loads(begun.body)["event_id"]
    told = server.ask("GET", f"/gradio_api/call/verify/{event}", timeout_s=LIMIT_S)
    return "done" if b"event: complete" in told.body else f"accepted, not done: {told.status}"


def upload(server: Server) -> str:
    """Hand in a file."""
    answer = server.upload(np.random.default_rng().bytes(UPLOAD_BYTES), timeout_s=LIMIT_S)
    return "done" if answer.status == 200 else said(answer)


def hold(server: Server) -> str:
    """Keep a stream open, as an open page does."""
    name = f"s{time.monotonic_ns()}"
    answer = server.ask("GET", f"/gradio_api/heartbeat/{name}", timeout_s=HELD_S, most=1 << 20)
    return "held" if answer.status in (0, 200) else said(answer)


def said(answer: Answer) -> str:
    """A refusal in words."""
    if answer.status == 0:
        return "cut off without an answer"
    try:
        return f"{answer.status} {json.loads(answer.body)['detail']}"[:80]
    except (ValueError, LookupError, TypeError):
        return f"{answer.status} {answer.body[:60].decode(errors='replace')}"


class Watch:
    """Looks at memory, and asks /healthz, all the time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waits: list[float] = []
        self._over = threading.Event()
        self.most_mb = 0.0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def memory_mb(self) -> float:
        """Of the server and of what it started."""
        children = Path(f"/proc/{self._server.pid}/task").glob("*/children")
        pids = {pid for file in children for pid in file.read_text().split()}
        held = self._server.memory_mb
        for pid in pids:
            try:
                held += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
            except (OSError, IndexError):
                continue
        return held

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            began = time.monotonic()
            ok = self._server.ask("GET", "/healthz").status == 200
            self._waits.append(time.monotonic() - began if ok else 60.0)
            self.most_mb = max(self.most_mb, self.memory_mb())

    def stop(self) -> list[float]:
        """Seconds that /healthz took."""
        self._over.set()
        self._thread.join()
        return self._waits


def report(rows, before, most, waits, works, log, callers) -> None:
    """The table."""
    from result_file import write_result

    lines = [
        f"{callers} callers at once",
        "",
        "| what all do in the same moment | how it ended (times) | s | MB held after it |",
        "| --- | --- | --- | --- |",
    ]
    for name, _, ends, took_s, held in rows:
        told = "; ".join(f"{end} ({count})" for end, count in ends.most_common())
        lines.append(f"| {name} | {told} | {took_s:.1f} | {held:.0f} |")
    unclean = sum(
        count for row in rows for end, count in row[2].items()
        if not end.startswith(("done", "held", "503"))
    )  # fmt: skip
    lines += [
        "",
        f"Neither done nor refused with 503 and a sentence: {unclean} (bar 0). Server and job "
        f"process held {before:.0f} MB before and at most {most:.0f} MB. /healthz meanwhile: median "
        f"{np.median(waits) * 1000:.0f} ms, 99 in 100 within {np.quantile(waits, 0.99) * 1000:.0f} "
        f"ms. A job after all this: {'done' if works else 'NOT done'}. Tracebacks in the server's "
        f"log: {log.count('Traceback')}.",
    ]
    write_result(
        "studio_load",
        "\n".join(lines),
        command=f"python benchmarks/studio_load.py --callers {callers}",
        packages=("gradio", "starlette", "uvicorn"),
    )


if __name__ == "__main__":
    main()
