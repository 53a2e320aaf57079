"""Time, memory, length, loudness and cuts of the whole soundtrack job on films of 1 and 10 minutes.

    python benchmarks/film.py [--minutes 1 10] [--repeats 3]

Each run is its own process on the sample film (packets repeated to length); wall time, CPU time
and peak resident memory are the operating system's for that process, imports included.
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
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from result_file import write_result

from affetto.clip import Clip
from affetto.media_write import write_clip

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "lantern_boat.mp4"
GAP_S = 0.25  # of standing picture between two rounds: decoding times must rise


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
            offset += length + GAP_S


def small_film(out: Path) -> None:
    """The sample film's first minute at 160x90, 8 frames a second, with its sound."""
    clip = Clip.open(SAMPLE)
    pictures = (
        picture for index, (_, picture) in enumerate(clip.frames(size=(160, 90))) if index % 3 == 0
    )
    sound = np.concatenate(list(clip.audio_blocks(sample_rate=22_050)), axis=1)
    write_clip(pictures, Fraction(8), out, wav=sound, sample_rate=22_050)


def run_job(film: Path, out: Path, *, signed: bool = True) -> dict:
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
        *([] if signed else ["--no-provenance"]),
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
    parser.add_argument("--small-minutes", nargs="*", type=float, default=[10, 30])
    options = parser.parse_args()
    rows: list = []
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            film = Path(folder) / f"film_{minutes:g}.mp4"
            repeat_film(SAMPLE, 60 * minutes, film)
            repeats = options.repeats if minutes <= 1 else 1
            runs = [
                run_job(film, Path(folder) / f"out_{minutes:g}_{index}") for index in range(repeats)
            ]
            rows.append((f"{minutes:g} min", runs))
            print(minutes, [round(run["process_wall_s"], 1) for run in runs], flush=True)
        small = Path(folder) / "small.mp4"
        small_film(small)
        for minutes in options.small_minutes:
            film = Path(folder) / f"small_{minutes:g}.mp4"
            repeat_film(small, 60 * minutes, film)
            for signed, words in ((True, ""), (False, ", not signed")):
                run = run_job(film, Path(folder) / f"small_{minutes:g}_{signed}", signed=signed)
                rows.append((f"{minutes:g} min, 160x90, 8 fps{words}", [run]))
                print(minutes, f"small{words}", round(run["process_wall_s"], 1), flush=True)
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
    for name, runs in rows:
        middle = {
            key: statistics.median(run[key] for run in runs)
            for key in runs[0]
            if isinstance(runs[0][key], float)
        }
        lines.append(
            f"| {name} | {len(runs)} | {middle['process_wall_s']:.1f} | {middle['wall_s']:.1f} | "
            f"{middle['process_cpu_s']:.1f} | {max(run['process_rss_mb'] for run in runs):.0f} | "
            f"{middle['music_duration_error_ms']:.2f} | {middle['integrated_lufs']:.2f} | {middle['true_peak_dbtp']:.2f} | "
            f"{middle['strong_cuts_hit']:.0%} | {middle['strong_cuts_chance']:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
