"""The rule teacher and the finish: closures, lips, blinks, head, gaze, emotion, windows."""

import numpy as np
import pytest
import torch

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.condition import ConditionTrack
from affetto.conditioning.phones import SpokenPhone
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.gen.portrait.motion.blinks import blink_times, lid_course
from affetto.gen.portrait.motion.coarticulation import articulate, closure, lay_over
from affetto.gen.portrait.motion.finish import finish
from affetto.gen.portrait.motion.gaze import saccades, turned_back
from affetto.gen.portrait.motion.head import accents, sway
from affetto.gen.portrait.motion.rules import WIDTH_KEPT, speak
from affetto.motion import CHANNELS, PLACE, POSE, Motion
from affetto.request import parse_request

Floats = np.ndarray
SOUNDS = ("p", "a", "m", "i", "f", "u", "ʃ", "o", "b", "ɛ", "v", "w", "t", "aɪ")


def said(duration_s: float = 8.0, each_s: float = 0.12) -> tuple[SpokenPhone, ...]:
    """Sounds in turn, with a pause in the middle."""
    starts = [s for s in np.arange(0.3, duration_s - 0.5, each_s) if not 3.0 < s < 4.2]
    return tuple(
        SpokenPhone(SOUNDS[k % len(SOUNDS)], float(s), float(s + each_s), 1.0)
        for k, s in enumerate(starts)
    )


def loudness(duration_s: float = 8.0) -> ConditionTrack:
    """Prosody with an accent every 0.6 s."""
    steps = round(duration_s * 50)
    at = (np.arange(steps) + 0.5) / 50
    course = np.zeros((steps, 4), np.float32)
    course[:, 0] = -0.6 + 0.6 * np.cos(2 * np.pi * at / 0.6)
    course[:, 1] = 3 * np.cos(2 * np.pi * at / 1.2)
    course[:, 2:] = 1.0
    mask = torch.ones(1, steps, dtype=torch.bool)
    return ConditionTrack(torch.from_numpy(course)[None], mask, 50.0)


def asked(words: str, duration_s: float = 8.0) -> EmotionTrack:
    return request_to_track(parse_request(words), duration_s=duration_s)


def column(values: Floats, name: str) -> Floats:
    return values[:, PLACE[name]]


def gap(values: Floats) -> Floats:
    """What the channels ask of the lips' opening, in about eye-corner distances."""
    return (
        0.371 * column(values, "jawOpen")
        - 0.445 * column(values, "mouthClose")
        + 0.15 * column(values, "mouthFunnel")
        + 0.04 * column(values, "mouthLowerDownLeft")
        + 0.04 * column(values, "mouthLowerDownRight")
        + 0.04 * column(values, "mouthUpperUpLeft")
        + 0.04 * column(values, "mouthUpperUpRight")
    )


@pytest.mark.parametrize("emotion", ["neutral", "happy", "angry", "surprised", "fearful"])
def test_lips_meet_at_p_b_m_whatever_is_felt(emotion: str) -> None:
    phones = said()
    values = speak(phones, loudness(), asked(emotion), seed=3).values
    times = (np.arange(len(values)) + 0.5) / 25
    for phone in phones:
        if phone.symbol in "pbm":
            near = (times > phone.start_s - 0.04) & (times < phone.end_s + 0.02)
            assert gap(values)[near].min() < 0.01
    open_vowels = [
        gap(values)[(times > p.start_s) & (times < p.end_s)].max()
        for p in phones
        if p.symbol == "a"
    ]
    assert np.median(open_vowels) > 0.05


def test_sounds_shape_the_mouth() -> None:
    def at_middle(symbol: str, name: str) -> float:
        phones = (SpokenPhone(symbol, 0.4, 0.7, 1.0),)
        times = np.array([0.1, 0.55, 1.5])
        values = articulate(phones, times, np.ones(3))
        return float(column(values, name)[1])

    assert at_middle("a", "jawOpen") > at_middle("ə", "jawOpen") > at_middle("i", "jawOpen")
    for rounded in ("u", "w", "o", "ʃ", "y", "œ"):
        assert at_middle(rounded, "mouthPucker") > 0.3
        assert at_middle(rounded, "mouthPucker") > at_middle("i", "mouthPucker") + 0.25
    assert at_middle("i", "mouthStretchLeft") > 0.15
    assert at_middle("f", "mouthRollLower") > 0.35
    assert at_middle("m", "mouthPressLeft") > 0.2


