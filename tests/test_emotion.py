import json

import numpy as np
import pytest

from affetto.emotion import LABEL_VAD, LABELS, EmotionEmbedding, EmotionTrack, Evidence
from affetto.errors import BadInput


def make_track(times=(0.0, 1.0, 2.5), width=4, seed=0, **changes):
    rng = np.random.default_rng(seed)
    steps = len(times)
    fields = {
        "times": np.asarray(times),
        "mean": rng.normal(size=(steps, width)),
        "log_var": rng.normal(size=(steps, width)),
        "vad": rng.uniform(-1, 1, size=(steps, 3)),
        "vad_var": rng.uniform(0, 1, size=(steps, 3)),
        "probs": rng.dirichlet(np.ones(len(LABELS)), size=steps),
        "confidence": rng.uniform(size=steps),
        "kind": "evoked",
        "evidence": (Evidence("dark, slow", 0.0, 2.0, 0.75),),
    }
    return EmotionTrack(**{**fields, **changes})


ARRAYS = ("times", "mean", "log_var", "vad", "vad_var", "probs", "confidence")


def assert_equal(one, other, *, evidence=True):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
        assert getattr(one, name).dtype == np.float32
    assert one.kind == other.kind
    assert not evidence or one.evidence == other.evidence


def test_labels_have_anchors_in_range():
    assert tuple(LABEL_VAD) == LABELS
    assert np.abs(list(LABEL_VAD.values())).max() <= 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"times": np.array([0.0, 1.0, 1.0])}, "rise strictly; got 1.0 then 1.0 at step 2"),
        ({"times": np.array([[0.0, 1.0, 2.0]])}, r"got \(1, 3\)"),
        ({"times": np.array([0.0, np.nan, 2.0])}, "times must be finite"),
        ({"mean": np.zeros((2, 4))}, r"mean must be \(3, 4\) for 3 times, got \(2, 4\)"),
        ({"log_var": np.zeros((3, 5))}, r"log_var must be \(3, 4\)"),
        ({"mean": np.zeros((3, 0)), "log_var": np.zeros((3, 0))}, r"mean must be"),
        ({"vad": np.full((3, 3), 1.1)}, r"vad must lie in \[-1.0, 1.0\]"),
        ({"vad": np.zeros((3, 2))}, r"vad must be \(3, 3\)"),
        ({"vad_var": np.full((3, 3), -0.1)}, "vad_var must lie in"),
        ({"vad_var": np.full((3, 3), 1e300)}, "vad_var must be finite"),
        ({"probs": np.full((3, 11), 1 / 10)}, "rows must sum to 1; step 0 has 1.1"),
        ({"probs": np.eye(11)[[0, 1, 2]] * 2 - np.eye(11)[[1, 2, 3]]}, "probs must lie in"),
        ({"confidence": np.array([0.0, 0.5, 1.5])}, "confidence must lie in"),
        ({"kind": "felt"}, "kind must be one of .*felt"),
    ],
)
def test_bad_tracks_say_what_was_got(changes, message):
    with pytest.raises(ValueError, match=message):
        make_track(**changes)


def test_empty_track_is_refused():
    with pytest.raises(ValueError, match="T >= 1"):
        make_track(times=())


def test_embedding_and_evidence_refuse_nonsense():
    assert EmotionEmbedding(np.zeros(4), np.zeros(4)).mean.dtype == np.float32
    with pytest.raises(ValueError, match=r"got \(4,\) and \(5,\)"):
        EmotionEmbedding(np.zeros(4), np.zeros(5))
    with pytest.raises(ValueError, match="finite"):
        EmotionEmbedding(np.zeros(4), np.full(4, np.inf))
    for start, end, weight in ((1, 0, 0.5), (0, 1, 1.5), (0, np.nan, 0.5), (0, 1, np.nan)):
        with pytest.raises(ValueError, match="Evidence needs"):
            Evidence("cue", start, end, weight)


def test_at_its_own_times_changes_nothing():
    track = make_track()
    assert_equal(track.at(track.times), track)


def test_at_interpolates_and_holds():
    track = make_track()
    got = track.at([-5.0, 0.5, 1.75, 99.0])
    np.testing.assert_allclose(got.vad[1], (track.vad[0] + track.vad[1]) / 2, atol=1e-6)
    np.testing.assert_allclose(got.probs[2], (track.probs[1] + track.probs[2]) / 2, atol=1e-6)
    np.testing.assert_array_equal(got.mean[0], track.mean[0])
    np.testing.assert_array_equal(got.confidence[3], track.confidence[2])
    np.testing.assert_allclose(got.probs.sum(axis=1), 1.0, atol=1e-6)
    assert got.evidence == track.evidence


