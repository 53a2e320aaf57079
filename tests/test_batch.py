"""Batches: what is done is done once, what is missing is done by the next run, nothing is torn."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from affetto.apps.batch.job import Job
from affetto.apps.batch.key import Digests
from affetto.apps.batch.ledger import read_ledger
from affetto.apps.batch.manifest import read_manifest
from affetto.apps.batch.run import ENGINES, run
from affetto.apps.verbs import job_of
from affetto.errors import BadInput, ResourceError

TESTS = str(Path(__file__).parent)


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A folder with a manifest of three copies."""
    monkeypatch.setenv("PYTHONPATH", TESTS)
    monkeypatch.syspath_prepend(TESTS)
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(name)
    write(tmp_path, *({"id": name, "do": "copy", "media": f"{name}.txt"} for name in "abc"))
    return tmp_path


def write(place, *rows):
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (place / "manifest.jsonl").write_text("\n".join(lines) + "\n")


def batch(place, **options):
    told = []
    job = Job(place / "manifest.jsonl", place / "out", verbs="pretending", workers=2, **options)
    summary = run(job, warn=told.append)
    assert tuple(told) == summary.problems
    return summary


def ledger(place):
    return list(read_ledger(place / "out/ledger.jsonl"))


def text(place, name):
    return (place / "out" / name / "copy.txt").read_text()


def test_results_ledger_and_summary(place):
    summary = batch(place)
    assert (summary.total, summary.done, summary.exit_code) == (3, 3, 0)
    assert [text(place, name) for name in "abc"] == ["A", "B", "C"]
    assert sorted(line["id"] for line in ledger(place)) == ["a", "b", "c"]
    record = json.loads((place / "out/summary.json").read_text())
    assert record["done"] == 3
    assert "Everything is done" in (place / "out/summary.html").read_text()
    names = {path.name for path in (place / "out").iterdir()}
    assert names == {"a", "b", "c", "ledger.jsonl", "summary.json", "summary.html", ".lock"}
    result = json.loads((place / "out/a/result.json").read_text())
    assert result["out"] == str(place / "out/a")


def test_a_second_run_does_nothing_and_a_changed_row_or_file_is_done_again(place):
    batch(place)
    before = ledger(place)
    assert batch(place).done_before == 3
    assert ledger(place) == before
    (place / "b.txt").write_text("other")
    write(
        place,
        {"id": "a", "do": "copy", "media": "a.txt", "seconds": 0.01},
        {"id": "b", "do": "copy", "media": "b.txt"},
        {"id": "c", "do": "copy", "media": "c.txt", "seconds": 0.0, "emotion": "auto"},
    )
    assert batch(place).done_before == 1
    assert sorted(line["id"] for line in ledger(place)[3:]) == ["a", "b"]
    assert text(place, "b") == "OTHER"


def test_a_torn_line_and_a_lost_folder(place):
    batch(place)
    path = place / "out/ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    torn = path.read_bytes()
    assert batch(place).done_before == 3  # the folder is whole: it is noted again, not done again
    assert path.read_bytes().startswith(torn)
    assert sorted(line["id"] for line in ledger(place)) == ["a", "b", "c"]
    assert ledger(place)[-1]["attempts"] == 0
    (place / "out/c/copy.txt").unlink()
    (place / "out/c/result.json").unlink()
    (place / "out/c/item.json").unlink()
    (place / "out/c").rmdir()
    assert batch(place).done_before == 2
    assert text(place, "c") == "C"


