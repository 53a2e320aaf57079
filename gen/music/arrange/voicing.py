"""From chord ids to sounding pitches: every tone of the chord, moving as little as possible."""

from functools import lru_cache
from itertools import pairwise

from affetto.gen.music.chords import pitch_classes

Voicing = tuple[int, ...]

KEYS_LOW, KEYS_HIGH = 48, 84  # C3 .. C6
_FIFTH = 7
_TENTH = 16  # the widest stretch of one hand, in semitones
_MIN_GAP_LOW = 5  # smallest interval whose lower note is under C3, in semitones
_MUDDY_BELOW = 55  # G3: no seconds under it


@lru_cache(maxsize=4096)
def voicings(chord: int, low: int, high: int) -> tuple[Voicing, ...]:
    """All close and drop-2 voicings of a chord inside [low, high], each tone exactly once.

    No wider than a tenth, so that one hand can take it. Low-interval limit: nothing closer than a
    fourth on a note under C3, no seconds under G3.
    """
    classes = pitch_classes(chord)
    found: set[Voicing] = set()
    for bottom in range(low, high + 1):
        if bottom % 12 not in classes:
            continue
        order = sorted(classes, key=lambda c: (c - bottom) % 12)
        close = tuple(bottom + (c - bottom) % 12 for c in order)
        dropped = tuple(sorted((*close[:-2], close[-2] - 12, close[-1])))
        found.update(v for v in (close, dropped) if low <= v[0] and v[-1] <= high and _clear(v))
    return tuple(sorted(found))


def _clear(voicing: Voicing) -> bool:
    gaps = [(lower, upper - lower) for lower, upper in pairwise(voicing)]
    if any(lower < KEYS_LOW and gap < _MIN_GAP_LOW for lower, gap in gaps):
        return False
    if voicing[-1] - voicing[0] > _TENTH:
        return False
    return not any(lower < _MUDDY_BELOW and gap < 3 for lower, gap in gaps)


@lru_cache(maxsize=65536)
def next_voicing(chord: int, before: Voicing, low: int, high: int, centre: int) -> Voicing:
    """The cheapest voicing after another one: motion, register, spread and parallels count."""
    choices = voicings(chord, low, high)
    assert choices, f"no voicing of chord {chord} in {low}..{high}"
    return min(choices, key=lambda v: (_cost(v, before, centre), v))


def _cost(voicing: Voicing, before: Voicing, centre: int) -> float:
    mean = sum(voicing) / len(voicing)
    cost = 0.4 * abs(mean - centre) + 0.4 * max(0.0, abs(mean - centre) - 3.0) ** 2
    cost += 0.15 * max(0, voicing[-1] - voicing[0] - 12)
    if voicing[-1] - voicing[-2] == 1:
        cost += 2.0
    if not before:
        return cost
    forth = sum(min(abs(p - q) for q in before) for p in voicing)
    back = sum(min(abs(p - q) for q in voicing) for p in before)
    cost += 0.5 * (forth + back) + 0.4 * abs(voicing[-1] - before[-1])
    if len(voicing) == len(before) and voicing != before:
        moves = {p - q for p, q in zip(voicing, before, strict=True)}
        if len(moves) == 1 and moves != {0}:
            cost += 3.0
    outer = (voicing[-1] - voicing[0]) % 12
    if outer in (0, _FIFTH) and outer == (before[-1] - before[0]) % 12:
        cost += 1.0 if voicing[0] != before[0] else 0.0
    return cost


def thickened(voicing: Voicing, extra: int, high: int) -> Voicing:
    """A voicing with up to `extra` of its lowest tones doubled an octave up where there is room."""
    added = [p + 12 for p in voicing[:extra] if p + 12 <= high and p + 12 not in voicing]
    return tuple(sorted((*voicing, *added)))
