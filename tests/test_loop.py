"""A loop goes round: its end runs into its start, whole bars, without intro and close."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from affetto.apps.soundtrack import run
from affetto.apps.soundtrack_job import Job, summary
from affetto.apps.verify import verify
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput
from affetto.gen.music.built_in_synth import BuiltInSynth
from affetto.gen.music.loop import folded, seam, write_loop
from affetto.gen.music.loop_bars import EARLY_S, choose_loop, loop_parts
from affetto.media_write import write_clip
from affetto.request import parse_request
from affetto.soundtrack import Note, Part

RATE = 44_100


@pytest.fixture(scope="module")
def steady(piece):
    return piece(40.0, seed=3)


def felt(duration_s):
    return request_to_track(parse_request("calm"), duration_s=duration_s)


def test_folding_adds_what_rings_on_to_the_start():
    sound = np.zeros((2, 25), np.float32)
    sound[:, 2] = 1.0  # on the bar line, after a lead of 2
    sound[:, 1] = 2.0  # an early player
    sound[:, 12] = 3.0  # rings past the end of 10
    sound[:, 24] = 4.0  # and past two of them
    once = folded(sound, 10, 2)
    assert once.shape == (2, 10)
    assert once[0].tolist() == [4.0, 0, 4.0, 0, 0, 0, 0, 0, 0, 2.0]


def test_a_broken_wave_has_a_larger_step_at_the_seam_than_a_whole_one():
    time_s = np.arange(2 * RATE) / RATE
    wave = np.tile(np.sin(2 * np.pi * 110 * time_s), (2, 1)).astype(np.float32)
    whole, broken = seam(wave, [0.5, 1.0], RATE), seam(wave[:, : -RATE // 440], [0.5, 1.0], RATE)
    assert whole.jump <= 1.0 < 10.0 < broken.jump
    assert whole.flux < 1.1 < 2.0 < broken.flux


def test_bars_are_whole_and_leave_out_the_close(steady):
    first, last = choose_loop(steady, felt(40.0), ())
    assert 0 <= first <= last < len(steady.bars) - 1
    assert last - first + 1 >= 4


def test_what_is_held_over_the_bar_lines_begins_and_ends_on_them(steady):
    start_s, end_s = steady.bars[4].start_s, steady.bars[7].end_s
    notes = (
        Note(start_s - 1.0, start_s + 0.5, 60, 80),
        Note(start_s - 0.005, start_s + 0.2, 62, 80),
        Note(end_s - 0.5, end_s + 2.0, 64, 80),
        Note(end_s - 0.005, end_s + 1.0, 65, 80),
    )
    drums = Part("drums", 0, True, (Note(start_s - 1.0, start_s + 0.5, 49, 90),))
    music = replace(steady, parts=(Part("pad", 89, False, notes), drums))
    (pad,) = loop_parts(music, (4, 7))
    length = end_s - start_s
    spans = [(round(n.start_s, 4), round(n.end_s, 4), n.pitch) for n in pad.notes]
    assert spans == [
        (-0.005, 0.2, 62),
        (0.0, 0.5, 60),
        (round(length - 0.5, 4), round(length, 4), 64),
    ]
    assert all(note.start_s >= -EARLY_S for note in pad.notes)


def test_one_bar_is_no_loop(piece):
    with pytest.raises(BadInput, match="too short"):
        choose_loop(piece(2.0), felt(2.0), ())


def test_the_loop_is_what_endless_playing_would_give(steady, tmp_path):
    """The third round of the same bars, played three times, is the loop."""
    bars = (4, 7)
    synth = BuiltInSynth()
    made = write_loop(steady, bars, tmp_path, synth=synth, target_lufs=-20.0)
    loop, _ = soundfile.read(tmp_path / "loop.wav", dtype="float64")
    assert len(loop) == round(made.duration_s * RATE)
    stems = sorted((tmp_path / "loop_stems").glob("*.wav"))
    total = sum(soundfile.read(path, dtype="float64")[0] for path in stems)
    assert np.abs(total - loop).max() < 1e-5
    assert abs(made.integrated_lufs - -20.0) < 0.01
    assert made.seam.jump < 1.0
    length_s = made.duration_s
    rounds = tuple(
        replace(
            part,
            notes=tuple(
                replace(n, start_s=n.start_s + k * length_s, end_s=n.end_s + k * length_s)
                for k in (0, 1, 2)
                for n in part.notes
                if n.start_s + k * length_s >= 0
            ),
        )
        for part in loop_parts(steady, bars)
    )
    from affetto.gen.music.stems import play_parts

    endless = replace(steady, duration_s=3 * length_s, parts=rounds)
    played = play_parts(endless, tmp_path, synth, RATE, None, lambda share: None)
    bus = np.fromfile(played.bus, "<f4").reshape(-1, 2)[len(loop) * 2 : len(loop) * 3]
    body = slice(0, len(loop) - RATE // 10)  # before the fade out of the whole
    gain = (loop[body] * bus[body]).sum() / np.square(bus[body]).sum()
    assert np.abs(loop[body] - gain * bus[body]).max() < 0.02 * np.abs(loop).max()


def test_the_command_writes_a_signed_loop(tmp_path):
    film = tmp_path / "film.mp4"
    write_clip((np.full((90, 120, 3), 90, np.uint8) for _ in range(160)), Fraction(10), film)
    job = Job(video=film, out=tmp_path / "out", emotion="happy", loop=True)
    result = run(job)
    assert "--loop" in job.command()
    assert "loop.wav" in result.files
    assert result.loop is not None
    assert f"bars {result.loop.first_bar}-{result.loop.last_bar}" in summary(result)
    assert soundfile.info(job.out / "loop.wav").frames == round(result.loop.duration_s * RATE)
    assert verify(job.out / "loop.wav").source == "trainedAlgorithmicMedia"
    assert "loop.wav" in (job.out / "report.html").read_text()
