"""How voiced a sound is: whether it repeats itself at the pitch of a human voice.

Thunder, rain, wind and knocks may rise and fall like syllables, but they do not repeat themselves
70 to 330 times a second. The measure is the highest local maximum of the normalised autocorrelation
at those lags (Rabiner and Schafer 1978, chapter 4; no centre clipping, mean over the two channels).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Values = NDArray[np.float32]

LOW_RATE_HZ = 8000
FRAMES_HZ = 50
WINDOW_S = 0.045
PITCH_HZ = (70.0, 330.0)
BAND_HZ = (90.0, 2500.0)
VOICED = 0.55


class VoicingMeter:
    """Takes sound block by block; constant memory but for 50 numbers a second."""

    def __init__(self, sample_rate: int) -> None:
        self._step = max(1, sample_rate // LOW_RATE_HZ)
        self._rate = sample_rate / self._step
        high = min(BAND_HZ[1], 0.4 * self._rate)
        self._sections = butter(4, (BAND_HZ[0], high), "bandpass", fs=sample_rate, output="sos")
        self._state = np.zeros((len(self._sections), 2))
        self._window, self._hop = round(WINDOW_S * self._rate), round(self._rate / FRAMES_HZ)
        self._phase = 0
        self._left = np.zeros(self._window // 2)
        self._shares: list[Values] = []

    def add(self, mono: NDArray[np.floating]) -> None:
        """Take the next (S,) samples."""
        band, self._state = sosfilt(self._sections, mono, zi=self._state)
        low = band[self._phase :: self._step]
        self._phase = (self._phase - len(band)) % self._step
        joined = np.concatenate([self._left, low])
        count = max(0, (len(joined) - self._window) // self._hop + 1)
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(joined, self._window)
            self._shares.append(self._repeats(frames[: count * self._hop : self._hop]))
        self._left = joined[count * self._hop :]

    def voicing(self, num_frames: int, frame_rate_hz: float) -> Values:
        """(num_frames,) in 0..1: the share of an echo at the voice's pitch, at another rate."""
        found = np.concatenate([np.zeros(1, np.float32), *self._shares])
        at = (np.arange(num_frames) + 0.5) * FRAMES_HZ / frame_rate_hz
        heights: Values = found[np.minimum(at.astype(int) + 1, len(found) - 1)]
        return heights

    def _repeats(self, frames: NDArray[np.floating]) -> Values:
        """(N,) heights of the highest peak of (N, W) frames' autocorrelation at pitch lags."""
        size = 2 ** int(np.ceil(np.log2(2 * self._window)))
        spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), size)
        echo = np.fft.irfft(np.abs(spectrum) ** 2, size)[:, : self._window]
        echo = echo / (echo[:, :1] + 1e-10)
        first, last = (round(self._rate / hz) for hz in reversed(PITCH_HZ))
        lags = np.arange(first, min(last, self._window - 2) + 1)
        # a window of W samples sees only W - lag of them twice
        heights = echo[:, lags] * (self._window / (self._window - lags))
        is_peak = (echo[:, lags] >= echo[:, lags - 1]) & (echo[:, lags] >= echo[:, lags + 1])
        highest: Values = np.where(is_peak, heights, 0).max(axis=1).clip(0, 1).astype(np.float32)
        return highest
