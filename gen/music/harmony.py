"""What is added to the chord model's probabilities: a leaning by emotion and a cadence."""

import torch
from torch import Tensor

from affetto.gen.music.chords import (
    END,
    NUM_CHORDS,
    NUM_QUALITIES,
    QUALITY_NAMES,
    chord_id,
    pitch_classes,
)

# How bright a chord quality is heard, -1..1. A theory prior, not a measurement: MuVi-Sync's picture
# labels carry 0.005 nats about chord quality, so nothing of this can be learned there.
BRIGHTNESS = {
    "maj": 0.7, "maj7": 0.7, "maj6": 0.7, "sus2": 0.4, "sus4": 0.1, "7": 0.1, "aug": -0.3,
    "min7": -0.4, "min": -0.6, "min6": -0.6, "hdim7": -0.8, "dim": -0.9, "dim7": -0.9,
}  # fmt: skip
DOMINANT = -0.8  # brightness of A minor's dominants, E and E:7
LEANING = 1.5
TYPICAL = {"maj": 0.45, "min": -0.45}
# The same for what differs from the film's mean valence, and how much a dark passage prefers the
# minor tonic to the major one. Ours: with both at 0 the sample film's dark passages had hardly
# more minor chords than its bright ones (benchmarks/emotion_control.py).
CONTRAST = 1.0
HOMEWARD = 1.5
FORBIDDEN = -1e9
# The last two chords in the model's keys, C major and A minor.
CADENCE = {"maj": (("G", "G:7", "F"), ("C",)), "min": (("E", "E:7", "D:min", "G"), ("A:min",))}
HOME = {"maj": ("C",), "min": ("A:min",)}
# The tonic chords of the other mode: where they come and go the mode that was asked for is lost.
# MuVi-Sync's minor songs hold A and A:7 in 5 % of their chords; without the cost the default
# weights' minor pieces on the sample film held them in 10 %.
PARALLEL = {"maj": ("C:min", "C:min7"), "min": ("A", "A:7", "A:maj7", "A:maj6")}
PARALLEL_COST = 2.0
# Tones of C major and A harmonic minor. Favouring bright chords favours those far from the key too;
# each tone outside costs this much, so that brightness is found near home.
NEAR_TONES = frozenset((0, 2, 4, 5, 7, 8, 9, 11))
FOREIGN_COST = 0.7
TURNED = 0.3  # mean valence of the first or last tenth that decides the mode there


def emotion_leaning(valence: Tensor, *, mode: str) -> Tensor:
    """Additive logits (T, 159) that favour bright chords where valence (T,) is high, else dark.

    A mode by itself says much: major as it is suits a valence of 0.45, minor one of -0.45, and what
    is asked between them darkens the one and brightens the other, so that nothing jumps at 0. What
    differs from the film's mean counts more: dark passages of a piece in major turn to its relative
    minor, bright ones in minor to its major.
    """
    contrast = valence - valence.mean()
    lean = LEANING * (valence - TYPICAL[mode]) + CONTRAST * contrast
    qualities = torch.tensor([BRIGHTNESS[name] for name in QUALITY_NAMES])
    bias = torch.zeros(len(valence), NUM_CHORDS)
    bias[:, 1 : 1 + 12 * NUM_QUALITIES] = lean[:, None] * qualities.repeat(12)
    bias -= FOREIGN_COST * torch.tensor([_foreign_tones(chord) for chord in range(NUM_CHORDS)])
    # The dominants of minor are dark whatever their quality: their leading note is foreign.
    for symbol in ("E", "E:7"):
        bias[:, chord_id(symbol)] = lean * DOMINANT - FOREIGN_COST * _foreign_tones(
            chord_id(symbol)
        )
    bias[:, chord_id("C")] += HOMEWARD * contrast
    bias[:, chord_id("A:min")] -= HOMEWARD * contrast
    return bias


def _foreign_tones(chord: int) -> int:
    """How many of a chord's tones lie outside the model's keys; 0 for what is no chord."""
    return len(set(pitch_classes(chord)) - NEAR_TONES) if chord < END else 0


def modes_at_ends(valence: Tensor, mode: str) -> tuple[str, str]:
    """The modes to begin and to end in: the piece's, or its relative where the feeling turns.

    Args:
        valence: (T,) in [-1, 1].
        mode: of the piece, from the mean valence.

    Returns:
        'maj' or 'min' for the first and for the last tenth.
    """
    tenth = max(1, len(valence) // 10)
    means = (float(valence[:tenth].mean()), float(valence[-tenth:].mean()))
    first, last = (("maj" if mean > 0 else "min") if abs(mean) > TURNED else mode for mean in means)
    return first, last


def shape_ends(bias: Tensor, *, mode: str, first: str, last: str, last_bar_steps: int) -> Tensor:
    """Keep the mode, begin at home and close with a cadence onto the tonic in the last bar.

    Args:
        bias: (T, 159) additive logits; a changed copy is given back.
        mode: of the piece, 'maj' or 'min'.
        first: mode to begin in, that or its relative.
        last: mode to end in, that or its relative.
        last_bar_steps: chord steps in the last bar.
    """
    shaped = bias.clone()
    shaped[:, [chord_id(symbol) for symbol in PARALLEL[mode]]] -= PARALLEL_COST
    num_steps = len(shaped)
    only(shaped, 0, _ids(HOME[first]))
    before, home = CADENCE[last]
    first_home = max(num_steps - last_bar_steps, 0)
    if first_home >= 2:
        only(shaped, first_home - 1, _ids(before))
    for step in range(first_home, num_steps):
        only(shaped, step, _ids(home))
    return shaped


def _ids(symbols: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(chord_id(symbol) for symbol in symbols)


def only(bias: Tensor, step: int, chords: tuple[int, ...]) -> None:
    """Forbid all but these chords at one step of bias (T, 159), in place."""
    keep = torch.full((NUM_CHORDS,), FORBIDDEN)
    keep[list(chords)] = 0.0
    bias[step] = bias[step].clamp(min=-10) + keep
