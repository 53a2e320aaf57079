"""Phones with times: heard in any language, or placed where the words are given.

Hearing: the phone recognizer of the package hama (CTC, Graves et al. 2006; Apache-2.0), 50 Hz.
CTC says when it is sure of a sound, not where the sound begins, so boundaries are set between
neighbouring emissions where the sound's spectrum changes most.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.alignment import Aligner
from affetto.conditioning.arpabet import to_ipa
from affetto.conditioning.visemes import VISEMES, is_closed, is_sound, visemes_of
from affetto.errors import BadInput

if TYPE_CHECKING:
    import hama

__all__ = [
    "VISEMES", "SpokenPhone", "SpokenPhones", "align_text", "hear_phones", "phone_posteriors",
    "phone_stretches", "visemes_of",
]  # fmt: skip

RATE_HZ = 16000
FRAME_HZ = 50.0
WINDOW_S, MARGIN_S = 12.0, 1.0
BLANK_SHARE = 0.9  # hama's own decoding takes the blank's log probability down by 0.1
LIPS_SHARE = 3.0  # p b m count for more: a closure that is missed is seen sooner than one too many
SHORTEST_S, LONGEST_S = 0.02, 0.30  # of a sound before it is placed
EARLIER_S = 0.06  # CTC emits after the sound has begun
PAUSE_S = 0.45  # from sound to sound, where a speech is cut for the aligner
STRETCH_S = 8.0  # it is cut anyway after so long
AROUND_S = 0.15  # of sound beside a stretch that the aligner hears
FEWEST = 4  # sounds that the aligner gets at once, at least
FURTHEST_S = 0.35  # that the aligner may move a sound
LATER_S = 2 * FURTHEST_S  # by which the order of sounds of two stretches may be wrong
MOST_UNLIKE = 0.65  # share of a text's sounds that may be heard otherwise; a wrong text has .8
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
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
    return tuple(phone for part in phone_stretches(wav) for phone in part)


def phone_stretches(wav: Sound) -> Iterator[SpokenPhones]:
    """The same stretch by stretch, each as soon as it is heard; none is empty.

    A sound of a later stretch begins at most `LATER_S` before an earlier one's last sound.
    """
    aligner = Aligner()
    for part in _stretches(_emitted(posterior_windows(wav))):
        yield tuple(_placed(wav, part, aligner))


def align_text(wav: Sound, text: str) -> SpokenPhones:
    """The sounds of a speech whose words are known, in English or in letters like its.

    Words that the pronouncing dictionary lacks are read by hama's rules. Where there is no path
    through the words, or a number is written in figures, sounds are heard as without a text.

    Args:
        wav: (S,) at 16 kHz.
        text: what is said; punctuation is passed over.

    Raises:
        BadInput: the text is not what is said.
    """
    heard = hear_phones(wav)
    words = [word.replace("\u2019", "'") for word in _WORD.findall(text.lower())]
    if not words or not heard or any(letter.isdigit() for letter in text):
        return heard
    aligner = Aligner()
    for word in words:
        if not aligner.knows(word):
            aligner.learn(word, _read_out(word))
    spans = aligner.words(wav, words)
    if spans is None:
        return heard
    found = tuple(
        SpokenPhone(to_ipa(name), start, end, 1.0) for name, start, end in spans if to_ipa(name)
    )
    unlike = _unlikeness(found, heard)
    if unlike > MOST_UNLIKE:
        raise BadInput(
            f"the text is not what is said: {unlike:.0%} of its sounds are not heard; give the "
            "words of this recording, or no text"
        )
    return found


def phone_posteriors(wav: Sound) -> Posteriors:
    """(T, P) probabilities at 50 Hz of hama's symbols, the blank last; see `phone_symbols`."""
    return np.concatenate(list(posterior_windows(wav)))


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
def _model() -> "hama.ASRModel":
    import hama

    return hama.ASRModel()


def emissions(posteriors: Posteriors) -> list[SpokenPhone]:
    """Sounds from where CTC emits them to where it emits the next."""
    return list(_emitted([posteriors]))


