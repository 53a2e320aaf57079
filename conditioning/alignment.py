"""Where sounds begin and end, when it is known or heard which they are.

Forced alignment by pocketsphinx (Huggins-Daines et al. 2006; BSD) with its English sound models;
other languages' sounds are taken as their nearest English ones, so their times are a little less
sure. The aligner may put silence between sounds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.arpabet import to_arpabet

if TYPE_CHECKING:
    import pocketsphinx

RATE_HZ = 16000
FRAME_S = 0.01
EARLY_S = 0.01  # the aligner says it by so much too early (benchmarks/phones.py)
# Beams from narrow to wide: the first is fast, the others find what it loses.
BEAMS: tuple[dict[str, float], ...] = ({}, {"beam": 1e-200, "wbeam": 1e-150, "pbeam": 1e-200})
LOUDEST, QUIETEST = 0.7, 1e-3  # peak that a sound is brought to; softer ones stay softer
Sound = NDArray[np.float32]
Span = tuple[str, float, float]


class Aligner:
    """An aligner for one speech.

    What it hears leaves a trace in it, so a speech's times are the same again only from a new one.
    """

    def __init__(self) -> None:
        self._decoders = [_decoder(**BEAMS[0])]
        self._words: dict[str, str] = {}

    def words(self, wav: Sound, words: Sequence[str]) -> list[Span] | None:
        """ARPABET phones of words that the aligner knows: (name, start, end) in seconds.

        Args:
            wav: (S,) at 16 kHz.
            words: in order, lower case.

        Returns:
            None where there is no path through the words.
        """
        said = self._segments(wav, words)
        if said is None:
            return None
        names = [name for word in said for name in self._decoders[0].lookup_word(word[0]).split()]
        spans = self._named(wav, names)
        if spans is None:
            return None
        return [(name, *span) for name, span in zip(names, spans, strict=True)]

    def phones(self, wav: Sound, symbols: Sequence[str]) -> list[tuple[float, float]] | None:
        """(start, end) in seconds of IPA sounds in order; None where there is no path through them.

        Args:
            wav: (S,) at 16 kHz.
            symbols: IPA.
        """
        return self._named(wav, [to_arpabet(symbol) for symbol in symbols])

    def _named(self, wav: Sound, names: Sequence[str]) -> list[tuple[float, float]] | None:
        """Each phone a word of its own, so that one pass places them all."""
        for name in dict.fromkeys(names):
            self._learn(_as_word(name), name)
        found = self._segments(wav, [_as_word(name) for name in names])
        return None if found is None else [(start, end) for _, start, end in found]

    def _segments(self, wav: Sound, words: Sequence[str]) -> list[Span] | None:
        for number, beam in enumerate(BEAMS):
            if number == len(self._decoders):
                self._decoders.append(_decoder(**beam))
                for word, pronunciation in self._words.items():
                    self._decoders[-1].add_word(word, pronunciation, update=True)
            found = _aligned(self._decoders[number], wav, words)
            if found is not None:
                return found
        return None

    def knows(self, word: str) -> bool:
        """Whether the dictionary has the word."""
        return self._decoders[0].lookup_word(word) is not None

    def learn(self, word: str, symbols: Sequence[str]) -> None:
        """Add a word by its IPA sounds."""
        self._learn(word, " ".join(to_arpabet(symbol) for symbol in symbols))

    def _learn(self, word: str, pronunciation: str) -> None:
        if word not in self._words:
            self._words[word] = pronunciation
            for decoder in self._decoders:
                decoder.add_word(word, pronunciation, update=True)


def _decoder(**beam: float) -> "pocketsphinx.Decoder":
    from pocketsphinx import Decoder

    return Decoder(lm=None, cmn="batch", loglevel="FATAL", **beam)


def _as_word(name: str) -> str:
    return "sound-" + name.lower().replace(" ", "-")


def _aligned(
    decoder: "pocketsphinx.Decoder", wav: Sound, words: Sequence[str]
) -> list[Span] | None:
    """Words as said (with the number of their variant) and when; silences are left out."""
    raw = (wav * (LOUDEST / max(float(np.abs(wav).max(initial=0.0)), QUIETEST)) * 32767).astype(
        "<i2"
    )
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw(raw.tobytes(), full_utt=True)
    try:
        decoder.end_utt()
    except RuntimeError:  # pocketsphinx's only word for "no path was found"
        return None
    if decoder.hyp() is None:
        return None
    said = [
        (part.word, *(EARLY_S + FRAME_S * at for at in (part.start_frame, part.end_frame + 1)))
        for part in decoder.seg()
        if not part.word.startswith(("<", "[", "(", "+"))
    ]
    return said if len(said) == len(words) else None
