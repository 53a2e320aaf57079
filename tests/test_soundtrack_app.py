"""The whole job on a small film: every file right and audible, every bad input one sentence."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pretty_midi
import pytest
import soundfile

from affetto.apps.cli import main
from affetto.apps.soundtrack import models_of, run
from affetto.apps.soundtrack_job import Job
from affetto.apps.verify import verify
from affetto.clip import Clip
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.music.chord_names import read_chord_name
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.midi_reading import read_midi
from affetto.media_write import write_clip
from affetto.request import parse_request
from affetto.soundtrack import ChordSpan
from affetto.weights import SHIPPED_FOLDER

FPS = Fraction(12)
SHOTS_S = (3.0, 2.5, 4.0, 2.5)
COLOURS = ((200, 180, 60), (20, 30, 60), (180, 60, 60), (90, 160, 220))


def frames(shots_s=SHOTS_S, size=(120, 160)):
    rng = np.random.default_rng(1)
    for length_s, colour in zip(shots_s, COLOURS, strict=False):
        texture = rng.integers(-20, 20, (*size, 1))
        for index in range(round(length_s * FPS)):
            picture = np.roll(texture, index, axis=1) + np.array(colour)
            yield np.clip(picture, 0, 255).astype(np.uint8)


def speech_like(duration_s, rate=22_050):
    time_s = np.arange(round(duration_s * rate)) / rate
    burst = (time_s % 4 > 2) * (0.5 + 0.5 * np.sin(2 * np.pi * 4 * time_s))
    voice = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, 16))
    return (0.1 * burst * voice)[None].astype(np.float32)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    write_clip(frames(), FPS, path, wav=speech_like(sum(SHOTS_S)), sample_rate=22_050)
    return path


@pytest.fixture(scope="module")
def made(film):
    out = film.parent / "made"
    markers = film.parent / "markers.csv"
    markers.write_text("Name,Start\ndoor,0:04.700\n")
    code, text = command(
        "soundtrack", film, "--out", out, "--seed", 5, "--json", "--emotion", "0=calm;7=excited",
        "--hits", markers,
    )  # fmt: skip
    assert code == 0
    return out, json.loads(text)


def command(*words):
    """Run the command line in this process; its exit code and standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "affetto.apps.cli", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


def test_weights_option_names_both_sets():
    clean = models_of("clean").weights
    assert [weights.name for weights in clean] == [
        "music_chords_clean",
        "music_dynamics_clean",
        "music_melody",
    ]
    for weights in clean:
        assert weights.commercial
        assert weights.licence.startswith("Apache-2.0")
        assert "muvi_sync" not in weights.trained_on
    default = models_of("default").weights
    assert [weights.name for weights in default] == [
        "music_chords",
        "music_dynamics",
        "music_melody",
    ]
    folder = str(SHIPPED_FOLDER / "music_chords_clean")
    assert [weights.name for weights in models_of(folder).weights] == [
        folder,
        "music_dynamics",
        "music_melody",
    ]


def test_every_file_is_there_and_listed(made):
    out, result = made
    found = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert found == set(result["files"])
    assert {
        "film.mp4",
        "mix.wav",
        "music.mid",
        "chords.txt",
        "lead.musicxml",
        "report.html",
        "recipe.json",
    } <= found
    assert len([name for name in found if name.startswith("stems/")]) >= 4


def test_film_mix_and_stems_say_what_they_are(made):
    out, _ = made
    for path in (out / "film.mp4", out / "mix.wav", *(out / "stems").glob("*.wav")):
        verdict = verify(path)
        assert (verdict.state, verdict.signed_here) == ("intact", True)
        generated = "trainedAlgorithmicMedia"
        composite = "compositeWithTrainedAlgorithmicMedia"
        assert verdict.source == (generated if path.parent.name == "stems" else composite)
        assert [one.good for one in verdict.findings if one.kind == "recipe"] == [True]


def test_the_users_marker_is_met_and_told(made, film):
    out, answer = made
    (met,) = answer["hits"]
    assert (met["time_s"], met["name"], met["on"]) == (4.7, "door", "downbeat")
    assert abs(met["error_ms"]) < 1
    assert "1 of your 1 moments" in (out / "report.html").read_text()
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["config"]["hits"] == "markers.csv"
    assert "markers.csv" in [one["name"] for one in recipe["inputs"]]
    assert json.loads((out / "composition.json").read_text())["asked"]["hits"] == "4.7"
    assert "hit 1: door" in [marker.text for marker in read_midi(out / "music.mid").markers]


