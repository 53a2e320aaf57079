"""Train the text recognizer: readers' ratings of EmoBank, word valence, then our own phrases.

    affetto train text data.root=... out=runs/text/main

First the upper layers of MiniLM and the head of ratings learn from EmoBank (Gaussian likelihood and
concordance of valence, arousal and dominance), and with them from the valence of VADER's words,
alone and in a short frame. Then these layers stand still and the head of labels and requests learns
in seconds from our phrases (cross-entropy of the label shares, the same two losses for what is
asked) and the same words: tuned on so few phrases the layers learn them by heart, and were worse on
held-out groups. Folds of the phrases come first: what is said of held-out ones sets the softness of
the labels and the variance of requests, EmoBank's dev part sets that of ratings. The first stage
goes on from its state where there is one.
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

from affetto.emotion import VAD_AXES
from affetto.recognizers.metrics import pearson
from affetto.recognizers.text.encoder import WIDTH, EncoderLayer, MiniLM, Tokens, read_minilm
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.network import TextConfig, TextNetwork, TextOutput
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.emobank import RatedTexts, read_emobank
from affetto.train.data.phrases import TEST_FOLD, Phrases, read_phrases
from affetto.train.data.sentiment_words import FRAMES, SentimentWords, read_sentiment_words
from affetto.train.data.text_batches import TextStates, encode_texts, shuffled_places
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.train.text_calibration import Told, calibrate
from affetto.train.text_readings import write_readings
from affetto.weights import save_weights

LICENCE = (
    "CC BY-SA 4.0: tuned on EmoBank (CC BY-SA 4.0), VADER's words (MIT) and our own phrases (CC0) "
    "from all-MiniLM-L6-v2 (Apache-2.0)"
)
TRAINED_ON = ("emobank/train", "vader/train", "affetto_phrases/train")


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
    epochs: int = 3
    batch_size: int = 32
    phrase_epochs: int = 40
    phrase_batch_size: int = 64
    word_batch_size: int = 96
    phrase_word_batch_size: int = 32
    learning_rate: float = 1e-3
    layer_rate: float = 1e-4
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    gradient_norm: float = 1.0
    average_decay: float = 0.99
    concordance_weight: float = 1.0
    label_weight: float = 1.0
    word_weight: float = 1.0
    phrase_weight_decay: float = 0.1
    seed: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class Corpus:
    """All texts with their lower layers computed, and MiniLM's own layers.

    The states of "words" are those of all words in the first frame, then in the next.
    """

    states: dict[str, TextStates]
    rated: dict[str, RatedTexts]
    phrases: Phrases
    words: SentimentWords
    encoder: MiniLM
    upper: list[EncoderLayer]


@dataclass(frozen=True)
class Pooled:
    """Pooled states of all phrases (N, 1152) and of the framed words (M, 1152)."""

    phrases: Tensor
    words: Tensor


def run(config: TextRecipe) -> dict[str, float]:
    """Train both stages, calibrate, save what ships; give its figures on held-out data."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    corpus = read_corpus(config)
    net = fit_ratings(config, corpus, out=out)
    pooled = Pooled(pool(net, corpus, "phrases"), pool(net, corpus, "words"))
    told = folds_told(config, net, pooled, corpus)
    fit_phrases(config, net, pooled, corpus, learned=corpus.phrases.fold != TEST_FOLD)
    unseen = np.flatnonzero(corpus.phrases.fold == TEST_FOLD)
    tested = Told.of(unseen, net, pooled.phrases[unseen])
    calibrate(
        net,
        asked=told,
        phrases=corpus.phrases,
        rated=Told.of(np.arange(len(corpus.states["dev"])), net, pool(net, corpus, "dev")),
        ratings=corpus.rated["dev"].vad,
    )
    readings = Told.joined([told, tested])
    write_readings(out / "readings" / "text.npz", net, readings, corpus.phrases)
    save_weights(
        out / "weights",
        config=dataclasses.asdict(config.model),
        tensors={name: value.half() for name, value in net.state_dict().items()},
        licence=LICENCE,
        commercial=True,
        trained_on=TRAINED_ON,
    )
    figures = rated_figures(net, corpus) | told_figures(told, corpus.phrases)
    return figures | word_figures(net, pooled.words, corpus.words)


