"""Train the Affective Music Transformer on chords of one second each.

    affetto train music_chords data.root=... out=runs/music_chords

Differs from Video2Music's training: AdamW with a cosine instead of Adam with its warm-up schedule,
conditions dropped at random, the best moving average kept by validation; plain cross-entropy unless
`loss: seed`. Goes on from out/state when it is there, with the same result as without a break.
"""

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from affetto.gen.music.transformer import MusicTransformer, MusicTransformerConfig
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.chord_metrics import score_transformer
from affetto.train.data.chord_batches import (
    ChordBatch,
    drop_conditions,
    shuffled_batches,
    statistics,
)
from affetto.train.data.corpora import Corpora, licence_of, read_songs
from affetto.train.data.muvi_sync import Song
from affetto.train.losses import chord_loss, seed_loss
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.train.workers import Workers
from affetto.weights import fill, load_weights, save_weights


@dataclass
class ChordsRecipe:
    """The whole run; epochs count passes over all songs."""

    model: MusicTransformerConfig = field(default_factory=MusicTransformerConfig)
    data: Corpora = field(default_factory=Corpora)
    out: str = "runs/music_chords"
    initial: str | None = None
    loss: Literal["chord", "seed"] = "chord"
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.05
    gradient_norm: float = 1.0
    average_decay: float = 0.995
    drop_condition: float = 0.15
    drop_all_conditions: float = 0.1
    seed: int = 0
    num_threads: int = 1


def run(config: ChordsRecipe) -> dict[str, float]:
    """Train, keep the best average's weights in out/weights, give its validation figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    train, val = read_songs(config.data, "train"), read_songs(config.data, "val")
    workers = Workers()
    model = build(config, train)
    average = Average(model, decay=config.average_decay)
    trained, optimizer = workers.prepare(
        model,
        torch.optim.AdamW(
            parameter_groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.98)
        ),
    )
    progress = load_state(out / "state", module=model, average=average, optimizer=optimizer)
    best: dict[str, float] = progress["best"]
    num_batches = math.ceil(len(train) / config.batch_size)
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch + workers.index * 1_000_003)
            batches = shuffled_batches(
                train,
                config.model.widths,
                config.batch_size,
                rng=rng,
                worker=(workers.index, workers.count),
            )
            for number, batch in enumerate(batches, start=epoch * num_batches):
                share = number / (num_batches * config.epochs)
                set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
                loss = batch_loss(trained.train(), workers.moved(batch), config, rng=rng)
                optimizer.zero_grad()
                workers.backward(loss)
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(model)
                losses.append(workers.mean(loss))
        figures = score_transformer(average.module, val)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), **figures}
        improved = not best or row["nll"] < best["nll"]
        best = row if improved else best
        if workers.first:
            if improved:
                save_model(out / "weights", average.module, config)
            save_state(
                out / "state",
                module=model,
                average=average,
                optimizer=optimizer,
                progress={"best": best, "epoch": epoch},
            )
            log_epoch(out, row, cpu_s=time.process_time() - started)
    return best


def build(config: ChordsRecipe, train: list[Song]) -> MusicTransformer:
    """The network with the training songs' statistics, or with the `initial` weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = MusicTransformer(config.model)
    if config.initial is not None:
        start_from(model, config.initial)
    model.encoder.set_statistics(statistics(train, config.model.widths))
    return model


def start_from(model: MusicTransformer, initial: str) -> None:
    """Copy weights of the same shape; only the inputs of conditions may be missing there.

    Raises:
        WeightsError: they do not fit.
    """
    weights = load_weights(initial)
    inputs = {k: v for k, v in model.state_dict().items() if k.startswith("encoder.inputs.")}
    fill(model, dataclasses.replace(weights, tensors=inputs | weights.tensors))


def parameter_groups(model: MusicTransformer, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices, none for biases, norms and single vectors."""
    matrices = [value for value in model.parameters() if value.ndim > 1]
    vectors = [value for value in model.parameters() if value.ndim <= 1]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]


def batch_loss(
    model: torch.nn.Module,
    batch: ChordBatch,
    config: ChordsRecipe,
    *,
    rng: np.random.Generator,
) -> Tensor:
    """The configured loss with conditions dropped at random."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    shown = drop_conditions(
        batch.conditions,
        share=config.drop_condition,
        share_all=config.drop_all_conditions,
        generator=generator,
    )
    logits = model(batch.chords, shown, batch.minor)
    if config.loss == "chord":
        return chord_loss(logits, batch.targets)
    emotion = batch.conditions["emotion"].values[:, 1:]
    padding = batch.targets.shape[1] - emotion.shape[1]  # END stands one past the film
    emotion = torch.nn.functional.pad(emotion, (0, 0, 0, padding))
    return seed_loss(logits, batch.targets, emotion)


def save_model(folder: Path, model: MusicTransformer, config: ChordsRecipe) -> None:
    """Half-precision weights; the strictest licence of all they were ever trained on."""
    licences = [licence_of(config.data.corpora)]
    trained_on = tuple(config.data.corpora)
    if config.initial is not None:
        initial = load_weights(config.initial)
        licences.append((initial.licence, initial.commercial))
        trained_on = tuple(dict.fromkeys((*initial.trained_on, *trained_on)))
    licence, commercial = min(licences, key=lambda pair: pair[1])
    save_weights(
        folder,
        config=dataclasses.asdict(config.model),
        tensors={name: value.half() for name, value in model.state_dict().items()},
        licence=licence,
        commercial=commercial,
        trained_on=trained_on,
    )
