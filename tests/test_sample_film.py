"""The sample film is whole, small, with sound, and is what its scripts draw."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

SAMPLES = Path(__file__).parents[1] / "samples"
FILM = SAMPLES / "lantern_boat.mp4"


@pytest.fixture
def script(monkeypatch):
    import importlib

    monkeypatch.syspath_prepend(str(SAMPLES))
    return importlib.import_module("make_film")


def test_film_is_whole_and_small():
    assert FILM.stat().st_size < 6_000_000
    with FILM.open("rb") as file, av.open(file) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (1280, 720, 24)
        assert video.frames == 1440
        assert (audio.rate, audio.channels) == (48_000, 2)
        assert float(audio.duration * audio.time_base) == pytest.approx(60, abs=0.05)


def test_shots_have_varied_lengths(script):
    lengths = [duration_s for duration_s, *_ in script.SHOTS]
    assert sum(lengths) == 60
    assert min(lengths) >= 2.5
    assert max(lengths) <= 9
    assert all(one != two for one, two in pairwise(lengths))


def test_script_draws_the_film(script):
    drawn = next(iter(script.frames()))
    again = next(iter(script.frames()))
    assert (drawn == again).all()
    with FILM.open("rb") as file, av.open(file) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    error = drawn.astype(np.float64) - shown
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 28


def test_every_shot_sounds(script):
    rng = np.random.default_rng(1)
    for _, _, make, _ in script.SHOTS:
        sound = make(rng, 1.0 + 3.0)
        assert sound.shape == (2, 4 * 48_000)
        assert np.isfinite(sound).all()
        assert np.sqrt(np.mean(sound**2)) > 1e-4