def read_corpus(config: TextRecipe) -> Corpus:
    """Read EmoBank and the phrases, run the lower layers once."""
    encoder, upper = read_minilm(num_layers=config.model.num_lower)
    number = config.data.num_texts or None
    phrases = read_phrases()
    words = read_sentiment_words(without={text.casefold() for text in phrases.texts})
    rated = {}
    for part in ("train", "dev"):
        texts = read_emobank(Path(config.data.root), part)
        rated[part] = RatedTexts(texts.texts[:number], texts.vad[:number], texts.document[:number])
    if number:
        phrases = phrases.where(np.arange(len(phrases.texts)) % 8 == 0)
        words = words.every(64)
    tokens = Tokens()
    states = {part: encode_texts(encoder, tokens, texts.texts) for part, texts in rated.items()}
    states["phrases"] = encode_texts(encoder, tokens, [to_english(t) for t in phrases.texts])
    framed = [frame.format(word) for frame in FRAMES for word in words.words]
    states["words"] = encode_texts(encoder, tokens, framed)
    return Corpus(states, rated, phrases, words, encoder, upper)


def build(config: TextRecipe, corpus: Corpus) -> TextNetwork:
    """The network with MiniLM's own upper layers, told EmoBank's mean rating."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = TextNetwork(config.model)
    for layer, given in zip(net.layers, corpus.upper, strict=True):
        layer.load_state_dict(given.state_dict())
    with torch.no_grad():
        net.rated_head[-1].get_parameter("weight").mul_(0.3)
        net.get_buffer("rated_centre").copy_(
            torch.from_numpy(corpus.rated["train"].vad.mean(axis=0))
        )
    return net


def fit_ratings(config: TextRecipe, corpus: Corpus, *, out: Path) -> TextNetwork:
    """Train the layers and the head of ratings; the last average, in eval mode.

    The valence of words trains the layers through the other head, which `fit_phrases` replaces.
    """
    net = build(config, corpus)
    average = Average(net, decay=config.average_decay)
    groups = [
        {"params": net.layers.parameters(), "rate": config.layer_rate},
        {"params": net.rated_head.parameters(), "rate": config.learning_rate},
        {"params": net.asked_head.parameters(), "rate": config.learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    progress = load_state(out / "state", module=net, average=average, optimizer=optimizer)
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            losses = _epoch(config, corpus, net.train(), average, optimizer, epoch=epoch, rng=rng)
        row = {"epoch": epoch, "loss": float(np.mean(losses))}
        row |= rated_figures(average.module, corpus)
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
    *,
    epoch: int,
    rng: np.random.Generator,
) -> list[float]:
    texts = corpus.states["train"]
    batches = list(shuffled_places(texts.lengths, config.batch_size, rng=rng))
    losses = []
    for number, places in enumerate(batches):
        share = (epoch + number / len(batches)) / config.epochs
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * schedule(share, config.warmup_share)
        drawn = draw_words(corpus.words, config.word_batch_size, rng=rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = net.pool(*texts.batch(corpus.encoder, places))
            words = net.pool(*corpus.states["words"].batch(corpus.encoder, drawn))
        said = net.judge(pooled)
        wanted = torch.from_numpy(corpus.rated["train"].vad[places])
        loss = vad_loss(said.rated, said.rated_var, wanted, config)
        loss = loss + word_loss(net.judge(words), corpus.words, drawn, config)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(net.parameters(), config.gradient_norm)
        optimizer.step()
        average.update(net)
        losses.append(loss.item())
    return losses


def fit_phrases(
    config: TextRecipe,
    net: TextNetwork,
    pooled: Pooled,
    corpus: Corpus,
    *,
    learned: NDArray[np.bool_],
) -> None:
    """Train the head of labels and requests anew on the learned phrases; `net` stays in eval mode.

    Args:
        config: of the run.
        net: its `asked_head` is replaced.
        pooled: of all phrases and words.
        corpus: with N phrases.
        learned: (N,) which ones to learn from.
    """
    places = np.flatnonzero(learned)
    rng = np.random.default_rng([config.seed, 1_000])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = TextNetwork(config.model).asked_head
        net.asked_head = head.train().requires_grad_(True)
        average = Average(head, decay=config.average_decay)
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=config.phrase_weight_decay)
        for epoch in range(config.phrase_epochs):
            rate = config.learning_rate * schedule(epoch / config.phrase_epochs, 0.05)
            set_rate(optimizer, max(rate, 1e-5))
            order = rng.permutation(places)
            for some in np.array_split(order, max(1, len(order) // config.phrase_batch_size)):
                drawn = draw_words(corpus.words, config.phrase_word_batch_size, rng=rng)
                loss = phrase_loss(net.judge(pooled.phrases[some]), corpus.phrases, some, config)
                loss = loss + word_loss(net.judge(pooled.words[drawn]), corpus.words, drawn, config)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(head.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(head)
    net.asked_head = average.module


def draw_words(
    words: SentimentWords, number: int, *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Places of framed words to learn from, each word as likely as another, any frame."""
    chosen = rng.choice(words.learned, number)
    return chosen + len(words.words) * rng.integers(len(FRAMES), size=number)


