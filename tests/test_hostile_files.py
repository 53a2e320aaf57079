"""What broken files have done to our readers once; each made here, none stored."""

import io
import json
import zipfile

import numpy as np
import pytest

from affetto.apps.score_talk import is_talk
from affetto.errors import BadInput
from affetto.motion import CHANNELS, Motion
from affetto.motion_file import MAX_BYTES, read_motion, rounded, write_motion


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
    with pytest.raises(BadInput, match="lacks"):
        signature.read_signature(io.BytesIO(), ".mp4", own=None)
