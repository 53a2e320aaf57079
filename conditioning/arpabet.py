"""ARPABET, the phone names of CMU's recognizer and synthesizer, and IPA, both ways."""

import unicodedata

from affetto.conditioning.visemes import visemes_of

IPA: dict[str, str] = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "aʊ", "AX": "ə", "AY": "aɪ", "B": "b",
    "CH": "t͡ʃ", "D": "d", "DH": "ð", "EH": "ɛ", "ER": "ɝ", "EY": "eɪ", "F": "f", "G": "g",
    "HH": "h", "IH": "ɪ", "IY": "i", "JH": "d͡ʒ", "K": "k", "L": "l", "M": "m", "N": "n",
    "NG": "ŋ", "OW": "oʊ", "OY": "ɔɪ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t",
    "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
# What English lacks, by its nearest sound.
_NEAREST: dict[str, str] = {
    "a": "AA", "ɐ": "AH", "ɒ": "AA", "ə": "AH", "ɚ": "ER", "ɜ": "ER", "e": "EY", "o": "OW",
    "y": "UW", "ʏ": "UH", "ø": "UH", "œ": "ER", "ɯ": "UH", "ɨ": "IH", "ɤ": "AH", "ɵ": "UH",
    "ʉ": "UW", "ɡ": "G", "r": "R", "ɾ": "D", "ɽ": "D", "ʁ": "R", "ʀ": "R", "ɻ": "R", "x": "HH",
    "χ": "HH", "ç": "HH", "ɣ": "G", "ɦ": "HH", "ħ": "HH", "ʔ": "T", "c": "K", "ɟ": "G", "q": "K",
    "ɲ": "N", "ɴ": "NG", "ɳ": "N", "ɱ": "M", "ʎ": "L", "ɫ": "L", "ɭ": "L", "ɬ": "SH", "β": "V",
    "ɸ": "F", "ʋ": "V", "ɕ": "SH", "ʑ": "ZH", "ʂ": "SH", "ʐ": "ZH", "ɥ": "W", "ɰ": "W", "ʍ": "W",
    "t͡ɕ": "CH", "d͡ʑ": "JH", "t͡s": "S", "d͡z": "Z", "ja": "Y AA", "je": "Y EY", "jo": "Y OW",
    "ju": "Y UW", "jʌ": "Y AH", "wa": "W AA", "we": "W EH", "wi": "W IY", "wʌ": "W AH",
    "ɯi": "UH IY", "eə": "EH", "ɪə": "IY", "ʝ": "Y", "ɓ": "B", "ɗ": "D", "ɖ": "D", "ʈ": "T",
    "ʙ": "B",
}  # fmt: skip
_EXACT = {symbol: name for name, symbol in IPA.items()} | _NEAREST
_BY_VISEME = {
    "lips": "B", "lip_teeth": "V", "tongue_teeth": "DH", "tongue": "D", "hiss": "S", "hush": "SH",
    "back": "HH", "r": "R", "a": "AA", "ah": "AH", "eh": "EH", "ee": "IY", "oh": "OW", "oo": "UW",
    "w": "W", "silence": "SIL",
}  # fmt: skip


def to_ipa(name: str) -> str:
    """IPA of an ARPABET name in any case, stress marks allowed; "" for silence."""
    return IPA.get(name.upper().rstrip("012"), "")


def to_arpabet(symbol: str) -> str:
    """The nearest ARPABET name of an IPA symbol, or two, parted by a space."""
    if symbol in _EXACT:
        return _EXACT[symbol]
    plain = unicodedata.normalize("NFD", symbol)
    for length in (3, 2, 1):
        if plain[:length] in _EXACT:
            return _EXACT[plain[:length]]
    return _BY_VISEME[visemes_of(symbol)[0]]
