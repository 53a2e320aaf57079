"""Train the face recognizer, the face net that serves as a loss, and the face judge, on FER+.

    affetto train face data.root=... out=runs/face                 # the whole training part
    affetto train face_loss data.root=... out=runs/face_loss       # the even half
    affetto train face_judge data.root=... out=runs/face_judge     # the odd half

The target of a face is the share of its votes (Barsoum et al. 2016, their cross-entropy loss).
The validation part decides how much of the label frequencies is taken out again and how sharp the
probabilities are; the last average of the weights is kept. Goes on from out/state when it is there.
"""

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.conditioning.semantic import lite0_network
from affetto.recognizers.face.expression import ExpressionRecognizer
from affetto.recognizers.face.judge import FaceJudge
from affetto.recognizers.face.recognizer import FaceLoss, FaceRecognizer
from affetto.recognizers.metrics import accuracy, calibration_error, uar
from affetto.train.augment_face import FaceAugmentation, varied
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.ferplus import Faces, Half, read_ferplus, twins
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.weights import save_weights

LICENCE = "Research use: FER2013's pictures come from web search, their rights are unclear."
TRAINED_ON: dict[Half, tuple[str, ...]] = {
    "even": ("ferplus-even",),
    "odd": ("ferplus-odd",),
    "all": ("ferplus-even", "ferplus-odd"),
}
SHARPNESSES = tuple(round(0.5 + 0.05 * step, 2) for step in range(41))
PRIOR_SHARES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0)


@dataclass
class FaceData:
    """Where the faces are, and how many to take (tiny runs); 0 is all."""

    root: str = "../shared/data"
    num_faces: int = 0


@dataclass
class FaceRecipe:
    """The face recognizer: the whole training part."""

    data: FaceData = field(default_factory=FaceData)
    augmentation: FaceAugmentation = field(default_factory=FaceAugmentation)
    out: str = "runs/face"
    epochs: int = 18
    batch_size: int = 64
    learning_rate: float = 3e-3
    warmup_share: float = 0.08
    weight_decay: float = 0.05
    gradient_norm: float = 5.0
    average_decay: float = 0.998
    given_away: float = 0.01  # of accuracy on validation, for UAR, when the prior share is chosen
    bfloat16: bool = True  # faster for dense convolutions, slower for depthwise ones
    seed: int = 0
    num_threads: int = 1

    @property
    def half(self) -> Half:
        """Of the training part."""
        return "all"

    def build(self) -> ExpressionRecognizer:
        """The untrained net."""
        return FaceRecognizer()


@dataclass
class LossRecipe(FaceRecipe):
    """The net for generators to learn from: the even half, from ImageNet's weights."""

    out: str = "runs/face_loss"
    epochs: int = 12
    learning_rate: float = 1.5e-3
    bfloat16: bool = False

    @property
    def half(self) -> Half:
        """Of the training part."""
        return "even"

    def build(self) -> ExpressionRecognizer:
        """The net with ImageNet's weights."""
        recognizer = FaceLoss()
        recognizer.network.start_from(lite0_network())  # type: ignore[operator]
        return recognizer


@dataclass
class JudgeRecipe(FaceRecipe):
    """The judge: odd half, from nothing, another seed."""

    out: str = "runs/face_judge"
    epochs: int = 16
    given_away: float = 0.02
    seed: int = 1

    @property
    def half(self) -> Half:
        """Of the training part."""
        return "odd"

    def build(self) -> ExpressionRecognizer:
        """The untrained net."""
        return FaceJudge()


def run(config: FaceRecipe) -> dict[str, float]:
    """Read the faces, train, give the validation figures."""
    root = Path(config.data.root)
    train = read_ferplus(root, "train", half=config.half)
    if config.data.num_faces:
        train = first(train, config.data.num_faces)
    return fit(config, train, read_ferplus(root, "valid"))


