"""Train the melody network: POP909's sung lines, sixteenth by sixteenth, over their chords.

    affetto train music_melody data.root=... out=runs/music_melody

Controls are dropped at random, so that the network also writes without them. The moving average is
kept whose validation loss is best. Goes on from out/state when it is there, with the same result as
without a break.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affetto.gen.music.melody import CONTROLS, MelodyConfig, MelodyNet, MelodySteps
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.pop909_melodies import Line, MelodyBatch, batches, read_melodies, steps_of
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.weights import save_weights

LICENCE = "Apache-2.0; trained on POP909 (MIT)."


@dataclass
class MelodyData:
    """Where pop909/ is; the first so many songs of each split, None for all."""

    root: str = "../shared/data"
    num_songs: int | None = None


@dataclass
class MelodyRecipe:
    """The whole run; epochs count passes over all songs."""

    model: MelodyConfig = field(default_factory=MelodyConfig)
    data: MelodyData = field(default_factory=MelodyData)
    out: str = "runs/music_melody"
    epochs: int = 14
    window_bars: int = 24
    batch_size: int = 32
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.02
    gradient_norm: float = 1.0
    average_decay: float = 0.99
    drop_control: float = 0.15
    drop_all_controls: float = 0.1
    seed: int = 0
    num_threads: int = 1


def run(config: MelodyRecipe) -> dict[str, float]:
    """Read the songs, train, give the kept epoch's validation figures."""
    root = Path(config.data.root) / "pop909"
    train, val = (read_melodies(root, s)[: config.data.num_songs] for s in ("train", "val"))
    return fit(config, train, val)


def fit(config: MelodyRecipe, train: list[Line], val: list[Line]) -> dict[str, float]:
    """Train on lines, keep the best average's weights in out/weights, give its figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = MelodyNet(config.model)
    average = Average(net, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    songs = [(steps_of(line), torch.from_numpy(line.tokens)) for line in train]
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    best: dict[str, float] = progress["best"]
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            rounds = list(batches(songs, bars=config.window_bars, size=config.batch_size, rng=rng))
            for number, batch in enumerate(rounds):
                share = (epoch + number / len(rounds)) / config.epochs
                set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
                shown = with_dropped_controls(batch.steps, config, rng=rng)
                loss = batch_loss(net.train(), dataclasses.replace(batch, steps=shown))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(net)
                losses.append(float(loss.detach()))
        row = {"epoch": epoch, "loss": float(np.mean(losses)), **score(average.module, val)}
        improved = not best or row["val_nats"] < best["val_nats"]
        best = row if improved else best
        if improved:
            save_weights(
                out / "weights",
                config=dataclasses.asdict(config.model),
                tensors={n: v.half() for n, v in average.module.state_dict().items()},
                licence=LICENCE,
                commercial=True,
                trained_on=("pop909",),
            )
        save_state(
            out / "state",
            module=net,
            average=average,
            optimizer=optimizer,
            progress={"best": best, "epoch": epoch},
        )
        log_epoch(out, row, cpu_s=time.process_time() - started)
    return best


def with_dropped_controls(
    steps: MelodySteps, config: MelodyRecipe, *, rng: np.random.Generator
) -> MelodySteps:
    """The batch with some controls of some windows not given."""
    size = len(steps.given)
    kept = rng.random((size, 1, len(CONTROLS))) >= config.drop_control
    kept &= rng.random((size, 1, 1)) >= config.drop_all_controls
    return dataclasses.replace(steps, given=steps.given * torch.from_numpy(kept))


def batch_loss(net: MelodyNet, batch: MelodyBatch) -> Tensor:
    """Mean nats a sixteenth."""
    logits, _ = net(batch.steps)
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), ignore_index=-1
    )


@torch.no_grad()
def score(net: MelodyNet, lines: list[Line]) -> dict[str, float]:
    """Mean nats a sixteenth over whole songs, with all controls and with none."""
    nats, bare_nats, count = 0.0, 0.0, 0
    for line in lines:
        steps, tokens = steps_of(line), torch.from_numpy(line.tokens)
        bare = dataclasses.replace(steps, given=torch.zeros_like(steps.given))
        for shown, with_controls in ((steps, True), (bare, False)):
            logits, _ = net(shown)
            loss = float(torch.nn.functional.cross_entropy(logits[0], tokens, reduction="sum"))
            nats, bare_nats = nats + loss * with_controls, bare_nats + loss * (not with_controls)
        count += len(tokens)
    return {"val_nats": nats / count, "val_nats_without_controls": bare_nats / count}
