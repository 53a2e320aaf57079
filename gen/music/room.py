"""A small room: one feedback delay network, fed by every part, glues them together.

Jot & Chaigne 1991, "Digital delay networks for designing artificial reverberators": eight delay
lines, a Householder matrix between them, and a low-pass in each so that highs die first. Linear and
without modulation, so rooms of stems add up to the room of their sum.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from scipy import fft

from affetto.media_sound import Sound
from affetto.soundtrack import Part

Wave = NDArray[np.complexfloating[Any, Any]]

DELAYS_S = (0.0233, 0.0271, 0.0297, 0.0331, 0.0367, 0.0403, 0.0437, 0.0479)
PRE_DELAY_S = 0.012
DECAY_S = 1.5  # to -60 dB
DAMPING = 0.22  # weight of the sample before in each line's two-tap low-pass
LENGTH_S, FADE_S = 2.0, 0.3  # of the answer to a click; it is at -80 dB by then

DRUM_SEND_DB, LOW_SEND_DB, SEND_DB = -22.0, -28.0, -17.0
BASS_PROGRAMS = range(32, 40)
LOW_PROGRAMS = (*BASS_PROGRAMS, 43)  # and the contrabass


def room_send_db(part: Part) -> float:
    """How much of a part goes into the room: basses hardly any, so that the low end stays clear."""
    if part.is_drum:
        return DRUM_SEND_DB
    return LOW_SEND_DB if part.program in LOW_PROGRAMS else SEND_DB


class Room:
    """Takes blocks of (2, S) and gives what the room adds, (2, S); the dry sound is not in it.

    The network's answer to a click, cut off after `LENGTH_S`, is convolved in partitions as long as
    a block (Gardner 1995, "Efficient convolution without input-output delay").
    """

    def __init__(self, sample_rate: int, block: int | None = None) -> None:
        """Prepare.

        Args:
            sample_rate: in Hz.
            block: samples of every block but the last, which may be shorter; None is one second.
        """
        self._size = block or sample_rate
        click = answer_to_click(sample_rate)
        count = -(-click.shape[-1] // self._size)
        click = np.pad(click, ((0, 0), (0, 0), (0, count * self._size - click.shape[-1])))
        parts = rearrange(click, "i o (p s) -> p i o s", p=count)
        self._answers = fft.rfft(parts, 2 * self._size)  # (P, 2, 2, F)
        self._total = np.zeros((2, self._size + 1), np.complex64)
        self._product = np.empty_like(self._total)
        self._before = np.zeros((2, self._size), np.float32)
        self._spectra: list[Wave | None] = [None] * len(self._answers)

    def __call__(self, block: Sound) -> Sound:
        """The next (2, S) samples of the room."""
        count = block.shape[1]
        now = np.zeros((2, 2 * self._size), np.float32)
        now[:, : self._size] = self._before
        now[:, self._size : self._size + count] = block
        self._before = now[:, self._size :]
        self._spectra = [fft.rfft(now) if now.any() else None, *self._spectra[:-1]]
        total, product = self._total, self._product
        total[:] = 0
        for spectrum, answer in zip(self._spectra, self._answers, strict=True):
            if spectrum is not None:
                for side in (0, 1):
                    total += np.multiply(spectrum[side], answer[side], out=product)
        if all(spectrum is None for spectrum in self._spectra):
            return np.zeros((2, count), np.float32)
        wet: Sound = fft.irfft(total, 2 * self._size)[:, self._size : self._size + count]
        return wet


@lru_cache(maxsize=2)
def answer_to_click(sample_rate: int) -> Sound:
    """(2, 2, S): what a click on the left, or on the right, becomes left and right."""
    length, fade = round(LENGTH_S * sample_rate), round(FADE_S * sample_rate)
    clicks = np.zeros((2, 2, length), np.float32)
    clicks[0, 0, 0] = clicks[1, 1, 0] = 1
    answers = np.stack([delay_network(click, sample_rate) for click in clicks])
    answers[..., -fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return answers


def delay_network(sound: Sound, sample_rate: int) -> Sound:
    """(2, S) through the network itself, from silence."""
    delays = [round(delay_s * sample_rate) | 1 for delay_s in DELAYS_S]
    gains = np.array([10 ** (-3 * delay / (DECAY_S * sample_rate)) for delay in delays])
    count, history, step = sound.shape[1], max(delays) + 1, min(delays) - 1
    late = np.pad(sound, ((0, 0), (round(PRE_DELAY_S * sample_rate), 0)))
    lines = np.zeros((len(delays), history + count), np.float32)
    wet = np.empty((2, count), np.float32)
    for start in range(0, count, step):
        stop = min(start + step, count)
        out = np.empty((len(delays), stop - start + 1), np.float32)
        for row, delay in enumerate(delays):
            low = history + start - delay - 1
            out[row] = lines[row, low : low + stop - start + 1]
        damped = (1 - DAMPING) * out[:, 1:] + DAMPING * out[:, :-1]
        damped *= gains[:, None].astype(np.float32)
        wet[0, start:stop] = damped[::2].sum(axis=0)
        wet[1, start:stop] = damped[1::2].sum(axis=0)
        damped -= damped.sum(axis=0) * np.float32(2 / len(delays))
        damped[::2] += late[0, start:stop]
        damped[1::2] += late[1, start:stop]
        lines[:, history + start : history + stop] = damped
    return wet
