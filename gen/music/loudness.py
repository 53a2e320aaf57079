"""How loud sound is, measured as it streams by: ITU-R BS.1770-4 loudness and true peak.

K-weighting takes pyloudnorm's own filter coefficients, and blocks lie on the samples pyloudnorm
uses, so whole files give the same figure. Loudness is in LUFS, true peak in dBTP (4x oversampled).
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pyloudnorm
import soxr
from einops import rearrange
from numpy.typing import NDArray
from scipy.signal import sosfilt

from affetto.media_sound import Sound

Values = NDArray[np.float64]

STEP_S, BLOCK_STEPS = 0.1, 4  # gating blocks of 400 ms that overlap by 75 %
OVERSAMPLING = 4
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, 10.0
CURVE_FLOOR_LUFS = -70.0


@dataclass(frozen=True)
class Loudness:
    """Of a whole programme; -inf for silence."""

    integrated_lufs: float
    true_peak_dbtp: float


class KWeighting:
    """The ear's frequency weighting of BS.1770-4, keeping its state from block to block."""

    def __init__(self, sample_rate: int, *, channels: int = 2) -> None:
        filters = pyloudnorm.Meter(sample_rate)._filters.values()
        self._sections = np.array([np.concatenate([stage.b, stage.a]) for stage in filters])
        self._state = np.zeros((len(self._sections), channels, 2))

    def __call__(self, block: Sound) -> Values:
        """(C, S) -> (C, S) float64."""
        weighted, self._state = sosfilt(self._sections, block, axis=-1, zi=self._state)
        return cast(Values, weighted)


class TruePeak:
    """Oversamples by four and keeps the highest value."""

    def __init__(self, sample_rate: int, *, channels: int = 2) -> None:
        self._stream = soxr.ResampleStream(
            sample_rate, OVERSAMPLING * sample_rate, channels, dtype="float32", quality="HQ"
        )
        self.peak = 0.0

    def add(self, block: Sound, *, last: bool = False) -> Sound:
        """Take (C, S); give what came out oversampled, (C, some), all of it after the last."""
        row = np.ascontiguousarray(rearrange(block, "c s -> s c"), dtype=np.float32)
        fine: Sound = rearrange(self._stream.resample_chunk(row, last=last), "s c -> c s")
        for samples in (fine, block):
            if samples.size:
                self.peak = max(self.peak, float(np.abs(samples).max()))
        return fine


class LoudnessMeter:
    """Takes blocks of stereo sound of any length; `finish` gives the figures."""

    def __init__(self, sample_rate: int, *, peaks: bool = True) -> None:
        """Prepare; without `peaks` the true peak, two thirds of the work, is given as -inf."""
        self._rate = sample_rate
        self._weighting = KWeighting(sample_rate)
        self._true_peak = TruePeak(sample_rate) if peaks else None
        self._energies = StepEnergies(sample_rate)

    def add(self, block: Sound) -> None:
        """Measure the next (2, S) samples."""
        if self._true_peak:
            self._true_peak.add(block)
        self._energies.add(np.square(self._weighting(block)).sum(axis=0))

    def finish(self) -> Loudness:
        """All that was added, measured; call once."""
        if self._true_peak:
            self._true_peak.add(np.zeros((2, 0), np.float32), last=True)
        return Loudness(
            integrated_lufs(self._energies.values(), self._energies.num_samples, self._rate),
            decibels(self._true_peak.peak if self._true_peak else 0.0),
        )

    def curve(self) -> tuple[Values, Values]:
        """Short-term loudness (3 s windows) at each second: (seconds (T,), LUFS (T,))."""
        return short_term(self._energies.values(), self._energies.num_samples, self._rate)

    @property
    def energies(self) -> "StepEnergies":
        """K-weighted energy of each 100 ms so far."""
        return self._energies


class StepEnergies:
    """Sums of squares over steps of 100 ms, gathered from blocks of any length."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._sums: list[Values] = []
        self._open = 0.0  # of the step under way
        self._step = 0
        self.num_samples = 0

    def add(self, squares: Values) -> None:
        """Take the next samples' squares, (S,)."""
        if not len(squares):
            return
        start, stop = self.num_samples, self.num_samples + len(squares)
        self.num_samples = stop
        last = self._step
        while _border(last + 1, self._rate) <= stop:
            last += 1
        borders = [_border(step, self._rate) for step in range(self._step + 1, last + 1)]
        starts = [0, *(border - start for border in borders)]
        sums = np.add.reduceat(np.append(squares, 0.0), starts)  # a border may be at the end
        sums[0] += self._open
        self._sums.append(sums[:-1])
        self._open, self._step = float(sums[-1]), last

    def values(self) -> Values:
        """(T,) sums of squares; the last one may be of a part of a step."""
        return np.append(np.concatenate([np.zeros(0), *self._sums]), self._open)


def integrated_lufs(energies: Values, num_samples: int, sample_rate: int) -> float:
    """Gated loudness from sums of squares over 100 ms steps; -inf if nothing passes the gates.

    Sound shorter than 400 ms is one block.
    """
    duration_s = num_samples / sample_rate
    block_s = STEP_S * BLOCK_STEPS
    if duration_s < block_s:
        blocks = np.array([energies.sum() / max(1, num_samples)])
    else:
        count = int(np.round((duration_s - block_s) / STEP_S)) + 1
        padded = np.append(energies, np.zeros(BLOCK_STEPS))
        windows = np.lib.stride_tricks.sliding_window_view(padded, BLOCK_STEPS)[:count]
        blocks = windows.sum(axis=1) / (block_s * sample_rate)
    loud = blocks[_lufs(blocks) >= ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return -np.inf
    gate = _lufs(loud.mean(keepdims=True))[0] - RELATIVE_GATE_LU
    return float(_lufs(loud[_lufs(loud) > gate].mean(keepdims=True))[0])


def short_term(energies: Values, num_samples: int, sample_rate: int) -> tuple[Values, Values]:
    """Loudness of the 3 s around each second's middle: (seconds (T,), LUFS (T,)), at least -70."""
    centres = np.arange(max(1, int(np.ceil(num_samples / sample_rate)))) + 0.5
    steps = np.round(centres[:, None] / STEP_S + [-15, 15]).astype(np.int64)
    total = np.append(0.0, np.cumsum(energies))
    low, high = np.clip(steps, 0, len(energies)).T
    samples = np.minimum(high * STEP_S * sample_rate, num_samples) - low * STEP_S * sample_rate
    powers = (total[high] - total[low]) / np.maximum(samples, 1.0)
    curve: Values = np.maximum(_lufs(np.maximum(powers, 0.0)), CURVE_FLOOR_LUFS)
    return centres.astype(np.float64), curve


def decibels(value: float) -> float:
    """20 log10; -inf for 0."""
    return 20 * float(np.log10(value)) if value > 0 else -np.inf


def _lufs(powers: Values) -> Values:
    with np.errstate(divide="ignore"):
        lufs: Values = -0.691 + 10 * np.log10(powers)
        return lufs


def _border(step: int, sample_rate: int) -> int:
    """First sample of a 100 ms step, rounded as pyloudnorm does."""
    return int(STEP_S * BLOCK_STEPS * (step / BLOCK_STEPS) * sample_rate)
