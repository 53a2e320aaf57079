"""Streamed loudness equals pyloudnorm's of the whole file; true peaks are found between samples."""

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import resample

from affetto.gen.music.loudness import LoudnessMeter, decibels

RATE = 44_100


def noise(seconds, sample_rate):
    return 0.1 * np.random.default_rng(0).normal(size=(2, round(seconds * sample_rate)))


def tone(seconds, sample_rate):
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    return 0.3 * np.sin(2 * np.pi * np.array([[440.0], [997.0]]) * time_s)


def music_like(seconds, sample_rate):
    time_s = np.arange(round(seconds * sample_rate)) / sample_rate
    swell = 10 ** (-1.5 + np.sin(2 * np.pi * time_s / 7)) * np.exp(-4 * (time_s % 0.5))
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (65.4, 261.6, 329.6, 2093.0))
    return np.stack([swell * chord, 0.5 * swell * chord])


def with_silence(seconds, sample_rate):
    sound = noise(seconds, sample_rate)
    sound[:, sound.shape[1] // 3 : sound.shape[1] // 2] = 0
    sound[:, : sound.shape[1] // 5] *= 1e-4
    return sound


def measured(sound, sample_rate, *, block=None):
    meter = LoudnessMeter(sample_rate)
    rng, start = np.random.default_rng(1), 0
    while start < sound.shape[1]:
        stop = start + (block or int(rng.integers(1, sample_rate)))
        meter.add(sound[:, start:stop].astype(np.float32))
        start = stop
    return meter, meter.finish()


@pytest.mark.parametrize("sample_rate", [22_050, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.4, 0.73, 1.06, 7.34])
@pytest.mark.parametrize("make", [noise, tone, music_like, with_silence])
def test_as_pyloudnorm_on_the_whole_file(make, seconds, sample_rate):
    sound = make(seconds, sample_rate)
    _, loudness = measured(sound, sample_rate)
    expected = pyloudnorm.Meter(sample_rate).integrated_loudness(sound.T)
    assert loudness.integrated_lufs == pytest.approx(expected, abs=0.001)


def test_blocks_do_not_matter():
    sound = music_like(5.0, RATE)
    figures = [measured(sound, RATE, block=block)[1] for block in (64, 4410, 44_100, 10**6)]
    for figure in figures[1:]:
        assert figure.integrated_lufs == pytest.approx(figures[0].integrated_lufs, abs=1e-6)
        assert figure.true_peak_dbtp == pytest.approx(figures[0].true_peak_dbtp, abs=1e-3)


@pytest.mark.parametrize("seconds", [0.0, 0.1, 3.0])
def test_silence_is_minus_infinity(seconds):
    meter, loudness = measured(np.zeros((2, round(seconds * RATE))), RATE)
    assert loudness.integrated_lufs == loudness.true_peak_dbtp == -np.inf
    assert (meter.curve()[1] == -70).all()


def test_shorter_than_a_block_is_measured_as_one():
    _, loudness = measured(tone(0.2, RATE), RATE)
    assert loudness.integrated_lufs == pytest.approx(
        measured(tone(2.0, RATE), RATE)[1].integrated_lufs, abs=0.6
    )


def test_true_peak_lies_between_the_samples():
    time = np.arange(RATE)
    sound = (
        0.9 * np.sin(2 * np.pi * time / 4 + np.pi / 4) * np.hanning(RATE)
    )  # samples reach only 0.64
    _, loudness = measured(np.stack([sound, sound]), RATE)
    assert np.abs(sound).max() < 0.65
    assert loudness.true_peak_dbtp == pytest.approx(decibels(0.9), abs=0.1)
    assert loudness.true_peak_dbtp == pytest.approx(
        decibels(np.abs(resample(sound, 8 * RATE)).max()), abs=0.1
    )


def test_curve_follows_the_level():
    sound = noise(20.0, RATE)
    sound[:, 10 * RATE :] *= 0.1
    meter, _ = measured(sound, RATE)
    times_s, lufs = meter.curve()
    assert times_s.tolist() == [second + 0.5 for second in range(20)]
    assert lufs[4] - lufs[15] == pytest.approx(20, abs=0.2)
    short = pyloudnorm.Meter(RATE, block_size=3.0).integrated_loudness(
        sound[:, 3 * RATE : 6 * RATE].T
    )
    assert lufs[4] == pytest.approx(short, abs=0.05)
