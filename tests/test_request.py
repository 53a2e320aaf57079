import json
import string
import time
from pathlib import Path

import numpy as np
import pytest

from affetto.emotion import LABELS
from affetto.emotion_words import ALIASES, COMPOUNDS
from affetto.errors import BadInput, RequestError
from affetto.keyframe_file import MAX_KEYFRAMES
from affetto.request import (
    Auto,
    EmotionRequest,
    FreeText,
    Keyframe,
    Like,
    Mixture,
    Point,
    Share,
    Timeline,
    parse_request,
)


def one(label, strength=1.0):
    return Mixture((Share(label, strength),))


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("happy", one("happy")),
        ("  HAPPY ", one("happy")),
        ("angry:0.7", one("angry", 0.7)),
        ("angry : .7", one("angry", 0.7)),
        ("calm:0", one("calm", 0.0)),
        ("sad:0.6+surprised:0.4", Mixture((Share("sad", 0.6), Share("surprised", 0.4)))),
        ("joy:0.5 + Anger", Mixture((Share("happy", 0.5), Share("angry", 1.0)))),
        ("tense:0.6", Mixture((Share("fearful", 0.3), Share("angry", 0.3)))),
        ("Fearfully  surprised", Mixture((Share("fearful", 0.5), Share("surprised", 0.5)))),
        ("sadly angry:0.5", Mixture((Share("sad", 0.25), Share("angry", 0.25)))),
        ("tenderly tender", FreeText("tenderly tender")),
        ("va(-0.4,0.7)", Point(-0.4, 0.7, None)),
        ("VA ( -.4 , 1e-1 )", Point(-0.4, 0.1, None)),
        ("vad(-0.4,0.7,1)", Point(-0.4, 0.7, 1.0)),
        ("auto", Auto()),
        ("Counterpoint", Auto(against=True)),
        ("Auto", Auto()),
        ("like: my voice.wav", Like(Path("my voice.wav"))),
        ("bitter-sweet, hopeful at the end", FreeText("bitter-sweet, hopeful at the end")),
        ("happy, sad", FreeText("happy, sad")),
        ("traurig und müde", FreeText("traurig und müde")),
    ],
)
def test_each_form(text, target):
    assert parse_request(text) == EmotionRequest(target)


def test_timeline():
    assert parse_request("0=neutral; 2.5=happy:0.9; 6=sad:0.5").target == Timeline(
        (
            Keyframe(0.0, one("neutral"), "smooth"),
            Keyframe(2.5, one("happy", 0.9), "smooth"),
            Keyframe(6.0, one("sad", 0.5), "smooth"),
        )
    )


def test_timeline_clock_times_easing_points_and_last_semicolon():
    got = parse_request("0:05=va(0,1) linear; 1:30.5 = sad:0.6+calm:0.2 STEP;1:00:00=joy smooth;")
    assert got.target == Timeline(
        (
            Keyframe(5.0, Point(0.0, 1.0, None), "linear"),
            Keyframe(90.5, Mixture((Share("sad", 0.6), Share("calm", 0.2))), "step"),
            Keyframe(3600.0, one("happy"), "smooth"),
        )
    )


def test_needs_and_file():
    assert parse_request("a dark night").needs == "text"
    like = parse_request("like:sub/voice.wav")
    assert (like.needs, like.file) == ("face/voice", Path("sub/voice.wav"))
    for text in ("happy", "auto", "counterpoint", "va(0,0)", "0=happy;"):
        request = parse_request(text)
        assert (request.needs, request.file) == (None, None)


def test_every_label_and_alias_is_understood():
    for word in (*LABELS, *ALIASES):
        target = parse_request(word).target
        assert sum(share.strength for share in target.shares) == pytest.approx(1.0)
        assert {share.label for share in target.shares} <= set(LABELS)
    assert not set(ALIASES) & set(LABELS)


def test_the_seven_compounds_are_words_also_in_timelines():
    for name, (first, second) in COMPOUNDS.items():
        both = Mixture((Share(first, 0.5), Share(second, 0.5)))
        assert parse_request(name).target == both
        keyframes = parse_request(f"0={name}; 2={name}:0.5 linear").target.keyframes
        assert keyframes[0].target == both
        assert keyframes[1].easing == "linear"


@pytest.mark.parametrize(
    ("word", "near"),
    [("hapy", "happy"), ("angri", "angry"), ("terified", "terrified"), ("Suprised", "surprised")],
)
def test_unknown_word_offers_nearest(word, near):
    with pytest.raises(RequestError, match=f"unknown emotion '{word}': did you mean .*{near}"):
        parse_request(word)
    with pytest.raises(RequestError, match=f"did you mean .*{near}"):
        parse_request(f"0=happy; 3={word}:0.5")


