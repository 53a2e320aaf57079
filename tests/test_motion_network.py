"""The motion denoiser: what it sees, how it is guided, how windows follow one another."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affetto.condition import Conditions, ConditionTrack
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.codes import BankConfig, EmotionBank
from affetto.gen.portrait.motion.flow import (
    EulerSteps,
    draw_levels,
    loss_weight,
    noised,
    smooth_noise,
    velocity,
)
from affetto.gen.portrait.motion.guidance import Guidance, Guided
from affetto.gen.portrait.motion.network import (
    MARGIN,
    PREFIX,
    TICKS,
    WINDOW,
    DenoiserConfig,
    MotionDenoiser,
    Window,
    config_of,
    record_of,
)
from affetto.gen.portrait.motion.sampling import generate, window_at, window_noise
from affetto.gen.portrait.motion.scaling import GROUPS, Scaling, members
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.motion_file import rounded
from affetto.request import parse_request

FRAMES = PREFIX + WINDOW
CONFIG = DenoiserConfig(
    sounds=["speech", "prosody"],
    widths=[6, 4],
    dim=24,
    num_layers=2,
    num_heads=2,
    condition_dim=16,
    branch_dim=16,
)


def _net(*, finished: bool = True) -> MotionDenoiser:
    """A tiny one; `finished`: what begins at zero is random too."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MotionDenoiser(CONFIG)
        for parameter in net.parameters():
            if finished and not parameter.abs().any():
                nn.init.normal_(parameter, std=0.2)
    net.scaling.get_buffer("spread").fill_(0.1)
    return net.eval().requires_grad_(False)


def _bank() -> EmotionBank:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EmotionBank(BankConfig()).eval().requires_grad_(False)


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _window(count: int = 1, seed: int = 0) -> Window:
    steps = TICKS * (FRAMES + 2 * MARGIN)
    return Window(
        sound=_drawn(count, steps, 10, seed=seed),
        heard=torch.ones(count, steps, dtype=torch.bool),
        liveliness=torch.ones(count),
        emotion=_drawn(count, FRAMES, 64, seed=seed + 1),
        present=torch.ones(count, FRAMES, dtype=torch.bool),
        known=(torch.arange(FRAMES) < PREFIX).repeat(count, 1),
    )


def _one(window: Window, number: int) -> Window:
    parts = {name: getattr(window, name)[number : number + 1] for name in vars(window)}
    return Window(**parts)


def _speech(num_frames: int) -> Conditions:
    steps = TICKS * num_frames
    there = torch.ones(1, steps, dtype=torch.bool)
    return {
        name: ConditionTrack(_drawn(1, steps, width, seed=width), there, 50.0)
        for name, width in zip(CONFIG.sounds, CONFIG.widths, strict=True)
    }


def _track(text: str = "happy", duration_s: float = 8.0) -> EmotionTrack:
    return request_to_track(parse_request(text), duration_s=duration_s)


def test_every_channel_is_in_one_group_and_scaling_comes_back() -> None:
    places = [place for group in GROUPS for place in members(group)]
    assert sorted(places) == list(range(len(CHANNELS)))
    scaling = Scaling()
    values = _drawn(200, len(CHANNELS)) * torch.linspace(0.0, 5.0, len(CHANNELS))
    scaling.measure(values)
    torch.testing.assert_close(scaling.unscaled(scaling.scaled(values)), values)
    assert scaling.scaled(values).std(dim=0).max() < 1.02  # no channel is blown up


def test_batch_is_singles() -> None:
    net, window, noisy = _net(), _window(3), _drawn(3, FRAMES, len(CHANNELS), seed=9)
    level = torch.tensor([0.1, 0.5, 1.0])
    together = net(noisy, level, window)
    for number in range(3):
        part = slice(number, number + 1)
        alone = net(noisy[part], level[part], _one(window, number))
        torch.testing.assert_close(alone, together[part], rtol=1e-4, atol=1e-5)


