"""`affetto talk` as a person types it: exit code, one sentence on stderr, nothing half-written."""

import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from affetto.apps.cli import main


@pytest.fixture
def typed(tmp_path, monkeypatch, capsys):
    """Types the words in a folder with umlauts, a wall, a sound; gives exit code and stderr."""
    folder = tmp_path / "größe und raum"
    folder.mkdir()
    Image.new("RGB", (240, 200), (90, 80, 70)).save(folder / "wall ä.png")
    soundfile.write(folder / "speech.wav", np.zeros(8000, np.float32), 16_000)
    monkeypatch.chdir(folder)

    def typed(*words):
        before = sorted(folder.iterdir())
        monkeypatch.setattr(sys, "argv", ["affetto", "talk", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert sorted(folder.iterdir()) == before
        shown = capsys.readouterr()
        assert not shown.out
        return stopped.value.code, shown.err

    return typed


PLAIN = ("wall ä.png", "speech.wav", "--quiet")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((*PLAIN, "--emotion", "hapy"), "did you mean happy"),
        ((*PLAIN, "--emotion", "happy"), "no face"),
        ((*PLAIN, "--motion-in", "nowhere.csv"), "nowhere.csv"),
        ((*PLAIN, "--out", "speech.wav"), "is a file"),
        (("nobody.png", "speech.wav", "--quiet"), "no such file: nobody.png"),
        (("wall ä.png", "nothing.wav", "--quiet"), "no such file: nothing.wav"),
        (("speech.wav", "wall ä.png", "--quiet"), "the portrait comes first"),
        (("wall ä.png", "wall ä.png", "--quiet"), "is a picture, not speech"),
    ],
)
def test_bad_input_is_one_sentence_and_three(typed, words, says):
    code, err = typed(*words)
    assert code == 3
    assert err.startswith("affetto: ")
    assert err.count("\n") == 1
    assert says in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("wall ä.png",),
        (*PLAIN, "--strength", "2"),
        (*PLAIN, "--strength", "much"),
        (*PLAIN, "--fps", "200"),
        (*PLAIN, "--head", "wild"),
        (*PLAIN, "--gaze", "up"),
        (*PLAIN, "--blink", "-1"),
        (*PLAIN, "--seed", "-1"),
        (*PLAIN, "--face", "0"),
        (*PLAIN, "--emotoin", "sad"),
    ],
)
def test_usage_errors_end_with_two(typed, words):
    code, err = typed(*words)
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--size", "big"), "128 to 1536"),
        (("--size", "5"), "128 to 1536"),
        (("--motion-out", "motion.bvh"), ".csv, .json, .npz"),
    ],
)
def test_options_that_only_the_job_can_judge(typed, words, says):
    code, err = typed(*PLAIN, *words)
    assert code in (2, 3)
    assert err.startswith("affetto: ")
    assert says in err
