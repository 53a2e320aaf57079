"""A voice as it speaks: blocks from a pipe, a line a step, the end, and what cannot be."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affetto.apps import recognize_live
from affetto.apps.cli import main
from affetto.apps.recognize_live import LiveStep, line, listen_live, microphone_blocks, pipe_blocks
from affetto.errors import BadInput, UsageError
from affetto.recognizers.speech.recognizer import load_speech, recognize_speech

SPEECH = Path(__file__).parent.parent / "samples" / "mona_lisa_speaks.flac"


class Pipe:
    """What stands where stdin does."""

    def __init__(self, data):
        self.buffer = io.BytesIO(data)

    def isatty(self):
        return False


@pytest.fixture(scope="module")
def speech():
    wav = soundfile.read(SPEECH, dtype="float32")[0][: 4 * 16_000]
    return wav, np.round(wav * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def recognizer():
    return load_speech()


def test_a_pipe_comes_in_blocks_and_ends_with_the_rest(speech):
    wav, raw = speech
    blocks = list(pipe_blocks(io.BytesIO(raw[:-8001])))
    assert [len(block) for block in blocks] == [8000] * 7 + [3999]
    np.testing.assert_allclose(np.concatenate(blocks), wav[:59_999], atol=1e-4)
    assert list(pipe_blocks(io.BytesIO(b"x"))) == []


def test_each_step_is_the_last_window_judged_alone(speech, recognizer):
    wav, _ = speech
    blocks = [wav[start : start + 8000] for start in range(0, len(wav), 8000)]
    steps = list(listen_live(blocks, recognizer=recognizer, window_s=2.0))
    assert [step.time_s for step in steps] == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    alone = recognize_speech(wav[-32_000:], window_s=2.0, hop_s=2.0, recognizer=recognizer)
    assert steps[-1].confidence == pytest.approx(float(alone.confidence[0]), abs=1e-5)
    assert steps[-1].valence == pytest.approx(float(alone.vad[0, 0]), abs=1e-5)
    assert all(step.took_s > 0 for step in steps)


def test_silence_is_nothing_to_judge(recognizer):
    (step,) = listen_live([np.zeros(8000, np.float32)], recognizer=recognizer)
    assert step.confidence < 0.05
    assert "nothing to judge" in line(LiveStep(0.5, None, 0.0, 0.0, 0.0, 0.0, 0.1))


def test_lines_of_json_or_of_words(speech, capsys):
    _, raw = speech
    recognize_live.run(window_s=3.0, as_json=True, stdin=Pipe(raw[:32_000]))
    rows = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [row["time_s"] for row in rows] == [0.5, 1.0]
    assert set(rows[0]) == {
        "time_s", "label", "share", "valence", "arousal", "confidence", "took_s"
    }  # fmt: skip
    recognize_live.run(window_s=3.0, as_json=False, stdin=Pipe(raw[32_000:96_000]))
    assert "valence" in capsys.readouterr().out
    with pytest.raises(BadInput, match="s16le"):
        recognize_live.run(window_s=3.0, as_json=False, stdin=Pipe(b""))


def test_without_the_package_the_microphone_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(UsageError, match="pip install sounddevice"):
        next(microphone_blocks())


def test_media_and_live_do_not_go_together(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["affetto", "recognize", "x.wav", "--live"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "no media" in capsys.readouterr().err


def test_nothing_to_recognize_is_told(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["affetto", "recognize"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "--live" in capsys.readouterr().err
