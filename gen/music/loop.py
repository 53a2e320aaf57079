"""Bars of a piece as sound that goes round without a seam.

The bars are played once with their releases and their room; what rings past the end is added to
the start. So the end runs into the start as if the bars had been played for ever.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affetto.files import resource_errors
from affetto.gen.music.loop_bars import Bars, loop_parts
from affetto.gen.music.loudness import LoudnessMeter
from affetto.gen.music.sound_files import read_raw, wav_writer
from affetto.gen.music.stems import play_parts
from affetto.gen.music.synth import Synth
from affetto.media_sound import Sound
from affetto.soundtrack import Soundtrack

LEAD_S = 0.05  # played before the first bar line: early players, the fade in
RING_S = 6.0  # releases and room after the last
PEAK_DBTP = -1.0
FILE, STEMS = "loop.wav", "loop_stems"
FRAME, HOP, REACH_S = 1024, 256, 0.05


@dataclass(frozen=True)
class Seam:
    """How the place where a loop closes compares with the rest of it.

    Attributes:
        jump: step from the last sample to the first, as a share of the largest step elsewhere.
        flux: spectral flux there, as a multiple of the median over the other bar lines.
    """

    jump: float
    flux: float


@dataclass(frozen=True)
class Loop:
    """A written loop.

    Attributes:
        first_bar, last_bar: numbers in the piece, from 1.
        duration_s: its length.
        integrated_lufs: its loudness.
        seam: measured on what was written.
    """

    first_bar: int
    last_bar: int
    duration_s: float
    integrated_lufs: float
    seam: Seam


def write_loop(
    music: Soundtrack,
    bars: Bars,
    folder: Path,
    *,
    synth: Synth,
    target_lufs: float,
    sample_rate: int = 44_100,
) -> Loop:
    """Write loop.wav and loop_stems/<part>.wav, 24-bit stereo, which add up to it.

    They are as loud as asked, or less where a peak would pass -1 dBTP: limiters do not go round.

    Args:
        music: the piece.
        bars: first and last of the loop, from 0.
        folder: exists; on failure it may hold part of the files.
        synth: what plays.
        target_lufs: loudness of the loop.
        sample_rate: in Hz.
    """
    start_s, end_s = music.bars[bars[0]].start_s, music.bars[bars[1]].end_s
    length = round((end_s - start_s) * sample_rate)
    lead = round(LEAD_S * sample_rate)
    played = _shifted(music, bars, duration_s=length / sample_rate + LEAD_S + RING_S)
    with resource_errors(folder), tempfile.TemporaryDirectory(prefix=".loop-", dir=folder) as work:
        parts = play_parts(played, Path(work), synth, sample_rate, None, lambda share: None)
        whole = folded(_read(parts.bus), length, lead)
        meter = LoudnessMeter(sample_rate)
        meter.add(np.concatenate([whole, whole[:, :lead]], axis=1))
        heard = meter.finish()
        gain_db = 0.0
        if np.isfinite(heard.integrated_lufs):
            gain_db = min(target_lufs - heard.integrated_lufs, PEAK_DBTP - heard.true_peak_dbtp)
        gain = np.float32(10 ** (gain_db / 20))
        _write(folder / FILE, gain * whole, sample_rate)
        (folder / STEMS).mkdir(exist_ok=True)
        for name, raw in parts.stems.items():
            path = folder / STEMS / f"{name}.wav"
            _write(path, gain * folded(_read(raw), length, lead), sample_rate)
    lines_s = [bar.start_s - start_s for bar in music.bars[bars[0] + 1 : bars[1] + 1]]
    return Loop(
        bars[0] + 1, bars[1] + 1, length / sample_rate, heard.integrated_lufs + gain_db,
        seam(gain * whole, lines_s, sample_rate),
    )  # fmt: skip


def folded(sound: Sound, length: int, lead: int) -> Sound:
    """(2, length): sound (2, S) that begins `lead` samples early, laid around a circle."""
    size = -(-sound.shape[1] // length) * length
    padded = np.pad(sound, ((0, 0), (0, size - sound.shape[1])))
    rounds: Sound = padded.reshape(2, -1, length).sum(axis=1)
    return np.roll(rounds, -lead, axis=1)


def seam(sound: Sound, lines_s: Sequence[float], sample_rate: int) -> Seam:
    """How a loop (2, S) closes, beside its other bar lines at `lines_s`.

    The flux is the largest half-wave rectified change of the magnitude spectrum from a frame of
    1024 samples to the next, 256 later, within 50 ms of the place (Dixon 2006, "Onset detection
    revisited"), the loop taken as a circle.
    """
    steps = np.abs(np.diff(sound, axis=1)).max()
    jump = float(np.abs(sound[:, 0] - sound[:, -1]).max() / steps) if steps > 0 else 0.0
    here, *others = (_flux(sound, round(t * sample_rate), sample_rate) for t in (0.0, *lines_s))
    usual = float(np.median(others)) if others else here
    return Seam(jump, here / usual if usual > 0 else 1.0)


def _flux(sound: Sound, place: int, sample_rate: int) -> float:
    reach = round(REACH_S * sample_rate)
    index = np.arange(place - reach - FRAME // 2, place + reach + FRAME // 2)
    near = sound.mean(axis=0)[index % sound.shape[1]]
    frames = np.lib.stride_tricks.sliding_window_view(near, FRAME)[::HOP] * np.hanning(FRAME)
    spectra = np.abs(np.fft.rfft(frames, axis=1))
    return float(np.maximum(np.diff(spectra, axis=0), 0.0).sum(axis=1).max())


def _shifted(music: Soundtrack, bars: Bars, *, duration_s: float) -> Soundtrack:
    """The bars alone, `LEAD_S` after the start."""
    parts = [
        replace(
            part,
            notes=tuple(
                replace(note, start_s=note.start_s + LEAD_S, end_s=note.end_s + LEAD_S)
                for note in part.notes
            ),
        )
        for part in loop_parts(music, bars)
    ]
    return replace(music, duration_s=duration_s, parts=tuple(parts))


def _read(raw: Path) -> Sound:
    return np.concatenate([np.zeros((2, 0), np.float32), *read_raw(raw, block=1 << 20)], axis=1)


def _write(path: Path, sound: Sound, sample_rate: int) -> None:
    with wav_writer(path, sample_rate=sample_rate) as wav:
        wav.add(sound)
