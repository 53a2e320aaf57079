import dataclasses
import getpass
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affetto.errors import ResourceError
from affetto.provenance import (
    FileRecord,
    Recipe,
    WeightsRecord,
    content_hash,
    file_record,
    versions,
    wav_blocks,
    write_recipe,
)
from affetto.soundtrack import Bar, ChordSpan, Dynamics, Marker, Note, Part, Soundtrack

SHA = "0" * 64


def make_recipe(**changes):
    fields = {
        "job": "soundtrack",
        "request": "0=calm; 4=happy:0.9",
        "seed": 7,
        "config": {"bpm": None, "instruments": ("drums", "bass"), "soundfont": Path("/a/b/c.sf2")},
        "inputs": (FileRecord("film.mp4", SHA),),
        "weights": (WeightsRecord("music_chords", SHA, "CC BY-NC 4.0 / research", "package"),),
        "content_sha256": SHA,
        "command": "affetto soundtrack film.mp4 --seed 7 --emotion '0=calm; 4=happy:0.9'",
        "timings_s": {"compose": 1.5},
        "scores": {"lufs": np.float32(-16.0), "peak": float("-inf"), "hits": np.int64(3)},
    }
    return Recipe(**{**fields, **changes})


def written(tmp_path, recipe):
    write_recipe(tmp_path / "recipe.json", recipe)
    return json.loads((tmp_path / "recipe.json").read_text(encoding="utf-8"))


def test_recipe_says_what_is_needed_to_repeat(tmp_path):
    record = written(tmp_path, make_recipe())
    assert set(record) == {field.name for field in dataclasses.fields(Recipe)}
    assert record["config"] == {"bpm": None, "instruments": ["drums", "bass"], "soundfont": "c.sf2"}
    assert record["weights"][0]["licence"] == "CC BY-NC 4.0 / research"
    assert record["scores"] == {"lufs": -16.0, "peak": "-inf", "hits": 3}
    assert record["versions"]["python"] == platform.python_version()
    assert {"affetto", "torch", "numpy", "av"} <= set(record["versions"])


def test_equal_recipes_give_equal_bytes(tmp_path):
    write_recipe(tmp_path / "a.json", make_recipe())
    config = dict(reversed(make_recipe().config.items()))
    write_recipe(tmp_path / "b.json", make_recipe(config=config))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_no_folders_users_hosts_or_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFETTO_TEST_SECRET", "hunter2-hunter2")
    home = "/home/ada/private"
    recipe = make_recipe(
        request=f"like:{home}/voice.wav",
        inputs=(FileRecord(f"{home}/film.mp4", SHA),),
        weights=(WeightsRecord(f"{home}/my_set", SHA, "CC0", f"{home}/my_set"),),
        config={
            "video": f"{home}/film.mp4",
            "nested": [{"sheet": Path(home) / "chords.txt", "relative": "private/x.sf2"}],
        },
        command=f"affetto soundtrack '{home}/my films/film 1.mp4' --out={home}/out "
        f"--emotion like:{home}/voice.wav --chords private/chords.txt "
        "--soundfont 'private x/y.sf2'",
    )
    scores = {"folder": f"{home}/out", "note": f"read {home}/a.wav and ../private/b, ~/private/c"}
    record = written(tmp_path, dataclasses.replace(recipe, scores=scores))
    text = (tmp_path / "recipe.json").read_text(encoding="utf-8")
    for secret in ("hunter2", "ada", "private", str(tmp_path), str(Path.home()) + "/"):
        assert secret not in text
    if len(platform.node()) > 3:
        assert platform.node() not in text
    if len(getpass.getuser()) > 4:
        assert getpass.getuser() not in text
    assert record["scores"] == {"folder": "out", "note": "read a.wav and b, c"}
    assert record["request"] == "like:voice.wav"
    assert record["inputs"][0]["name"] == "film.mp4"
    assert record["command"] == (
        "affetto soundtrack 'film 1.mp4' --out=out --emotion like:voice.wav --chords chords.txt "
        "--soundfont y.sf2"
    )


@pytest.mark.parametrize(
    "word",
    [
        "hope and/or fear at dusk",
        "now / then",
        "hub:owner/name@v1",
        "https://example.org/x",
        "0=va(0,1); 2=sad",
    ],
)
def test_words_that_are_no_paths_stay(tmp_path, word):
    record = written(tmp_path, make_recipe(request=word, config={"word": word}))
    assert record["request"] == record["config"]["word"] == word


