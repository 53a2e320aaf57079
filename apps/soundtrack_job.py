"""What `affetto soundtrack` is asked and what it answers."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affetto.errors import UsageError
from affetto.gen.music.chord_names import key_name
from affetto.gen.music.keys import parse_key

if TYPE_CHECKING:
    from affetto.gen.music.alignment import HitMet
    from affetto.gen.music.candidates import Candidate
    from affetto.gen.music.loop import Loop

MAX_CANDIDATES = 32
LOUDNESS = (-40.0, -10.0)
EARLY = ".preview.wav"  # added to the result's name: the first bars, while the rest is played


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto soundtrack --help`)."""

    video: Path
    out: Path
    emotion: str = "auto"
    seed: int = 0
    key: str | None = None
    tempo_bpm: float | None = None
    instruments: tuple[str, ...] | None = None
    style: str | None = None
    loudness_lufs: float = -16.0
    length_s: float | None = None
    original_sound: bool = True
    hits: str = "cuts"
    chords: Path | None = None
    candidates: int = 1
    loop: bool = False
    edit: Path | None = None
    bars: str | None = None
    swap: tuple[str, ...] | None = None
    mute: tuple[str, ...] | None = None
    soundfont: Path | None = None
    weights: str = "default"
    clip_model: str | None = None
    threads: int | None = None
    provenance: bool = True

    def __post_init__(self) -> None:
        """Refuse what no music can be; keys and tempos are parsed where they are used."""
        if not LOUDNESS[0] <= self.loudness_lufs <= LOUDNESS[1]:
            raise UsageError(
                f"--loudness {self.loudness_lufs:g}: give {LOUDNESS[0]:g} to {LOUDNESS[1]:g} LUFS"
            )
        for name in ("bars", "swap", "mute"):
            if getattr(self, name) is not None and self.edit is None:
                raise UsageError(f"--{name} needs --edit, the folder of the soundtrack to change")
        if self.edit is not None and self.edit.resolve() == self.out.resolve():
            raise UsageError("--edit and --out are the same folder: give another --out")
        if self.seed < 0:
            raise UsageError(f"--seed {self.seed}: give 0 or more")
        if self.weights == "clean" and self.candidates > 1:
            raise UsageError(
                "--candidates needs a recognizer that learned from data for research use, which "
                "--weights clean does without: leave one of them out"
            )
        if not 1 <= self.candidates <= MAX_CANDIDATES:
            raise UsageError(f"--candidates {self.candidates}: give 1 to {MAX_CANDIDATES}")

    def command(self) -> str:
        """The command line that repeats this job."""
        words = [
            "affetto",
            "soundtrack",
            str(self.video),
            "--seed",
            str(self.seed),
            "--emotion",
            self.emotion,
        ]
        for flag, value in (
            ("--key", self.key),
            ("--tempo", self.tempo_bpm),
            ("--instruments", ",".join(self.instruments) if self.instruments else None),
            ("--style", self.style),
            ("--length", self.length_s),
            ("--chords", self.chords),
            ("--edit", self.edit),
            ("--bars", self.bars),
            ("--swap", ",".join(self.swap) if self.swap else None),
            ("--mute", ",".join(self.mute) if self.mute else None),
            ("--soundfont", self.soundfont),
            ("--clip-model", self.clip_model),
        ):
            words += [flag, str(value)] if value is not None else []
        words += ["--loudness", f"{self.loudness_lufs:.15g}"] if self.loudness_lufs != -16 else []
        words += ["--candidates", str(self.candidates)] if self.candidates > 1 else []
        words += ["--loop"] if self.loop else []
        words += ["--weights", self.weights] if self.weights != "default" else []
        words += ["--no-original-sound"] if not self.original_sound else []
        words += ["--hits", self.hits] if self.hits != "cuts" else []
        words += ["--no-provenance"] if not self.provenance else []
        return shlex.join(words)


@dataclass(frozen=True)
class Result:
    """What came of a job: where the files are and what was measured."""

    folder: str
    files: tuple[str, ...]
    duration_s: float
    music_s: float
    music_duration_error_ms: float
    key: str
    bpm_range: tuple[float, float]
    integrated_lufs: float
    true_peak_dbtp: float
    strong_cuts_hit: float | None
    strong_cuts_chance: float
    synth: str
    seed: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    command: str
    notices: tuple[str, ...]
    candidates: tuple["Candidate", ...] = ()
    loop: "Loop | None" = None
    hits: tuple["HitMet", ...] = ()


def summary(result: Result) -> str:
    """The result in a few lines for a terminal."""
    low, high = result.bpm_range
    return "\n".join(
        (
            f"Music of {result.music_s:.2f} s in {key_name(parse_key(result.key))}, "
            f"{low:.0f}-{high:.0f} bpm, "
            f"seed {result.seed}",
            f"  length against film   {result.music_duration_error_ms:.1f} ms",
            f"  loudness              {result.integrated_lufs:.1f} LUFS, "
            f"true peak {result.true_peak_dbtp:.1f} dBTP",
            f"  strong cuts hit       {_share(result.strong_cuts_hit)} "
            f"(chance {result.strong_cuts_chance:.0%})",
            *(f"  hit                   {line}" for line in hit_lines(result.hits)),
            f"  synthesizer           {result.synth}",
            *(f"  candidate             {line}" for line in candidate_lines(result.candidates)),
            *([f"  loop                  {loop_line(result.loop)}"] if result.loop else []),
            f"  time                  {result.wall_s:.1f} s wall, {result.cpu_s:.1f} s CPU, "
            f"{result.peak_rss_mb:.0f} MB at most",
            f"Files in {result.folder}:",
            *(f"  {name}" for name in result.files),
            *(f"Note: {notice}" for notice in result.notices),
            f"Open {result.folder}/report.html to see and hear it.",
        )
    )


def candidate_lines(candidates: Sequence["Candidate"]) -> list[str]:
    """A line for each candidate, best first."""
    return [
        f"seed {one.seed}: {one.distance:.2f} from what was asked"
        + ("" if one.concordance is None else f", concordance {one.concordance:.2f}")
        for one in candidates
    ]


def hit_lines(hits: Sequence["HitMet"]) -> list[str]:
    """A line for each of the user's moments: what meets it, and how exactly."""
    return [
        f"{one.time_s:.3f} s{f' ({one.name})' if one.name else ''}: "
        + (
            f"{one.on} {one.bar}.{one.beat}, {one.error_ms:+.1f} ms"
            if one.on != "nothing"
            else f"not met; the nearest beat is {one.bar}.{one.beat}, {one.error_ms:+.0f} ms"
        )
        for one in hits
    ]


def loop_line(loop: "Loop") -> str:
    """A loop in words."""
    return (
        f"bars {loop.first_bar}-{loop.last_bar}, {loop.duration_s:.2f} s, "
        f"{loop.integrated_lufs:.1f} LUFS; at its seam the wave steps by {loop.seam.jump:.0%} of "
        f"its largest step, the spectrum changes {loop.seam.flux:.1f} times as at other bar lines"
    )


def _share(value: float | None) -> str:
    return "no cuts" if value is None else f"{value:.0%}"
