"""Scores of talking portraits: perfect, empty and bad input, invariances, falling controls."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from affetto.apps.score_talk import is_talk
from affetto.errors import BadInput
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.score_portrait.articulation import (
    Spoken,
    closure,
    coarse_shut_gap,
    lag_s,
    lip_class,
    lip_tooth,
    rounding,
)
from affetto.recognizers.score_portrait.background import background, stillness_db
from affetto.recognizers.score_portrait.emotion import monotony, timeline_match
from affetto.recognizers.score_portrait.identity import (
    Identifier,
    distance,
    reencoded,
    small_warps,
)
from affetto.recognizers.score_portrait.lip_shape import (
    RATE_HZ,
    Talk,
    fit_reader,
    fit_regression,
    log_mels,
)
from affetto.recognizers.score_portrait.lips import Lips, face_on, measure_lips
from affetto.recognizers.score_portrait.liveliness import measure_liveliness
from affetto.recognizers.score_portrait.smoothness import measure_jerk
from affetto.recognizers.score_portrait.sync_expert import judge_sync, train_expert

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
FPS = 25.0
SYMBOLS = ("p", "a", "f", "i", "w", "æ", "m", "o", "t", "u")


def spoken(rounds: int = 6, shift_s: float = 0.0) -> list[Spoken]:
    times = 0.4 + 0.2 * np.arange(rounds * len(SYMBOLS)) + shift_s
    return [Spoken(SYMBOLS[n % len(SYMBOLS)], t, t + 0.2) for n, t in enumerate(times)]


def moving(sounds: list[Spoken], *, late_s: float = 0.0, seed: int = 0) -> Lips:
    """Lips that do what the sounds want."""
    end_s = sounds[-1].end_s + 0.6
    times = (np.arange(int(end_s * FPS)) + 0.5) / FPS - late_s
    gap, width, rise = np.full((3, len(times)), 0.0)
    gap += 0.08
    width += 0.6
    rise += 0.4
    for sound in sounds:
        now = (times >= sound.start_s) & (times < sound.end_s)
        kind = lip_class(sound.symbol)
        gap[now] = {"closed": 0.01, "lip_tooth": 0.04, "rounded": 0.05, "open": 0.15}.get(
            kind, 0.08
        )
        width[now] = 0.5 if kind == "rounded" else 0.6
        rise[now] = {"closed": 0.36, "lip_tooth": 0.34, "open": 0.46}.get(kind, 0.4)
    noise = np.random.default_rng(seed).normal(0, 0.001, (4, len(times)))
    outline = np.stack([gap, width, rise, gap * width], axis=1) @ np.ones((4, 80))
    return Lips(
        gap, width, gap + 0.1, 0.1 + noise[0], 0.08 + noise[1], 0.1 + noise[2], rise, outline,
        np.ones(len(times), bool), FPS,
    )  # fmt: skip


def sound_of(sounds: list[Spoken], seconds: float) -> NDArray[np.float64]:
    """A tone a lip class."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wav = np.zeros(len(times))
    for sound in sounds:
        now = (times >= sound.start_s) & (times < sound.end_s)
        wav[now] = np.sin(2 * np.pi * times[now] * (300 + 500 * SYMBOLS.index(sound.symbol)))
    return wav


def test_sounds_met_and_moved() -> None:
    sounds = spoken()
    lips = moving(sounds)
    for rate, count in ((closure, 12), (lip_tooth, 6), (rounding, 18)):
        found = rate(lips, sounds)
        assert (found.rate, found.count) == (1.0, count)
        assert found.above_chance > 0.2
        still = replace(
            lips, gap=np.full_like(lips.gap, 0.01), rise=lips.rise * 0 + 1, width=lips.width * 0
        )
        assert rate(still, sounds).above_chance == 0.0
    assert closure(lips, []).count == 0


@pytest.mark.parametrize("late_s", [-0.12, 0.0, 0.08])
def test_lag_is_found(late_s: float) -> None:
    sounds = spoken()
    early, clear = lag_s(moving(sounds), sounds)
    late, _ = lag_s(moving(sounds, late_s=late_s), sounds)
    assert clear > 0.3
    assert late - early == pytest.approx(late_s, abs=0.02)
    assert np.isnan(lag_s(moving(sounds), [])[0])


