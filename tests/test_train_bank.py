import json

import numpy as np
import pytest
import torch

from affetto.apps.training import CONFIGS, run
from affetto.config import load_config
from affetto.emotion_bank.codes import load_bank
from affetto.emotion_bank.embedder import CrossModalEmbedder, EmbedderConfig
from affetto.emotion_bank.space import priors
from affetto.train.bank import BankRecipe, fit, requests
from affetto.train.data.emotion_population import embedded, held_out, mixed, random_requests
from affetto.train.data.readings import read_readings
from affetto.weights import file_sha256


def tiny(out, **changes):
    words = [f"out={out}", *(f"{name}={value}" for name, value in changes.items())]
    return load_config(BankRecipe, CONFIGS / "bank_tiny.yaml", words)


def random_readings(folder, count=60, seed=0):
    rng = np.random.default_rng(seed)
    np.savez(
        folder / "voice.npz",
        probs=rng.dirichlet(np.ones(11), count),
        vad=rng.uniform(-1, 1, (count, 3)),
        vad_var=rng.uniform(0.1, 1, (count, 3)),
        confidence=rng.uniform(0, 1, count),
        label=rng.integers(11, size=count),
        speaker=rng.integers(12, size=count).astype(np.str_),
    )
    return read_readings(folder, "voice")


def test_requests_are_in_range_and_repeat():
    states = random_requests(300, rng=np.random.default_rng(0))
    assert len(states) == 300
    torch.testing.assert_close(states.probs.sum(dim=-1), torch.ones(300))
    assert states.vad.abs().max() <= 1
    again = random_requests(300, rng=np.random.default_rng(0))
    assert torch.equal(states.mean, again.mean)
    assert len(states.probs.argmax(dim=-1).unique()) == 11


def test_readings_join_the_requests_in_equal_parts(tmp_path):
    readings = random_readings(tmp_path)
    apart = held_out(readings)
    assert 0 < apart.sum() < len(readings)
    assert not set(readings.person[apart]) & set(readings.person[~apart])
    torch.manual_seed(0)
    voices = embedded(readings, CrossModalEmbedder(EmbedderConfig(width=8)))
    assert voices.mean.shape == (60, 16)
    both = mixed(
        [random_requests(40, rng=np.random.default_rng(0)), voices],
        31,
        rng=np.random.default_rng(0),
    )
    assert len(both) == 31
    assert both.probs.shape == (31, 11)


def test_recipe_runs_and_its_weights_load(tmp_path):
    figures = run("bank", [str(CONFIGS / "bank_tiny.yaml"), f"out={tmp_path / 'a'}"])
    assert 8 <= figures["perplexity"] <= 24
    assert figures["code_agreement"] > 0.5
    bank = load_bank(tmp_path / "a" / "weights")
    assert bank.config.quantizer.num_codes == 24
    torch.testing.assert_close(bank.quantizer.codes[:11], priors()[0])
    assert not any(p.requires_grad for p in bank.parameters())
    assert json.loads((tmp_path / "a" / "weights" / "config.json").read_text())["commercial"]


def test_a_broken_run_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    whole, broken = tiny(tmp_path / "whole"), tiny(tmp_path / "broken")
    sources, unseen = requests(whole), requests(whole, unseen=True)
    fit(whole, sources, unseen)

    def stop(folder, row, *, cpu_s):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("affetto.train.bank.log_epoch", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(broken, sources, unseen)
    fit(broken, sources, unseen)
    first, second = (
        file_sha256(tmp_path / name / "weights" / "model.safetensors")
        for name in ("whole", "broken")
    )
    assert first == second


@pytest.mark.parametrize("name", ["bank", "bank_tiny"])
def test_configs_are_valid(name):
    assert isinstance(load_config(BankRecipe, CONFIGS / f"{name}.yaml", []), BankRecipe)