def test_lips_round_ahead_of_time() -> None:
    phones = (SpokenPhone("t", 0.30, 0.42, 1.0), SpokenPhone("u", 0.42, 0.6, 1.0))
    course = column(articulate(phones, np.arange(0, 1.2, 0.02), np.ones(60)), "mouthPucker")
    assert course[round(0.34 / 0.02)] > 0.25 * course.max()  # well before the vowel


def test_a_smile_gives_way_where_lips_round() -> None:
    rounds = tuple(SpokenPhone("w", 1.0 + 2 * k, 1.4 + 2 * k, 1.0) for k in range(3))
    flat = tuple(SpokenPhone("t", 1.0 + 2 * k, 1.4 + 2 * k, 1.0) for k in range(3))
    smiles = [
        column(speak(phones, loudness(), asked("happy"), seed=0).values, "mouthSmileLeft")[30]
        for phones in (rounds, flat)
    ]
    assert smiles[0] == pytest.approx(WIDTH_KEPT * smiles[1], abs=0.05)


def test_nothing_said_is_a_mouth_at_rest() -> None:
    quiet = ConditionTrack(
        torch.tensor([[[-3.0, 0.0, 0.0, 0.0]] * 100]), torch.ones(1, 100, dtype=torch.bool), 50.0
    )
    values = speak((), quiet, asked("neutral", 2.0), seed=0).values
    mouth = [PLACE[name] for name in CHANNELS if name.startswith(("mouth", "jaw"))]
    assert values.shape == (50, len(CHANNELS))
    assert np.abs(values[:, mouth]).max() == 0
    pause = speak(said(), loudness(), asked("neutral"), seed=0).values[85:95]
    assert gap(pause).max() < 0.01


def test_same_seed_same_motion_and_liveliness() -> None:
    first = speak(said(), loudness(), asked("happy"), seed=5)
    again = speak(said(), loudness(), asked("happy"), seed=5)
    other = speak(said(), loudness(), asked("happy"), seed=6)
    still = speak(said(), loudness(), asked("neutral"), seed=5, liveliness=0.0)
    assert first.values.tobytes() == again.values.tobytes()
    assert not np.array_equal(first.values, other.values)
    assert np.abs(still.values[:, [PLACE[name] for name in POSE]]).max() < 1e-6
    assert np.abs(column(first.values, "headPitch")).max() < 14


