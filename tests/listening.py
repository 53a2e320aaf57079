"""Listening by measurement: is there sound in every stem, does nothing clip, are chords audible.

`tests/conftest.py` gives this module as the fixture `listening`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from einops import reduce

from affetto.gen.music.chords import chord_id, pitch_classes
from affetto.soundtrack import ChordSpan

WINDOW = 8192
LOWEST_HZ, HIGHEST_HZ = 60.0, 2000.0


def peak(path: Path) -> float:
    """Highest absolute sample of a sound file, read in blocks."""
    with soundfile.SoundFile(path) as file:
        return max((float(np.abs(block).max()) for block in file.blocks(1 << 20)), default=0.0)


def level_db(path: Path) -> float:
    """Root mean square of a sound file in dBFS; -inf for silence."""
    with soundfile.SoundFile(path) as file:
        energy = sum(float(np.square(block).sum()) for block in file.blocks(1 << 20))
        samples = max(1, file.frames * file.channels)
    return 10 * float(np.log10(energy / samples)) if energy else -np.inf


def chroma(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """(12,) how strongly each pitch class sounds, of (S,) samples; bright peaks are compressed."""
    if len(sound) < WINDOW:
        sound = np.pad(sound, (0, WINDOW - len(sound)))
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[:: WINDOW // 2]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), 4 * WINDOW)).mean(axis=0)
    hz = np.fft.rfftfreq(4 * WINDOW, 1 / sample_rate)
    kept = (hz > LOWEST_HZ) & (hz < HIGHEST_HZ)
    pitch = 69 + 12 * np.log2(hz[kept] / 440)
    near = np.exp(-0.5 * ((pitch - np.round(pitch)) / 0.15) ** 2)  # between two notes counts little
    bands = np.bincount(np.round(pitch).astype(int), near * spectrum[kept] ** 0.5, minlength=132)
    return reduce(bands[:132], "(octave pitch) -> pitch", "sum", pitch=12)


def chord_hits(
    path: Path, chords: Sequence[ChordSpan], *, seed: int = 0, trials: int = 20
) -> tuple[float, float]:
    """How often the sound fits its own chord best among the piece's chords.

    Args:
        path: sound file.
        chords: of the piece; N and spans under 0.3 s are left out.
        seed: of the shuffled control.
        trials: shuffles whose mean is the control.

    Returns:
        (share of chords whose template fits best, the same with the chords' names shuffled).
    """
    spans = [c for c in chords if c.symbol != "N" and c.end_s - c.start_s >= 0.3]
    names = sorted({span.symbol for span in spans})
    templates = np.zeros((len(names), 12))
    for row, name in enumerate(names):
        templates[row, list(pitch_classes(chord_id(name)))] = 1
    templates -= templates.mean(axis=1, keepdims=True)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    heard = []
    with soundfile.SoundFile(path) as file:
        for span in spans:
            file.seek(min(file.frames, round(span.start_s * file.samplerate)))
            sound = file.read(round((span.end_s - span.start_s) * file.samplerate), always_2d=True)
            heard.append(int((templates @ chroma(sound.mean(axis=1), file.samplerate)).argmax()))
    wanted = np.array([names.index(span.symbol) for span in spans])
    rng = np.random.default_rng(seed)
    shuffled = [np.mean(rng.permutation(wanted) == heard) for _ in range(trials)]
    return float(np.mean(wanted == heard)), float(np.mean(shuffled))