def test_lengths_and_picture_are_the_films(made, film):
    out, result = made
    assert abs(result["music_duration_error_ms"]) < 10
    before, after = Clip.open(film), Clip.open(out / "film.mp4")
    assert abs(after.duration_s - before.duration_s) < 0.01
    for (_, one), (_, other) in zip(before.frames(), after.frames(), strict=True):
        assert np.array_equal(one, other)


def test_the_mix_is_as_loud_as_asked_and_does_not_clip(made):
    import pyloudnorm

    out, result = made
    samples, rate = soundfile.read(out / "mix.wav")
    measured = pyloudnorm.Meter(rate).integrated_loudness(samples)
    assert abs(measured - -16) < 0.5
    assert abs(measured - result["integrated_lufs"]) < 0.1
    assert np.abs(samples).max() <= 10 ** (-1 / 20) + 1e-4
    assert result["true_peak_dbtp"] <= -1 + 0.05


def test_no_stem_is_silent_and_all_have_the_mixs_length(made):
    out, _ = made
    length = soundfile.info(out / "mix.wav").frames
    for path in (out / "stems").glob("*.wav"):
        samples, _ = soundfile.read(path)
        assert len(samples) == length, path.name
        assert np.sqrt(np.mean(samples**2)) > 1e-4, path.name


def test_the_chords_written_are_the_chords_heard(film, tmp_path, listening):
    """Measured on the music alone, against the same chords in a shuffled order."""
    out = tmp_path / "music"
    words = ("--emotion", "calm", "--no-original-sound", "--quiet")
    code, _ = command("soundtrack", film, "--out", out, *words)
    assert code == 0
    spans = []
    for event in pretty_midi.PrettyMIDI(str(out / "music.mid")).text_events:
        symbol = read_chord_name(event.text)
        if spans:
            spans[-1] = replace(spans[-1], end_s=event.time)
        spans.append(ChordSpan(event.time, sum(SHOTS_S), symbol))
    heard, shuffled = listening.chord_hits(out / "mix.wav", spans)
    assert heard > 0.6
    assert heard > shuffled + 0.2


def test_notes_chords_and_page_can_be_read_back(made):
    out, result = made
    piece = read_midi(out / "music.mid")
    assert abs(piece.duration_s - result["duration_s"]) < 0.01
    assert len(piece.parts) >= 4
    assert sum("cut" in marker.text for marker in piece.markers) == len(SHOTS_S) - 1
    assert len(read_chord_sheet(out / "chords.txt").steps) >= 4
    page = (out / "report.html").read_text()
    HTMLParser().feed(page)
    assert "http://" not in page.replace("http://www.w3.org", "")
    recipe = json.loads((out / "recipe.json").read_text())
    assert recipe["seed"] == 5
    assert {row["name"] for row in recipe["weights"]} == {
        "music_chords",
        "music_dynamics",
        "music_melody",
    }
    assert str(out.parent) not in json.dumps(recipe)


def test_same_seed_same_content_and_the_chord_sheet_plays_again(made, film):
    out, _result = made
    words = ("soundtrack", film, "--seed", 5, "--json", "--emotion", "0=calm;7=excited")
    words += ("--hits", film.parent / "markers.csv")
    again = out.parent / "again"
    code, _ = command(*words, "--out", again, "--chords", out / "chords.txt")
    assert code == 0
    hashes = [
        json.loads((folder / "recipe.json").read_text())["content_sha256"]
        for folder in (out, again)
    ]
    assert hashes[0] == hashes[1]


def test_the_emotion_curve_can_be_handed_back(made):
    out, _ = made
    track = request_to_track(parse_request(str(out / "emotion.csv")), duration_s=sum(SHOTS_S))
    assert track.vad[0, 1] < 0 < track.vad[-1, 1]
    assert EmotionTrack.load(out / "measured_emotion.json").kind == "evoked"


def test_music_may_be_shorter_than_the_film(film, tmp_path):
    code, text = command(
        "soundtrack",
        film,
        "--out",
        tmp_path / "out",
        "--length",
        6,
        "--no-original-sound",
        "--no-provenance",
        "--quiet",
    )
    assert code == 0
    assert verify(tmp_path / "out" / "mix.wav").state == "nothing"
    assert not json.loads((tmp_path / "out" / "recipe.json").read_text())["config"]["provenance"]
    assert text.startswith("Music of 6.00 s in")
    samples, rate = soundfile.read(tmp_path / "out" / "mix.wav")
    assert abs(len(samples) / rate - sum(SHOTS_S)) < 0.01
    assert np.abs(samples[: 6 * rate]).max() > 0.05
    assert np.abs(samples[8 * rate :]).max() < 0.02


