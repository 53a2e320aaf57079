"""What a window of notes is like: mode, pace, register, touch, harmony, rhythm, melody.

The choice of cues follows Livingstone et al. 2010 (mode, tempo, register, loudness, articulation);
key profiles are those of Krumhansl and Kessler 1982. Letters: N notes, F features, T instants.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from affetto.soundtrack import Note, Part

Array = NDArray[np.float64]
FEATURES = (
    "velocity", "velocity_spread", "note_rate", "onset_rate", "duration", "duration_spread",
    "polyphony", "silence", "pitch", "pitch_spread", "pitch_range", "pitch_low", "pitch_high",
    "bass_share", "treble_share", "major_fit", "minor_fit", "mode", "pitch_class_entropy",
    "third_of_key", "sixth_of_key", "seventh_of_key", "interval_minor_second",
    "interval_major_second", "interval_minor_third", "interval_major_third", "interval_fourth",
    "interval_tritone", "major_triads", "minor_triads", "diminished_triads", "gap_spread",
    "gap_regularity", "melody_step", "melody_rise", "attack_pace",
)  # fmt: skip
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
_INSTANTS_PER_S = 8.0
_TOGETHER_S = 0.04  # onsets nearer than this are one


def pitched_notes(parts: Iterable[Part]) -> tuple[Note, ...]:
    """The notes of all parts but the drums."""
    return tuple(note for part in parts if not part.is_drum for note in part.notes)


def note_rows(notes: Iterable[Note]) -> Array:
    """Notes as rows (N, 4): start and end in seconds, pitch, velocity; in order of time."""
    rows = sorted((note.start_s, note.end_s, note.pitch, note.velocity) for note in notes)
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def window_features(rows: Array, *, start_s: float, end_s: float) -> Array:
    """(F,) in the order of `FEATURES`; all 0 where no note sounds.

    Args:
        rows: (N, 4) of `note_rows`.
        start_s: where the window begins; a note held into it counts from there.
        end_s: where it ends.
    """
    sounding = rows[(rows[:, 1] > start_s) & (rows[:, 0] < end_s)]
    if not len(sounding):
        return np.zeros(len(FEATURES))
    starts_s = np.maximum(sounding[:, 0], start_s) - start_s
    ends_s = np.minimum(sounding[:, 1], end_s) - start_s
    held_s = np.maximum(ends_s - starts_s, 1e-3)
    pitch, velocity = sounding[:, 2], sounding[:, 3] / 127.0
    begun = sounding[:, 0] >= start_s
    onsets_s = distinct_onsets(starts_s[begun])
    values = {
        **_touch(velocity, held_s, begun.sum(), onsets_s, end_s - start_s),
        **_register(pitch, held_s),
        **_key(pitch, held_s),
        **_harmony(starts_s, ends_s, pitch, end_s - start_s),
        **_rhythm(onsets_s),
        **_melody(starts_s[begun], pitch[begun]),
    }
    return np.array([values[name] for name in FEATURES])


def distinct_onsets(starts_s: Array) -> Array:
    """Rising onsets without those within 40 ms of the one before."""
    return starts_s[np.diff(starts_s, prepend=-1.0) > _TOGETHER_S]


def _touch(
    velocity: Array, held_s: Array, num_begun: int, onsets_s: Array, length_s: float
) -> dict[str, float]:
    logs = np.log(held_s)
    attacks = np.log1p(num_begun / length_s) * velocity.mean()
    return {
        "velocity": velocity.mean(),
        "velocity_spread": velocity.std(),
        "note_rate": np.log1p(num_begun / length_s),
        "onset_rate": np.log1p(len(onsets_s) / length_s),
        "duration": logs.mean(),
        "duration_spread": logs.std(),
        "attack_pace": attacks,
    }


def _register(pitch: Array, held_s: Array) -> dict[str, float]:
    low, high = np.quantile(pitch, (0.1, 0.9))
    return {
        "pitch": np.average(pitch, weights=held_s) / 12.0,
        "pitch_spread": pitch.std() / 12.0,
        "pitch_range": np.ptp(pitch) / 12.0,
        "pitch_low": low / 12.0,
        "pitch_high": high / 12.0,
        "bass_share": held_s[pitch < 48].sum() / held_s.sum(),
        "treble_share": held_s[pitch > 72].sum() / held_s.sum(),
    }


def _key(pitch: Array, held_s: Array) -> dict[str, float]:
    """How well major and minor fit, and which third, sixth and seventh the best tonic has."""
    share = np.bincount(pitch.astype(int) % 12, weights=held_s, minlength=12) / held_s.sum()
    fits = key_fits(share)
    major, minor = fits.max(axis=1)
    degrees = np.roll(share, -int(fits.max(axis=0).argmax()))
    certain = share[share > 0]
    return {
        "major_fit": major,
        "minor_fit": minor,
        "mode": major - minor,
        "pitch_class_entropy": -(certain * np.log(certain)).sum(),
        "third_of_key": degrees[4] - degrees[3],
        "sixth_of_key": degrees[9] - degrees[8],
        "seventh_of_key": degrees[11] - degrees[10],
    }


def key_fits(share: Array) -> Array:
    """(2, 12) correlation of pitch-class shares (12,) with major and minor on each tonic."""
    return np.array(
        [[_correlation(np.roll(share, -t), mode) for t in range(12)] for mode in (_MAJOR, _MINOR)]
    )


def _correlation(first: Array, second: Array) -> float:
    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size > 1e-9 else 0.0


def _harmony(starts_s: Array, ends_s: Array, pitch: Array, length_s: float) -> dict[str, float]:
    """What sounds together at T instants: interval classes and triads as shares."""
    times_s = (np.arange(max(1, round(length_s * _INSTANTS_PER_S))) + 0.5) / _INSTANTS_PER_S
    on = (starts_s <= times_s[:, None]) & (times_s[:, None] < ends_s)  # (T, N)
    classes = (on.astype(float) @ np.eye(12)[pitch.astype(int) % 12]) > 0  # (T, 12)
    heard = max(1, int(on.any(axis=1).sum()))

    def share(*steps: int) -> float:
        chords = classes
        for step in steps:
            chords = chords & np.roll(classes, -step, axis=1)
        return float(np.any(chords, axis=1).sum() / heard)

    return {
        "polyphony": on.sum() / heard,
        "silence": 1.0 - on.any(axis=1).mean(),
        "interval_minor_second": share(1),
        "interval_major_second": share(2),
        "interval_minor_third": share(3),
        "interval_major_third": share(4),
        "interval_fourth": share(5),
        "interval_tritone": share(6),
        "major_triads": share(4, 7),
        "minor_triads": share(3, 7),
        "diminished_triads": share(3, 6),
    }


def _rhythm(onsets_s: Array) -> dict[str, float]:
    gaps = np.log(np.maximum(np.diff(onsets_s), _TOGETHER_S))
    if not len(gaps):
        return {"gap_spread": 0.0, "gap_regularity": 0.0}
    return {
        "gap_spread": gaps.std(),
        "gap_regularity": float((np.abs(gaps - np.median(gaps)) < 0.1).mean()),
    }


def _melody(starts_s: Array, pitch: Array) -> dict[str, float]:
    """Steps of the highest note of each onset, in semitones: mean size and share that rises."""
    if not len(starts_s):
        return {"melody_step": 0.0, "melody_rise": 0.0}
    group = np.cumsum(np.diff(starts_s, prepend=-1.0) > _TOGETHER_S) - 1
    top = np.zeros(group[-1] + 1)
    np.maximum.at(top, group, pitch)
    steps = np.diff(top)
    moved = steps[steps != 0]
    return {
        "melody_step": float(np.abs(moved).mean()) if len(moved) else 0.0,
        "melody_rise": float((moved > 0).mean()) if len(moved) else 0.0,
    }
