"""Music under a portrait's speech, from the emotion that moves its face."""

import shutil
from pathlib import Path

import numpy as np

from affetto.apps.soundtrack import SAMPLE_RATE, WEIGHT_NAMES, models_of
from affetto.apps.soundtrack_files import write_notes
from affetto.apps.talk_job import MUSIC, Job, Music
from affetto.clip import Clip
from affetto.emotion import EmotionTrack
from affetto.gen.music.ducking import FRAME_RATE_HZ
from affetto.gen.music.mix import render_soundtrack
from affetto.gen.music.pipeline import ComposeOptions, compose
from affetto.gen.music.synth import choose_synth
from affetto.gen.portrait.hearing import Heard
from affetto.weights import Weights


def write_music(
    job: Job,
    speech: Clip,
    *,
    heard: Heard,
    emotion: EmotionTrack,
    duration_s: float,
    folder: Path,
) -> tuple[Music, tuple[Weights, ...]]:
    """Compose for the emotion, mix it with the speech, and write all into `folder`/music.

    Nobody has to guess when somebody speaks: the voice that moves the lips says it.

    Args:
        job: its seed and weights.
        speech: what is said; the mix holds it.
        heard: all of it, heard.
        emotion: what the face shows.
        duration_s: of the film.
        folder: of the results.

    Returns:
        What came of it, and the nets that composed.

    Raises:
        EngineError: see `compose` and `render_soundtrack`.
    """
    place = folder / MUSIC
    shutil.rmtree(place, ignore_errors=True)  # of a run that was killed
    place.mkdir()
    models = models_of(job.weights if job.weights in WEIGHT_NAMES else "default")
    music = compose(
        {}, emotion, (), duration_s=duration_s, models=models, options=ComposeOptions(job.seed)
    )
    frames_s = (np.arange(int(np.ceil(duration_s * FRAME_RATE_HZ))) + 0.5) / FRAME_RATE_HZ
    mixed = render_soundtrack(
        music,
        place,
        synth=choose_synth(),
        original=speech.audio_blocks(sample_rate=SAMPLE_RATE),
        spoken=heard.voice_at(frames_s),
        sample_rate=SAMPLE_RATE,
    )
    write_notes(music, place)
    tempi = [bar.bpm for bar in music.bars]
    return Music(
        key=music.key,
        bpm_range=(min(tempi), max(tempi)),
        integrated_lufs=mixed.integrated_lufs,
        true_peak_dbtp=mixed.true_peak_dbtp,
        duck_share=mixed.duck_share,
        synth=mixed.synth,
    ), models.weights
