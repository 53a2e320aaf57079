"""`affetto recognize` through the app: small media, and what bad input does."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affetto.apps.cli import main
from affetto.apps.judges import Nets
from affetto.apps.recognize import collect, run
from affetto.apps.recognize_job import Answer, Job, modalities
from affetto.apps.recognize_table import plain, table
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput, MediaError, UsageError
from affetto.media_write import write_clip
from affetto.recognizers.fuse import LEAST_CONFIDENCE

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
PORTRAIT = DATA / "portraits" / "flux_m0181.jpg"
needs_data = pytest.mark.skipif(not PORTRAIT.exists(), reason="needs the development data")
# The job


def test_modalities_are_named():
    assert modalities(None) == ("voice", "face", "scene", "text", "music")
    assert modalities("face, Voice") == ("voice", "face")
    with pytest.raises(UsageError, match="none of voice"):
        modalities("smell")


def test_a_folder_gives_its_media_and_names_the_rest(tmp_path):
    for name in ("b.wav", "a.jpg", ".hidden.wav", "notes.pdf", "c.SRT"):
        (tmp_path / name).write_text("x")
    (tmp_path / "inner").mkdir()
    media, skipped = collect([tmp_path, tmp_path / "b.wav"])
    assert [path.name for path in media] == ["a.jpg", "b.wav", "c.SRT"]
    assert [path.name for path in skipped] == ["notes.pdf"]
    with pytest.raises(MediaError, match="no media"):
        collect([tmp_path / "inner"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"plot": Path("x.jpg")}, "ends in .png"),
        ({"track": Path("x.txt")}, "ends in .json or .csv"),
        ({"csv": Path("x.csv"), "track": Path("x.csv")}, "twice"),
    ],
)
def test_outputs_are_checked_before_the_work(options, said):
    with pytest.raises(UsageError, match=said):
        run(Job(media=(Path("nowhere.mp4"),), **options))


def test_the_medium_itself_is_never_overwritten(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(BadInput, match="one of the media"):
        run(Job(media=(tmp_path / "a.csv",), csv=tmp_path / "a.csv"))


# Real judges on small media


@pytest.fixture(scope="module")
def nets():
    return Nets()


def recognized(nets, *media, **options):
    return run(Job(media=media, threads=1, **options), nets=nets)


def one(nets, path, **options):
    answer = recognized(nets, path, **options)
    if answer.failed:
        raise answer.failed[0].error
    return answer.found[0]


def rows(found):
    return {row.what: row for row in found.rows}


def tone(seconds, rate, level=0.1):
    time_s = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220, 277, 330))
    return (level * chord).astype(np.float32)


def film(path, *, pictures=24, wav=None, rate=16_000, size=(96, 128)):
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (*size, 3)).astype(np.uint8)
    frames = (np.roll(texture, step, axis=1) for step in range(pictures))
    write_clip(frames, Fraction(12), path, wav=wav, sample_rate=rate if wav is not None else None)
    return path


@pytest.mark.parametrize("seconds", [0.1, 2.0])
def test_silence_has_no_voice(nets, tmp_path, seconds):
    soundfile.write(tmp_path / "silence.wav", np.zeros(round(16_000 * seconds)), 16_000)
    heard = one(nets, tmp_path / "silence.wav")
    assert heard.missing == {"voice": "no voice was heard"}
    assert heard.track.confidence.max() < LEAST_CONFIDENCE


def test_a_tenth_of_a_second_is_too_short_to_judge(nets, tmp_path):
    soundfile.write(tmp_path / "short.wav", tone(0.1, 16_000), 16_000)
    assert one(nets, tmp_path / "short.wav").track.confidence.max() < LEAST_CONFIDENCE


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_music_alone_is_hardly_judged(nets, tmp_path, rate):
    soundfile.write(tmp_path / "music.wav", tone(4.0, rate), rate)
    assert one(nets, tmp_path / "music.wav").track.confidence.max() < 0.15


def test_a_film_without_sound_or_face_leaves_the_scene(nets, tmp_path):
    seen = one(nets, film(tmp_path / "noise.mp4"))
    assert set(seen.missing) == {"voice", "face"}
    assert rows(seen)["scene"].track.kind == "evoked"
    assert seen.track.kind in ("evoked", "expressed")
    assert seen.track.times[-1] <= seen.duration_s


def test_progress_comes_to_its_end_before_all_is_joined(nets, tmp_path):
    path = film(tmp_path / "tone.mp4", pictures=40, wav=tone(3.3, 16_000)[None])
    told = []
    run(Job(media=(path,), threads=1), nets=nets, progress=lambda _, share: told.append(share))
    assert told == sorted(told)
    assert [share for share in told if share < 0.98][-1] > 0.9


def test_one_decoding_serves_scene_alone_too(nets, tmp_path):
    path = film(tmp_path / "noise.mp4", pictures=40)
    both, alone = one(nets, path), one(nets, path, only=("scene",))
    np.testing.assert_allclose(
        rows(both)["scene"].track.vad, rows(alone)["scene"].track.vad, atol=0.1
    )


def test_a_bad_file_does_not_stop_the_others(nets, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "bad.mp4").write_bytes(b"not a film")
    (folder / "bad.jpg").write_bytes(b"not a picture")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "junk.bin").write_bytes(b"junk")
    soundfile.write(folder / "good.wav", np.zeros(16_000), 16_000)
    answer = recognized(nets, folder, track=tmp_path / "track.json")
    assert [found.file.name for found in answer.found] == ["good.wav"]
    assert sorted(failure.file.name for failure in answer.failed) == [
        "bad.jpg",
        "bad.mp4",
        "empty.wav",
    ]
    assert answer.exit_code == 3
    assert [path.name for path in answer.skipped] == ["junk.bin"]
    assert [path.name for path in tmp_path.glob("track*")] == ["track_good.wav.json"]


def test_what_is_not_in_a_medium_is_said(nets, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    with pytest.raises(BadInput, match="asked for was face"):
        one(nets, tmp_path / "a.wav", only=("face",))


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("", False),
        ("... 12 !?", False),
        ("I am so happy, this is the best day of my life!", True),
        ("Ich bin so glücklich! I am so sad.", True),
    ],
)
def test_texts(nets, tmp_path, text, judged):
    (tmp_path / "note.txt").write_text(text)
    read = one(nets, tmp_path / "note.txt")
    assert bool((read.track.confidence >= LEAST_CONFIDENCE).any()) is judged
    assert table(Answer((read,), (), (), 0.0, 0.0))


def test_subtitles_are_read_at_their_times(nets, tmp_path):
    (tmp_path / "film.srt").write_text(
        "1\n00:00:01,000 --> 00:00:04,000\nI love you, I am so happy!\n\n"
        "2\n00:00:20,000 --> 00:00:24,000\nShe died. I am so sad.\n"
    )
    read = one(nets, tmp_path / "film.srt")
    early, late = read.track.at([2.5, 22.0]).vad[:, 0]
    assert early > late
    assert read.duration_s == 24.0


def test_the_mean_of_subtitles_is_of_what_is_spoken(nets, tmp_path):
    cue = "{n}\n00:00:{s:02d},000 --> 00:00:{e:02d},000\nI love you, I am so happy!\n\n"
    close = cue.format(n=1, s=1, e=4) + cue.format(n=2, s=4, e=7)
    apart = cue.format(n=1, s=1, e=4) + cue.format(n=2, s=52, e=55)
    sure = []
    for name, words in (("close", close), ("apart", apart)):
        (tmp_path / f"{name}.srt").write_text(words)
        read = one(nets, tmp_path / f"{name}.srt")
        rows = plain(Answer((read,), (), (), 0.0, 0.0))["files"][0]["rows"]
        sure.append([row["summary"]["confidence"] for row in rows])
    assert sure[1] == pytest.approx(sure[0], rel=0.2)


@needs_data
def test_a_face_is_found_in_every_kind_of_picture(nets, tmp_path):
    from PIL import Image

    with Image.open(PORTRAIT) as image:
        grey = image.convert("L")
        grey.save(tmp_path / "grey.png")
        image.convert("CMYK").save(tmp_path / "cmyk.jpg")
        image.resize((5000, 5000)).save(tmp_path / "huge.jpg")
        deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        deep.save(tmp_path / "deep.png")
    for name in ("grey.png", "cmyk.jpg", "huge.jpg", "deep.png"):
        seen = one(nets, tmp_path / name)
        assert "face 1" in rows(seen), name
        assert seen.track.kind == "expressed"


@needs_data
def test_fifty_faces(nets, tmp_path):
    from PIL import Image

    with Image.open(PORTRAIT) as image:
        small = image.convert("RGB").resize((128, 128))
    crowd = Image.new("RGB", (10 * 128, 5 * 128))
    for place in range(50):
        crowd.paste(small, (place % 10 * 128, place // 10 * 128))
    crowd.save(tmp_path / "crowd.png")
    seen = one(nets, tmp_path / "crowd.png", plot=tmp_path / "plot.png")
    assert sum(row.modality == "face" for row in seen.rows) >= 45
    assert "smaller faces" in table(Answer((seen,), (), (), 0.0, 0.0))
    assert (tmp_path / "plot.png").stat().st_size > 10_000


@needs_data
def test_variable_frame_rate(nets, tmp_path):
    import av
    from PIL import Image

    with Image.open(PORTRAIT) as image:
        picture = np.asarray(image.convert("RGB").resize((256, 256)))
    times_ms = [0, 40, 400, 420, 1000, 1900, 1930, 2500]
    with av.open(str(tmp_path / "vfr.mkv"), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for at in times_ms:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    seen = one(nets, tmp_path / "vfr.mkv")
    face = rows(seen)["face 1"]
    assert face.track.times[0] < 0.1
    assert face.track.times[-1] > 1.8
    assert (np.diff(face.track.times) > 0).all()


def test_nothing_half_written_is_left(nets, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)

    def broken(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken)
    with pytest.raises(KeyboardInterrupt):
        recognized(nets, tmp_path / "a.wav", plot=tmp_path / "plot.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_saved_course_can_be_followed(nets, tmp_path):
    (tmp_path / "note.txt").write_text("I am so happy, this is the best day of my life!")
    read = one(nets, tmp_path / "note.txt", track=tmp_path / "like.json")
    again = EmotionTrack.load(tmp_path / "like.json")
    np.testing.assert_array_equal(again.probs, read.track.probs)


def test_the_command_says_what_failed_and_ends_with_three(monkeypatch, capsys, tmp_path):
    (tmp_path / "note.txt").write_text("")
    words = ["recognize", str(tmp_path / "note.txt"), "nowhere.mp4", "--json", "--quiet"]
    monkeypatch.setattr("sys.argv", ["affetto", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr()
    assert stopped.value.code == 3
    assert "nowhere.mp4" in shown.err
    record = json.loads(shown.out)
    assert [file["kind"] for file in record["files"]] == ["text"]
    assert record["failed"][0]["exit_code"] == 3
