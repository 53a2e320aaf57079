"""A voice repeats itself at its pitch; noise and thunder do not."""

import numpy as np
import pytest

from affetto.gen.music.voicing import VOICED, VoicingMeter

RATE = 44_100


def voicing(sound, block=RATE, rate=RATE):
    meter = VoicingMeter(rate)
    for start in range(0, len(sound), block):
        meter.add(sound[start : start + block])
    return meter.voicing(len(sound) * 100 // rate, 100.0)


def vowel(pitch_hz, duration_s=2.0, rate=RATE):
    time_s = np.arange(round(duration_s * rate)) / rate
    phase = 2 * np.pi * pitch_hz * (time_s + 0.003 * np.sin(2 * np.pi * 1.3 * time_s))
    return sum(np.sin(k * phase) / k for k in range(1, 20)) * 0.1


@pytest.mark.parametrize("pitch_hz", [85, 120, 200, 310])
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_vowels_are_voiced(pitch_hz, rate):
    assert np.mean(voicing(vowel(pitch_hz, rate=rate), rate=rate) > VOICED) > 0.9


def test_noise_thunder_and_silence_are_not():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=4 * RATE)
    thunder = np.cumsum(noise) * np.exp(-np.arange(4 * RATE) / RATE)
    for sound in (noise, thunder, np.zeros(4 * RATE)):
        assert np.mean(voicing(sound) > VOICED) < 0.05


def test_blocks_do_not_matter():
    sound = vowel(140) + 0.01 * np.random.default_rng(1).normal(size=2 * RATE)
    np.testing.assert_allclose(voicing(sound, block=RATE), voicing(sound, block=777), atol=1e-5)


def test_level_does_not_matter():
    sound = vowel(140)
    np.testing.assert_allclose(voicing(sound), voicing(0.01 * sound), atol=1e-3)