@pytest.mark.parametrize(("num_frames", "size"), [(1, (120, 160)), (24, (1, 1))])
def test_the_smallest_films_get_their_music(tmp_path, num_frames, size):
    path, out = tmp_path / "film.mp4", tmp_path / "out"
    write_clip((np.full((*size, 3), 90, np.uint8) for _ in range(num_frames)), FPS, path)
    result = run(Job(video=path, out=out))
    assert abs(result.music_duration_error_ms) < 10
    assert Clip.open(out / "film.mp4").duration_s == pytest.approx(num_frames / 12, abs=0.01)


def test_the_first_bars_can_be_heard_before_the_rest(film, tmp_path):
    told = []

    def opened(path):
        told.append((path, soundfile.info(path).duration, (tmp_path / "out").exists()))

    run(Job(video=film, out=tmp_path / "out", tempo_bpm=200.0, provenance=False), opened=opened)
    ((path, seconds, was_done),) = told
    assert path == tmp_path / "out.preview.wav"
    assert 5 < seconds < 11
    assert not was_done
    assert sorted(tmp_path.iterdir()) == [tmp_path / "out"]


def bad_inputs(folder, film):
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is not a film\n" * 100)
    (folder / "cut.mp4").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    soundfile.write(folder / "sound.wav", np.zeros(8000), 8000)
    (folder / "bad.txt").write_text("key: C\n| C | Xyz |\n")
    (folder / "bad.edl").write_text("this is not an edit list\n")
    (folder / "bad.sf2").write_bytes(b"RIFF\xff\xff\xff\xffsfbk" + b"\0" * 64)
    return {
        "missing": ([folder / "no.mp4"], 3, "no.mp4"),
        "empty": ([folder / "empty.mp4"], 3, "empty"),
        "text": ([folder / "text.mp4"], 3, "text.mp4"),
        "truncated": ([folder / "cut.mp4"], 3, "cut.mp4"),
        "sound only": ([folder / "sound.wav"], 3, "no video"),
        "unknown word": ([film, "--emotion", "hapy"], 3, "happy"),
        "timeline": ([film, "--emotion", "0=happy; x=sad"], 3, "keyframe"),
        "like": ([film, "--emotion", "like:none.wav"], 3, "none.wav"),
        "key": ([film, "--key", "H"], 3, "tonic"),
        "tempo": ([film, "--tempo", "5"], 3, "40"),
        "instrument": ([film, "--instruments", "pianno"], 3, "piano"),
        "length": ([film, "--length", "1000"], 3, "film's"),
        "chords": ([film, "--chords", folder / "bad.txt"], 3, "line 2"),
        "hits": ([film, "--hits", "3,x"], 2, "not a time"),
        "late hit": ([film, "--hits", "3.2, 12.5"], 3, "from 0 to 12.00 s"),
        "markers": ([film, "--hits", folder / "bad.edl"], 3, "no event"),
        "soundfont": ([film, "--soundfont", folder / "bad.sf2"], 3, "bad.sf2"),
        "weights": ([film, "--weights", "huge"], 3, "music_chords"),
        "usage": ([film, "--loudness", "loud"], 2, "loudness"),
        "no place": ([film, "--out", folder / "text.mp4" / "x"], 4, "place"),
        "out is a file": ([film, "--out", folder / "text.mp4"], 3, "folder"),
    }


CASES = (
    "missing", "empty", "text", "truncated", "sound only", "unknown word", "timeline", "like",
    "key", "tempo", "instrument", "length", "chords", "hits", "late hit", "markers",
    "soundfont", "weights", "usage", "no place", "out is a file",
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_sentence_and_leaves_nothing(name, film, tmp_path, monkeypatch, capsys):
    words, code, said = bad_inputs(tmp_path, film)[name]
    before = {path.name for path in tmp_path.iterdir()}
    out = [] if "--out" in words else ["--out", tmp_path / "out"]
    monkeypatch.setattr(
        sys, "argv", ["affetto", "soundtrack", *map(str, [*words, *out]), "--quiet"]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    shown = capsys.readouterr().err
    assert stopped.value.code == code, shown
    assert said in shown
    assert {path.name for path in tmp_path.iterdir()} == before


def running(film, out, **options):
    words = [sys.executable, "-m", "affetto.apps.cli", "soundtrack", str(film), "--out", str(out)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_ctrl_c_leaves_nothing(film, tmp_path):
    process = running(film, tmp_path / "out")
    while "composing" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelled" in shown
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_nothing_and_says_so(film, tmp_path):
    import resource

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    process = running(film, tmp_path / "out", preexec_fn=limit)
    _, shown = process.communicate(timeout=110)
    assert process.returncode == 4, shown
    assert "space" in shown
    assert not list(tmp_path.iterdir())