def test_emotion_follows_the_track_and_strength() -> None:
    track = asked("0=neutral; 3.9=neutral; 4=happy")
    smile = column(speak(said(), loudness(), track, seed=1).values, "mouthSmileLeft")
    assert smile[:75].mean() < 0.15
    assert smile[-40:].mean() > 0.4
    assert np.abs(np.diff(smile)).max() < 0.5
    sizes = [
        column(speak(said(), loudness(), asked("sad"), seed=1, strength=s).values, "browInnerUp")
        for s in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert (np.diff([one.mean() for one in sizes]) > 0).all()


def test_values_keep_to_their_bounds() -> None:
    for emotion in ("angry", "surprised", "disgusted"):
        values = speak(said(), loudness(), asked(emotion), seed=2, liveliness=2.0).values
        assert np.isfinite(values).all()
        assert values[:, :NUM_BLENDSHAPES].min() >= 0
        assert values[:, :NUM_BLENDSHAPES].max() <= 1


def test_windows_are_finished_as_the_whole_is() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.2, 1.3, (200, len(CHANNELS))).astype(np.float32)
    phones = said()
    whole = finish(Motion(values), phones, seed=4, duration_s=8.0).values
    parts = [
        finish(Motion(values[k : k + 64]), phones, first_frame=k, seed=4, duration_s=8.0).values
        for k in range(0, 200, 64)
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert whole[:, :NUM_BLENDSHAPES].min() >= 0
    assert whole[:, :NUM_BLENDSHAPES].max() <= 1
    shut = closure(phones, (np.arange(200) + 0.5) / 25) > 0.999
    assert gap(whole)[shut].max() < 0.01


def test_finishing_twice_changes_nothing_more() -> None:
    phones = said()
    once = finish(speak(phones, loudness(), asked("happy"), seed=1), phones)
    twice = finish(once, phones)
    times = (np.arange(len(once.values)) + 0.5) / 25
    inside = (closure(phones, times) > 0.999) | (closure(phones, times) == 0)
    assert np.abs(twice.values - once.values)[inside].max() < 0.15
    assert np.array_equal(lay_over(once.values, (), times), once.values)


@pytest.mark.parametrize("seed", range(4))
def test_blinks_are_as_often_and_as_long_as_people_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = blink_times(240.0, rng=rng, per_minute=None)
    assert 10 <= len(starts) / 4 <= 25
    assert np.diff(starts).min() >= 0.9
    times = (np.arange(6000) + 0.5) / 25
    shut = lid_course(starts, times, rng=rng)
    edges = np.flatnonzero(np.diff((shut > 0.05).astype(int)))
    lengths = np.diff(edges)[::2]
    assert 3 <= np.median(lengths) <= 7
    assert shut.max() <= 1
    assert len(blink_times(60.0, rng=rng, per_minute=0.0)) == 0


@pytest.mark.parametrize("duration_s", [3.0, 4.6, 6.0, 7.1, 9.9, 31.0])
def test_every_speech_blinks_10_to_25_times_a_minute(duration_s: float) -> None:
    times = (np.arange(round(25 * duration_s)) + 0.5) / 25
    for seed in range(40):
        rng = np.random.default_rng(seed)
        starts = blink_times(duration_s, rng=rng, per_minute=None)
        assert 10 <= 60 * len(starts) / duration_s <= 25
        shut = lid_course(starts, times, rng=rng)
        assert np.diff((shut > 0.85).astype(int), prepend=0).clip(0).sum() == len(starts)
        assert shut[[0, -1]].max() < 0.3


@pytest.mark.parametrize("per_minute", [4.0, 40.0, 90.0])
def test_blinks_are_as_often_as_asked(per_minute: float) -> None:
    counts = [
        len(blink_times(20.0, rng=np.random.default_rng(seed), per_minute=per_minute))
        for seed in range(60)
    ]
    assert 3 * np.mean(counts) == pytest.approx(per_minute, rel=0.15)
    assert np.ptp(counts) <= 1


def test_eyes_turn_against_the_head() -> None:
    head = np.stack([4 * np.sin(np.arange(250) / 25), np.zeros(250)], axis=1)
    assert np.corrcoef(turned_back(head)[:, 0], head[:, 0])[0, 1] < -0.99
    assert np.abs(turned_back(10 * head)).max() <= 12


def test_eyes_rest_and_jump_and_are_the_same_for_any_part() -> None:
    times = (np.arange(1500) + 0.5) / 25
    whole = saccades(times, 60.0, rng=np.random.default_rng(0), amount=1.0)
    part = saccades(times[640:704], 60.0, rng=np.random.default_rng(0), amount=1.0)
    assert np.array_equal(whole[640:704], part)
    steps = np.abs(np.diff(whole[:, 0]))
    assert np.mean(steps == 0) > 0.8
    assert steps.max() > 2
    assert 0.5 < whole[:, 0].std() < 6
    still = saccades(times, 60.0, rng=np.random.default_rng(0), amount=0.0)
    assert np.abs(still).max() == 0


def test_eyes_jump_over_any_motion_as_lively_as_asked() -> None:
    rest = Motion(np.zeros((250, len(CHANNELS)), np.float32))
    natural = finish(rest, (), seed=1)
    still = finish(rest, (), seed=1, liveliness=0.0)
    assert column(natural.values, "gazeYaw").std() > 0.3
    assert np.abs(column(still.values, "gazeYaw")).max() == 0
    assert column(still.values, "eyeBlinkLeft").max() > 0.9
    assert np.abs(column(finish(rest, ()).values, "gazeYaw")).max() == 0


def test_head_sways_slowly_and_nods_on_accents() -> None:
    moved = sway(5000, 25.0, rng=np.random.default_rng(0))
    assert np.allclose(moved.std(axis=0), [1.9, 2.4, 1.5, 0.03, 0.018, 0.026], rtol=0.35)
    spectrum = np.abs(np.fft.rfft(moved[:, 0])) ** 2
    hertz = np.fft.rfftfreq(5000, 1 / 25)
    assert spectrum[hertz < 1].sum() > 0.95 * spectrum.sum()
    found = accents(loudness().values[0].numpy().astype(np.float64), 50.0)
    assert 11 <= len(found.times_s) <= 14
    assert np.abs((found.times_s + 0.3) % 0.6 - 0.3).max() < 0.05


def test_a_single_frame_works() -> None:
    short = ConditionTrack(torch.zeros(1, 1, 4), torch.ones(1, 1, dtype=torch.bool), 50.0)
    assert len(speak((), short, asked("happy", 1.0), seed=0).values) == 1
