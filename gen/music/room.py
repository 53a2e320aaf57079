"""A small room: one feedback delay network, fed by every part, glues them together.

Jot & Chaigne 1991, "Digital delay networks for designing artificial reverberators": eight delay
lines, a Householder matrix between them, and a low-pass in each so that highs die first. Linear and
without modulation, so rooms of stems add up to the room of their sum.
"""

from functools import lru_cache

import numpy as np
import torch
from scipy.fft import next_fast_len

from affetto.media_sound import Sound
from affetto.soundtrack import Part

DELAYS_S = (0.0233, 0.0271, 0.0297, 0.0331, 0.0367, 0.0403, 0.0437, 0.0479)
PRE_DELAY_S = 0.012
DECAY_S = 1.5  # to -60 dB
DAMPING = 0.22  # weight of the sample before in each line's two-tap low-pass
LENGTH_S, FADE_S = 2.0, 0.3  # of the answer to a click; it is at -80 dB by then
BLOCK_S = 4
_STEP = 2048  # Fourier transforms of many times two samples are half as dear as of others as long

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

    The network's answer to a click, cut off after `LENGTH_S`, is convolved block by block; what
    rings on is added to the next (overlap-add, Stockham 1966, "High-speed convolution and
    correlation"). Blocks of `BLOCK_S` cost least.
    """

    def __init__(self, sample_rate: int) -> None:
        """Prepare for sound at `sample_rate` Hz."""
        self._most = BLOCK_S * sample_rate
        self._answers, self._size = answer_spectra(sample_rate)
        self._ringing = np.zeros((2, self._size - self._most), np.float32)

    def __call__(self, block: Sound) -> Sound:
        """The next (2, S) samples of the room; S is at most `BLOCK_S` seconds."""
        count = block.shape[1]
        if count > self._most:
            raise ValueError(f"a block has at most {self._most} samples, got {count}")
        ringing = self._ringing.shape[1]
        if not block.any() and not self._ringing.any():
            return np.zeros((2, count), np.float32)
        spectrum = torch.fft.rfft(torch.from_numpy(np.ascontiguousarray(block)), self._size)
        total = self._answers[0] * spectrum[0]
        total += self._answers[1] * spectrum[1]
        wet: Sound = torch.fft.irfft(total, self._size).numpy()
        wet[:, :ringing] += self._ringing
        self._ringing = wet[:, count : count + ringing].copy()
        return wet[:, :count]


@lru_cache(maxsize=2)
def answer_spectra(sample_rate: int) -> tuple[torch.Tensor, int]:
    """Spectra of `answer_to_click`, (2, 2, F) complex64, and the length they are for."""
    click = torch.from_numpy(answer_to_click(sample_rate))
    least = BLOCK_S * sample_rate + click.shape[-1]
    size = _STEP * next_fast_len(-(-least // _STEP), real=True)
    return torch.fft.rfft(click, size), size


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
