"""Sounds in which there is not one clear voice: near silence, noise, tones, music, several voices.

What a presence head learns to turn down. The music is random chords and tunes played by the
synthesizer at hand; real music stays unseen, for testing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from affetto.gen.music.synth import Synth, choose_synth
from affetto.soundtrack import Note, Part
from affetto.train.augment_sound import RATE_HZ, mix, noise

Sound = NDArray[np.float32]
KINDS = ("silence", "noise", "tones", "music", "two voices", "crowd", "voice under music")
CHORD = (0, 4, 7, 12, 16)


def not_one_voice(
    voices: Sequence[Sequence[Sound]], *, count: int, seed: int
) -> tuple[list[Sound], list[str]]:
    """`count` sounds of 0.8 to 3 s at 16 kHz and the kind of each, the kinds in turn.

    Args:
        voices: for each of several speakers, recordings of theirs.
        count: how many sounds.
        seed: same seed, same sounds.
    """
    synth = choose_synth()
    kinds = [KINDS[number % len(KINDS)] for number in range(count)]
    sounds = [
        _sound(kind, voices, synth, np.random.default_rng([seed, number]))
        for number, kind in enumerate(kinds)
    ]
    return sounds, kinds


def _sound(
    kind: str, voices: Sequence[Sequence[Sound]], synth: Synth, rng: np.random.Generator
) -> Sound:
    length = int(rng.uniform(0.8, 3.0) * RATE_HZ)
    match kind:
        case "silence":
            level = 10.0 ** rng.uniform(-5.0, -3.5)
            return np.asarray(level * rng.standard_normal(length), np.float32)
        case "noise":
            return _noise(length, rng)
        case "tones":
            return _tones(length, rng)
        case "music":
            return _music(length, synth, rng)
        case "two voices":
            first, second = _voices(voices, 2, rng)
            return mix(first, second, float(rng.uniform(-4.0, 4.0)))
        case "crowd":
            members = _voices(voices, int(rng.integers(4, 9)), rng)
            crowd = np.resize(members[0], length)
            for number, member in enumerate(members[1:], start=1):
                crowd = mix(crowd, member, 10.0 * float(np.log10(number)))
            return crowd
        case _:
            (voice,) = _voices(voices, 1, rng)
            return mix(voice, _music(len(voice), synth, rng), float(rng.uniform(-18.0, -4.0)))


def _noise(length: int, rng: np.random.Generator) -> Sound:
    """Coloured noise, steady, swelling or in bursts."""
    sound: NDArray[np.floating[Any]] = noise(
        np.full(length, 1e-6, np.float32), -80.0, rng, color=float(rng.uniform(0, 2.2))
    )
    if rng.random() < 0.5:
        times = np.arange(length) / RATE_HZ
        swell = np.sin(2 * np.pi * rng.uniform(0.3, 6.0) * times + rng.uniform(0, 6.3))
        sound = sound * np.clip(0.5 + rng.uniform(0.5, 3.0) * swell, 0.02, None)
    if rng.random() < 0.3:
        low = float(rng.uniform(80, 2000))
        band = signal.butter(
            2, (low, min(7900.0, low * 3)), btype="bandpass", fs=RATE_HZ, output="sos"
        )
        sound = signal.sosfilt(band, sound)
    return np.asarray(sound / (np.abs(sound).max() + 1e-9) * 0.3, np.float32)


def _tones(length: int, rng: np.random.Generator) -> Sound:
    """Hum, beeps, sweeps and clicks."""
    times = np.arange(length) / RATE_HZ
    sound = np.zeros(length)
    for _ in range(int(rng.integers(1, 5))):
        frequency = float(np.exp(rng.uniform(np.log(50), np.log(4000))))
        swept = frequency * times * (1 + rng.uniform(-0.3, 0.3) * times * (rng.random() < 0.4))
        wave = np.sin(2 * np.pi * swept)
        if rng.random() < 0.4:
            wave = np.sign(wave)
        if rng.random() < 0.5:
            wave = wave * (np.sin(2 * np.pi * rng.uniform(0.5, 8) * times) > 0)
        sound += rng.uniform(0.2, 1.0) * wave
    if rng.random() < 0.3:
        sound[rng.integers(length, size=int(rng.integers(2, 20)))] += 20.0
    sound += 1e-3 * rng.standard_normal(length)
    return np.asarray(sound / np.abs(sound).max() * 0.3, np.float32)


def _music(length: int, synth: Synth, rng: np.random.Generator) -> Sound:
    """A few instruments with random chords, a tune and perhaps drums."""
    duration_s = length / RATE_HZ + 0.5
    beat_s = 60.0 / float(rng.uniform(60, 150))
    parts = []
    for number in range(int(rng.integers(1, 4))):
        root = int(rng.integers(36, 72))
        notes = []
        for start in np.arange(0.0, duration_s, beat_s * float(rng.choice([0.5, 1.0, 2.0]))):
            root = int(np.clip(root + rng.integers(-5, 6), 36, 84))
            size = int(rng.integers(1, len(CHORD) + 1)) if number == 0 else 1
            notes += [
                Note(float(start), float(start + beat_s), root + step, int(rng.integers(50, 120)))
                for step in CHORD[:size]
            ]
        parts.append(Part(f"part {number}", int(rng.integers(0, 112)), False, tuple(notes)))
    if rng.random() < 0.4:
        beats = np.arange(0.0, duration_s, beat_s / 2)
        hits = [
            Note(float(t), float(t + 0.1), int(rng.choice([36, 38, 42, 46])), 100) for t in beats
        ]
        parts.append(Part("drums", 0, True, tuple(hits)))
    total = np.zeros(round(duration_s * RATE_HZ), np.float32)
    for part in parts:
        blocks = synth.render(part, duration_s=duration_s, sample_rate=RATE_HZ)
        total += np.concatenate(list(blocks), axis=1).mean(axis=0)
    played = total[-length:]  # without the first attack
    return np.asarray(played / (np.abs(played).max() + 1e-6) * 0.3, np.float32)


def _voices(voices: Sequence[Sequence[Sound]], count: int, rng: np.random.Generator) -> list[Sound]:
    speakers = rng.choice(len(voices), size=count, replace=len(voices) < count)
    return [voices[speaker][int(rng.integers(len(voices[speaker])))] for speaker in speakers]
