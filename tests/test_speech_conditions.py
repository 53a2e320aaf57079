"""What a generator hears: shapes, windows, level, silence, bad input."""

import shutil

import numpy as np
import pytest

from affetto.conditioning.phones import SpokenPhone
from affetto.conditioning.prosody import log_energy, prosody
from affetto.conditioning.speech import state_windows
from affetto.conditioning.voice import voice_in
from affetto.errors import BadInput
from affetto.gen.portrait.hearing import listen
from affetto.train.data.synthesized_speech import synthesize

Sound = np.ndarray


@pytest.fixture(scope="module")
def wav() -> Sound:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    return synthesize("Would you move the blue moon boat?", voice="rms", key="said").wav


def tone(hertz: float, seconds: float = 1.0, level: float = 0.2) -> Sound:
    at = np.arange(round(16000 * seconds)) / 16000
    harmonics = sum(np.sin(2 * np.pi * hertz * k * at) / k for k in range(1, 8))
    return (level * harmonics / 2).astype(np.float32)


def test_shapes_and_ranges(wav: Sound) -> None:
    found = listen(wav).conditions
    steps = -(-len(wav) // 320)
    assert found["speech"].values.shape == (1, steps, 384)
    assert found["prosody"].values.shape == (1, steps, 4)
    assert all(track.rate_hz == 50 and track.mask.all() for track in found.values())
    energy, _, voiced, presence = found["prosody"].values[0].numpy().T
    assert -3 <= energy.min() <= energy.max() <= 0.5
    assert set(np.unique(voiced)) <= {0.0, 1.0}
    assert 0 <= presence.min() <= presence.max() <= 1
    assert presence[energy > -0.5].mean() > 0.7  # a voice
    assert presence[:4].max() < 0.2  # the pause before it


def test_level_changes_nothing(wav: Sound) -> None:
    loud, soft = listen(wav).conditions, listen(0.05 * wav).conditions
    np.testing.assert_allclose(loud["speech"].values, soft["speech"].values, atol=2e-3)
    np.testing.assert_allclose(
        loud["prosody"].values[..., 0], soft["prosody"].values[..., 0], atol=1e-4
    )


def test_long_sound_comes_in_pieces_that_agree(wav: Sound) -> None:
    long = np.tile(wav, 9)[: 16000 * 17]
    pieces = list(state_windows(long))
    assert [len(states) for states, _ in pieces] == [400, 400, 50]
    assert sum(len(there) for _, there in pieces) == 850


def test_pitch_is_in_semitones_over_the_median() -> None:
    wav = np.concatenate([tone(110.0), tone(220.0, 0.5), tone(110.0)])
    _, semitones, voiced = prosody(wav).T
    assert voiced.mean() > 0.9
    assert abs(float(np.median(semitones[10:40]))) < 0.3
    assert abs(float(np.median(semitones[55:70])) - 12) < 0.5


def test_loudness_is_against_the_loud_part() -> None:
    wav = np.concatenate([tone(150.0, 1.0, 0.2), tone(150.0, 1.0, 0.02)])
    energy = log_energy(wav)
    assert abs(float(np.median(energy[:45]))) < 0.1
    assert abs(float(np.median(energy[55:])) + 1.0) < 0.1


def test_silence_and_noise_are_no_voice() -> None:
    noise = (0.05 * np.random.default_rng(0).standard_normal(32000)).astype(np.float32)
    for wav in (np.zeros(32000, np.float32), noise):
        course = listen(wav).conditions["prosody"].values[0].numpy()
        assert np.isfinite(course).all()
        assert course[:, 3].max() < 0.3
    assert prosody(np.zeros(1, np.float32)).shape == (1, 3)


@pytest.mark.parametrize(
    "wav",
    [
        np.zeros(0, np.float32),
        np.zeros((2, 16000), np.float32),
        np.array([0.0, np.nan], np.float32),
    ],
)
def test_bad_sound_is_refused(wav: Sound) -> None:
    with pytest.raises(BadInput, match="a speech is"):
        listen(wav)


def test_a_voice_is_told_by_the_sounds_that_are_heard(
    wav: Sound, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the recognizer that learned from data for non-commercial use."""

    def refuse() -> None:
        raise AssertionError("asked the recognizer")

    monkeypatch.setattr("affetto.gen.portrait.hearing.shared_recognizer", refuse)
    said = tuple(
        SpokenPhone("a", start, start + 0.1, 0.9) for start in np.arange(1.0, 2.0, 0.12).tolist()
    )
    presence = voice_in(said, 250)
    assert presence.shape == (250,)
    assert presence[60:95].min() > 0.9
    assert presence[200:].max() < 0.01
    assert voice_in((), 100).max() < 0.01
    assert voice_in((), 0).shape == (0,)
    one = voice_in((SpokenPhone("a", 0.1, 0.2, 0.6),), 500)  # heard into noise
    assert one.max() < 0.5
    energy, _, _, there = listen(wav, clean=True).conditions["prosody"].values[0].numpy().T
    assert there[energy > -0.5].mean() > 0.7
    monkeypatch.setattr("affetto.gen.portrait.hearing.phone_stretches", lambda _: iter(()))
    nothing = listen(wav, clean=True).conditions["prosody"].values[0]
    assert nothing[:, 3].max() < 0.01
