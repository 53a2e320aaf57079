"""What `affetto recognize` says and writes of courses that are known."""

import csv
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from affetto.apps.emotion_summary import confidence_words, stretches, summarize
from affetto.apps.judges import Nets
from affetto.apps.recognize_job import Answer, Recognition, Row
from affetto.apps.recognize_media import _Gathered, _joined
from affetto.apps.recognize_plots import write_plot
from affetto.apps.recognize_table import plain, table, write_csv
from affetto.apps.webvtt import write_webvtt
from affetto.emotion import LABELS
from affetto.emotion_bank.bank import request_to_track
from affetto.recognizers.fuse import LEAST_CONFIDENCE
from affetto.recognizers.text.sentences import parse_cues
from affetto.request import parse_request

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


def test_who_speaks_alone_is_shown_as_judged():
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
    fused = _joined(gathered, Nets(), 2.0)
    for alone, there in ((face, fused.times < 15), (scene, fused.times >= 15)):
        wanted = alone.at(fused.times)
        np.testing.assert_allclose(fused.probs[there], wanted.probs[there], atol=1e-5)
        np.testing.assert_allclose(fused.vad_var[there], wanted.vad_var[there], atol=1e-5)
    np.testing.assert_allclose(fused.confidence, np.where(fused.times < 15, 0.4, 0.3), atol=1e-5)
