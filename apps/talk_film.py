"""The film of a talking portrait: rows of motion -> frames -> segments on disk -> one mp4."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Protocol

from affetto.ahead import made_ahead
from affetto.clip import Clip, Picture
from affetto.gen.portrait.pipeline import Row
from affetto.gen.portrait.unfinished import Unfinished
from affetto.label import Label
from affetto.media import open_media
from affetto.media_sound import read_sound
from affetto.media_write import AAC_FRAME, AAC_RATES, write_clip, write_joined
from affetto.watermark import Watermark

SEGMENT_S = 2.56  # of film in a segment; after a kill, at most this much is rendered again
FIRST_SEGMENT_S = 0.64  # the first is short, so that something is to be seen early
AHEAD_FRAMES = 12  # rendered before they are encoded


class Draws(Protocol):
    """What makes frames of motion: `affetto.gen.portrait.render.renderer.Renderer`."""

    def frame(self, row: Row) -> Picture:
        """(62,) as in Motion -> (H, W, 3) uint8."""


class Told:
    """Has frames say what they are: the words in a corner, the mark in the pixels."""

    def __init__(self, *, label: bool, mark: bool, on_left: bool = False) -> None:
        """Prepare.

        Args:
            label: write 'AI-generated' on each.
            mark: hide Affetto's mark in each.
            on_left: the label stands in the lower left corner.
        """
        self.with_label, self.on_left = label, on_left
        self.label: Label | None = None  # until the first frame tells its size
        self.mark = Watermark() if mark else None

    def frame(self, frame: Picture) -> Picture:
        """(H, W, 3) uint8 to the same with words and mark; all frames are of one size."""
        if self.with_label:
            height, width, _ = frame.shape
            self.label = self.label or Label(width=width, height=height, on_left=self.on_left)
            frame = self.label.drawn(frame)
        return self.mark.marked(frame) if self.mark else frame


def segment_sizes(num_frames: int, fps: Fraction) -> list[int]:
    """Frames of each segment."""
    first, size = (max(1, round(seconds * fps)) for seconds in (FIRST_SEGMENT_S, SEGMENT_S))
    sizes = [min(first, num_frames)]
    while (rest := num_frames - sum(sizes)) > 0:
        sizes.append(min(size, rest))
    return sizes


def render_film(
    rows: Iterator[Row],
    renderer: Draws,
    told: Told,
    *,
    num_frames: int,
    fps: Fraction,
    kept: Unfinished,
    progress: Callable[[float], None],
) -> tuple[list[Path], float]:
    """Render what is not yet on disk, in one thread, and encode it in another.

    Args:
        rows: `num_frames` of them.
        renderer: makes frames.
        told: has them say what they are.
        num_frames: at least one.
        fps: frames a second.
        kept: where segments are, and are put.
        progress: is told the share done.

    Returns:
        The segments in order, and when the first of them was there (time.perf_counter).
    """
    parts: list[Path] = []
    done, first_s = 0, 0.0
    for number, size in enumerate(segment_sizes(num_frames, fps)):
        part, group = kept.segment(number), list(islice(rows, size))
        if not part.exists():
            frames = made_ahead(map(renderer.frame, group), depth=AHEAD_FRAMES)
            write_clip(map(told.frame, frames), fps, part)
        first_s = first_s or time.perf_counter()
        parts.append(part)
        done += len(group)
        progress(done / num_frames)
    return parts, first_s


def write_film(
    parts: list[Path], speech: Clip, duration_s: float, out_path: Path, *, metadata: dict[str, str]
) -> None:
    """Join the segments under the speech's own sound, cut or padded to the picture's length."""
    rate = speech.sample_rate if speech.sample_rate in AAC_RATES else 48_000
    channels = min(2, speech.channels)
    sound = read_sound(
        open_media(speech.path, limits=speech.limits),
        start_s=speech.start_s,
        total=round(duration_s * rate),
        sample_rate=rate,
        channels=channels,
        block=AAC_FRAME,
    )
    write_joined(
        parts,
        sound,
        out_path,
        sample_rate=rate,
        channels=channels,
        metadata=metadata,
    )
