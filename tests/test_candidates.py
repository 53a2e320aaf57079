"""Several pieces for one request: the nearest is played, and it is the one its seed gives."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from affetto.apps.soundtrack import run
from affetto.apps.soundtrack_job import Job, summary
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import UsageError
from affetto.gen.music.candidates import candidates
from affetto.gen.music.midi_reading import read_midi
from affetto.media_write import write_clip
from affetto.recognizers.music.recognizer import load_music_recognizer
from affetto.request import parse_request
from affetto.soundtrack import Note, Part

SECONDS = 24.0


def scale_of(steps, note_s, velocity, root=60):
    """Triads on a scale, one after another."""
    times = np.arange(0.0, SECONDS - note_s, note_s)
    return tuple(
        Note(float(t), float(t + 0.9 * note_s), root + steps[(number + third) % 7], velocity)
        for number, t in enumerate(times)
        for third in (0, 2, 4)
    )


@pytest.fixture(scope="module")
def pieces(piece):
    """Fast, loud and major; slow, soft and minor."""
    bright = scale_of((0, 2, 4, 5, 7, 9, 11), 0.25, 105, root=64)
    dark = scale_of((0, 2, 3, 5, 7, 8, 10), 1.5, 40, root=48)
    blank = piece(SECONDS)
    return {
        seed: replace(blank, parts=(Part("piano", 0, False, notes),))
        for seed, notes in ((3, bright), (4, dark))
    }


@pytest.mark.parametrize(("request_", "best"), [("va(0.7,0.7)", 3), ("va(-0.7,-0.7)", 4)])
def test_the_piece_that_is_heard_as_asked_comes_first(pieces, request_, best):
    wanted = request_to_track(parse_request(request_), duration_s=SECONDS)
    ranked = candidates(pieces.get, (3, 4), wanted, recognizer=load_music_recognizer())
    assert [one.seed for one, _ in ranked] == [best, 7 - best]
    assert ranked[0][1] is pieces[best]
    assert ranked[0][0].distance < ranked[1][0].distance
    assert all(one.concordance is None for one, _ in ranked)


def test_concordance_is_told_where_the_course_moves(pieces):
    wanted = request_to_track(parse_request("0=va(0.7,0.7); 20=va(-0.7,-0.7)"), duration_s=SECONDS)
    ranked = candidates(pieces.get, (3, 4), wanted, recognizer=load_music_recognizer())
    assert all(-1 <= one.concordance <= 1 for one, _ in ranked)


def test_a_number_of_candidates_beyond_reason_is_refused(tmp_path):
    with pytest.raises(UsageError, match="1 to"):
        Job(video=tmp_path / "film.mp4", out=tmp_path / "out", candidates=0)


def test_the_chosen_candidate_is_the_one_that_its_seed_composes(tmp_path):
    film = tmp_path / "film.mp4"
    write_clip((np.full((90, 120, 3), 90, np.uint8) for _ in range(80)), Fraction(10), film)
    job = Job(video=film, out=tmp_path / "both", emotion="happy", seed=6, candidates=2)
    chosen = run(job)
    assert {one.seed for one in chosen.candidates} == {6, 7}
    best, other = chosen.candidates
    assert chosen.seed == best.seed
    assert best.distance <= other.distance
    assert f"seed {other.seed}: {other.distance:.2f}" in summary(chosen)
    again = run(Job(video=film, out=tmp_path / "one", emotion="happy", seed=best.seed))
    hashes = [
        json.loads((folder / "recipe.json").read_text())["content_sha256"]
        for folder in (job.out, tmp_path / "one")
    ]
    assert hashes[0] == hashes[1]
    assert not again.candidates
    spare = read_midi(job.out / "candidates" / f"seed_{other.seed}.mid")
    assert spare.duration_s == pytest.approx(8.0, abs=0.01)


def test_clean_weights_do_without_a_recognizer_of_research_data(tmp_path):
    with pytest.raises(UsageError, match="--candidates needs a recognizer"):
        Job(tmp_path / "film.mp4", tmp_path / "out", weights="clean", candidates=2)
