"""The plan before any note: per bar who plays, how busy drums and bass may be, what is sung."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affetto.gen.music.arrange.form import Measure, Section
from affetto.gen.music.arrange.lead import phrase_plan
from affetto.gen.music.chords import NO_CHORD

_PHRASE_BARS = 4
_EBB = 0.8  # share of the film's mean density under which a phrase thins out
_HUSH = 0.6  # the same, under which the melody rests
_THIN = 6.0  # notes per second under which a phrase is thin in any film
_SUNG_IN_A_ROW = 2  # sections, then the melody rests for one
_MELODY_LEAST = {"intro": 0.60, "break": 0.65, "build": 0.45, "full": 0.30}


_OTHER_MOTIFS = str.maketrans("AB", "CD")


@dataclass(frozen=True)
class Cue:
    """What a bar is told.

    Attributes:
        section: the section it belongs to.
        measure: the bar.
        following: first chord of the next bar, 0 at the end.
        asked: notes per second to sound in this bar.
        phrase_asked: the same, mean over its phrase of four bars.
        entry: whether the players are still gathering at the film's start.
        drums: level of drums that feeling and intensity call for, 0..3.
        coming: level of drums the next section starts with, in a section's last bar; else 0.
        starts: whether the section begins here.
        phrase_starts: whether a phrase of four bars does.
        ends: whether the section ends here.
        letter: the melody's bar: A, B, C, D (motifs), c (cadence) or - (rest).
        bars_left: to the melody's next cadence or rest, 0 in it.
        ebb: whether its phrase is asked to be thin, by itself or against the film.
        place: number of the bar in its section.
        phrase: number of the phrase in the film.
        syncopation: 0..1, the same through a section.
    """

    section: Section
    measure: Measure
    following: int
    asked: float
    phrase_asked: float
    entry: bool
    drums: int
    coming: int
    starts: bool
    phrase_starts: bool
    ends: bool
    letter: str
    bars_left: int
    ebb: bool
    place: int
    phrase: int
    syncopation: float


def plan_cues(
    sections: Sequence[Section], rng: np.random.Generator, *, solo: bool = False
) -> list[Cue]:
    """One cue per bar of the film; where nobody plays chords (`solo`) the melody never rests."""
    total = sum(len(s.measures) for s in sections)
    waiting = 0 if solo else _bars_waiting(sections[0], total)
    chords = [*(m.steps[0].chord for s in sections for m in s.measures), NO_CHORD]
    cues: list[Cue] = []
    mean = float(np.mean([m.density for s in sections for m in s.measures]))
    peak = max(range(len(sections)), key=lambda i: sections[i].intensity)
    sung = 0  # sections in a row
    ever_sung = False
    number_of_phrase = -1
    for number, section in enumerate(sections):
        measures = section.measures
        after = sections[number + 1] if number + 1 < len(sections) else None
        coming = 0 if after is None else _drum_wish(after)
        rests = sum(m.index < waiting for m in measures)
        must = solo or number == peak or (after is None and not ever_sung)
        letters = _letters(section, rests, rng, must=must, solo=solo)
        if sung >= _SUNG_IN_A_ROW and not must and after is not None:
            letters = "-" * len(measures)
        # Every third section sings the other pair of motifs.
        letters = letters.translate(_OTHER_MOTIFS) if number % 3 == 2 else letters
        sung = sung + 1 if letters.strip("-") else 0
        ever_sung = ever_sung or sung > 0
        syncopation = float(rng.random())
        # A band with drums sounds more notes than the transcriptions MuVi-Sync counts, so more
        # are allowed; within a section the order of what is asked stays.
        scale = 1.0 + 0.7 * section.style.drums
        for place, measure in enumerate(measures):
            number_of_phrase += place % _PHRASE_BARS == 0
            phrase = measures[place - place % _PHRASE_BARS :][:_PHRASE_BARS]
            density = float(np.mean([m.density for m in phrase]))
            ebb = density < max(_EBB * mean, _THIN)
            hushed = density < max(_HUSH * mean, _THIN)
            cues.append(
                Cue(
                    section=section,
                    measure=measure,
                    following=chords[measure.index + 1],
                    asked=scale * measure.density,
                    phrase_asked=scale * density,
                    entry=measure.index < waiting,
                    drums=_drum_wish(section),
                    coming=coming if place == len(measures) - 1 else 0,
                    starts=place == 0,
                    phrase_starts=place % _PHRASE_BARS == 0,
                    ends=place == len(measures) - 1,
                    bars_left=_bars_left(letters, place),
                    letter="-" if hushed and not must else letters[place],
                    ebb=ebb,
                    place=place,
                    phrase=number_of_phrase,
                    syncopation=syncopation,
                )
            )
    return cues


def _bars_left(letters: str, place: int) -> int:
    coming = (i for i in range(place, len(letters)) if letters[i] in "c-")
    return next(coming, len(letters)) - place


def _bars_waiting(first: Section, total: int) -> int:
    """How many bars the chords are alone before bass, drums and melody join: fewer with drive."""
    return min(round(5.0 - 4.0 * first.style.drive), total // 5 if total >= 6 else total // 3)


def _drum_wish(section: Section) -> int:
    if section.kind == "break":
        return 0
    return int(np.digitize(section.style.drums * (0.55 + section.intensity), (0.22, 0.45, 0.95)))


def _letters(
    section: Section, rests: int, rng: np.random.Generator, *, must: bool, solo: bool
) -> str:
    """Which bars the lead plays; it rests where the feeling wants little melody."""
    count = len(section.measures)
    if section.style.melody < _MELODY_LEAST[section.kind] and not must:
        return "-" * count
    melody = 1.0 if solo else section.style.melody
    return "-" * rests + phrase_plan(count - rests, melody=melody, rng=rng)
