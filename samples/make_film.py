"""Renders the sample film, "The Lantern Boat": 60 s, twelve shots, 1280x720 at 24 fps, own sound.

    python samples/make_film.py [samples/lantern_boat.mp4]

Everything is drawn and sounded by the scripts in samples/film; nothing is recorded or copied. The
same seed gives the same frames. Takes about two minutes on one core.
"""

import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
from film import morning, night, return_home, sound
from film.morning import Painter
from film.paint import FPS, HEIGHT, WIDTH, Picture
from numpy.typing import NDArray

from affetto.files import staged_file

SEED = 20261122
# quiet shots by quality, busy ones (rain, city) held to a size that a repository can carry
X264 = {
    "crf": "27", "preset": "slow", "threads": "1", "maxrate": "850k", "bufsize": "4000k",
    "x264-params": "aq-mode=3",
}  # fmt: skip
DISSOLVE_S = 1.0  # into the sunrise; every other cut is hard
# (duration in seconds, picture, sound, RMS of the sound in dBFS); cuts are on whole frames
SHOTS = (
    (7.5, morning.dawn, sound.dawn, -38),
    (4.5, morning.reeds, sound.reeds, -37),
    (5.5, morning.market, sound.market, -32),
    (3.0, morning.pinwheels, sound.market, -32),
    (4.0, night.train, sound.train, -28),
    (2.5, night.bridges, sound.bridges, -28),
    (6.5, night.storm, sound.storm, -24),
    (3.0, night.wave, sound.wave, -24),
    (7.0, return_home.grey_rain, sound.grey_rain, -36),
    (5.5, return_home.spark, sound.spark, -38),
    (6.0, return_home.sunrise, sound.sunrise, -34),
    (5.0, return_home.lanterns, sound.lanterns, -37),
)
DISSOLVED = 10  # the shot that is dissolved into


def frames() -> Iterator[Picture]:
    """All frames in order, (H, W, 3) uint8 RGB."""
    leaving: Painter | None = None
    left_at_s = 0.0
    for index, (duration_s, make, _, _) in enumerate(SHOTS):
        painter = make(np.random.default_rng((SEED, index)))
        for number in range(round(duration_s * FPS)):
            t = number / FPS
            picture = painter(t)
            if index == DISSOLVED and leaving is not None and t < DISSOLVE_S:
                share = (number + 1) / (DISSOLVE_S * FPS + 1)
                picture = cv2.addWeighted(picture, share, leaving(left_at_s + t), 1 - share, 0)
            yield picture
        leaving, left_at_s = painter, duration_s


def soundtrack() -> NDArray[np.float32]:
    """The whole sound, (2, S) float32 at 48 kHz; 40 ms cross-fades at the cuts."""
    total = round(sum(duration_s for duration_s, *_ in SHOTS) * sound.RATE_HZ)
    fade = round(0.04 * sound.RATE_HZ)
    mix = np.zeros((2, total + fade))
    start = 0
    for index, (duration_s, _, make, level_db) in enumerate(SHOTS):
        length = round(duration_s * sound.RATE_HZ) + fade
        part = make(np.random.default_rng((SEED, 100 + index)), length / sound.RATE_HZ)
        part *= 10 ** (level_db / 20) / np.sqrt(np.mean(part**2))
        ramp = np.linspace(0, 1, fade)
        part[:, :fade] *= ramp
        part[:, -fade:] *= ramp[::-1]
        mix[:, start : start + part.shape[1]] += part
        start += length - fade
    mix = mix[:, :total]
    mix[:, -sound.RATE_HZ :] *= np.linspace(1, 0, sound.RATE_HZ)
    return np.clip(mix, -0.98, 0.98).astype(np.float32)


def write(path: Path) -> None:
    """Encode picture and sound to an mp4."""
    with staged_file(path) as staged, av.open(str(staged), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=Fraction(FPS))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = X264
        audio = container.add_stream("aac", rate=sound.RATE_HZ, layout="stereo", bit_rate=64_000)
        blocks = sound_frames()
        for number, picture in enumerate(frames()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
            for block in islice(blocks, 2):  # 2000 samples to a picture: the sound stays ahead
                container.mux(audio.encode(block))
            if number % (10 * FPS) == 0:
                print(f"{number / FPS:.0f} s", file=sys.stderr)
        container.mux(video.encode(None))
        for block in blocks:
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def sound_frames() -> Iterator[av.AudioFrame]:
    """The sound in blocks of 1024 samples."""
    samples = soundtrack()
    for first in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, first : first + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = sound.RATE_HZ, first
        frame.time_base = Fraction(1, sound.RATE_HZ)
        yield frame


if __name__ == "__main__":
    cv2.setNumThreads(1)
    default = Path(__file__).parent / "lantern_boat.mp4"
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
