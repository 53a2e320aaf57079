"""Chord labels simplified, annotations sampled; the corpora themselves where their data is."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from affetto.errors import BadInput, ConfigError
from affetto.gen.music.chords import NO_CHORD, chord_id, chord_symbol
from affetto.train.data.annotated import TimedChord, TimedKey, song, split_of
from affetto.train.data.billboard import is_minor, read_annotation, read_billboard
from affetto.train.data.corpora import Corpora, licence_of, read_songs
from affetto.train.data.harte import simplify
from affetto.train.data.pop909 import density_and_loudness, read_pop909

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared" / "data"
CORPORA = {
    "pop909": (read_pop909, DATA / "pop909"),
    "billboard": (read_billboard, DATA / "chord_corpora"),
}

ANNOTATION = """# title: A song
# artist: Nobody
# metre: 4/4
# tonic: D

0.0\tsilence
2.0\tA, intro, | D:min | G:min . . A:7 |, (synth)
6.0\tB, verse, | D:min | x2
# tonic: F
8.0\t| (2/4) F:maj | Bb:sus4(b7,9)/5 |, voice)
11.0\tZ
12.0\tend
"""


@pytest.mark.parametrize(
    ("label", "symbol"),
    [
        ("N", "N"), ("X", "N"), ("C", "C"), ("C:maj", "C"), ("Bb:maj(9)/3", "A#"),
        ("Cb:min", "B:min"), ("F#:5", "F#"), ("E:1", "E"), ("E:1(b3,b7)/b7", "E:min7"),
        ("C:maj/b7", "C:7"), ("C:maj/7", "C:maj7"), ("C:min/b7", "C:min7"), ("C:maj/9", "C"),
        ("G:sus4(b7,9)", "G:sus4"), ("G:11", "G:sus4"), ("D:sus2", "D:sus2"), ("D:9", "D:7"),
        ("D:13", "D:7"), ("D:7(#9)", "D:7"), ("D:maj13", "D:maj7"), ("D:maj6(9)", "D:maj6"),
        ("D:min11", "D:min7"), ("D:min6", "D:min6"), ("D:minmaj7", "D:min"), ("D:dim", "D:dim"),
        ("D:dim7", "D:dim7"), ("D:dim/b7", "D:hdim7"), ("D:hdim7", "D:hdim7"),
        ("D:aug(b7)", "D:aug"), ("D:min7(*b3)", "D:7"), ("D:7(b5)", "D:7"),
    ],
)  # fmt: skip
def test_labels_by_interval_content(label, symbol):
    assert chord_symbol(simplify(label)) == symbol


@pytest.mark.parametrize("chord", range(157))
def test_the_vocabulary_is_its_own_simplification(chord):
    assert simplify(chord_symbol(chord)) == chord


@pytest.mark.parametrize("label", ["", "H:maj", "C:major", "C:maj/", "C:(x)", "C:maj(99x)", "c"])
def test_other_labels_are_refused(label):
    with pytest.raises(BadInput):
        simplify(label)


def test_seconds_are_sampled_at_their_middle_in_the_key_in_force():
    chords = [
        TimedChord(0.0, 1.6, chord_id("D")),
        TimedChord(1.6, 2.4, chord_id("A:7")),
        TimedChord(3.0, 4.0, chord_id("F#:min")),
    ]
    keys = [TimedKey(0.2, 2, False), TimedKey(3.0, 6, True)]
    made = song("x", chords, keys)
    assert [chord_symbol(int(c)) for c in made.chords] == ["C", "C", "N", "A:min"]
    assert made.chords.dtype == np.int16
    assert not made.minor
    assert len(song("x", [TimedChord(0.0, 1e4, 1)], keys).chords) == 300


def test_billboard_lines_bars_and_beats():
    chords, tonics = read_annotation(ANNOTATION)
    got = [(c.start_s, c.end_s, chord_symbol(c.chord)) for c in chords]
    expected = [
        (0.0, 2.0, "N"), (2.0, 4.0, "D:min"), (4.0, 4.5, "G:min"), (4.5, 5.0, "G:min"),
        (5.0, 5.5, "G:min"), (5.5, 6.0, "A:7"), (6.0, 7.0, "D:min"), (7.0, 8.0, "D:min"),
        (8.0, 9.0, "F"), (9.0, 11.0, "A#:sus4"), (11.0, 12.0, "N"),
    ]  # fmt: skip
    assert got == expected
    assert tonics == [(0.0, 2), (8.0, 5)]
    assert is_minor(chords, 2)
    assert not is_minor(chords, 5)
    assert not is_minor(chords, 1)


def test_splits_never_move():
    assert [split_of(f"song/{i}") for i in range(12)] == [
        "train", "train", "train", "train", "train", "val",
        "train", "train", "train", "train", "train", "train",
    ]  # fmt: skip


@pytest.mark.parametrize("corpus", list(CORPORA))
def test_a_missing_corpus_is_named(corpus, tmp_path):
    with pytest.raises(BadInput, match=str(tmp_path)):
        CORPORA[corpus][0](tmp_path, "test")


@pytest.mark.parametrize("corpus", list(CORPORA))
def test_corpus(corpus):
    read, root = CORPORA[corpus]
    if not root.is_dir():
        pytest.skip(f"{corpus} is not here")
    lines = (REPOSITORY / f"benchmarks/protocols/{corpus}_split.txt").read_text().splitlines()
    listed = [line.split() for line in lines if not line.startswith("#")]
    for split in ("train", "val", "test"):
        songs = read(root, split)
        assert [s.name for s in songs] == [name for name, part in listed if part == split]
        for s in songs:
            assert 20 <= len(s.chords) <= 300
            assert s.chords.dtype == np.int16
            assert s.chords.min() >= 0
            assert s.chords.max() < 157
            assert (s.chords != NO_CHORD).any()
        counts = Counter(np.concatenate([s.chords for s in songs]).tolist())
        common = {chord_symbol(chord) for chord, _ in counts.most_common(4)}
        assert common <= {"C", "A:min", "F", "G"}  # the key is right


def test_density_counts_notes_and_loudness_their_velocities():
    notes = np.array([[0.5, 1.5, 127], [1.0, 2.0, 100], [3.2, 3.3, 40]], dtype=np.float32)
    density, loudness = density_and_loudness(notes, 5)
    assert density.tolist() == [1, 2, 0, 1, 0]
    assert loudness[1] > loudness[0]
    assert loudness[2] == loudness[3] == 0
    many = np.tile(np.array([[0.0, 1.0, 127]], dtype=np.float32), (100, 1))
    assert density_and_loudness(many, 1)[1] == 1
    louder = density_and_loudness(notes * np.array([1, 1, 1.1], dtype=np.float32), 5)[1]
    assert louder[1] > loudness[1]


def test_scores_of_pop909_end_with_the_last_note_on_the_published_scale():
    root = CORPORA["pop909"][1]
    if not root.is_dir():
        pytest.skip("pop909 is not here")
    plain, songs = read_pop909(root, "val"), read_pop909(root, "val", scores=True)
    assert plain[0].density is None
    assert [song.name for song in songs] == [song.name for song in plain]
    for short, long in zip(songs, plain, strict=True):
        assert len(short.chords) == len(short.density) == len(short.loudness)
        assert np.array_equal(short.chords, long.chords[: len(short.chords)])
        assert short.density[-1] > 0 or len(short.chords) == len(long.chords)
    density = np.concatenate([song.density for song in songs])
    loudness = np.concatenate([song.loudness for song in songs])
    assert 9 < density.mean() < 12
    assert loudness.mean() == pytest.approx(0.175, abs=0.015)
    assert loudness.std() == pytest.approx(0.099, abs=0.015)


def test_corpora_that_have_no_scores_are_refused():
    with pytest.raises(ConfigError, match="billboard"):
        read_songs(Corpora(corpora=("billboard",)), "val", scores=True)


def test_licences_of_mixtures():
    assert licence_of(("pop909",)) == ("Apache-2.0; trained on POP909 (MIT).", True)
    assert licence_of(("pop909", "billboard"))[1]
    assert not licence_of(("pop909", "muvi_sync"))[1]
