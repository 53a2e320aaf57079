"""A person's own clips to weights that talk: the whole command on a short film of a still face."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from affetto.apps.training import CONFIGS, run
from affetto.clip import Clip
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.gen.portrait.hearing import listen
from affetto.gen.portrait.pipeline import TalkOptions, load_models, talk
from affetto.gen.portrait.unfinished import unfinished_work
from affetto.media_write import write_clip
from affetto.request import parse_request

SAMPLE = Path(__file__).parent.parent / "samples" / "mona_lisa_speaks.flac"
SMALL = ("base_epochs=1", "branch_epochs=1", "steps_per_epoch=2", "batch_size=2")


@pytest.fixture(scope="module")
def wav() -> np.ndarray:
    sound = np.concatenate(
        [block[0] for block in Clip.open(SAMPLE).audio_blocks(sample_rate=16_000, channels=1)]
    )
    return sound[8_000:32_000]


def film(path: Path, wav: np.ndarray) -> None:
    """A face that sways a little, and what it does not say."""
    face = pytest.importorskip("skimage.data").astronaut()[:256, 96:352]
    frames = (np.roll(face, round(4 * np.sin(at / 6)), axis=1) for at in range(37))
    write_clip(frames, Fraction(25), path, wav=wav[None], sample_rate=16_000)


def test_own_clips_become_weights_that_talk(tmp_path: Path, wav: np.ndarray) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    film(films / "take.mp4", wav)
    words = [f"data.root={films}", f"data.heard={tmp_path / 'heard'}", f"out={out}", *SMALL]
    figures = run("motion", [str(CONFIGS / "motion_clips.yaml"), *words])
    assert np.isfinite(figures["branch_valid_flow"])

    models = load_models(str(out / "weights"))
    *_, weights = models.weights
    assert "the user's own clips" in weights.trained_on
    assert not weights.commercial  # it began with weights that are not
    heard = listen(wav)
    track = request_to_track(parse_request("happy"), duration_s=heard.duration_s, rate_hz=25)
    with unfinished_work(tmp_path / "work", "test") as kept:
        windows = talk(heard, track, models=models, options=TalkOptions(), kept=kept)
        motion = np.concatenate([one.values for one in windows])
    assert motion.shape == (38, 62)
    assert np.isfinite(motion).all()
    assert np.ptp(motion[:, :52], axis=0).max() > 0.05


def test_films_without_sound_are_refused_by_name(tmp_path: Path) -> None:
    face = np.zeros((64, 64, 3), np.uint8)
    write_clip((face for _ in range(5)), Fraction(25), tmp_path / "mute.mp4")
    words = [f"data.root={tmp_path}", f"data.heard={tmp_path / 'heard'}", f"out={tmp_path}"]
    with pytest.raises(BadInput, match=r"mute\.mp4 has no sound"):
        run("motion", [str(CONFIGS / "motion_clips.yaml"), *words])
