"""The melody: one small motif, repeated, varied and answered, with room to breathe.

A motif is a rhythm and a contour in scale steps. Every film has four, in two pairs of which the
second is heard now and then. A phrase is four bars such as A A B c, where c is a long chord tone
and a breath. Strong beats and long notes take chord tones, short ones between may take the scale.
"""

from dataclasses import dataclass

import numpy as np

from affetto.gen.music.arrange.drums import pulse_of
from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure
from affetto.gen.music.arrange.scale import Scale, local_scale, nearest_pitch
from affetto.gen.music.chords import NO_CHORD, pitch_classes

Rhythm = tuple[tuple[float, float], ...]  # (beat, beats) of each note in a bar of four

_SLOW: tuple[Rhythm, ...] = (
    ((0, 3), (3, 1)),
    ((0, 2), (2, 1), (3, 1)),
    ((0, 1.5), (1.5, 0.5), (2, 2)),
    ((1, 1), (2, 2)),
    ((0, 2), (2, 2)),
)
_MEDIUM: tuple[Rhythm, ...] = (
    ((0, 1), (1, 0.5), (1.5, 0.5), (2, 2)),
    ((0, 1.5), (1.5, 0.5), (2, 1), (3, 1)),
    ((0.5, 0.5), (1, 1), (2, 1.5)),
    ((0, 0.5), (0.5, 0.5), (1, 1), (2, 2)),
    ((0, 1), (1, 1), (2, 1.5), (3.5, 0.5)),
)
_QUICK: tuple[Rhythm, ...] = (
    ((0, 0.5), (0.5, 0.5), (1, 0.5), (1.5, 1), (2.5, 0.5), (3, 1)),
    ((0, 0.75), (0.75, 0.75), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)),
    ((0, 1), (1, 0.5), (1.5, 0.5), (2, 0.5), (2.5, 0.5), (3, 1)),
    ((0.5, 0.5), (1, 0.5), (1.5, 0.5), (2, 1.5), (3.5, 0.5)),
)
_CONTOURS = (
    (1, 1, -1, -1, 1), (-1, -1, 1, 1, -1), (2, -1, -1, 1, -1), (1, -1, 2, -1, -1),
    (-1, 2, -1, -1, 1), (1, 1, 1, -2, -1), (-1, 1, 2, -1, -1), (2, 1, -1, -1, -1),
)  # fmt: skip
# Bars of a phrase: A and B are the motifs, c a cadence, - a rest.
_PHRASES = {
    1: ("c",),
    2: ("Ac",),
    3: ("AAc", "ABc"),
    4: ("AABc", "ABAc", "AABc"),
}
# How far above the centre each bar of a phrase starts, in semitones.
_ARC = (0.0, 2.0, 4.0, 0.0)
_TESSITURA = 8  # semitones from the centre beyond which the line turns back


@dataclass(frozen=True)
class Motif:
    """A bar of rhythm and the scale steps between its notes."""

    rhythm: Rhythm
    steps: tuple[int, ...]


def draw_motifs(pace: float, rng: np.random.Generator) -> dict[str, Motif]:
    """The film's four motifs A, B, C, D; `pace` 0..1 picks how quick they are."""
    banks = _SLOW if pace < 0.3 else _MEDIUM if pace < 0.66 else _QUICK
    rhythms = rng.choice(len(banks), size=4, replace=False)
    contours = rng.choice(len(_CONTOURS), size=4, replace=False)
    return {
        letter: Motif(banks[rhythm], _CONTOURS[contour])
        for letter, rhythm, contour in zip("ABCD", rhythms, contours, strict=True)
    }


def phrase_plan(num_bars: int, *, melody: float, rng: np.random.Generator) -> str:
    """One letter per bar; with little melody wanted every second phrase rests."""
    plan = ""
    while len(plan) < num_bars:
        size = min(4, num_bars - len(plan))
        choices = _PHRASES[size]
        rests = plan and melody < 0.6 and "-" not in plan[-4:]
        plan += "-" * size if rests else choices[int(rng.integers(len(choices)))]
    return plan


