"""`affetto soundtrack --edit FOLDER`: some bars anew, other players, the rest untouched."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from affetto.apps.soundtrack_job import Job
from affetto.condition import Conditions
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.composition import FILE, Composition, read_composition
from affetto.gen.music.editing import Bars, changed_bars, recompose
from affetto.gen.music.hit_points import names_file
from affetto.gen.music.pipeline import ComposeOptions, MusicModels
from affetto.gen.music.recast import Casting, check_casting, parse_casting, recast
from affetto.gen.music.splice import EARLY_S, RING_S, splice_wav
from affetto.soundtrack import Cut, Soundtrack

# Options that stay as they were when the piece was composed.
KEPT = (
    "key", "tempo_bpm", "instruments", "style", "loudness_lufs", "length_s", "original_sound",
    "hits", "soundfont", "weights", "clip_model",
)  # fmt: skip
# What each of them may be in a composition.
_NUMBER, _MAYBE = (int, float), (str, type(None))
WORDS: dict[str, tuple[type, ...]] = {
    "emotion": (str,), "seed": (int,), "key": _MAYBE, "tempo_bpm": (*_NUMBER, type(None)),
    "instruments": (list, type(None)), "style": _MAYBE, "loudness_lufs": _NUMBER,
    "length_s": (*_NUMBER, type(None)), "original_sound": (bool,), "hits": (str,),
    "soundfont": _MAYBE, "weights": (str,), "clip_model": _MAYBE,
}  # fmt: skip
ELSEWHERE = ("soundfont", "weights", "clip_model")  # name files or hubs: never taken on trust
SAME_LENGTH_S = 0.1
PLAYED_OTHERWISE = 0.003  # -50 dBFS
_BARS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class Felt(NamedTuple):
    """An emotion asked for a stretch of the piece: from when to when in seconds, in what words."""

    start_s: float
    end_s: float
    words: str


@dataclass(frozen=True)
class Edit:
    """A finished soundtrack, and which of its bars or players change.

    Attributes:
        folder: of the finished soundtrack.
        composition: the piece, its levels and what was asked for it.
        bars: the first and last bar, from 0; None where only players change.
        casting: whose place others take, or nobody.
        asked: the job with the piece's own options, and the emotion first asked for it.
        felt: what bars were given instead, by earlier edits and this one; the later one counts.
    """

    folder: Path
    composition: Composition
    bars: Bars | None
    casting: Casting
    asked: Job
    felt: tuple[Felt, ...]

    @property
    def span_s(self) -> tuple[float, float] | None:
        """Where the bars begin and end."""
        bars = self.composition.soundtrack.bars
        if self.bars is None:
            return None
        return bars[self.bars[0]].start_s, bars[self.bars[1]].end_s

    def feeling(self, piece: EmotionTrack, inside: Sequence[EmotionTrack]) -> EmotionTrack:
        """The piece's emotion with that of each of `felt` in its place."""
        for felt, track in zip(self.felt, inside, strict=True):
            here = (piece.times >= felt.start_s) & (piece.times < felt.end_s)
            names = ("mean", "log_var", "vad", "vad_var", "probs", "confidence")
            rows = {name: (getattr(track, name), getattr(piece, name)) for name in names}
            mixed = {
                name: np.where(here if a.ndim == 1 else here[:, None], a, b)
                for name, (a, b) in rows.items()
            }
            piece = dataclasses.replace(piece, **mixed)
        return piece

    def compose(
        self,
        conditions: Conditions,
        emotion: EmotionTrack,
        cuts: Sequence[Cut],
        *,
        models: MusicModels,
        options: ComposeOptions,
    ) -> Soundtrack:
        """The piece with the bars composed anew and its players changed."""
        music = self.composition.soundtrack
        music = dataclasses.replace(music, parts=recast(music.parts, self.casting))
        if self.bars is None:
            return music
        return recompose(
            music, self.bars, conditions, emotion, cuts, models=models, options=options,
            cast_seed=self.composition.asked["seed"], casting=self._whole_casting,
        )  # fmt: skip

    def check_length(self, film_s: float) -> None:
        """Refuse a film that the piece was not composed for.

        Raises:
            BadInput: the piece is longer than the film.
        """
        length_s = self.composition.soundtrack.duration_s
        if length_s > film_s + SAME_LENGTH_S:
            raise BadInput(
                f"the piece lasts {length_s:.2f} s and the film {film_s:.2f} s: give the film that "
                f"it was composed for"
            )

    def splice(self, folder: Path) -> float:
        """Put the old samples back into stems and mix, outside the bars and what rings on.

        Where players changed the mix stays new. Returns how far the new samples were from the old
        ones they give way to, at most; near 0 where the same synthesizer plays as then.
        """
        mix = [] if self.casting else [folder / "mix.wav"]
        took_over = {new for _, new in self.casting}
        stems = [path for path in folder.glob("stems/*.wav") if path.stem not in took_over]
        offs = [
            splice_wav(self.folder / new.relative_to(folder), new, span_s=self.span_s)
            for new in (*mix, *sorted(stems))
        ]
        return max(offs, default=0.0)

    def words(self) -> dict[str, Any]:
        """What the edited composition keeps of what was asked."""
        return self.composition.asked | {"casting": self._whole_casting, "felt": self.felt}

    @property
    def _whole_casting(self) -> Casting:
        """All changes of players so far."""
        return (*_casting_of(self.composition), *self.casting)

    def notices(self, off: float) -> tuple[str, ...]:
        """What changed, in words; `off` is what `splice` gave."""
        told = []
        for old, new in self.casting:
            told.append(f"{old} is silent." if new is None else f"{new} plays what {old} played.")
        if self.casting:
            told.append("The other stems are as they were, sample by sample; the mix is new.")
        if self.bars and self.span_s:
            start_s, end_s = self.span_s
            first, last = (bar + 1 for bar in self.bars)
            what = "the stems" if self.casting else "mix and stems"
            told.append(
                f"Bars {first}-{last} are new. All other notes are as they were; so is the sound "
                f"of {what} before {start_s - EARLY_S:.2f} s and after {end_s + RING_S:.2f} s."
            )
        if off > PLAYED_OTHERWISE:
            told.append(
                "The piece was played by another synthesizer or sound font than now, or to another "
                f"film sound: what did not change differs by up to {20 * np.log10(off):.0f} dBFS "
                "from a rendering of today, and the border may be heard."
            )
        return tuple(told)