def test_bad_lines_are_told_with_their_numbers_and_do_not_stop_the_others(place):
    (place / "out/taken").mkdir(parents=True)
    write(
        place,
        {"id": "good", "do": "copy", "media": "a.txt"},
        "not json",
        {"id": "good", "do": "copy", "media": "b.txt"},
        "",
        {"id": "../up", "do": "copy", "media": "a.txt"},
        {"id": "gone", "do": "copy", "media": "nowhere.txt"},
        {"id": "odd", "do": "copy", "media": "a.txt", "colour": "red"},
        {"id": "verb", "do": "sing", "media": "a.txt"},
        {"id": "long", "do": "copy", "media": "a.txt", "emotion": "x" * 70_000},
        '{"id": "twice", "do": "copy", "do": "copy", "media": "a.txt"}',
        {"id": "word", "do": "copy", "media": "a.txt", "emotion": "hapy"},
        {"id": "like", "do": "copy", "media": "a.txt", "emotion": "like:nowhere.wav"},
        {"id": "out", "do": "copy", "media": "a.txt", "out": "/tmp/x"},
        {"id": "path", "do": "copy", "media": "a.txt", "csv": "../a.csv"},
        {"id": "folder", "do": "copy", "media": "."},
        {"id": "taken", "do": "copy", "media": "a.txt"},
        '{"id": "half", "do": "copy", "media": "\\ud800"}',
        "[" * 60_000,
        {"id": "nan", "do": "copy", "media": "a.txt", "seconds": float("nan")},
        {"do": "copy", "media": "b.txt"},
    )
    summary = batch(place)
    assert [one.line for one in summary.problems] == [2, 3, *range(5, 20)]
    assert summary.done == 2
    assert summary.exit_code == 3
    assert text(place, "good") == "A"
    said = {one.line: one.text for one in summary.problems}
    assert "line 1" in said[3]
    assert "nowhere.txt: no such file" in said[6]
    assert "64 kB" in said[9]
    assert "written twice" in said[10]
    assert "not made by batch" in said[16]
    page = (place / "out/summary.html").read_text()
    assert "17 of 19 are not done" in page


def test_files_in_requests_are_inputs(place):
    row = {"id": "a", "do": "copy", "media": "a.txt", "emotion": "like:b.txt"}
    write(place, row, row | {"id": "b", "emotion": "b.txt is no curve"})
    batch(place)
    (first,) = (line for line in ledger(place) if line["id"] == "a")
    assert str(place / "b.txt") in first["inputs"]
    assert batch(place).done_before == 2
    (place / "b.txt").write_text("changed")
    assert batch(place).done_before == 1


def test_marker_files_are_inputs_too(place):
    (place / "film.mp4").write_bytes(b"a film")
    (place / "marks.edl").write_text("TITLE: x")
    write(
        place,
        {"id": "a", "do": "soundtrack", "video": "film.mp4", "hits": "marks.edl"},
        {"id": "b", "do": "soundtrack", "video": "film.mp4", "hits": "3.2, 4=stop"},
        {"id": "c", "do": "soundtrack", "video": "film.mp4", "hits": "none.edl"},
    )
    items, problems = read_manifest(
        place / "manifest.jsonl", out=place / "out", job_of=job_of, digests=Digests({})
    )
    assert [item.options["hits"] for item in items] == [str(place / "marks.edl"), "3.2, 4=stop"]
    assert [problem.line for problem in problems] == [3]


def test_another_release_or_other_weights_do_it_again(place, monkeypatch):
    batch(place)
    monkeypatch.setattr("affetto.__version__", "99.0")
    assert batch(place).done_before == 0
    monkeypatch.setattr("affetto.apps.batch.key.shipped_weights", lambda: "others")
    assert batch(place).done_before == 0
    (place / "nets").mkdir()
    (place / "nets/model.safetensors").write_text("one")
    write(place, {"id": "a", "do": "copy", "media": "a.txt", "weights": "nets"})
    batch(place)
    assert batch(place).done_before == 1
    (place / "nets/model.safetensors").write_text("another")
    assert batch(place).done_before == 0


def test_a_failure_is_told_and_tried_again_by_the_next_run(place):
    write(
        place,
        {"id": "bad", "do": "refuse", "media": "a.txt"},
        {"id": "dies", "do": "crash", "media": "a.txt"},
        {"id": "slow", "do": "sleep", "media": "a.txt", "seconds": 30},
        {"id": "weak", "do": "fragile", "media": "a.txt"},
        {"id": "stopped", "do": "stopped", "media": "a.txt"},
        {"id": "good", "do": "copy", "media": "a.txt"},
    )
    summary = batch(place, retries=1, limit_s=0.5)
    failed = {one.id: one for one in summary.failed}
    assert set(failed) == {"bad", "dies", "slow", "stopped"}
    assert (failed["bad"].attempts, failed["bad"].exit_code) == (1, 3)
    assert failed["bad"].error == "no such film: here.mp4"
    assert (failed["dies"].attempts, failed["dies"].exit_code) == (2, 4)
    assert "not done within 0.5 s" in failed["slow"].error
    assert (failed["stopped"].attempts, failed["stopped"].exit_code) == (2, 4)
    assert summary.done == 2
    assert summary.exit_code == 4
    assert not (place / "out/bad").exists()
    write(place, {"id": "bad", "do": "copy", "media": "a.txt"})
    assert batch(place).done == 1