class Melody:
    """Writes bars of melody and remembers where it stands.

    Args:
        low: lowest pitch.
        high: highest pitch.
        centre: pitch that phrases start around.
        scale: the film's scale.
        motifs: what `draw_motifs` gave.
    """

    def __init__(
        self, low: int, high: int, *, centre: int, scale: Scale, motifs: dict[str, Motif]
    ) -> None:
        self.low, self.high, self.centre = low, high, centre
        self.scale, self.motifs = scale, motifs
        self.at = centre

    def write(self, measure: Measure, letter: str, place: int) -> list[Event]:
        """One bar: its letter of the plan, and its place in the section from 0."""
        if letter == "-":
            return []
        if letter == "c":
            return self.cadence(measure)
        return self._statement(measure, self.motifs[letter], self.centre + _ARC[place % 4])

    def cadence(self, measure: Measure) -> list[Event]:
        """A long chord tone near where the line stands, then a breath."""
        chord = measure.steps[0].chord
        if chord == NO_CHORD:
            return []
        pull = 0.5 * (self.at + self.centre)
        self.at = nearest_pitch(pitch_classes(chord)[:2], pull, self.low, self.high)
        beats = max(0.75 * measure.bar.num_beats, 1.0)
        end = self._sounding_end(measure, 0.0, beats, self.at)
        return [Event(measure.time_s(0), measure.time_s(end), self.at, 2.0)]

    def close(self, measure: Measure) -> list[Event]:
        """The film's last bar: one chord tone for each chord, the last on the root or third."""
        events = []
        for index, span in enumerate(measure.spans):
            if span.chord == NO_CHORD:
                continue
            classes = pitch_classes(span.chord)
            is_last = index == len(measure.spans) - 1
            pull = 0.6 * self.at + 0.4 * self.centre
            self.at = nearest_pitch(classes[:2] if is_last else classes, pull, self.low, self.high)
            start_s, end_s = measure.time_s(span.beat), measure.time_s(span.beat + span.beats)
            events.append(Event(start_s, end_s, self.at, 0.0))
        return events

    def _statement(self, measure: Measure, motif: Motif, wanted: float) -> list[Event]:
        strong, _ = pulse_of(measure.bar.num_beats)
        events: list[Event] = []
        notes = _fitted(motif.rhythm, measure.bar.num_beats)
        for index, (beat, beats) in enumerate(notes):
            chord = measure.chord_at(beat)
            if chord == NO_CHORD:
                continue
            classes = pitch_classes(chord)
            if not events:
                near = self.at + float(np.clip(wanted - self.at, -5.0, 5.0))
                pitch = nearest_pitch(classes, near, self.low, self.high)
            else:
                step = motif.steps[(index - 1) % len(motif.steps)]
                pitch = self._moved(step, chord, chord_tone=beat in strong or beats >= 1.5)
            end = self._sounding_end(measure, beat, beats, pitch)
            accent = 4.0 if beat in strong else 0.0
            events.append(Event(measure.time_s(beat), measure.time_s(end), pitch, accent))
            self.at = pitch
        return events

    def _moved(self, step: int, chord: int, *, chord_tone: bool) -> int:
        """The pitch `step` scale degrees away, pulled to a chord tone where one is due."""
        ladder = [
            p for p in range(self.low, self.high + 1) if p % 12 in local_scale(self.scale, chord)
        ]
        place = min(range(len(ladder)), key=lambda i: abs(ladder[i] - self.at))
        leaving = (ladder[place] - self.centre) * step > 0
        if leaving and abs(ladder[place] - self.centre) > _TESSITURA:
            step = -step
        target = ladder[int(np.clip(place + step, 0, len(ladder) - 1))]
        if not chord_tone:
            return target
        classes = pitch_classes(chord)
        near = [p for p in range(target - 4, target + 5) if p % 12 in classes]
        near = [p for p in near if self.low <= p <= self.high]
        ahead = 0.6 if step > 0 else -0.6

        def strain(pitch: int) -> float:
            leap = abs(pitch - self.at)
            return abs(pitch - target - ahead) + 0.5 * leap + 1.5 * (leap == 0)

        return min(near, key=lambda p: (strain(p), p))

    def _sounding_end(self, measure: Measure, beat: float, beats: float, pitch: int) -> float:
        """The end in beats, short of a change to a chord that does not have the pitch."""
        end = beat + beats
        for segment in measure.steps:
            changes = beat + 0.1 < segment.beat < end - 0.1
            if changes and pitch % 12 not in pitch_classes(segment.chord):
                end = segment.beat
                break
        return beat + (end - beat) * 0.94


def _fitted(rhythm: Rhythm, num_beats: int) -> list[tuple[float, float]]:
    """A rhythm of four beats in a bar of another length: cut short, or its last note held."""
    notes = [(b, min(d, num_beats - b)) for b, d in rhythm if b < num_beats - 0.4]
    if not notes:
        return [(0.0, float(num_beats))]
    if num_beats > 4:
        beat, beats = notes[-1]
        notes[-1] = (beat, min(beats + 1.0, num_beats - beat))
    return notes