def fit(config: FaceRecipe, train: Faces, valid: Faces) -> dict[str, float]:
    """Train, calibrate, keep the average's weights in out/weights, give its figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = config.build()
    net = net.requires_grad_(True).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average: Average[ExpressionRecognizer] = Average(net, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        _groups(net),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            loss = _epoch(config, train, net, average, optimizer, epoch)
        row = {"epoch": epoch, "loss": loss}
        save_state(
            out / "state",
            module=net,
            average=average,
            optimizer=optimizer,
            progress={"best": row, "epoch": epoch},
        )
        log_epoch(out, row, cpu_s=time.process_time() - started)
    figures = calibrate(average.module, train, valid, given_away=config.given_away)
    save_model(out / "weights", average.module, config)
    return figures


def _groups(net: ExpressionRecognizer) -> list[dict[str, Any]]:
    """Weight decay is for kernels and matrices alone."""
    kernels = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    rest = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    return [{"params": kernels}, {"params": rest, "weight_decay": 0.0}]


def _epoch(
    config: FaceRecipe,
    train: Faces,
    net: ExpressionRecognizer,
    average: Average[ExpressionRecognizer],
    optimizer: torch.optim.Optimizer,
    epoch: int,
) -> float:
    """One pass over the faces; gives the mean loss in nats."""
    generator = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
    order = torch.randperm(len(train.pixels), generator=generator)
    num_batches = max(1, len(order) // config.batch_size)
    side = int(net.network.input_side)  # type: ignore[arg-type]
    net.train()
    losses = []
    for number in range(num_batches):
        share = (epoch + number / num_batches) / config.epochs
        set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
        rows = order[number * config.batch_size : (number + 1) * config.batch_size].numpy()
        faces = varied(
            as_tensor(train.pixels[rows]),
            side=side,
            amount=config.augmentation,
            generator=generator,
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            logits = net.network(faces.to(memory_format=torch.channels_last))
        log_probs = logits.float().log_softmax(dim=-1)
        loss = -(torch.from_numpy(train.shares[rows]) * log_probs).sum(dim=-1).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
        optimizer.step()
        average.update(net)
        losses.append(float(loss.detach()))
    return float(np.mean(losses))


def calibrate(
    net: ExpressionRecognizer, train: Faces, valid: Faces, *, given_away: float
) -> dict[str, float]:
    """Set the share of the prior to take out and the sharpness by the validation part."""
    scores = read_scores(net, valid.pixels)  # (N, 8) log probabilities
    prior = np.log(train.shares.mean(axis=0))
    clear = (valid.majority >= 0) & ~twins(valid, train)
    wanted = valid.majority[clear]

    answers = {share: (scores - share * prior)[clear].argmax(axis=1) for share in PRIOR_SHARES}
    least = max(accuracy(wanted, said) for said in answers.values()) - given_away
    good = [share for share, said in answers.items() if accuracy(wanted, said) >= least]
    prior_share = max(good, key=lambda share: uar(wanted, answers[share]))
    shifted = scores - prior_share * prior
    said = shifted[clear].argmax(axis=1)
    errors = {
        sharpness: calibration_error(wanted, _softmax(sharpness * shifted[clear]))
        for sharpness in SHARPNESSES
    }
    sharpness = min(errors, key=lambda one: errors[one])
    net.get_buffer("shift").copy_(torch.from_numpy(shifted[0] - scores[0]))
    net.get_buffer("sharpness").fill_(sharpness)
    return {
        "valid_accuracy": accuracy(wanted, said),
        "valid_uar": uar(wanted, said),
        "valid_calibration_error": errors[sharpness],
        "sharpness": sharpness,
        "prior_share": prior_share,
    }


def read_scores(net: ExpressionRecognizer, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 8) float32 scores of faces (N, 48, 48) uint8, see `ExpressionRecognizer.scores`."""
    net.eval()
    with torch.inference_mode():
        parts = [net.scores(as_tensor(part)) for part in _batches(pixels)]
    scores: NDArray[np.float32] = torch.cat(parts).numpy()
    return scores


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """(N, 48, 48) uint8 -> (N, 1, 48, 48) float32 in [0, 1]."""
    return torch.from_numpy(pixels).float()[:, None] / 255.0


def first(faces: Faces, count: int) -> Faces:
    """The first `count` faces."""
    fields = (item.name for item in dataclasses.fields(faces))
    return Faces(**{name: getattr(faces, name)[:count] for name in fields})


def save_model(folder: Path, net: ExpressionRecognizer, config: FaceRecipe) -> None:
    """The weights as float16, with the facts of their card."""
    tensors = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in net.state_dict().items()
    }
    save_weights(
        folder,
        config={"half": config.half},
        tensors=tensors,
        licence=LICENCE,
        commercial=False,
        trained_on=TRAINED_ON[config.half],
    )


def _batches(pixels: NDArray[np.uint8], size: int = 128) -> list[NDArray[np.uint8]]:
    return np.array_split(pixels, max(1, math.ceil(len(pixels) / size)))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probs
