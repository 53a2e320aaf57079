"""Killing a batch: workers every 2 s, the driver five times; nothing may be lost, torn or done twice.

    python benchmarks/batch_chaos.py [--engines local ray two-nodes] [--items 200]

Some of the engines only: the rows of the others stay as they were measured.

A first run is left in peace; its results are what the others must have to the byte (times apart).
Then, for each engine, `affetto batch` is started as a process; every 2 s on average one of its workers, chosen
at random (of Ray: an actor or the process in it), gets SIGKILL, and five times the driver itself
does, after which the same command is started again. The times between kills are random (exponential). `two-nodes` is a Ray cluster of two nodes on
this machine's loopback; half way the second node is killed whole and a new one joins.
"""

import argparse
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from batch_jobs import hashes, ledger, start_batch, write_jobs
from result_file import write_result

DRIVER_KILLS = 5
GONE_S = 20.0
WORKERS = 2
ALL = ["local", "ray", "two-nodes"]
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
BOOK = {"ledger.jsonl", "summary.json", "summary.html", ".lock"}


def main() -> None:
    """Run all and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", nargs="+", default=ALL)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--kill-s", type=float, default=2.0)
    parser.add_argument("--sound-s", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, default=Path("runs/batch/chaos"))
    options = parser.parse_args()
    if options.engines == ALL:
        shutil.rmtree(options.folder, ignore_errors=True)
    record = options.folder / "record.json"
    if not record.exists():
        record.parent.mkdir(parents=True)
        record.write_text(json.dumps({"rows": {}, "calm_s": calm_run(options)}))
    told = json.loads(record.read_text())
    expected = hashes(options.folder / "calm")
    assert len(expected) == options.items
    for engine in options.engines:
        out = options.folder / engine
        shutil.rmtree(out, ignore_errors=True)
        with two_nodes() if engine == "two-nodes" else contextlib.nullcontext() as cluster:
            killed = chaos(options.folder / "jobs/manifest.jsonl", out, engine, options, cluster)
        told["rows"][engine] = judged(engine, out, expected, killed)
        record.write_text(json.dumps(told))
        print(told["rows"][engine], flush=True)
    rows = [told["rows"][engine] for engine in ALL if engine in told["rows"]]
    write_result(
        "batch_chaos",
        "\n".join([*_head(options, told["calm_s"]), *rows]),
        command=f"python benchmarks/batch_chaos.py --items {options.items} "
        f"--kill-s {options.kill_s:g}",
        packages=("torch", "ray"),
    )


def calm_run(options) -> float:
    """Write the jobs and do them undisturbed; gives the seconds."""
    manifest = write_jobs(options.folder / "jobs", options.items, sound_s=options.sound_s)
    started = time.monotonic()
    process = start_batch(manifest, options.folder / "calm", "--workers", str(WORKERS))
    assert process.wait() == 0, process.stdout.read().decode()
    return time.monotonic() - started


def chaos(manifest: Path, out: Path, engine: str, options, cluster) -> Counter:
    """Run until the command ends by itself with 0, killing meanwhile; tells what was killed."""
    told, chance, count = Counter(), random.Random(5), options.items
    at = [round(count * (number + 1) / (DRIVER_KILLS + 1)) for number in range(DRIVER_KILLS)]
    started = time.monotonic()
    while True:
        name = "ray" if engine == "two-nodes" else engine
        words = ("--engine", name, "--workers", str(WORKERS), "--retries", "20")
        process = start_batch(manifest, out, *words, environment=cluster and cluster.environment)
        told["starts"] += 1
        next_kill = time.monotonic() + chance.expovariate(1 / options.kill_s)
        while process.poll() is None:
            time.sleep(0.1)
            done = sum(line["state"] == "done" for line in ledger(out))
            if at and done >= at[0]:
                at.pop(0)
                family = _ours(descendants(process.pid))
                process.kill()
                process.wait()
                told["drivers"] += 1
                told["orphans"] += len(_left_after(family, GONE_S))
                break
            if cluster and not told["nodes"] and done >= count * 0.45:
                cluster.replace_second()
                told["nodes"] += 1
            if time.monotonic() >= next_kill:
                next_kill += chance.expovariate(1 / options.kill_s)
                told[_kill_one(cluster.pids() if cluster else [process.pid], chance)] += 1
        else:
            if process.returncode == 0:
                told["seconds"] = round(time.monotonic() - started)
                return told
            print(process.stdout.read().decode(), file=sys.stderr)
            told["failed runs"] += 1


def judged(engine: str, out: Path, expected: dict[str, str], told: Counter) -> str:
    """A row of the result table."""
    lines = [line["id"] for line in ledger(out) if line["state"] == "done"]
    found = hashes(out)
    strangers = {path.name for path in out.iterdir()} - BOOK - set(found)
    same = sum(found.get(name) == digest for name, digest in expected.items())
    twice = len(lines) - len(set(lines))
    killed = f"{told['worker']} + {told['actor']}"
    return (
        f"| {engine} | {killed} | {told['drivers']} | {told['nodes']} | {len(set(lines))} / "
        f"{len(expected)} | {twice} | {same} / {len(expected)} | {len(strangers)} | "
        f"{told['failed runs']} | {told['orphans']} | {told['seconds']} |"
    )


def _ours(family: dict[int, str]) -> dict[int, str]:
    """Without two agents of Ray's own that end a minute after the rest."""
    return {pid: command for pid, command in family.items() if not command.startswith(AGENTS)}


