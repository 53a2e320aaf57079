"""The first bars of a piece, played before the rest, so that one hears early what is coming."""

import dataclasses
import tempfile
from pathlib import Path

from affetto.files import resource_errors
from affetto.gen.music.mix import MixSettings, render_soundtrack
from affetto.gen.music.pipeline import OPENING_BARS
from affetto.gen.music.synth import Synth
from affetto.soundtrack import Part, Soundtrack


def opening(soundtrack: Soundtrack, num_bars: int = OPENING_BARS) -> Soundtrack:
    """The piece up to the end of bar `num_bars`: the same notes, cut off there."""
    bars = soundtrack.bars[:num_bars]
    end_s = bars[-1].end_s
    parts = (_before(part, end_s) for part in soundtrack.parts)
    return dataclasses.replace(
        soundtrack,
        duration_s=end_s,
        bars=bars,
        chords=tuple(span for span in soundtrack.chords if span.start_s < end_s),
        parts=tuple(part for part in parts if part.notes),
        markers=tuple(marker for marker in soundtrack.markers if marker.time_s < end_s),
    )


def write_opening(
    soundtrack: Soundtrack, path: Path, *, synth: Synth, settings: MixSettings, sample_rate: int
) -> None:
    """Play the first bars into a wav file, appearing whole.

    The notes, instruments and their balance are those of the whole piece. The level is guessed:
    these bars alone are brought to the target loudness, and the film's own sound is not there.

    Args:
        soundtrack: the piece, with the notes of these bars at least.
        path: the file.
        synth: plays.
        settings: loudness and peak.
        sample_rate: in Hz.

    Raises:
        EngineError: see `render_soundtrack`.
    """
    with (
        resource_errors(path),
        tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder,
    ):
        render_soundtrack(
            opening(soundtrack),
            Path(folder),
            synth=synth,
            settings=settings,
            sample_rate=sample_rate,
        )
        (Path(folder) / "mix.wav").replace(path)


def _before(part: Part, end_s: float) -> Part:
    kept = (note for note in part.notes if note.start_s < end_s)
    notes = tuple(dataclasses.replace(note, end_s=min(note.end_s, end_s)) for note in kept)
    return dataclasses.replace(part, notes=notes)
