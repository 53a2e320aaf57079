"""The bass line: the root where a chord begins, then as busy as the passage drives."""

from collections.abc import Sequence

from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure, Segment
from affetto.gen.music.arrange.scale import Scale, local_scale, nearest_pitch
from affetto.gen.music.chords import (
    NO_CHORD,
    QUALITIES,
    QUALITY_NAMES,
    pitch_classes,
    root_and_quality,
)

NUM_LEVELS = 4


class BassLine:
    """Writes one bar after another and remembers where the line stands.

    Args:
        low: lowest pitch.
        high: highest pitch.
        scale: the film's scale, for steps between roots.
        first: the film's first chord, whose root is the pedal where no chord came yet.
    """

    def __init__(self, low: int, high: int, *, scale: Scale, first: int) -> None:
        self.low, self.high, self.scale = low, high, scale
        self.at = round(low + 0.45 * (high - low))
        self.silent = first == NO_CHORD
        if not self.silent:
            self.at = nearest_pitch(pitch_classes(first)[:1], self.at, low, high)

    def write(self, measure: Measure, after: int, *, level: int, length: float) -> list[Event]:
        """One bar.

        Args:
            measure: the bar.
            after: the first chord of the next bar, to lead into (0: none).
            level: 0 held roots, 1 half notes with fifths, 2 dotted with approach notes, 3 eighths.
            length: share of its beats a note of level 2 or 3 sounds, 0..1.
        """
        events: list[Event] = []
        spans = measure.spans
        for index, span in enumerate(spans):
            if span.chord == NO_CHORD:
                events += self._pedal(measure, span)
                continue
            following = spans[index + 1].chord if index + 1 < len(spans) else after
            root, quality = root_and_quality(span.chord)
            centre = self.low + 0.45 * (self.high - self.low)
            pitch = nearest_pitch((root,), 0.6 * self.at + 0.4 * centre, self.low, self.high)
            fifth = self._fifth_near(pitch, quality)
            end = span.beat + span.beats
            for beat, beats, tone in self._figure(span, pitch, fifth, following, level):
                sounding = beats if level < 2 else beats * max(length, 0.6)
                accent = 4.0 if beat == span.beat else -3.0
                stop = measure.time_s(min(beat + sounding, end))
                events.append(Event(measure.time_s(beat), stop, tone, accent))
            self.at = pitch
        return events

    def _pedal(self, measure: Measure, span: Segment) -> list[Event]:
        """Where there is no chord the last root is held softly; silence in a film without any."""
        if self.silent:
            return []
        start_s, end_s = measure.time_s(span.beat), measure.time_s(span.beat + span.beats)
        return [Event(start_s, end_s, self.at, -14.0)]

    def _fifth_near(self, pitch: int, quality: int) -> int:
        step = QUALITIES[QUALITY_NAMES[quality]][2]
        up, down = pitch + step, pitch + step - 12
        if down >= self.low and (up > self.high or abs(down - pitch) <= abs(up - pitch)):
            return down
        return up if up <= self.high else pitch

    def _figure(
        self, span: Segment, pitch: int, fifth: int, following: int, level: int
    ) -> list[tuple[float, float, int]]:
        """(beat, beats, pitch) of the notes of one chord."""
        start, end = span.beat, span.beat + span.beats
        if level == 0 or span.beats <= 1:
            return [(start, span.beats, pitch)]
        if level == 1:
            return _cycle(start, end, (2.0,), (pitch, fifth))
        if level == 2:
            notes = _cycle(start, end, (1.5, 0.5), (pitch, pitch, fifth, pitch))
        else:
            notes = _cycle(start, end, (0.5,), (pitch, pitch, pitch, pitch, pitch, pitch, fifth))
        if following not in (NO_CHORD, span.chord):
            beat, beats, _ = notes[-1]
            notes[-1] = (beat, beats, self._approach(pitch, span.chord, following))
        return notes

    def _approach(self, pitch: int, chord: int, following: int) -> int:
        """A scale step next to the coming root, from the side the line comes from."""
        root = root_and_quality(following)[0]
        target = nearest_pitch((root,), pitch, self.low, self.high)
        side = -1 if pitch <= target else 1
        scale = local_scale(self.scale, chord)
        steps: Sequence[int] = [
            target + side * s
            for s in (2, 1)
            if (target + side * s) % 12 in scale and self.low <= target + side * s <= self.high
        ]
        return steps[0] if steps else pitch


def _cycle(
    start: float, end: float, lengths: Sequence[float], pitches: Sequence[int]
) -> list[tuple[float, float, int]]:
    notes = []
    beat, index = start, 0
    while beat < end - 0.1:
        beats = min(lengths[index % len(lengths)], end - beat)
        notes.append((beat, beats, pitches[index % len(pitches)]))
        beat += beats
        index += 1
    return notes
