"""Lessons of the motion denoiser: speeches out of sentences, drawn emotions, own clips."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.conditioning.phones import SpokenPhone
from affetto.conditioning.visemes import VISEME_NAMES
from affetto.emotion import LABELS
from affetto.emotion_bank.codes import BankConfig, EmotionBank
from affetto.errors import BadInput
from affetto.gen.portrait.motion.hearing import viseme_track
from affetto.motion import CHANNELS, PLACE
from affetto.train.data.filmed_speeches import read_filmed
from affetto.train.data.heard_speeches import (
    RATE_HZ,
    Speech,
    joined,
    read_speeches,
    spoken,
    varied,
)
from affetto.train.data.motion_lessons import (
    RESERVED,
    VALIDATION,
    neutral_track,
    random_track,
    sound_of,
    split,
    taught,
)

PHONES = (
    SpokenPhone("b", 0.20, 0.30, 1.0),
    SpokenPhone("aɪ", 0.30, 0.55, 1.0),
    SpokenPhone("f", 0.55, 0.63, 1.0),
)


def _speech(name: str = "s", speaker: str = "someone", steps: int = 100) -> Speech:
    rng = np.random.default_rng(len(name))
    prosody = np.zeros((steps, 4), np.float32)
    prosody[10:40, 2:] = 1.0
    return Speech(name, speaker, rng.standard_normal((steps, 384)).astype("f2"), prosody, PHONES)


@pytest.fixture(scope="module")
def bank() -> EmotionBank:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EmotionBank(BankConfig()).eval().requires_grad_(False)


def test_visemes_fill_their_time_and_the_rest_is_silence() -> None:
    values = viseme_track(PHONES, 50).values[0]
    torch.testing.assert_close(values.sum(dim=-1), torch.ones(50))
    assert values[12, VISEME_NAMES.index("lips")] == 1.0
    assert values[29, VISEME_NAMES.index("lip_teeth")] == 1.0
    assert values[2, VISEME_NAMES.index("silence")] == 1.0
    diphthong = values[15:27]
    assert diphthong[:, VISEME_NAMES.index("a")].sum() > 0
    assert diphthong[:, VISEME_NAMES.index("ee")].sum() > 0
    nothing = viseme_track((), 5).values[0]
    assert (nothing[:, VISEME_NAMES.index("silence")] == 1.0).all()


def test_speeches_are_sentences_with_pauses() -> None:
    sentences = [lambda _, size=size: np.ones(size, np.float32) for size in (8000, 24000)]
    wav = joined(sentences, rng=np.random.default_rng(0))
    assert 8 * RATE_HZ < len(wav) < 13 * RATE_HZ
    assert 0.2 < (wav == 0).mean() < 0.7
    assert np.unique(wav).size == 2  # silence, and all sentences at one level
    assert np.array_equal(wav, joined(sentences, rng=np.random.default_rng(0)))


def test_an_unknown_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there are ravdess, emodb, synthesized"):
        list(read_speeches(tmp_path, tmp_path, ["radio"], per_speaker=1, per_voice=1))


def test_validation_is_other_people_and_nobody_reserved() -> None:
    assert not any(name.startswith(RESERVED) for name in VALIDATION)
    speeches = [_speech("a", VALIDATION[0]), _speech("bb", "ravdess/actor03")]
    ours, others = split(speeches)
    assert [one.name for one in ours] == ["bb"]
    assert [one.name for one in others] == ["a"]
    alone = [_speech("x" * n, "someone") for n in range(1, 10)]
    ours, others = split(alone)
    assert (len(ours), len(others)) == (7, 2)


def test_drawn_tracks_are_what_people_may_ask_for() -> None:
    rng = np.random.default_rng(0)
    tracks = [random_track(4.0, rng=rng) for _ in range(150)]
    changing = np.mean([np.ptp(track.probs, axis=0).max() > 0.01 for track in tracks])
    assert 0.2 < changing < 0.6
    strongest = {LABELS[int(track.probs.mean(axis=0).argmax())] for track in tracks}
    assert len(strongest) == len(LABELS)
    again = random_track(4.0, rng=np.random.default_rng(5))
    assert np.array_equal(again.probs, random_track(4.0, rng=np.random.default_rng(5)).probs)
    assert (neutral_track(3.0).probs[:, 0] == 1.0).all()


def test_the_teacher_speaks_each_speech_anew_and_never_blinks(bank: EmotionBank) -> None:
    speech = _speech()
    clips = taught([speech], bank, times=3, emotional=True, rng=np.random.default_rng(0))
    assert len(clips) == 3
    assert len({clip.liveliness for clip in clips}) == 3
    for clip in clips:
        assert clip.motion.shape == (50, len(CHANNELS))
        assert clip.emotion.shape == (50, 64)
        assert not clip.motion[:, PLACE["eyeBlinkLeft"]].any()
    assert sound_of(speech).shape == (100, 384 + len(VISEME_NAMES) + 4)


def test_own_clips_come_with_the_emotion_beside_them(tmp_path: Path) -> None:
    films, kept = tmp_path / "films", tmp_path / "kept"
    films.mkdir()
    kept.mkdir()
    speech = _speech()
    for name in ("plain", "merry"):
        (films / f"{name}.mp4").touch()
        np.savez(
            kept / f"{name}.npz",
            motion=np.zeros((50, len(CHANNELS)), np.float32),
            states=speech.states,
            prosody=speech.prosody,
            symbols=np.array([one.symbol for one in PHONES]),
            times=np.array([one[1:] for one in PHONES], np.float32),
        )
    random_track(2.0, rng=np.random.default_rng(1)).save(films / "merry.json")
    merry, plain = read_filmed(films, kept)
    assert merry.track is not None
    assert plain.track is None
    assert plain.speech.name == "plain"
    assert [one.symbol for one in plain.speech.phones] == ["b", "aɪ", "f"]
    with pytest.raises(BadInput, match="no films in"):
        list(read_filmed(kept, kept))


@pytest.mark.skipif(shutil.which("flite") is None, reason="needs the program flite")
def test_varied_speech_is_another_each_time_and_the_same_again() -> None:
    first, second = (varied(np.random.default_rng(seed), voice="slt") for seed in (1, 2))
    assert 0.5 < len(first) / RATE_HZ < 15
    assert len(first) != len(second)
    assert np.array_equal(first, varied(np.random.default_rng(1), voice="slt"))


def test_a_kept_speech_comes_back(tmp_path: Path) -> None:
    speech = _speech()
    arrays = {
        "states": speech.states,
        "prosody": speech.prosody,
        "symbols": np.array([one.symbol for one in PHONES]),
        "times": np.array([one[1:] for one in PHONES], np.float32),
    }
    back = spoken(arrays, "s", "someone")
    assert np.array_equal(back.states, speech.states)
    assert back.phones[1].symbol == "aɪ"
    assert back.phones[1].start_s == pytest.approx(0.3)
