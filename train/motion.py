"""Train the motion denoiser: a base that speaks with a neutral face, then what emotions add.

    affetto train motion data.root=... out=runs/motion
    affetto train motion train/configs/motion_clips.yaml data.root=my_clips out=runs/my_motion

First stage: the base, on neutral motion. Second stage: the base frozen, the emotion branch from
zero, with the emotion critic and the recognizer's motion head beside the flow's loss. Each stage
goes on from out/base/state or out/branch/state when it is there. After Xemo-Talker and Playmate
(frozen base, zero-initialised branch) and DICE-Talk (bank, emotion discrimination); motion is our
own teacher's or tracked from a person's own clips (`affetto.train.data.motion_lessons`).
"""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affetto.emotion_bank.discriminator import DiscriminatorConfig
from affetto.errors import BadInput
from affetto.gen.portrait.motion.flow import draw_levels, noised, smooth_noise
from affetto.gen.portrait.motion.network import (
    PREFIX,
    DenoiserConfig,
    MotionDenoiser,
    Window,
    load_denoiser,
    record_of,
)
from affetto.gen.portrait.motion.scaling import members
from affetto.recognizers.face.motion import MotionRecognizer, load_motion
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.motion_lessons import Lessons, MotionData, read_lessons
from affetto.train.data.motion_windows import MotionBatch, MotionClip, draw_batch, statistics
from affetto.train.metrics_log import log_epoch
from affetto.train.motion_losses import (
    Critic,
    Felt,
    LossShares,
    flow_loss,
    low_directions,
    seen_loss,
)
from affetto.train.schedule import schedule, set_rate
from affetto.weights import int8_rows, save_weights

STAGES = ("base", "branch")
VALID_BATCHES = 6
VALID_LEVELS = (0.25, 0.5, 0.75, 1.0)


@dataclass
class MotionRecipe:
    """The whole run; an epoch is a number of steps, as windows are drawn without end."""

    model: DenoiserConfig = field(default_factory=DenoiserConfig)
    critic: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    shares: LossShares = field(default_factory=LossShares)
    data: MotionData = field(default_factory=MotionData)
    start: str = ""  # weights to begin with, such as "motion"
    fresh_branch: bool = False  # of those weights take the base alone
    out: str = "runs/motion"
    base_epochs: int = 24
    branch_epochs: int = 10
    steps_per_epoch: int = 200
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    average_decay: float = 0.998
    drop_speech: float = 0.1
    prefix_noise: float = 0.02
    level_mean: float = 0.3  # of the logit of the noise level; above 0 is more noise
    level_spread: float = 1.3
    bfloat16: bool = True
    seed: int = 0
    num_threads: int = 1


def run(config: MotionRecipe) -> dict[str, float]:
    """Read the lessons, train both stages, give the kept weights' validation figures."""
    torch.set_num_threads(config.num_threads)
    return fit(config, read_lessons(config.data))


def fit(config: MotionRecipe, lessons: Lessons) -> dict[str, float]:
    """Train on lessons, keep the averages' weights in out/weights, give their figures."""
    pupil = build(config, lessons)
    recognizer = load_motion() if config.shares.consistency else None
    figures: dict[str, float] = {}
    if config.start:
        begin_with(pupil.net, config.start, fresh_branch=config.fresh_branch)
    for stage in STAGES:
        figures |= train_stage(config, stage, pupil, recognizer, lessons)
    save_model(config, pupil.net, recognizer, lessons)
    return figures


class Pupil(nn.Module):
    """What is trained: the denoiser and its critic."""

    def __init__(self, config: MotionRecipe) -> None:
        """Both untrained."""
        super().__init__()
        self.net = MotionDenoiser(config.model)
        self.critic = Critic(config.critic)

    def parameters_of(self, stage: str) -> list[nn.Parameter]:
        """What this stage trains."""
        if stage == "base":
            return self.net.base_parameters()
        return [*self.net.branch.parameters(), *self.critic.parameters()]


