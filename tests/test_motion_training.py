"""Training the motion denoiser: windows as sampled, losses, a tiny run that learns and goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.codes import BankConfig, EmotionBank
from affetto.emotion_bank.discriminator import DiscriminatorConfig
from affetto.gen.portrait.motion.expressions import expression
from affetto.gen.portrait.motion.network import (
    PREFIX,
    TICKS,
    WINDOW,
    DenoiserConfig,
    load_denoiser,
)
from affetto.gen.portrait.motion.sampling import window_at
from affetto.motion import CHANNELS, PLACE, Motion
from affetto.recognizers.face.motion import load_motion
from affetto.recognizers.independence import losses_of
from affetto.request import parse_request
from affetto.train import motion
from affetto.train.data.motion_lessons import Lessons
from affetto.train.data.motion_windows import MotionClip, cut_at, draw_batch, make_clip, stacked
from affetto.train.motion import MotionRecipe, fit
from affetto.train.motion_losses import (
    SPEECH_CHANNELS,
    Critic,
    Felt,
    LossShares,
    channel_weights,
    flow_loss,
    low_directions,
    seen_loss,
)

FRAMES = PREFIX + WINDOW
SOUNDS, WIDTHS = ["speech", "prosody"], [6, 4]


def _track(label: str, frames: int) -> EmotionTrack:
    return request_to_track(parse_request(label), duration_s=frames / 25)


def _clip(frames: int, label: str, *, seed: int, bank: EmotionBank) -> MotionClip:
    """A jaw that follows one number of the sound, a face that follows the label."""
    rng = np.random.default_rng(seed)
    sound = np.repeat(rng.standard_normal((frames // 4 + 1, 10)), 8, axis=0)[: TICKS * frames]
    track = _track(label, frames)
    values = np.zeros((frames, len(CHANNELS)), dtype=np.float32)
    values[:, PLACE["jawOpen"]] = np.clip(0.3 + 0.2 * sound[::TICKS, 0], 0, 1)
    values += expression(track.probs[0], track.vad[0], 1.0)
    values[:, :NUM_BLENDSHAPES] = values[:, :NUM_BLENDSHAPES].clip(0, 1)
    return make_clip(
        torch.from_numpy(sound).float(),
        Motion(values),
        track,
        bank=bank,
        liveliness=0.5,
        speaker=str(seed),
    )


@pytest.fixture(scope="module")
def bank() -> EmotionBank:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EmotionBank(BankConfig()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def lessons(bank: EmotionBank) -> Lessons:
    plain = [_clip(60 + seed, "neutral", seed=seed, bank=bank) for seed in range(8)]
    names = ("happy", "angry", "sad", "surprised")
    moved = [_clip(60 + seed, names[seed % 4], seed=seed, bank=bank) for seed in range(8)]
    return Lessons(plain[2:], moved[2:], plain[:2], moved[:2], "none", False, ("drawn numbers",))


def _felt(label: str, count: int) -> Felt:
    track = _track(label, 2)
    probs, vad = torch.from_numpy(track.probs[:1]), torch.from_numpy(track.vad[:1])
    return Felt(probs.expand(count, -1), vad.expand(count, -1))


def _expressed(label: str, count: int = 4) -> Tensor:
    track = _track(label, 2)
    row = torch.from_numpy(expression(track.probs[0], track.vad[0], 1.0))
    return row.expand(count, FRAMES, -1).clone()


def test_a_training_window_is_cut_as_sampling_cuts_it(bank: EmotionBank) -> None:
    clip = _clip(100, "happy", seed=1, bank=bank)
    batch = cut_at(clip, 64, has_prefix=True)
    heard = torch.ones(len(clip.sound), dtype=torch.bool)
    sampled = window_at(clip.sound.float(), heard, None, first=64, num_frames=36, has_prefix=True)
    for name in ("sound", "heard", "present", "known"):
        assert torch.equal(getattr(batch.window, name), getattr(sampled, name))
    assert torch.equal(batch.motion[0, : PREFIX + 36], clip.motion[64 - PREFIX :])
    assert not batch.motion[0, PREFIX + 36 :].any()
    assert batch.window.liveliness.item() == 0.5


def test_half_of_the_windows_have_no_prefix_and_all_are_used(lessons: Lessons) -> None:
    rng = np.random.default_rng(0)
    batch = draw_batch(lessons.neutral, 600, rng=rng, prefix_noise=0.0)
    share = batch.window.known.any(dim=1).float().mean().item()
    assert 0.25 < share < 0.55  # clips here are short: few begin late enough
    assert (batch.window.present[:, PREFIX:].sum(dim=1) >= 16).all()
    again = draw_batch(lessons.neutral, 600, rng=np.random.default_rng(0), prefix_noise=0.0)
    assert torch.equal(batch.motion, again.motion)
    noisy = draw_batch(lessons.neutral, 600, rng=np.random.default_rng(0), prefix_noise=0.5)
    assert torch.equal(noisy.window.known, batch.window.known) or share > 0


def test_flow_loss_counts_present_frames_behind_the_prefix() -> None:
    wanted = torch.zeros(2, FRAMES, len(CHANNELS))
    present = torch.arange(FRAMES).repeat(2, 1) < 40
    level = torch.tensor([0.5, 1.0])
    seen = {"present": present, "known": torch.zeros_like(present)}
    assert flow_loss(wanted, wanted, level, **seen) == 0
    wrong = wanted.clone()
    wrong[:, :PREFIX] = 5.0
    wrong[:, 40:] = 5.0
    assert flow_loss(wrong, wanted, level, **seen) == 0
    # An error of 1 everywhere: velocity's is 1 / level, its change from frame to frame is nothing.
    assert flow_loss(wanted + 1, wanted, level, **seen).item() == pytest.approx(2.5, rel=1e-5)
    follows = seen | {"known": torch.arange(FRAMES).repeat(2, 1) < PREFIX}
    assert flow_loss(wanted + 1, wanted, level, **follows) > 2.51  # it jumps at the seam
    assert channel_weights().mean().item() == pytest.approx(1.0)


def test_low_directions_leave_out_what_varies_most_and_what_is_dead() -> None:
    values = torch.randn(4000, 62, generator=torch.Generator().manual_seed(0))
    values *= torch.cat([torch.tensor([10.0, 8.0]), torch.full((30,), 0.3), torch.zeros(30)])
    seen = values @ low_directions(values, share=0.1)
    spread = seen.std(dim=0)
    alive = spread > 0.01
    assert 20 <= int(alive.sum()) <= 30
    torch.testing.assert_close(spread[alive], torch.ones(int(alive.sum())), rtol=0.05, atol=0.05)
    loud = torch.zeros(1, 62)
    loud[0, 0] = 1.0
    assert (loud @ low_directions(values, share=0.1)).abs().max() < 0.05


def test_the_critic_teaches_the_maker_and_learns_itself_apart() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        critic = Critic(DiscriminatorConfig(width=8, num_blocks=1))
    made = _expressed("happy").requires_grad_()
    present = torch.ones(4, FRAMES, dtype=torch.bool)
    felt = _felt("happy", 4)
    generator = torch.Generator().manual_seed(0)
    torch.autograd.backward(critic.teach(made, present, felt, realness=0.2, generator=generator))
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in critic.parameters())
    made.grad = None
    real = _expressed("happy")
    torch.autograd.backward(critic.learn(real, made, present, felt, generator=generator))
    assert made.grad is None
    assert critic.net.heads[1].weight.grad.abs().sum() > 0


def test_the_recognizer_sees_the_face_and_never_moves_the_lips() -> None:
    recognizer = load_motion()
    present = torch.ones(4, FRAMES, dtype=torch.bool)
    level = torch.zeros(4)
    angry = _expressed("angry")
    right = seen_loss(recognizer, angry, level, present, _felt("angry", 4))
    assert right < seen_loss(recognizer, angry, level, present, _felt("happy", 4))
    motion = (0.1 * angry).requires_grad_()
    torch.autograd.backward(seen_loss(recognizer, motion, level, present, _felt("happy", 4)))
    assert motion.grad is not None
    moved = motion.grad.abs().sum(dim=(0, 1))
    assert moved[[PLACE[name] for name in SPEECH_CHANNELS]].sum() == 0
    assert moved[PLACE["mouthSmileLeft"]] > 0
    unsure = seen_loss(recognizer, motion, torch.ones(4), present, _felt("angry", 4))
    assert unsure == 0  # at level 1 the estimate says nothing


def _recipe(out: Path, **changes: object) -> MotionRecipe:
    plain = MotionRecipe(
        model=DenoiserConfig(
            sounds=SOUNDS,
            widths=WIDTHS,
            dim=24,
            num_layers=2,
            num_heads=2,
            condition_dim=16,
            branch_dim=16,
        ),
        critic=DiscriminatorConfig(width=8, num_blocks=1),
        out=str(out),
        base_epochs=2,
        branch_epochs=2,
        steps_per_epoch=12,
        batch_size=8,
        learning_rate=4e-3,
        average_decay=0.9,
    )
    return replace(plain, **changes)


def test_a_tiny_run_learns_goes_on_and_keeps_its_base(tmp_path: Path, lessons: Lessons) -> None:
    figures = fit(_recipe(tmp_path / "whole"), lessons)
    rows = [
        (tmp_path / "whole" / stage / "metrics.jsonl").read_text().splitlines()
        for stage in ("base", "branch")
    ]
    assert [len(lines) for lines in rows] == [2, 2]
    assert figures["base_valid_flow"] < 1.0
    short = _recipe(tmp_path / "parts", base_epochs=1, branch_epochs=0)
    fit(short, lessons)
    net = load_denoiser(tmp_path / "whole" / "weights")
    assert net.config.sounds == SOUNDS
    assert all(torch.isfinite(one).all() for one in net.parameters())
    (known,) = losses_of(tmp_path / "whole" / "weights")
    assert known.sha256 == load_motion().fingerprint
    assert "FER" in " ".join(known.trained_on).upper()


class Stopped(Exception):
    pass


def test_a_run_that_was_stopped_ends_the_same(
    tmp_path: Path, lessons: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(_recipe(tmp_path / "whole", steps_per_epoch=3), lessons)
    broken = _recipe(tmp_path / "broken", steps_per_epoch=3)
    written = motion.log_epoch

    def stop(folder: Path, row: dict[str, float], *, cpu_s: float) -> None:
        written(folder, row, cpu_s=cpu_s)
        raise Stopped

    monkeypatch.setattr(motion, "log_epoch", stop)
    for _ in range(4):  # two epochs of each stage, stopped after each
        with pytest.raises(Stopped):
            fit(broken, lessons)
    monkeypatch.setattr(motion, "log_epoch", written)
    assert fit(broken, lessons) == whole
    kept = [tmp_path / name / "weights" / "model.safetensors" for name in ("whole", "broken")]
    assert kept[0].read_bytes() == kept[1].read_bytes()


def test_without_bank_critic_or_recognizer(tmp_path: Path, lessons: Lessons) -> None:
    recipe = _recipe(
        tmp_path,
        shares=LossShares(critic=0.0, consistency=0.0),
        base_epochs=1,
        branch_epochs=1,
        steps_per_epoch=2,
    )
    recipe = replace(recipe, model=replace(recipe.model, emotion="labels"))
    figures = fit(recipe, lessons)
    assert "branch_teach" not in figures
    assert "branch_seen" not in figures
    assert losses_of(tmp_path / "weights") == ()
    assert load_denoiser(tmp_path / "weights").branch.inlet[0].in_features == len(LABELS)


def test_stacking_keeps_items(lessons: Lessons) -> None:
    items = [cut_at(clip, 0, has_prefix=False) for clip in lessons.neutral[:3]]
    batch = stacked(items)
    assert batch.motion.shape == (3, FRAMES, len(CHANNELS))
    assert torch.equal(batch.motion[1], items[1].motion[0])
