"""From a Soundtrack to sound files: stems, and a mix with the film's own sound at a set loudness.

Order matters: parts are placed and balanced first, then the music steps back under speech, most
where speech has its consonants, and a limiter comes last; nothing after the ducking levels it out
again. All sound passes in blocks and
rests on disk between the passes, so memory does not grow with the film.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.ahead import made_ahead
from affetto.errors import BadInput
from affetto.files import resource_errors
from affetto.gen.music.composition import Levels
from affetto.gen.music.ducking import Ducking, Values
from affetto.gen.music.film_sound import FilmSound, listen
from affetto.gen.music.limiter import HOP, HopLevels, HopMeter, apply_curve
from affetto.gen.music.loudness import Loudness, LoudnessMeter, decibels
from affetto.gen.music.pocket import Pocket
from affetto.gen.music.sound_files import read_raw, wav_writer
from affetto.gen.music.stems import Music, play_parts, write_stems
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.soundtrack import Soundtrack

Progress = Callable[[float], None]

LOUDNESS_RANGE_LUFS = (-40.0, -10.0)
MAX_GAIN_DB = 36.0  # quieter music is not blown up further
MUSIC_UNDER_SPEECH_LU = 4.0  # before ducking
AMBIENCE_UNDER_MUSIC_LU = 8.0  # the film's sound, where it hardly speaks; never louder than it was
STEM_PEAK_DBFS = -1.0
PEAK_MARGIN_DB = 0.1  # smoothing the gain and 24 bits may lift a peak by this much
MAX_WRITES = 4
CLOSE_LU = 0.1


@dataclass(frozen=True)
class MixSettings:
    """What the mix shall be.

    Attributes:
        target_lufs: integrated loudness of the mix, -40..-10.
        peak_dbtp: highest true peak, at most 0.
        duck_db: how far the music steps back under speech, 0 for not at all.
        pocket_db: how much further at 2 kHz, where speech has its consonants.
        max_gain_db: bound of the master gain: what is nearly silent stays so.
    """

    target_lufs: float = -16.0
    peak_dbtp: float = -1.0
    duck_db: float = 9.0
    pocket_db: float = 6.0
    max_gain_db: float = 24.0


@dataclass(frozen=True)
class MixReport:
    """What came out, all measured on the written mix.

    Attributes:
        integrated_lufs: of the whole mix; -inf if it is silent.
        true_peak_dbtp: of the whole mix.
        duck_share: share of the time in which the music is lowered by more than 1 dB.
        music_gain_db: from the parts as played to the mix, without ducking and limiting.
        original_gain_db: of the film's own sound; 0 without one.
        stems_gain_db: from the music in the mix to the stems, 0 unless a stem would clip.
        limited_db: the limiter's greatest reduction.
        silent: whether there is nothing to hear at all.
        synth: which synthesizer played.
        loudness_times_s: (T,) middles of the seconds.
        loudness_lufs: (T,) short-term loudness (3 s), not below -70.
        duck_gain_db: (T,) mean gain of the ducking in each of these seconds.
    """

    integrated_lufs: float
    true_peak_dbtp: float
    duck_share: float
    music_gain_db: float
    original_gain_db: float
    stems_gain_db: float
    limited_db: float
    silent: bool
    synth: str
    loudness_times_s: NDArray[np.float64]
    loudness_lufs: NDArray[np.float64]
    duck_gain_db: NDArray[np.float64]


@dataclass(frozen=True)
class _Balance:
    """Gains in dB before the master gain, and how the music ducks."""

    music_db: float
    film_db: float
    ducking: Ducking | None


def render_soundtrack(
    soundtrack: Soundtrack,
    folder: Path,
    *,
    synth: Synth,
    original: Iterator[Sound] | None = None,
    spoken: Values | None = None,
    settings: MixSettings | None = None,
    sample_rate: int = 44_100,
    gains: Mapping[str, tuple[float, float]] | None = None,
    levels: Levels | None = None,
    progress: Progress | None = None,
) -> MixReport:
    """Write `mix.wav` and `stems/<part>.wav`, 24-bit stereo, into a folder.

    Every file has exactly round(duration_s * sample_rate) samples. The stems, each with its place
    and its share of the room, are the music before ducking and limiting: their sum, raised by
    -stems_gain_db, is what the mix ducks and limits, to within one 24-bit step a stem.

    Args:
        soundtrack: what to play.
        folder: exists; on failure it may hold part of the files (the caller stages it).
        synth: see `choose_synth`.
        original: the film's own sound as (2, S) float32 blocks of any length at `sample_rate`, cut
            or filled with silence to the music's length; None for music alone.
        spoken: (T,) 0..1 at 100 Hz, when somebody speaks in it, where that is known; None listens.
        settings: loudness, peak, ducking.
        sample_rate: in Hz.
        gains: part name -> (gain in dB, place -1 left .. 1 right); None takes the arranger's.
        levels: gains of an earlier mix to keep, instead of making the mix as loud as the settings
            say; the limiter still works.
        progress: told the share done, 0..1.

    Raises:
        BadInput: a setting is out of range, or the sound font lacks an instrument.
        ResourceError: no space or no permission.
    """
    settings = settings or MixSettings()
    _check_settings(settings)
    total = round(soundtrack.duration_s * sample_rate)
    tell = progress or (lambda share: None)
    with resource_errors(folder), tempfile.TemporaryDirectory(prefix=".mix-", dir=folder) as work:
        heard = HopMeter(sample_rate)
        music = play_parts(
            soundtrack, Path(work), synth, sample_rate, gains, lambda done: tell(0.6 * done),
            heard.add,
        )  # fmt: skip
        alone = heard.finish()
        film = listen(original, Path(work), total, sample_rate, settings.duck_db, spoken)
        tell(0.7)
        balance = _kept(film, levels) if levels else _balance(alone.loudness(), film, settings)
        blocks = _Blocks(music, film, balance, total, sample_rate, settings.pocket_db)
        measured_hops = _measure(blocks) if film else alone.raised(balance.music_db)
        tell(0.8)
        gain_db, limited_db, measured, mix_meter = _write_mix(
            folder / "mix.wav", blocks, measured_hops, settings, keep_gain=levels is not None
        )
        tell(0.9)
        music_gain_db = balance.music_db + gain_db
        stems_gain_db = min(0.0, STEM_PEAK_DBFS - music_gain_db - decibels(music.stem_peak))
        if levels:
            stems_gain_db = levels.stems_db
        write_stems(folder / "stems", music, music_gain_db + stems_gain_db, sample_rate)
        tell(1.0)
    times_s, curve_lufs = mix_meter.curve()
    ducking = balance.ducking
    return MixReport(
        integrated_lufs=measured.integrated_lufs,
        true_peak_dbtp=measured.true_peak_dbtp,
        duck_share=ducking.share if ducking else 0.0,
        music_gain_db=music_gain_db,
        original_gain_db=balance.film_db + gain_db if film else 0.0,
        stems_gain_db=stems_gain_db,
        limited_db=limited_db,
        silent=not np.isfinite(measured.integrated_lufs),
        synth=synth.name,
        loudness_times_s=times_s,
        loudness_lufs=curve_lufs,
        duck_gain_db=ducking.per_second(len(times_s)) if ducking else np.zeros(len(times_s)),
    )


def _check_settings(settings: MixSettings) -> None:
    low, high = LOUDNESS_RANGE_LUFS
    if not low <= settings.target_lufs <= high:
        raise BadInput(
            f"loudness {settings.target_lufs:g} LUFS: allowed are {low:g} to {high:g}; usual are "
            f"-14 (streaming), -16 (web) and -23 (broadcast)"
        )
    steps_db = (settings.duck_db, settings.pocket_db)
    if not -20 <= settings.peak_dbtp <= 0 or not all(0 <= step_db <= 40 for step_db in steps_db):
        raise BadInput(
            f"peak_dbtp must be -20..0, duck_db and pocket_db 0..40, got {settings.peak_dbtp:g}, "
            f"{settings.duck_db:g} and {settings.pocket_db:g}"
        )


def _balance(music_lufs: float, film: FilmSound | None, settings: MixSettings) -> _Balance:
    """Where the film speaks, music lies under its speech; else the film's sound lies under it."""
    under = film is not None and film.speaking
    level = settings.target_lufs - (MUSIC_UNDER_SPEECH_LU if under else 0.0)
    music_db = min(level - music_lufs, MAX_GAIN_DB) if np.isfinite(music_lufs) else 0.0
    if film is None or not np.isfinite(film.lufs):
        return _Balance(music_db, 0.0, None)
    if under:
        film_db = min(settings.target_lufs - film.lufs, settings.max_gain_db)
    elif np.isfinite(music_lufs):
        film_db = min(0.0, settings.target_lufs - AMBIENCE_UNDER_MUSIC_LU - film.lufs)
    else:
        film_db = 0.0
    return _Balance(music_db, film_db, film.ducking)


