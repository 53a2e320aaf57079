"""Train the text recognizer: readers' ratings of EmoBank, and our own phrases.

    affetto train text data.root=... out=runs/text/main

The upper layers of MiniLM and the heads learn together. A step sees a batch of EmoBank's sentences
(Gaussian likelihood and concordance of valence, arousal and dominance) and one of our phrases
(cross-entropy of the label shares; the same two losses for what is asked). Labels and requests have
no ratings in EmoBank, ratings none in our phrases, so each has its own head over shared layers. The
folds of the phrases are trained first: what is said of held-out phrases sets the softness of the
labels and the variance of requests, EmoBank's dev part that of ratings. A net goes on from its
state where there is one.
"""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.metrics import pearson
from affetto.recognizers.text.encoder import EncoderLayer, MiniLM, Tokens, read_minilm
from affetto.recognizers.text.network import TextConfig, TextNetwork, TextOutput
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.emobank import RatedTexts, read_emobank
from affetto.train.data.phrases import TEST_FOLD, Phrases, read_phrases
from affetto.train.data.text_batches import TextStates, encode_texts, shuffled_places
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule
from affetto.train.text_calibration import Told, calibrate
from affetto.weights import save_weights

LICENCE = (
    "CC BY-SA 4.0: tuned on EmoBank (CC BY-SA 4.0) and our own phrases (CC0) from "
    "all-MiniLM-L6-v2 (Apache-2.0)"
)
TRAINED_ON = ("emobank/train", "affetto_phrases/train")


@dataclass
class TextData:
    """Where EmoBank is, and how many of its texts and of the phrases are used (0: all)."""

    root: str = "../shared/data"
    num_texts: int = 0


@dataclass
class TextRecipe:
    """The whole run; epochs count passes over EmoBank."""

    model: TextConfig = field(default_factory=TextConfig)
    data: TextData = field(default_factory=TextData)
    out: str = "runs/text/main"
    calibration_folds: tuple[int, ...] = (1, 2, 3, 4)
    epochs: int = 4
    batch_size: int = 32
    phrase_batch_size: int = 32
    learning_rate: float = 1e-3
    layer_rate: float = 1e-4
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    average_decay: float = 0.99
    concordance_weight: float = 1.0
    label_weight: float = 0.5
    seed: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class Corpus:
    """All texts with their lower layers computed, and MiniLM's own layers."""

    states: dict[str, TextStates]
    rated: dict[str, RatedTexts]
    phrases: Phrases
    encoder: MiniLM
    upper: list[EncoderLayer]


def run(config: TextRecipe) -> dict[str, float]:
    """Train the folds of the phrases and the net that ships, calibrate, save; give its figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    corpus = read_corpus(config)
    fold = corpus.phrases.fold
    told = []
    for held in config.calibration_folds:
        net = fit(config, corpus, held=(TEST_FOLD, held), out=out / f"fold{held}")
        told.append(tell(net, corpus, "phrases", np.flatnonzero(fold == held)))
    net = fit(config, corpus, held=(TEST_FOLD,), out=out / "final")
    calibrate(
        net,
        asked=Told.joined(told),
        phrases=corpus.phrases,
        rated=tell(net, corpus, "dev"),
        ratings=corpus.rated["dev"].vad,
    )
    save_weights(
        out / "weights",
        config=dataclasses.asdict(config.model),
        tensors={name: value.half() for name, value in net.state_dict().items()},
        licence=LICENCE,
        commercial=True,
        trained_on=TRAINED_ON,
    )
    return figures(net, corpus, held=(TEST_FOLD,))


def read_corpus(config: TextRecipe) -> Corpus:
    """Read EmoBank and the phrases, run the lower layers once."""
    encoder, upper = read_minilm(num_layers=config.model.num_lower)
    number = config.data.num_texts or None
    rated = {}
    for part in ("train", "dev"):
        texts = read_emobank(Path(config.data.root), part)
        rated[part] = RatedTexts(texts.texts[:number], texts.vad[:number], texts.document[:number])
    phrases = read_phrases()
    if number:
        phrases = phrases.where(np.arange(len(phrases.texts)) % 8 == 0)
    tokens = Tokens()
    states = {part: encode_texts(encoder, tokens, texts.texts) for part, texts in rated.items()}
    states["phrases"] = encode_texts(encoder, tokens, phrases.texts)
    return Corpus(states, rated, phrases, encoder, upper)


def build(config: TextRecipe, corpus: Corpus) -> TextNetwork:
    """The network with MiniLM's own upper layers, told EmoBank's mean rating."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = TextNetwork(config.model)
    for layer, given in zip(net.layers, corpus.upper, strict=True):
        layer.load_state_dict(given.state_dict())
    with torch.no_grad():
        net.head.weight.mul_(0.3)
        net.rated_centre.copy_(torch.from_numpy(corpus.rated["train"].vad.mean(axis=0)))
    return net


