"""Motion: named channels that go through files and come back, and every bad file one sentence."""

import json

import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.motion_file import RANGES, rounded

KINDS = ("csv", "json", "npz")


def wild(frames=60, fps=25.0, seed=0):
    rng = np.random.default_rng(seed)
    low, high = np.array([RANGES[name] for name in CHANNELS]).T
    return rounded(Motion(rng.uniform(low, high, (frames, len(CHANNELS))).astype(np.float32), fps))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fps", [25.0, 30.0, 24 / 1.001, 12.5])
def test_round_trip_is_bit_equal(tmp_path, kind, fps):
    motion = wild(fps=fps)
    motion.save(tmp_path / f"m.{kind}")
    back = Motion.load(tmp_path / f"m.{kind}")
    assert np.array_equal(back.values, motion.values)
    assert back.fps == pytest.approx(fps, rel=1e-6 if kind != "csv" else 1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_and_two(tmp_path, kind):
    for frames in (1, 2):
        motion = wild(frames)
        motion.save(tmp_path / f"m.{kind}")
        back = Motion.load(tmp_path / f"m.{kind}")
        assert np.array_equal(back.values, motion.values)
        assert back.fps == 25


def test_rounded_keeps_ranges_and_is_idempotent():
    far = Motion(np.full((3, len(CHANNELS)), 99, np.float32))
    once = rounded(far)
    assert once.channel("jawOpen").max() == 1
    assert once.channel("headYaw").max() == 45
    assert np.array_equal(rounded(once).values, once.values)


def test_an_edited_csv_may_leave_out_and_turn_round_channels(tmp_path):
    file = tmp_path / "edited.csv"
    file.write_text("jawOpen, time_s ,headYaw\n0.5,0,-3\n\n0.25,0.04,4\n")
    motion = Motion.load(file)
    assert motion.fps == 25
    assert motion.channel("jawOpen").tolist() == [0.5, 0.25]
    assert motion.channel("headYaw").tolist() == [-3, 4]
    assert not np.delete(motion.values, [PLACE["jawOpen"], PLACE["headYaw"]], axis=1).any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line"),
        ("jawOpen\n1\n", "time_s"),
        ("time_s,jawOpen\n", "no frame"),
        ("time_s,jawOpne\n0,1\n", "did you mean jawOpen"),
        ("time_s,jawOpen,jawOpen\n0,1,1\n", "once"),
        ("time_s\n0\n", "once"),
        ("time_s,jawOpen\n0,1,2\n", "line 2 has 3 cells"),
        ("time_s,jawOpen\n0,wide\n", "line 2"),
        ("time_s,jawOpen\n0,0\n0.04,1.5\n", "jawOpen at 0.04 s (frame 1) is 1.5"),
        ("time_s,jawOpen\n0,nan\n", "allowed are 0 to 1"),
        ("time_s,headYaw\n0,-90\n", "-45 to 45"),
        ("time_s,jawOpen\n0,0\n0,0\n", "must rise"),
        ("time_s,jawOpen\n3,0\n3.04,0\n", "begin at 0 s"),
        ("time_s,jawOpen\n0,0\n0.04,0\n0.2,0\n", "evenly"),
        ("time_s,jawOpen\nnan,0\n", "must rise"),
        ('time_s,jawOpen\n0,"1\n', "no motion file"),
    ],
)
def test_bad_csv(tmp_path, text, says):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        Motion.load(file)
    assert says in str(caught.value)
    assert "bad.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ([], "expected an object"),
        ({"fps": 25, "values": [[0]]}, "channels"),
        ({"fps": 25, "channels": ["jawOpen"]}, "values"),
        ({"fps": "fast", "channels": ["jawOpen"], "values": [[0]]}, "one number"),
        ({"fps": 0, "channels": ["jawOpen"], "values": [[0]]}, "1 to 120"),
        ({"fps": 25, "channels": [3], "values": [[0]]}, "names"),
        ({"fps": 25, "channels": ["jawOpen"], "values": [0, 1]}, "(2,)"),
        ({"fps": 25, "channels": ["jawOpen"], "values": [[0], [0, 1]]}, "no motion file"),
        ({"fps": 25, "channels": ["jawOpen"], "values": []}, "(0,)"),
        ({"fps": 25, "channels": ["jawOpen"], "values": [["a"]]}, "no motion file"),
    ],
)
def test_bad_json(tmp_path, record, says):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(record))
    with pytest.raises(BadInput) as caught:
        Motion.load(file)
    assert says in str(caught.value)


def test_bad_npz_and_other_kinds(tmp_path):
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, values=np.array([{}], object), fps=25, channels=np.array(["jawOpen"]))
    half = tmp_path / "half.npz"
    wild().save(half)
    half.write_bytes(half.read_bytes()[:900])
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, values=np.zeros((2, 1)))
    (tmp_path / "text.npz").write_text("no zip")
    for name in ("pickled.npz", "half.npz", "lacking.npz", "text.npz", "none.npz", "none.csv"):
        with pytest.raises(BadInput, match=name):
            Motion.load(tmp_path / name)
    for work in (Motion.load, wild().save):
        with pytest.raises(BadInput, match=r"\.csv, \.json, \.npz"):
            work(tmp_path / "motion.bvh")


def test_at_fps_keeps_the_length_and_the_ends():
    motion = wild(50)
    for fps in (12.5, 30.0, 60.0):
        other = motion.at_fps(fps)
        assert other.duration_s == pytest.approx(motion.duration_s, abs=1 / fps)
        assert np.array_equal(other.values[0], motion.values[0])


@pytest.mark.parametrize("values", [np.zeros((0, 62)), np.zeros((3, 61)), np.full((3, 62), np.nan)])
def test_what_is_no_motion(values):
    with pytest.raises(BadInput):
        Motion(values.astype(np.float32))
