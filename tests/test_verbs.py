"""Jobs by name, from plain values."""

from pathlib import Path

import pytest

from affetto.apps.verbs import VERBS, job_of, perform
from affetto.errors import BadInput, MediaError, UsageError

TALK = {"portrait": "a.png", "speech": "b.wav", "out": "c"}


def test_plain_values_become_a_job():
    job = job_of("talk", TALK | {"emotion": "0=calm; 2=happy", "size": None, "fps": 30})
    assert job.portrait == Path("a.png")
    assert job.size is None
    assert job.fps == 30.0
    assert job_of("recognize", {"media": "a.wav", "only": ["voice"]}).media == (Path("a.wav"),)


@pytest.mark.parametrize(
    ("verb", "options", "said"),
    [
        ("sing", {}, "talk, soundtrack, recognize, score"),
        ("talk", TALK | {"lipstick": 1}, "knows no lipstick: it takes portrait, speech"),
        ("talk", {"portrait": "a.png"}, "talk: speech: "),
        ("talk", TALK | {"fps": "fast"}, "talk: fps: .* got 'fast'"),
        ("talk", TALK | {"head": "nodding"}, "talk: head: .*'lively', got 'nodding'"),
        ("recognize", {"media": 3}, "recognize: media: "),
    ],
)
def test_wrong_options_are_named(verb, options, said):
    with pytest.raises(UsageError, match=said):
        job_of(verb, options)


def test_limits_are_the_jobs_own():
    with pytest.raises(BadInput, match="--fps 200: give 5 to 60"):
        job_of("talk", TALK | {"fps": 200})


def test_a_job_is_done_and_done_again(tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("Nobody came to say goodbye.")
    first, again = (perform("recognize", {"media": str(note)}) for _ in range(2))
    assert first["files"][0]["rows"] == again["files"][0]["rows"]


@pytest.mark.parametrize("verb", VERBS)
def test_missing_files_are_named(verb, tmp_path):
    missing = str(tmp_path / "missing.mp4")
    options = {
        "talk": {"portrait": missing, "speech": missing, "out": str(tmp_path / "out")},
        "soundtrack": {"video": missing, "out": str(tmp_path / "out")},
        "recognize": {"media": missing},
        "score": {"media": missing, "request": "happy"},
    }[verb]
    with pytest.raises(MediaError, match=r"missing\.mp4"):
        perform(verb, options)
