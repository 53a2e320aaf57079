"""Moods as points in valence and arousal, and what each asks of the music.

Every setting is a weighted mean over the moods, and the weights fall off smoothly with distance, so
a small change of feeling is a small change of style. The signs follow the music-emotion literature
(Gabrielsson & Lindstroem 2010, "The role of structure in the musical expression of emotions": high
arousal is fast, loud, dense and staccato; low valence is low, legato and dark); the sizes are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack

Figure = Literal["broken", "comp", "pulse"]
Groove = Literal["brush", "light", "full", "war"]

# (valence, arousal) of each mood.
MOODS: dict[str, tuple[float, float]] = {
    "neutral": (0.05, -0.05),
    "happy": (0.75, 0.45),
    "excited": (0.60, 0.85),
    "calm": (0.35, -0.55),
    "tender": (0.40, 0.00),
    "sad": (-0.60, -0.40),
    "tense": (-0.55, 0.35),
    "angry": (-0.50, 0.80),
}
MOOD_OF_LABEL = {
    "neutral": "neutral", "happy": "happy", "sad": "sad", "angry": "angry", "fearful": "tense",
    "disgusted": "tense", "surprised": "excited", "contemptuous": "tense", "calm": "calm",
    "excited": "excited", "tender": "tender",
}  # fmt: skip
_WIDTH = 0.32

INSTRUMENTS_BY_MOOD: dict[str, dict[str, float]] = {
    "neutral": {
        "piano": 0.7, "electric-piano": 0.6, "guitar": 0.4, "pad": 0.7, "strings": 0.5,
        "bass": 0.7, "acoustic-bass": 0.5, "clarinet": 0.6, "flute": 0.5, "celesta": 0.3,
    },
    "happy": {
        "guitar": 1.0, "steel-guitar": 0.7, "piano": 0.5, "strings": 0.7, "pad": 0.4,
        "bass": 1.0, "acoustic-bass": 0.5, "flute": 1.0, "clarinet": 0.6, "glockenspiel": 0.3,
    },
    "excited": {
        "electric-guitar": 0.9, "piano": 0.8, "strings": 0.9, "pad": 0.5, "synth-bass": 1.0,
        "bass": 0.6, "synth-lead": 0.8, "trumpet": 0.6, "violin": 0.5,
    },
    "calm": {
        "electric-piano": 1.0, "guitar": 0.3, "harp": 0.4, "vibraphone": 0.3, "pad": 1.0,
        "slow-strings": 0.4, "acoustic-bass": 0.8, "bass": 0.6, "celesta": 0.8, "flute": 0.6,
        "clarinet": 0.4,
    },
    "tender": {
        "electric-piano": 0.7, "piano": 0.8, "harp": 0.6, "slow-strings": 0.8, "pad": 0.6,
        "acoustic-bass": 1.0, "celesta": 0.6, "violin": 0.6, "oboe": 0.7, "music-box": 0.5,
    },
    "sad": {
        "piano": 1.0, "harp": 0.3, "slow-strings": 0.9, "strings": 0.6, "contrabass": 0.8,
        "acoustic-bass": 0.6, "cello": 1.0, "clarinet": 0.5, "viola": 0.5, "violin": 0.4,
    },
    "tense": {
        "piano": 0.8, "marimba": 0.5, "tremolo-strings": 1.0, "choir": 0.4, "strings": 0.5,
        "contrabass": 1.0, "synth-bass": 0.4, "cello": 0.7, "horn": 0.6, "clarinet": 0.4,
        "timpani": 1.0,
    },
    "angry": {
        "piano": 0.8, "electric-guitar": 0.7, "strings": 1.0, "choir": 0.6,
        "tremolo-strings": 0.5, "synth-bass": 0.9, "contrabass": 0.7, "horn": 1.0,
        "trumpet": 0.6, "taiko": 0.9, "timpani": 0.8,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """How a passage is played; numbers blend between moods.

    Attributes:
        drums: how much the drums may do, 0..1.
        drive: how busy the bass is, 0..1.
        motion: preferred busyness of the chords' figure, 0 (held) .. 5 (sixteenths).
        keys_centre: middle MIDI pitch of the chords' figure.
        texture_centre: middle MIDI pitch of the sustained chords.
        length: share of its beats that a note sounds, 0..1.
        melody: how much of the time the lead plays, 0..1.
        pace: how quick the lead's rhythm is, 0..1.
    """

    drums: float
    drive: float
    motion: float
    keys_centre: float
    texture_centre: float
    length: float
    melody: float
    pace: float


_STYLE: dict[str, Style] = {
    "neutral": Style(0.45, 0.40, 2.5, 62, 66, 0.95, 0.55, 0.45),
    "happy": Style(0.65, 0.60, 3.0, 66, 72, 0.65, 0.90, 0.75),
    "excited": Style(1.00, 1.00, 3.8, 65, 72, 0.55, 0.80, 0.95),
    "calm": Style(0.10, 0.10, 2.8, 66, 60, 1.00, 0.50, 0.10),
    "tender": Style(0.20, 0.20, 2.8, 65, 69, 1.00, 0.75, 0.35),
    "sad": Style(0.10, 0.05, 2.9, 58, 62, 1.00, 0.70, 0.10),
    "tense": Style(0.50, 0.50, 2.7, 54, 62, 0.65, 0.35, 0.40),
    "angry": Style(1.00, 0.95, 3.8, 53, 60, 0.55, 0.50, 0.75),
}
_FIGURES: dict[str, Figure] = {
    "neutral": "broken", "happy": "comp", "excited": "comp", "calm": "broken",
    "tender": "broken", "sad": "broken", "tense": "pulse", "angry": "pulse",
}  # fmt: skip
_GROOVES: dict[str, Groove] = {
    "neutral": "light", "happy": "light", "excited": "full", "calm": "brush",
    "tender": "brush", "sad": "brush", "tense": "war", "angry": "war",
}  # fmt: skip


def mood_weights(vad: NDArray[np.float64], probs: NDArray[np.float64]) -> dict[str, float]:
    """The mixture of moods of one feeling.

    Args:
        vad: (3,) valence, arousal, dominance in [-1, 1].
        probs: (11,) label probabilities.

    Returns:
        A weight per mood, all positive, summing to 1: from the distance in valence and arousal,
        and from the labels by how peaked they are (a flat judgement says nothing, a sure one up
        to twice as much as the distance).
    """
    points = np.array(list(MOODS.values()))
    near = np.exp(-np.square(points - vad[:2]).sum(axis=1) / (2 * _WIDTH**2)) + 1e-6
    near /= near.sum()
    surprise = -float((probs * np.log(np.maximum(probs, 1e-9))).sum())
    peaked = max(0.0, 1.0 - surprise / np.log(len(LABELS)))
    names = list(MOODS)
    named = np.zeros(len(names))
    for label, weight in zip(LABELS, probs, strict=True):
        named[names.index(MOOD_OF_LABEL[label])] += weight
    mixed = near + 2.0 * peaked * named
    return dict(zip(names, (mixed / mixed.sum()).tolist(), strict=True))


def blend_style(moods: Mapping[str, float]) -> Style:
    """The weighted mean of the moods' styles."""
    return Style(
        **{
            f.name: sum(weight * float(getattr(_STYLE[m], f.name)) for m, weight in moods.items())
            for f in fields(Style)
        }
    )