def test_word_like_nothing_lists_all_forms():
    with pytest.raises(RequestError, match=r"contemptuous.*va\(-0.4,0.7\).*auto.*free text"):
        parse_request("cinematic")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" \t ", "empty"),
        ("angry:1.5", "strength of angry must be a number from 0 to 1, got '1.5'"),
        ("angry:-0.1", "got '-0.1': write for example angry:0.7"),
        ("angry:nan", "got 'nan'"),
        ("angry:inf", "got 'inf'"),
        ("angry:1e999", "got '1e999'"),
        ("angry:1_0", "got '1_0'"),
        ("angry:٠", "strength of angry"),
        ("angry:", "got ''"),
        ("angry:0.5:0.5", "got '0.5:0.5'"),
        ("angry:70%", "got '70%'"),
        ("sad++calm", "missing in 'sad\\+\\+calm'"),
        ("+", "missing"),
        ("sad:0.2+sorrow:0.3", "names sad twice"),
        ("va(1)", "needs 2 numbers from -1 to 1"),
        ("va(1,2)", "needs 2 numbers"),
        ("va(nan,0)", "needs 2 numbers"),
        ("va()", "needs 2 numbers"),
        ("vad(0,0)", "needs 3 numbers"),
        ("like:", "like: needs a file"),
        ("=", "keyframe 1"),
        (";", "unknown emotion"),
        ("0=happy;;2=sad", "keyframe 2 .*no '='.*2.5=happy:0.9"),
        ("0=happy; sad", r"keyframe 2 \('sad'\) has no '='"),
        ("0 happy; 2 sad", "keyframe 1 .*no '='"),
        ("0=happy; x=sad", "keyframe 2 .*'x' is not a time: write a keyframe as 2.5=happy"),
        ("-1=happy", "keyframe 1 .*negative"),
        ("nan=happy", "not a time"),
        ("1:75=happy", "60 or more"),
        ("1:61:00=happy", "60 or more"),
        ("25:00:00=happy", "later than 24 hours"),
        ("9e999=happy", "later than 24 hours"),
        ("0=happy; 0=sad", "keyframe 2 is at 0 s and keyframe 1 at 0 s: times must rise"),
        ("2=happy; 1.5=sad", "keyframe 2 is at 1.5 s and keyframe 1 at 2 s: times must rise"),
        ("0=happy; 2=", "keyframe 2 .*missing"),
        ("0=happy; 2=auto", "keyframe 2 .*A keyframe takes one of neutral"),
        ("0=happy; 2=sad quick", "keyframe 2 .*unknown emotion 'sad quick'"),
        ("0=happy; 2=sad:2", "keyframe 2 .*strength of sad"),
        ("very happy:0.5", "unknown emotion 'very happy'"),
        ("a\x00b", r"control character U\+0000 at place 2"),
        ("happy\nsad", r"U\+000A"),
        ("happy\x1b[31m", r"U\+001B"),
        ("a text \u202eyppah", r"U\+202E"),
        ("a \ud800 text", r"U\+D800"),
        ("word " * 900, "longer than 4096 bytes"),
        ("ü" * 2049, "longer than 4096 bytes"),
        ("missing.csv", "missing.csv: no such file"),
        ("no such folder/c.JSON", "no such file"),
        ("x" * 300 + ".csv", "x.csv"),
    ],
)
def test_refusals_say_what_and_how(text, message):
    with pytest.raises(RequestError, match=message):
        parse_request(text)


def random_target(rng):
    if rng.random() < 0.3:
        values = [float(rng.choice([-1, 0, 1, rng.uniform(-1, 1)])) for _ in range(3)]
        return Point(values[0], values[1], values[2] if rng.random() < 0.5 else None)
    labels = rng.choice(LABELS, size=rng.integers(1, 4), replace=False)
    strengths = [float(rng.choice([0, 1, 0.5, rng.random(), rng.random() * 1e-6])) for _ in labels]
    pairs = zip(labels, strengths, strict=True)
    return Mixture(tuple(Share(str(label), strength) for label, strength in pairs))


def random_request(rng):
    if rng.random() < 0.5:
        return EmotionRequest(random_target(rng))
    times = np.unique(rng.choice([0, 1e-6, 1.5, 60.0, *rng.uniform(0, 7200, 6)], size=5))
    easings = rng.choice(["smooth", "linear", "step"], size=len(times))
    keyframes = (
        Keyframe(float(time_s), random_target(rng), str(easing))
        for time_s, easing in zip(times, easings, strict=True)
    )
    return EmotionRequest(Timeline(tuple(keyframes)))


def test_str_round_trips():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        request = random_request(rng)
        assert parse_request(str(request)) == request
    for text in ("auto", "like:a b/c.wav", "very sad", "happy and sad"):
        request = parse_request(text)
        assert parse_request(str(request)) == request


