"""The command line around the jobs."""

import json
import subprocess
import sys

import pytest

import affetto
from affetto.apps.cli import main
from affetto.apps.doctor import examine, table
from affetto.weights import SHIPPED


def answer(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["affetto", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr()
    return stopped.value.code or 0, shown.out, shown.err


def test_version_and_help(monkeypatch, capsys):
    assert answer(monkeypatch, capsys, "--version")[:2] == (0, f"{affetto.__version__}\n")
    code, out, _ = answer(monkeypatch, capsys, "--help")
    assert code == 0
    assert all(name in out for name in ("soundtrack", "train", "doctor"))


def test_help_needs_no_torch():
    code = (
        "import sys; sys.argv = ['affetto', '--help']\n"
        "from affetto.apps.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'av' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_usage_errors_end_with_two(monkeypatch, capsys):
    assert answer(monkeypatch, capsys, "nothing-like-it")[0] == 2
    assert answer(monkeypatch, capsys, "soundtrack")[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("recognize", "a.wav", "--only", "smell"),
        ("recognize", "a.wav", "--plot", "a.jpg"),
        ("score", "a.wav", "--request", "sad", "--judge", "nose"),
    ],
)
def test_options_with_what_they_never_take_end_with_two(monkeypatch, capsys, words):
    code, _, err = answer(monkeypatch, capsys, *words)
    assert code == 2
    assert err.startswith("affetto: ")
    assert "there is" in err or "none of" in err or "ends in" in err


def test_doctor_names_weights_and_their_terms(monkeypatch, capsys):
    rows = examine()
    assert {f"weights {name}" for name in SHIPPED} <= {row.what for row in rows}
    assert all(row.ok is not False for row in rows)
    assert "(research use)" in table(rows)
    monkeypatch.setattr(sys, "argv", ["affetto", "doctor", "--json"])
    with pytest.raises(SystemExit):
        main()
    assert len(json.loads(capsys.readouterr().out)) == len(rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nope",), "music_chords"),
        (("music_chords", "nonsense"), "key=value"),
        (("music_chords", "epochs=many"), "epochs"),
        (("music_chords", "no_such=1"), "no_such"),
        (("music_dynamics", "data.root=/nowhere"), "/nowhere"),
    ],
)
def test_training_says_what_is_wrong(monkeypatch, capsys, words, said):
    code, _, err = answer(monkeypatch, capsys, "train", *words)
    assert code == 3
    assert said in err
