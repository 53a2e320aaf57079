"""Train the motion head: from blendshape coefficients of a face to FER+'s votes.

    affetto train face_motion data.root=... out=runs/face_motion

The coefficients are those that MediaPipe's landmarker reads from FER+ faces (made once, kept in
out/). Trained on the even half of the training part, as the loss nets are; epoch and temperature
are chosen on the validation part. Targets are the vote shares (Barsoum et al. 2016, their
"cross-entropy loss"). A share of each batch are textbook faces (`facs_prototypes`), for what the
landmarker cannot read. Goes on from out/state when it is there.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.blendshapes import MIRROR
from affetto.recognizers.face.motion import MotionConfig, MotionRecognizer
from affetto.recognizers.metrics import accuracy, uar
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.facs_prototypes import draw_prototypes
from affetto.train.data.ferplus_blendshapes import MotionFaces, read_motion_faces
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.weights import save_weights

TRAINED_ON = ("ferplus-even (blendshapes by MediaPipe)", "EMFACS prototypes (drawn)")
LICENCE = "Research use: FER2013's pictures come from web search, their rights are unclear."
NEUTRAL = 0
SHARPNESSES = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)


@dataclass
class MotionData:
    """Where the faces are, and how many to take (tiny runs); 0 is all."""

    root: str = "../shared/data"
    num_faces: int = 0


@dataclass
class MotionRecipe:
    """The whole run."""

    model: MotionConfig = field(default_factory=MotionConfig)
    data: MotionData = field(default_factory=MotionData)
    out: str = "runs/face_motion"
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 2e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.05
    average_decay: float = 0.998
    noise: float = 0.01  # standard deviation added to the coefficients
    strength: float = 0.2  # a face's coefficients are scaled by 1 -+ up to this
    prototypes: float = 0.1  # textbook faces for each real one
    prior_share: float = 0.65  # how much of the labels' frequencies is taken out again
    seed: int = 0
    num_threads: int = 1


def run(config: MotionRecipe) -> dict[str, float]:
    """Read the faces, train, give the kept epoch's validation figures."""
    root, out = Path(config.data.root), Path(config.out)
    train, valid = (read_motion_faces(root, out, part) for part in ("train", "valid"))
    if config.data.num_faces:
        train = _first(train, config.data.num_faces)
    return fit(config, train, valid)


def fit(config: MotionRecipe, train: MotionFaces, valid: MotionFaces) -> dict[str, float]:
    """Train, keep the best average's calibrated weights in out/weights, give its figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    net = build(config, train)
    average = Average(net, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    best: dict[str, float] = progress["best"]
    values, shares = torch.from_numpy(train.blendshapes), torch.from_numpy(train.shares)
    plain = train.blendshapes[train.majority == NEUTRAL]
    num_batches = max(1, len(values) // config.batch_size)
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
        rng = np.random.default_rng([config.seed, epoch])
        order = torch.randperm(len(values), generator=generator)
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            for number in range(num_batches):
                share = (epoch + number / num_batches) / config.epochs
                set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
                rows = order[number * config.batch_size : (number + 1) * config.batch_size]
                drawn, wanted = with_prototypes(values[rows], shares[rows], plain, config, rng=rng)
                shown = varied(drawn, config, generator=generator)
                log_probs = net.train().step_logits(shown).log_softmax(dim=-1)
                loss = -(wanted * log_probs).sum(dim=-1).mean()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                average.update(net)
                losses.append(float(loss.detach()))
        figures = calibrate(average.module, config, train, valid)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), **figures}
        improved = not best or row["valid_loss"] < best["valid_loss"]
        best = row if improved else best
        if improved:
            save_model(out / "weights", average.module, config)
        save_state(
            out / "state",
            module=net,
            average=average,
            optimizer=optimizer,
            progress={"best": best, "epoch": epoch},
        )
        log_epoch(out, row, cpu_s=time.process_time() - started)
    return best


def build(config: MotionRecipe, train: MotionFaces) -> MotionRecognizer:
    """The network with the training faces' statistics, the same for both sides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = MotionRecognizer(config.model)
    plain = train.blendshapes[train.majority == NEUTRAL]
    count = round(config.prototypes * len(train.blendshapes))
    lessons, _ = draw_prototypes(count, plain, rng=np.random.default_rng(config.seed))
    given = np.concatenate([train.blendshapes, lessons])
    both = np.concatenate([given, given[:, list(MIRROR)]])
    net.get_buffer("mean").copy_(torch.from_numpy(both.mean(axis=0)))
    net.get_buffer("spread").copy_(torch.from_numpy(both.std(axis=0)))
    return net


def with_prototypes(
    values: Tensor,
    shares: Tensor,
    plain: NDArray[np.float32],
    config: MotionRecipe,
    *,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """A batch of real faces with its share of textbook ones behind them."""
    count = round(config.prototypes * len(values))
    lessons, wanted = draw_prototypes(count, plain, rng=rng)
    return (
        torch.cat([values, torch.from_numpy(lessons)]),
        torch.cat([shares, torch.from_numpy(wanted)]),
    )


def varied(values: Tensor, config: MotionRecipe, *, generator: torch.Generator) -> Tensor:
    """Coefficients (B, 52) with noise, stronger or weaker as a whole, kept in [0, 1]."""
    factor = 1 + config.strength * (2 * torch.rand(len(values), 1, generator=generator) - 1)
    noise = config.noise * torch.randn(values.shape, generator=generator)
    return (values * factor + noise).clamp(0.0, 1.0)


def calibrate(
    net: MotionRecognizer, config: MotionRecipe, train: MotionFaces, valid: MotionFaces
) -> dict[str, float]:
    """Set the net's prior shift and, by the validation part, its temperature; gives its figures."""
    net.get_buffer("sharpness").fill_(1.0)
    net.get_buffer("shift").zero_()
    with torch.no_grad():
        log_probs = net.step_logits(torch.from_numpy(valid.blendshapes)).log_softmax(dim=-1)
    shown = train.shares.mean(axis=0) + config.prototypes / train.shares.shape[1]
    prior = torch.from_numpy(config.prior_share * np.log(shown / shown.sum()).astype(np.float32))
    shares = torch.from_numpy(valid.shares)
    losses = {one: _loss(one * (log_probs - prior), shares) for one in SHARPNESSES}
    sharpness = min(losses, key=lambda one: losses[one])
    net.get_buffer("sharpness").fill_(sharpness)
    net.get_buffer("shift").copy_(-sharpness * prior)
    clear = valid.majority >= 0
    said, wanted = (log_probs - prior).argmax(dim=-1).numpy()[clear], valid.majority[clear]
    return {
        "valid_loss": _loss(log_probs, shares),
        "valid_accuracy": accuracy(wanted, said),
        "valid_uar": uar(wanted, said),
        "sharpness": sharpness,
    }


def save_model(folder: Path, net: MotionRecognizer, config: MotionRecipe) -> None:
    """The weights with the facts of their card."""
    save_weights(
        folder,
        config=dataclasses.asdict(config.model),
        tensors=net.state_dict(),
        licence=LICENCE,
        commercial=False,
        trained_on=TRAINED_ON,
    )


def _loss(logits: Tensor, shares: Tensor) -> float:
    return float(-(shares * logits.log_softmax(dim=-1)).sum(dim=-1).mean())


def _first(faces: MotionFaces, count: int) -> MotionFaces:
    arrays = {
        name: getattr(faces, name)[:count]
        for name in ("blendshapes", "shares", "majority", "fer_index")
    }
    return dataclasses.replace(faces, **arrays)