def test_only_request_errors_escape_random_text():
    rng = np.random.default_rng(1)
    signs = [
        *string.printable,
        "happy",
        "sad:0.5",
        "va(",
        "0=",
        "1:30=",
        ";",
        "+",
        "auto",
        "é",
        "∞",
    ]
    started = time.perf_counter()
    understood = 0
    for _ in range(5000):
        text = "".join(rng.choice(signs, size=rng.integers(0, 12)))
        try:
            understood += bool(str(parse_request(text)))
        except RequestError:
            continue
    assert understood > 20
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "text", ["0" * 4000, ("1:" * 2000)[:-1], "a+" * 2000, "(" * 4000, "va(" * 1300]
)
def test_long_texts_are_refused_quickly(text):
    started = time.perf_counter()
    with pytest.raises(RequestError):
        parse_request(text)
    assert time.perf_counter() - started < 0.2


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


WANT = parse_request("0=neutral; 90=sad:0.6+calm:0.2 linear; 95.5=va(-0.5,0.25)").target.keyframes


def test_keyframes_from_csv(tmp_path):
    text = (
        "\ufeffTime,emotion,valence,arousal,easing\n0,neutral,,,\n"
        "1:30,sad:0.6+calm:0.2,,,linear\n\n95.5,,-0.5,0.25,\n"
    )
    request = parse_request(write(tmp_path / "my curve.csv", text))
    assert request.target.keyframes == WANT
    assert request.file == tmp_path / "my curve.csv"
    assert parse_request(str(request)) == request


def test_keyframes_from_json(tmp_path):
    rows = [
        {"time": 0, "emotion": "neutral"},
        {"time": "1:30", "emotion": "sad:0.6+calm:0.2", "easing": "linear"},
        {"time": 95.5, "valence": -0.5, "arousal": 0.25},
    ]
    request = parse_request(write(tmp_path / "curve.json", json.dumps(rows)))
    assert request.target.keyframes == WANT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a timeline has 1 to"),
        ("time,emotion\n", "a timeline has 1 to"),
        ("time,emotion\n0,happy\n0,sad\n", "keyframe 2 is at 0 s"),
        ("time,emotion\n0,hapy\n", "bad.csv, keyframe 1 .*did you mean happy"),
        ("time,emotion\n0,happy,1\n", "line 2 has 3 cells"),
        ("time,emotion,time\n0,happy,1\n", "twice"),
        ("time,mood\n0,happy\n", "unknown names mood"),
        ("time_s,kind,log_var_0,valence,arousal,neutral\n0,requested,0,0,0,1\n", "unknown names"),
        ("time,mood\n0,happy\n", "expected columns time,emotion"),
        ("time,emotion\n0\n", "keyframe 1: got time; expected"),
        ("time,valence\n0,1\n", "valence and arousal go together"),
        ("time,valence,arousal\n0,1,nan\n", "keyframe 1 .*needs 2 numbers"),
        ("time,emotion,valence,arousal\n0,happy,0,0\n", "keyframe 1: got time, emotion"),
        ("time,emotion,easing\n0,happy,fast\n", "easing is smooth, linear, step; got 'fast'"),
        ("time,emotion\n0,auto\n", "unknown emotion 'auto'"),
        ("time,emotion\n0,ha\x00ppy\n", "bad.csv"),
        ('time,emotion\n0,"happy\n', "bad.csv"),
        (
            "time,emotion\n" + "".join(f"{i},happy\n" for i in range(MAX_KEYFRAMES + 1)),
            "1 to 10000",
        ),
        ("time,emotion\n" + "0,happy\n" * 40_000, "larger than the 262144 bytes"),
        ('time,emotion\n0,"' + "x" * 200_000 + '"', "bad.csv"),
    ],
)
def test_bad_keyframe_csv(tmp_path, text, message):
    with pytest.raises(RequestError, match=message):
        parse_request(write(tmp_path / "bad.csv", text))


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[", "[" * 50_000, "3", "[3]", '["happy"]', "[{}]", "[[]]", '[{"time": 0}]',
        '[{"emotion": "happy"}]', '[{"time": NaN, "emotion": "happy"}]',
        '[{"time": 1e999, "emotion": "happy"}]', '[{"time": null, "emotion": "happy"}]',
        '[{"time": true, "emotion": "happy"}]', '[{"time": 0, "emotion": ["happy"]}]',
        '[{"time": 0, "emotion": "happy", "extra": 1}]', '[{"time": {"a": 1}, "emotion": "sad"}]',
        '[{"time": ' + "1" * 5000 + ', "emotion": "sad"}]', "[]",
    ],
)  # fmt: skip
def test_bad_keyframe_json(tmp_path, text):
    with pytest.raises(RequestError, match=r"bad\.json"):
        parse_request(write(tmp_path / "bad.json", text))


def test_limits_are_inclusive(tmp_path):
    rows = "".join(f"{i},happy\n" for i in range(MAX_KEYFRAMES))
    request = parse_request(write(tmp_path / "long.csv", "time,emotion\n" + rows))
    assert len(request.target.keyframes) == MAX_KEYFRAMES
    assert issubclass(RequestError, BadInput)


def test_folder_named_like_a_file(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RequestError, match="no such file"):
        parse_request(str(tmp_path / "folder.csv"))
