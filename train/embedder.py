"""Train the embedder: voices, faces, texts and requests of one emotion land together.

    affetto train embedder data.root=... data.readings=runs/readings out=runs/embedder

What should come out is the label (cross-entropy of the decoded labels), its place in VAD (Gaussian
log likelihood), a Gaussian near the bank's prior (KL), and items of one label from other people and
other modalities nearer than those of other labels (supervised contrast, Khosla et al. 2020, between
samples of the Gaussians). CREMA-D's votes teach what voice and face together make. Modalities are
dropped, their probabilities are warmed and cooled.
"""

import dataclasses
import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from affetto.emotion_bank.embedder import CrossModalEmbedder, EmbedderConfig
from affetto.emotion_bank.space import decode, priors
from affetto.gaussian import sample
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.cremad import CremadVotes, part, read_cremad
from affetto.train.data.embedder_batches import (
    EmbedderBatch,
    Pools,
    labelled_batch,
    single_batch,
    voted_batch,
)
from affetto.train.data.readings import Readings, read_readings
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.train.workers import Workers
from affetto.weights import save_weights

MODALITIES_READ = ("voice", "face", "text")
LICENCE = (
    "Trained on judgements of RAVDESS (CC BY-NC-SA 4.0), EMO-DB, FER2013 with FER+ labels and "
    "our own phrases, and on CREMA-D's votes (ODbL); non-commercial research use"
)


@dataclass
class EmbedderData:
    """Where things are."""

    root: str = "../shared/data"  # has av_affect_annotations/
    readings: str = "runs/readings"  # has voice.npz, face.npz, text.npz
    unseen: list[str] = field(default_factory=list)  # people left out of training


@dataclass
class EmbedderRecipe:
    """The whole run; an epoch is `num_steps` batches."""

    model: EmbedderConfig = field(default_factory=EmbedderConfig)
    data: EmbedderData = field(default_factory=EmbedderData)
    out: str = "runs/embedder"
    epochs: int = 3
    num_steps: int = 100
    batch_size: int = 256
    voted_size: int = 128
    single: float = 0.6  # share of items of one modality alone
    learning_rate: float = 3e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.1
    gradient_norm: float = 1.0
    average_decay: float = 0.99
    vad_weight: float = 0.1
    prior_weight: float = 0.01
    contrast_weight: float = 0.2
    contrast_temperature: float = 0.5
    voted_weight: float = 1.0
    seed: int = 0
    num_threads: int = 1


def run(config: EmbedderRecipe) -> dict[str, float]:
    """Read the readings and votes, train, give the last epoch's validation figures."""
    folder = Path(config.data.readings)
    readings = {name: read_readings(folder, name) for name in MODALITIES_READ}
    return fit(config, readings, read_cremad(Path(config.data.root) / "av_affect_annotations"))


