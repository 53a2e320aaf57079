"""The report: valid, closed to the outside, escaped, stable, and readable at any length."""

import dataclasses
import itertools
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from affetto.apps.report import ReportData, write_report, write_report_picture
from affetto.apps.report_data import clock, meetings, mood_of
from affetto.apps.report_parts import local_address
from affetto.apps.report_plots import MAX_POINTS, thinned
from affetto.emotion import EMBEDDING_DIM, LABEL_VAD, LABELS, EmotionTrack
from affetto.soundtrack import Bar, ChordSpan, Cut, Dynamics, Note, Part, Soundtrack

VOID = {"meta", "img", "br", "input", "link", "hr"}


def emotion(duration_s, kind="evoked", phase=0.0):
    times = np.arange(0, max(duration_s, 1), 1.0, dtype=np.float32)
    turn = times / 9 + phase
    vad = np.stack([0.7 * np.sin(turn), 0.6 * np.cos(1.3 * turn), 0.1 * turn % 1], -1)
    distance = ((vad[:, None] - np.array([LABEL_VAD[name] for name in LABELS])) ** 2).sum(-1)
    probs = np.exp(-3 * distance)
    probs /= probs.sum(1, keepdims=True)
    number = len(times)
    return EmotionTrack(
        times=times,
        mean=np.zeros((number, EMBEDDING_DIM), np.float32),
        log_var=np.zeros((number, EMBEDDING_DIM), np.float32),
        vad=vad.astype(np.float32),
        vad_var=np.full((number, 3), 0.03, np.float32),
        probs=probs.astype(np.float32),
        confidence=np.ones(number, np.float32),
        kind=kind,
    )


def soundtrack(duration_s):
    number = max(1, round(duration_s / 2.2))
    edges = np.linspace(0, duration_s, number + 1)
    bars = tuple(Bar(float(a), float(b), 4) for a, b in itertools.pairwise(edges))
    names = ("A:min", "F", "C", "G:sus4", "A:min7", "D:hdim7", "E:7", "N")
    chords = tuple(
        ChordSpan(bar.start_s, bar.end_s, names[i % len(names)]) for i, bar in enumerate(bars)
    )
    notes = tuple(
        Note(bar.start_s, bar.end_s, 48 + 5 * k + i % 4, 80)
        for i, bar in enumerate(bars)
        for k in range(1 + i % 5)
    )
    times = np.arange(0, duration_s, 1.0)
    dynamics = Dynamics(times, 3 + 2 * np.sin(times / 7), 0.1 + 0.05 * np.sin(times / 5))
    return Soundtrack(
        duration_s, "A:min", bars, chords, (Part("Pad", 89, False, notes),), dynamics, ()
    )


def report(duration_s=60.0, num_shots=8, **changes):
    starts = tuple(np.linspace(0, duration_s, num_shots, endpoint=False).tolist())
    music = soundtrack(duration_s)
    times = np.arange(0, duration_s, 0.1)
    picture = np.random.default_rng(0).integers(0, 255, (num_shots, 9, 16, 3), dtype=np.uint8)
    data = ReportData(
        title="lantern_boat.mp4",
        film_file="film.mp4",
        duration_s=duration_s,
        soundtrack=music,
        emotion=emotion(duration_s, "requested"),
        measured_emotion=emotion(duration_s, "evoked", 0.4),
        cuts=tuple(Cut(start, 0.3 + 0.6 * (i % 3) / 2) for i, start in enumerate(starts[1:])),
        shot_starts_s=starts,
        thumbnails=np.repeat(np.repeat(picture, 10, 1), 10, 2),
        loudness_times_s=times,
        loudness_lufs=-18 + 4 * np.sin(times / 6),
        target_lufs=-16.0,
        ducking_times_s=times,
        ducking_gain_db=-9 * (np.sin(times / 4) > 0.6),
        measures=(
            ("Length against film", "0.3 ms", "The mix ends with the picture."),
            ("Integrated loudness", "-16.02 LUFS", "Asked for -16 LUFS (EBU R128)."),
            ("True peak", "-1.4 dBTP", "At most -1 dBTP."),
            ("Strong cuts met", "88 % (chance 6 %)", "Within 60 ms of a downbeat."),
        ),
        files=(
            ("film.mp4", "the film with its music"),
            ("mix.wav", "the mix"),
            ("stems/drums.wav", "drums alone"),
            ("stems/pad.wav", "pad alone"),
            ("music.mid", "the notes"),
        ),
        facts=(("Seed", "7"), ("Synthesizer", "tinysoundfont"), ("Weights", "music_chords")),
        command="affetto soundtrack lantern_boat.mp4 --seed 7",
        notices=("The shipped weights are for non-commercial use.",),
    )
    return dataclasses.replace(data, **changes)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(text):
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    return page


def written(tmp_path, data):
    write_report(tmp_path / "report.html", data)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_page_is_whole_closed_and_scriptless(tmp_path):
    text = written(tmp_path, report())
    page = parsed(text)
    tags = [tag for tag, _ in page.tags]
    assert "script" not in tags
    assert "link" not in tags
    assert not re.search(r"https?://|//\w|@import|url\((?!#)", re.sub(r"base64,[^\"]*", "", text))
    sources = [attrs.get("src") or attrs.get("poster") for _, attrs in page.tags]
    assert all(source.startswith(("./", "data:image/")) for source in sources if source)
    assert len([tag for tag in tags if tag == "audio"]) == 3
    assert "./stems/drums.wav" in sources
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert sum(attrs.get("role") == "img" for _, attrs in page.tags) == 4
    words = "".join(page.text)
    for wanted in ("AI-generated", "anybody's inner state", "Am7", "0:00", "-16.02 LUFS",
                   "non-commercial", "affetto soundtrack lantern_boat.mp4 --seed 7"):  # fmt: skip
        assert wanted in words
    assert "prefers-color-scheme:dark" in text
    assert "#0101" not in text
    assert len(text) < 3_000_000


