"""Free text of a request to a track: clauses in time, negations and intensities.

MiniLM alone reads "not sad" much like "sad" and does not know when "finally" is, so three things
are done by rule before it is asked. A request is cut into clauses by words of sequence ("begins
calm, then tense, finally triumphant"; "hopeful at the end"), and each clause holds the middle of
its part of the film, eased along half a cosine into the next. In a clause, what is negated is left
out where something else is said ("not happy, just tired"), else turned round. Words of degree
("slightly", "utterly") draw a clause towards neutral or away from it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack, Evidence
from affetto.emotion_bank.bank import embed, probs_from_vad
from affetto.errors import RequestError
from affetto.recognizers.text.clauses import Clause, Part, parse_clauses, parse_parts
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.recognizer import TextRecognizer, read_texts
from affetto.recognizers.text.sentences import short_pieces

MAX_REQUEST_CHARS = 4096
MAX_CLAUSES = 32
TURNED = -0.6  # what is left of an emotion that is negated, with nothing put in its place
TURNED_VAR = 0.1
HOLD = 0.5  # share of its span that a clause holds before it is eased into the next
_NEUTRAL = LABELS.index("neutral")
_EXAMPLE = "write what it should feel like, for example: bitter-sweet, hopeful at the end"
Double = NDArray[np.float64]


@dataclass(frozen=True)
class State:
    """One clause: vad (3,), vad_var (3,), probs (11,), confidence."""

    vad: Double
    vad_var: Double
    probs: Double
    confidence: float


def resolve_text(
    text: str, *, duration_s: float, recognizer: TextRecognizer, rate_hz: float = 1.0
) -> EmotionTrack:
    """Understand a request in words.

    Args:
        text: at most 4096 characters with at least one letter.
        duration_s: of the film, > 0.
        recognizer: from `load_text`.
        rate_hz: steps a second; the steps are k / rate_hz up to duration_s.

    Returns:
        Kind "requested". A request without an emotion comes out near neutral with a confidence
        near 0; evidence holds each clause with its span.

    Raises:
        RequestError: empty, without a letter, without a known word, or too long; it says what to
            write.
    """
    if not (0 < duration_s < np.inf and 0 < rate_hz < np.inf):
        raise ValueError(f"duration_s and rate_hz must be > 0, got {duration_s} and {rate_hz}")
    if not any(sign.isalpha() for sign in text):
        raise RequestError(f"the request {text[:60]!r} has no words: {_EXAMPLE}")
    if len(text) > MAX_REQUEST_CHARS:
        raise RequestError(
            f"the request has {len(text)} characters, at most {MAX_REQUEST_CHARS} are read: "
            "say it shorter, or put keyframes in a file"
        )
    english = to_english(text)
    if not float(recognizer.tokens.known_share(recognizer.tokens([english])[0])):
        raise RequestError(f"no word of {text[:60]!r} is known: {_EXAMPLE}, in English")
    clauses = parse_clauses(english)
    if len(clauses) > MAX_CLAUSES:
        raise RequestError(
            f"the request has {len(clauses)} turns, at most {MAX_CLAUSES} are understood: "
            "put keyframes in a file"
        )
    states = [_state(clause.text, recognizer) for clause in clauses]
    times = np.arange(int(duration_s * rate_hz + 1e-6) + 1) / rate_hz  # (T,)
    return _track(times, clauses, states, duration_s)


def _state(text: str, recognizer: TextRecognizer) -> State:
    """The mean of a clause's parts, each as its degree and negation say."""
    parts = parse_parts(text)
    said = [
        replace(part, text=piece)
        for part in [part for part in parts if not part.negated] or parts
        for piece in short_pieces(part.text, recognizer.tokens.count)
    ]
    read = read_texts(recognizer, [part.text for part in said], asked=True)
    vad, var, probs = (values.astype(np.float64) for values in (read.vad, read.vad_var, read.probs))
    states = [
        _shaped(State(vad[i], var[i], probs[i], float(read.confidence[i])), part)
        for i, part in enumerate(said)
    ]
    weights = np.array([0.05 + state.confidence for state in states])
    weights /= weights.sum()
    mean = weights @ np.stack([state.vad for state in states])
    spread = weights @ np.stack([state.vad**2 + state.vad_var for state in states]) - mean**2
    return State(
        mean,
        np.maximum(spread, 0.0),
        weights @ np.stack([state.probs for state in states]),
        float(weights @ np.array([state.confidence for state in states])),
    )


def _shaped(state: State, part: Part) -> State:
    neutral = np.eye(len(LABELS))[_NEUTRAL]
    if part.negated:
        vad = TURNED * state.vad
        probs = probs_from_vad(vad, np.full(3, TURNED_VAR)).astype(np.float64)
        return State(vad, state.vad_var + TURNED_VAR, probs, state.confidence)
    share = min(part.degree, 1.0)
    return State(
        np.clip(part.degree * state.vad, -1.0, 1.0),
        state.vad_var,
        share * state.probs + (1.0 - share) * neutral,
        state.confidence,
    )


def _track(
    times: Double, clauses: tuple[Clause, ...], states: list[State], duration_s: float
) -> EmotionTrack:
    edges = _edges(clauses, duration_s)
    share = _eased(times, edges)  # (T, K)
    vad = share @ np.stack([state.vad for state in states])
    var = share @ np.stack([state.vad_var for state in states])
    probs = share @ np.stack([state.probs for state in states])
    mean, log_var = embed(vad, probs, var)
    return EmotionTrack(
        times=times.astype(np.float32),
        mean=mean,
        log_var=log_var,
        vad=vad.astype(np.float32),
        vad_var=var.astype(np.float32),
        probs=probs.astype(np.float32),
        confidence=(share @ np.array([state.confidence for state in states])).astype(np.float32),
        kind="requested",
        evidence=tuple(
            Evidence(f"request: {clause.text[:80]}", float(start), float(end), state.confidence)
            for clause, state, start, end in zip(
                clauses, states, edges[:-1], edges[1:], strict=True
            )
        ),
    )


def _edges(clauses: tuple[Clause, ...], duration_s: float) -> Double:
    """(K + 1,) where the clauses begin and end, by their weights."""
    weights = np.cumsum([0.0, *(clause.weight for clause in clauses)])
    edges: Double = weights / weights[-1] * duration_s
    return edges


def _eased(times: Double, edges: Double) -> Double:
    """(T, K) how much of each clause there is at each time; rows sum to 1."""
    share = np.zeros((len(times), len(edges) - 1))
    share[:, 0] = 1.0
    for place in range(1, len(edges) - 1):
        before, after = edges[place] - edges[place - 1], edges[place + 1] - edges[place]
        start = edges[place] - (1.0 - HOLD) / 2.0 * before
        end = edges[place] + (1.0 - HOLD) / 2.0 * after
        way = (1.0 - np.cos(np.pi * np.clip((times - start) / (end - start), 0.0, 1.0))) / 2.0
        share *= (1.0 - way)[:, None]
        share[:, place] += way
    return share
