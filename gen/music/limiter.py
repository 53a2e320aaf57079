"""A look-ahead limiter on true peaks, planned over the whole film before it is applied.

Peaks (4x oversampled) and K-weighted energies are gathered in hops of 128 samples; from them the
gain curve and the loudness after limiting follow for any master gain without touching the sound
again. Two hours are 2.5 million hops, 20 MB, and twice that while the curve is planned.
"""

import numpy as np
from einops import reduce
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from affetto.gen.music.loudness import (
    OVERSAMPLING,
    STEP_S,
    KWeighting,
    TruePeak,
    integrated_lufs,
)
from affetto.media_sound import Sound

Values = NDArray[np.float32]

HOP = 128
REACH = 3  # hops of look-ahead, and as many of smoothing
RELEASE_DB_S = 40.0
CHUNK = 1 << 16
PLAN_TOLERANCE_LU = 0.01
MAX_ROUNDS = 12


class HopMeter:
    """Gathers, hop by hop, what limiting needs to know of the unlimited mix."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._weighting = KWeighting(sample_rate)
        self._true_peak = TruePeak(sample_rate)
        self._fine = np.zeros((2, 0), np.float32)
        self._squares = np.zeros(0)  # of the hop under way
        self._peaks: list[Values] = []
        self._energies: list[Values] = []
        self.num_samples = 0

    def add(self, block: Sound) -> None:
        """Take the next (2, S)."""
        self.num_samples += block.shape[1]
        self._add_squares(np.square(self._weighting(block)).sum(axis=0))
        self._add_fine(self._true_peak.add(block))

    def finish(self) -> "HopLevels":
        """All hops; call once."""
        self._add_fine(self._true_peak.add(np.zeros((2, 0), np.float32), last=True))
        self._add_squares(np.zeros(-len(self._squares) % HOP))
        size = OVERSAMPLING * HOP
        self._add_fine(np.zeros((2, -self._fine.shape[1] % size), np.float32))
        energies = np.concatenate([np.zeros(0, np.float32), *self._energies])
        peaks = np.concatenate([np.zeros(0, np.float32), *self._peaks])
        peaks = np.append(peaks, np.zeros(len(energies), np.float32))[: len(energies)]
        return HopLevels(peaks, energies, self.num_samples, self._rate)

    def _add_squares(self, squares: NDArray[np.float64]) -> None:
        joined = np.concatenate([self._squares, squares])
        whole = len(joined) // HOP * HOP
        self._energies.append(reduce(joined[:whole], "(h s) -> h", "sum", s=HOP).astype(np.float32))
        self._squares = joined[whole:]

    def _add_fine(self, fine: Sound) -> None:
        size = OVERSAMPLING * HOP
        joined = np.concatenate([self._fine, fine], axis=1)
        whole = joined.shape[1] // size * size
        self._peaks.append(reduce(np.abs(joined[:, :whole]), "c (h s) -> h", "max", s=size))
        self._fine = joined[:, whole:]


class HopLevels:
    """Of an unlimited mix, by hop: highest true peak (linear) and sum of weighted squares."""

    def __init__(self, peaks: Values, energies: Values, num_samples: int, rate: int) -> None:
        self._peaks_db = 20 * np.log10(np.maximum(peaks, np.float32(1e-9)))
        self._energies = energies
        self._num_samples = num_samples
        self._rate = rate

    def raised(self, gain_db: float) -> "HopLevels":
        """Of the same mix at another level."""
        gain = np.float32(10 ** (gain_db / 20))
        peaks = gain * np.power(np.float32(10), self._peaks_db / 20)
        return HopLevels(peaks, gain**2 * self._energies, self._num_samples, self._rate)

    def curve(self, *, gain_db: float, ceiling_dbtp: float) -> Values:
        """Linear gains at the borders of hops, (H + 1,), master gain included.

        Between two borders the gain runs straight. No hop's peak passes the ceiling: each border is
        a mean of values that are all small enough for the hops on both its sides.
        """
        released = self._released_db(ceiling_dbtp - gain_db)
        if not released.any():
            return np.full(len(released) + 1, 10 ** (gain_db / 20), np.float32)
        border = 2 * REACH + 1
        padded = np.pad(released, (border, border))
        del released
        lowest = minimum_filter1d(padded, border + 1)[1:]  # REACH + 1 before to REACH after
        del padded
        window = np.hanning(border + 2)[1:-1].astype(np.float32)
        nodes = np.convolve(lowest, window / window.sum(), mode="same")[border - 1 : 1 - border]
        nodes += gain_db
        nodes /= 20
        gains: Values = np.power(np.float32(10), nodes, out=nodes)
        return gains

    def _released_db(self, room_dbtp: float) -> Values:
        """(H,) reduction each hop needs, let go at RELEASE_DB_S; in chunks, to save memory."""
        released = np.empty_like(self._peaks_db)
        before = 0.0
        for start in range(0, len(released), CHUNK):
            needed = np.minimum(0.0, room_dbtp - self._peaks_db[start : start + CHUNK])
            rise = RELEASE_DB_S * HOP / self._rate * np.arange(1.0, len(needed) + 1)
            falling = np.minimum.accumulate(np.append(before, needed - rise))[1:]
            released[start : start + CHUNK] = falling + rise
            before = float(falling[-1] + rise[-1])
        np.minimum(released, 0.0, out=released)
        return released

    def loudness(self, curve: Values | None = None) -> float:
        """Integrated loudness in LUFS if `curve` is applied (within a few hundredths of a LU)."""
        if curve is None:
            curve = np.ones(len(self._energies) + 1, np.float32)
        sums = np.zeros(int(self._num_samples / self._rate / STEP_S) + 1)
        for start in range(0, len(self._energies), CHUNK):
            part = slice(start, start + CHUNK)
            gains = (curve[:-1][part] + curve[1:][part]) / 2
            powers = self._energies[part] * np.square(gains)
            centres_s = (np.arange(start, start + len(powers)) + 0.5) * (HOP / self._rate)
            steps = np.minimum((centres_s / STEP_S).astype(np.int64), len(sums) - 1)
            np.add.at(sums, steps, powers)
        return integrated_lufs(sums, self._num_samples, self._rate)

    def gain_for(self, target_lufs: float, *, ceiling_dbtp: float, max_gain_db: float) -> float:
        """The master gain in dB whose limited result has the target loudness; 0 for silence."""
        gain_db = 0.0
        for _ in range(MAX_ROUNDS):
            curve = self.curve(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp)
            missing_db = target_lufs - self.loudness(curve)
            if not np.isfinite(missing_db):
                return 0.0
            if abs(missing_db) < PLAN_TOLERANCE_LU or gain_db + missing_db > max_gain_db:
                return min(gain_db + missing_db, max_gain_db)
            gain_db += missing_db
        return gain_db


def apply_curve(block: Sound, curve: Values, *, start: int) -> Sound:
    """The block that begins at sample `start` (a multiple of HOP) with the gain curve applied."""
    first = start // HOP
    nodes = curve[first : first + -(-block.shape[1] // HOP) + 1]
    gains = np.interp(np.arange(block.shape[1]), HOP * np.arange(len(nodes)), nodes)
    return block * gains.astype(np.float32)
