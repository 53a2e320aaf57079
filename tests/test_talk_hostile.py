"""What strangers give `affetto talk`: each ends in a sentence they can act on, or in a film.

Nothing is replaced by a stand-in here: real nets look and listen, on tiny inputs.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from affetto.apps.talk import run
from affetto.apps.talk_job import Job
from affetto.clip import Clip
from affetto.errors import BadInput, EngineError, MediaError, RequestError, ResourceError
from affetto.gen.portrait.hearing import listen
from affetto.gen.portrait.motion.expressions import RECIPES
from affetto.gen.portrait.pipeline import TalkOptions, finished, frames_of, load_models, talk
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.unfinished import unfinished_work
from affetto.motion import Motion
from affetto.recognizers.face.picture import read_picture

RATE = 16_000


def voice(duration_s, rate=RATE):
    """A buzz that comes and goes in syllables, (S,) float32."""
    time_s = np.arange(round(duration_s * rate)) / rate
    wave = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 12))
    return (0.1 * wave * (0.5 - 0.5 * np.cos(2 * np.pi * 3 * time_s))).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    grey = np.full((200, 240, 3), 128, np.uint8)
    Image.fromarray(grey).save(folder / "wall.png")
    Image.fromarray(grey[:40, :40]).save(folder / "tiny.png")
    Image.fromarray(grey).convert("CMYK").save(folder / "wall.jpg")
    (folder / "cut.jpg").write_bytes((folder / "wall.jpg").read_bytes()[:700])
    (folder / "empty.png").touch()
    (folder / "words.png").write_text("hello")
    (folder / "empty.wav").touch()
    (folder / "words.wav").write_text("hello")
    Image.new("1", (12_000, 12_000)).save(folder / "huge.png", compress_level=1)
    Image.fromarray(cartoon()).save(folder / "cartoon.png")
    soundfile.write(folder / "speech.wav", voice(0.6), RATE)
    soundfile.write(folder / "nothing.wav", np.zeros(0, np.float32), RATE)
    with soundfile.SoundFile(folder / "hours.flac", "w", 8000, 1) as long:
        for _ in range(180):
            long.write(np.zeros(8000 * 60, np.int16))
    return folder


def cartoon():
    """Three flat shapes that are no face to a net, though a child would call them one."""
    rows, columns = np.mgrid[:256, :256]
    drawn = np.full((256, 256, 3), 255, np.uint8)
    drawn[np.hypot(rows - 128, columns - 128) < 90] = (0, 200, 255)
    for column in (100, 156):
        drawn[np.hypot(rows - 110, columns - column) < 8] = 0
    drawn[(np.abs(rows - 160) < 4) & (np.abs(columns - 128) < 40)] = 0
    return drawn


def job(place, **options):
    plain = {
        "portrait": place / "wall.png",
        "speech": place / "speech.wav",
        "out": place / "out",
        "emotion": "happy",
        "size": 128,
    }
    return Job(**(plain | options))


def refused(place, kind, match, **options):
    before = set(place.iterdir())
    with pytest.raises(kind, match=match) as raised:
        run(job(place, **options))
    assert isinstance(raised.value, EngineError)
    assert set(place.iterdir()) == before  # nothing half-written


@pytest.mark.parametrize(
    ("portrait", "match"),
    [
        ("wall.png", r"no face .*240 x 200.* from the front"),
        ("wall.jpg", "no face"),
        ("tiny.png", r"no face .*40 x 40"),
        ("cartoon.png", "no face"),
    ],
)
def test_pictures_without_a_face(place, portrait, match):
    refused(place, BadInput, match, portrait=place / portrait)


@pytest.mark.parametrize(
    ("portrait", "match"),
    [
        ("nowhere.png", "no such file"),
        ("", "a folder, give a file"),
        ("empty.png", "is empty"),
        ("words.png", "cannot be read as a picture"),
        ("cut.jpg", "cannot be read as a picture"),
        ("huge.png", "144 million pixels, allowed are 50"),
    ],
)
def test_pictures_that_cannot_be_read(place, portrait, match):
    refused(place, MediaError, match, portrait=place / portrait)


@pytest.mark.parametrize(
    ("speech", "match"),
    [
        ("nowhere.wav", "no such file"),
        ("", "a folder, give a file"),
        ("empty.wav", "is empty"),
        ("words.wav", "cannot be read"),
        ("nothing.wav", "no duration"),
        ("hours.flac", "10800 s, allowed are 3600"),
    ],
)
def test_sounds_that_cannot_be_used(place, speech, match):
    refused(place, MediaError, match, speech=place / speech)


def test_portrait_and_speech_swapped(place):
    swapped = {"portrait": place / "speech.wav", "speech": place / "wall.png"}
    refused(place, MediaError, "the portrait comes first", **swapped)


@pytest.mark.parametrize(
    ("emotion", "match"),
    [
        ("hapy", "did you mean happy"),
        ("", "empty"),
        ("va(3,4)", "from -1 to 1"),
        ("0=happy; 2=frobnicated", "keyframe 2"),
    ],
)
def test_unknown_emotions(place, emotion, match):
    refused(place, RequestError, match, emotion=emotion)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 5}, "128 to 1536"),
        ({"fps": float("nan")}, "5 to 60"),
        ({"strength": -1.0}, "0 to 1.5"),
        ({"weights": "bogus"}, "no weights 'bogus'"),
    ],
)
def test_options_out_of_range(place, options, match):
    with pytest.raises(EngineError, match=match):
        run(job(place, **options))


def test_missing_motion(place):
    refused(place, MediaError, "no such file", motion_in=place / "nowhere.csv")


def test_motion_of_another_kind(place):
    with pytest.raises(BadInput, match=r"\.csv, \.json, \.npz"):
        job(place, motion_out=place / "motion.txt")


def test_places_that_cannot_be_written(place):
    refused(place, BadInput, "is a file: give a folder", out=place / "speech.wav")
    refused(place, ResourceError, "in the way", out=place / "speech.wav" / "out")
    motion_out = place / "speech.wav" / "motion.csv"
    refused(place, ResourceError, "cannot write --motion-out", motion_out=motion_out)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a place without folders")
def test_a_place_that_takes_no_folders(place):
    refused(place, ResourceError, "--out", out=Path("/proc/affetto"))


def test_work_of_somebody_else_in_the_way(place):
    other = place / "out.unfinished"
    other.mkdir()
    (other / "diary.txt").write_text("dear diary")
    refused(place, BadInput, "holds something else")
    assert (other / "diary.txt").read_text() == "dear diary"
    (other / "diary.txt").unlink()
    other.rmdir()


SOUNDS = {
    "silence": np.zeros(RATE, np.float32),
    "one sample": np.zeros(1, np.float32),
    "a tenth": voice(0.1),
    "a twentieth": voice(0.05),
    "clipped": np.clip(voice(1.0) * 50, -1, 1),
    "chord": sum(0.1 * np.sin(np.arange(RATE) * f / 2000) for f in (262, 330, 392)).astype("f4"),
    "noise": np.random.default_rng(0).normal(0, 0.2, RATE).astype("f4"),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_any_sound_moves_within_bounds(name, tmp_path):
    motion, heard = moved(SOUNDS[name], tmp_path)
    assert len(motion.values) == frames_of(heard.duration_s, 25)
    assert np.isfinite(motion.values).all()
    assert motion.values[:, :52].min() >= 0
    assert motion.values[:, :52].max() <= 1
    if name in ("silence", "one sample"):
        assert heard.presence is None or not heard.is_speech
        assert motion.channel("jawOpen").max() <= RECIPES["happy"]["jawOpen"] + 1e-3


def melody():
    """Eight plucked tones, (S,) float32."""
    time_s = np.arange(RATE // 2) / RATE
    tones = [
        sum(np.sin(2 * np.pi * pitch * k * time_s) / k for k in range(1, 6))
        for pitch in (262, 330, 392, 523, 392, 330, 294, 349)
    ]
    return (0.2 * np.concatenate(tones) * np.tile(np.exp(-5 * time_s), 8)).astype(np.float32)


def drums():
    """A beat four times a second, (S,) float32."""
    hit = np.random.default_rng(0).normal(0, 0.4, RATE // 4) * np.exp(-np.arange(RATE // 4) / 300)
    return np.tile(hit, 16).astype(np.float32)


@pytest.mark.parametrize("wav", [melody(), drums(), SOUNDS["chord"], SOUNDS["noise"]])
def test_music_and_noise_are_not_speech(wav):
    assert not listen(wav).is_speech


def test_silence_idles(tmp_path):
    """The mouth rests, the eyes blink, the head lives."""
    motion, _ = moved(np.zeros(8 * RATE, np.float32), tmp_path, emotion="neutral")
    assert motion.channel("jawOpen").max() < 0.05
    assert motion.channel("eyeBlinkLeft").max() > 0.7
    assert motion.channel("headYaw").std() > 0.1


def test_a_silent_face_keeps_its_expression(tmp_path):
    """Where nobody speaks the mouth opens as far as the emotion opens it, no further."""
    motion, _ = moved(np.zeros(8 * RATE, np.float32), tmp_path, emotion="surprised")
    jaw = motion.channel("jawOpen")[25:]
    assert jaw.max() <= RECIPES["surprised"]["jawOpen"] + 1e-3
    assert np.median(jaw) > 0.6 * RECIPES["surprised"]["jawOpen"]


def moved(wav, folder, *, emotion="happy"):
    from affetto.emotion_bank.bank import request_to_track
    from affetto.request import parse_request

    heard, models, options = listen(wav), load_models(), TalkOptions()
    seconds = max(heard.duration_s, 0.04)
    track = request_to_track(parse_request(emotion), duration_s=seconds, rate_hz=25)
    with unfinished_work(folder / "work", "test") as kept:
        windows = list(talk(heard, track, models=models, options=options, kept=kept))
    assert finished(windows[0], heard, track, options, first_frame=0).fps == 25
    return Motion(np.concatenate([one.values for one in windows]), 25), heard


@pytest.fixture(scope="module")
def astronaut():
    return pytest.importorskip("skimage.data").astronaut()


def test_several_faces(astronaut):
    two = np.full((400, 800, 3), 90, np.uint8)
    two[:, :400] = np.asarray(Image.fromarray(astronaut).resize((400, 400)))
    two[50:350, 450:750] = np.asarray(Image.fromarray(astronaut[:, ::-1]).resize((300, 300)))
    first, second = analyse(two), analyse(two, face_number=2)
    assert first.box[0] < 400 - first.box[2] / 2 < second.box[0]
    assert any(notice.name == "several" for notice in first.notices)
    with pytest.raises(BadInput, match=r"face 9 .* faces 1 to 2"):
        analyse(two, face_number=9)


def forms(photo, folder):
    """The same photo in the ways pictures come: name -> path."""
    image = Image.fromarray(photo)
    seen_through = image.convert("RGBA")
    seen_through.putalpha(Image.fromarray(np.where(photo[..., 0] >= 0, 255, 0).astype(np.uint8)))
    kinds = {
        "cmyk.jpg": image.convert("CMYK"),
        "grey.png": image.convert("L"),
        "rgba.png": seen_through,
        "palette.png": image.convert("P", palette=Image.Palette.ADAPTIVE),
    }
    for name, picture in kinds.items():
        picture.save(folder / name)
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    turned = [image.rotate(angle) for angle in (3, 6)]
    image.save(folder / "moving.gif", save_all=True, append_images=turned, duration=100)
    return [folder / name for name in (*kinds, "deep.png", "moving.gif")]


def test_every_kind_of_picture_is_the_same_face(astronaut, tmp_path):
    plain = analyse(astronaut)
    for path in forms(astronaut, tmp_path):
        seen = analyse(read_picture(path))
        assert np.abs(np.subtract(seen.box, plain.box)).max() < 12, path.name


@pytest.mark.slow
@pytest.mark.parametrize("sound", ["eight channels", "8 kHz", "not a number", "silence"])
def test_odd_recordings_make_films(astronaut, tmp_path, sound):
    speech = voice(0.6, 8000 if sound == "8 kHz" else RATE)
    if sound == "eight channels":
        speech = np.repeat(speech[:, None], 8, axis=1)
    if sound == "not a number":
        speech[::50] = np.nan
    if sound == "silence":
        speech[:] = 0
    rate = 8000 if sound == "8 kHz" else RATE
    soundfile.write(tmp_path / "speech.wav", speech, rate, subtype="FLOAT")
    Image.fromarray(astronaut).save(tmp_path / "photo.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.txt").write_text("kept")
    asked = job(tmp_path, portrait=tmp_path / "photo.png", emotion="0=happy; 9=sad")
    result = run(dataclasses.replace(asked, motion_out=tmp_path / "motion.csv"))
    film = Clip.open(tmp_path / "out" / "talk.mp4")
    assert film.has_audio
    assert film.duration_s == pytest.approx(0.6, abs=0.01)
    assert any("after it and" in notice for notice in result.notices)
    assert (tmp_path / "out" / "other.txt").read_text() == "kept"
    again = dataclasses.replace(
        asked, motion_in=tmp_path / "motion.csv", out=tmp_path / "again", motion_out=None
    )
    run(again)
    contents = [
        json.loads((tmp_path / name / "recipe.json").read_text())["content_sha256"]
        for name in ("out", "again")
    ]
    assert contents[0] == contents[1]
