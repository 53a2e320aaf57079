"""A small room: one feedback delay network, fed by every part, glues them together.

Jot & Chaigne 1991, "Digital delay networks for designing artificial reverberators": eight delay
lines, a Householder matrix between them, and a low-pass in each so that highs die first. Linear and
without modulation, so rooms of stems add up to the room of their sum.
"""

import numpy as np

from affetto.media_sound import Sound
from affetto.soundtrack import Part

DELAYS_S = (0.0233, 0.0271, 0.0297, 0.0331, 0.0367, 0.0403, 0.0437, 0.0479)
PRE_DELAY_S = 0.012
DECAY_S = 1.5  # to -60 dB
DAMPING = 0.22  # weight of the sample before in each line's two-tap low-pass

DRUM_SEND_DB, LOW_SEND_DB, SEND_DB = -22.0, -28.0, -17.0
BASS_PROGRAMS = range(32, 40)
LOW_PROGRAMS = (*BASS_PROGRAMS, 43)  # and the contrabass


def room_send_db(part: Part) -> float:
    """How much of a part goes into the room: basses hardly any, so that the low end stays clear."""
    if part.is_drum:
        return DRUM_SEND_DB
    return LOW_SEND_DB if part.program in LOW_PROGRAMS else SEND_DB


class Room:
    """Takes blocks of (2, S) and gives what the room adds, (2, S); the dry sound is not in it."""

    def __init__(self, sample_rate: int) -> None:
        delays = [round(delay_s * sample_rate) | 1 for delay_s in DELAYS_S]
        self._pre = np.zeros((2, round(PRE_DELAY_S * sample_rate)), np.float32)
        self._delays = delays
        self._step = min(delays) - 1
        self._past = np.zeros((len(delays), max(delays) + 1), np.float32)
        gains = [10 ** (-3 * delay / (DECAY_S * sample_rate)) for delay in delays]
        self._gains = np.array(gains, np.float32)[:, None]

    def __call__(self, block: Sound) -> Sound:
        """The next (2, S) samples of the room."""
        count, history = block.shape[1], self._past.shape[1]
        joined = np.concatenate([self._pre, block], axis=1)
        late, self._pre = joined[:, :count], joined[:, count:]
        lines = np.concatenate([self._past, np.zeros((len(self._delays), count), np.float32)], 1)
        wet = np.empty((2, count), np.float32)
        for start in range(0, count, self._step):
            stop = min(start + self._step, count)
            out = np.empty((len(self._delays), stop - start + 1), np.float32)
            for row, delay in enumerate(self._delays):
                low = history + start - delay - 1
                out[row] = lines[row, low : low + stop - start + 1]
            damped = ((1 - DAMPING) * out[:, 1:] + DAMPING * out[:, :-1]) * self._gains
            wet[0, start:stop] = damped[::2].sum(axis=0)
            wet[1, start:stop] = damped[1::2].sum(axis=0)
            damped -= damped.sum(axis=0) * np.float32(2 / len(self._delays))
            damped[::2] += late[0, start:stop]
            damped[1::2] += late[1, start:stop]
            lines[:, history + start : history + stop] = damped
        self._past = lines[:, count:].copy()
        return wet
