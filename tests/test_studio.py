"""The studio: what its page asks for, and the jobs behind it."""

import time
from pathlib import Path

import pytest

from affetto.apps.studio import examples, tab_recognize, tab_verify
from affetto.apps.studio.consent import agreed
from affetto.apps.studio.curves import chart, strip
from affetto.apps.studio.desk import RESULT, Desk, Done, Preview, Step
from affetto.apps.studio.emotion_editor import asked_curve, preset
from affetto.apps.studio.emotion_map import read_place
from affetto.apps.studio.requests import of_feelings, of_keyframes, of_place, without_files
from affetto.apps.studio.settings import Settings, make_folder, parse_auth
from affetto.apps.studio.tab_soundtrack import _job as soundtrack_job
from affetto.apps.studio.words import bad, facts, notes, step
from affetto.errors import BadInput, Cancelled, EngineError, RequestError, UsageError

OFFERED = {"/talk", "/soundtrack", "/recognize", "/score", "/verify"}


@pytest.fixture
def settings(tmp_path):
    made = Settings(tmp_path / "studio", port=0, browser=False)
    made.jobs.mkdir(parents=True)
    return made


@pytest.mark.parametrize(
    ("feelings", "request_"),
    [
        ([("happy", 0.9), ("none", 0.5), (None, 1.0)], "happy:0.9"),
        ([("sad", 0.6), ("surprised", 0.4), ("none", 0.5)], "sad:0.6+surprised:0.4"),
        ([("sad", 0.2), ("sad", 0.7)], "sad:0.7"),
        ([("angry", 1.0)], "angry"),
        ([("happy", 0.0)], "neutral"),
    ],
)
def test_feelings_become_a_request(feelings, request_):
    assert of_feelings(feelings) == request_


def test_a_place_on_the_map_becomes_a_request():
    assert of_place(-0.4, 0.7) == "va(-0.4,0.7)"
    assert of_place(*read_place("-0.001,9")) == "va(0,1)"
    assert read_place("<b>") == (0.0, 0.0)


def test_keyframes_become_a_request():
    rows = [
        ["2.5", "happy", "0.9", ""],
        ["0", "neutral", "", ""],
        ["", "", "", ""],
        ["1:30", "sad:0.6+surprised:0.4", "", "linear"],
        [95, "va(-0.4,0.7)", 0.5, "step"],
    ]
    assert of_keyframes(rows) == (
        "0=neutral; 2.5=happy:0.9; 90=sad:0.6+surprised:0.4 linear; 95=va(-0.4,0.7) step"
    )
    with pytest.raises(RequestError, match="empty"):
        of_keyframes([["", "", "", ""]])
    with pytest.raises(RequestError, match="at most"):
        of_keyframes([["0", "sad", "", ""]] * 300)
    with pytest.raises(RequestError, match="mad"):
        of_keyframes([["0", "madly", "", ""]])


@pytest.mark.parametrize("text", ["like:/etc/passwd", " LIKE: x.wav", "/etc/curve.csv", "a.JSON"])
def test_a_typed_request_names_no_file_of_this_machine(text, tmp_path):
    with pytest.raises(RequestError):
        without_files(text, clip=None)
    if text.strip()[:5].casefold() == "like:":
        clip = tmp_path / "clip.wav"
        assert without_files(text, clip=clip) == f"like:{clip}"


def test_a_typed_hit_names_no_file_of_this_machine():
    assert soundtrack_job("film.mp4", "sad", None, hits=" 3.2, 4 ")["hits"] == "3.2, 4"
    assert soundtrack_job("film.mp4", "sad", None, hits="")["hits"] == "cuts"
    marked = soundtrack_job("film.mp4", "sad", None, hits="3.2", marks="/tmp/handed/in.EDL")
    assert marked["hits"] == "/tmp/handed/in.EDL"
    with pytest.raises(BadInput, match=r"in\.pdf holds no"):
        soundtrack_job("film.mp4", "sad", None, marks="/tmp/handed/in.pdf")
    with pytest.raises(BadInput, match="names of files"):
        soundtrack_job("film.mp4", "sad", None, hits="/home/them/marks.EDL ")


@pytest.mark.parametrize("request_", ["auto", "happy:0.9", "0=sad:0.9; 2.2=sad:0.8 step"])
def test_an_example_sets_the_editor_to_what_it_asks(request_):
    shown = preset(request_)
    assert shown[0] == request_
    if "=" in request_:
        assert of_keyframes(shown[-1]) == request_
    elif request_ != "auto":
        assert of_feelings(list(zip(shown[2:8:2], shown[3:8:2], strict=True))) == request_


def test_a_timeline_is_drawn_and_a_mistake_is_told():
    drawn = asked_curve("0=calm; 2=happy:0.9")
    assert "<svg" in drawn
    assert "happy, asked" in drawn
    assert asked_curve("happy") == ""
    assert "unknown emotion" in asked_curve("hapy").casefold()
    assert "<b>" not in asked_curve("<b>")