def fit(
    config: EmbedderRecipe, readings: dict[str, Readings], votes: CremadVotes
) -> dict[str, float]:
    """Train on what `training_part` leaves, keep the last average's weights in out/weights."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    workers = Workers()
    pools = Pools({n: training_part(r, config.data.unseen, "train") for n, r in readings.items()})
    held_out = {n: training_part(r, config.data.unseen, "valid") for n, r in readings.items()}
    train_votes, valid_votes = part(votes, "train"), part(votes, "valid")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = CrossModalEmbedder(config.model)
    average = Average(net, decay=config.average_decay)
    trained, optimizer = workers.prepare(
        net,
        torch.optim.AdamW(
            net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        ),
    )
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    row: dict[str, float] = progress["best"]
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch, workers.index])
        losses = []
        for step in range(config.num_steps):
            share = (epoch + step / config.num_steps) / config.epochs
            set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
            labelled = labelled_batch(pools, config.batch_size, single=config.single, rng=rng)
            chosen = rng.integers(len(train_votes.names), size=config.voted_size)
            voted = voted_batch(train_votes, chosen)
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            fine = step % 2 == 1
            loss = labelled_loss(
                trained, workers.moved(labelled), config, generator=generator, fine=fine
            )
            loss = loss + config.voted_weight * voted_loss(
                trained, workers.moved(voted), fine=not fine
            )
            optimizer.zero_grad()
            workers.backward(loss)
            torch.nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
            optimizer.step()
            average.update(net)
            losses.append(workers.mean(loss))
        figures = validate(average.module, held_out, valid_votes)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), **figures}
        if workers.first:
            save_model(out / "weights", average.module, config)
            save_state(
                out / "state",
                module=net,
                average=average,
                optimizer=optimizer,
                progress={"best": row, "epoch": epoch},
            )
            log_epoch(out, row, cpu_s=time.process_time() - started)
    return row


def labelled_loss(
    net: torch.nn.Module,
    batch: EmbedderBatch,
    config: EmbedderRecipe,
    *,
    generator: torch.Generator,
    fine: bool,
) -> Tensor:
    """Labels, VAD, nearness to the priors and contrast, weighed."""
    mean, log_var = net(batch.tokens, batch.modality(), batch.mask, fine=fine)
    probs, vad, vad_var = decode(mean, log_var)
    labels = cross_entropy(probs, batch.wanted)
    place = functional.gaussian_nll_loss(vad, batch.vad, vad_var.clamp(min=1e-3))
    prior_mean, prior_log_var = (values[batch.kind] for values in priors())
    nearness = divergence(mean, log_var, prior_mean, prior_log_var)
    drawn = sample(mean, log_var, generator=generator)
    together = contrast(drawn, batch, temperature=config.contrast_temperature)
    return (
        labels
        + config.vad_weight * place
        + config.prior_weight * nearness
        + config.contrast_weight * together
    )


def voted_loss(net: torch.nn.Module, batch: EmbedderBatch, *, fine: bool) -> Tensor:
    """Cross-entropy to the votes of those who heard and saw, among the labels they could choose."""
    mean, log_var = net(batch.tokens, batch.modality(), batch.mask, fine=fine)
    probs, _, _ = decode(mean, log_var)
    open_to_them = probs * batch.asked
    return cross_entropy(open_to_them / open_to_them.sum(dim=-1, keepdim=True), batch.wanted)


def cross_entropy(probs: Tensor, wanted: Tensor) -> Tensor:
    """Mean nats of (B, 11) probabilities against wanted ones."""
    return -(wanted * probs.clamp(min=1e-4).log()).sum(dim=-1).mean()


def divergence(mean: Tensor, log_var: Tensor, to_mean: Tensor, to_log_var: Tensor) -> Tensor:
    """Mean KL in nats a dimension of diagonal Gaussians (B, D) to others."""
    ratio = (log_var - to_log_var).exp()
    distance = (mean - to_mean) ** 2 / to_log_var.exp()
    return 0.5 * (ratio + distance - 1.0 - (log_var - to_log_var)).mean()


def contrast(drawn: Tensor, batch: EmbedderBatch, *, temperature: float) -> Tensor:
    """Supervised contrast over squared distances; positives share the label, not the person."""
    distances = torch.cdist(drawn, drawn) ** 2
    other = batch.person[:, None] != batch.person
    logits = (-distances / temperature).masked_fill(~other, -torch.inf)
    alike = other & (batch.kind[:, None] == batch.kind)
    logs = functional.log_softmax(logits, dim=-1).masked_fill(~alike, 0.0)
    count = alike.sum(dim=-1)
    mean_logs = logs.sum(dim=-1)[count > 0] / count[count > 0]
    return -mean_logs.mean()


def training_part(readings: Readings, unseen: list[str], wanted: str) -> Readings:
    """What training or its validation may see: no unseen people, no part called test.

    A fifth of the people (of the items where people are not known) validates.
    """
    open_to_us = (readings.part != "test") & ~np.isin(readings.person, unseen)
    validates = _fifth(readings.person)
    return readings.where(open_to_us & (readings.label >= 0) & (validates == (wanted == "valid")))


@torch.no_grad()
def validate(
    net: CrossModalEmbedder, held_out: dict[str, Readings], votes: CremadVotes
) -> dict[str, float]:
    """Cross-entropy of labels a modality, each label counted alike, and of votes; their mean."""
    figures = {}
    for name, readings in held_out.items():
        batch = single_batch(readings)
        probs, _, _ = decode(*net(batch.tokens, batch.modality(), batch.mask))
        right = probs.gather(1, batch.kind[:, None]).squeeze(1).clamp(min=1e-4).log().numpy()
        by_label = [right[readings.label == label].mean() for label in np.unique(readings.label)]
        figures[f"{name}_loss"] = -float(np.mean(by_label))
        found = probs.argmax(dim=1).numpy() == readings.label
        recalls = [found[readings.label == label].mean() for label in np.unique(readings.label)]
        figures[f"{name}_recall"] = float(np.mean(recalls))
    batch = voted_batch(votes, np.arange(len(votes.names)))
    figures["voted_loss"] = float(voted_loss(net, batch, fine=True))
    losses = [value for name, value in figures.items() if name.endswith("_loss")]
    return {"score": float(np.mean(losses)), **figures}


def save_model(folder: Path, net: torch.nn.Module, config: EmbedderRecipe) -> None:
    """The weights with the facts of their card."""
    save_weights(
        folder,
        config=dataclasses.asdict(config.model),
        tensors=net.state_dict(),
        licence=LICENCE,
        commercial=False,
        trained_on=("ravdess", "emodb", "ferplus", "affetto_phrases", "cremad_votes"),
    )


def _fifth(persons: NDArray[np.str_]) -> NDArray[np.bool_]:
    hashes = {p: hashlib.sha1(p.encode(), usedforsecurity=False).digest()[0] for p in set(persons)}
    return np.asarray([hashes[person] % 5 == 0 for person in persons], dtype=np.bool_)
