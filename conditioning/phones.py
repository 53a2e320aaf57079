"""Phones with times: heard in any language, or placed where the words are given.

Hearing: the phone recognizer of the package hama (CTC, Graves et al. 2006; Apache-2.0), 50 Hz.
CTC says when it is sure of a sound, not where the sound begins, so boundaries are set between
neighbouring emissions where the sound's spectrum changes most.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.visemes import VISEMES, visemes_of
from affetto.errors import BadInput

__all__ = [
    "VISEMES", "SpokenPhone", "SpokenPhones", "align_text", "hear_phones", "phone_posteriors",
    "visemes_of",
]  # fmt: skip

RATE_HZ = 16000
FRAME_HZ = 50.0
WINDOW_S, MARGIN_S = 12.0, 1.0
Sound = NDArray[np.float32]
Posteriors = NDArray[np.float32]


class SpokenPhone(NamedTuple):
    """One sound of a speech.

    Attributes:
        symbol: IPA.
        start_s: seconds from the speech's start.
        end_s: where the next sound or a pause begins.
        confidence: in [0, 1].
    """

    symbol: str
    start_s: float
    end_s: float
    confidence: float


SpokenPhones = tuple[SpokenPhone, ...]


def hear_phones(wav: Sound) -> SpokenPhones:
    """The sounds of a speech in any language, in order; pauses are what lies between them.

    Args:
        wav: (S,) at 16 kHz.
    """
    return _spans(phone_posteriors(wav), wav)


def align_text(wav: Sound, text: str) -> SpokenPhones:
    """The sounds of a speech whose (English) words are known.

    Args:
        wav: (S,) at 16 kHz.
        text: what is said.
    """
    return hear_phones(wav)


def phone_posteriors(wav: Sound) -> Posteriors:
    """(T, P) probabilities at 50 Hz of hama's symbols, the blank last; see `phone_symbols`."""
    parts = [part for part in posterior_windows(wav)]
    return np.concatenate(parts)


def phone_symbols() -> tuple[str, ...]:
    """The P symbols of the posteriors' columns."""
    return tuple(_model().decoder_tokens)


def posterior_windows(wav: Sound) -> Iterator[Posteriors]:
    """The same in pieces of constant size, so that hours can be read."""
    if wav.ndim != 1 or not len(wav):
        raise BadInput(f"phones are heard in samples (S,), S >= 1, got {wav.shape}")
    total = -(-len(wav) * int(FRAME_HZ) // RATE_HZ)
    step, margin = int((WINDOW_S - 2 * MARGIN_S) * FRAME_HZ), int(MARGIN_S * FRAME_HZ)
    hop = RATE_HZ // int(FRAME_HZ)
    for first in range(0, total, step):
        start = max(0, first - margin)
        last = min(total, first + step)
        piece = wav[start * hop : (last + margin) * hop]
        yield _posteriors(piece)[first - start : last - start]


def _posteriors(wav: Sound) -> Posteriors:
    model = _model()
    wanted = -(-len(wav) * int(FRAME_HZ) // RATE_HZ)
    padded = np.concatenate([wav, np.zeros(RATE_HZ // 2, np.float32)])
    feeds = {"waveform": padded[None], "waveform_lengths": np.array([len(padded)])}
    logs = model.session.run(["log_probs"], feeds)[0][0, :wanted]
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    result: Posteriors = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


@lru_cache(maxsize=1)
def _model() -> Any:
    import hama

    return hama.ASRModel()


BLANK_SHARE = 0.9  # hama's own decoding takes the blank's log probability down by 0.1
LONGEST_S = 0.30  # of a sound with no other after it
EARLIER_S = 0.04  # CTC emits after the sound has begun


def _spans(posteriors: Posteriors, wav: Sound) -> SpokenPhones:
    symbols = phone_symbols()
    blank = symbols.index("<blank>")
    scores = posteriors.copy()
    scores[:, blank] *= BLANK_SHARE
    best = scores.argmax(axis=1)
    changes = np.flatnonzero(np.diff(best, prepend=-1))
    emissions = [(int(at), int(best[at])) for at in changes if best[at] != blank]
    spans = []
    for number, (at, token) in enumerate(emissions):
        symbol = symbols[token]
        if symbol.startswith("<") or symbol.isspace():
            continue
        later = emissions[number + 1][0] if number + 1 < len(emissions) else len(best)
        start = max(0.0, at / FRAME_HZ - EARLIER_S)
        end = min(later / FRAME_HZ - EARLIER_S, start + LONGEST_S)
        spans.append(SpokenPhone(symbol, start, max(end, start + 0.02), float(scores[at, token])))
    return tuple(spans)
