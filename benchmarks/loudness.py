"""Loudness and true peak of made soundtracks: what was asked against what a second meter says.

    python benchmarks/loudness.py [--seconds 24]

Twelve pieces by the arranger's own instruments (no film, no network), each mixed at -14, -16 and -23 LUFS with and without
speech-like film sound. Checked on the written mix.wav by other code than wrote it: pyloudnorm on the whole file, and the true
peak by one 8x oversampling of the whole file (the writer uses its own streaming meter and 4x).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
import soxr
from result_file import write_result

from affetto.gen.music.mix import MixSettings, render_soundtrack
from affetto.gen.music.synth import choose_synth
from affetto.soundtrack import Dynamics, Note, Part, Soundtrack

RATE = 44_100
TARGETS = (-14.0, -16.0, -23.0)
PROGRESSION = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))
NOTHING = Dynamics(np.zeros(0), np.zeros(0), np.zeros(0))
# name: ((part, General MIDI program, notes a second, octave, velocity) ...); program None is the kit.
PIECES = {
    "full band": (("piano", 0, 4, 4, 85), ("bass", 33, 2, 2, 90), ("strings", 48, 0.5, 5, 70), ("drums", None, 4, 0, 95)),
    "six parts, loud": (
        ("piano", 0, 6, 4, 115), ("bass", 38, 4, 2, 115), ("strings", 48, 1, 5, 110), ("horn", 60, 1, 4, 110), ("trumpet", 56, 2, 5, 115), ("drums", None, 8, 0, 120),
    ),
    "drums alone": (("drums", None, 4, 0, 110),),
    "drums, busy and soft": (("drums", None, 10, 0, 45),),
    "solo piano, sparse": (("piano", 0, 0.5, 5, 60),),
    "solo flute": (("flute", 73, 1, 5, 80),),
    "glockenspiel": (("glockenspiel", 9, 3, 6, 100),),
    "pad, very soft": (("pad", 89, 0.25, 4, 25),),
    "bass alone": (("bass", 33, 2, 2, 100),),
    "choir and timpani": (("choir", 52, 0.5, 4, 80), ("timpani", 47, 0.5, 2, 120)),
    "guitar and saxophone": (("guitar", 24, 4, 4, 90), ("saxophone", 65, 2, 4, 95)),
    "two notes in all": (("piano", 0, 0.08, 4, 100),),
}  # fmt: skip


def compose(parts: tuple, duration_s: float, *, seed: int) -> Soundtrack:
    """A piece over four chords with seeded velocities and drum pitches."""
    rng, made = np.random.default_rng(seed), []
    for name, program, rate, octave, velocity in parts:
        notes = []
        for start in np.arange(0.0, duration_s - 0.05, 1 / rate):
            chord = PROGRESSION[int(start / 2) % 4]
            pitches = (
                rng.choice((36, 38, 42, 46, 49), 2)
                if program is None
                else [12 * octave + 12 + p for p in chord]
            )
            if rate >= 1 and program not in (None, 48, 52):
                pitches = [pitches[len(notes) % len(pitches)]]
            for pitch in dict.fromkeys(pitches):
                louder = int(np.clip(velocity + rng.integers(-12, 13), 1, 127))
                notes.append(
                    Note(
                        float(start), float(min(duration_s, start + 0.9 / rate)), int(pitch), louder
                    )
                )
        made.append(Part(name, program or 0, program is None, tuple(notes)))
    return Soundtrack(duration_s, "C", (), (), tuple(made), NOTHING, ())


def speech_like(duration_s: float):
    """Blocks of voiced syllables in every other four seconds over faint noise."""
    rng = np.random.default_rng(5)
    for second in range(int(np.ceil(duration_s))):
        time_s = second + np.arange(RATE) / RATE
        voice = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 24))
        syllables = np.maximum(0, np.sin(2 * np.pi * 2.1 * time_s)) ** 0.7 * (second % 8 < 4)
        sound = 0.12 * voice * syllables + 0.0005 * rng.normal(size=RATE)
        yield np.stack([sound, sound]).astype(np.float32)


def check(path: Path) -> tuple[float, float]:
    """(integrated LUFS by pyloudnorm, true peak in dBTP by 8x) of a whole file."""
    sound, rate = soundfile.read(path)
    fine = soxr.resample(sound, rate, 8 * rate, quality="VHQ")
    return pyloudnorm.Meter(rate).integrated_loudness(sound), 20 * np.log10(np.abs(fine).max())


def control(music: Soundtrack, folder: Path, synth) -> tuple[float, float]:
    """The sum of the stems at the level they were played, not normalised and not limited."""
    report = render_soundtrack(music, folder, synth=synth, settings=MixSettings(target_lufs=-30.0))
    stems = sum(soundfile.read(path)[0] for path in (folder / "stems").iterdir())
    sound = stems * 10 ** (-(report.music_gain_db + report.stems_gain_db) / 20)
    soundfile.write(folder / "control.wav", sound, RATE, subtype="FLOAT")
    return check(folder / "control.wav")


def speed(minutes: float, speaking: bool) -> tuple[float, float]:
    """(CPU seconds, peak RSS in MB) of a fresh process that mixes the six-part piece."""
    command = [
        sys.executable,
        __file__,
        "--only",
        str(minutes),
        *(["--speaking"] if speaking else []),
    ]
    cpu, rss = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(cpu), float(rss)


def one(minutes: float, speaking: bool) -> None:
    """The measured process of `speed`."""
    music, synth = compose(PIECES["six parts, loud"], 60 * minutes, seed=0), choose_synth()
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        original = speech_like(60 * minutes) if speaking else None
        render_soundtrack(music, Path(folder), synth=synth, original=original)
    # ru_maxrss would be the parent's, where that is larger: it outlives fork and exec.
    status = Path("/proc/self/status").read_text()
    print(time.process_time() - started, int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def main() -> None:
    """Measure and write the result file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--only", type=float)
    parser.add_argument("--speaking", action="store_true")
    options = parser.parse_args()
    if options.only:
        return one(options.only, options.speaking)
    synth, rows, errors, peaks, controls = choose_synth(), [], [], [], []
    for number, (name, parts) in enumerate(PIECES.items()):
        music = compose(parts, options.seconds, seed=number)
        with tempfile.TemporaryDirectory() as folder:
            played = control(music, Path(folder), synth)
        controls.append(played)
        cells = []
        for speaking in (False, True):
            for target in TARGETS:
                with tempfile.TemporaryDirectory() as folder:
                    original = speech_like(options.seconds) if speaking else None
                    report = render_soundtrack(
                        music,
                        Path(folder),
                        synth=synth,
                        original=original,
                        settings=MixSettings(target_lufs=target),
                    )
                    lufs, peak = check(Path(folder) / "mix.wav")
                errors.append(lufs - target)
                peaks.append(peak)
                cells.append(f"{lufs - target:+.2f} / {peak:.2f} / {report.limited_db:.1f}")
        rows.append(f"| {name} | {played[0]:.1f} / {played[1]:.1f} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    away = [abs(lufs - target) for lufs, _ in controls for target in TARGETS]
    lines = [
        "# Loudness and true peak of the mix",
        "",
        f"Data: 12 made pieces of {options.seconds:g} s (seeds 0..11, see the script), synth {synth.name}, {RATE} Hz, 24 bit. Each cell: error in LU",
        "of pyloudnorm on the whole file against the target / true peak in dBTP by one 8x oversampling of the whole file / the limiter's",
        "greatest reduction in dB. `as played` is the control: the stems' sum before normalising and limiting (LUFS / dBTP).",
        "Bar: within 0.5 LU, true peak <= -1 dBTP.",
        "",
        f"- largest error: **{max(np.abs(errors)):.3f} LU** over {len(errors)} mixes (control, as played: mean {np.mean(away):.1f}, largest {max(away):.1f} LU)",
        f"- highest true peak: **{max(peaks):.2f} dBTP** (control, as played: {max(peak for _, peak in controls):.2f} dBTP)",
        "",
        "| piece | as played | -14 | -16 | -23 | -14, film speaks | -16, film speaks | -23, film speaks |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *rows,
        "",
        "## Cost",
        "Six parts, one process each, one thread, imports not counted in CPU seconds but in memory.",
        "",
        "| film | film sound | CPU s | peak RSS MB |",
        "| --- | --- | --- | --- |",
    ]
    for minutes, speaking in ((1, False), (1, True), (10, True)):
        cpu, rss = speed(minutes, speaking)
        lines.append(
            f"| {minutes} min | {'speech-like' if speaking else 'none'} | {cpu:.1f} | {rss:.0f} |"
        )
    write_result(
        "loudness",
        "\n".join(lines),
        command="python benchmarks/loudness.py",
        packages=("numpy", "pyloudnorm", "soxr"),
    )


if __name__ == "__main__":
    main()
