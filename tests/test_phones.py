"""Sounds with times: visemes of any language, hearing, alignment with words, bad input."""

import shutil

import numpy as np
import pytest

from affetto.conditioning.alignment import Aligner
from affetto.conditioning.arpabet import IPA, to_arpabet, to_ipa
from affetto.conditioning.phones import (
    SpokenPhone,
    align_text,
    hear_phones,
    phone_posteriors,
    phone_symbols,
    posterior_windows,
)
from affetto.conditioning.visemes import VISEME_NAMES, VISEMES, is_closed, is_sound, visemes_of
from affetto.errors import BadInput
from affetto.train.data.synthesized_speech import Synthesized, synthesize, voiced_phones

TEXT = "My baby brother found five fishes by the pool, and Bob made a promise."


@pytest.fixture(scope="module")
def said() -> Synthesized:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    return synthesize(TEXT, voice="slt", key="said")


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("p", ("lips",)), ("pʰ", ("lips",)), ("v", ("lip_teeth",)), ("t͡ʃ", ("hush",)),
        ("aɪ", ("a", "ee")), ("oʊ", ("oh", "oo")), ("y", ("oo",)), ("ø", ("oo",)),
        ("œ̃", ("oh",)), ("ʁ", ("back",)), ("ç", ("back",)), ("ã", ("a",)), ("wa", ("w", "a")),
        ("", ("silence",)), ("ː", ("ah",)), ("?", ("ah",)),
    ],
)  # fmt: skip
def test_visemes_of_any_language(symbol: str, names: tuple[str, ...]) -> None:
    assert visemes_of(symbol) == names


def test_every_symbol_that_can_be_heard_has_a_viseme() -> None:
    for symbol in phone_symbols():
        if not symbol.startswith("<") and is_sound(symbol):
            assert set(visemes_of(symbol)) <= set(VISEME_NAMES)
    assert is_closed("m")
    assert is_closed("p͈")
    assert not is_closed("f")
    assert not is_closed("")
    assert not is_sound("ː")
    assert not is_sound("˥")


def test_arpabet_there_and_back() -> None:
    assert all(to_ipa(to_arpabet(symbol)) in (symbol, "ʌ") for symbol in IPA.values())
    assert to_arpabet("pʰ") == "P"
    assert to_arpabet("yː") == "UW"
    assert to_arpabet("ja") == "Y AA"
    assert all(set(to_arpabet(symbol).split()) <= IPA.keys() for symbol in VISEMES)


def test_heard_sounds_stand_where_they_are_said(said: Synthesized) -> None:
    heard = hear_phones(said.wav)
    starts = np.array([phone.start_s for phone in heard])
    ends = np.array([phone.end_s for phone in heard])
    assert (np.diff(starts) > 0).all()
    assert (ends > starts).all()
    assert all(0 <= phone.confidence <= 1 for phone in heard)
    errors = [
        min((abs(phone.start_s - one.start_s), one.start_s - phone.start_s) for one in heard
            if visemes_of(one.symbol) == visemes_of(phone.symbol))
        for phone in said.phones if is_closed(phone.symbol)
    ]  # fmt: skip
    near = [late for apart, late in errors if apart < 0.15]
    assert len(near) >= 0.8 * len(errors)
    assert abs(float(np.median(near))) < 0.02
    assert float(np.mean(np.abs(near) <= 0.04)) > 0.7


def test_words_place_sounds_better(said: Synthesized) -> None:
    placed = align_text(said.wav, TEXT)
    assert len(placed) == len(said.phones)
    late = [a.start_s - b.start_s for a, b in zip(placed, said.phones, strict=True)]
    assert abs(float(np.median(late))) < 0.015
    assert float(np.mean(np.abs(late) <= 0.04)) > 0.9


def test_words_that_no_dictionary_has(said: Synthesized) -> None:
    invented = synthesize("My zorbly flimmer is gone.", voice="slt", key="invented")
    assert 12 <= len(align_text(invented.wav, "My zorbly flimmer is gone.")) <= 24
    # A text that cannot be laid on the sound, or has figures, leaves what is heard.
    assert align_text(said.wav, "5 fishes") == hear_phones(said.wav)
    assert align_text(said.wav, " ,. ") == hear_phones(said.wav)


def test_wrong_text_is_refused_or_passed_over(
    said: Synthesized, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "Thank you thirty thirsty southern youths who chew zoo juice."
    assert align_text(said.wav, wrong) == hear_phones(said.wav)  # no path through it
    near = "My maybe rudder bound live wishes why a fool, an pop paid a promise."
    with pytest.raises(BadInput, match="not what is said"):
        monkeypatch.setattr("affetto.conditioning.phones.MOST_UNLIKE", 0.01)
        align_text(said.wav, near)


def test_pieces_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(0)
    wav = (0.1 * rng.standard_normal(16000 * 23)).astype(np.float32)
    pieces = list(posterior_windows(wav))
    assert len(pieces) == 3
    assert all(len(piece) <= 500 for piece in pieces)
    whole = phone_posteriors(wav)
    assert whole.shape == (1150, len(phone_symbols()))
    np.testing.assert_allclose(whole.sum(axis=1), 1.0, atol=1e-4)


def test_silence_and_bad_input() -> None:
    assert hear_phones(np.zeros(16000, np.float32)) == ()
    assert hear_phones(np.zeros(10, np.float32)) == ()
    with pytest.raises(BadInput, match="samples"):
        hear_phones(np.zeros((2, 100), np.float32))
    with pytest.raises(BadInput, match="samples"):
        hear_phones(np.zeros(0, np.float32))


def test_a_lost_aligner_says_so() -> None:
    assert Aligner().phones(np.zeros(800, np.float32), ["p", "a"] * 40) is None


def test_flites_list_is_read() -> None:
    assert voiced_phones("pau:0.2 m:0.3 ay:0.4 pau:0.5 ") == (
        SpokenPhone("m", 0.2, 0.3, 1.0),
        SpokenPhone("aɪ", 0.3, 0.4, 1.0),
    )