def _emitted(windows: Iterable[Posteriors]) -> Iterator[SpokenPhone]:
    """The same of posteriors that come window by window; a sound is told when the next begins."""
    symbols = phone_symbols()
    blank = symbols.index("<blank>")
    closed = [place for place, symbol in enumerate(symbols) if is_closed(symbol)]
    done, before = 0, -1
    waiting: tuple[int, str, float] | None = None  # frame, symbol, how sure
    for posteriors in windows:
        scores = posteriors.copy()
        scores[:, blank] *= BLANK_SHARE
        scores[:, closed] *= LIPS_SHARE
        best = scores.argmax(axis=1)
        at = np.flatnonzero(np.diff(best, prepend=before))
        for place in at[best[at] != blank]:
            if waiting:
                yield from _sound(*waiting, end=done + place)
            waiting = (done + place, symbols[best[place]], float(posteriors[place, best[place]]))
        done, before = done + len(best), best[-1]
    if waiting:
        yield from _sound(*waiting, end=done)


def _sound(first: int, symbol: str, sure: float, *, end: int) -> Iterator[SpokenPhone]:
    """An emission with its times, if it is a sound."""
    if not symbol.startswith("<") and is_sound(symbol):
        start = max(0.0, first / FRAME_HZ - EARLIER_S)
        end_s = min(end / FRAME_HZ - EARLIER_S, start + LONGEST_S)
        yield SpokenPhone(symbol, start, max(end_s, start + SHORTEST_S), sure)


def _stretches(heard: Iterable[SpokenPhone]) -> Iterator[list[SpokenPhone]]:
    """Cut at pauses, and at the longest gap where there is none for long."""
    part: list[SpokenPhone] = []
    for phone in heard:
        if part and phone.start_s - part[-1].start_s > PAUSE_S:
            yield part
            part = []
        elif part and phone.start_s - part[0].start_s > STRETCH_S:
            cut = _longest_gap(part)
            yield part[:cut]
            part = part[cut:]
        part.append(phone)
    if part:
        yield part


def _longest_gap(part: list[SpokenPhone]) -> int:
    """The sound before which to cut, from the second third of a stretch."""
    gaps = [after.start_s - before.start_s for before, after in pairwise(part)]
    first, last = len(gaps) // 3, max(2 * len(gaps) // 3, len(gaps) // 3 + 1)
    return int(np.argmax(gaps[first:last])) + first + 1


def _placed(wav: Sound, part: list[SpokenPhone], aligner: Aligner) -> list[SpokenPhone]:
    """The same sounds where the aligner finds them; as they were where it is lost."""
    first = max(0.0, part[0].start_s - AROUND_S)
    last = part[-1].end_s + AROUND_S
    sound = wav[round(first * RATE_HZ) : round(last * RATE_HZ)]
    spans = aligner.phones(sound, [phone.symbol for phone in part])
    if spans is None and len(part) < 2 * FEWEST:
        return part
    if spans is None:
        cut = _longest_gap(part)
        return _placed(wav, part[:cut], aligner) + _placed(wav, part[cut:], aligner)
    placed = []
    for phone, (start, end) in zip(part, spans, strict=True):
        if abs(first + start - phone.start_s) > FURTHEST_S:
            return part
        placed.append(phone._replace(start_s=float(first + start), end_s=float(first + end)))
    return placed


@lru_cache(maxsize=1)
def _reader() -> "hama.G2PModel":
    import hama

    return hama.G2PModel()


def _read_out(word: str) -> list[str]:
    """The sounds of a word by rule; the mouth at ease where no rule gives any."""
    read = [one.phoneme for one in _reader().predict(word).alignments]
    return [symbol for symbol in read if is_sound(symbol)] or ["ə"]


def _unlikeness(said: SpokenPhones, heard: SpokenPhones) -> float:
    """Edit distance of the two rows of visemes over the length of the first."""
    ours, theirs = ([visemes_of(phone.symbol)[0] for phone in row] for row in (said, heard))
    row = np.arange(len(theirs) + 1)
    for number, one in enumerate(ours, start=1):
        swapped = row[:-1] + np.array([one != other for other in theirs])
        following = np.minimum(swapped, row[1:] + 1)
        # Insertions: a running minimum that grows by one a step.
        steps = np.arange(1, len(row))
        row = np.concatenate(
            [[number], steps + np.minimum(np.minimum.accumulate(following - steps), number)]
        )
    return float(row[-1]) / max(len(ours), 1)
