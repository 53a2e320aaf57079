"""What a report shows: one frozen record of plain values and Affetto's types."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack
from affetto.gen.music.alignment import HitMet
from affetto.gen.music.sync import TOLERANCE_S
from affetto.soundtrack import Cut, Soundtrack

Curve = NDArray[np.float64]


class HasDuration(Protocol):
    """What can be drawn over time."""

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""


@dataclass(frozen=True)
class ReportData:
    """Everything a report shows.

    Attributes:
        title: the film's name.
        film_file: the scored film, relative to the report ("film.mp4").
        duration_s: length of the film in seconds, > 0.
        soundtrack: the music.
        emotion: the emotion the music followed.
        measured_emotion: what was read from the picture, when that is something else.
        cuts: all cuts found.
        shot_starts_s: (S,) seconds, rising; the first is 0.
        thumbnails: (S, h, w, 3) uint8 RGB, one picture from each shot.
        loudness_times_s: (T,) seconds of the loudness curve.
        loudness_lufs: (T,) short-term loudness in LUFS; not finite where silent.
        target_lufs: the loudness asked for.
        ducking_times_s: (D,) seconds of the ducking curve, or None without original sound.
        ducking_gain_db: (D,) gain on the music, <= 0 dB, or None.
        measures: (name, value with unit, what it means in a sentence), in the order shown.
        files: (path relative to the report, what it is).
        facts: (name, value) from the recipe: seed, synthesizer, weights and their licences.
        command: the command line that repeats the piece.
        notices: further sentences the reader should know.
        hits: the user's own moments and how the bars meet them.
    """

    title: str
    film_file: str
    duration_s: float
    soundtrack: Soundtrack
    emotion: EmotionTrack
    measured_emotion: EmotionTrack | None
    cuts: Sequence[Cut]
    shot_starts_s: Sequence[float]
    thumbnails: NDArray[np.uint8]
    loudness_times_s: Curve
    loudness_lufs: Curve
    target_lufs: float
    ducking_times_s: Curve | None
    ducking_gain_db: Curve | None
    measures: Sequence[tuple[str, str, str]]
    files: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    command: str
    notices: Sequence[str]
    hits: Sequence[HitMet] = ()

    def __post_init__(self) -> None:
        """Refuse parts that do not belong together."""
        if not self.duration_s > 0:
            raise ValueError(f"duration_s must be positive, got {self.duration_s}")
        if self.thumbnails.ndim != 4 or self.thumbnails.shape[-1] != 3:
            raise ValueError(f"thumbnails must be (S, h, w, 3), got {self.thumbnails.shape}")
        if len(self.shot_starts_s) != len(self.thumbnails) or not self.shot_starts_s:
            raise ValueError(
                f"one thumbnail for each shot, at least one: got {len(self.thumbnails)} for "
                f"{len(self.shot_starts_s)} shots"
            )
        if self.loudness_times_s.shape != self.loudness_lufs.shape:
            raise ValueError("loudness_times_s and loudness_lufs differ in shape")
        if (self.ducking_times_s is None) != (self.ducking_gain_db is None):
            raise ValueError("give both ducking_times_s and ducking_gain_db, or neither")

    def shots(self) -> list[tuple[float, float]]:
        """(start, end) of each shot in seconds."""
        ends = (*self.shot_starts_s[1:], self.duration_s)
        return list(zip(self.shot_starts_s, ends, strict=True))


@dataclass(frozen=True)
class Mood:
    """The mean of an emotion track over a stretch.

    Attributes:
        label: the likeliest label; where that is neutral, with the one it leans to. Of a picture
            neither disgusted nor contemptuous is said.
        valence: -1 to 1.
        arousal: -1 to 1.
    """

    label: str
    valence: float
    arousal: float


# Attitudes towards somebody: of a storm or a street they would be said in error.
_NOT_OF_PICTURES = ("disgusted", "contemptuous")


def mood_of(track: EmotionTrack, start_s: float, end_s: float) -> Mood:
    """The mood between two times; of the nearest moment where the track has none between them."""
    inside = (track.times >= start_s) & (track.times < end_s)
    if not inside.any():
        inside = np.arange(len(track.times)) == np.argmin(
            np.abs(track.times - 0.5 * (start_s + end_s))
        )
    vad, probs = track.vad[inside].mean(axis=0), track.probs[inside].mean(axis=0)
    ordered = [LABELS[index] for index in np.argsort(-probs, kind="stable")]
    if track.kind == "evoked":
        ordered = [label for label in ordered if label not in _NOT_OF_PICTURES]
    likeliest = ordered[:2]
    label = " to ".join(likeliest) if likeliest[0] == "neutral" else likeliest[0]
    return Mood(label, float(vad[0]), float(vad[1]))


def clock(time_s: float, *, decimals: int = 0) -> str:
    """Seconds as m:ss or h:mm:ss, with decimals where asked.

    Example:
        >>> clock(75.25), clock(3661), clock(4.26, decimals=1)
        ('1:15', '1:01:01', '0:04.3')
    """
    scale = 10**decimals
    whole, part = divmod(round(time_s * scale), scale)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{part:0{decimals}d}" if decimals else ""
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}{fraction}"


def signed_ms(error_ms: float) -> str:
    """'+12 ms', '-3 ms', '0 ms'."""
    whole = round(error_ms)
    return f"{whole:+d} ms" if whole else "0 ms"


@dataclass(frozen=True)
class CutMeeting:
    """A cut and the downbeat nearest to it; error in ms, positive where the downbeat is late."""

    cut: Cut
    downbeat_s: float
    error_ms: float

    @property
    def hit(self) -> bool:
        """Whether they meet closely enough to be felt as one."""
        return abs(self.error_ms) <= 1000 * TOLERANCE_S


def meetings(data: ReportData) -> list[CutMeeting]:
    """Every cut with its nearest bar line, in order of time."""
    lines = np.array([*(bar.start_s for bar in data.soundtrack.bars), data.soundtrack.duration_s])
    met = []
    for cut in sorted(data.cuts, key=lambda cut: cut.time_s):
        nearest = float(lines[np.argmin(np.abs(lines - cut.time_s))])
        met.append(CutMeeting(cut, nearest, 1000 * (nearest - cut.time_s)))
    return met
