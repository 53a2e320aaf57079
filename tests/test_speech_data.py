"""Speech corpora, folds, identity audit, augmentation, the recipe in small."""

from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.errors import BadInput
from affetto.recognizers.independence import Dependent
from affetto.recognizers.speech.recognizer import load_speech
from affetto.text_file import read_text
from affetto.train import augment_sound
from affetto.train.data.presence_examples import KINDS, not_one_voice
from affetto.train.data.speech_corpora import (
    RAVDESS_LABELS,
    UNLABELLED,
    Utterance,
    check_speakers,
    load_wav,
    of_speakers,
    read_emodb,
    read_ravdess,
)
from affetto.train.data.speech_folds import emodb_folds, inner_folds, ravdess_folds
from affetto.train.logistic import fit_logistic, fit_temperature
from affetto.train.speech import SpeechData, SpeechRecipe, run

DATA = Path(__file__).parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "ravdess").is_dir(), reason="corpora not here")
RATE = augment_sound.RATE_HZ


def harmonic(seconds: float = 1.0, pitch_hz: float = 150.0) -> np.ndarray:
    times = np.arange(int(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * k * pitch_hz * times) / k for k in range(1, 20)).astype(
        np.float32
    )


def loudest_hz(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / RATE)[spectrum.argmax()])


@needs_data
def test_corpora_are_read() -> None:
    ravdess, emodb = read_ravdess(DATA / "ravdess"), read_emodb(DATA / "emodb")
    assert len(ravdess) == 1440
    assert len(emodb) == 535
    assert {u.emotion for u in ravdess} == set(RAVDESS_LABELS)
    assert sum(u.label == UNLABELLED for u in emodb) == 81
    assert {u.speaker for u in ravdess} == {s for fold in ravdess_folds() for s in fold}
    assert {u.speaker for u in emodb} == {s for fold in emodb_folds() for s in fold}
    wav = load_wav(emodb[0])
    assert wav.dtype == np.float32
    assert abs(len(wav) / RATE - emodb[0].seconds) < 0.1
    assert len({u.key for u in ravdess + emodb}) == 1975


def test_folds_are_those_of_the_protocol() -> None:
    import json

    path = Path(__file__).parents[1] / "benchmarks" / "protocols" / "ravdess_folds.json"
    protocol = json.loads(read_text(path, max_bytes=10_000))
    wanted = [tuple(f"ravdess/actor{a:02d}" for a in fold) for fold in protocol["ravdess"]]
    assert ravdess_folds() == wanted
    assert emodb_folds() == [(f"emodb/spk{s:02d}",) for (s,) in protocol["emodb"]]
    assert len({s for fold in wanted for s in fold}) == 24


def test_inner_folds_keep_speakers_together() -> None:
    names = [f"s{number}" for number in range(10)]
    folds = inner_folds(names * 3, num=4, seed=1)
    assert sorted(s for fold in folds for s in fold) == sorted(names)
    assert folds == inner_folds(names, num=4, seed=1)
    with pytest.raises(ValueError, match="cannot be split"):
        inner_folds(names, num=11)


def test_a_speaker_on_both_sides_is_refused() -> None:
    def said(speaker: str, name: str) -> Utterance:
        return Utterance(Path(name), 0, "neutral", speaker, "F", "a", 1.0)

    train, test = [said("a", "1.wav"), said("b", "2.wav")], [said("c", "3.wav")]
    check_speakers(train, test)
    with pytest.raises(Dependent, match="speaker"):
        check_speakers(train, [*test, said("a", "4.wav")])
    with pytest.raises(Dependent, match="recording"):
        check_speakers(train, [said("c", "2.wav")])
    assert of_speakers(train, ["b"]) == train[1:]


def test_a_missing_corpus_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="ravdess"):
        read_ravdess(tmp_path)
    (tmp_path / "metadata.csv").write_text("file,emotion,speaker,sex,text,seconds\na,joy,1,F,t,1\n")
    with pytest.raises(BadInput, match="joy"):
        read_emodb(tmp_path)
    with pytest.raises(BadInput, match="cannot read"):
        load_wav(Utterance(tmp_path / "no.wav", 0, "neutral", "a", "F", "t", 1.0))


