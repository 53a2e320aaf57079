"""Words to emotion: `TextRecognizer.read`, and a text or transcript to a track.

Letters: B texts, L tokens.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affetto.emotion import LABELS, Array, EmotionTrack, Evidence
from affetto.emotion_bank.bank import embed
from affetto.errors import BadInput
from affetto.recognizers.reading import Reading, Recognizer
from affetto.recognizers.text.encoder import Tokens, read_minilm
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.network import TextConfig, TextNetwork, TextOutput
from affetto.recognizers.text.sentences import Spoken, spoken_sentences
from affetto.weights import Weights, fill, load_weights

MAX_TEXT_CHARS = 1_000_000
GAP_S = 1.0  # where nothing is said for longer, the track says that it does not know
_BATCH = 32
_NEUTRAL = LABELS.index("neutral")


class TextRecognizer(Recognizer):
    """MiniLM with tuned upper layers and the heads of `TextNetwork`.

    Valence, arousal and dominance of a Reading do not come from the labels but from a head of
    their own. `read` tells what readers of the text would rate (EmoBank's scale, calibrated
    intervals): the recognizer proper. `ask` tells what somebody wants who writes it as a request,
    spread over [-1, 1].
    """

    modality = "text"
    taxonomy = "canonical11"

    def __init__(self, config: TextConfig) -> None:
        """Take MiniLM from its wheel; the network is untrained until it is filled."""
        super().__init__()
        self.encoder, _ = read_minilm(num_layers=config.num_lower)
        self.network = TextNetwork(config)
        self.tokens = Tokens()

    def read(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """Token numbers (B, L) of `tokens`, mask (B, L) bool: what readers would rate."""
        mask = inputs != 0 if mask is None else mask
        known = self.tokens.known_share(inputs)
        return self.read_embeddings(self.encoder.embed(inputs), mask, known=known)

    def ask(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """The same, with the VAD of a request."""
        mask = inputs != 0 if mask is None else mask
        known = self.tokens.known_share(inputs)
        return self.read_embeddings(self.encoder.embed(inputs), mask, known=known, asked=True)

    def read_embeddings(
        self, embeddings: Tensor, mask: Tensor, *, known: Tensor, asked: bool = False
    ) -> Reading:
        """From word embeddings (B, L, 384), which gradients reach; `known` (B,) in [0, 1].

        Confidence is `felt_confidence`.
        """
        said: TextOutput = self.network(embeddings, self.encoder(embeddings, mask), mask)
        vad, var = (said.asked, said.asked_var) if asked else (said.rated, said.rated_var)
        confidence = felt_confidence(said.logits, known)
        return replace(self.reading(said.logits), vad=vad, vad_var=var, confidence=confidence)


def felt_confidence(logits: Tensor, known: Tensor) -> Tensor:
    """How decided the labels are, times how likely it is not neutral, times `known`; (B,).

    A text without emotion says little about a person's, and no text says nothing.

    Args:
        logits: (B, 11) over LABELS.
        known: (B,) share of the tokens that are words, in [0, 1].
    """
    probs = logits.softmax(dim=-1)
    entropy = -(probs * logits.log_softmax(dim=-1)).sum(dim=-1)
    decided = 1.0 - entropy / math.log(len(LABELS))
    return (decided * (1.0 - probs[:, _NEUTRAL]) * known).clamp(0.0, 1.0)


def load_text(source: str | Path = "text") -> TextRecognizer:
    """The recognizer with weights, in eval mode; `source` as in `affetto.weights.load_weights`.

    Raises:
        WeightsError: no such weights, or they do not fit.
    """
    weights: Weights = load_weights(source)
    recognizer = TextRecognizer(TextConfig(**weights.config))
    fill(recognizer.network, weights)
    recognizer.stamp(weights)
    return recognizer.eval().requires_grad_(False)


@dataclass(frozen=True)
class TextStates:
    """What was read of N texts: vad (N, 3), vad_var (N, 3), probs (N, 11), confidence (N,)."""

    vad: Array
    vad_var: Array
    probs: Array
    confidence: Array


@torch.no_grad()
def read_texts(
    recognizer: TextRecognizer, texts: Sequence[str], *, asked: bool = False
) -> TextStates:
    """Read texts of at most MAX_TOKENS tokens each (the rest of a longer one is not seen)."""
    english = [to_english(text) for text in texts]
    order = np.argsort([len(text) for text in english], kind="stable")
    judge = recognizer.ask if asked else recognizer.read
    parts = [
        judge(*recognizer.tokens([english[i] for i in order[start : start + _BATCH]]))
        for start in range(0, len(order), _BATCH)
    ]
    back = np.argsort(order)
    arrays = (
        torch.cat([getattr(part, name) for part in parts]).numpy()[back]
        for name in ("vad", "vad_var", "probs", "confidence")
    )
    return TextStates(*arrays)


def recognize_text(
    text: str | Sequence[Spoken], *, recognizer: TextRecognizer, max_chars: int = MAX_TEXT_CHARS
) -> EmotionTrack:
    """The emotion that a text expresses, sentence by sentence.

    Args:
        text: free text (sentence i stands at second i), or a transcript's pieces with times, see
            `affetto.recognizers.text.sentences.read_transcript`.
        recognizer: from `load_text`.
        max_chars: longest text accepted.

    Returns:
        Kind "expressed", one step a sentence (two, begin and end, in a transcript; where nobody
        speaks for more than a second, confidence 0). A text without words gives one neutral step
        of confidence 0.

    Raises:
        BadInput: longer than max_chars.
    """
    length = len(text) if isinstance(text, str) else sum(len(piece.text) for piece in text)
    if length > max_chars:
        raise BadInput(
            f"the text has {length} characters, at most {max_chars} are read: give it in parts"
        )
    sentences = spoken_sentences(text, count=recognizer.tokens.count)
    if not sentences:
        return _nothing()
    states = read_texts(recognizer, [sentence.text for sentence in sentences])
    evidence = tuple(
        Evidence(f"text: {sentence.text[:80]}", sentence.start_s, sentence.end_s, float(weight))
        for sentence, weight in zip(sentences, states.confidence, strict=True)
    )
    timed = not isinstance(text, str)
    times, places, sure = _timed_steps(sentences) if timed else _counted_steps(len(sentences))
    mean, log_var = embed(states.vad[places], states.probs[places], states.vad_var[places])
    return EmotionTrack(
        times=times,
        mean=mean,
        log_var=log_var,
        vad=states.vad[places],
        vad_var=states.vad_var[places],
        probs=states.probs[places],
        confidence=states.confidence[places] * sure,
        kind="expressed",
        evidence=evidence,
    )


def _counted_steps(number: int) -> tuple[Array, list[int], Array]:
    return np.arange(number, dtype=np.float32), list(range(number)), np.ones(number, np.float32)


def _timed_steps(sentences: Sequence[Spoken]) -> tuple[Array, list[int], Array]:
    """Times (T,), which sentence each step shows, and whether somebody speaks (T,)."""
    steps: list[tuple[float, int, float]] = []
    for place, sentence in enumerate(sentences):
        if steps and sentence.start_s - steps[-1][0] > GAP_S:
            steps.append((steps[-1][0] + GAP_S / 4, place - 1, 0.0))
            steps.append((sentence.start_s - GAP_S / 4, place, 0.0))
        for time_s in (sentence.start_s, sentence.end_s):
            if not steps or time_s > steps[-1][0] + 1e-3:
                steps.append((time_s, place, 1.0))
    times, places, sure = zip(*steps, strict=True)
    return np.array(times, np.float32), list(places), np.array(sure, np.float32)


def _nothing() -> EmotionTrack:
    """One step at 0 s: neutral, wide, confidence 0."""
    probs = np.zeros((1, len(LABELS)), dtype=np.float32)
    probs[0, _NEUTRAL] = 1.0
    vad, var = np.zeros((1, 3), dtype=np.float32), np.ones((1, 3), dtype=np.float32)
    mean, log_var = embed(vad, probs, var)
    zero = np.zeros(1, dtype=np.float32)
    return EmotionTrack(zero, mean, log_var, vad, var, probs, zero, kind="expressed")
