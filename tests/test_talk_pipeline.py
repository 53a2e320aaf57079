"""From speech to motion windows to rows: windows on disk, resuming, rates, strength."""

import os

import numpy as np
import pytest
import torch

from affetto.condition import ConditionTrack
from affetto.emotion import LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput, ResourceError
from affetto.gen.portrait import pipeline
from affetto.gen.portrait.hearing import Heard
from affetto.gen.portrait.pipeline import (
    WINDOW,
    TalkOptions,
    expressed,
    frames_of,
    held,
    hushed,
    rows_at,
    talk,
)
from affetto.gen.portrait.unfinished import unfinished_work
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.motion_file import rounded
from affetto.request import parse_request

JAW = PLACE["jawOpen"]


def heard_for(duration_s, *, presence=1.0, peak=0.5):
    steps = max(1, round(duration_s * 50))
    values = torch.zeros(1, steps, 4)
    values[0, :, 0] = torch.linspace(-4, 0.2, steps)
    values[0, :, 3] = presence
    mask = torch.ones(1, steps, dtype=torch.bool)
    return Heard({"prosody": ConditionTrack(values, mask, 50.0)}, (), duration_s, peak)


def track_of(text, duration_s=4.0):
    return request_to_track(parse_request(text), duration_s=duration_s, rate_hz=25)


@pytest.fixture
def made(monkeypatch):
    """Windows by the pipeline from motion that only counts; remembers where making began."""
    starts = []

    def windows(heard, track, options, models, *, start, prefix):
        starts.append(start)
        total = frames_of(heard.duration_s, 25)
        values = np.zeros((total, len(CHANNELS)), np.float32)
        values[:, JAW] = np.linspace(0, 1, total)
        for first in range(start * WINDOW, total, WINDOW):
            yield Motion(values[first : first + WINDOW])

    monkeypatch.setattr(pipeline, "_made", windows)
    return starts


def windows_of(kept, duration_s=7.0):
    return talk(
        heard_for(duration_s),
        track_of("happy", duration_s),
        models=None,
        options=TalkOptions(),
        kept=kept,
    )


def test_windows_cover_the_speech_and_stand_on_disk(tmp_path, made):
    with unfinished_work(tmp_path / "work", "a") as kept:
        windows = list(windows_of(kept))
        assert [len(one.values) for one in windows] == [64, 64, 47]
        for number, window in enumerate(windows):
            assert np.array_equal(kept.motion(number).channel("jawOpen"), window.channel("jawOpen"))
    assert not (tmp_path / "work").exists()


def test_a_killed_run_goes_on_with_equal_windows(tmp_path, made):
    with unfinished_work(tmp_path / "whole", "a") as kept:
        whole = np.concatenate([one.values for one in windows_of(kept)])
    with pytest.raises(KeyboardInterrupt), unfinished_work(tmp_path / "work", "a") as kept:
        for window in windows_of(kept):
            first = window
            kept.segment(0).write_bytes(b"done")
            raise KeyboardInterrupt
    (tmp_path / "work" / ".motion_00001-half.npz").write_bytes(b"half")
    made.clear()
    with unfinished_work(tmp_path / "work", "a") as kept:
        assert kept.found == 1
        assert not (tmp_path / "work" / ".motion_00001-half.npz").exists()
        rest = list(windows_of(kept))
    assert made == [1]
    assert np.array_equal(rest[0].values, first.values)
    assert np.array_equal(np.concatenate([one.values for one in rest]), whole)


def test_another_job_begins_anew(tmp_path):
    with pytest.raises(ZeroDivisionError), unfinished_work(tmp_path / "work", "a") as kept:
        kept.segment(0).write_bytes(b"done")
        raise ZeroDivisionError
    with unfinished_work(tmp_path / "work", "b") as kept:
        assert kept.found == 0
        assert not kept.segment(0).exists()


def test_a_failure_before_the_first_segment_leaves_nothing(tmp_path):
    with pytest.raises(BadInput), unfinished_work(tmp_path / "work", "a"):
        raise BadInput("no face")
    assert not list(tmp_path.iterdir())


def test_two_runs_at_once_and_places_in_the_way(tmp_path):
    with (
        unfinished_work(tmp_path / "work", "a"),
        pytest.raises(BadInput, match="another run"),
        unfinished_work(tmp_path / "work", "a"),
    ):
        pass
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(b"x")
    with pytest.raises(BadInput, match="something else"), unfinished_work(tmp_path / "photos", "a"):
        pass
    assert (tmp_path / "photos" / "mine.jpg").exists()
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ResourceError, match="in the way"), unfinished_work(tmp_path / "file", "a"):
        pass
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(ResourceError), unfinished_work(tmp_path / "locked" / "work", "a"):
            pass


def test_results_are_delivered_together(tmp_path):
    for _ in range(2):
        with unfinished_work(tmp_path / "work", "a") as kept:
            (kept.result / "talk.mp4").write_bytes(b"film")
            assert not (tmp_path / "out" / "new").exists()
            kept.deliver(tmp_path / "out")
        assert (tmp_path / "out" / "talk.mp4").read_bytes() == b"film"
        assert not (tmp_path / "work").exists()


def ramp(frames, fps=25.0):
    values = np.zeros((frames, len(CHANNELS)), np.float32)
    values[:, JAW] = np.arange(frames) / max(1, frames)
    return Motion(values, fps)


def cut(motion, size):
    return [
        Motion(motion.values[i : i + size], motion.fps) for i in range(0, len(motion.values), size)
    ]


def test_rows_at_the_same_rate_are_the_motion():
    motion = ramp(150)
    rows = np.stack(list(rows_at(cut(motion, WINDOW), fps=25, num_frames=150)))
    assert np.array_equal(rows, motion.values)


