"""What `affetto talk` is asked and what it answers."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.errors import UsageError
from affetto.gen.music.chord_names import key_name
from affetto.gen.music.keys import parse_key
from affetto.gen.portrait.hearing import Heard
from affetto.gen.portrait.pipeline import Gaze, Head, TalkOptions
from affetto.gen.portrait.render.portrait import Portrait
from affetto.motion import Motion
from affetto.motion_file import SUFFIXES
from affetto.weights import Weights

BLINK_SHUT = 0.5  # of eyeBlink: above it an eye counts as shut
SIZES = (128, 1536)
WHOLE = "photo"
MUSIC = "music"  # the folder of the music's files, beside the film
RATES = (5.0, 60.0)


def parse_size(word: str) -> int | None:
    """--size: a side in pixels, or 'photo' (None).

    Raises:
        UsageError: neither.
    """
    if word.strip().casefold() == WHOLE:
        return None
    if not word.strip().isdecimal():
        raise UsageError(f"--size {word}: give {SIZES[0]} to {SIZES[1]} pixels, or {WHOLE}")
    return int(word)


def check_options(options: TalkOptions, *, fps: float, size: int | None) -> None:
    """Refuse what is out of range.

    Raises:
        UsageError: says which, and what may be given.
    """
    for name, value, low, high in (
        ("--strength", options.strength, 0, 1.5),
        ("--speech-guidance", options.speech_guidance, 0, 4),
        ("--emotion-guidance", options.emotion_guidance, 0, 4),
        ("--liveliness", options.liveliness, 0, 2),
        ("--blink", options.blinks_per_minute or 0, 0, 60),
        ("--fps", fps, *RATES),
        ("--size", SIZES[0] if size is None else size, *SIZES),
    ):
        if not low <= value <= high:
            raise UsageError(f"{name} {value:g}: give {low:g} to {high:g}")
    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: give 0 or more")
    if options.head not in get_args(Head) or options.gaze not in get_args(Gaze):
        raise UsageError(
            f"--head is one of {', '.join(get_args(Head))} and --gaze one of "
            f"{', '.join(get_args(Gaze))}, got {options.head} and {options.gaze}"
        )


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto talk --help`).

    A size of None is the whole photo at its own resolution.
    """

    portrait: Path
    speech: Path
    out: Path
    emotion: str = "auto"
    strength: float = 1.0
    speech_guidance: float = 1.0
    emotion_guidance: float = 1.0
    liveliness: float = 1.0
    head: Head = "natural"
    gaze: Gaze = "natural"
    blink: float | None = None
    seed: int = 0
    fps: float = 25.0
    size: int | None = 512
    face: int | None = None
    face_net: Path | None = None
    text: str | None = None
    motion_in: Path | None = None
    motion_out: Path | None = None
    music: bool = False
    weights: str = "default"
    label: bool = True
    provenance: bool = True

    def __post_init__(self) -> None:
        """Refuse what no portrait can be made of; the command line's own limits come first."""
        check_options(self.options, fps=self.fps, size=self.size)
        if self.motion_out and self.motion_out.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--motion-out {self.motion_out}: give one of {', '.join(SUFFIXES)}")

    @property
    def options(self) -> TalkOptions:
        """What the motion side is told."""
        return TalkOptions(
            seed=self.seed,
            strength=self.strength,
            speech_guidance=self.speech_guidance,
            emotion_guidance=self.emotion_guidance,
            liveliness=self.liveliness,
            head=self.head,
            gaze=self.gaze,
            blinks_per_minute=self.blink,
        )

    def command(self) -> str:
        """The command line that repeats this job."""
        plain = Job(self.portrait, self.speech, self.out)
        words = ["affetto", "talk", str(self.portrait), str(self.speech)]
        words += ["--emotion", self.emotion, "--seed", str(self.seed)]
        for name in (
            "strength", "speech_guidance", "emotion_guidance", "liveliness", "head", "gaze",
            "blink", "fps", "size", "face", "face_net", "text", "motion_in", "weights",
        ):  # fmt: skip
            value = getattr(self, name)
            if value != getattr(plain, name):
                shown = f"{value:.15g}" if isinstance(value, float) else str(value)
                words += [f"--{name.replace('_', '-')}", WHOLE if value is None else shown]
        words += ["--music"] if self.music else []
        words += [] if self.label else ["--no-label"]
        words += [] if self.provenance else ["--no-provenance"]
        return shlex.join(words)


