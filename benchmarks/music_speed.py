"""Whole-process profile of music alone: composed, arranged, played, mixed with stems, notes written; no film is read.

    python benchmarks/music_speed.py [--seconds 60 300] [--repeats 3] [--threads 2]

Each run is its own process; wall and CPU time and peak memory are the operating system's, imports included. The film is stood in for by its
emotion (four moods) and a cut every 6.3 s.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from result_file import write_result

MOODS = ((0.0, "calm"), (0.2, "happy"), (0.5, "sad"), (0.75, "excited"))
STAGES = (
    "import", "load nets", "first bars", "compose and arrange the rest", "play and mix, with stems",
    "MIDI, chords, lead sheet", "content hash",
)  # fmt: skip


def one_run(seconds: float, threads: int, seed: int) -> None:
    """The job, in a process of its own; prints its stages as JSON."""
    started, cpu = time.perf_counter(), time.process_time()
    stages: dict[str, tuple[float, float]] = {}

    def lap(name: str) -> None:
        nonlocal started, cpu
        now, spent = time.perf_counter(), time.process_time()
        stages[name] = (now - started, spent - cpu)
        started, cpu = now, spent

    import numpy as np
    import torch

    from affetto.apps.soundtrack import SAMPLE_RATE, models_of
    from affetto.apps.soundtrack_files import write_notes
    from affetto.emotion_bank.bank import request_to_track
    from affetto.gen.music.mix import MixSettings, render_soundtrack
    from affetto.gen.music.opening import write_opening
    from affetto.gen.music.pipeline import ComposeOptions, compose
    from affetto.gen.music.synth import choose_synth
    from affetto.provenance import content_hash, wav_blocks
    from affetto.request import parse_request
    from affetto.soundtrack import Cut, Soundtrack

    torch.set_num_threads(1)  # as the job does while it composes
    lap("import")
    models = models_of("default")
    lap("load nets")
    words = "; ".join(f"{share * seconds:g}={mood}" for share, mood in MOODS)
    wanted = request_to_track(parse_request(words), duration_s=seconds)
    cuts = tuple(Cut(float(time_s), 0.5) for time_s in np.arange(6.3, seconds - 5, 6.3))
    synth, settings = choose_synth(), MixSettings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def first_bars(piece: Soundtrack) -> None:
            early = folder / "early.wav"
            write_opening(piece, early, synth=synth, settings=settings, sample_rate=SAMPLE_RATE)
            lap("first bars")

        music = compose(
            {}, wanted, cuts, duration_s=seconds, models=models,
            options=ComposeOptions(seed=seed), begun=first_bars,
        )  # fmt: skip
        lap("compose and arrange the rest")
        render_soundtrack(music, folder, synth=synth, settings=settings, sample_rate=SAMPLE_RATE)
        lap("play and mix, with stems")
        write_notes(music, folder)
        lap("MIDI, chords, lead sheet")
        content_hash(soundtrack=music, audio={"mix": wav_blocks(folder / "mix.wav")})
        lap("content hash")
    print(json.dumps({"stages": stages, "parts": len(music.parts), "synth": synth.name}))


def measured(seconds: float, threads: int, seed: int) -> dict:
    """One process and what the system says of it; the share of both cores that others took meanwhile."""
    started, before = time.perf_counter(), _busy_s()
    command = [
        sys.executable,
        __file__,
        "--one",
        str(seconds),
        "--threads",
        str(threads),
        "--seed",
        str(seed),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, text
    wall, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    others = max(0.0, _busy_s() - before - cpu) / (wall * os.cpu_count())
    return json.loads(text) | {
        "wall_s": wall,
        "cpu_s": cpu,
        "rss_mb": usage.ru_maxrss / 1024,
        "others": others,
    }


def _busy_s() -> float:
    """CPU seconds that all processes of this machine have used."""
    user, nice, system = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", nargs="+", type=float, default=[60, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", type=float)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.one:
        one_run(options.one, options.threads, options.seed)
        return
    lines = [
        "# Music alone: where the time goes",
        "",
        f"Seeds 0 to {options.repeats - 1}, one process each, {options.threads} threads. Median over the runs: wall seconds / CPU seconds. First bars:",
        "composing and playing eight bars before the rest is composed, until their wav file is whole.",
        "`others` is the share of both cores that other processes took meanwhile: wall times hold where it is small.",
        "",
    ]
    columns = [
        [measured(seconds, options.threads, seed) for seed in range(options.repeats)]
        for seconds in options.seconds
    ]
    names = [
        f"{seconds:g} s of music, {runs[0]['parts']} parts"
        for seconds, runs in zip(options.seconds, columns, strict=True)
    ]
    lines += [f"| stage | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for stage in STAGES:
        cells = [_pair([run["stages"][stage] for run in runs]) for runs in columns]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    total = [_pair([(run["wall_s"], run["cpu_s"]) for run in runs]) for runs in columns]
    lines.append(f"| **whole process** | {' | '.join(total)} |")
    for words, stages in (
        ("composed, arranged, played, mixed with stems", STAGES[2:5]),
        ("first bars, from the start of the process", STAGES[:3]),
    ):
        cells = [
            _pair(
                [
                    tuple(sum(run["stages"][stage][i] for stage in stages) for i in (0, 1))
                    for run in runs
                ]
            )
            for runs in columns
        ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    memory = [f"{max(run['rss_mb'] for run in runs):.0f}" for runs in columns]
    others = [f"{statistics.median(run['others'] for run in runs):.0%}" for runs in columns]
    lines.append(f"| peak memory, MB | {' | '.join(memory)} |")
    lines.append(f"| others | {' | '.join(others)} |")
    lines += [
        "",
        f"Played by {columns[0][0]['synth']}. Bars: 300 s in 15 s or less, first bars in 2 s or less.",
    ]
    write_result("music_speed", "\n".join(lines), command="python benchmarks/music_speed.py")


def _pair(pairs: list) -> str:
    wall, cpu = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
    return f"{wall:.2f} / {cpu:.2f}"


if __name__ == "__main__":
    main()