def test_at_of_single_step_holds_it():
    got = make_track(times=(3.0,)).at([0.0, 3.0, 9.0])
    assert np.ptp(got.vad, axis=0).max() == 0


def test_at_shifted_track_is_shifted_answer():
    track = make_track()
    shifted = make_track(times=(10.0, 11.0, 12.5))
    np.testing.assert_allclose(track.at([0.25, 2.0]).vad, shifted.at([10.25, 12.0]).vad, atol=1e-6)


def test_at_refuses_bad_times():
    with pytest.raises(ValueError, match="finite"):
        make_track().at([0.0, np.nan])
    with pytest.raises(ValueError, match="rise strictly"):
        make_track().at([1.0, 0.0])
    with pytest.raises(ValueError, match="T >= 1"):
        make_track().at([])


@pytest.mark.parametrize("suffix", [".json", ".csv", ".CSV"])
def test_save_load_is_bit_equal(tmp_path, suffix):
    track = make_track(times=np.linspace(0.1, 7000.1, 50), width=16)
    path = tmp_path / f"track{suffix}"
    track.save(path)
    assert_equal(EmotionTrack.load(path), track, evidence=suffix == ".json")
    first = path.read_bytes()
    track.save(path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_unknown_suffix(tmp_path):
    with pytest.raises(BadInput, match=r"\.json or \.csv"):
        make_track().save(tmp_path / "track.npz")
    with pytest.raises(BadInput, match=r"\.json or \.csv"):
        EmotionTrack.load(tmp_path / "track.pkl")


def write(path, text):
    path.write_text(text)
    return path


def test_malformed_json(tmp_path):
    make_track().save(tmp_path / "good.json")
    good = json.loads((tmp_path / "good.json").read_text())
    bad = [
        "", "[]", "3", "{}", "{", "nonsense", "[" * 100_000, '{"times": [' + "1" * 5000 + "]}",
        json.dumps({**good, "version": 2}),
        json.dumps({**good, "labels": list(LABELS)[::-1]}),
        json.dumps({**good, "times": [0, 1, float("nan")]}),
        json.dumps({**good, "times": [0, 1, None]}),
        json.dumps({**good, "vad": [[0, 0, 0], [0, 0]]}),
        json.dumps({**good, "vad": "no"}),
        json.dumps({**good, "vad": {"a": 1}}),
        json.dumps({**good, "mean": [[10**400] * 4] * 3}),
        json.dumps({**good, "log_var": [[1e300] * 4] * 3}),
        json.dumps({**good, "kind": ["evoked"]}),
        json.dumps({**good, "evidence": [{"cue": "x"}]}),
        json.dumps({**good, "evidence": 5}),
        json.dumps({**good, "evidence": [5]}),
        json.dumps({key: value for key, value in good.items() if key != "probs"}),
    ]  # fmt: skip
    for text in bad:
        with pytest.raises(BadInput, match=r"bad\.json"):
            EmotionTrack.load(write(tmp_path / "bad.json", text))


def test_malformed_csv(tmp_path):
    make_track().save(tmp_path / "good.csv")
    good = (tmp_path / "good.csv").read_text()
    header, first, *rest = good.splitlines()
    bad = [
        "", "\n", header, "time_s\n0\n", good.replace("valence", "wertigkeit", 1),
        "\n".join([header, first + ",1", *rest]),
        "\n".join([header, first.replace("evoked", "expressed"), *rest]),
        good.replace("evoked", "felt"),
        "\n".join([header, first.replace("0.0", "zero", 1), *rest]),
        "\n".join([header, first, first]),
        f"{header},vad\n",
        f"{header},valence\n{first},0\n",
        good + '"unclosed',
        '"' + "x" * 200_000 + '"',
    ]  # fmt: skip
    for text in bad:
        with pytest.raises(BadInput, match=r"bad\.csv"):
            EmotionTrack.load(write(tmp_path / "bad.csv", text))


def test_unreadable_files(tmp_path):
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / ("x" * 300 + ".json")):
        with pytest.raises(BadInput):
            EmotionTrack.load(path if path.suffix else path.with_suffix(".json"))
    (tmp_path / "latin.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot read"):
        EmotionTrack.load(tmp_path / "latin.csv")
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(BadInput, match="larger than"):
        EmotionTrack.load(tmp_path / "huge.json")


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_only_bad_input_escapes_mutations(tmp_path, suffix):
    path = tmp_path / f"track{suffix}"
    make_track().save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(300):
        data = bytearray(good)
        for place in rng.integers(0, len(data), size=rng.integers(1, 4)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            EmotionTrack.load(path)
        except BadInput:
            refused += 1
    assert refused > 100