@dataclass(frozen=True)
class Music:
    """The music under the speech, measured on its mix with the speech.

    Attributes:
        key: such as 'A:min' or 'C'.
        bpm_range: lowest and highest tempo.
        integrated_lufs, true_peak_dbtp: of the mix, which the film plays.
        duck_share: share of the time in which the music is lowered by more than 1 dB.
        synth: which synthesizer played.
    """

    key: str
    bpm_range: tuple[float, float]
    integrated_lufs: float
    true_peak_dbtp: float
    duck_share: float
    synth: str


@dataclass(frozen=True)
class Result:
    """What came of a job: where the files are and what was measured.

    Attributes:
        folder, files: what was written.
        duration_s, num_frames, fps, width, height: of the film.
        asked, seen: the label asked for most of the time, and the one the face recognizer sees.
        label_accuracy: share of the time in which the face recognizer sees the label asked for.
        valence_agreement: concordance over time; None where what was asked does not vary.
        lip_lag_ms: of the lips behind the sound; None where it cannot be told.
        identity_distance: dlib's, of the farthest still to the photo; None without dlib.
        blinks_per_minute: of the motion.
        music: under the speech, None without.
        continued: segments taken over from an interrupted run.
        first_frames_s: until the first stretch of film was encoded, loading included.
        wall_s, cpu_s, peak_rss_mb: of all of it.
    """

    folder: str
    files: tuple[str, ...]
    duration_s: float
    num_frames: int
    fps: float
    width: int
    height: int
    asked: str
    seen: str
    label_accuracy: float | None
    valence_agreement: float | None
    lip_lag_ms: float | None
    identity_distance: float | None
    blinks_per_minute: float
    music: Music | None
    continued: int
    seed: int
    first_frames_s: float
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    command: str
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """The film as it was made, before it is measured."""

    portrait: Portrait
    heard: Heard
    wanted: EmotionTrack
    motion: Motion
    first_s: float
    music: Music | None
    weights: tuple[Weights, ...]


def summary(result: Result) -> str:
    """The result in a few lines for a terminal."""
    rows = [
        f"A portrait that talks for {result.duration_s:.2f} s: {result.width} x {result.height}, "
        f"{result.fps:g} frames a second, seed {result.seed}",
        f"  emotion asked         {result.asked}",
        f"  emotion seen          {result.seen}{_share(result.label_accuracy)}",
        f"  lips after sound      {_or_unknown(result.lip_lag_ms, '{:+.0f} ms')}",
        f"  distance to the photo {_or_unknown(result.identity_distance, '{:.2f}')} "
        "(another person: 0.6 or more)",
        f"  blinks                {result.blinks_per_minute:.0f} a minute",
        f"  first frames          after {result.first_frames_s:.1f} s",
        f"  time                  {result.wall_s:.1f} s wall, {result.cpu_s:.1f} s CPU, "
        f"{result.peak_rss_mb:.0f} MB at most",
    ]
    if result.music:
        rows.append(f"  music                 {music_line(result.music)}")
    if result.continued:
        rows.append(f"  went on after         {result.continued} stretches of an earlier run")
    return "\n".join(
        (
            *rows,
            f"Files in {result.folder}:",
            *(f"  {name}" for name in result.files),
            *(f"Note: {notice}" for notice in result.notices),
            f"Open {result.folder}/report.html to see and hear it.",
        )
    )


def blinks_per_minute(motion: Motion) -> float:
    """How often both eyes shut in a minute."""
    shut = np.minimum(motion.channel("eyeBlinkLeft"), motion.channel("eyeBlinkRight")) > BLINK_SHUT
    starts = int(np.count_nonzero(shut[1:] & ~shut[:-1])) + int(shut[0])
    return 60.0 * starts / motion.duration_s


def music_line(music: Music) -> str:
    """Key, tempo, loudness and how much of the time it steps back, in one line."""
    low, high = music.bpm_range
    return (
        f"{key_name(parse_key(music.key))}, {low:.0f}-{high:.0f} bpm, "
        f"{music.integrated_lufs:.1f} LUFS with the voice, lower under it for "
        f"{music.duck_share:.0%} of the time"
    )


def _or_unknown(value: float | None, form: str) -> str:
    return "not measured" if value is None else form.format(value)


def _share(accuracy: float | None) -> str:
    return "" if accuracy is None else f" (as asked in {accuracy:.0%} of the time)"
