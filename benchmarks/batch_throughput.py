"""What a second worker brings, and what keeping the ledger costs.

    python benchmarks/batch_throughput.py [--rounds 2]

The same batch of talking portraits, soundtracks, voices and texts runs with one worker and with two,
in turns, on a machine of two cores that does nothing else; the time is that of the whole command,
start, loading and summary included. What the batch itself costs is read from the ledger: the time
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
        for workers in (1, 2):
            runs.append(timed(manifest, options.folder / f"out_{workers}_{number}", workers))
            print(runs[-1], flush=True)
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


def timed(manifest: Path, out: Path, workers: int) -> dict[str, float]:
    """One run of the command."""
    load, started = os.getloadavg()[0], time.perf_counter()
    process = start_batch(manifest, out, "--workers", str(workers))
    text = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    assert os.waitstatus_to_exitcode(status) == 0, text
    lines = [line for line in ledger(out) if line["state"] == "done"]
    jobs_s = [json.loads((out / line["id"] / "item.json").read_text())["wall_s"] for line in lines]
    return {
        "workers": workers,
        "items": len(lines),
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "items_s": sum(line["wall_s"] for line in lines),
        "jobs_s": sum(jobs_s),
        "load": load,
    }


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
    ones, twos = ([run for run in runs if run["workers"] == count] for count in (1, 2))
    faster = [one["wall_s"] / two["wall_s"] for one, two in zip(ones, twos, strict=True)]
    placing_s = statistics.mean((run["items_s"] - run["jobs_s"]) / run["items"] for run in ones)
    item_s = statistics.mean(run["items_s"] / run["items"] for run in ones)
    rows = [
        f"| {run['workers']} | {run['items']} | {run['wall_s']:.1f} | "
        f"{60 * run['items'] / run['wall_s']:.1f} | {run['cpu_s']:.1f} | "
        f"{run['cpu_s'] / run['wall_s']:.2f} | {run['load']:.1f} |"
        for run in runs
    ]
    overhead = (placing_s + line_ms / 1000) / item_s
    return "\n".join(
        [
            "# A second worker, and the ledger",
            "",
            "24 jobs: 6 talking portraits of 256x256, 4 soundtracks, 8 voices of two minutes, 6 "
            "texts. Time of the whole command,",
            "starting and loading included. `load`: how many other processes wanted the two cores "
            "just before.",
            "",
            "| workers | jobs | wall s | jobs a minute | CPU s | cores used | load |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Two workers against one: {', '.join(f'{one:.2f}' for one in faster)} times as fast "
            f"(bar {MUST}).",
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
