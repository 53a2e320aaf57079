"""What the mouth does for a sound: IPA symbols to viseme classes, for any language.

Source: the classes of MPEG-4 (ISO/IEC 14496-2, Annex C) with the vowels sorted by height, place and
rounding, and with front rounded vowels, uvulars and palatals of German, French and others added.
"""

import unicodedata
from typing import Literal, get_args

Viseme = Literal[
    "silence", "lips", "lip_teeth", "tongue_teeth", "tongue", "hiss", "hush", "back", "r",
    "a", "ah", "eh", "ee", "oh", "oo", "w",
]  # fmt: skip
VISEME_NAMES: tuple[Viseme, ...] = get_args(Viseme)

_CLASSES: dict[Viseme, str] = {
    "lips": "p b m ɓ ʙ ɸ β",
    "lip_teeth": "f v ɱ ʋ",
    "tongue_teeth": "θ ð",
    "tongue": "t d n l ɫ ɬ ɮ ɾ ɽ ʈ ɖ ɗ ɳ ɭ ɲ ʎ",
    "hiss": "s z ʂ ʐ t͡s d͡z",
    "hush": "ʃ ʒ ɕ ʑ t͡ʃ d͡ʒ t͡ɕ d͡ʑ",
    "back": "k g ɡ ŋ x ɣ χ ʁ ʀ q ɢ ɴ h ɦ ħ ʔ ʕ c ɟ ç ʝ ɠ ɰ",
    "r": "ɹ ɻ r ɝ ɚ",
    "a": "a ɑ ɐ ɒ æ ä",
    "ah": "ə ʌ ɜ ɘ ɤ ɨ ᵊ",
    "eh": "e ɛ",
    "ee": "i ɪ j ɯ",
    "oh": "o ɔ œ ɵ",
    "oo": "u ʊ y ʏ ø ʉ",
    "w": "w ɥ ʍ",
}
# IPA symbol without marks -> viseme.
VISEMES: dict[str, Viseme] = {
    symbol: name for name, symbols in _CLASSES.items() for symbol in symbols.split()
}
LIP_CLOSED = frozenset(_CLASSES["lips"].split()) - {"ɸ", "β"}
SILENCE = ""


def visemes_of(symbol: str) -> tuple[Viseme, ...]:
    """The visemes that a sound runs through: two for a diphthong, else one.

    Args:
        symbol: IPA, marks of length, tone, voicing and the like allowed; "" is silence.

    Returns:
        At least one class; an unknown sound is taken as "ah", the mouth at ease.
    """
    if not symbol.strip():
        return ("silence",)
    plain = unicodedata.normalize("NFD", symbol)
    found: list[Viseme] = []
    place = 0
    while place < len(plain):
        affricate = plain[place : place + 3]
        name = VISEMES.get(affricate if len(affricate) == 3 else "") or VISEMES.get(plain[place])
        place += 3 if affricate in VISEMES else 1
        if name is not None and (not found or found[-1] != name):
            found.append(name)
    return tuple(found) or ("ah",)


def is_sound(symbol: str) -> bool:
    """Whether this is a sound and not a mark of length, tone or breath alone."""
    plain = unicodedata.normalize("NFD", symbol)
    return any(letter in VISEMES for letter in plain)


def is_closed(symbol: str) -> bool:
    """Whether the lips must meet for this sound: p b m and their kin."""
    return symbol[:1] in LIP_CLOSED
