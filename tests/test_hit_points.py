"""What --hits says: times and wishes, marker files of editing programs, and mistakes in them."""

import json
import os
from fractions import Fraction

import pytest

from affetto.errors import BadInput, UsageError
from affetto.gen.music.hit_points import Hits, names_file, parse_hits
from affetto.gen.music.markers import read_markers
from affetto.gen.music.otio_markers import MAX_DEPTH
from affetto.gen.music.timecode import frame_rate, seconds_at
from affetto.soundtrack import Cut, HitPoint, Marker

NTSC = Fraction(30000, 1001)
PAL = Fraction(25)

RESOLVE = """TITLE: Timeline 1
FCM: NON-DROP FRAME

001  001      V     C        01:00:05:00 01:00:05:01 01:00:05:00 01:00:05:01
 |C:ResolveColorBlue |M:Marker 1 |D:1

002  001      V     C        01:00:12:12 01:00:12:13 01:00:12:12 01:00:12:13
silence 4 |C:ResolveColorRed |M:Marker 2 |D:1
"""
AVID = """TITLE: Reel
FCM: NON-DROP FRAME
* LOC: 01:00:07:21 RED     the door
001  BARS     V     C        00:58:00:00 00:58:30:00 01:00:00:00 01:00:20:00
* FROM CLIP NAME: BARS.MOV
* LOC: 01:00:18:05 GREEN   stop
"""
EVENTS = """TITLE: cuts
FCM: NON-DROP FRAME
* FPS: 24
001  A001     AA    C        00:00:26:12 00:00:27:00 00:00:00:12 00:00:08:05
002  A001     AA/V  C        00:02:26:21 00:02:30:12 00:00:00:00 00:00:03:16
003  A002     V     D    024 00:02:30:12 00:02:34:13 00:00:03:16 00:00:07:17
"""


def hits(words, duration_s=60.0, rate=PAL):
    return parse_hits(words, duration_s=duration_s, film_rate=rate)


@pytest.fixture
def reading(tmp_path):
    def read(name, text, rate=PAL):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [(marker.time_s, marker.text) for marker in read_markers(path, film_rate=rate)]

    return read


def test_words_of_every_form():
    assert hits("cuts") == Hits(cuts=True)
    assert hits("None") == Hits(cuts=False)
    assert hits("3.2,17.5").points == (HitPoint(3.2), HitPoint(17.5))
    assert hits(" 17.5=Stop; 3.2 , 0:30=swell ;0:00:41=silence:4,").points == (
        HitPoint(3.2), HitPoint(17.5, "stop"), HitPoint(30, "swell"), HitPoint(41, "silence", 4.0),
    )  # fmt: skip
    assert hits("5, 5=stop, 5.0004").points == (HitPoint(5, "stop"),)


