"""`affetto recognize` through the app: what it says and writes, and what bad input does."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from affetto.apps.cli import main
from affetto.apps.emotion_summary import confidence_words, stretches, summarize
from affetto.apps.judges import Nets
from affetto.apps.recognize import collect, run
from affetto.apps.recognize_job import Answer, Job, Recognition, Row, modalities
from affetto.apps.recognize_media import _Gathered, _joined
from affetto.apps.recognize_plots import write_plot
from affetto.apps.recognize_table import plain, table, write_csv
from affetto.apps.webvtt import write_webvtt
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput, MediaError, UsageError
from affetto.media_write import write_clip
from affetto.recognizers.fuse import LEAST_CONFIDENCE
from affetto.recognizers.text.sentences import parse_cues
from affetto.request import parse_request

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
PORTRAIT = DATA / "portraits" / "flux_m0181.jpg"
needs_data = pytest.mark.skipif(not PORTRAIT.exists(), reason="needs the development data")
DURATION_S = 30.0


def course(text, confidence=0.5, start_s=0.0, end_s=DURATION_S):
    track = request_to_track(parse_request(text), duration_s=DURATION_S, rate_hz=2.0)
    inside = track.times[(track.times >= start_s) & (track.times <= end_s)]
    track = replace(track.at(inside), kind="expressed")
    return replace(track, confidence=np.full(len(inside), confidence, np.float32))


@pytest.fixture(scope="module")
def found():
    everything = (True,) * len(LABELS)
    face = course("happy", 0.7, 5.0, 20.0)
    boxes = np.tile(np.float32([0.2, 0.1, 0.3, 0.4]), (len(face.times), 1))
    rows = (
        Row("all", None, course("0=sad; 15=happy step"), everything),
        Row("voice", "voice", course("sad", 0.0), everything),
        Row("face 1", "face", face, everything, boxes),
    )
    still = np.full((60, 100, 3), 128, np.uint8)
    return Recognition(
        Path("talk.mp4"),
        "video",
        DURATION_S,
        rows,
        {"voice": "no voice was heard"},
        ((1.0, still),),
    )


# What it says


def test_the_table_says_what_where_and_how_sure(found):
    text = table(Answer((found,), (), (Path("notes.pdf"),), 1.0, 100.0))
    assert "talk.mp4  video, 0:30, 1 face" in text
    assert "no voice was heard" in text
    assert "face 1     0:05-0:20" in text
    assert "0:00-0:15       sad" in text.replace("0:14", "0:15")
    assert "notes.pdf" in text


def test_nothing_to_judge_has_no_label():
    part = summarize(course("angry", LEAST_CONFIDENCE / 2), start_s=0, end_s=DURATION_S)
    assert part.label is None
    assert part.words == "nothing to judge"
    assert confidence_words(1.0) == "sure"


def test_unsure_moments_count_less():
    sad, happy = course("sad", 0.1), course("happy", 0.9)
    late = sad.times > DURATION_S / 2
    arrays = {
        name: np.where(
            late if getattr(sad, name).ndim == 1 else late[:, None],
            getattr(happy, name),
            getattr(sad, name),
        )
        for name in ("vad", "vad_var", "probs", "confidence", "mean", "log_var")
    }
    part = summarize(replace(sad, **arrays), start_s=0, end_s=DURATION_S)
    assert part.label == "happy"
    assert part.share > 0.85


def test_stretches_cover_everything_once(found):
    parts = stretches(found.track, start_s=0.0, end_s=DURATION_S)
    assert [part.label for part in parts] == ["sad", "happy"]
    assert parts[0].start_s == 0
    assert parts[-1].end_s == DURATION_S
    assert all(one.end_s == two.start_s for one, two in pairwise(parts))


def test_json_holds_every_row_and_step(found):
    record = json.loads(json.dumps(plain(Answer((found,), (), (), 1.0, 100.0))))
    (file,) = record["files"]
    assert [row["what"] for row in file["rows"]] == ["all", "voice", "face 1"]
    assert len(file["rows"][2]["times"]) == len(file["rows"][2]["boxes"]) == 31
    assert file["rows"][1]["summary"]["label"] is None
    assert file["missing"] == {"voice": "no voice was heard"}


def test_csv_has_a_line_a_step_and_no_label_where_nothing_was(found, tmp_path):
    write_csv(tmp_path / "out.csv", Answer((found,), (), (), 1.0, 100.0))
    with (tmp_path / "out.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == sum(len(row.track.times) for row in found.rows)
    assert {line["label"] for line in lines if line["what"] == "voice"} == {""}
    assert lines[-1]["box_width"] == "0.3000"
    for line in lines:
        assert float(line["valence_low"]) <= float(line["valence"]) <= float(line["valence_high"])


def test_subtitles_can_be_read_again(found, tmp_path):
    write_webvtt(tmp_path / "out.vtt", found)
    text = (tmp_path / "out.vtt").read_text()
    assert text.startswith("WEBVTT\n")
    cues = parse_cues(text)
    assert [cue.text.split()[0] for cue in cues] == ["sad", "happy"]
    assert cues[-1].end_s == DURATION_S


def test_plots_are_pictures_of_their_size(found, tmp_path):
    from PIL import Image

    write_plot(tmp_path / "course.png", found)
    rows = tuple(
        replace(row, track=row.track.at([0.0]), boxes=None if row.boxes is None else row.boxes[:1])
        for row in found.rows
    )
    photo = replace(found, kind="picture", duration_s=0.0, rows=rows)
    write_plot(tmp_path / "photo.png", photo)
    for name in ("course", "photo"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert picture.width == 1650
            assert np.asarray(picture).std() > 10


# The job


def test_modalities_are_named():
    assert modalities(None) == ("voice", "face", "scene", "text")
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


def test_who_speaks_alone_is_shown_as_judged(nets):
    """A voice too faint to judge leaves the scene as it is; a face alone keeps its labels."""
    face = course("surprised:0.5")
    seen = np.where(face.times < 15, 0.4, 0.0).astype(np.float32)
    scene = course("calm", 0.3)
    gathered = _Gathered(DURATION_S)
    gathered.tracks = {
        "voice": course("angry", LEAST_CONFIDENCE / 2),
        "face": replace(face, confidence=seen),
        "scene": scene,
    }
    fused = _joined(gathered, nets, 2.0)
    for alone, there in ((face, fused.times < 15), (scene, fused.times >= 15)):
        wanted = alone.at(fused.times)
        np.testing.assert_allclose(fused.probs[there], wanted.probs[there], atol=1e-5)
        np.testing.assert_allclose(fused.vad_var[there], wanted.vad_var[there], atol=1e-5)
    np.testing.assert_allclose(fused.confidence, np.where(fused.times < 15, 0.4, 0.3), atol=1e-5)


def test_a_film_without_sound_or_face_leaves_the_scene(nets, tmp_path):
    seen = one(nets, film(tmp_path / "noise.mp4"))
    assert set(seen.missing) == {"voice", "face"}
    assert rows(seen)["scene"].track.kind == "evoked"
    assert seen.track.kind in ("evoked", "expressed")
    assert seen.track.times[-1] <= seen.duration_s


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