def _kept(film: FilmSound | None, levels: Levels) -> _Balance:
    """The balance of an earlier mix, its master gain included."""
    return _Balance(levels.music_db, levels.original_db, film.ducking if film else None)


class _Blocks:
    """The balanced, ducked mix before master gain and limiter; can be gone through again."""

    def __init__(
        self,
        music: Music,
        film: FilmSound | None,
        balance: _Balance,
        total: int,
        sample_rate: int,
        pocket_db: float,
    ) -> None:
        self._music, self._film, self._balance = music, film, balance
        self._pocket_db = pocket_db
        self.total, self.sample_rate = total, sample_rate

    def __iter__(self) -> Iterator[tuple[int, Sound]]:
        """(first sample, (2, S)); each block but the last is a multiple of HOP long."""
        size, pocket = self.sample_rate // HOP * HOP, Pocket(self.sample_rate)
        gain, film_gain = (
            np.float32(10 ** (gain_db / 20))
            for gain_db in (self._balance.music_db, self._balance.film_db)
        )
        bus = read_raw(self._music.bus, block=size)
        film = read_raw(self._film.path, block=size) if self._film else iter(())
        for start in range(0, self.total, size):
            count = min(size, self.total - start)
            block = gain * next(bus, np.zeros((2, count), np.float32))
            if self._balance.ducking is not None:
                course = self._balance.ducking.at(start, count)
                if course.any():
                    block = pocket(block, _linear(-self._pocket_db * course))
                    block *= _linear(-self._balance.ducking.depth_db * course)
            yield start, block + film_gain * next(film, np.zeros((2, count), np.float32))