@pytest.mark.parametrize("words", ["cuts", "none", "3.2", "1:02.5=silence, 70.001=silence:2.5, 80"])
def test_hits_say_themselves(words):
    understood = hits(words, 100.0)
    assert hits(str(understood), 100.0) == understood


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "is empty"),
        (" , ", "is empty"),
        ("strong", "'strong' is not a time"),
        ("3.2,,4", "'' is not a time"),
        ("-3", "'-3' is negative"),
        ("1:75", "60 or more"),
        ("nan", "is not a time"),
        ("5=bang", "asks for 'bang', not for stop, swell, silence"),
        ("5=stop:4", "asks for 'stop:4'"),
        ("5=silence:0", "no length"),
        ("5=silence:-1", "is negative"),
        ("9e99", "later than 24 hours"),
        ("60.01", "from 0 to 60.00 s"),
        (",".join(str(n / 10) for n in range(600)), "600 moments are too many: give at most 500"),
        ("markers.xml", "a file of markers (.edl"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    with pytest.raises(BadInput) as error:
        hits(words)
    assert said in str(error.value)
    late = "behind" in str(error.value) or "moments" in str(error.value)
    assert isinstance(error.value, UsageError) != late


def test_the_users_moments_are_the_strongest_accents_and_markers():
    chosen = Hits(True, (HitPoint(9.0, name="door"), HitPoint(4.0, "stop")))
    cuts = (Cut(4.2, 0.7),)
    assert chosen.accents(cuts) == (Cut(9.0, 1.0), Cut(4.0, 1.0), Cut(4.2, 0.7))
    assert Hits(cuts=False).accents(cuts) == ()
    assert [(m.time_s, m.text) for m in chosen.markers(cuts)] == [
        (4.0, "hit 2: stop"), (4.2, "cut 1"), (9.0, "hit 1: door"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "rate", "seconds"),
    [
        ("00:00:05:12", PAL, 5.48),
        ("01:00:00:00", NTSC, 3603.6),
        ("01:00:00;00", NTSC, 3599.9964),
        ("00:01:00;02", NTSC, 1800 / NTSC),
        ("00:10:00;00", NTSC, 17982 / NTSC),
        ("00;01;00;04", Fraction(60000, 1001), 3600 / Fraction(60000, 1001)),
        ("00:00:01:23", frame_rate(23.976), 47 * 1.001 / 24),
        ("00:00:01:199", Fraction(200), 1.995),
    ],
)
def test_timecode(word, rate, seconds):
    assert seconds_at(word, rate) == pytest.approx(float(seconds), abs=1e-9)


@pytest.mark.parametrize("word", ["1:2:3:4", "00:00:00:25", "00:60:00:00", "-0:00:00:01", "", "x"])
def test_no_timecode(word):
    with pytest.raises(ValueError, match=r"timecode|frame|60"):
        seconds_at(word, PAL)


def test_edit_lists(reading):
    assert reading("a.edl", RESOLVE) == [(3605.0, "Marker 1"), (3612.48, "silence 4")]
    assert reading("a.edl", AVID) == [(3607.84, "the door"), (3618.2, "stop")]
    times = [time_s for time_s, _ in reading("a.EDL", EVENTS)]
    assert times == [0.0, pytest.approx(3 + 16 / 24)]
    dropping = AVID.replace("NON-DROP", "DROP")
    assert reading("a.edl", dropping)[0][0] == pytest.approx((3607 * 30 + 21 - 2 * 54) * 1.001 / 30)


def test_timelines_that_begin_at_an_hour_are_taken_from_their_start(tmp_path):
    path = tmp_path / "marks.edl"
    path.write_text(RESOLVE)
    assert hits(str(path)).points == (
        HitPoint(5.0, name="Marker 1"), HitPoint(12.48, "silence", 4.0, "silence 4"),
    )  # fmt: skip
    assert hits(str(path), 4000.0).points[0].time_s == 3605.0
    with pytest.raises(BadInput, match=r"12.48 s .silence 4. lies behind the end"):
        hits(str(path), 10.0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "premiere.csv",
            "\ufeff".encode("utf-16-le")
            + "Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type\n"
            "door\t\t00:00:03:05\t00:00:03:05\t00:00:00:00\tComment\n"
            "\tstop\t00:00:10:00\t00:00:10:00\t00:00:00:00\tComment\n".encode("utf-16-le"),
        ),
        (
            "audition.csv",
            "Name\tStart\tDuration\tTime Format\tType\tDescription\n"
            "door\t0:03.200\t0:00.000\tdecimal\tCue\t\nstop\t0:10.000\t0:00.000\tdecimal\tCue\t\n",
        ),
        (
            "resolve.csv",
            '"#","Reel","V","C","Source In","Record In","Record Out","Name","Notes"\n'
            '1,x,V1,C,00:10:00:00,00:00:03:05,00:00:04:00,"door","a, b"\n\n'
            "2,x,V1,C,00:10:00:00,00:00:10:00,00:00:11:00,stop,\n",
        ),
        ("plain.txt", "time,name\n10,stop\n3.2,door\n"),
        ("half.tsv", "Time (s);Text\r\n3.2;door\r\n0:00:10;stop\r\n"),
    ],
)
def test_tables(reading, name, text):
    assert reading(name, text) == [(3.2, "door"), (10.0, "stop")]


def time_(value, rate=24.0):
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value}


def range_(start, length, rate=24.0):
    return {
        "OTIO_SCHEMA": "TimeRange.1", "start_time": time_(start, rate),
        "duration": time_(length, rate),
    }  # fmt: skip


def mark(at, name, rate=24.0):
    return {"OTIO_SCHEMA": "Marker.2", "name": name, "marked_range": range_(at, 0, rate)}


def timeline(*children, marks=(), wide=()):
    track = {"OTIO_SCHEMA": "Track.1", "children": list(children), "markers": list(wide)}
    stack = {"OTIO_SCHEMA": "Stack.1", "children": [track], "markers": list(marks)}
    return {"OTIO_SCHEMA": "Timeline.1", "global_start_time": time_(86400), "tracks": stack}


def clip(start, length, *marks, rate=24.0):
    return {
        "OTIO_SCHEMA": "Clip.2", "source_range": range_(start, length, rate),
        "markers": list(marks), "media_references": {},
    }  # fmt: skip