def fit(config: TextRecipe, corpus: Corpus, *, held: tuple[int, ...], out: Path) -> TextNetwork:
    """Train one net without the held folds of the phrases; its last average, in eval mode."""
    net = build(config, corpus)
    average = Average(net, decay=config.average_decay)
    groups = [
        {"params": net.layers.parameters(), "rate": config.layer_rate},
        {"params": [*net.hidden.parameters(), *net.head.parameters()]},
    ]
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    learned = np.flatnonzero(~np.isin(corpus.phrases.fold, held))
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            losses = _epoch(config, corpus, net.train(), average, optimizer, learned, epoch, rng)
        row = {"epoch": epoch, "loss": float(np.mean(losses))}
        row |= figures(average.module, corpus, held=held)
        save_state(
            out / "state",
            module=net,
            average=average,
            optimizer=optimizer,
            progress={"best": row, "epoch": epoch},
        )
        log_epoch(out, row, cpu_s=time.process_time() - started)
    return average.module


def _epoch(
    config: TextRecipe,
    corpus: Corpus,
    net: TextNetwork,
    average: Average[TextNetwork],
    optimizer: torch.optim.Optimizer,
    learned: NDArray[np.int64],
    epoch: int,
    rng: np.random.Generator,
) -> list[float]:
    texts, phrases = corpus.states["train"], corpus.states["phrases"]
    batches = list(shuffled_places(texts.lengths, config.batch_size, rng=rng))
    asked: list[NDArray[np.int64]] = []
    losses = []
    for number, places in enumerate(batches):
        share = (epoch + number / len(batches)) / config.epochs
        for group in optimizer.param_groups:
            rate = group.get("rate", config.learning_rate)
            group["lr"] = rate * schedule(share, config.warmup_share)
        if not asked:
            asked = list(
                shuffled_places(phrases.where(learned).lengths, config.phrase_batch_size, rng=rng)
            )
        chosen = learned[asked.pop()]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rated = net(*texts.batch(corpus.encoder, places))
            wanted = net(*phrases.batch(corpus.encoder, chosen))
        loss = rated_loss(rated, corpus.rated["train"].vad[places], config)
        loss = loss + phrase_loss(wanted, corpus.phrases, chosen, config)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
        optimizer.step()
        average.update(net)
        losses.append(loss.item())
    return losses


def rated_loss(output: TextOutput, vad: NDArray[np.float32], config: TextRecipe) -> Tensor:
    """How unlikely readers' ratings (B, 3) are, plus the lack of concordance."""
    return vad_loss(output.rated, output.rated_var, torch.from_numpy(vad), config)


def phrase_loss(
    output: TextOutput, phrases: Phrases, places: NDArray[np.int64], config: TextRecipe
) -> Tensor:
    """Cross-entropy of label shares (where given), and the loss of what is asked."""
    shares = torch.from_numpy(phrases.shares[places])
    entropy = -(shares * output.logits.log_softmax(dim=-1)).sum(dim=-1)
    labels = entropy.sum() / shares.sum().clamp(min=1.0)
    wanted = torch.from_numpy(phrases.vad[places])
    return config.label_weight * labels + vad_loss(output.asked, output.asked_var, wanted, config)


def vad_loss(mean: Tensor, var: Tensor, wanted: Tensor, config: TextRecipe) -> Tensor:
    """Gaussian likelihood and 1 - concordance an axis; where `wanted` is NaN it does not count."""
    known = ~wanted.isnan()
    filled = torch.where(known, wanted, mean.detach())
    error = functional.gaussian_nll_loss(mean, filled, var, reduction="none")
    likelihood = (error * known).sum() / known.sum().clamp(min=1)
    spread = (mean - mean.mean(dim=0)) * (filled - filled.mean(dim=0))
    below = (
        mean.var(dim=0, correction=0)
        + filled.var(dim=0, correction=0)
        + (mean.mean(dim=0) - filled.mean(dim=0)) ** 2
    )
    concordance = 2 * spread.mean(dim=0) / (below + 1e-4)
    return likelihood + config.concordance_weight * (1 - concordance).mean()


@torch.no_grad()
def tell(
    net: TextNetwork, corpus: Corpus, part: str, places: NDArray[np.int64] | None = None
) -> Told:
    """What the net says of a part's texts, or of those at `places`."""
    states = corpus.states[part]
    places = np.arange(len(states)) if places is None else places
    found = [
        net(*states.batch(corpus.encoder, some))
        for some in np.array_split(places, max(1, len(places) // 64))
    ]
    return Told.of(places, found)


def figures(net: TextNetwork, corpus: Corpus, *, held: tuple[int, ...]) -> dict[str, float]:
    """Correlations on EmoBank's dev part, and on the last held fold of the phrases."""
    rated = tell(net, corpus, "dev").rated
    vad = corpus.rated["dev"].vad
    row = {
        f"dev_{axis}": pearson(vad[:, i], rated[:, i])
        for i, axis in enumerate(("valence", "arousal", "dominance"))
    }
    places = np.flatnonzero(corpus.phrases.fold == held[-1])
    if held[-1] == TEST_FOLD or not len(places):
        return row  # the test is not looked at here
    told = tell(net, corpus, "phrases", places)
    wanted = corpus.phrases.shares[places]
    known = wanted.max(axis=1) > 0.5
    hits = told.logits.argmax(axis=1) == wanted.argmax(axis=1)
    row["held_labels"] = float(hits[known].mean())
    for i, axis in enumerate(("valence", "arousal")):
        row[f"held_{axis}"] = pearson(corpus.phrases.vad[places, i], told.asked[:, i])
    return row
