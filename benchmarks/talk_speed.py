"""Time and memory of `affetto talk`, from ten seconds of speech to ten minutes.

    python benchmarks/talk_speed.py [PORTRAIT] [SPEECH] [--seconds 10 60 600] [--repeat 3]

The speech is repeated until the seconds are full. Each run is a process of its own. `wall` counts
from the job's start, weights, listening, film, looking at the film again and report included; only
Python's own imports stand outside (column `start`). `after load` are the same job's figures in a
process that has made another portrait talk before, so that all models are loaded. CPU time and peak
resident memory are the operating system's for the whole process. The figures hold only on idle
cores: see the load column.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soundfile
from result_file import write_result

from affetto.apps.talk import run
from affetto.apps.talk_job import Job, Result

SAMPLES = Path(__file__).parent.parent / "samples"
WALL_S, FIRST_S, RSS_MB = 10.0, 2.0, 1500.0


def lengthened(speech: Path, seconds: float, path: Path) -> Path:
    """The speech again and again, `seconds` long."""
    samples, rate = soundfile.read(speech, dtype="float32", always_2d=True)
    soundfile.write(path, np.resize(samples, (round(seconds * rate), samples.shape[1])), rate)
    return path


def run_job(portrait: Path, speech: Path, out: Path) -> dict[str, float]:
    """One `affetto talk` process at 512 pixels."""
    words = ["talk", str(portrait), str(speech), "--out", str(out), "--emotion", "happy"]
    started, load = time.perf_counter(), os.getloadavg()[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "affetto.apps.cli", *words, "--json", "--quiet"],
        stdout=subprocess.PIPE,
    )
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text[-2000:]
    whole_s = time.perf_counter() - started
    result = json.loads(text)
    return {
        "duration_s": result["duration_s"],
        "start_s": whole_s - result["wall_s"],
        "first_s": result["first_frames_s"],
        "wall_s": result["wall_s"],
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_mb": usage.ru_maxrss / 1024,
        "load": max(load, os.getloadavg()[0]),
    }


def run_loaded(portrait: Path, speech: Path, first_speech: Path, out: Path) -> dict[str, float]:
    """The same job in a process that has done a short one."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as worker:
        worker.submit(run, Job(portrait, first_speech, out)).result()
        job = Job(portrait, speech, out, emotion="happy")
        result: Result = worker.submit(run, job).result()
    return {"loaded_first_s": result.first_frames_s, "loaded_wall_s": result.wall_s}


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("portrait", nargs="?", type=Path, default=SAMPLES / "mona_lisa.jpg")
    parser.add_argument("speech", nargs="?", type=Path, default=SAMPLES / "mona_lisa_speaks.flac")
    parser.add_argument("--seconds", type=float, nargs="+", default=[10, 60, 600])
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in options.seconds:
            speech = lengthened(options.speech, seconds, Path(folder) / "speech.wav")
            repeats = options.repeat if seconds <= 60 else 1
            first = lengthened(options.speech, 1.0, Path(folder) / "first.wav")
            out = Path(folder) / "out"
            runs = [
                run_job(options.portrait, speech, out)
                | run_loaded(options.portrait, speech, first, out)
                for _ in range(repeats)
            ]
            middle = {name: float(np.median([run[name] for run in runs])) for name in runs[0]}
            lines.append(_line(middle, repeats))
            print(lines[-1], flush=True)
    write_result(
        "talk_speed",
        "\n".join([*_head(options.portrait.name), *lines]),
        command="python benchmarks/talk_speed.py --seconds "
        + " ".join(f"{seconds:g}" for seconds in options.seconds)
        + f" --repeat {options.repeat}",
        packages=("torch", "av", "numba", "opencv-python-headless"),
    )


def _head(portrait: str) -> list[str]:
    return [
        "# `affetto talk`: time and memory",
        "",
        f"{portrait} at 512 x 512, 25 fps, the sample speech repeated; median of the runs, each a "
        "process of its own. `start` is Python's",
        "imports; `wall` everything after them: weights, photo, listening, motion, film, looking "
        "at the film again, report; `after load`: all models loaded.",
        f"Bars: at 10 s of speech wall <= {WALL_S:g} s, first frames <= {FIRST_S:g} s; peak RSS <= "
        f"{RSS_MB:g} MB and flat. `load`: processes that wanted the cores.",
        "",
        "| speech s | runs | start s | first frames s | wall s | after load: first frames s | "
        "after load: wall s | x real time | CPU s per s | peak RSS MB | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]


def _line(run: dict[str, float], repeats: int) -> str:
    length_s = run["duration_s"]
    return (
        f"| {length_s:.0f} | {repeats} | {run['start_s']:.1f} | {run['first_s']:.1f} | "
        f"{run['wall_s']:.1f} | {run['loaded_first_s']:.1f} | {run['loaded_wall_s']:.1f} | "
        f"{length_s / run['wall_s']:.1f} | {run['cpu_s'] / length_s:.2f} | "
        f"{run['rss_mb']:.0f} | {run['load']:.1f} |"
    )


if __name__ == "__main__":
    main()
