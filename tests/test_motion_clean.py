"""`--weights clean`: nothing that learned from data for non-commercial use moves or listens."""

import numpy as np
import pytest

from affetto.apps.talk_request import refuse_recognizers
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import RequestError
from affetto.gen.portrait.hearing import listen
from affetto.gen.portrait.pipeline import TalkOptions, load_models, talk
from affetto.gen.portrait.unfinished import unfinished_work
from affetto.motion import CHANNELS, PLACE
from affetto.request import parse_request


def test_every_set_is_cleared_and_no_recognizer_is_loaded() -> None:
    models = load_models("clean")
    assert models.speech is None
    assert [one.name for one in models.weights] == ["bank_clean", "motion_clean"]
    assert all(one.commercial for one in models.weights)
    assert all("Apache-2.0" in one.licence for one in models.weights)
    assert "speech" in [one.name for one in load_models().weights]


@pytest.mark.parametrize("asked", ["auto", "like:film.mp4"])
def test_what_needs_a_recognizer_is_refused(asked: str) -> None:
    with pytest.raises(RequestError, match="--weights default"):
        refuse_recognizers(parse_request(asked))


@pytest.mark.parametrize("asked", ["happy", "0=sad; 2=angry:0.5", "like:track.json"])
def test_what_can_be_said_is_done(asked: str) -> None:
    refuse_recognizers(parse_request(asked))


def test_noise_and_silence_keep_the_mouth_shut(tmp_path, monkeypatch) -> None:
    """And the recognizer is never asked."""

    def refuse() -> None:
        raise AssertionError("asked the recognizer")

    monkeypatch.setattr("affetto.conditioning.speech.shared_recognizer", refuse)
    models = load_models("clean")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    for name, wav in (("noise", noise), ("silence", np.zeros(16_000, np.float32))):
        heard = listen(wav, clean=True)
        assert heard.presence is None or not heard.is_speech
        track = request_to_track(parse_request("neutral"), duration_s=1.0, rate_hz=25)
        with unfinished_work(tmp_path / name, "test") as kept:
            windows = talk(heard, track, models=models, options=TalkOptions(), kept=kept)
            motion = np.concatenate([one.values for one in windows])
        assert motion.shape == (25, len(CHANNELS))
        assert motion[:, PLACE["jawOpen"]].max() < 0.02