def open_edit(job: Job) -> Edit:
    """Open the soundtrack that a job edits.

    Raises:
        BadInput: there is none, no such bars, or nothing would change.
    """
    assert job.edit is not None
    composition = read_composition(job.edit / FILE)
    music, old = composition.soundtrack, composition.asked
    kept = _kept(job, old)
    seed = job.seed or old["seed"]
    emotion = job.emotion if job.emotion != "auto" else None
    sheet = read_chord_sheet(job.chords) if job.chords else None
    changed = changed_bars(music, sheet) if sheet else None
    bars = _parsed(job.bars, len(music.bars)) if job.bars else changed
    casting = parse_casting(job.swap or (), job.mute or ())
    check_casting(music.parts, casting)
    if bars is None and (not casting or emotion or job.seed or job.chords or job.candidates > 1):
        raise BadInput(
            "--edit: say which --bars, such as 9-12, or give --chords with changes, or change "
            "players alone with --swap and --mute"
        )
    if bars and changed is None and emotion is None and seed == old["seed"]:
        raise BadInput(
            f"--edit of bars {bars[0] + 1}-{bars[1] + 1} would change nothing: give another "
            "--seed, an --emotion for these bars, or edited --chords"
        )
    if bars and changed and not bars[0] <= changed[0] <= changed[1] <= bars[1]:
        raise BadInput(
            f"--chords differs from the piece in bars {changed[0] + 1}-{changed[1] + 1}, not only "
            f"in --bars {job.bars}: leave --bars out, or undo the other changes"
        )
    asked = dataclasses.replace(
        job, **kept, seed=seed, emotion=old["emotion"],
        chords=job.chords if changed else None,
    )  # fmt: skip
    felt = _felt_of(composition)
    if bars and emotion:
        span_s = music.bars[bars[0]].start_s, music.bars[bars[1]].end_s
        felt = (*felt, Felt(*span_s, emotion))
    return Edit(job.edit, composition, bars, casting, asked, felt)


def _kept(job: Job, old: Mapping[str, Any]) -> dict[str, Any]:
    """The piece's own options, each checked: a folder may come from a stranger.

    Raises:
        BadInput: one has no such value, or names weights or a sound font that were not given again.
    """
    for name, kinds in WORDS.items():
        if not isinstance(old.get(name), kinds):
            raise BadInput(f"{FILE} is damaged: {name} is {old.get(name)!r}")
    kept: dict[str, Any] = {name: old[name] for name in KEPT}
    if names_file(kept["hits"]):
        raise BadInput(f"{FILE} is damaged: hits is {kept['hits']!r}")
    if kept["instruments"] is not None:
        kept["instruments"] = tuple(str(name) for name in kept["instruments"])
    if kept["soundfont"] is not None:
        kept["soundfont"] = Path(kept["soundfont"])
    for name in ELSEWHERE:
        given, known = getattr(job, name), Job(job.video, job.out)
        if kept[name] not in (given, getattr(known, name), "clean"):
            option = name.replace("_", "-")
            raise BadInput(f"the piece was made with --{option} {kept[name]}: give it again")
    return kept


def _casting_of(composition: Composition) -> Casting:
    """Whose place others took before, or nobody."""
    try:
        pairs = composition.asked.get("casting", ())
        return tuple((str(old), None if new is None else str(new)) for old, new in pairs)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{FILE} is damaged: casting: {error}") from error


def _felt_of(composition: Composition) -> tuple[Felt, ...]:
    """What earlier edits asked for their bars."""
    try:
        rows = composition.asked.get("felt", ())
        return tuple(Felt(float(start), float(end), str(words)) for start, end, words in rows)
    except (TypeError, ValueError) as error:
        raise BadInput(f"{FILE} is damaged: felt: {error}") from error


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
