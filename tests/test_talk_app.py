"""The whole job around stand-ins that look, listen and draw: files, resuming, the same again."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affetto.apps.talk import run
from affetto.apps.talk_film import Told
from affetto.apps.talk_job import summary
from affetto.apps.verify import verify
from affetto.clip import Clip
from affetto.emotion import EmotionTrack
from affetto.motion import Motion

HERE = Path(__file__).parent
LONG = {"speech": "speech.wav", "emotion": "0=happy; 3=sad", "size": 160, "seed": 4}


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, talking):
    talking.stand_in(monkeypatch.setattr, nets=False)


@pytest.fixture(scope="module")
def place(talking, tmp_path_factory):
    return talking.write_place(tmp_path_factory.mktemp("talk"))


@pytest.fixture(scope="module")
def job(talking):
    return talking.job


@pytest.fixture(scope="module")
def made(place, talking, job):
    """A whole job."""
    out = place / "made"
    with pytest.MonkeyPatch.context() as monkeypatch:
        talking.stand_in(monkeypatch.setattr, nets=False)
        run(job(place, out, **LONG))
    return out


def content(folder):
    return json.loads((folder / "recipe.json").read_text())["content_sha256"]


def test_every_file_is_there(made):
    found = {path.name for path in made.iterdir()}
    assert found == {
        "report.html",
        "talk.mp4",
        "motion.csv",
        "emotion.json",
        "seen_emotion.json",
        "recipe.json",
    }
    assert not made.with_name("made.unfinished").exists()
    assert not [path for path in made.parent.iterdir() if path.name.startswith(".")]


def test_the_film_has_the_speechs_length_and_sound(made, place):
    film = Clip.open(made / "talk.mp4")
    assert (film.width, film.height, film.fps) == (160, 160, 25)
    assert film.duration_s == pytest.approx(4.2, abs=1e-3)
    assert film.has_audio
    sound = np.concatenate(list(film.audio_blocks(sample_rate=16_000, channels=1)), axis=1)[0]
    asked = soundfile.read(place / "speech.wav")[0]
    lag = np.argmax(np.correlate(sound[8000:24_000], asked[9000:20_000], "valid")) - 1000
    assert abs(lag) < 16  # 1 ms
    assert len(list(film.frames())) == 105


def test_the_film_says_what_it_is(made, place, tmp_path, job):
    verdict = verify(made / "talk.mp4")
    assert (verdict.state, verdict.signed_here) == ("intact", True)
    assert {finding.kind: finding.good for finding in verdict.findings} == {
        "signature": True,
        "mark": True,
        "recipe": True,
    }
    plain = run(job(place, tmp_path / "a", label=False, provenance=False))
    labelled = run(job(place, tmp_path / "b", provenance=False))
    assert verify(tmp_path / "a" / "talk.mp4").state == "nothing"
    assert "--no-label --no-provenance" in plain.command
    assert [said for said in plain.notices if "--no-label" in said]
    recipe = json.loads((tmp_path / "a" / "recipe.json").read_text())
    assert not recipe["config"]["label"]
    assert not recipe["config"]["provenance"]
    assert [said for said in recipe["scores"]["notices"] if "--no-provenance" in said]
    assert "--no-label" not in labelled.command
    (one, other) = (
        np.stack([picture for _, picture in Clip.open(tmp_path / name / "talk.mp4").frames()])
        for name in "ab"
    )
    differs = np.abs(one.astype(int) - other).mean(axis=(0, 3)) > 15
    rows, columns = np.nonzero(differs)
    assert rows.min() > 100  # of 128
    assert columns.min() > 50
    assert differs.sum() > 200


@pytest.mark.parametrize(("left", "size", "on_left"), [(0, None, False), (200, None, True),
                                                       (200, 128, False)])  # fmt: skip
def test_the_label_stands_away_from_the_face(
    place, tmp_path, job, talking, monkeypatch, left, size, on_left
):
    """Of a whole photo; in a square cut the face is in the middle."""
    told = []

    def noted(**options):
        told.append(options["on_left"])
        return Told(**options)

    monkeypatch.setattr(talking.Face, "box", (left, 0, 20))
    monkeypatch.setattr("affetto.apps.talk.Told", noted)
    run(job(place, tmp_path / "out", size=size))
    assert told == [on_left]


def test_motion_and_emotion_are_what_was_shown(made):
    motion = Motion.load(made / "motion.csv")
    assert motion.fps == 25
    assert len(motion.values) == 105
    track = EmotionTrack.load(made / "emotion.json")
    jaw = motion.channel("jawOpen")
    assert np.allclose(jaw, track.at(np.arange(105) / 25).probs[:, 1], atol=2e-5)
    assert jaw[0] == 1
    assert jaw[-1] == 0


def test_the_recipe_says_how(made):
    recipe = json.loads((made / "recipe.json").read_text())
    assert recipe["job"] == "talk"
    assert recipe["seed"] == 4
    assert [one["name"] for one in recipe["inputs"]] == ["photo.png", "speech.wav"]
    assert str(made.parent) not in (made / "recipe.json").read_text()
    assert recipe["scores"]["num_frames"] == 105


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.links, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "path", "rect", "circle", "use", "line", "br", "link"):
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href") and not value.startswith(("data:", "#")):
                self.links.append(value)

    def handle_endtag(self, tag):
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data):
        self.text.append(data)


def test_the_report_stands_alone_and_links_only_beside_itself(made):
    text = (made / "report.html").read_text()
    page = _Page()
    page.feed(text)
    assert not page.open
    assert "<script" not in text
    for link in page.links:
        assert link.startswith("./")
        assert (made / link).exists()
    words = " ".join(page.text)
    for said in (
        "AI-generated",
        "Emotion",
        "Mouth",
        "Head",
        "consent",
        "0=happy; 3=sad",
    ):
        assert said in words
    assert text.count('src="data:image/jpeg') == 3


def test_interrupted_in_any_window_it_goes_on_to_the_same_film(
    made, place, tmp_path, monkeypatch, talking, job
):
    """Stopped while each of the segments is drawn; what comes out is equal, nothing is left."""
    draw = talking.Painter.frame
    for number, stop_at in enumerate((3, 40, 95)):
        drawn = iter(range(10_000))

        def frame(self, row, drawn=drawn, stop_at=stop_at):
            if next(drawn) == stop_at:
                raise KeyboardInterrupt
            return draw(self, row)

        monkeypatch.setattr(talking.Painter, "frame", frame)
        with pytest.raises(KeyboardInterrupt):
            run(job(place, tmp_path / f"out{number}", **LONG))
        work = tmp_path / f"out{number}.unfinished"
        assert work.exists() == (number > 0)  # before the first segment nothing is worth keeping
        if work.exists():
            (work / ".segment_00009-half.mp4").write_bytes(b"half")
        monkeypatch.setattr(talking.Painter, "frame", draw)
        result = run(job(place, tmp_path / f"out{number}", **LONG))
        assert result.continued == number
        assert content(tmp_path / f"out{number}") == content(made)
        again = tmp_path / f"out{number}"
        assert talking.unsigned(again / "talk.mp4") == talking.unsigned(made / "talk.mp4")
        for name in ("motion.csv", "emotion.json"):
            assert (again / name).read_bytes() == (made / name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {f"out{k}" for k in range(3)}


@pytest.mark.slow
def test_killed_in_any_window_it_goes_on_to_the_same_film(made, place, tmp_path, talking):
    """SIGKILL while segment k is made, for several k; what comes out is equal, nothing is left."""
    out = tmp_path / "out"
    work = tmp_path / "out.unfinished"
    words = [sys.executable, HERE / "talking.py", out, place / "photo.png", place / "speech.wav"]
    for segments in (1, 2, 3):
        process = subprocess.Popen([*words, "slowly"])
        deadline = time.monotonic() + 100
        while len(list(work.glob("segment_*.mp4"))) < segments and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not out.exists()
        assert len(list(work.glob("segment_*.mp4"))) == segments
    done = subprocess.run(words, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert content(out) == content(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert {path.name for path in out.iterdir()} == {path.name for path in made.iterdir()}
    for name in ("motion.csv", "emotion.json"):
        assert (out / name).read_bytes() == (made / name).read_bytes()
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["scores"]["continued"] == 3


def test_same_seed_same_bytes_other_seed_other_film(place, tmp_path, talking, job):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(job(place, tmp_path / name, seed=seed))
    one, same, other = (talking.unsigned(tmp_path / name / "talk.mp4") for name in "abc")
    assert one == same
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")
    assert one != other


def test_music_of_the_same_emotion_lies_under_the_voice(place, tmp_path, job):
    results = [run(job(place, tmp_path / name, music=True)) for name in "ab"]
    assert content(tmp_path / "a") == content(tmp_path / "b")
    result, folder = results[0], tmp_path / "a"
    assert "--music" in result.command
    assert result.music.integrated_lufs == pytest.approx(-16, abs=0.2)
    there = {"music/mix.wav", "music/music.mid", "music/chords.txt"}
    stems = [name for name in result.files if name.startswith("music/stems/")]
    assert there < set(result.files)
    assert len(stems) > 1
    film = Clip.open(folder / "talk.mp4")
    for name in ("music/mix.wav", *stems):
        sound, rate = soundfile.read(folder / name)
        assert len(sound) == round(film.duration_s * rate)
        assert verify(folder / name).state == "intact"
    assert verify(folder / "talk.mp4").state == "intact"
    heard = np.concatenate(list(film.audio_blocks(sample_rate=44_100)), axis=1)
    mix = soundfile.read(folder / "music/mix.wav")[0].T[:, : heard.shape[1]]
    assert np.corrcoef(heard[0, 2000:], mix[0, 2000 : heard.shape[1]])[0, 1] > 0.95
    weights = {one["name"] for one in json.loads((folder / "recipe.json").read_text())["weights"]}
    assert "music_chords" in weights
    page = (folder / "report.html").read_text()
    assert "music/stems/" in page
    assert "lower under it" in summary(result)
    without = run(job(place, tmp_path / "c"))
    assert without.music is None
    assert content(tmp_path / "c") != content(folder)


@pytest.mark.parametrize("kind", ["csv", "json", "npz"])
def test_motion_goes_out_and_in_to_the_same_film(place, tmp_path, kind, job):
    file = tmp_path / f"motion.{kind}"
    run(job(place, tmp_path / "a", motion_out=file))
    result = run(job(place, tmp_path / "b", motion_in=file))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert "--motion-in" in result.command
    assert any("no say" in notice for notice in result.notices)


def test_edited_motion_is_played(place, tmp_path, job):
    edited = tmp_path / "mine.csv"
    edited.write_text("time_s,jawOpen\n0,0\n0.04,1\n")
    run(job(place, tmp_path / "out", motion_in=edited, label=False, provenance=False))
    frames = [frame for _, frame in Clip.open(tmp_path / "out" / "talk.mp4").frames()]
    assert len(frames) == 25
    assert frames[-1][-10:].mean() > 240  # the last row is held
    assert frames[0][-10:].mean() < 200


def test_results_join_what_is_in_the_folder(place, tmp_path, job):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    run(job(place, tmp_path / "out"))
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "out" / "talk.mp4").exists()


def test_the_summary_names_the_files(place, tmp_path, job):
    result = run(job(place, tmp_path / "out"))
    text = summary(result)
    for name in result.files:
        assert name in text
    assert "went on" not in text
    assert "went on after" in summary(replace(result, continued=2))