def test_whatever_is_shown_is_escaped():
    evil = "<script>x</script>"
    pieces = [bad(evil), notes([evil]), facts([(evil, evil)]), step(Step(evil, 0.5, 3))]
    pieces += [strip(evil, [(0, evil)], duration_s=1), chart(evil, [], duration_s=1)]
    for html in pieces:
        assert "<script" not in html


def test_consent_is_needed_for_people_and_not_for_examples(tmp_path):
    agreed({"a photo": str(examples.PORTRAIT)}, consent=False)
    mine = tmp_path / "me.jpg"
    mine.write_bytes(b"me")
    agreed({"a photo": str(mine)}, consent=True)
    with pytest.raises(BadInput, match="consent"):
        agreed({"a photo": str(mine)}, consent=False)
    with pytest.raises(BadInput, match="hand in a voice"):
        agreed({"a voice": None}, consent=True)


def test_the_studio_keeps_its_files_to_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = make_folder()
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert parse_auth("me:se:cret") == ("me", "se:cret")
    with pytest.raises(UsageError):
        parse_auth("me")


PERFORMER = "studio_job:perform"


@pytest.fixture
def desk(settings, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    made = Desk(settings, performer=PERFORMER)
    yield made
    made.close()
    assert not settings.folder.exists()


def options(tmp_path, **more):
    return {
        "portrait": str(tmp_path / "studio" / "uploads" / "a" / "me.jpg"),
        "out": RESULT,
        **more,
    }


def test_the_desk_tells_steps_shows_what_is_done_and_hands_over(desk, tmp_path):
    events = list(desk.run("talk", options(tmp_path), session="a"))
    steps = [event for event in events if isinstance(event, Step)]
    previews = [event for event in events if isinstance(event, Preview)]
    done = events[-1]
    assert steps[0].what == "working <hard>"
    assert previews[0].file.read_bytes() == examples.FILM.read_bytes()
    assert isinstance(done, Done)
    assert (done.folder / "talk.mp4").exists()
    assert done.command == "affetto talk me.jpg --seed 3"
    assert (done.folder / "recipe.json").read_text() == '{"portrait": "me.jpg"}'


def test_cancel_stops_the_job_and_failures_are_told(desk, tmp_path):
    run = desk.run("talk", options(tmp_path, seed=60), session="a")
    assert isinstance(next(run), Step)
    desk.cancel("b")
    started = time.monotonic()
    desk.cancel("a")
    with pytest.raises(Cancelled):
        list(run)
    assert time.monotonic() - started < 3
    assert desk.was_stopped("a")
    with pytest.raises(EngineError, match=r"^result will not do"):
        list(desk.run("score", options(tmp_path), session="a"))
    assert not desk.was_stopped("a")


def test_leaving_stops_the_job(desk, tmp_path):
    run = desk.run("talk", options(tmp_path, seed=60), session="a")
    next(run)
    run.close()
    started = time.monotonic()
    list(desk.run("talk", options(tmp_path), session="b"))
    assert time.monotonic() - started < 10


def test_programs_call_the_jobs_and_nothing_else(desk, settings, monkeypatch):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    from affetto.apps.studio.page import build_page

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(settings.uploads))
    page = build_page(desk)
    page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, ssr_mode=False)
    try:
        client = Client(page.local_url, verbose=False, analytics_enabled=False)
        assert set(client.view_api(return_format="dict")["named_endpoints"]) == OFFERED
        given = {"portrait": handle_file(examples.PORTRAIT), "speech": handle_file(examples.SPEECH)}
        film, pack, figures = client.predict(**given, emotion="sad:0.4", api_name="/talk")
        assert Path(film["video"] if isinstance(film, dict) else film).exists()
        assert Path(pack).suffix == ".zip"
        assert figures["command"] == "affetto talk mona_lisa.jpg --seed 3"
        mine = {"media": handle_file(__file__), "wanted": "sad", "api_name": "/score"}
        with pytest.raises(AppError, match="consent"):
            client.predict(**mine)
        with pytest.raises(AppError, match="will not do"):
            client.predict(**mine, i_have_consent=True)
        with pytest.raises(AppError, match="hand one in"):
            client.predict(**given, emotion="like:/etc/passwd", api_name="/talk")
    finally:
        page.close(verbose=False)


@pytest.mark.slow
def test_what_was_recognized_is_shown(settings, tmp_path):
    text = tmp_path / "note.txt"
    text.write_text("I am so happy that you are here, what a wonderful day!")
    desk = Desk(settings)
    outputs = {name: f"{RESULT}/{file}" for name, file in tab_recognize.OUTPUTS.items()}
    asked = {"media": [str(text)], "only": tab_recognize.MODALITIES, **outputs}
    done = list(desk.run("recognize", asked, session="a"))[-1]
    shown = tab_recognize.shown(done)
    assert "happy" in shown.sentence
    assert shown.command == "affetto recognize note.txt"
    assert set(shown.files) <= {path.name for path in done.folder.iterdir()}
    desk.close()


def test_what_a_file_tells_is_shown(settings):
    desk = Desk(settings)
    done = list(desk.run("verify", {"file": str(examples.FILM)}, session="a"))[-1]
    shown = tab_verify.shown(done)
    assert shown.tone == "plain"
    assert "No signature" in shown.html
    desk.close()