@pytest.mark.parametrize("fps", [12.5, 24.0, 30.0, 60.0, 29.97])
def test_rows_at_another_rate_are_those_of_at_fps(fps):
    motion = ramp(150)
    wanted = motion.at_fps(fps).values
    rows = np.stack(list(rows_at(cut(motion, WINDOW), fps=fps, num_frames=len(wanted))))
    assert np.allclose(rows, wanted, atol=1e-5)
    whole = np.stack(list(rows_at([motion], fps=fps, num_frames=len(wanted))))
    assert np.array_equal(rows, whole)


def test_rows_hold_the_end_and_stop_in_time():
    motion = ramp(10)
    rows = list(rows_at([motion], fps=25, num_frames=14))
    assert len(rows) == 14
    assert all(np.array_equal(row, motion.values[-1]) for row in rows[9:])
    assert len(list(rows_at([ramp(10)], fps=25, num_frames=3))) == 3
    assert len(list(rows_at([ramp(1)], fps=30, num_frames=5))) == 5


def test_strength_goes_from_neutral_to_what_was_asked():
    track = track_of("angry")
    neutral, half, full = (expressed(track, strength=s) for s in (0.0, 0.5, 1.0))
    assert np.allclose(neutral.probs[:, LABELS.index("neutral")], 1)
    assert np.allclose(neutral.vad, 0)
    assert np.allclose(half.vad, track.vad / 2, atol=1e-6)
    assert np.allclose(half.probs, track_of("angry:0.5").probs, atol=1e-6)
    assert np.allclose(half.mean, track_of("angry:0.5").mean, atol=1e-4)
    assert np.allclose(full.probs, track.probs, atol=1e-6)


def test_what_is_equally_likely_says_nothing():
    track = track_of("neutral")
    probs = np.zeros_like(track.probs)
    probs[:, :8] = 1 / 8  # a recognizer of eight words that heard nothing
    from dataclasses import replace

    shown = expressed(replace(track, probs=probs), strength=1.0)
    assert np.allclose(shown.probs[:, LABELS.index("neutral")], 1, atol=1e-6)
    probs[:] = 0.02
    probs[:, LABELS.index("sad")] += 0.78
    shown = expressed(replace(track, probs=probs), strength=1.0)
    assert np.allclose(shown.probs[:, LABELS.index("sad")], 0.78, atol=1e-6)
    assert np.allclose(shown.probs.sum(axis=1), 1)


def test_head_and_gaze():
    motion = rounded(
        Motion(np.random.default_rng(0).uniform(0, 1, (20, len(CHANNELS))).astype(np.float32))
    )
    still = held(motion, head="still", gaze="natural")
    assert not still.channel("headYaw").any()
    assert np.array_equal(still.channel("jawOpen"), motion.channel("jawOpen"))
    lively = held(motion, head="lively", gaze="camera")
    assert (np.abs(lively.channel("headYaw")) >= np.abs(motion.channel("headYaw"))).all()
    assert np.array_equal(lively.channel("gazeYaw"), -lively.channel("headYaw"))
    same = held(motion, head="natural", gaze="natural")
    assert np.array_equal(same.values, motion.values)


def test_what_is_heard_is_speech_or_not():
    assert heard_for(3).is_speech
    music = heard_for(3, presence=0.05)
    assert not music.is_speech
    assert heard_for(3, peak=0.0).presence is None


def test_the_mouth_is_open_only_where_there_is_a_voice():
    heard = heard_for(4)
    heard.conditions["prosody"].values[0, 60:70, 3] = 0  # a pause of 0.2 s
    heard.conditions["prosody"].values[0, 100:, 3] = 0
    voice = heard.voice_at(np.arange(100) / 25)
    assert (voice[:55] == 1).all()
    assert (voice[60:] == 0).all()
    motion = hushed(ramp(100), voice, np.zeros((100, 62), np.float32))
    assert np.array_equal(motion.channel("jawOpen")[:55], ramp(100).channel("jawOpen")[:55])
    assert not motion.channel("jawOpen")[60:].any()
    surprised = hushed(ramp(100), voice, np.full((100, 62), 0.4, np.float32))
    assert np.array_equal(
        surprised.channel("jawOpen")[60:],
        np.minimum(ramp(100).channel("jawOpen")[60:], np.float32(0.4)),
    )


def test_options_that_cannot_be(tmp_path):
    from affetto.apps.talk_job import Job, parse_size

    plain = {"portrait": tmp_path, "speech": tmp_path, "out": tmp_path}
    for wrong in ({"strength": 2.0}, {"fps": 100.0}, {"size": 64}, {"blink": -1.0}):
        with pytest.raises(BadInput, match="give"):
            Job(**plain, **wrong)
    with pytest.raises(BadInput, match="still"):
        Job(**plain, head="nodding")
    assert parse_size("photo") is None
    assert parse_size("256") == 256
    for word in ("big", "-3", "5.5", ""):
        with pytest.raises(BadInput, match="pixels, or photo"):
            parse_size(word)


def test_the_command_repeats_the_job(tmp_path):
    from affetto.apps.talk_job import Job

    plain = {"portrait": tmp_path / "p.png", "speech": tmp_path / "s.wav", "out": tmp_path}
    job = Job(**plain, emotion="0=calm; 2=sad", size=None, blink=0.0, head="still", text="a b")
    words = job.command()
    for part in ("'0=calm; 2=sad'", "--size photo", "--blink 0", "--head still", "--text 'a b'"):
        assert part in words
    assert "--gaze" not in words
    assert "--fps 29.97002997" in Job(**plain, fps=29.97002997).command()