def driver(place, *rows, **options):
    """A batch in a process of its own."""
    write(place, *rows)
    script = (
        "from pathlib import Path; from affetto.apps.batch.job import Job; "
        "from affetto.apps.batch.run import run; "
        f"run(Job(Path({str(place / 'manifest.jsonl')!r}), Path({str(place / 'out')!r}), "
        f"verbs='pretending', workers=2, **{options!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_killed_driver_loses_nothing_and_a_second_one_is_refused(place):
    rows = [
        {"id": f"i{number}", "do": "copy", "media": "a.txt", "seconds": 0.2} for number in range(12)
    ]
    with driver(place, *rows) as process:
        wait_for(lambda: len(ledger(place)) >= 3)
        with pytest.raises(ResourceError, match="another batch is at work"):
            batch(place)
        process.kill()
    survived = {line["id"] for line in ledger(place)}
    summary = batch(place)
    assert summary.done == 12
    assert summary.done_before in (len(survived), len(survived) + 1, len(survived) + 2)
    assert sorted(line["id"] for line in ledger(place)) == sorted(row["id"] for row in rows)
    assert not (place / "out/.work").exists()


def test_ctrl_c_says_how_to_go_on(place):
    rows = [{"id": f"i{n}", "do": "copy", "media": "a.txt", "seconds": 0.3} for n in range(20)]
    with driver(place, *rows) as process:
        wait_for(lambda: len(ledger(place)) >= 2)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert time.monotonic() - started < 3
    assert "of 20 done" in said
    assert "same command goes on" in said
    assert {path.name for path in (place / "out").iterdir() if path.name.startswith("i")} == {
        line["id"] for line in ledger(place)
    }


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_manifest(place, text):
    (place / "manifest.jsonl").write_text(text)
    with pytest.raises(BadInput, match="holds no lines"):
        batch(place)


def test_slurm_jobs_do_it_too_and_a_dying_one_is_sent_again(place, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setitem(ENGINES, "slurm", "pretending:do_on_submitit")
    write(
        place,
        {"id": "job", "do": "fell", "media": "a.txt"},
        {"id": "bad", "do": "refuse", "media": "a.txt"},
    )
    summary = batch(place, engine="slurm")
    assert summary.done == 1
    assert [one.error for one in summary.failed] == ["no such film: here.mp4"]
    assert sorted(line["id"] for line in ledger(place)) == ["bad", "job"]


class Again:
    """An executor whose jobs run twice, as after a node of SLURM went down."""

    def map_array(self, do_share, *columns):
        for arguments in zip(*columns, strict=True):
            do_share(*arguments)
            do_share(*arguments)
        return [Ended() for _ in columns[0]]


class Ended:
    def done(self):
        return True


def test_what_slurm_runs_again_counts_once(place, monkeypatch):
    monkeypatch.setattr("affetto.apps.batch.on_slurm._executor", lambda *_: Again())
    assert batch(place, engine="slurm").done == 3
    assert len(ledger(place)) == 3


def test_a_folder_of_another_key_is_not_taken_for_done(place):
    """A result was put in place, then the machine died before the ledger had it."""
    batch(place)
    before = (place / "out/ledger.jsonl").read_bytes()
    (place / "a.txt").write_text("other")
    batch(place)
    (place / "out/ledger.jsonl").write_bytes(before)
    (place / "a.txt").write_text("a")
    assert batch(place).done_before == 2
    assert text(place, "a") == "A"


@pytest.mark.slow
def test_ray_does_it_too_and_a_dying_actor_is_replaced(place):
    pytest.importorskip("ray")
    write(
        place,
        *({"id": f"i{number}", "do": "copy", "media": "a.txt"} for number in range(5)),
        {"id": "job", "do": "fell", "media": "a.txt"},
        {"id": "bad", "do": "refuse", "media": "a.txt"},
    )
    summary = batch(place, engine="ray")
    assert summary.done == 6
    assert [one.error for one in summary.failed] == ["no such film: here.mp4"]
    assert len(ledger(place)) == 7
    assert batch(place, engine="ray").done_before == 6