def test_absent_frames_and_dropped_sound_are_seen_by_nobody() -> None:
    net, window = _net(), _window()
    there = torch.arange(FRAMES)[None]
    window = replace(window, present=(there >= PREFIX) & (there < 50), known=there < 0)
    noisy, level = _drawn(1, FRAMES, len(CHANNELS), seed=9), torch.full((1,), 0.7)
    other = noisy.clone()
    other[:, :PREFIX] += 1.0
    other[:, 50:] += 1.0
    shown = window.present[0]
    assert torch.equal(net(noisy, level, window)[:, shown], net(other, level, window)[:, shown])
    deaf = replace(window, heard=torch.zeros_like(window.heard))
    louder = replace(deaf, sound=deaf.sound + 1.0)
    assert torch.equal(net(noisy, level, deaf), net(noisy, level, louder))


def test_sound_reaches_frames_within_its_margin_only() -> None:
    """Without attention among frames, what is heard is at most 160 ms (and the net's step) away."""
    net, window = _net(), replace(_window(), emotion=None)
    for block in net.blocks:
        nn.init.zeros_(block.mixed_out.weight)
        nn.init.zeros_(block.mixed_out.bias)
    noisy, level = _drawn(1, FRAMES, len(CHANNELS), seed=9), torch.ones(1)
    sound = window.sound.clone()
    centre = 40
    sound[:, TICKS * (centre + MARGIN)] += 3.0
    change = (net(noisy, level, replace(window, sound=sound)) - net(noisy, level, window)).abs()
    moved = change.amax(dim=-1)[0] > 1e-6
    assert moved[centre]
    assert moved.nonzero().min() >= centre - MARGIN - 1
    assert moved.nonzero().max() <= centre + MARGIN + 1


def test_emotion_branch_begins_at_nothing_and_base_is_all_the_rest() -> None:
    net, window = _net(finished=False), _window()
    nn.init.normal_(net.outlet.out.weight)
    noisy, level = _drawn(1, FRAMES, len(CHANNELS), seed=9), torch.full((1,), 0.3)
    assert torch.equal(net(noisy, level, window), net(noisy, level, replace(window, emotion=None)))
    total = sum(one.numel() for one in net.parameters())
    branch = sum(one.numel() for one in net.branch.parameters())
    assert sum(one.numel() for one in net.base_parameters()) == total - branch


def test_default_size_is_about_six_million() -> None:
    total = sum(one.numel() for one in MotionDenoiser(DenoiserConfig()).parameters())
    assert 4.5e6 < total < 7e6


def test_guidance_is_nested_and_plain_at_one() -> None:
    net, window, noisy = _net(), _window(), _drawn(1, FRAMES, len(CHANNELS), seed=9)
    level = torch.full((1,), 0.4)
    whole = net(noisy, level, window)
    heard = net(noisy, level, replace(window, emotion=None))
    deaf = replace(window, emotion=None, heard=torch.zeros_like(window.heard))
    none = net(noisy, level, deaf)
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(Guided(net, window, Guidance())(noisy, 0.4), whole, **close)
    wanted = none + 2.0 * (heard - none) + 1.5 * (whole - heard)
    got = Guided(net, window, Guidance(speech=2.0, emotion=1.5))(noisy, 0.4)
    torch.testing.assert_close(got, wanted, **close)
    base = Guided(net, window, Guidance(emotion=0.0))(noisy, 0.4)
    torch.testing.assert_close(base, heard, **close)


@pytest.mark.parametrize(
    "knobs", [{"speech": 9.0}, {"emotion": -0.1}, {"liveliness": 2.5}, {"speech": float("nan")}]
)
def test_knobs_out_of_range_are_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        Guidance(**knobs)


@pytest.mark.parametrize("num_steps", [1, 8])
def test_steps_end_on_a_sure_estimate(num_steps: int) -> None:
    clean, drawn = _drawn(1, 5, 3), _drawn(1, 5, 3, seed=1)
    noise, steps = drawn, EulerSteps(num_steps)
    assert len(steps.levels) == num_steps
    assert steps.levels[0] == 1.0
    for number, level in enumerate(steps.levels):
        torch.testing.assert_close(drawn, noised(clean, noise, torch.full((1,), level)))
        drawn = steps.step(number, drawn, velocity(drawn, clean, level))
    torch.testing.assert_close(drawn, clean)