def descendants(pid: int) -> dict[int, str]:
    """All processes below one: pid -> command line."""
    parents, commands = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            commands[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ").strip()
    below, found = {pid}, {}
    while new := {one for one, parent in parents.items() if parent in below and one not in below}:
        below |= new
        found |= {one: commands[one] for one in new}
    return found


def _kill_one(roots: list[int], chance: random.Random) -> str:
    """Kill a worker process or a Ray actor below one of `roots`; says which kind, or 'none'."""
    victims = []
    for root in roots:
        for pid, command in sorted(descendants(root).items()):
            if "affetto.apps.worker_child" in command:
                victims.append((pid, "worker"))
            elif command.startswith("ray::Actor"):
                victims.append((pid, "actor"))
    if not victims:
        return "none"
    pid, kind = chance.choice(victims)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return kind


def _left_after(family: dict[int, str], seconds: float) -> list[int]:
    """Which of the processes still run after so long with the same command line."""
    ends = time.monotonic() + seconds
    while left := [pid for pid, command in family.items() if _runs(pid, command)]:
        if time.monotonic() > ends:
            return left
        time.sleep(0.1)
    return []


def _runs(pid: int, command: str) -> bool:
    try:
        now = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return False
    return bool(now) and now == command


class TwoNodes:
    """A Ray cluster of two nodes, one CPU each, on loopback, with a token of its own."""

    def __init__(self) -> None:
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        os.environ.update(self.environment, RAY_USAGE_STATS_ENABLED="0")
        from ray.cluster_utils import Cluster

        node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100_000_000}
        self._node = node
        self._cluster = Cluster(initialize_head=True, head_node_args=node)
        self._second = self._cluster.add_node(**node)
        self._cluster.wait_for_nodes()
        self.environment["RAY_ADDRESS"] = self._cluster.address

    def pids(self) -> list[int]:
        """Of this process: both nodes are below it."""
        return [os.getpid()]

    def replace_second(self) -> None:
        """Kill the second node without a word, and let a new one join."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._cluster.add_node(**self._node)

    def close(self) -> None:
        """End both."""
        self._cluster.shutdown()


@contextlib.contextmanager
def two_nodes():
    """See `TwoNodes`."""
    cluster = TwoNodes()
    try:
        yield cluster
    finally:
        cluster.close()


def _head(options, calm_s: float) -> list[str]:
    return [
        "# Killing a batch",
        "",
        f"{options.items} items (texts, voices, scores) with {WORKERS} workers; undisturbed {calm_s:.0f} s. "
        f"SIGKILL to a worker every {options.kill_s:g} s on average",
        f"(processes of `Worker` + Ray actors), to the driver {DRIVER_KILLS} times, started again "
        "with the same command. `twice`: ledger lines too",
        "many. `same`: results equal to the undisturbed run's, times apart. `strangers`: files or "
        "folders that are no whole",
        f"result. `orphans`: processes left {GONE_S:g} s after their driver was killed (two agents of "
        "Ray's own, which need a minute, apart).",
        "Bar: all done exactly once, no partial files.",
        "",
        "| engine | workers killed | drivers killed | nodes killed | done | twice | same | "
        "strangers | runs that failed | orphans | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]


if __name__ == "__main__":
    main()
