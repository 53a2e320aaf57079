"""Time and memory of `affetto recognize` on a long talking clip.

    python benchmarks/recognize_speed.py CLIP [CLIP ...] [--minutes 10] [--threads 2]

CLIP is any film with a face that talks; its packets are repeated until the minutes are full. Each
run is a process of its own: wall time, CPU time and peak resident memory are the operating
system's for it, imports and loading of the weights included. Where other work shares the cores the
wall time is theirs too; CPU time then says what the job itself costs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from film import repeat_film
from result_file import write_result

from affetto.clip import Clip

MODALITIES = ("voice,face,scene", "voice", "face", "scene")
MUST, AIM, RSS_MB = 5, 15, 1500


def run_job(film: Path, only: str, threads: int) -> dict[str, float]:
    """One `affetto recognize` process."""
    words = ["recognize", str(film), "--only", only, "--threads", str(threads), "--json", "--quiet"]
    started, load = time.perf_counter(), os.getloadavg()[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "affetto.apps.cli", *words],
        stdout=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text[-2000:]
    (file,) = json.loads(text)["files"]
    return {
        "duration_s": file["duration_s"],
        "faces": sum(row["modality"] == "face" for row in file["rows"]),
        "wall_s": time.perf_counter() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_mb": usage.ru_maxrss / 1024,
        "load": max(load, os.getloadavg()[0]),
    }


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(options.clips):
            film = Path(folder) / f"long_{number}{clip.suffix}"
            repeat_film(clip, 60 * options.minutes, film)
            shown = Clip.open(film)
            for only in MODALITIES:
                run = run_job(film, only, options.threads)
                lines.append(_line(f"{shown.width}x{shown.height}, {shown.fps} fps", only, run))
                print(lines[-1], flush=True)
    write_result(
        "recognize_speed",
        "\n".join([*_head(options.minutes, options.threads), *lines]),
        command=f"python benchmarks/recognize_speed.py CLIP ... --minutes {options.minutes:g} "
        f"--threads {options.threads}",
        packages=("torch", "av", "ai-edge-litert"),
    )


def _head(minutes: float, threads: int) -> list[str]:
    return [
        "# `affetto recognize` on a long talking clip: time and memory",
        "",
        f"Clips of talking heads that are not published, packets repeated to {minutes:g} minutes; "
        f"--threads {threads}, one process a run,",
        "imports and loading included. `x real time` is duration / wall; `on free cores` is "
        "duration / (CPU time / 2), what",
        "the wall time would be at best if nothing else ran: the load column says how many "
        "processes wanted the 2 cores meanwhile.",
        f"Bars: must {MUST}x, aim {AIM}x real time, at most {RSS_MB} MB, all modalities.",
        "",
        "| clip | modalities | duration s | faces | wall s | x real time | CPU s | on free cores | "
        "peak RSS MB | load |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]


def _line(clip: str, only: str, run: dict[str, float]) -> str:
    length_s = run["duration_s"]
    return (
        f"| {clip} | {only} | {length_s:.0f} | {run['faces']} | {run['wall_s']:.1f} | "
        f"{length_s / run['wall_s']:.1f} | {run['cpu_s']:.1f} | {2 * length_s / run['cpu_s']:.1f} | "
        f"{run['rss_mb']:.0f} | {run['load']:.1f} |"
    )


if __name__ == "__main__":
    main()
