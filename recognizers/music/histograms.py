"""What a window of notes is made of, as histograms: the judge's eyes, other than `features`.

Pitch classes against the likeliest tonic and against the bass, steps of the upper voice, gaps
between onsets, lengths, registers. Octave doublings change little of it. Letters: N notes, T
instants, H numbers.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.recognizers.music.features import Array, distinct_onsets, key_fits

_CLASSES, _STEPS, _GAPS, _LENGTHS, _REGISTERS = 12, 6, 8, 8, 8
HISTOGRAM_SIZE = 2 * _CLASSES + 2 * _STEPS + 1 + _GAPS + _LENGTHS + _REGISTERS + 4
_INSTANTS_PER_S = 8.0
_SHORTEST_S = 0.06
_LONGEST_S = 2.0  # a note held longer weighs no more
_LOWEST, _REGISTER = 30, 8  # MIDI pitch where the first register begins, semitones of each


def window_histograms(rows: Array, *, start_s: float, end_s: float) -> Array:
    """(H,) shares, most of them as square roots; all 0 where no note sounds.

    Args:
        rows: (N, 4) of `features.note_rows`.
        start_s: where the window begins; a note held into it counts from there.
        end_s: where it ends.
    """
    sounding = rows[(rows[:, 1] > start_s) & (rows[:, 0] < end_s)]
    if not len(sounding):
        return np.zeros(HISTOGRAM_SIZE)
    starts_s = np.maximum(sounding[:, 0], start_s) - start_s
    ends_s = np.minimum(sounding[:, 1], end_s) - start_s
    held_s = np.maximum(ends_s - starts_s, 1e-3)
    pitch, velocity = sounding[:, 2].astype(int), sounding[:, 3] / 127.0
    begun = sounding[:, 0] >= start_s
    onsets_s = distinct_onsets(starts_s[begun])
    rates = [np.log1p(count / (end_s - start_s)) for count in (begun.sum(), len(onsets_s))]
    registers = np.clip((pitch - _LOWEST) // _REGISTER, 0, _REGISTERS - 1)
    return np.concatenate(
        [
            np.sqrt(_against_tonic(pitch, held_s)),
            _against_bass(starts_s, ends_s, pitch, end_s - start_s),
            np.sqrt(_steps(starts_s[begun], pitch[begun])),
            np.sqrt(_shares(_steps_of_time(np.diff(onsets_s), 1.5), _GAPS)),
            np.sqrt(_shares(_steps_of_time(held_s, 1.2), _LENGTHS)),
            np.sqrt(_shares(registers, _REGISTERS, held_s)),
            [*rates, velocity.mean(), velocity.std()],
        ]
    )


def _shares(places: NDArray[np.int64], size: int, weights: Array | None = None) -> Array:
    """(size,) how much lies in each place, summing to 1; all 0 of nothing."""
    counts = np.bincount(places, weights=weights, minlength=size).astype(np.float64)
    shares: Array = counts / max(counts.sum(), 1e-9)
    return shares


def _steps_of_time(seconds: Array, per_octave: float) -> NDArray[np.int64]:
    """On a logarithmic scale from 60 ms, 0..7."""
    octaves = np.log2(np.maximum(seconds, _SHORTEST_S) / _SHORTEST_S)
    return np.minimum(octaves * per_octave, _GAPS - 1).astype(np.int64)


def _against_tonic(pitch: NDArray[np.int64], held_s: Array) -> Array:
    share = _shares(pitch % 12, _CLASSES, np.minimum(held_s, _LONGEST_S))
    return np.roll(share, -int(key_fits(share).max(axis=0).argmax()))


def _against_bass(
    starts_s: Array, ends_s: Array, pitch: NDArray[np.int64], length_s: float
) -> Array:
    """How often each interval above the lowest note sounds, over the instants with a note."""
    times_s = (np.arange(max(1, round(length_s * _INSTANTS_PER_S))) + 0.5) / _INSTANTS_PER_S
    on = (starts_s <= times_s[:, None]) & (times_s[:, None] < ends_s)  # (T, N)
    on = on[on.any(axis=1)]
    if not len(on):
        return np.zeros(_CLASSES)
    bass = np.where(on, pitch, 128).min(axis=1)  # (T,)
    above = (pitch - bass[:, None]) % 12  # (T, N)
    heard = [(on & (above == step)).any(axis=1).mean() for step in range(_CLASSES)]
    return np.array(heard)


def _steps(starts_s: Array, pitch: NDArray[np.int64]) -> Array:
    """Semitones between the highest notes of successive onsets, -6..6 and beyond."""
    if not len(starts_s):
        return np.zeros(2 * _STEPS + 1)
    group = np.searchsorted(distinct_onsets(starts_s), starts_s, side="right") - 1
    top = np.zeros(group[-1] + 1)
    np.maximum.at(top, group, pitch)
    return _shares(np.clip(np.diff(top), -_STEPS, _STEPS).astype(np.int64) + _STEPS, 2 * _STEPS + 1)
