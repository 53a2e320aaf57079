"""What a whole talk job may be given, around stand-ins, and what it refuses."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from affetto.apps import talk_request
from affetto.apps.talk import run
from affetto.apps.talk_measures import measure
from affetto.clip import Clip
from affetto.emotion import LABELS, EmotionTrack
from affetto.errors import BadInput, MediaError, RequestError
from affetto.gen.portrait.pipeline import load_models
from affetto.media_write import write_clip

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, talking):
    talking.stand_in(monkeypatch.setattr, nets=False)


@pytest.fixture(scope="module")
def place(talking, tmp_path_factory):
    return talking.write_place(tmp_path_factory.mktemp("talk"))


@pytest.fixture(scope="module")
def job(talking):
    return talking.job


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 30), (12.5, 12), (23.976, 24)])
def test_other_rates(place, tmp_path, fps, frames, job):
    result = run(job(place, tmp_path / "out", fps=fps))
    film = Clip.open(tmp_path / "out" / "talk.mp4")
    assert result.num_frames == frames == len(list(film.frames()))
    assert float(film.fps) == pytest.approx(fps, rel=1e-3)


def test_the_whole_photo(place, tmp_path, job):
    result = run(job(place, tmp_path / "out", size=None))
    assert (result.width, result.height) == (160, 160)
    assert "--size photo" in result.command


@pytest.mark.parametrize(
    ("rate", "channels", "gain"), [(8000, 1, 1), (48_000, 8, 1), (44_100, 2, 50)]
)
def test_telephone_surround_and_clipped_sound(place, tmp_path, rate, channels, gain, job, talking):
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, np.clip(gain * talking.voice(1.0, rate, channels), -1, 1), rate)
    result = run(job(place, tmp_path / "out", speech=speech))
    film = Clip.open(tmp_path / "out" / "talk.mp4")
    assert film.has_audio
    assert result.duration_s == pytest.approx(1.0, abs=0.05)


def test_a_film_may_bring_the_speech(place, tmp_path, job, talking):
    film = tmp_path / "film.mp4"
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 20
    write_clip(frames, Fraction(20), film, wav=talking.voice(1.0).T, sample_rate=16_000)
    result = run(job(place, tmp_path / "out", speech=film))
    assert result.duration_s == pytest.approx(1.0, abs=0.05)


def test_silence_and_a_blink_of_sound(place, tmp_path, job, talking):
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, np.zeros(16_000), 16_000)
    result = run(job(place, tmp_path / "out", speech=speech))
    assert any("nothing to hear" in notice for notice in result.notices)
    soundfile.write(speech, talking.voice(0.01), 16_000)
    assert run(job(place, tmp_path / "tiny", speech=speech)).num_frames == 1


def test_music_gets_a_notice(place, tmp_path, monkeypatch, talking, job):
    def hear_music(wav, *, text=None, clean=False):
        heard = talking.hear(wav)
        heard.conditions["prosody"].values[0, :, 3] = 0.05
        return heard

    monkeypatch.setattr("affetto.apps.talk.Hearing", hear_music)
    result = run(job(place, tmp_path / "out"))
    assert any("hardly speech" in notice for notice in result.notices)


def test_a_timeline_longer_than_the_speech_is_cut(place, tmp_path, job):
    result = run(job(place, tmp_path / "out", emotion="0=happy; 0.5=sad; 9=angry; 12=calm"))
    (said,) = [notice for notice in result.notices if "timeline" in notice]
    assert "12 s" in said
    assert "2 of its keyframes" in said
    track = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert track.times[-1] <= 1.0 + 1e-6


def test_unknown_weights(place, tmp_path):
    with pytest.raises(BadInput, match="no weights"):
        load_models("none")


def test_the_film_is_looked_at_again(place, tmp_path, monkeypatch, job):
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


def test_auto_is_what_the_voice_sounds_like(place, tmp_path, monkeypatch, job):
    monkeypatch.setattr("affetto.apps.talk.load_models", load_models)
    result = run(job(place, tmp_path / "out", emotion="auto", strength=0.5))
    track = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert track.kind == "requested"
    assert np.isfinite(track.vad).all()
    assert result.asked


def test_like_and_free_text(place, tmp_path, job):
    track = EmotionTrack.load(_saved(place, tmp_path, job))
    run(job(place, tmp_path / "out", emotion=f"like:{tmp_path / 'track.json'}"))
    shown = EmotionTrack.load(tmp_path / "out" / "emotion.json")
    assert np.allclose(shown.probs, track.at(shown.times).probs, atol=1e-5)
    run(job(place, tmp_path / "text", emotion="deeply sad and hopeless"))
    shown = EmotionTrack.load(tmp_path / "text" / "emotion.json")
    assert shown.vad[:, 0].mean() < -0.2


def _saved(place, folder, job):
    run(job(place, folder / "first", emotion="0=sad; 1=happy"))
    path = folder / "track.json"
    path.write_bytes((folder / "first" / "emotion.json").read_bytes())
    return path


@pytest.mark.parametrize("kind", ["gif", "cmyk", "deep", "grey", "clear"])
def test_pictures_of_every_kind(place, tmp_path, kind, job):
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
def test_bad_input_is_one_sentence_and_leaves_nothing(place, tmp_path, options, error, says, job):
    frames = [np.full((64, 64, 3), 90, np.uint8)] * 5
    write_clip(frames, Fraction(5), place / "mute.mp4")
    given = {name: value if name == "emotion" else place / value for name, value in options.items()}
    with pytest.raises(error, match=says):
        run(job(place, tmp_path / "out", **given))
    _nothing_left(tmp_path, [])


def test_motion_out_of_another_kind_is_refused_at_once(place, tmp_path, job):
    with pytest.raises(BadInput, match=r"\.csv, \.json, \.npz"):
        job(place, tmp_path / "out", motion_out=tmp_path / "motion.bvh")


def test_no_face_leaves_nothing(place, tmp_path, monkeypatch, job):
    def nobody(picture, *, face_number=None, face_net=None):
        raise BadInput("no face was found")

    monkeypatch.setattr("affetto.apps.talk.analyse", nobody)
    with pytest.raises(BadInput, match="no face"):
        run(job(place, tmp_path / "out"))
    _nothing_left(tmp_path, [])


def test_a_speech_of_hours_is_refused(place, tmp_path, monkeypatch, job):
    monkeypatch.setattr(talk_request, "LONGEST_S", 3.0)
    with pytest.raises(MediaError, match="allowed are 3 s"):
        run(job(place, tmp_path / "out", speech=place / "speech.wav"))


def test_out_that_is_a_file(place, tmp_path, job):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BadInput, match="is a file"):
        run(job(place, tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "mine"
