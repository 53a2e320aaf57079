"""When the film itself speaks, and how far the music steps back for it.

Speech is loud in the band 300..3400 Hz, rises and falls syllable by syllable, and so stands out
from its own surroundings; rain, traffic and hum do not. The measure is the band's level over the
10th percentile of the seconds before and after: high within speech, near zero for anything steady,
also right after a cut from one ambience to another. Thunder and waves do stand out; what tells
speech from them is its voice (`affetto.gen.music.voicing`). Whispering goes unnoticed, and a tune
may be taken for speech.
"""

from dataclasses import dataclass

import numpy as np
from einops import reduce
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, percentile_filter, uniform_filter1d
from scipy.signal import butter, sosfilt

from affetto.gen.music.voicing import VOICED, VoicingMeter
from affetto.media_sound import Sound

Values = NDArray[np.float32]

FRAME_RATE_HZ = 100
BAND_HZ = (300.0, 3400.0)
RUMBLE_HZ = 80.0
FLOOR_WINDOW_S, FLOOR_PERCENTILE = 3.0, 10.0
QUIETEST_FLOOR_DBFS = -62.0
ON_DB, OFF_DB = 10.0, 5.0  # level over the floor that opens and closes the gate
FULL_DB = 18.0  # from here on the music is lowered all the way
BAND_SHARE = (0.1, 0.25)  # share of the energy inside the band: none below, all above
HOLD_S = 0.30  # bridges the gaps between syllables
MIN_SHARE_OPEN = 0.12  # of the second around, else it is a click
MIN_SHARE_VOICED = 0.12  # of the two seconds around; real speech has 0.35 to 0.75, storms 0.03
ATTACK_S, RELEASE_S, AHEAD_S = 0.05, 0.40, 0.05


class SpeechBand:
    """Gathers the energy inside and outside the speech band, 100 frames a second."""

    def __init__(self, sample_rate: int) -> None:
        high = min(BAND_HZ[1], 0.45 * sample_rate)
        self._filters = (
            butter(2, (BAND_HZ[0], high), "bandpass", fs=sample_rate, output="sos"),
            butter(2, RUMBLE_HZ, "highpass", fs=sample_rate, output="sos"),
        )
        self._states = [np.zeros((len(sections), 2)) for sections in self._filters]
        self._size = round(sample_rate / FRAME_RATE_HZ)
        self._left = np.zeros((2, 0))
        self._frames: list[Values] = []
        self._voicing = VoicingMeter(sample_rate)

    def add(self, block: Sound) -> None:
        """Take the next (2, S) samples."""
        mono = block.mean(axis=0)
        self._voicing.add(mono)
        squares = []
        for number, sections in enumerate(self._filters):
            out, self._states[number] = sosfilt(sections, mono, zi=self._states[number])
            squares.append(np.square(out))
        joined = np.concatenate([self._left, squares], axis=1)
        whole = joined.shape[1] // self._size * self._size
        frames = reduce(joined[:, :whole], "k (t s) -> k t", "mean", s=self._size)
        self._frames.append(frames.astype(np.float32))
        self._left = joined[:, whole:]

    def activity(self) -> Values:
        """How surely and strongly something speaks, (T,) in 0..1 at 100 Hz."""
        band, whole = np.concatenate([np.zeros((2, 0), np.float32), *self._frames], axis=1)
        if not len(band):
            return np.zeros(0, np.float32)
        voicing = self._voicing.voicing(len(band), FRAME_RATE_HZ)
        spoken: Values = _activity(band, whole) * _spoken(voicing)
        return spoken


