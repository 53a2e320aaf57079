"""Requests that need a recognizer: saved tracks, other media, free text."""

import numpy as np
import pytest

from affetto.apps.resolve import resolve
from affetto.apps.soundtrack_files import SAYS_LITTLE
from affetto.emotion import LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import EngineError, RequestError
from affetto.request import parse_request

DURATION_S = 20.0


def asked(text):
    return request_to_track(parse_request(text), duration_s=DURATION_S)


def wanted(text):
    request = parse_request(text)
    return request_to_track(
        request, duration_s=DURATION_S, resolved=resolve(request, duration_s=DURATION_S)
    )


def test_what_the_bank_understands_needs_nothing():
    for text in ("happy", "va(-0.4,0.7)", "0=calm; 3=sad", "auto"):
        assert resolve(parse_request(text), duration_s=DURATION_S) is None


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_a_saved_track_comes_back(tmp_path, suffix):
    track = asked("0=sad; 20=happy")
    track.save(tmp_path / f"like{suffix}")
    again = wanted(f"like:{tmp_path / f'like{suffix}'}")
    assert again.kind == "requested"
    np.testing.assert_allclose(again.vad, track.vad, atol=1e-6)


def test_a_shorter_track_is_held_to_the_end(tmp_path):
    track = request_to_track(parse_request("0=sad; 5=happy"), duration_s=5.0)
    track.save(tmp_path / "short.json")
    longer = wanted(f"like:{tmp_path / 'short.json'}")
    assert longer.times[-1] == DURATION_S
    np.testing.assert_allclose(longer.vad[-1], track.vad[-1], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("curve.csv", "time,valence,arousal\n0,0.1,0.2\n", "without like:"),
        ("junk.json", "{", "no saved emotion track"),
        ("empty.json", "", "no saved emotion track"),
    ],
)
def test_files_that_are_no_track_say_what_to_do(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(RequestError, match=said):
        wanted(f"like:{tmp_path / name}")


def test_a_file_that_is_not_there():
    for name in ("nowhere.json", "nowhere.mp4", "nowhere.jpg", "nowhere.txt", "nowhere"):
        with pytest.raises(EngineError, match="nowhere"):
            resolve(parse_request(f"like:{name}"), duration_s=DURATION_S)


def test_free_text_becomes_a_course():
    track = wanted("bitter-sweet, hopeful at the end")
    assert track.kind == "requested"
    assert track.times[-1] == DURATION_S
    assert track.vad[-1, 0] > track.vad[0, 0]


def test_no_words_are_refused_and_unknown_ones_say_little():
    with pytest.raises(RequestError, match="no words"):
        wanted("12 34")
    unknown = wanted("blorf gnarp qwrtz")
    assert np.abs(unknown.vad).max() < 0.4
    assert unknown.confidence.max() < SAYS_LITTLE + 0.05


def test_a_text_file_can_be_followed(tmp_path):
    (tmp_path / "letter.txt").write_text("I am so happy today! What a wonderful surprise.")
    track = wanted(f"like:{tmp_path / 'letter.txt'}")
    assert track.vad[:, 0].mean() > 0
    assert track.probs[:, LABELS.index("sad")].max() < 0.5


def test_an_empty_text_file_says_so(tmp_path):
    (tmp_path / "empty.txt").write_text("...\n")
    with pytest.raises(RequestError, match="like:"):
        wanted(f"like:{tmp_path / 'empty.txt'}")
