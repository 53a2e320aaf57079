"""Chord colours: functions stay, the feeling decides how often, ends are left alone."""

import numpy as np

from affetto.gen.music.chords import chord_id, chord_symbol
from affetto.gen.music.colour import coloured

PLAIN = [chord_id(name) for name in ("A:min", "D:min", "E", "A:min", "F", "C", "G", "A:min") * 4]


def colour(valence: float, arousal: float, seed: int = 0) -> list[str]:
    feeling = (np.full(len(PLAIN), x) for x in (valence, arousal))
    found = coloured(PLAIN, *feeling, rng=np.random.default_rng(seed))
    return [chord_symbol(chord) for chord in found]


def test_a_tense_passage_gets_tritones_and_a_calm_one_sevenths() -> None:
    tense, calm = colour(-0.7, 0.7), colour(0.6, -0.6)
    assert {"G#:dim7", "B:hdim7"} <= set(tense)
    assert {"F:maj7", "C:maj7"} <= set(calm)
    assert not any("dim" in name for name in calm)


def test_without_feeling_hardly_anything_changes() -> None:
    plain = [chord_symbol(chord) for chord in PLAIN]
    assert sum(a != b for a, b in zip(colour(0.0, 0.0), plain, strict=True)) <= 4


def test_the_first_and_the_cadence_stay_and_seeds_repeat() -> None:
    found = colour(-0.7, 0.7, seed=3)
    assert found[0] == "A:min"
    assert found[-2:] == ["G", "A:min"]
    assert found == colour(-0.7, 0.7, seed=3)


def test_chords_give_way_to_the_dominant_of_the_next_where_it_is_not_dark() -> None:
    dominants = {"A:7": "D:min", "D:7": "G", "C:7": "F"}

    def applied(valence: float) -> int:
        count = 0
        for seed in range(8):
            found = colour(valence, 0.0, seed)
            for name, step in (
                (name, step) for step, name in enumerate(found) if name in dominants
            ):
                assert PLAIN[step + 1] == chord_id(dominants[name])
                count += 1
        return count

    assert applied(0.4) > applied(-0.3) > 0
    assert applied(-0.7) == 0