def test_opentimelineio(reading):
    media = {"OTIO_SCHEMA": "ExternalReference.1", "available_range": range_(0, 48)}
    whole = {"OTIO_SCHEMA": "Clip.1", "media_reference": media, "markers": [mark(24, "in media")]}
    fade = {"OTIO_SCHEMA": "Transition.1", "in_offset": time_(12), "out_offset": time_(12)}
    content = timeline(
        {"OTIO_SCHEMA": "Gap.1", "source_range": range_(0, 24)},
        clip(240, 48, mark(252, "in clip"), mark(230, "cut off"), mark(300, "cut off too")),
        fade,
        whole,
        clip(0, 50, mark(25, "other rate", 25.0), rate=25.0),
        marks=[mark(12, "over all")],
        wide=[mark(36, "on track")],
    )
    assert reading("a.otio", json.dumps(content)) == [
        (0.5, "over all"), (1.5, "on track"), (1.5, "in clip"), (4.0, "in media"),
        (6.0, "other rate"),
    ]  # fmt: skip


def test_a_nested_stack_shows_what_its_range_shows(reading):
    inner = {
        "OTIO_SCHEMA": "Stack.1", "source_range": range_(24, 24), "markers": [mark(30, "own")],
        "children": [clip(0, 72, mark(40, "seen"), mark(60, "hidden"))],
    }  # fmt: skip
    content = timeline(clip(0, 24), inner)
    assert reading("a.otio", json.dumps(content)) == [
        (1.25, "own"), (pytest.approx(1 + 16 / 24), "seen"),
    ]  # fmt: skip


def deep(levels):
    item = clip(0, 1)
    for _ in range(levels):
        item = {"OTIO_SCHEMA": "Stack.1", "children": [item]}
    return item


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.edl", "", "no event of an edit list"),
        ("a.edl", "hello\n" * 10, "no event of an edit list"),
        ("a.edl", b"\xff\xfe\x00", "cannot read"),
        ("a.edl", AVID.replace("07:21", "07:29"), "say it in a line such as '[*] FPS: 25'"),
        ("a.edl", "* FPS: 999\n" + AVID, "a frame rate is 1 to 240"),
        ("a.csv", "", "no column of times"),
        ("a.csv", "name,where\na,b\n", "no column of times in its first line .name, where."),
        ("a.csv", "time,name\n", "holds no markers"),
        ("a.csv", "time,name\nsoon,x\n", "line 2: 'soon' is not a time"),
        ("a.csv", "time,name\n-4,x\n", "is negative"),
        ("a.csv", "name,time\nx\n", "line 2: ''"),
        ("a.csv", "time\n00:00:01:40\n", "has frame 40"),
        ("a.csv", 'time,name\n1,"' + "x" * 200_000 + '"\n', "field larger"),
        ("a.otio", "[1]", "not an OpenTimelineIO timeline"),
        ("a.otio", "{", "Expecting"),
        ("a.otio", "[" * 100_000, "recursion"),
        ("a.otio", json.dumps(timeline()), "holds no markers"),
        ("a.otio", json.dumps(timeline(deep(MAX_DEPTH))), "nested more than"),
        ("a.otio", json.dumps(timeline(3)), "expected an item"),
        ("a.otio", json.dumps(timeline(marks=[{}])), "expected a marker"),
        ("a.otio", json.dumps(timeline(marks=[mark(1, "x", rate=0)])), "RationalTime"),
        ("a.otio", json.dumps(timeline(marks=[mark("9" * 400, "x")])), "RationalTime"),
        ("a.otio", json.dumps(timeline(marks=[mark(float("nan"), "x")])), "RationalTime"),
        ("a.otio", json.dumps(timeline(marks=[mark(10**400, "x")])), "digits|RationalTime"),
        ("a.otio", '{"OTIO_SCHEMA":"Timeline.1"}', "expected an item"),
    ],
)  # fmt: skip
def test_damaged_and_hostile_files(reading, name, text, said):
    with pytest.raises(BadInput, match=said):
        reading(name, text)


def test_missing_pipes_and_huge_files(tmp_path):
    for name in ("none.edl", "."):
        with pytest.raises(BadInput, match="no such file"):
            read_markers(tmp_path / name, film_rate=PAL)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(BadInput, match="no such file"):
        read_markers(tmp_path / "pipe.csv", film_rate=PAL)
    with (tmp_path / "huge.edl").open("wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(BadInput, match="larger than"):
        read_markers(tmp_path / "huge.edl", film_rate=PAL)


def test_names_are_made_harmless(reading):
    ((_, name),) = reading("a.csv", "time,name\n1,\x1b[31mred\x07 \u202e and " + "x" * 500 + "\n")
    assert name.startswith("[31mred and xxx")
    assert len(name) == 80
    assert name.isprintable()


def test_before_the_start(tmp_path):
    content = timeline(marks=[mark(-5, "early"), mark(24, "in")])
    path = tmp_path / "a.otio"
    path.write_text(json.dumps(content))
    assert [marker.text for marker in read_markers(path, film_rate=PAL)] == ["in"]
    assert names_file(f" {path} ")
    assert not names_file("3.2, 17.5=stop")
    assert read_markers(path, film_rate=PAL) == (Marker(1.0, "in"),)