@dataclass(frozen=True)
class Ducking:
    """How far the music has stepped back: `course` (T,) at 100 Hz, 0 not at all, 1 all the way."""

    course: Values
    depth_db: float
    sample_rate: int

    def at(self, start: int, count: int) -> Values:
        """(S,) the course at samples `start` to `start + count`."""
        frames = (np.arange(start, start + count) + 0.5) * (FRAME_RATE_HZ / self.sample_rate) - 0.5
        known = np.arange(len(self.course))
        low = max(0, int(frames[0]) - 1)
        part = slice(low, int(frames[-1]) + 3)
        course: Values = np.interp(frames, known[part], self.course[part]).astype(np.float32)
        return course

    @property
    def gain_db(self) -> Values:
        """(T,) of the music at 100 Hz."""
        return np.float32(-self.depth_db) * self.course

    def per_second(self, count: int) -> NDArray[np.float64]:
        """(count,) mean gain in dB of each second."""
        seconds = np.minimum(np.arange(len(self.course)) // FRAME_RATE_HZ, count - 1)
        sums = np.bincount(seconds, self.gain_db, minlength=count)
        means: NDArray[np.float64] = sums / np.maximum(np.bincount(seconds, minlength=count), 1)
        return means

    @property
    def share(self) -> float:
        """Share of the time in which the music is lowered by more than 1 dB."""
        return float(np.mean(self.gain_db < -1.0))


def duck(activity: Values, *, depth_db: float, sample_rate: int) -> Ducking:
    """Lower by up to `depth_db`, a little ahead of the speech, and come back slowly."""
    ahead = round(AHEAD_S * FRAME_RATE_HZ)
    wanted = maximum_filter1d(activity, 2 * ahead + 1) if len(activity) else np.zeros(1)
    down, up = (1 - np.exp(-1 / (time_s * FRAME_RATE_HZ)) for time_s in (ATTACK_S / 2, RELEASE_S))
    course = np.empty(len(wanted), np.float32)
    now = float(wanted[0])
    for frame, value in enumerate(wanted):
        now += (value - now) * (down if value > now else up)
        course[frame] = now
    return Ducking(course, depth_db, sample_rate)


def _activity(band: Values, whole: Values) -> Values:
    level_db = 10 * np.log10(uniform_filter1d(band, 3, mode="nearest") + 1e-12)
    size = round(FLOOR_WINDOW_S * FRAME_RATE_HZ)
    floor_db = np.maximum(
        _floor(level_db, size, (size - 1) // 2), _floor(level_db, size, -(size // 2))
    )
    contrast_db = level_db - np.maximum(floor_db, QUIETEST_FLOOR_DBFS)
    is_open = _gate(contrast_db)
    wide = FRAME_RATE_HZ
    steady = uniform_filter1d(is_open.astype(np.float32), wide, mode="nearest") > MIN_SHARE_OPEN
    share = uniform_filter1d(band, wide // 5) / (uniform_filter1d(whole, wide // 5) + 1e-12)
    strength = _ramp(contrast_db, OFF_DB, FULL_DB) * _ramp(share, *BAND_SHARE)
    strength = np.where(is_open & steady, strength, 0.0)
    hold = round(HOLD_S * FRAME_RATE_HZ)
    held: Values = maximum_filter1d(strength, hold, origin=(hold - 1) // 2)
    return held.astype(np.float32)


def _spoken(voicing: Values) -> Values:
    """1 where there is a voice within the second before or after, else 0; (T,)."""
    voiced = (voicing > VOICED).astype(np.float32)
    share = uniform_filter1d(voiced, 2 * FRAME_RATE_HZ, mode="nearest")
    enough: Values = (share >= MIN_SHARE_VOICED).astype(np.float32)
    return enough


def _floor(level_db: Values, size: int, origin: int) -> Values:
    floor: Values = percentile_filter(
        level_db, FLOOR_PERCENTILE, size=size, origin=origin, mode="nearest"
    )
    return floor


def _gate(contrast_db: Values) -> NDArray[np.bool_]:
    """Open at ON_DB, closed again below OFF_DB."""
    last_said = np.maximum.accumulate(
        np.where((contrast_db >= ON_DB) | (contrast_db < OFF_DB), np.arange(len(contrast_db)), 0)
    )
    said: NDArray[np.bool_] = contrast_db[last_said] >= ON_DB
    return said


def _ramp(values: Values, low: float, high: float) -> Values:
    ramp: Values = np.clip((values - low) / (high - low), 0.0, 1.0)
    return ramp
