"""Weights: whole, hashed, strict, never a pickle."""

import json
import sys
import types

import pytest
import torch
from torch import nn

from affetto.errors import WeightsError
from affetto.weights import (
    CONFIG_FILE,
    SHIPPED,
    TENSOR_FILE,
    fill,
    int8_rows,
    load_weights,
    save_weights,
)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "set"
    save_weights(
        made,
        config={"dim": 3},
        tensors=nn.Linear(3, 2).state_dict(),
        licence="Apache-2.0.",
        commercial=True,
        trained_on=("made up",),
    )
    return made


def test_what_is_saved_is_loaded_bit_by_bit(folder):
    weights = load_weights(folder)
    assert weights.config == {"dim": 3}
    assert weights.trained_on == ("made up",)
    net = nn.Linear(3, 2)
    fill(net, weights)
    assert torch.equal(net.weight, weights.tensors["weight"])
    assert (folder / TENSOR_FILE).stat().st_mode & 0o777 == 0o644


def test_the_same_tensors_give_the_same_file(folder, tmp_path):
    weights = load_weights(folder)
    again = save_weights(
        tmp_path / "again",
        config=weights.config,
        tensors=weights.tensors,
        licence="x",
        commercial=False,
        trained_on=(),
    )
    assert again == weights.sha256


def test_large_matrices_are_kept_as_int8_rows_and_come_back(tmp_path):
    torch.manual_seed(0)
    tensors = {
        "wide": torch.randn(64, 80) * torch.logspace(-3, 2, 64)[:, None],
        "conv": torch.randn(32, 48, 3),
        "still": torch.zeros(64, 64),
        "small": torch.randn(8, 8).half(),
        "bias": torch.randn(9000),
    }
    rows = int8_rows(tensors)
    assert rows["wide"].dtype == rows["conv"].dtype == torch.int8
    assert rows["conv"].shape == (32, 48, 3)
    save_weights(
        tmp_path / "set", config={}, tensors=rows, licence="x", commercial=False, trained_on=()
    )
    back = load_weights(tmp_path / "set").tensors
    assert set(back) == set(tensors)
    for name, value in tensors.items():
        assert back[name].shape == value.shape
        most = value.float().flatten(1).abs().amax(dim=1) if value.ndim > 1 else torch.zeros(1)
        off = (back[name].float() - value.float()).flatten(1 if value.ndim > 1 else 0).abs()
        assert (off.amax(dim=-1) <= most / 250).all()
    assert torch.equal(back["small"], tensors["small"])
    assert torch.equal(back["bias"], tensors["bias"])
    assert torch.equal(int8_rows(back)["wide"], rows["wide"])  # nothing is lost a second time


def test_one_flipped_bit_is_noticed(folder):
    data = bytearray((folder / TENSOR_FILE).read_bytes())
    data[-1] ^= 1
    (folder / TENSOR_FILE).write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        load_weights(folder)


def test_other_shapes_and_keys_are_refused(folder):
    weights = load_weights(folder)
    for other in (nn.Linear(3, 4), nn.Linear(3, 2, bias=False), nn.Bilinear(3, 3, 2)):
        with pytest.raises(WeightsError, match="do not fit"):
            fill(other, weights)


def test_a_pickle_is_never_read(folder):
    (folder / TENSOR_FILE).rename(folder / "model.pt")
    with pytest.raises(WeightsError, match="pickled"):
        load_weights(folder)
    (folder / "model.pt").rename(folder / TENSOR_FILE)
    record = json.loads((folder / CONFIG_FILE).read_text())
    (folder / TENSOR_FILE).write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(WeightsError, match="sha256"):
        load_weights(folder)
    import hashlib

    record["sha256"] = hashlib.sha256((folder / TENSOR_FILE).read_bytes()).hexdigest()
    (folder / CONFIG_FILE).write_text(json.dumps(record))
    with pytest.raises(WeightsError, match="not a safetensors"):
        load_weights(folder)


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"config": 3}', "[" * 100_000])
def test_a_broken_record_is_refused(folder, text):
    (folder / CONFIG_FILE).write_text(text)
    with pytest.raises(WeightsError):
        load_weights(folder)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(WeightsError, match="music_chords"):
        load_weights("no_such_set")


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_set_loads(name):
    assert load_weights(name).sha256 == SHIPPED[name]


def test_a_hub_is_one_more_place_for_the_same_file(folder, monkeypatch):
    asked = {}

    def snapshot_download(repository, *, revision, allow_patterns):
        asked.update(repository=repository, revision=revision)
        return str(folder)

    hub, errors = types.ModuleType("huggingface_hub"), types.ModuleType("huggingface_hub.errors")
    hub.snapshot_download = snapshot_download
    errors.HfHubHTTPError = errors.LocalEntryNotFoundError = OSError
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    assert load_weights("hub:someone/chords@v2").sha256 == load_weights(folder).sha256
    assert asked == {"repository": "someone/chords", "revision": "v2"}
