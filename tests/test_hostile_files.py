"""What broken files have done to our readers once; each made here, none stored."""

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from affetto.apps.score_talk import is_talk
from affetto.emotion_io import load_track
from affetto.errors import BadInput, WeightsError
from affetto.motion import CHANNELS, Motion
from affetto.motion_file import MAX_BYTES, read_motion, rounded, write_motion
from affetto.recognizers.face.picture import read_picture
from affetto.weights import load_weights, save_weights


@pytest.fixture
def whole(tmp_path):
    """A motion file, whole."""
    values = np.random.default_rng(2).random((12, len(CHANNELS))).astype(np.float32)
    write_motion(tmp_path / "a.npz", rounded(Motion(values, 25.0)))
    return tmp_path / "a.npz"


def packed(path, **changed):
    """The same archive with some of its arrays' files changed."""
    with zipfile.ZipFile(path) as parts:
        good = {name: parts.read(name) for name in parts.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as parts:
        for name, data in (good | {f"{name}.npy": data for name, data in changed.items()}).items():
            parts.writestr(name, data)
    return path


def test_packed_numbers_that_do_not_unpack(whole):
    """zlib's own error came out."""
    data = whole.read_bytes()
    refused = 0
    for at in range(60, 900, 7):
        whole.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        try:
            read_motion(whole)
        except BadInput:
            refused += 1
    assert refused > 60


@pytest.mark.parametrize("shape", ["(100000000000,)", "(-5, 3)", "(1, 'a')", "(2**70,)"])
def test_arrays_that_lie_about_their_shape(whole, shape):
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117)
    lie = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + head + b"\n"
    with pytest.raises(BadInput, match=r"motion file|allowed"):
        read_motion(packed(whole, values=lie))


def test_pickles_and_packed_bombs(whole):
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(BadInput, match="allow_pickle"):
        read_motion(packed(whole, values=pickled.getvalue()))
    with pytest.raises(BadInput, match="unpacks to"):
        read_motion(packed(whole, values=bytes(MAX_BYTES + 1)))


@pytest.mark.parametrize(
    "text", ['{"job":' * 100_000, '{"job": ' + "9" * 100_000 + "}", "[]", "3", '"talk"', ""]
)
def test_records_beside_a_film(tmp_path, text):
    """Nested without end, it stopped with a RecursionError."""
    (tmp_path / "recipe.json").write_text(text)
    assert not is_talk(tmp_path / "film.mp4", None)
    (tmp_path / "recipe.json").write_text(json.dumps({"job": "talk"}))
    assert is_talk(tmp_path / "film.mp4", None)


def test_a_manifest_of_another_form(tmp_path, monkeypatch):
    """A flipped byte in its name: KeyError came out."""
    from affetto import signature

    for record in ({}, {"active_manifest": "a", "manifests": {}}, {"manifests": 3}, [], None):
        with pytest.raises((LookupError, AttributeError, TypeError)):
            signature._signature(record, None)
    c2pa = pytest.importorskip("c2pa")
    reader = type("Reader", (), {
        "__init__": lambda *_, **__: None, "__enter__": lambda self: self,
        "__exit__": lambda *_: None, "json": lambda self: '{"active_manifest": "a"}',
    })  # fmt: skip
    monkeypatch.setattr(c2pa, "Reader", reader)
    with pytest.raises(BadInput, match="manifest"):
        signature.read_signature(io.BytesIO(signature.CLAIM), ".mp4", own=None)


def test_tables_of_millions_of_lines(whole, tmp_path, monkeypatch):
    """Empty lines cost sixty times their size in memory."""
    (tmp_path / "track.csv").write_text("\n" * 600_000)
    with pytest.raises(BadInput, match="steps allowed"):
        load_track(tmp_path / "track.csv")
    monkeypatch.setattr("affetto.motion_file.MAX_FRAMES", 3)
    (tmp_path / "a.csv").write_text("time_s,jawOpen\n" + "0,0\n" * 4)
    for path in (whole, tmp_path / "a.csv"):
        with pytest.raises(BadInput, match=r"allowed"):
            read_motion(path)


@pytest.mark.parametrize("scales", [torch.ones(3), torch.ones(2, 2), torch.tensor(1.0)])
def test_scales_that_do_not_fit(tmp_path, scales):
    """Torch's own errors came out."""
    tensors = {"a": torch.ones(5, dtype=torch.int8), "a:row_scale": scales}
    save_weights(tmp_path / "set", config={}, tensors=tensors, licence="none", commercial=True,
                 trained_on=())  # fmt: skip
    with pytest.raises(WeightsError):
        load_weights(tmp_path / "set")


def test_deep_pictures_take_little_memory(tmp_path):
    """Of 16-bit ones each pixel once took 32 bytes."""
    Image.fromarray(np.full((3000, 3000), 40_000, np.uint16)).save(tmp_path / "deep.png")
    tracemalloc.start()
    read = read_picture(tmp_path / "deep.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.shape == (3000, 3000, 3)
    assert abs(int(read[0, 0, 0]) - round(40_000 / 65_535 * 255)) <= 1
    assert peak < 14 * 3000 * 3000