def test_lip_classes() -> None:
    assert [lip_class(s) for s in ("pʰ", "v", "uː", "ɑ", "t", "ɡ", "")] == [
        "closed", "lip_tooth", "rounded", "open", "other", "other", "other",
    ]  # fmt: skip


def test_regression_reader_and_expert_know_right_from_wrong() -> None:
    talks = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(60)
        sounds = [
            Spoken(SYMBOLS[n % len(SYMBOLS)], 0.4 + 0.2 * place, 0.6 + 0.2 * place)
            for place, n in enumerate(order)
        ]
        lips = moving(sounds, seed=seed)
        mels = log_mels(sound_of(sounds, len(lips.gap) / FPS))
        talks.append(Talk(lips, mels, sounds, str(seed)))
    wrong = replace(talks[2], mels=talks[1].mels, sounds=talks[1].sounds)
    regression, reader = fit_regression(talks[:2]), fit_reader(talks[:2])
    assert regression.r2(talks[2]) > 0.2 > 0.05 > regression.r2(wrong)
    assert reader.agreement(talks[2]) > 0.8 > 0.5 > reader.agreement(wrong)
    held = replace(talks[2].lips, **{n: getattr(talks[2].lips, n) * 0 + 1 for n in (
        "gap", "width", "height", "lower", "upper", "forward", "rise", "outline")})  # fmt: skip
    assert regression.r2(replace(talks[2], lips=held)) == 0.0
    state = torch.random.get_rng_state()
    expert = train_expert(talks[:2], seed=0, rounds=60)
    assert torch.equal(state, torch.random.get_rng_state())
    right, other = judge_sync(expert, talks[2]), judge_sync(expert, wrong)
    assert right.lag_s == pytest.approx(0, abs=0.041)
    assert right.at_zero > 2 * max(other.at_zero, 0.01)


