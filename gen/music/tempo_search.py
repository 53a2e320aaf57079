"""The search for a film's bars: metres and tempi, bar by bar, that bring beats to the cuts.

Time is counted in cells, 60 to a wished beat, and a bar's beat is a whole number of cells long, so
that every bar line stands on a cell. A dynamic programme over (cell, length of a beat) finds the
best of all tilings whose tempo changes by at most three cells from bar to bar; nothing is guessed.
What is best: beats on cuts and bar lines on prominent ones, against tempi away from the wished
one, tempo changes and bars that are not 4/4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = NDArray[np.float32]

CELLS = 60  # of a wished beat
SHORTEST, LONGEST = 53, 69  # cells of a beat: 13 % quicker or slower than wished
STEPS = 3  # cells by which a beat may differ from one of the bar before; by so many the end slows

# On the scale where a bar line on a film's most prominent cut is worth 2.
_METRES = (4, 3, 2, 5)
_METRE_COST = np.array([0.0, 0.17, 0.12, 0.25])
_TEMPO_COST = 0.04  # a bar, at 12 % away; it grows with the square
_CHANGE_COST = 0.02  # a bar, at the largest change

_LENGTHS = np.arange(SHORTEST, LONGEST + 1)
_BLOCK = 2 * SHORTEST  # cells decided at once: the shortest bar, so none begins and ends in it
_HISTORY = 5 * LONGEST + 1
_NEVER = np.float32(-1e9)


@dataclass(frozen=True)
class Rewards:
    """What the cells of a film of E cells are worth, (E + 1,) each.

    Attributes:
        beat: to be a beat.
        line: what a bar line is worth more than another beat.
        drift: how many cells the wished beat itself grows over four beats here.
    """

    beat: Array
    line: Array
    drift: Array


def search(rewards: Rewards) -> tuple[list[int], list[int]] | None:
    """The best bars; the last is 4/4 and its beat three cells longer than the one before (cadence).

    Returns:
        The cells of all bar lines (N + 1), the first 0, the last within two cells of the film's
        end, and the bars' numbers of beats (N); None if no bars fit, as in a film of a few beats.
    """
    table = _Table(rewards)
    for first in range(0, len(rewards.beat) + 2, _BLOCK):
        table.decide(first)
    return table.walk_back(len(rewards.beat) - 1)


class _Table:
    """The programme's values of the last cells, and of all cells how they were reached.

    Its arrays are (K lengths of a beat, cells); a cell's column is `_HISTORY` further right.
    """

    def __init__(self, rewards: Rewards) -> None:
        size = _HISTORY + len(rewards.beat) + 2 * _BLOCK
        self.beat, self.line, self.drift = (
            np.pad(values, (_HISTORY, size - _HISTORY - len(values))).astype(np.float32)
            for values in (rewards.beat, rewards.beat + rewards.line, rewards.drift)
        )
        num_lengths = len(_LENGTHS)
        most = STEPS + int(np.ceil(np.abs(rewards.drift).max()))
        self.steps = np.arange(-most, most + 1)  # cells that a beat grows, bar against bar
        self.metre = np.zeros((num_lengths, size), np.int8)  # of the bar that ends here
        self.step = np.zeros((num_lengths, size), np.int8)  # into the bar that begins here
        # Best values of the bars so far, by the beat of the bar that ends here, or begins here.
        self.ending = np.full((num_lengths, _HISTORY + _BLOCK), _NEVER)
        self.beginning = np.full((num_lengths, _HISTORY + _BLOCK), _NEVER)
        back = np.arange(1, 6)[:, None, None] * _LENGTHS[:, None]  # (5, K, 1)
        self.back = _HISTORY + np.arange(_BLOCK) - back  # (5, K, B) columns so many beats before
        rows = np.arange(num_lengths)[:, None] * self.beginning.shape[1]
        self.begin = np.stack([rows + self.back[metre - 1] for metre in _METRES])
        strain = _TEMPO_COST * (np.log(_LENGTHS / CELLS) / 0.12) ** 2
        self.cost = (strain[None, :, None] + _METRE_COST[:, None, None]).astype(np.float32)

    def decide(self, first: int) -> None:
        """Fill the cells first .. first + B - 1."""
        for values in (self.ending, self.beginning):
            values[:, :_HISTORY] = values[:, _BLOCK:]
        inside = np.cumsum(np.take(self.beat, first + self.back[:4]), axis=0)  # (4, K, B)
        value = np.take(self.beginning, self.begin) - self.cost
        for number, metre in enumerate(_METRES):
            value[number] += inside[metre - 2]
        here = slice(_HISTORY + first, _HISTORY + first + _BLOCK)
        best, which = _best(list(value))
        self.metre[:, here] = which
        self.ending[:, _HISTORY:] = best + self.line[here]
        self.beginning[:, _HISTORY:] = self._changed(self.ending[:, _HISTORY:], here)
        if first == 0:
            self.beginning[:, _HISTORY] = 0.0

    def _changed(self, ending: Values, here: slice) -> Values:
        """From the tempo of the bar that ends to that of the next: (K, B) -> (K, B)."""
        most = self.steps[-1]
        padded = np.pad(ending, ((most, most), (0, 0)), constant_values=_NEVER)
        change = self.steps[:, None] + self.drift[here]  # (S, B)
        cost = _CHANGE_COST * (change / STEPS) ** 2
        cost = np.where(np.abs(change) > STEPS + 1e-6, -_NEVER, cost).astype(np.float32)
        count = len(_LENGTHS)
        best, which = _best(
            [
                padded[most - step : most - step + count] - price
                for step, price in zip(self.steps, cost, strict=True)
            ]
        )
        self.step[:, here] = which - most
        return best

    def walk_back(self, last: int) -> tuple[list[int], list[int]] | None:
        """The best last bar, and from it bar by bar back to the start."""
        blocks = (last + 2) // _BLOCK  # whole blocks before the last one decided
        offset = _HISTORY - blocks * _BLOCK  # column of a cell in `ending`
        found: tuple[float, int, int] | None = None
        for end in range(last - 2, last + 3):
            for row in range(STEPS, len(_LENGTHS)):
                start = end - 4 * int(_LENGTHS[row])
                if start <= 0:
                    continue
                inside = self.beat[_HISTORY + end - _LENGTHS[row] * np.arange(1, 4)].sum()
                value = self.ending[row - STEPS, offset + start] + inside - self.cost[0, row, 0]
                if value > _NEVER / 2 and (found is None or value > found[0]):
                    found = (float(value), end, row)
        if found is None:
            return None
        _, cell, row = found
        lines, beats = [cell, cell - 4 * int(_LENGTHS[row])], [4]
        row -= STEPS
        while lines[-1] > 0:
            column = _HISTORY + lines[-1]
            beats.append(_METRES[self.metre[row, column]])
            lines.append(lines[-1] - beats[-1] * int(_LENGTHS[row]))
            row -= int(self.step[row, _HISTORY + lines[-1]]) if lines[-1] else 0
        return lines[::-1], beats[::-1]


def _best(options: list[Values]) -> tuple[Values, NDArray[np.int8]]:
    """The largest of arrays (K, B), and which it was; as `argmax` gives it, in less time."""
    best = options[0].copy()
    which = np.zeros(best.shape, np.int8)
    for number, option in enumerate(options[1:], start=1):
        which[option > best] = number
        np.maximum(best, option, out=best)
    return best, which
