"""The sustained chords of strings, pads and choirs: from two guide tones to doubled octaves."""

from collections.abc import Sequence
from itertools import pairwise

from affetto.gen.music.arrange.event import Event
from affetto.gen.music.arrange.form import Measure
from affetto.gen.music.arrange.keys import Voiced
from affetto.gen.music.arrange.voicing import thickened

NUM_LEVELS = 5
# Below a length the chords are bowed anew on these beats.
_STROKES = ((0.83, (0.0, 1.5, 3.0)), (0.93, (0.0, 2.0)))
FULL_LEVEL = 2  # from here on every tone of the chord sounds


def pad_levels(
    measure: Measure, spans: Sequence[Voiced], *, high: int, length: float
) -> list[list[Event]]:
    """The bar at each thickness: silent, two tones, the chord, one tone doubled, two doubled.

    Args:
        measure: the bar.
        spans: its chords.
        high: highest pitch that doubling may reach.
        length: share of its beats a note sounds; the chords are held from 0.93 on, below that bowed
            anew every two beats and cut short, below 0.83 in the rhythm 3 + 3 + 2.
    """
    for least, beats in _STROKES:
        if length < least:
            spans = _by_strokes(spans, beats, length)
            break
    return [
        [],
        _held(measure, [v._replace(tones=v.tones[-2:]) for v in spans]),
        _held(measure, spans),
        _held(measure, [v._replace(tones=thickened(v.tones, 1, high)) for v in spans]),
        _held(measure, [v._replace(tones=thickened(v.tones, 2, high)) for v in spans]),
    ]


def _by_strokes(spans: Sequence[Voiced], beats: tuple[float, ...], length: float) -> list[Voiced]:
    strokes = []
    for span in spans:
        starts = [beat for beat in beats if beat < span.beats]
        for start, stop in pairwise([*starts, span.beats]):
            strokes.append(Voiced(span.beat + start, length * (stop - start), span.tones))
    return strokes


def _held(measure: Measure, spans: Sequence[Voiced]) -> list[Event]:
    return [
        Event(measure.time_s(v.beat), measure.time_s(v.beat + v.beats), p)
        for v in spans
        for p in v.tones
    ]
