"""Which chords come again: phrases of eight bars in the song form A A B A, over and over.

A network that copies from what it heard a moment ago seldom brings back what it heard a minute ago;
songs do (benchmarks/music_distribution.py, structure).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.sync import chord_steps
from affetto.soundtrack import Bar

PHRASE_BARS = 8
FORM = "AABA"
LIKE_VALENCE = 0.3


def returning_steps(bars: Sequence[Bar], valence: NDArray[np.floating]) -> list[int]:
    """For each chord step the step of the last phrase of the same letter, or -1 for a new chord.

    Bars are matched with bars; where the other bar has fewer chords its last one is meant. Where
    the feeling is another than there, nothing comes again.

    Args:
        bars: of the piece.
        valence: (T,) in [-1, 1] at each chord step.
    """
    steps: list[range] = []
    returns: list[int] = []
    for number, bar in enumerate(bars):
        first = steps[-1].stop if steps else 0
        steps.append(range(first, first + len(chord_steps([bar]))))
        back = _phrases_back(number // PHRASE_BARS) * PHRASE_BARS
        for place in range(len(steps[-1])):
            earlier = steps[number - back]
            returns.append(earlier[min(place, len(earlier) - 1)] if back else -1)
    return [
        earlier if abs(valence[step] - valence[earlier]) <= LIKE_VALENCE else -1
        for step, earlier in enumerate(returns)
    ]


def _phrases_back(phrase: int) -> int:
    """How many phrases ago the same letter was, 0 if never."""
    letters = FORM * (phrase // len(FORM) + 1)
    return next(
        (back for back in range(1, phrase + 1) if letters[phrase - back] == letters[phrase]), 0
    )