def test_only_plain_values(tmp_path):
    with pytest.raises(TypeError, match="plain values, got object"):
        write_recipe(tmp_path / "recipe.json", make_recipe(config={"thing": object()}))
    assert list(tmp_path.iterdir()) == []


def test_unwritable_place_leaves_nothing(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError):
        write_recipe(tmp_path / "recipe.json", make_recipe())


def test_versions_import_nothing_heavy():
    code = (
        "import sys; from affetto.provenance import versions; assert 'torch' in versions(); "
        "assert not {'torch', 'av', 'cv2', 'scipy', 'soundfile'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert versions() == versions()


def test_file_record(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"abc")
    assert file_record(path) == FileRecord("film.mp4", hashlib.sha256(b"abc").hexdigest())


def make_music(pitch=60, shift_s=0.0):
    return Soundtrack(
        duration_s=4.0,
        key="A:min",
        bars=(Bar(0.0, 2.0, 4), Bar(2.0, 4.0, 4)),
        chords=(ChordSpan(0.0, 2.0, "A:min"), ChordSpan(2.0, 4.0, "F")),
        parts=(Part("Lead", 40, False, (Note(0.5 + shift_s, 1.0, pitch, 80),)),),
        dynamics=Dynamics(np.zeros(4), np.zeros(4), np.zeros(4)),
        markers=(Marker(2.0, "cut"),),
    )


def test_content_hash_of_music():
    base = content_hash(soundtrack=make_music())
    assert len(base) == 64
    assert content_hash(soundtrack=make_music()) == base
    assert content_hash(soundtrack=make_music(shift_s=1e-9)) == base
    assert content_hash(soundtrack=make_music(shift_s=1e-3)) != base
    assert content_hash(soundtrack=make_music(pitch=61)) != base
    for change in ({"key": "C"}, {"bars": ()}, {"chords": ()}, {"markers": ()}, {"parts": ()}):
        assert content_hash(soundtrack=dataclasses.replace(make_music(), **change)) != base


def test_content_hash_of_audio_knows_samples_not_blocks():
    rng = np.random.default_rng(0)
    samples = rng.integers(-(2**15), 2**15, size=(1000, 2)).astype(np.int16)
    base = content_hash(audio={"mix": [samples]})
    assert content_hash(audio={"mix": [samples[:300], samples[300:]]}) == base
    assert content_hash(audio={"mix": [samples.astype(">i2")]}) == base
    assert content_hash(audio={"mix": [samples[::-1][::-1]]}) == base
    other = samples.copy()
    other[500, 1] += 1
    assert content_hash(audio={"mix": [other]}) != base
    assert content_hash(audio={"bass": [samples]}) != base
    assert content_hash(audio={"mix": [samples.reshape(500, 4)]}) != base
    assert content_hash(audio={"mix": [samples], "b": []}) != base
    one, two = [samples], [other]
    assert content_hash(audio={"a": one, "b": two}) == content_hash(audio={"b": two, "a": one})
    with pytest.raises(ValueError, match="integer samples as written, got float64"):
        content_hash(audio={"mix": [samples / 2]})


def test_content_hash_of_frames():
    frames = np.random.default_rng(0).integers(0, 256, size=(3, 4, 6, 3), dtype=np.uint8)
    base = content_hash(frames=frames)
    assert content_hash(frames=iter(frames)) == base
    assert content_hash(frames=frames[::-1]) != base
    assert content_hash(frames=frames[:2]) != base
    assert content_hash(frames=frames.reshape(3, 6, 4, 3)) != base
    with pytest.raises(ValueError, match="uint8"):
        content_hash(frames=frames.astype(np.float32))


def test_wav_blocks_are_what_the_file_holds(tmp_path):
    import soundfile

    samples = np.random.default_rng(0).integers(-(2**15), 2**15, size=(150_000, 2)).astype(np.int16)
    hashes = []
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, 44_100, subtype="PCM_16")
        hashes.append(content_hash(audio={"mix": wav_blocks(tmp_path / name)}))
    assert hashes[0] == hashes[1]
    joined = np.concatenate(list(wav_blocks(tmp_path / "a.wav")))
    np.testing.assert_array_equal(joined, samples.astype(np.int32) << 16)
