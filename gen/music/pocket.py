"""A pocket in the music for the voice: a bell over 1 to 4 kHz that opens while somebody speaks.

There lies about half of what makes speech clear (the band weights of ANSI S3.5-1997). The bell is
the sound minus a share of its own band-pass (Bristow-Johnson, "Cookbook formulae for audio
equalizer biquad filter coefficients"), so that its depth may move from sample to sample, and where
the share is 0 the sound passes as it is.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from affetto.media_sound import Sound

LOW_HZ, HIGH_HZ = 800.0, 5000.0  # where its band-pass is 3 dB down


class Pocket:
    """Takes blocks of (2, S) and gives them with the bell, keeping its state between them."""

    def __init__(self, sample_rate: int) -> None:
        middle = min(np.sqrt(LOW_HZ * HIGH_HZ), 0.4 * sample_rate)
        turn = 2 * np.pi * middle / sample_rate
        width = np.sin(turn) * (HIGH_HZ - LOW_HZ) / (2 * middle)
        row = np.array([width, 0.0, -width, 1 + width, -2 * np.cos(turn), 1 - width])
        self._sections = row[None] / (1 + width)
        self._state = np.zeros((1, 2, 2))

    def __call__(self, block: Sound, gain: NDArray[np.float32]) -> Sound:
        """(2, S) with the middle of the bell at a linear gain (S,)."""
        band, self._state = sosfilt(self._sections, block, axis=-1, zi=self._state)
        dipped: Sound = block - (1 - gain) * band.astype(np.float32)
        return dipped
