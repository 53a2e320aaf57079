"""A worker's process: limits hold, cancel stops, errors come through, death is survived."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from affetto.apps.worker import Worker, WorkerDied
from affetto.apps.worker_child import Sayer
from affetto.errors import Cancelled, EngineError, MediaError, ResourceError

TESTS = str(Path(__file__).parent)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", TESTS)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with Worker(performer="pretending:perform") as one:
        yield one


def is_alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid, seconds):
    ends = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < ends:
        time.sleep(0.02)
    return not is_alive(pid)


def test_results_and_progress_come_through_and_the_process_stays(worker):
    told = []
    first = worker.perform("sleep", {"seconds": 0.3}, progress=lambda *one: told.append(one))
    second = worker.perform("nothing", {"words": "ü\n" * 100_000})
    assert first["pid"] == second["pid"] == worker.pid
    assert second["words"] == "ü\n" * 100_000
    assert first["threads"] == "1"
    assert told[0] == ("to sleep", 0.1)
    assert len(told) > 2


def test_reports_that_come_too_often_are_passed_over():
    said, told = os.pipe()
    sayer = Sayer(told)
    for step in range(1000):
        sayer.progress("sleeping", step / 1000)
    sayer.progress("awake", 1.0)
    os.close(told)
    with os.fdopen(said) as lines:
        heard = [json.loads(line)["progress"] for line in lines]
    assert heard[0] == ["sleeping", 0.0]
    assert heard[-1] == ["awake", 1.0]
    assert len(heard) < 100


def test_errors_keep_class_and_text(worker):
    with pytest.raises(MediaError, match=r"^no such film: here\.mp4$"):
        worker.perform("refuse", {})
    pid = worker.pid
    with pytest.raises(EngineError, match="stumble failed unexpectedly") as caught:
        worker.perform("stumble", {})
    assert "Traceback" in caught.value.__notes__[0]
    assert worker.perform("nothing", {})["pid"] == pid


def test_a_crash_costs_one_job(worker):
    with pytest.raises(WorkerDied, match="SIGSEGV"):
        worker.perform("crash", {})
    assert worker.perform("nothing", {})["pid"]


@pytest.mark.parametrize("verb", ["sleep", "hang"])
def test_over_time(worker, verb):
    worker.perform("nothing", {})
    started = time.monotonic()
    with pytest.raises(ResourceError, match=r"not done within 0\.5 s"):
        worker.perform(verb, {"seconds": 30}, limit_s=0.5)
    assert time.monotonic() - started < 1.5
    assert worker.perform("nothing", {})


@pytest.mark.parametrize("verb", ["hoard", "abort", "claim", "share"])
def test_over_memory(monkeypatch, verb):
    monkeypatch.setenv("PYTHONPATH", TESTS)
    with Worker(performer="pretending:perform", memory_mb=300) as worker:
        with pytest.raises(ResourceError, match="memory") as caught:
            worker.perform(verb, {})
        assert not isinstance(caught.value, WorkerDied)
        assert worker.pid is None
        assert worker.perform("nothing", {})


@pytest.mark.parametrize(("verb", "keeps"), [("half", True), ("hang", False)])
def test_cancel_within_a_second(worker, tmp_path, verb, keeps):
    pid = worker.perform("nothing", {})["pid"]
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        worker.perform(verb, {"file": str(tmp_path / "half")}, cancelled=stop.is_set)
    assert time.monotonic() - started < 1.4
    assert not list(tmp_path.iterdir())
    assert (worker.perform("nothing", {})["pid"] == pid) is keeps


def test_close_ends_a_job_under_way(worker):
    threading.Timer(0.5, worker.close).start()
    with pytest.raises(ResourceError):
        worker.perform("sleep", {"seconds": 30})
    assert worker.pid is None


def test_the_process_dies_with_its_parent_but_not_with_its_thread():
    script = """
import threading, time
from affetto.apps.worker import Worker
worker = Worker(performer="pretending:perform")
starter = threading.Thread(target=worker.perform, args=("nothing", {}))
starter.start(); starter.join()
pid = worker.pid
time.sleep(0.2)
assert worker.perform("nothing", {})["pid"] == pid
print(pid, flush=True)
worker.perform("hang", {})
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": TESTS},
    )
    with parent:
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        assert is_alive(pid)
        parent.kill()
    assert gone_within(pid, 2)