def test_steps_are_those_of_diffusers_to_the_bit() -> None:
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
        FlowMatchEulerDiscreteScheduler,
    )

    for num_steps in (1, 3, 8, 20):
        steps, scheduler = EulerSteps(num_steps), FlowMatchEulerDiscreteScheduler(shift=1.0)
        wanted = torch.linspace(1.0, 1.0 / num_steps, num_steps, dtype=torch.float64)
        scheduler.set_timesteps(sigmas=wanted.tolist())
        assert steps.levels == scheduler.sigmas[:-1].tolist()
        mine = theirs = _drawn(1, 5, 3)
        for number, time in enumerate(scheduler.timesteps):
            speed = _drawn(1, 5, 3, seed=number + 1)
            mine = steps.step(number, mine, speed)
            theirs = scheduler.step(speed, time, theirs, return_dict=False)[0]
            assert torch.equal(mine, theirs)


def test_moving_a_face_needs_no_compiler() -> None:
    """What takes seconds to import stays away from the first frame."""
    code = (
        "import sys, affetto.apps.talk\n"
        "from affetto.gen.portrait.pipeline import load_models\n"
        "load_models()\n"
        "heavy = {'diffusers', 'sympy', 'torch._dynamo', 'torch._inductor', 'torch.onnx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_noise_is_smooth_of_unit_variance_and_the_same_for_any_part() -> None:
    white = torch.randn(400, FRAMES, 8, generator=torch.Generator().manual_seed(0))
    noise = smooth_noise(white)
    assert 0.95 < noise.var() < 1.05
    assert 0.9 < (noise[:, 1:] * noise[:, :-1]).mean() < 1.0  # frames beside one another agree
    assert abs(float((noise[:, 70] * noise[:, 2]).mean())) < 0.1
    torch.testing.assert_close(smooth_noise(white[:, :20]), noise[:, :20])


def test_noise_goes_on_from_the_frames_before() -> None:
    before = torch.linspace(0.0, 0.9, PREFIX)[None, :, None].expand(300, -1, 2)
    white = torch.randn(300, WINDOW, 2, generator=torch.Generator().manual_seed(0))
    noise = smooth_noise(white, before)
    assert 0.85 < noise[:, 0].mean() < 1.05  # no jump from 0.9
    assert noise[:, 0].std() < 0.2
    assert 0.9 < noise[:, 50:].std() < 1.1
    assert noise[:, 50:].mean().abs() < 0.1


def test_levels_and_weights() -> None:
    levels = draw_levels(500, mean=0.5, spread=1.0, generator=torch.Generator().manual_seed(0))
    assert 0.0 < levels.min() < levels.max() < 1.0
    assert 0.55 < levels.mean() < 0.65
    assert loss_weight(torch.tensor([1.0, 0.5, 0.0])).tolist() == pytest.approx([1.0, 4.0, 100.0])
    with pytest.raises(ValueError, match="at least 1"):
        EulerSteps(0)


def test_windows_go_on_from_disk_as_if_never_stopped() -> None:
    conditions, net, bank = _speech(150), _net(), _bank()
    given = {"net": net, "bank": bank, "num_frames": 150, "seed": 3, "num_steps": 2}
    whole = list(generate(conditions, _track(), **given))
    assert [len(one.values) for one in whole] == [64, 64, 22]
    again = list(generate(conditions, _track(), **given))
    for one, same in zip(whole, again, strict=True):
        assert np.array_equal(one.values, same.values)
        assert np.array_equal(one.values, rounded(one).values)
    resumed = list(generate(conditions, _track(), **given, start=1, prefix=whole[0]))
    assert all(
        np.array_equal(one.values, same.values)
        for one, same in zip(whole[1:], resumed, strict=True)
    )
    other = next(generate(conditions, _track(), **(given | {"seed": 4})))
    assert not np.array_equal(other.values, whole[0].values)


def test_what_comes_later_does_not_change_a_window() -> None:
    """Streaming: a window hears 160 ms ahead, no more."""
    net, bank = _net(), _bank()
    given = {"net": net, "bank": bank, "num_frames": 128, "seed": 0, "num_steps": 2}
    conditions = _speech(128)
    late = torch.arange(2 * 128)[None, :, None] >= 2 * (WINDOW + MARGIN)
    changed = {
        name: replace(one, values=one.values + late.float()) for name, one in conditions.items()
    }
    first = next(generate(conditions, _track(), **given))
    assert np.array_equal(next(generate(changed, _track(), **given)).values, first.values)


def test_a_timeline_reaches_the_frames() -> None:
    net, bank = _net(), _bank()
    given = {"net": net, "bank": bank, "num_frames": 64, "seed": 0, "num_steps": 2}
    calm = next(generate(_speech(64), _track("neutral"), **given))
    turn = next(generate(_speech(64), _track("0=neutral; 2=angry"), **given))
    assert not np.array_equal(calm.values, turn.values)


def test_what_is_missing_is_told() -> None:
    net, bank = _net(), _bank()
    given = {"net": net, "bank": bank, "num_frames": 64, "seed": 0}
    with pytest.raises(ValueError, match=r"missing: \['speech'\]"):
        next(generate({"prosody": _speech(9)["prosody"]}, _track(), **given))
    with pytest.raises(ValueError, match="needs window 0"):
        next(generate(_speech(90), _track(), **given, start=1))
    wrong = _speech(9) | {"prosody": _speech(9)["speech"]}
    with pytest.raises(ValueError, match="width 4"):
        next(generate(wrong, _track(), **given))


def test_first_window_hears_nothing_from_before_it() -> None:
    sound, heard = _drawn(300, 10), torch.ones(300, dtype=torch.bool)
    window = window_at(sound, heard, None, first=64, num_frames=20, has_prefix=False)
    begin = TICKS * (PREFIX + MARGIN)
    assert not window.heard[0, :begin].any()
    assert torch.equal(window.sound[0, begin], sound[TICKS * 64])
    assert int(window.present.sum()) == 20
    goes_on = window_at(sound, heard, None, first=64, num_frames=20, has_prefix=True)
    assert torch.equal(goes_on.sound[0, 0], sound[TICKS * (64 - PREFIX - MARGIN)])
    assert int(goes_on.known.sum()) == PREFIX


def test_noise_belongs_to_its_window() -> None:
    assert torch.equal(window_noise(5, 2), window_noise(5, 2))
    assert not torch.equal(window_noise(5, 2), window_noise(5, 1))
    assert not torch.equal(window_noise(5, 2), window_noise(4, 2))


def test_values_stay_in_range() -> None:
    made = next(generate(_speech(64), _track(), net=_net(), bank=_bank(), num_frames=64, seed=0))
    assert isinstance(made, Motion)
    assert made.channel("jawOpen").min() >= 0.0
    assert np.abs(made.values[:, PLACE["headYaw"]]).max() <= 45.0


def test_windows_join_without_a_jump_where_the_face_is_slow() -> None:
    conditions, net, bank = _speech(192), _net(), _bank()
    windows = generate(conditions, _track(), net=net, bank=bank, num_frames=192, seed=0)
    rows = np.concatenate([one.values for one in windows])
    steps = np.abs(np.diff(rows[:, members("angles", "gaze")], axis=0)).mean(axis=1)
    assert steps[[63, 127]].max() < 3 * np.median(steps)


def test_the_order_of_the_conditions_survives_the_weights_file() -> None:
    """config.json has its keys sorted; what a network hears in which column must not be."""
    record = json.loads(json.dumps(record_of(CONFIG, []), sort_keys=True))
    assert config_of(record) == CONFIG
    assert list(config_of(record).sounds) == ["speech", "prosody"]