def _linear(gain_db: Values) -> Values:
    gain: Values = np.power(np.float32(10), gain_db / np.float32(20))
    return gain


def _measure(blocks: _Blocks) -> HopLevels:
    meter = HopMeter(blocks.sample_rate)
    for _, block in made_ahead(iter(blocks)):
        meter.add(block)
    return meter.finish()


def _write_mix(
    path: Path, blocks: _Blocks, levels: HopLevels, settings: MixSettings, *, keep_gain: bool
) -> tuple[float, float, Loudness, LoudnessMeter]:
    """Write the limited mix, again with corrected aims until measured loudness and peak are right.

    With `keep_gain` the master gain is 0 and only the peak is watched.

    Returns:
        Master gain in dB, greatest reduction in dB, what was measured, and the meter.
    """
    target, ceiling = settings.target_lufs, settings.peak_dbtp - PEAK_MARGIN_DB
    for _ in range(MAX_WRITES):
        gain_db = 0.0
        if not keep_gain:
            gain_db = levels.gain_for(
                target, ceiling_dbtp=ceiling, max_gain_db=settings.max_gain_db
            )
        curve = levels.curve(gain_db=gain_db, ceiling_dbtp=ceiling)
        meter = LoudnessMeter(blocks.sample_rate)
        with wav_writer(path, sample_rate=blocks.sample_rate) as wav:
            limited = (apply_curve(block, curve, start=start) for start, block in blocks)
            for block in made_ahead(limited):
                wav.add(block)
                meter.add(block)
        measured = meter.finish()
        over_db = measured.true_peak_dbtp - settings.peak_dbtp
        missing = settings.target_lufs - measured.integrated_lufs
        bounded = keep_gain or not np.isfinite(missing) or gain_db >= settings.max_gain_db
        if over_db <= 0 and (bounded or abs(missing) <= CLOSE_LU):
            break
        ceiling -= over_db + 0.02 if over_db > 0 else 0.0
        target += 0.0 if bounded else missing
    limited_db = max(0.0, gain_db - decibels(float(curve.min())))
    return gain_db, limited_db, measured, meter