def word_loss(
    output: TextOutput, words: SentimentWords, places: NDArray[np.int64], config: TextRecipe
) -> Tensor:
    """The loss of the valence asked for with the framed words at `places`."""
    wanted = torch.full_like(output.asked, float("nan"))
    wanted[:, 0] = torch.from_numpy(words.valence[places % len(words.words)])
    return config.word_weight * vad_loss(output.asked, output.asked_var, wanted, config)


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


def folds_told(config: TextRecipe, net: TextNetwork, pooled: Pooled, corpus: Corpus) -> Told:
    """What heads say of phrases they have not seen: every fold but the test, one after another."""
    told, phrases = [], corpus.phrases
    for held in config.calibration_folds:
        learned = ~np.isin(phrases.fold, (TEST_FOLD, held))
        fit_phrases(config, net, pooled, corpus, learned=learned)
        places = np.flatnonzero(phrases.fold == held)
        told.append(Told.of(places, net, pooled.phrases[places]))
    return Told.joined(told)


@torch.no_grad()
def pool(net: TextNetwork, corpus: Corpus, part: str) -> Tensor:
    """(N, 1152) the pooled states of a part's texts."""
    states = corpus.states[part]
    found = torch.zeros(len(states), 3 * WIDTH)
    order = np.argsort(states.lengths, kind="stable")
    for places in np.array_split(order, max(1, len(order) // 64)):
        found[places] = net.pool(*states.batch(corpus.encoder, places))
    return found


def rated_figures(net: TextNetwork, corpus: Corpus) -> dict[str, float]:
    """Correlations with the ratings of EmoBank's dev part."""
    with torch.no_grad():
        rated = net.judge(pool(net, corpus, "dev")).rated.numpy()
    vad = corpus.rated["dev"].vad
    return {f"dev_{axis}": pearson(vad[:, i], rated[:, i]) for i, axis in enumerate(VAD_AXES)}


@torch.no_grad()
def word_figures(net: TextNetwork, pooled: Tensor, words: SentimentWords) -> dict[str, float]:
    """Correlation of the valence asked for with the held-out words', which stand alone."""
    said = net.judge(pooled[words.tested]).asked[:, 0].numpy()
    return {"word_valence": pearson(words.valence[words.tested], said)}


def told_figures(told: Told, phrases: Phrases) -> dict[str, float]:
    """Labels (where one has more than half) and correlations of what is asked, out of fold."""
    shares = phrases.shares[told.place]
    clear = shares.max(axis=1) > 0.5
    hits = told.logits.argmax(axis=1) == shares.argmax(axis=1)
    row = {"fold_labels": float(hits[clear].mean())}
    for i, axis in enumerate(VAD_AXES[:2]):
        row[f"fold_{axis}"] = pearson(phrases.vad[told.place, i], told.asked[:, i])
    return row
