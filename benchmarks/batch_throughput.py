"""What a second worker brings, and what keeping the ledger costs.

    python benchmarks/batch_throughput.py [--rounds 2]

The same batch of talking portraits, soundtracks, voices and texts runs with one worker held to one
core, with one worker that may use both (a portrait is encoded in a second thread), and with two, on a
machine of two cores that does nothing else; the time is that of the whole command, start, loading
and summary included. What the batch itself costs is read from the ledger: the time
of an item less the time of the job within it, and the writing of a line, which is timed apart.
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from batch_jobs import REPOSITORY, SPEECH, ledger, start_batch
from result_file import write_result

from affetto.apps.batch.job import Item, Outcome
from affetto.apps.batch.ledger import Ledger

MUST, MOST_OVERHEAD = 1.7, 0.01
LINES = 500


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/batch/throughput"))
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    manifest = write_mix(options.folder / "jobs")
    runs = []
    for number in range(options.rounds):
        for workers, cores in ((1, 1), (1, 2), (2, 2)):
            out = options.folder / f"out_{workers}_{cores}_{number}"
            runs.append(timed(manifest, out, workers, cores))
            print(runs[-1], flush=True)
    (options.folder / "runs.json").write_text(json.dumps(runs, indent=2))
    line_ms = 1000 * time_of_a_line(options.folder)
    write_result(
        "batch_throughput",
        report(runs, line_ms),
        command=f"python benchmarks/batch_throughput.py --rounds {options.rounds}",
        packages=("torch", "av"),
    )


def write_mix(folder: Path) -> Path:
    """Twenty-four jobs: six talking portraits, four soundtracks, eight voices, six texts."""
    folder.mkdir(parents=True)
    speech, rate = soundfile.read(SPEECH, dtype="float32")
    soundfile.write(folder / "long.wav", np.tile(speech, int(120 * rate / len(speech)) + 1), rate)
    words = (REPOSITORY / "samples/mona_lisa_speaks.txt").read_text()
    photo, film = REPOSITORY / "samples/mona_lisa.jpg", REPOSITORY / "samples/lantern_boat.mp4"
    rows = []
    for number in range(24):
        row = {"id": f"job_{number:02d}"}
        if number % 4 == 0:
            row |= {"do": "talk", "portrait": str(photo), "speech": str(SPEECH), "size": 256}
            row |= {"emotion": ("happy", "sad", "angry")[number % 3], "seed": number}
        elif number % 6 == 1:
            row |= {"do": "soundtrack", "video": str(film), "seed": number}
        elif number % 3 == 2:
            row |= {"do": "recognize", "media": "long.wav", "only": ["voice"]}
        else:
            (folder / f"{number}.txt").write_text(f"{words} {number}")
            row |= {"do": "recognize", "media": f"{number}.txt"}
        rows.append(row)
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return manifest


def timed(manifest: Path, out: Path, workers: int, cores: int) -> dict[str, float]:
    """One run of the command, held to so many cores."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:cores])
    before, started = busy_s(), time.perf_counter()
    process = start_batch(manifest, out, "--workers", str(workers))
    os.sched_setaffinity(0, allowed)
    text = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0, text
    lines = [line for line in ledger(out) if line["state"] == "done"]
    jobs_s = [json.loads((out / line["id"] / "item.json").read_text())["wall_s"] for line in lines]
    return {
        "workers": workers,
        "cores": cores,
        "items": len(lines),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "items_s": sum(line["wall_s"] for line in lines),
        "jobs_s": sum(jobs_s),
        "others": (busy_s() - before - usage.ru_utime - usage.ru_stime) / wall_s,
    }


def busy_s() -> float:
    """CPU seconds that all processes of the machine have had, those of low priority apart."""
    user, _, system = Path("/proc/stat").read_text().split()[1:4]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def time_of_a_line(folder: Path) -> float:
    """Seconds for a line of the ledger, the disk's answer included; the median of many."""
    times = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        book = Ledger(Path(place))
        for number in range(LINES):
            key = f"{number:064x}"
            item = Item(f"job_{number}", number, "talk", {}, key=key, inputs={"a.wav": (1, 2, key)})
            started = time.perf_counter()
            book.add(Outcome(item.id, item.do, key, "done", 1, 1.0), item)
            times.append(time.perf_counter() - started)
        book.close()
    return statistics.median(times)


def report(runs: list[dict[str, float]], line_ms: float) -> str:
    """The result file's text."""
    free, two = (
        min(run["wall_s"] for run in runs if (run["workers"], run["cores"]) == kind)
        for kind in ((1, 2), (2, 2))
    )
    single = min(run["cpu_s"] for run in runs if run["cores"] == 1)
    ones = [run for run in runs if run["workers"] == 1]
    placing_s = statistics.mean((run["items_s"] - run["jobs_s"]) / run["items"] for run in ones)
    item_s = statistics.mean(run["items_s"] / run["items"] for run in ones)
    rows = [
        f"| {run['workers']} | {run['cores']} | {run['items']} | {run['wall_s']:.1f} | "
        f"{60 * run['items'] / run['wall_s']:.1f} | {run['cpu_s']:.1f} | "
        f"{run['cpu_s'] / run['wall_s']:.2f} | {run['others']:.2f} |"
        for run in runs
    ]
    overhead = (placing_s + line_ms / 1000) / item_s
    return "\n".join(
        [
            "# A second worker, and the ledger",
            "",
            "24 jobs: 6 talking portraits of 256x256, 4 soundtracks, 8 voices of two minutes, 6 "
            "texts. Time of the whole command,",
            "starting and loading included. `others`: cores that other processes took meanwhile.",
            "",
            "| workers | cores allowed | jobs | wall s | jobs a minute | CPU s | cores used | others |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Two workers on two cores against one single-threaded worker: {single / two:.2f} times as "
            f"fast (bar {MUST}). The one's time is",
            "taken to be no more than its CPU time, so that what others did to it does not flatter.",
            f"Against one worker that may use the second core too: {free / two:.2f} times.",
            "",
            f"What the batch adds to a job: {1000 * placing_s:.1f} ms to hand it over, bring its "
            f"files to the disk and put them in place, and {line_ms:.1f} ms",
            f"for its line in the ledger (median of {LINES}). Of the {item_s:.1f} s of a job here "
            f"that is {overhead:.2%}; the ledger alone {line_ms / 1000 / item_s:.3%} (bar "
            f"{MOST_OVERHEAD:.0%}).",
        ]
    )


if __name__ == "__main__":
    main()
