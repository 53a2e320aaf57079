"""Other players for the same notes."""

import pytest

from affetto.errors import BadInput
from affetto.gen.music.arrange import INSTRUMENTS
from affetto.gen.music.recast import check_casting, parse_casting, recast
from affetto.soundtrack import Note, Part


def part(name, *pitches, is_drum=False):
    notes = tuple(Note(i * 0.5, i * 0.5 + 0.4, pitch, 80) for i, pitch in enumerate(pitches))
    return Part(name, INSTRUMENTS[name].program, is_drum, notes)


PIANO = part("piano", 60, 64, 67)
BASS = part("bass", 30, 33, 40)
DRUMS = part("drums", 36, 38, 42, is_drum=True)
PARTS = (PIANO, BASS, DRUMS)


def test_a_swap_keeps_notes_in_range_and_leaves_the_others_alone():
    found = recast(PARTS, (("piano", "harp"),))
    assert found[1:] == PARTS[1:]
    assert (found[0].name, found[0].program, found[0].notes) == ("harp", 46, PIANO.notes)


@pytest.mark.parametrize("name", [n for n in INSTRUMENTS if n not in ("drums", "bass")])
def test_every_instrument_plays_it_in_its_own_range(name):
    (found,) = recast((BASS,), (("bass", name),))
    into = INSTRUMENTS[name]
    pairs = list(zip(BASS.notes, found.notes, strict=True))
    assert all(into.low <= new.pitch <= into.high for _, new in pairs)
    assert all((new.pitch - old.pitch) % 12 == 0 for old, new in pairs)
    assert all((new.start_s, new.velocity) == (old.start_s, old.velocity) for old, new in pairs)


def test_octaves_that_fall_together_are_played_once():
    notes = (Note(0.0, 1.0, 48, 80), Note(0.0, 2.0, 96, 90), Note(0.5, 1.0, 48, 70))
    (found,) = recast((Part("piano", 0, False, notes),), (("piano", "timpani"),))
    assert [(n.start_s, n.pitch) for n in found.notes] == [(0.0, 48), (0.5, 48)]
    assert found.notes[0].end_s == 0.5


def test_a_mute_leaves_the_part_out_and_absent_names_change_nothing():
    assert recast(PARTS, (("drums", None), ("flute", "oboe"))) == PARTS[:2]


@pytest.mark.parametrize(
    ("swaps", "mutes", "words"),
    [
        (["flute=harp"], [], "no part 'flute'"),
        (["piano=hrp"], [], "harp"),
        (["piano=bass"], [], "plays already"),
        (["piano=drums"], ["drums"], "plays already"),
        (["piano"], [], "such as piano=harp"),
        (["drums=piano"], ["piano"], "plays already"),
        (["drums=flute"], [], "no pitches"),
        ([], ["piano", "bass", "drums"], "nothing would be left"),
    ],
)
def test_what_cannot_be_is_said(swaps, mutes, words):
    with pytest.raises(BadInput, match=words):
        check_casting(PARTS, parse_casting(swaps, mutes))


def test_a_casting_may_go_on_from_itself():
    casting = parse_casting(["piano=harp", "harp=celesta"], ["Drums"])
    check_casting(PARTS, casting)
    assert [p.name for p in recast(PARTS, casting)] == ["celesta", "bass"]
