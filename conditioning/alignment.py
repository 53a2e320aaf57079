"""Where sounds begin and end, when it is known or heard which they are.

Forced alignment by pocketsphinx (Huggins-Daines et al. 2006; BSD) with its English sound models;
other languages' sounds are taken as their nearest English ones, so their times are a little less
sure. The aligner may put silence between sounds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.arpabet import to_arpabet

RATE_HZ = 16000
FRAME_S = 0.01
# Beams from narrow to wide: the first is fast, the others find what it loses.
BEAMS = ({}, {"beam": 1e-80, "wbeam": 1e-60})
Sound = NDArray[np.float32]
Span = tuple[str, float, float]


class Aligner:
    """One decoder, used again and again; loading takes a tenth of a second."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoders: list[Any] = [Decoder(lm=None, loglevel="FATAL", **beam) for beam in BEAMS]
        self._known: set[str] = set()

    def words(self, wav: Sound, words: Sequence[str]) -> list[Span] | None:
        """ARPABET phones of words of the dictionary: (name, start, end) in seconds; None if lost.

        Args:
            wav: (S,) at 16 kHz.
            words: in order, lower case.
        """
        for decoder in self._decoders:
            found = _aligned(decoder, wav, " ".join(words))
            if found is not None:
                return found
        return None

    def phones(self, wav: Sound, symbols: Sequence[str]) -> list[tuple[float, float]] | None:
        """(start, end) in seconds of IPA sounds in order; None if the aligner is lost.

        Args:
            wav: (S,) at 16 kHz.
            symbols: IPA.
        """
        names = [to_arpabet(symbol) for symbol in symbols]
        for name in dict.fromkeys(names):
            self._learn(_as_word(name), name)
        found = self.words(wav, [_as_word(name) for name in names])
        if found is None:
            return None
        spans = [(start, end) for name, start, end in found if name != "SIL"]
        counts = [len(name.split()) for name in names]
        if len(spans) != sum(counts):
            return None
        firsts = np.cumsum([0, *counts])
        return [
            (spans[first][0], spans[after - 1][1])
            for first, after in zip(firsts, firsts[1:], strict=False)
        ]

    def knows(self, word: str) -> bool:
        """Whether the dictionary has the word."""
        return self._decoders[0].lookup_word(word) is not None

    def learn(self, word: str, symbols: Sequence[str]) -> None:
        """Add a word by its IPA sounds."""
        self._learn(word, " ".join(to_arpabet(symbol) for symbol in symbols))

    def _learn(self, word: str, pronunciation: str) -> None:
        if word not in self._known:
            for decoder in self._decoders:
                decoder.add_word(word, pronunciation, update=True)
            self._known.add(word)


def _as_word(name: str) -> str:
    return "sound-" + name.lower().replace(" ", "-")


def _aligned(decoder: Any, wav: Sound, text: str) -> list[Span] | None:
    """Two passes: the words, then the phones in them."""
    loudest = float(np.abs(wav).max(initial=1e-6))
    raw = (wav * (0.7 / max(loudest, 1e-3)) * 32767).astype("<i2").tobytes()
    try:
        decoder.set_align_text(text)
        _pass(decoder, raw)
        if decoder.hyp() is None:
            return None
        decoder.set_alignment()
        _pass(decoder, raw)
    except RuntimeError:  # pocketsphinx's only word for "no path through the text was found"
        return None
    words = decoder.get_alignment()
    return [
        (phone.name, phone.start * FRAME_S, (phone.start + phone.duration) * FRAME_S)
        for word in words or ()
        for phone in word
    ] or None


def _pass(decoder: Any, raw: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(raw, full_utt=True)
    decoder.end_utt()
