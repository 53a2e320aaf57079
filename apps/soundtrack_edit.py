"""`affetto soundtrack --edit FOLDER`: some bars of a soundtrack anew, the rest untouched."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affetto.apps.soundtrack_job import Job
from affetto.condition import Conditions
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.composition import FILE, Composition, read_composition
from affetto.gen.music.editing import Bars, changed_bars, recompose
from affetto.gen.music.pipeline import ComposeOptions, MusicModels
from affetto.gen.music.splice import RING_S, splice_wav
from affetto.soundtrack import Cut, Soundtrack

# Options that stay as they were when the piece was composed.
KEPT = (
    "key", "tempo_bpm", "instruments", "loudness_lufs", "length_s", "original_sound", "hits",
    "soundfont", "weights", "clip_model",
)  # fmt: skip
_BARS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True)
class Edit:
    """A finished soundtrack and which of its bars are composed anew.

    Attributes:
        folder: of the finished soundtrack.
        composition: the piece, its levels and what was asked for it.
        bars: the first and last bar, from 0.
        asked: the job with the piece's own options, and its emotion outside the bars.
        emotion: request for the bars; None is the piece's.
    """

    folder: Path
    composition: Composition
    bars: Bars
    asked: Job
    emotion: str | None

    @property
    def span_s(self) -> tuple[float, float]:
        """Where the bars begin and end."""
        bars = self.composition.soundtrack.bars
        return bars[self.bars[0]].start_s, bars[self.bars[1]].end_s

    def felt(self, piece: EmotionTrack, inside: EmotionTrack) -> EmotionTrack:
        """The piece's emotion with another one in the bars."""
        start_s, end_s = self.span_s
        here = (piece.times >= start_s) & (piece.times < end_s)
        names = ("mean", "log_var", "vad", "vad_var", "probs", "confidence")
        rows = {name: (getattr(inside, name), getattr(piece, name)) for name in names}
        mixed = {
            name: np.where(here if a.ndim == 1 else here[:, None], a, b)
            for name, (a, b) in rows.items()
        }
        return dataclasses.replace(piece, **mixed)

    def compose(
        self,
        conditions: Conditions,
        emotion: EmotionTrack,
        cuts: Sequence[Cut],
        *,
        models: MusicModels,
        options: ComposeOptions,
    ) -> Soundtrack:
        """The piece with the bars composed anew."""
        return recompose(
            self.composition.soundtrack, self.bars, conditions, emotion, cuts, models=models,
            options=options, cast_seed=int(self.composition.asked.get("seed", 0)),
        )  # fmt: skip

    def splice(self, folder: Path) -> None:
        """Put the old samples back into mix and stems, outside the bars and what rings on."""
        start_s, end_s = self.span_s
        for new in (folder / "mix.wav", *sorted(folder.glob("stems/*.wav"))):
            old = self.folder / new.relative_to(folder)
            splice_wav(old, new, start_s=start_s, end_s=end_s)

    def notice(self) -> str:
        """What changed, in words."""
        start_s, end_s = self.span_s
        first, last = (bar + 1 for bar in self.bars)
        return (
            f"Bars {first}-{last} are new. All other notes are as they were; so is the sound of "
            f"mix and stems before {start_s:.2f} s and after {end_s + RING_S:.2f} s."
        )


def open_edit(job: Job) -> Edit:
    """Open the soundtrack that a job edits.

    Raises:
        BadInput: there is none, no such bars, or nothing would change.
    """
    assert job.edit is not None
    composition = read_composition(job.edit / FILE)
    music, old = composition.soundtrack, composition.asked
    kept: dict[str, Any] = {name: old[name] for name in KEPT if name in old}
    if kept.get("soundfont"):
        kept["soundfont"] = Path(kept["soundfont"])
    if kept.get("instruments"):
        kept["instruments"] = tuple(kept["instruments"])
    seed = job.seed or int(old.get("seed", 0))
    emotion = job.emotion if job.emotion != "auto" else None
    sheet = read_chord_sheet(job.chords) if job.chords else None
    changed = changed_bars(music, sheet) if sheet else None
    bars = _parsed(job.bars, len(music.bars)) if job.bars else changed
    if bars is None:
        raise BadInput("--edit: say which --bars, such as 9-12, or give --chords with changes")
    if changed is None and emotion is None and seed == old.get("seed"):
        raise BadInput(
            f"--edit of bars {bars[0] + 1}-{bars[1] + 1} would change nothing: give another "
            "--seed, an --emotion for these bars, or edited --chords"
        )
    if changed and not bars[0] <= changed[0] <= changed[1] <= bars[1]:
        raise BadInput(
            f"--chords differs from the piece in bars {changed[0] + 1}-{changed[1] + 1}, not only "
            f"in --bars {job.bars}: leave --bars out, or undo the other changes"
        )
    asked = dataclasses.replace(
        job, **kept, seed=seed, emotion=str(old.get("emotion", "auto")),
        chords=job.chords if changed else None,
    )  # fmt: skip
    return Edit(job.edit, composition, bars, asked, emotion)


def asked_words(job: Job) -> dict[str, object]:
    """What a composition keeps of the job that made it."""
    return {name: getattr(job, name) for name in ("emotion", "seed", *KEPT)}


def _parsed(words: str, num_bars: int) -> Bars:
    match = _BARS.fullmatch(words.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= num_bars:
        raise BadInput(
            f"--bars {words}: give one bar or a range such as 9-12; the piece has bars 1 to "
            f"{num_bars}"
        )
    return first - 1, last - 1
