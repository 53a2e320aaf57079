"""Keys and tempo: what the composer works in, and what an emotion suggests."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.errors import BadInput
from affetto.gen.music.chords import FLATS, ROOTS

MIN_BPM, MAX_BPM = 40.0, 220.0
Tempo = Callable[[float], float]  # quarter notes a minute at a time in seconds
# The chord model's songs are normalised to these tonics (pitch classes): C major and A minor.
MODEL_TONIC = {"maj": 0, "min": 9}
_KEY = re.compile(r"^([A-Ga-g][#b]?)\s*(m|min|minor|maj|major|:min|:maj)?$")


@dataclass(frozen=True)
class Key:
    """A tonic (pitch class 0..11) and a mode ('maj' or 'min')."""

    tonic: int
    mode: str

    def __str__(self) -> str:
        """The vocabulary's spelling: 'C', 'F#', 'A:min'."""
        return ROOTS[self.tonic] + ("" if self.mode == "maj" else ":min")

    @property
    def shift(self) -> int:
        """Semitones (-5..6) from the model's C major or A minor to this key."""
        return (self.tonic - MODEL_TONIC[self.mode] + 5) % 12 - 5


def parse_key(text: str) -> Key:
    """Read 'C', 'Am', 'F# minor', 'Bb', 'A:min'.

    Raises:
        BadInput: not a key.
    """
    match = _KEY.match(text.strip())
    if not match:
        raise BadInput(
            f"unknown key {text!r}: write a tonic and a mode, such as C, Am, F#m or Bb major"
        )
    name = match.group(1)[0].upper() + match.group(1)[1:]
    name = FLATS.get(name.upper(), name) if name not in ROOTS else name
    mode = (
        "min"
        if (match.group(2) or "maj").lstrip(":").startswith("mi") or match.group(2) == "m"
        else "maj"
    )
    return Key(ROOTS.index(name), mode)


def suggest_key(emotion: EmotionTrack, *, rng: np.random.Generator) -> Key:
    """Minor where the mean valence is negative, else major; the tonic is drawn near C or A."""
    mode = "min" if float(np.mean(emotion.vad[:, 0])) < 0 else "maj"
    return Key((MODEL_TONIC[mode] + int(rng.integers(-5, 6))) % 12, mode)


def suggest_tempo(emotion: EmotionTrack) -> Tempo:
    """Tempo in quarter notes a minute at each time: by arousal 64 at -1, 100 at 0, 140 at +1.

    Valence moves it by 6 at most: of two pieces as excited the happy one is the quicker.

    Source:
        Tempo is the strongest musical cue of arousal (Gabrielsson and Lindstroem 2010, review). The
        slow end stays above POP909's slowest twentieth, 58 (benchmarks/music_distribution.py).
    """
    valence, arousal = np.asarray(emotion.vad[:, :2], dtype=np.float64).T

    def bpm(time_s: float) -> float:
        now = float(np.interp(time_s, emotion.times, arousal))
        bright = float(np.interp(time_s, emotion.times, valence))
        return 100.0 + (40.0 if now > 0 else 36.0) * now + 6.0 * bright

    return bpm


def parse_bpm(bpm: float) -> float:
    """Refuse tempos outside 40..220.

    Raises:
        BadInput: out of range or not a number.
    """
    if not MIN_BPM <= bpm <= MAX_BPM:
        raise BadInput(
            f"tempo {bpm} is out of range: {MIN_BPM:.0f} to {MAX_BPM:.0f} quarter notes a minute"
        )
    return bpm
