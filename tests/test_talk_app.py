"""The whole job around stand-ins that look, listen and draw: files, resuming, every bad input."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from affetto.apps import talk_request
from affetto.apps.talk import run
from affetto.apps.talk_job import Job, summary
from affetto.apps.talk_measures import measure
from affetto.apps.verify import verify
from affetto.clip import Clip
from affetto.emotion import LABELS, EmotionTrack
from affetto.errors import BadInput, MediaError, RequestError
from affetto.gen.portrait.pipeline import load_models
from affetto.media_write import write_clip
from affetto.motion import Motion

HERE = Path(__file__).parent
LONG = {"speech": "speech.wav", "emotion": "0=happy; 3=sad", "size": 160, "seed": 4}


@pytest.fixture(scope="module")
def talking():
    spec = importlib.util.spec_from_file_location("talking", HERE / "talking.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, talking):
    talking.stand_in(monkeypatch.setattr, nets=False)


def voice(duration_s, rate=16_000, channels=1):
    time_s = np.arange(round(duration_s * rate)) / rate
    wave = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 12))
    wave = 0.1 * wave * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * time_s))
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 255, (20, 20, 3)), np.ones((12, 12, 1))).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photo.png")
    soundfile.write(folder / "speech.wav", voice(4.2), 16_000)
    soundfile.write(folder / "short.wav", voice(1.0), 16_000)
    return folder


def job(place, out, **options):
    if "speech" in options:
        options["speech"] = place / options["speech"]
    plain = {"speech": place / "short.wav", "emotion": "happy", "size": 128}
    return Job(**({"portrait": place / "photo.png", "out": out} | plain | options))


@pytest.fixture(scope="module")
def made(place, talking):
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


def test_the_film_says_what_it_is(made, place, tmp_path):
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
    made, place, tmp_path, monkeypatch, talking
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
def test_killed_in_any_window_it_goes_on_to_the_same_film(made, place, tmp_path):
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


def test_same_seed_same_bytes_other_seed_other_film(place, tmp_path, talking):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(job(place, tmp_path / name, seed=seed))
    one, same, other = (talking.unsigned(tmp_path / name / "talk.mp4") for name in "abc")
    assert one == same
    assert content(tmp_path / "a") == content(tmp_path / "b") != content(tmp_path / "c")
    assert one != other


@pytest.mark.parametrize("kind", ["csv", "json", "npz"])
def test_motion_goes_out_and_in_to_the_same_film(place, tmp_path, kind):
    file = tmp_path / f"motion.{kind}"
    run(job(place, tmp_path / "a", motion_out=file))
    result = run(job(place, tmp_path / "b", motion_in=file))
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert "--motion-in" in result.command
    assert any("no say" in notice for notice in result.notices)


def test_edited_motion_is_played(place, tmp_path):
    edited = tmp_path / "mine.csv"
    edited.write_text("time_s,jawOpen\n0,0\n0.04,1\n")
    run(job(place, tmp_path / "out", motion_in=edited, label=False, provenance=False))
    frames = [frame for _, frame in Clip.open(tmp_path / "out" / "talk.mp4").frames()]
    assert len(frames) == 25
    assert frames[-1][-10:].mean() > 240  # the last row is held
    assert frames[0][-10:].mean() < 200


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 30), (12.5, 12), (23.976, 24)])
def test_other_rates(place, tmp_path, fps, frames):
    result = run(job(place, tmp_path / "out", fps=fps))
    film = Clip.open(tmp_path / "out" / "talk.mp4")
    assert result.num_frames == frames == len(list(film.frames()))
    assert float(film.fps) == pytest.approx(fps, rel=1e-3)


def test_the_whole_photo(place, tmp_path):
    result = run(job(place, tmp_path / "out", size=None))
    assert (result.width, result.height) == (160, 160)
    assert "--size photo" in result.command


@pytest.mark.parametrize(
    ("rate", "channels", "gain"), [(8000, 1, 1), (48_000, 8, 1), (44_100, 2, 50)]
)
def test_telephone_surround_and_clipped_sound(place, tmp_path, rate, channels, gain):
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, np.clip(gain * voice(1.0, rate, channels), -1, 1), rate)
    result = run(job(place, tmp_path / "out", speech=speech))
    film = Clip.open(tmp_path / "out" / "talk.mp4")
    assert film.has_audio
    assert result.duration_s == pytest.approx(1.0, abs=0.05)


def test_a_film_may_bring_the_speech(place, tmp_path):
    film = tmp_path / "film.mp4"
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 20
    write_clip(frames, Fraction(20), film, wav=voice(1.0).T, sample_rate=16_000)
    result = run(job(place, tmp_path / "out", speech=film))
    assert result.duration_s == pytest.approx(1.0, abs=0.05)


def test_silence_and_a_blink_of_sound(place, tmp_path):
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, np.zeros(16_000), 16_000)
    result = run(job(place, tmp_path / "out", speech=speech))
    assert any("nothing to hear" in notice for notice in result.notices)
    soundfile.write(speech, voice(0.01), 16_000)
    assert run(job(place, tmp_path / "tiny", speech=speech)).num_frames == 1


def test_music_gets_a_notice(place, tmp_path, monkeypatch, talking):
    def hear_music(wav, *, text=None, clean=False):
        heard = talking.hear(wav)
        heard.conditions["prosody"].values[0, :, 3] = 0.05
        return heard

    monkeypatch.setattr("affetto.apps.talk.Hearing", hear_music)
    result = run(job(place, tmp_path / "out"))
    assert any("hardly speech" in notice for notice in result.notices)


def test_a_timeline_longer_than_the_speech_is_cut(place, tmp_path):
    result = run(job(place, tmp_path / "out", emotion="0=happy; 0.5=sad; 9=angry; 12=calm"))
    (said,) = [notice for notice in result.notices if "timeline" in notice]
    assert "12 s" in said
    assert "2 of its keyframes" in said
    track = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert track.times[-1] <= 1.0 + 1e-6


def test_unknown_weights(place, tmp_path):
    with pytest.raises(BadInput, match="no weights"):
        load_models("none")


def test_the_film_is_looked_at_again(place, tmp_path, monkeypatch):
    """With a real face: a still photo keeps its identity, shows lips and hardly moves."""
    monkeypatch.setattr("affetto.apps.talk.measure", measure)
    face = HERE.parent / "samples" / "mona_lisa.jpg"
    result = run(job(place, tmp_path / "out", portrait=face, size=256))
    assert result.seen in LABELS
    assert result.identity_distance is None or result.identity_distance < 0.5
    text = (tmp_path / "out" / "report.html").read_text()
    assert text.count('src="data:image/jpeg') == 12
    assert "seen in the film" in text
    assert "lips apart, seen" in text


def test_auto_is_what_the_voice_sounds_like(place, tmp_path, monkeypatch):
    monkeypatch.setattr("affetto.apps.talk.load_models", load_models)
    result = run(job(place, tmp_path / "out", emotion="auto", strength=0.5))
    track = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert track.kind == "requested"
    assert np.isfinite(track.vad).all()
    assert result.asked


def test_like_and_free_text(place, tmp_path):
    track = EmotionTrack.load(_saved(place, tmp_path))
    run(job(place, tmp_path / "out", emotion=f"like:{tmp_path / 'track.json'}"))
    shown = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert np.allclose(shown.probs, track.at(shown.times).probs, atol=1e-5)
    run(job(place, tmp_path / "text", emotion="deeply sad and hopeless"))
    shown = EmotionTrack.load(tmp_path / "text" / "emotion.json")
    assert shown.vad[:, 0].mean() < -0.2


def _saved(place, folder):
    run(job(place, folder / "first", emotion="0=sad; 1=happy"))
    path = folder / "track.json"
    path.write_bytes((folder / "first" / "emotion.json").read_bytes())
    return path


@pytest.mark.parametrize("kind", ["gif", "cmyk", "deep", "grey", "clear"])
def test_pictures_of_every_kind(place, tmp_path, kind):
    photo = Image.open(place / "photo.png")
    path = tmp_path / f"photo.{'gif' if kind == 'gif' else 'jpg' if kind == 'cmyk' else 'png'}"
    if kind == "gif":
        turned = photo.rotate(90)
        photo.save(path, save_all=True, append_images=[turned, photo], duration=50)
    elif kind == "cmyk":
        photo.convert("CMYK").save(path)
    elif kind == "deep":
        Image.fromarray(np.full((160, 160), 40_000, np.uint16)).save(path)
    else:
        photo.convert("L" if kind == "grey" else "RGBA").save(path)
    assert run(job(place, tmp_path / "out", portrait=path)).num_frames == 25


def _nothing_left(folder, before):
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"portrait": "none.png"}, MediaError, "no such file"),
        ({"portrait": "short.wav"}, MediaError, "picture"),
        ({"speech": "none.wav"}, MediaError, "no such file"),
        ({"speech": "photo.png"}, MediaError, "photo.png"),
        ({"speech": "mute.mp4"}, MediaError, "no sound"),
        ({"emotion": "hapy"}, RequestError, "happy"),
        ({"emotion": "like:none.wav"}, BadInput, "none.wav"),
        ({"motion_in": "none.csv"}, BadInput, "none.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(place, tmp_path, options, error, says):
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 5
    write_clip(frames, Fraction(5), place / "mute.mp4")
    given = {name: value if name == "emotion" else place / value for name, value in options.items()}
    with pytest.raises(error, match=says):
        run(job(place, tmp_path / "out", **given))
    _nothing_left(tmp_path, [])


def test_motion_out_of_another_kind_is_refused_at_once(place, tmp_path):
    with pytest.raises(BadInput, match=r"\.csv, \.json, \.npz"):
        job(place, tmp_path / "out", motion_out=tmp_path / "motion.bvh")


def test_no_face_leaves_nothing(place, tmp_path, monkeypatch):
    def nobody(picture, *, face_number=None, face_net=None):
        raise BadInput("no face was found")

    monkeypatch.setattr("affetto.apps.talk.analyse", nobody)
    with pytest.raises(BadInput, match="no face"):
        run(job(place, tmp_path / "out"))
    _nothing_left(tmp_path, [])


def test_a_speech_of_hours_is_refused(place, tmp_path, monkeypatch):
    monkeypatch.setattr(talk_request, "LONGEST_S", 3.0)
    with pytest.raises(MediaError, match="allowed are 3 s"):
        run(job(place, tmp_path / "out", speech=place / "speech.wav"))


def test_out_that_is_a_file(place, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BadInput, match="is a file"):
        run(job(place, tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"


def test_results_join_what_is_in_the_folder(place, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    run(job(place, tmp_path / "out"))
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert (tmp_path / "out" / "talk.mp4").exists()


def test_the_summary_names_the_files(place, tmp_path):
    result = run(job(place, tmp_path / "out"))
    text = summary(result)
    for name in result.files:
        assert name in text
    assert "went on" not in text
    assert "went on after" in summary(replace(result, continued=2))
