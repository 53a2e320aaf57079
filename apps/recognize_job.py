"""What `affetto recognize` is asked and what it answers."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import EmotionTrack
from affetto.provenance import WeightsRecord

Modality = Literal["voice", "face", "scene", "text"]
MODALITIES: tuple[Modality, ...] = ("voice", "face", "scene", "text")
Kind = Literal["video", "sound", "picture", "text"]
FUSED = "all"


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto recognize --help`)."""

    media: tuple[Path, ...]
    only: tuple[Modality, ...] = MODALITIES
    rate_hz: float = 2.0
    window_s: float = 3.0
    threads: int | None = None


@dataclass(frozen=True)
class Row:
    """One thing that was judged.

    Attributes:
        what: "all" for everything fused, "voice", "face 1", "scene", "text".
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
        weights: the sets that judged.
        wall_s: seconds it took.
    """

    file: Path
    kind: Kind
    duration_s: float
    rows: tuple[Row, ...]
    missing: dict[str, str] = field(default_factory=dict)
    stills: tuple[tuple[float, NDArray[np.uint8]], ...] = ()
    weights: tuple[WeightsRecord, ...] = ()
    wall_s: float = 0.0

    @property
    def track(self) -> EmotionTrack:
        """The fused course."""
        return self.rows[0].track


@dataclass(frozen=True)
class Failure:
    """A medium that could not be read, with the sentence why and its exit code."""

    file: Path
    error: str
    exit_code: int


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
        return max((failure.exit_code for failure in self.failed), default=0)