def head(frames: int, *, turn_deg: float = 0.0, scale: float = 100.0) -> NDArray[np.float64]:
    """A made-up mesh whose eyes are one unit apart, turned about the vertical."""
    rng = np.random.default_rng(1)
    points = rng.uniform(-1, 1, (468, 3)) * [0.6, 0.9, 0.3]
    known = {
        33: (-0.5, 0, 0), 263: (0.5, 0, 0), 10: (0, -0.7, 0), 152: (0, 1.1, 0),
        9: (0, -0.1, -0.1), 2: (0, 0.5, -0.2), 168: (0, 0, -0.1),
    }  # fmt: skip
    for place, at in known.items():
        points[place] = at
    angle = np.radians(turn_deg)
    turn = np.asarray(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return np.repeat(scale * (points @ turn.T + 3)[None], frames, axis=0)


def test_lips_do_not_change_with_pose_and_size() -> None:
    one = measure_lips(head(3), fps=FPS)
    other = measure_lips(head(3, turn_deg=20, scale=37), fps=FPS)
    assert np.allclose(one.shape() + one.gap[:, None], other.shape() + other.gap[:, None])
    assert np.allclose(one.width, other.width, atol=1e-6)
    assert np.allclose(face_on(head(2)), face_on(head(2, turn_deg=-15)), atol=1e-6)


def test_lips_without_a_face() -> None:
    meshes = head(4)
    meshes[1] = np.nan
    lips = measure_lips(meshes, fps=FPS)
    assert lips.seen.tolist() == [True, False, True, True]
    assert np.isfinite(lips.outline).all()
    meshes[:3] = np.nan
    with pytest.raises(BadInput, match="1 of 4 frames"):
        measure_lips(meshes, fps=FPS)
    with pytest.raises(ValueError, match="meshes must be"):
        measure_lips(meshes[:, :10], fps=FPS)


def test_jerk_of_start_and_seam() -> None:
    rng = np.random.default_rng(0)
    meshes = head(120) + rng.normal(0, 0.1, (120, 468, 3))
    even = measure_jerk(meshes, seams=[64])
    assert even.start == pytest.approx(1, abs=0.1)
    assert even.seams == pytest.approx(1, abs=0.1)
    meshes[64:] += 5.0
    assert measure_jerk(meshes, seams=[64]).seams > 3
    assert np.isnan(measure_jerk(head(40)).start)
    with pytest.raises(ValueError, match="finite"):
        measure_jerk(head(5))


def test_blinks_are_counted() -> None:
    meshes = head(250)
    upper, lower = (160, 159, 158, 385, 386, 387), (144, 145, 153, 380, 374, 373)
    corners = {33: -0.5, 133: -0.2, 362: 0.2, 263: 0.5}
    for place, x in corners.items():
        meshes[:, place] = 100 * (np.asarray([x, 0, 0]) + 3)
    for up, low in zip(upper, lower, strict=True):
        meshes[:, low] = meshes[:, up] + [0, 10, 0]
        for start in (60, 180):
            meshes[start : start + 4, low] = meshes[start : start + 4, up] + [0, 1, 0]
        meshes[220:245, low] = meshes[220:245, up] + [0, 1, 0]  # closed eyes are no blink
    found = measure_liveliness(meshes, fps=FPS)
    assert found.blinks_s == pytest.approx((60.5 / FPS, 180.5 / FPS))
    assert found.blinks_per_min == pytest.approx(12)
    assert found.head_turn_deg == pytest.approx(0, abs=1e-6)


def test_background() -> None:
    matte = np.zeros((64, 64), np.float32)
    matte[16:48, 16:48] = 1
    outside = background(matte)
    assert outside[0, 0]
    assert not outside[15, 20]
    still = np.full((64, 64, 3), 100, np.uint8)
    inside = still.copy()
    inside[20:40, 20:40] = 0
    one_off = still + np.uint8(1)
    assert stillness_db([still, inside, one_off], still, outside) == pytest.approx(
        (99.0, 99.0, 48.13), abs=0.01
    )
    with pytest.raises(ValueError, match="outside must mark"):
        stillness_db([still], still, np.zeros((64, 64), bool))


def test_monotony() -> None:
    asked = (0, 0.25, 0.5, 0.75, 1)
    assert monotony(asked, (0.1, 0.2, 0.5, 0.6, 0.9)) == pytest.approx(1)
    assert monotony(asked, (0.1, 0.5, 0.2, 0.6, 0.9)) == pytest.approx(0.9)
    assert monotony(asked, [0.3] * 5) == 0
    with pytest.raises(ValueError, match="two equal"):
        monotony((0, 1), (0, 1))


def test_timeline() -> None:
    asked = np.zeros((100, 3))
    asked[:40, 0] = asked[40:70, 1] = asked[70:, 0] = 1
    judged = np.roll(asked, 3, axis=0) * 0.5 + 0.1
    match, lag = timeline_match(asked, judged, rate_hz=10)
    assert match == pytest.approx(1, abs=0.01)
    assert lag == pytest.approx(0.3)
    assert timeline_match(asked, judged[:, [1, 0, 2]], rate_hz=10)[0] < 0.5
    with pytest.raises(ValueError, match="does not change"):
        timeline_match(judged * 0, judged, rate_hz=10)


def test_identity_of_one_picture() -> None:
    pytest.importorskip("dlib")
    picture = cv2.cvtColor(cv2.imread(str(ASTRONAUT)), cv2.COLOR_BGR2RGB)
    face = FaceDetector().detect(picture)[0]
    identifier = Identifier()
    own = identifier.describe(picture, face)
    assert own.shape == (128,)
    assert distance(own, identifier.describe(picture, face)) == 0
    coded = distance(own, identifier.describe(reencoded(picture), face))
    warps = list(small_warps(picture))
    assert len(warps) == 6
    warped = distance(own, identifier.describe(warps[0], face))
    assert 0 < coded < 0.25
    assert 0 < warped < 0.4


def test_score_knows_a_talk_by_its_recipe(tmp_path: Path) -> None:
    film = tmp_path / "talk.mp4"
    assert not is_talk(film, None)
    (tmp_path / "recipe.json").write_text('{"job": "talk"}')
    assert is_talk(film, None)
    (tmp_path / "recipe.json").write_text('{"job": "soundtrack"}')
    assert not is_talk(film, None)


def test_coarse_limit_of_shut_lips() -> None:
    lips = moving(spoken())
    apart = replace(lips, gap=lips.gap + 0.03)  # a mesh that does not see lips touch
    assert closure(apart, spoken()).rate == 0
    assert closure(apart, spoken(), shut_gap=coarse_shut_gap(apart)).rate == 1
