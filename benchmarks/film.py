"""Time, memory, length, loudness and cuts of the whole soundtrack job on films of 1 and 10 minutes.

    python benchmarks/film.py [--minutes 1 10] [--repeats 3]

Each run is its own process on the sample film (packets repeated to length); wall time, CPU time and
peak resident memory
are the operating system's for that process, imports included.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
from result_file import write_result

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "lantern_boat.mp4"


def repeat_film(source: Path, seconds: float, out: Path) -> None:
    """Write `source`'s packets again and again until `seconds` are full, without decoding."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(av.open(str(out), "w"))
        streams, offset = {}, 0.0
        while offset < seconds:
            film = stack.enter_context(av.open(str(source)))
            length = film.duration / av.time_base
            for stream in film.streams:
                streams.setdefault(stream.index, target.add_stream_from_template(stream))
            for packet in film.demux():
                if packet.dts is None:
                    continue
                at = offset + float(packet.pts * packet.time_base)
                if at >= seconds:
                    continue
                shift = round(offset / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
            offset += length


def run_job(film: Path, out: Path) -> dict:
    """One `affetto soundtrack` process; its own JSON plus what the system measured of it."""
    command = [
        sys.executable,
        "-m",
        "affetto.apps.cli",
        "soundtrack",
        str(film),
        "--out",
        str(out),
        "--seed",
        "7",
        "--json",
        "--quiet",
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    return json.loads(text) | {
        "process_wall_s": time.perf_counter() - started,
        "process_cpu_s": usage.ru_utime + usage.ru_stime,
        "process_rss_mb": usage.ru_maxrss / 1024,
    }


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 10])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            film = Path(folder) / f"film_{minutes:g}.mp4"
            repeat_film(SAMPLE, 60 * minutes, film)
            repeats = options.repeats if minutes <= 1 else 1
            runs = [
                run_job(film, Path(folder) / f"out_{minutes:g}_{index}") for index in range(repeats)
            ]
            rows.append((minutes, runs))
            print(minutes, [round(run["process_wall_s"], 1) for run in runs], flush=True)
    write_result("film", _page(rows), command="python benchmarks/film.py", packages=("torch", "av"))


def _page(rows: list) -> str:
    lines = [
        "# The whole job on a film: time, memory, length, loudness",
        "",
        "Data: samples/lantern_boat.mp4 (1280x720, 24 fps, ours), its packets repeated to the length named. Every run is a",
        "fresh process with all outputs on; wall time includes imports. `wall after start` is the job's own clock. Median",
        "of the runs; peak memory is the largest.",
        "",
        "| film | runs | wall s | wall after start s | CPU s | peak RSS MB | length error ms | LUFS (target -16) | true peak dBTP | strong cuts hit | chance |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for minutes, runs in rows:
        middle = {
            key: statistics.median(run[key] for run in runs)
            for key in runs[0]
            if isinstance(runs[0][key], float)
        }
        lines.append(
            f"| {minutes:g} min | {len(runs)} | {middle['process_wall_s']:.1f} | {middle['wall_s']:.1f} | "
            f"{middle['process_cpu_s']:.1f} | {max(run['process_rss_mb'] for run in runs):.0f} | "
            f"{middle['music_duration_error_ms']:.2f} | {middle['integrated_lufs']:.2f} | {middle['true_peak_dbtp']:.2f} | "
            f"{middle['strong_cuts_hit']:.0%} | {middle['strong_cuts_chance']:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
