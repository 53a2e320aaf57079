"""Cut the studio's short examples from what lies here: python samples/make_studio_examples.py."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from affetto.clip import Clip
from affetto.media_write import write_clip

SAMPLES = Path(__file__).parent
EXAMPLES = SAMPLES.parent / "apps" / "studio" / "examples"
SPEECH_S, FADE_S = 5.15, 0.05  # ends in a pause
FILM_FROM_S, FILM_TO_S, SIZE = 24.5, 36.3, (480, 270)
FILM_RATE = 44_100


def short_speech() -> None:
    """The first sentences of the Mona Lisa's speech."""
    wav, rate = soundfile.read(SAMPLES / "mona_lisa_speaks.flac")
    wav = wav[: round(SPEECH_S * rate)]
    fade = round(FADE_S * rate)
    wav[-fade:] *= np.linspace(1, 0, fade)
    soundfile.write(EXAMPLES / "mona_lisa_speaks.flac", wav, rate)


def short_film() -> None:
    """Five shots of the lantern boat, small, with their sound."""
    clip = Clip.open(SAMPLES / "lantern_boat.mp4")
    shown = clip.frames(size=SIZE, wanted=lambda time_s: FILM_FROM_S <= time_s < FILM_TO_S)
    frames = (picture for _, picture in shown)
    first, end = (round(time_s * FILM_RATE) for time_s in (FILM_FROM_S, FILM_TO_S))
    wav = np.concatenate(list(clip.audio_blocks(sample_rate=FILM_RATE)), axis=1)[:, first:end]
    fps = Fraction(24)
    write_clip(frames, fps, EXAMPLES / "lantern_boat.mp4", wav=wav, sample_rate=FILM_RATE)


if __name__ == "__main__":
    short_speech()
    short_film()
