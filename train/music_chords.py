"""Train the Affective Music Transformer on chords of one second each.

    python -m affetto.train.music_chords train/configs/music_chords.yaml data.root=... out=runs/x

Differs from Video2Music's training: AdamW with a cosine instead of Adam with its warm-up schedule,
conditions dropped at random, the best moving average kept by validation; plain cross-entropy unless
`loss: seed`. Goes on from out/state when it is there, with the same result as without a break.
"""

import dataclasses
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from affetto.config import load_config
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
    model = build(config, train)
    average = Average(model, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.98)
    )
    best: dict[str, float] = {}
    first_epoch = 0
    if (out / "state").is_dir():
        progress = load_state(out / "state", module=model, average=average, optimizer=optimizer)
        best, first_epoch = progress["best"], progress["epoch"] + 1
    num_batches = math.ceil(len(train) / config.batch_size)
    for epoch in range(first_epoch, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            batches = shuffled_batches(train, config.model.widths, config.batch_size, rng=rng)
            for number, batch in enumerate(batches, start=epoch * num_batches):
                share = number / (num_batches * config.epochs)
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate * schedule(share, config.warmup_share)
                loss = batch_loss(model.train(), batch, config, rng=rng)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(model)
                losses.append(float(loss.detach()))
        figures = score_transformer(average.module, val)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), **figures}
        if not best or figures["nll"] < best["nll"]:
            best = row
            save_model(out / "weights", average.module, config)
        row_text = json.dumps({**row, "cpu_s": round(time.process_time() - started, 1)})
        save_state(
            out / "state",
            module=model,
            average=average,
            optimizer=optimizer,
            progress={"best": best, "epoch": epoch},
        )
        with (out / "metrics.jsonl").open("a") as log:
            log.write(row_text + "\n")
        sys.stderr.write(row_text + "\n")
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


def schedule(share: float, warmup_share: float) -> float:
    """Factor of the learning rate at `share` 0..1 of the run: linear warm-up, then cosine to 0."""
    if share < warmup_share:
        return share / warmup_share
    return 0.5 * (1 + math.cos(math.pi * (share - warmup_share) / (1 - warmup_share)))


def batch_loss(
    model: MusicTransformer,
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


def main(words: list[str]) -> None:
    """Read CONFIG.yaml and key=value words, run, print the best epoch as JSON."""
    path = Path(words[0]) if words and "=" not in words[0] else None
    config = load_config(ChordsRecipe, path, words[1:] if path else words)
    sys.stdout.write(json.dumps(run(config)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
