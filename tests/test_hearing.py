"""A speech heard piece by piece is the speech heard at once, and no more is heard than asked."""

from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from affetto.conditioning import phones, prosody
from affetto.conditioning.phones import SpokenPhone
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.gen.portrait import pipeline
from affetto.gen.portrait.hearing import Hearing, listen
from affetto.gen.portrait.pipeline import TalkOptions, talk
from affetto.motion import CHANNELS, FPS, Motion
from affetto.request import parse_request

SAMPLE = Path(__file__).parents[1] / "samples" / "mona_lisa_speaks.flac"
WINDOW, MARGIN = 128, 40  # steps of 20 ms, as the motion asks for


@pytest.fixture(scope="module")
def wav() -> np.ndarray:
    """13 s: some speech, a pause, its beginning again."""
    sound, rate = soundfile.read(SAMPLE, dtype="float32")
    said = soxr.resample(sound if sound.ndim == 1 else sound.mean(axis=1), rate, 16_000)
    return np.concatenate([said[:80_000], np.zeros(64_000), said[:64_000]]).astype(np.float32)


@pytest.mark.parametrize("clean", [False, True])
def test_piece_by_piece_is_at_once(wav: np.ndarray, clean: bool) -> None:
    whole, hearing = listen(wav, clean=clean), Hearing(wav, clean=clean)
    total = whole.conditions["speech"].values.shape[1]
    for first in range(0, total, WINDOW):
        start, last = max(0, first - MARGIN), first + WINDOW + MARGIN
        here = hearing.near(start, last)
        for name, track in whole.conditions.items():
            assert np.array_equal(track.values[:, start:last], here[name].values)
        until = (first + WINDOW) / 50
        known = hearing.until(until)
        sure = [one for one in known.phones if one.start_s < until]
        assert sure == [one for one in whole.phones if one.start_s < until]
        times_s = np.arange(first, min(first + WINDOW, total) - 20) / 50
        assert np.array_equal(known.voice_at(times_s), whole.voice_at(times_s))
    end = hearing.until(hearing.duration_s + 1)
    assert end.phones == whole.phones
    assert end.presence == whole.presence
    assert end.is_speech


@pytest.fixture
def in_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sounds come four at a time, the last of each stretch later than the next one's first."""
    said = [
        SpokenPhone("mapi"[n % 4], 0.1 * n, 0.1 * n + 0.1, 0.2 + 0.8 * (n // 9 % 2))
        for n in range(130)
    ]
    for n in range(3, 129, 4):
        said[n] = said[n]._replace(start_s=said[n].start_s + 0.6, end_s=said[n].end_s + 0.6)
    parts = [tuple(said[n : n + 4]) for n in range(0, 130, 4)]
    monkeypatch.setattr("affetto.gen.portrait.hearing.phone_stretches", lambda _: iter(parts))


@pytest.mark.usefixtures("in_bits")
@pytest.mark.parametrize("clean", [False, True])
def test_step_by_step_is_at_once_where_sounds_come_in_bits(wav: np.ndarray, clean: bool) -> None:
    whole, hearing = listen(wav, clean=clean), Hearing(wav, clean=clean)
    for first in range(0, 640, 5):
        here = hearing.near(first, first + 5)
        for name in ("visemes", "prosody"):
            values = whole.conditions[name].values[:, first : first + 5]
            assert np.array_equal(values, here[name].values), (name, first)


@pytest.mark.usefixtures("in_bits")
def test_what_is_still_heard_is_talked_the_same(
    wav: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is laid over a window looks at the sounds after it, too."""
    monkeypatch.setattr(prosody, "MEDIAN_S", 1.0)
    monkeypatch.setattr(prosody, "WINDOW_S", 0.256)
    rows = np.full((64, len(CHANNELS)), 0.4, np.float32)
    monkeypatch.setattr(pipeline, "_made", lambda *_, **__: repeat(Motion(rows, FPS)))
    track = request_to_track(parse_request("happy"), duration_s=13.0, rate_hz=25)
    once, bits = (
        [one.values for one in talk(heard, track, models=None, options=TalkOptions())]
        for heard in (listen(wav), Hearing(wav))
    )
    assert len(once) == 6
    for number, (one, other) in enumerate(zip(once, bits, strict=True)):
        assert np.array_equal(one, other), number


def test_no_more_is_heard_than_asked(wav: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    posteriors = phones._posteriors
    monkeypatch.setattr(
        phones, "_posteriors", lambda piece: looked.append(len(piece)) or posteriors(piece)
    )
    hearing = Hearing(np.tile(wav, 2))
    hearing.until(2.0)
    assert len(looked) == 1  # 10 of 26 s
    assert sum(len(states) for _, states in hearing._states) == 400
    hearing.near(700, 750)
    assert [at for at, _ in hearing._states] == [400]  # what lies before is forgotten


def test_the_usual_pitch_is_that_of_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    at = np.arange(16_000 * 20) / 16_000
    voice = sum(np.sin(2 * np.pi * 120 * k * at) / k for k in range(1, 6)) * 0.1
    high = sum(np.sin(2 * np.pi * 240 * k * at) / k for k in range(1, 6)) * 0.1
    wav = np.concatenate([voice, high, high]).astype(np.float32)
    monkeypatch.setattr(prosody, "MEDIAN_S", 16.0)
    semitones = prosody.prosody(wav)[:, 1]
    assert abs(float(np.median(semitones[100:900]))) < 0.3
    assert abs(float(np.median(semitones[1100:]))) == pytest.approx(12, abs=0.3)


def test_what_is_no_speech_is_refused() -> None:
    for wav in (np.zeros(0, np.float32), np.full(100, np.nan, np.float32), np.zeros((2, 100))):
        with pytest.raises(BadInput, match="finite samples"):
            Hearing(wav)