def build(config: MotionRecipe, lessons: Lessons) -> Pupil:
    """The pupil with the lessons' statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        pupil = Pupil(config)
    motion = torch.cat([clip.motion for clip in (*lessons.neutral, *lessons.emotional)])
    pupil.net.scaling.measure(motion)
    mean, spread = statistics(lessons.neutral)
    pupil.net.ear.get_buffer("mean").copy_(mean)
    pupil.net.ear.get_buffer("spread").copy_(spread)
    pupil.critic.get_buffer("directions").copy_(low_directions(pupil.net.scaling.scaled(motion)))
    return pupil


def begin_with(net: MotionDenoiser, source: str, *, fresh_branch: bool) -> None:
    """Copy another denoiser's weights, with its statistics.

    Raises:
        BadInput: it is of another size or hears other conditions.
        WeightsError: see `load_denoiser`.
    """
    tensors = net.state_dict()
    for name, value in load_denoiser(source).state_dict().items():
        if fresh_branch and name.startswith("branch."):
            continue
        if name not in tensors or tensors[name].shape != value.shape:
            raise BadInput(f"start={source} is of another size: set model.* as there")
        tensors[name] = value
    net.load_state_dict(tensors)


def train_stage(
    config: MotionRecipe,
    stage: str,
    pupil: Pupil,
    recognizer: MotionRecognizer | None,
    lessons: Lessons,
) -> dict[str, float]:
    """Train one stage in place; the pupil ends as the moving average. Gives its last figures."""
    out = Path(config.out) / stage
    out.mkdir(parents=True, exist_ok=True)
    epochs = config.base_epochs if stage == "base" else config.branch_epochs
    clips, valid = lessons.of(stage)
    pupil.zero_grad()
    trained = pupil.requires_grad_(False).parameters_of(stage)
    for parameter in trained:
        parameter.requires_grad_(True)
    average = Average(pupil, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        trained, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    progress = load_state(out / "state", module=pupil, average=average, optimizer=optimizer)
    figures: dict[str, float] = progress["best"]
    for epoch in range(progress["epoch"] + 1, epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, STAGES.index(stage), epoch])
        totals: dict[str, list[float]] = {}
        for step in range(config.steps_per_epoch):
            share = (epoch + step / config.steps_per_epoch) / epochs
            set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
            batch = draw_batch(clips, config.batch_size, rng=rng, prefix_noise=config.prefix_noise)
            losses = batch_losses(config, stage, pupil, recognizer, batch, rng=rng)
            optimizer.zero_grad()
            torch.autograd.backward(sum(losses.values(), torch.zeros(())))
            for part in (pupil.net, pupil.critic):
                torch.nn.utils.clip_grad_norm_(part.parameters(), config.gradient_norm)
            optimizer.step()
            average.update(pupil)
            for name, loss in losses.items():
                totals.setdefault(name, []).append(float(loss.detach()))
        figures = {
            "epoch": float(epoch),
            **{f"{stage}_{name}": float(np.mean(values)) for name, values in totals.items()},
            **validate(config, stage, average.module.net, valid),
        }
        save_state(
            out / "state",
            module=pupil,
            average=average,
            optimizer=optimizer,
            progress={"best": figures, "epoch": epoch},
        )
        log_epoch(out, figures, cpu_s=time.process_time() - started)
    pupil.load_state_dict(average.module.state_dict())
    return figures


def batch_losses(
    config: MotionRecipe,
    stage: str,
    pupil: Pupil,
    recognizer: MotionRecognizer | None,
    batch: MotionBatch,
    *,
    rng: np.random.Generator,
) -> dict[str, Tensor]:
    """The weighted losses of a batch, by name."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    count = len(batch.motion)
    level = draw_levels(
        count, mean=config.level_mean, spread=config.level_spread, generator=generator
    )
    dropped = torch.rand(count, generator=generator) < config.drop_speech
    window = told(
        config, stage, batch, dropped=dropped if stage == "base" else torch.zeros_like(dropped)
    )
    wanted = pupil.net.scaling.scaled(batch.motion)
    noise = draw_noise(wanted, window, generator=generator)
    noisy = torch.where(window.known[..., None], wanted, noised(wanted, noise, level))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.bfloat16):
        clean = pupil.net(noisy, level, window).float()
    seen = {"present": window.present, "known": window.known}
    losses = {"flow": flow_loss(clean, wanted, level, **seen)}
    if stage == "base":
        return losses
    felt = felt_in(batch)
    made = torch.where(window.known[..., None], wanted, clean)
    shares = config.shares
    if shares.critic:
        losses["critic"] = pupil.critic.learn(
            wanted, made, window.present, felt, generator=generator
        )
        losses["teach"] = shares.critic * pupil.critic.teach(
            made, window.present, felt, realness=shares.realness, generator=generator
        )
    if recognizer is not None:
        losses["seen"] = shares.consistency * seen_loss(
            recognizer, pupil.net.scaling.unscaled(made), level, window.present, felt
        )
    return losses


