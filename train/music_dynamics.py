"""Train the dynamics model: note density and loudness of each second from what the film shows.

    affetto train music_dynamics data.root=... out=runs/music_dynamics

Differs from Video2Music's training: the loss is each song's root mean squared error, density and
loudness on scales of their own, instead of the squared error of the raw pair, which density rules;
conditions are dropped at random; the moving average is kept whose validation score is best. Goes on
from out/state when it is there, with the same result as without a break.
"""

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affetto.gen.music.dynamics import DynamicsConfig, DynamicsNet
from affetto.gen.music.encoder import CONDITION_WIDTHS
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.chord_batches import drop_conditions, statistics
from affetto.train.data.corpora import Corpora, licence_of, read_songs
from affetto.train.data.dynamics_batches import DynamicsBatch, course, shuffled_batches
from affetto.train.data.muvi_sync import Song
from affetto.train.dynamics_metrics import padded_rmse, predict, score_courses
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.train.workers import Workers
from affetto.weights import save_weights

SCALES = (5.0, 0.09)  # about the error of predicting the mean, density and loudness


@dataclass
class DynamicsRecipe:
    """The whole run; epochs count passes over all songs."""

    model: DynamicsConfig = field(default_factory=DynamicsConfig)
    data: Corpora = field(default_factory=Corpora)
    out: str = "runs/music_dynamics"
    epochs: int = 16
    batch_size: int = 64
    learning_rate: float = 4e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    average_decay: float = 0.98
    drop_condition: float = 0.1
    drop_all_conditions: float = 0.05
    seed: int = 0
    num_threads: int = 1


def run(config: DynamicsRecipe) -> dict[str, float]:
    """Read the corpora, train, give the kept epoch's validation figures."""
    clip = "clip" in config.model.conditions
    train, val = (
        read_songs(config.data, split, clip=clip, scores=True) for split in ("train", "val")
    )
    return fit(config, train, val)


def fit(config: DynamicsRecipe, train: list[Song], val: list[Song]) -> dict[str, float]:
    """Train on songs, keep the best average's weights in out/weights, give its figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    workers = Workers()
    net = build(config, train)
    average = Average(net, decay=config.average_decay)
    trained, optimizer = workers.prepare(
        net,
        torch.optim.AdamW(
            net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        ),
    )
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    best: dict[str, float] = progress["best"]
    num_batches = math.ceil(len(train) / config.batch_size)
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch + workers.index * 1_000_003)
            batches = shuffled_batches(
                train, net.names, config.batch_size, rng=rng, worker=(workers.index, workers.count)
            )
            for number, batch in enumerate(batches, start=epoch * num_batches):
                share = number / (num_batches * config.epochs)
                set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
                loss = batch_loss(trained.train(), workers.moved(batch), config, rng=rng)
                optimizer.zero_grad()
                workers.backward(loss)
                torch.nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(net)
                losses.append(workers.mean(loss))
        figures = score_courses(predict(average.module, val), val)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), "score": score(figures), **figures}
        improved = not best or row["score"] < best["score"]
        best = row if improved else best
        if workers.first:
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


def build(config: DynamicsRecipe, train: list[Song]) -> DynamicsNet:
    """The network, begun near the mean, with the training songs' statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = DynamicsNet(config.model)
    widths = {name: CONDITION_WIDTHS[name] for name in net.names}
    unseen = {name: (torch.zeros(width), torch.zeros(width)) for name, width in widths.items()}
    found = unseen | statistics(train, widths)
    targets = np.concatenate([course(song) for song in train])
    with torch.no_grad():
        net.shortcut.weight.mul_(0.1)
        net.head.weight.mul_(0.3)
    mean, std = (torch.cat([found[name][i] for name in net.names]) for i in (0, 1))
    courses = torch.from_numpy(targets)
    net.set_statistics(
        inputs=(mean, std), targets=(courses.mean(dim=0), courses.std(dim=0, correction=0))
    )
    return net


def batch_loss(
    net: torch.nn.Module, batch: DynamicsBatch, config: DynamicsRecipe, *, rng: np.random.Generator
) -> Tensor:
    """Mean scaled error of a batch with conditions dropped at random."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    shown = drop_conditions(
        batch.conditions,
        share=config.drop_condition,
        share_all=config.drop_all_conditions,
        generator=generator,
    )
    predicted: Tensor = net(shown, lengths=batch.lengths, ends=batch.ends)
    errors = padded_rmse(predicted, batch.targets)  # (B, 2)
    return (errors / errors.new_tensor(SCALES)).mean()


def score(figures: dict[str, float]) -> float:
    """What is chosen by: the padded errors of density and loudness on one scale, averaged."""
    errors = (figures["density_padded_rmse"], figures["loudness_padded_rmse"])
    return sum(error / scale for error, scale in zip(errors, SCALES, strict=True)) / 2


def save_model(folder: Path, net: torch.nn.Module, config: DynamicsRecipe) -> None:
    """The weights with the facts of their card."""
    licence, commercial = licence_of(config.data.corpora)
    save_weights(
        folder,
        config=dataclasses.asdict(config.model),
        tensors=net.state_dict(),
        licence=licence,
        commercial=commercial,
        trained_on=tuple(config.data.corpora),
    )
