"""Train the Emotion Bank: the embedder, then the codes and the attention over them.

    affetto train bank data.root=../shared/data data.readings=runs/readings out=runs/bank

The embedder has a recipe of its own (`affetto.train.embedder`), which is run first, unless its
weights are named (`embedder_weights=embedder` for the shipped ones); without modalities
(`modalities=[]`) there is none, and the bank learns from random requests alone. The
codes follow the states by moving averages; the attention learns, by gradients, that labels and VAD
can be read from its condition although its query is blurred. Goes on from out/state when it is
there, with the same result as without a break.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from affetto.emotion_bank.codes import BankConfig, EmotionBank
from affetto.emotion_bank.embedder import load_embedder
from affetto.emotion_bank.quantizer import perplexity
from affetto.emotion_bank.space import decode, priors
from affetto.train import embedder
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.emotion_population import (
    Population,
    embedded,
    held_out,
    mixed,
    random_requests,
)
from affetto.train.data.readings import read_readings
from affetto.train.embedder import EmbedderData, EmbedderRecipe
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.weights import save_weights

_HELD_OUT_SEED = 1_000_003


@dataclass
class BankRecipe:
    """The whole run; an epoch is `num_steps` batches."""

    model: BankConfig = field(default_factory=BankConfig)
    embedder: EmbedderRecipe = field(default_factory=EmbedderRecipe)
    embedder_weights: str = ""  # a name or folder; empty trains them first
    data: EmbedderData = field(default_factory=EmbedderData)
    modalities: list[str] = field(default_factory=lambda: ["voice", "face", "text"])
    out: str = "runs/bank"
    epochs: int = 10
    num_steps: int = 200
    batch_size: int = 256
    num_requests: int = 8000
    num_held_out: int = 4000
    blur: float = 0.5  # largest standard deviation of the noise on a query
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    vad_weight: float = 2.0
    shape_weight: float = 2.0
    average_decay: float = 0.99
    seed: int = 0
    num_threads: int = 1


def run(config: BankRecipe) -> dict[str, float]:
    """Train the embedder where there are modalities, then the bank; gives the bank's figures."""
    sources, unseen = requests(config), requests(config, unseen=True)
    if config.modalities:
        net = load_embedder(config.embedder_weights or train_embedder(config))
        for name in config.modalities:
            readings = read_readings(Path(config.data.readings), name)
            apart = held_out(readings)
            sources.append(embedded(readings.where(~apart), net))
            unseen.append(embedded(readings.where(apart), net))
    return fit(config, sources, unseen)


def train_embedder(config: BankRecipe) -> Path:
    """Run the embedder's recipe on the same data; gives the folder of its weights."""
    out = Path(config.out) / "embedder"
    embedder.run(dataclasses.replace(config.embedder, data=config.data, out=str(out)))
    return out / "weights"


def requests(config: BankRecipe, *, unseen: bool = False) -> list[Population]:
    """Random requests as the first source, other ones for validation."""
    rng = np.random.default_rng(config.seed + unseen * _HELD_OUT_SEED)
    return [random_requests(config.num_held_out if unseen else config.num_requests, rng=rng)]


def fit(
    config: BankRecipe, sources: list[Population], unseen: list[Population]
) -> dict[str, float]:
    """Train on states, equally many of each source in a batch; weights in out/weights."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    bank = build(config, sources)
    average = Average(bank, decay=config.average_decay)
    optimizer = torch.optim.Adam(bank.parameters(), lr=config.learning_rate)
    progress = load_state(out / "state", module=bank, average=average, optimizer=optimizer)
    row: dict[str, float] = progress["best"]
    valid = mixed(unseen, config.num_held_out, rng=np.random.default_rng(config.seed))
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        losses, revived = [], 0
        for step in range(config.num_steps):
            share = (epoch + step / config.num_steps) / config.epochs
            set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
            batch = mixed(sources, config.batch_size, rng=rng)
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            revived += bank.quantizer.update(batch.mean, generator=generator)
            loss = batch_loss(bank, batch, config, generator=generator)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            average.update(bank)
            losses.append(float(loss.detach()))
        figures = validate(average.module, valid)
        row = {"epoch": epoch, "loss": float(np.mean(losses)), "revived": revived, **figures}
        save_model(out / "weights", average.module, config)
        save_state(
            out / "state",
            module=bank,
            average=average,
            optimizer=optimizer,
            progress={"best": row, "epoch": epoch},
        )
        log_epoch(out, row, cpu_s=time.process_time() - started)
    return row


def build(config: BankRecipe, sources: list[Population]) -> EmotionBank:
    """The bank with its codes spread over the states."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        bank = EmotionBank(config.model)
    count = 32 * config.model.quantizer.num_codes
    first = mixed(sources, count, rng=np.random.default_rng(config.seed))
    bank.quantizer.begin(
        first.mean,
        fixed=priors()[0][: config.model.quantizer.num_fixed],
        generator=torch.Generator().manual_seed(config.seed),
    )
    return bank


def batch_loss(
    bank: EmotionBank, batch: Population, config: BankRecipe, *, generator: torch.Generator
) -> Tensor:
    """What the condition of blurred queries should hold, weighed.

    Labels (cross-entropy, nats), VAD (squared error), and distances as they are between the
    embeddings, so that a generator finds in the condition what lies near in emotion.
    """
    blur = config.blur * torch.rand(len(batch), 1, generator=generator)
    noise = torch.randn(batch.mean.shape, generator=generator)
    log_var = (batch.log_var.exp() + blur**2).log()
    vector = bank(batch.mean + blur * noise, log_var).vector
    logits, vad = bank.read(vector)
    labels = functional.cross_entropy(logits, batch.probs)
    place = functional.mse_loss(vad, batch.vad)
    apart = torch.cdist(vector, vector) / config.model.num_heads**0.5
    shape = functional.mse_loss(apart, torch.cdist(batch.mean, batch.mean))
    return labels + config.vad_weight * place + config.shape_weight * shape


@torch.no_grad()
def validate(bank: EmotionBank, states: Population) -> dict[str, float]:
    """How evenly the codes are used, what they keep, what the condition keeps."""
    quantized = bank.quantizer(states.mean)
    probs, vad, _ = decode(quantized.values, states.log_var)
    logits, read_vad = bank.read(bank(states.mean, states.log_var).vector)
    wanted = states.probs.argmax(dim=-1)
    scatter = ((states.mean - states.mean.mean(dim=0)) ** 2).sum(dim=-1).mean()
    return {
        "perplexity": perplexity(quantized.indices, num_codes=bank.config.quantizer.num_codes),
        "unexplained": float(quantized.commitment / scatter),
        "code_agreement": float((probs.argmax(dim=-1) == wanted).float().mean()),
        "code_vad_error": float((vad - states.vad).abs().mean()),
        "condition_agreement": float((logits.argmax(dim=-1) == wanted).float().mean()),
        "condition_vad_error": float((read_vad - states.vad).abs().mean()),
    }


def save_model(folder: Path, bank: EmotionBank, config: BankRecipe) -> None:
    """The weights with the facts of their card."""
    read = bool(config.modalities)
    save_weights(
        folder,
        config=dataclasses.asdict(config.model),
        tensors=bank.state_dict(),
        licence=embedder.LICENCE
        if read
        else "Apache-2.0; learned from random requests alone, no data",
        commercial=not read,
        trained_on=("random_requests", *(f"readings of {name}" for name in config.modalities)),
    )
