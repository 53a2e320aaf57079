"""What `affetto recognize` is asked and what it answers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import EmotionTrack
from affetto.errors import EngineError, UsageError
from affetto.recognizers.independence import Net

Modality = Literal["audiovisual", "voice", "face", "scene", "text", "music"]
MODALITIES: tuple[Modality, ...] = ("voice", "face", "scene", "text", "music")
Kind = Literal["video", "sound", "picture", "text", "notes"]
FUSED = "all"


def modalities(words: str | None) -> tuple[Modality, ...]:
    """Understand `--only voice,face`; None is all.

    Raises:
        UsageError: a word that is no modality.
    """
    if words is None:
        return MODALITIES
    asked = [word.strip().casefold() for word in words.split(",")]
    for word in asked:
        if word not in MODALITIES:
            raise UsageError(f"--only {words}: {word!r} is none of {', '.join(MODALITIES)}")
    return tuple(name for name in MODALITIES if name in asked)


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto recognize --help`)."""

    media: tuple[Path, ...]
    only: tuple[Modality, ...] = MODALITIES
    rate_hz: float = 2.0
    window_s: float = 3.0
    threads: int | None = None
    csv: Path | None = None
    plot: Path | None = None
    webvtt: Path | None = None
    track: Path | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """One thing that was judged.

    Attributes:
        what: "all" for everything fused, "face+voice" for both judged at once, "voice", "face 1",
            "scene", "text", "music".
        modality: where it comes from; None for "all".
        track: from its first to its last moment; a face's covers only the time it is seen.
        known: (11,) which canonical labels this judge can say at all.
        boxes: (T, 4) left, top, width, height as shares of the picture; None but for faces.
    """

    what: str
    modality: Modality | None
    track: EmotionTrack
    known: tuple[bool, ...]
    boxes: NDArray[np.float32] | None = None

    @property
    def prominence(self) -> float:
        """Of a face: how large and how long it is seen."""
        return 0.0 if self.boxes is None else float(self.boxes[:, 2].sum())

    @property
    def is_empty(self) -> bool:
        """Whether there was never anything to judge."""
        return not bool((self.track.confidence > 0).any())


@dataclass(frozen=True)
class Recognition:
    """What was recognized in one medium.

    Attributes:
        file: the medium.
        kind: of medium.
        duration_s: its length; 0 for pictures and texts without times.
        rows: "all" first.
        missing: modality that was looked for and not there -> a sentence.
        stills: (time in seconds, (h, w, 3) uint8 RGB) a few pictures for the plot.
        judges: the nets that judged, by modality's order.
        wall_s: seconds it took.
    """

    file: Path
    kind: Kind
    duration_s: float
    rows: tuple[Row, ...]
    missing: dict[str, str] = field(default_factory=dict)
    stills: tuple[tuple[float, NDArray[np.uint8]], ...] = ()
    judges: tuple[Net, ...] = ()
    wall_s: float = 0.0

    @property
    def track(self) -> EmotionTrack:
        """The fused course."""
        return self.rows[0].track

    def span(self, row: Row) -> tuple[float, float]:
        """From when to when a row speaks: a face while it is seen, all else throughout."""
        if row.modality != "face":
            return 0.0, self.duration_s
        return float(row.track.times[0]), float(row.track.times[-1])

    def shown_rows(self, *, most_faces: int) -> tuple[Row, ...]:
        """The rows without the faces that are smallest and shortest seen, in the same order."""
        faces = [row for row in self.rows if row.modality == "face"]
        first = sorted(faces, key=lambda row: -row.prominence)[:most_faces]
        return tuple(row for row in self.rows if row.modality != "face" or row in first)


@dataclass(frozen=True)
class Failure:
    """A medium that could not be read, and why."""

    file: Path
    error: EngineError


@dataclass(frozen=True)
class Answer:
    """What came of a job.

    Attributes:
        found: the media that could be read, in order.
        failed: those that could not.
        skipped: files of a folder that are no media.
        wall_s: seconds it took, all together.
        peak_rss_mb: most memory the process held.
    """

    found: tuple[Recognition, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Path, ...]
    wall_s: float
    peak_rss_mb: float

    @property
    def exit_code(self) -> int:
        """0 where all could be read, else the highest code of those that could not."""
        return max((failure.error.exit_code for failure in self.failed), default=0)
