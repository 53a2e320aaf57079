"""The same music set more fully: pads, octave doublings, another key, tempo and touch.

VGMIDI is piano; what is recognised at run time is often an ensemble, whose texture must not be
taken for a feeling.
"""

import numpy as np

from affetto.recognizers.music.features import Array

_TEMPO = 0.08
_KEYS = 4  # semitones up or down
_PAD_LOW, _PAD_VELOCITY = 55, 60.0
_LEAST_SHARE = 0.15  # of the longest pitch class: what a pad takes up


def fuller_setting(rows: Array, *, rng: np.random.Generator) -> Array:
    """Note rows (N, 4) of another setting, (M, 4) with M >= N; times start where they did."""
    start_s = rows[0, 0]
    setting = rows.copy()
    setting[:, :2] = start_s + (rows[:, :2] - start_s) / rng.uniform(1 - _TEMPO, 1 + _TEMPO)
    setting[:, 2] += rng.integers(-_KEYS, _KEYS + 1)
    setting[:, 3] = np.clip(setting[:, 3] * rng.uniform(0.75, 1.2), 1, 127)
    parts = [setting]
    if rng.random() < 0.7:
        step_s, held = float(rng.choice([1.0, 2.0, 3.0])), float(rng.choice([0.95, 0.5]))
        parts.append(_pad(setting, step_s=step_s, held=held))
    if rng.random() < 0.5:
        doubled = setting[rng.random(len(setting)) < 0.5].copy()
        doubled[:, 2] += rng.choice([-12, 12])
        parts.append(doubled)
    full = np.concatenate(parts)
    full[:, 2] = np.clip(full[:, 2], 21, 108)
    return full[np.lexsort(full.T[::-1])]


def _pad(rows: Array, *, step_s: float, held: float) -> Array:
    """Up to four pitch classes of each step, held for a share of it."""
    notes = []
    for start_s in np.arange(rows[0, 0], rows[:, 1].max(), step_s):
        on = rows[(rows[:, 0] < start_s + step_s) & (rows[:, 1] > start_s)]
        if not len(on):
            continue
        sounding_s = np.minimum(on[:, 1], start_s + step_s) - np.maximum(on[:, 0], start_s)
        share = np.bincount(on[:, 2].astype(int) % 12, weights=sounding_s, minlength=12)
        for pitch_class in np.argsort(-share, kind="stable")[:4]:
            if share[pitch_class] > _LEAST_SHARE * share.max():
                pitch = _PAD_LOW + (pitch_class - _PAD_LOW) % 12
                notes.append((start_s, start_s + held * step_s, pitch, _PAD_VELOCITY))
    return np.array(notes).reshape(-1, 4)
