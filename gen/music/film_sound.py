"""The film's own sound: put on disk, measured, and its speech found."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from affetto.gen.music.ducking import FRAME_RATE_HZ, Ducking, SpeechBand, Values, duck
from affetto.gen.music.loudness import STEP_S, LoudnessMeter, integrated_lufs
from affetto.gen.music.sound_files import append_raw
from affetto.gen.music.stems import faded
from affetto.media_sound import Sound

SPEAKING_SHARE = 0.03  # of the time; from here on the film's sound leads


@dataclass(frozen=True)
class FilmSound:
    """The film's own sound on disk, and what was heard in it (loudness of speech or of all)."""

    path: Path
    lufs: float
    speaking: bool
    ducking: Ducking


def listen(
    original: Iterator[Sound] | None,
    work: Path,
    total: int,
    sample_rate: int,
    duck_db: float,
    spoken: Values | None = None,
) -> FilmSound | None:
    """Put the film's own sound on disk, `total` samples of it, and find its speech.

    When somebody speaks may be known, `spoken` (T,) in 0..1 at 100 Hz; then nothing is sought.
    """
    if original is None:
        return None
    path, meter = work / "film.raw", LoudnessMeter(sample_rate, peaks=False)
    speech = SpeechBand(sample_rate)
    path.touch()
    done = 0
    for given in chain(original, _silence(total, sample_rate)):
        block = np.nan_to_num(given[:, : total - done], posinf=1.0, neginf=-1.0)
        block = faded(block, done, total, sample_rate)
        append_raw(path, block)
        meter.add(block)
        if spoken is None:
            speech.add(block)
        done += block.shape[1]
        if done >= total:
            break
    activity = speech.activity() if spoken is None else spoken
    ducking = duck(activity, depth_db=duck_db, sample_rate=sample_rate)
    speaking = bool(np.mean(activity > 0.5) >= SPEAKING_SHARE) if len(activity) else False
    lufs = meter.finish().integrated_lufs
    if speaking:
        energies = meter.energies.values()
        centres = (np.arange(len(energies)) + 0.5) * STEP_S * FRAME_RATE_HZ
        said = activity[np.minimum(centres.astype(int), len(activity) - 1)] > 0.5
        loud = energies[said]
        samples = round(len(loud) * STEP_S * sample_rate)
        lufs = integrated_lufs(loud, samples, sample_rate)
    return FilmSound(path, lufs, speaking, ducking)


def _silence(total: int, sample_rate: int) -> Iterator[Sound]:
    for start in range(0, total, sample_rate):
        yield np.zeros((2, min(sample_rate, total - start)), np.float32)
