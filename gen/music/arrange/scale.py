"""Which seven notes the film's chords live in, and which fit a single chord."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from affetto.gen.music.chords import chord_id, pitch_classes
from affetto.gen.music.keys import Key
from affetto.soundtrack import ChordSpan

Scale = frozenset[int]
_MAJOR = (0, 2, 4, 5, 7, 9, 11)


def film_scale(chords: Sequence[ChordSpan]) -> Scale:
    """The diatonic collection that holds most of the chords' tones, weighted by time.

    A minor key has the collection of its relative major; the raised leading note comes in with
    the chord that has it (see `local_scale`). Near ties go to the collection whose own tonic
    triads, major or relative minor, sound the longest. Without any chord it is C major.
    """
    weights = np.zeros(12)
    tonics = np.zeros(12)
    for span in chords:
        classes = pitch_classes(chord_id(span.symbol))
        for pitch_class in classes:
            weights[pitch_class] += span.end_s - span.start_s
        if classes:
            minor = (classes[0] + 3) % 12 in classes
            tonics[(classes[0] + 3 * minor) % 12] += span.end_s - span.start_s
    collections = [frozenset((root + step) % 12 for step in _MAJOR) for root in range(12)]
    best = max(range(12), key=lambda r: sum(weights[pc] for pc in collections[r]) + 0.3 * tonics[r])
    return collections[best]


def major_tonic(scale: Scale) -> int:
    """The pitch class of the major key that a diatonic collection is of."""
    return next(root for root in range(12) if {(root + step) % 12 for step in _MAJOR} == scale)


def heard_key(chords: Sequence[ChordSpan]) -> Key:
    """The key of `film_scale`: minor where its relative minor's triad sounds longer."""
    tonic = major_tonic(film_scale(chords))
    held_s = {True: 0.0, False: 0.0}
    for span in chords:
        classes = pitch_classes(chord_id(span.symbol))
        if classes:
            held_s[True] += (classes[0] == (tonic + 9) % 12) * (span.end_s - span.start_s)
            held_s[False] += (classes[0] == tonic) * (span.end_s - span.start_s)
    minor = held_s[True] > held_s[False]
    return Key((tonic + 9) % 12, "min") if minor else Key(tonic, "maj")


def scale_of(key: Key) -> Scale:
    """A key's diatonic collection, for minor that of its relative major."""
    return frozenset((key.tonic + 3 * (key.mode == "min") + step) % 12 for step in _MAJOR)


@lru_cache(maxsize=4096)
def local_scale(scale: Scale, chord: int) -> Scale:
    """The scale bent to one chord: each foreign tone takes the place of one of its neighbours.

    A major third, a raised fifth and the root of a diminished chord are raised degrees (G sharp for
    G in E:7), anything else is a lowered one (B flat for B in C:7).
    """
    classes = pitch_classes(chord)
    kept = set(scale)
    for tone in classes:
        if tone not in scale:
            above_root = (tone - classes[0]) % 12
            raised = above_root in (4, 8) or (above_root == 0 and (tone + 6) % 12 in classes)
            kept.discard((tone + (-1 if raised else 1)) % 12)
    return frozenset(kept | set(classes))


def nearest_pitch(classes: Scale | tuple[int, ...], wanted: float, low: int, high: int) -> int:
    """The pitch in [low, high] of one of the classes that is nearest to `wanted`."""
    choices = [p for p in range(low, high + 1) if p % 12 in classes]
    return min(choices, key=lambda p: (abs(p - wanted), p))