def test_same_data_same_bytes(tmp_path):
    first = written(tmp_path / "a", report())
    assert first == written(tmp_path / "b", report())
    write_report_picture(tmp_path / "a.png", report())
    write_report_picture(tmp_path / "b.png", report())
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert picture == (tmp_path / "b.png").read_bytes()


def test_hostile_names_stay_text(tmp_path):
    evil = "\"><script>alert('x')</script><img src=//evil.example/x onerror=a()>&"
    text = written(
        tmp_path,
        report(
            title=evil, film_file="//evil.example/film.mp4", command=evil, facts=((evil, evil),),
            measures=((evil, evil, evil),), notices=(evil,),
            files=((f"{evil}.wav", evil), ("javascript:alert(1)", evil)),
        ),
    )  # fmt: skip
    page = parsed(text)
    assert "script" not in [tag for tag, _ in page.tags]
    for _, attrs in page.tags:
        assert not any(name.startswith("on") for name in attrs)
        for name in ("src", "href", "poster"):
            assert (attrs.get(name) or "./").startswith(("./", "data:image/", "#"))
    assert evil in "".join(page.text)


def test_local_address_stays_local():
    assert local_address("stems/a b#1.wav") == "./stems/a%20b%231.wav"
    assert local_address("//host/x") == "./host/x"
    assert local_address("javascript:x") == "./javascript%3Ax"


@pytest.mark.parametrize("duration_s", [0.04, 1.0, 7200.0])
def test_any_length(tmp_path, duration_s):
    shots = 700 if duration_s > 100 else 1
    data = report(duration_s, shots)
    text = written(tmp_path, data)
    parsed(text)
    assert len(text) < 3_000_000
    assert text.count("<li><img") == min(shots, 60)
    write_report_picture(tmp_path / "report.png", data)


def test_bare_film(tmp_path):
    silent = np.full(10, -np.inf)
    data = report(
        cuts=(), measured_emotion=None, ducking_times_s=None, ducking_gain_db=None,
        measures=(), files=(), facts=(), notices=(),
        loudness_times_s=np.arange(10.0), loudness_lufs=silent,
    )  # fmt: skip
    text = written(tmp_path, data)
    parsed(text)
    assert "no cuts" in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_dollar_signs_are_not_mathematics(tmp_path):
    parsed(written(tmp_path, report(title="$\\frac{1}{$ and $x$", command="a '$(x)' `b`")))


def test_meetings_are_signed_and_counted():
    data = report(10.0, cuts=(Cut(2.19, 0.5), Cut(5.0, 1.0), Cut(10.0, 0.2)))
    bars = tuple(Bar(s, s + 2.5, 4) for s in (0.0, 2.5, 5.0, 7.5))
    data = dataclasses.replace(data, soundtrack=dataclasses.replace(data.soundtrack, bars=bars))
    first, second, last = meetings(data)
    assert first.error_ms == pytest.approx(310)
    assert [first.hit, second.hit, last.hit] == [False, True, True]


def test_mood_of_a_stretch():
    track = emotion(30)
    mood = mood_of(track, 4.0, 9.0)
    assert mood.valence == pytest.approx(float(track.vad[4:9, 0].mean()))
    between = mood_of(track, 4.2, 4.3)
    assert between.valence == pytest.approx(float(track.vad[4, 0]))


def test_neutral_says_where_it_leans():
    track = emotion(3)
    probs = np.zeros((3, 11), np.float32)
    probs[:, LABELS.index("neutral")], probs[:, LABELS.index("calm")] = 0.6, 0.4
    track = dataclasses.replace(track, probs=probs)
    assert mood_of(track, 0, 3).label == "neutral to calm"
    track = dataclasses.replace(track, probs=probs[:, ::-1])
    assert mood_of(track, 0, 3).label == "tender"


def test_pictures_are_not_called_disgusted():
    track = dataclasses.replace(emotion(3), kind="evoked")
    probs = np.zeros((3, 11), np.float32)
    probs[:, LABELS.index("disgusted")], probs[:, LABELS.index("sad")] = 0.6, 0.4
    assert mood_of(dataclasses.replace(track, probs=probs), 0, 3).label == "sad"


def test_thinning_keeps_the_mean():
    values = np.sin(np.arange(72_000) / 900)
    times, fewer = thinned(np.arange(72_000.0), values)
    assert len(times) == len(fewer) == MAX_POINTS
    assert fewer.mean() == pytest.approx(values.mean(), abs=1e-3)
    assert thinned(np.arange(3), np.arange(3))[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (0, 0, "0:00"),
        (59.6, 0, "1:00"),
        (3661, 0, "1:01:01"),
        (4.26, 1, "0:04.3"),
        (9.999, 2, "0:10.00"),
    ],
)
def test_clock(seconds, decimals, text):
    assert clock(seconds, decimals=decimals) == text


def test_parts_must_belong_together():
    with pytest.raises(ValueError, match="one thumbnail"):
        report(shot_starts_s=(0.0,))
    with pytest.raises(ValueError, match="both ducking"):
        report(ducking_gain_db=None)
    with pytest.raises(ValueError, match="duration_s"):
        dataclasses.replace(report(), duration_s=0.0)