def test_pitch_and_speed() -> None:
    sound = harmonic()
    assert loudest_hz(augment_sound.pitch(sound, 1.3)) == pytest.approx(195, abs=4)
    faster = augment_sound.speed(sound, 1.25)
    assert len(faster) == round(len(sound) / 1.25)
    assert loudest_hz(faster) == pytest.approx(150, abs=3)
    assert np.allclose(augment_sound.speed(sound, 1.0)[600:-600], sound[600:-600], atol=1e-2)


def test_noise_has_the_ratio_asked_for() -> None:
    sound, rng = harmonic(), np.random.default_rng(0)
    for changed in (
        augment_sound.noise(sound, 10.0, rng),
        augment_sound.babble(sound, [harmonic(0.7, 90), harmonic(0.5, 210)], 10.0, rng),
    ):
        ratio = np.square(sound).mean() / np.square(changed - sound).mean()
        assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.1)
    assert np.array_equal(augment_sound.mix(sound, np.zeros(9, np.float32), 0.0), sound)


def test_channel_changes() -> None:
    sound, rng = harmonic(), np.random.default_rng(0)
    high = np.sin(2 * np.pi * 5000 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.abs(augment_sound.phone(high)[RATE // 4 :]).max() < 0.05  # but for the onset
    assert np.abs(augment_sound.distance(high, rng)[RATE // 2 :]).mean() < 0.4
    brighter = augment_sound.tilt(high, 6.0)
    assert np.abs(brighter).max() == pytest.approx(10 ** (6 * np.log2(5) / 20), rel=0.05)
    wet = augment_sound.room(sound, 0.5, rng, direct_db=0.0) - sound
    assert np.square(wet).mean() / np.square(sound).mean() == pytest.approx(1.0, abs=0.6)
    assert augment_sound.gain(sound, 20.0)[100] == pytest.approx(10 * sound[100])


def test_variants_repeat_with_the_seed_and_stay_finite() -> None:
    sound, voices = harmonic(0.6), [harmonic(0.5, 100), harmonic(0.4, 200)]
    for seed in range(12):
        first, again = (
            augment_sound.vary(sound, voices, np.random.default_rng(seed)) for _ in range(2)
        )
        assert np.array_equal(first, again)
        assert first.dtype == np.float32
        assert np.isfinite(first).all()
        assert len(first) > 5000
    tiny = np.ones(40, np.float32)
    assert len(augment_sound.vary(tiny, [], np.random.default_rng(1))) == 40


def test_examples_without_a_voice() -> None:
    sounds, kinds = not_one_voice([[harmonic()], [harmonic(1.2, 90)]], count=14, seed=3)
    assert set(kinds) == set(KINDS)
    assert len(sounds) == 14
    assert all(np.isfinite(s).all() and s.dtype == np.float32 and len(s) > 8000 for s in sounds)


def test_logistic_learns_and_balances() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.tensor([0] * 90 + [1] * 10)
    features = torch.randn(100, 20, generator=generator)
    features[:, 3] += 3.0 * targets
    matrix, biases = fit_logistic(features, targets, num_labels=3, penalty=1e-2)
    got = (features @ matrix.T + biases).argmax(dim=1)
    assert ((got == targets).float()[targets == 1]).mean() > 0.8
    assert (got != 2).all()


def test_temperature_cures_overconfidence() -> None:
    generator = torch.Generator().manual_seed(0)
    honest = 2.0 * torch.randn(4000, 3, generator=generator)
    targets = torch.multinomial(honest.softmax(dim=1), 1, generator=generator)[:, 0]
    assert fit_temperature(4.0 * honest, targets) == pytest.approx(4.0, rel=0.1)


@needs_data
def test_tiny_recipe_runs(tmp_path: Path) -> None:
    data = SpeechData(root=str(DATA), corpora=("emodb",), every=30)
    config = SpeechRecipe(data=data, out=str(tmp_path / "run"), copies=1, steps=5)
    config.crowded_copies, config.presence_examples = 1, 7
    found = run(config)
    assert set(found) >= {"plain_emodb_uar", "plain_emodb_ece", "relative_emodb_uar"}
    assert load_speech(tmp_path / "run" / "weights").trained_on == ("EMO-DB",)