def figure_of(moods: Mapping[str, float]) -> Figure:
    """The family of chord figures that has most of the weight."""
    return max(("broken", "comp", "pulse"), key=lambda f: _share(moods, _FIGURES, f))


def groove_of(moods: Mapping[str, float]) -> Groove:
    """The family of drum patterns that has most of the weight."""
    return max(("brush", "light", "full", "war"), key=lambda g: _share(moods, _GROOVES, g))


def _share(moods: Mapping[str, float], families: Mapping[str, str], family: str) -> float:
    return sum(weight for mood, weight in moods.items() if families[mood] == family)


def feeling_between(
    emotion: EmotionTrack, start_s: float, end_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (3,) VAD and (11,) label probabilities over a stretch of time.

    Moments count by confidence; a stretch without a sample takes the nearest moment.
    """
    times = np.asarray(emotion.times, dtype=np.float64)
    inside = (times >= start_s) & (times < end_s)
    if not inside.any():
        inside = np.arange(times.size) == np.abs(times - 0.5 * (start_s + end_s)).argmin()
    weights = np.asarray(emotion.confidence, dtype=np.float64)[inside] + 1e-3
    vad = np.average(np.asarray(emotion.vad, dtype=np.float64)[inside], axis=0, weights=weights)
    probs = np.average(np.asarray(emotion.probs, dtype=np.float64)[inside], axis=0, weights=weights)
    return vad, probs