def draw_noise(wanted: Tensor, window: Window, *, generator: torch.Generator) -> Tensor:
    """(B, F, C) the noise of each window; it goes on from the prefix where there is one."""
    white = torch.randn(wanted[:, PREFIX:].shape, generator=generator)
    before = wanted[:, :PREFIX]
    has_prefix = window.known.any(dim=1)[:, None, None]
    noise = torch.where(has_prefix, smooth_noise(white, before), smooth_noise(white))
    return torch.cat([torch.zeros_like(before), noise], dim=1)


def told(config: MotionRecipe, stage: str, batch: MotionBatch, *, dropped: Tensor) -> Window:
    """The batch's conditions as the stage takes them; those in `dropped` (B,) hear nothing."""
    vectors = batch.window.emotion if config.model.emotion == "bank" else batch.probs
    return replace(
        batch.window,
        heard=batch.window.heard & ~dropped[:, None],
        emotion=vectors if stage == "branch" else None,
    )


def felt_in(batch: MotionBatch) -> Felt:
    """What a batch's windows show on average."""
    there = batch.window.present[..., None].float()
    count = there.sum(dim=1)
    return Felt((batch.probs * there).sum(dim=1) / count, (batch.vad * there).sum(dim=1) / count)


@torch.no_grad()
def validate(
    config: MotionRecipe, stage: str, net: MotionDenoiser, clips: list[MotionClip]
) -> dict[str, float]:
    """Flow loss at fixed levels, and how well lips are foretold from sound alone, on other people.

    The lips' R2 is of the estimate at noise level 1, where only the sound tells anything.
    """
    rng = np.random.default_rng(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    losses, errors, spreads = [], [], []
    places = members("lips", "jaw")
    for _ in range(VALID_BATCHES):
        batch = draw_batch(clips, config.batch_size, rng=rng, prefix_noise=0.0)
        window = told(config, stage, batch, dropped=torch.zeros(len(batch.motion)).bool())
        wanted = net.scaling.scaled(batch.motion)
        counted = window.present.clone()
        counted[:, :PREFIX] = False
        for value in VALID_LEVELS:
            level = torch.full((len(wanted),), value)
            noise = draw_noise(wanted, window, generator=generator)
            noisy = torch.where(window.known[..., None], wanted, noised(wanted, noise, level))
            clean = net(noisy, level, window)
            seen = {"present": window.present, "known": window.known}
            losses.append(float(flow_loss(clean, wanted, level, **seen)))
        errors.append((clean - wanted)[counted][:, places].square().mean(dim=0))
        spreads.append(wanted[counted][:, places].var(dim=0, correction=0))
    error, spread = torch.stack(errors).mean(dim=0), torch.stack(spreads).mean(dim=0)
    return {
        f"{stage}_valid_flow": float(np.mean(losses)),
        f"{stage}_valid_lips_r2": float(1.0 - error.sum() / spread.sum().clamp(min=1e-9)),
    }


def save_model(
    config: MotionRecipe,
    net: MotionDenoiser,
    recognizer: MotionRecognizer | None,
    lessons: Lessons,
) -> None:
    """The weights, with the facts of their card and the nets that were losses.

    Large matrices are kept as int8 rows, the rest in half precision, the motion's scales in full.
    """
    losses = []
    if recognizer is not None:
        losses.append(
            {
                "name": "face_motion",
                "sha256": recognizer.fingerprint,
                "trained_on": list(recognizer.trained_on),
            }
        )
    tensors = {
        name: value if "scaling" in name else value.half()
        for name, value in net.state_dict().items()
    }
    save_weights(
        Path(config.out) / "weights",
        config=record_of(config.model, losses, clean=lessons.clean),
        tensors=int8_rows(tensors),
        licence=lessons.licence,
        commercial=lessons.commercial,
        trained_on=lessons.trained_on,
    )
