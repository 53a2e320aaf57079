"""Chord and key names as musicians write them ('Bbm7', 'N.C.') from and to the vocabulary's.

One table both ways: the first name of a quality is the one we write, all are understood.
"""

import re

from affetto.errors import BadInput
from affetto.gen.music.chords import QUALITY_NAMES, chord_id, chord_symbol
from affetto.gen.music.keys import Key

NO_CHORD_NAMES = ("N.C.", "NC", "N", "n.c.", "nc")
# quality of `chords.QUALITIES` -> what may follow the root.
NAMES: dict[str, tuple[str, ...]] = {
    "maj": ("", "maj", "M", "major"),
    "dim": ("dim", "°", "o", "mb5"),
    "sus4": ("sus4", "sus"),
    "min7": ("m7", "min7", "mi7", "-7"),
    "min": ("m", "min", "mi", "-", "minor"),
    "sus2": ("sus2",),
    "aug": ("aug", "+", "#5"),
    "dim7": ("dim7", "°7", "o7"),
    "maj6": ("6", "maj6", "M6"),
    "hdim7": ("m7b5", "hdim7", "ø", "ø7", "min7b5", "-7b5"),
    "7": ("7", "dom7"),
    "min6": ("m6", "min6", "-6"),
    "maj7": ("maj7", "M7", "Maj7", "ma7", "Δ", "Δ7"),
}
_BY_NAME = {name: quality for quality, names in NAMES.items() for name in names}
_FLAT_NAME = {"C#": "Db", "D#": "Eb", "F#": "Gb", "G#": "Ab", "A#": "Bb"}
# Tonics whose key signature has flats (or fewer flats than sharps).
_FLAT_TONICS = {"maj": (5, 10, 3, 8, 1), "min": (2, 7, 0, 5, 10, 3)}
_CHORD = re.compile(r"([A-G](?:#|b)?):?(.*)")


def uses_flats(key: Key) -> bool:
    """Whether the key is written with flats."""
    return key.tonic in _FLAT_TONICS[key.mode]


def root_name(root: str, key: Key) -> str:
    """A sharp-spelled root of the vocabulary ('A#') as this key spells it ('Bb' in F)."""
    return _FLAT_NAME.get(root, root) if uses_flats(key) else root


def key_name(key: Key) -> str:
    """'Am', 'Bb', 'F#m'."""
    root = chord_symbol(chord_id(str(key))).partition(":")[0]
    return root_name(root, key) + ("m" if key.mode == "min" else "")


def chord_name(symbol: str, key: Key) -> str:
    """A symbol of the vocabulary ('A#:min7', 'N') as a musician in this key writes it ('Bbm7').

    Raises:
        BadInput: not in the vocabulary.
    """
    symbol = chord_symbol(chord_id(symbol))
    if symbol == "N":
        return NO_CHORD_NAMES[0]
    root, _, quality = symbol.partition(":")
    return root_name(root, key) + NAMES[quality or "maj"][0]


def read_chord_name(text: str) -> str:
    """The vocabulary's symbol of a musician's name; its own spelling ('A:min7') is understood too.

    Raises:
        BadInput: unknown root or quality; says which are known.
    """
    if text in NO_CHORD_NAMES:
        return "N"
    match = _CHORD.fullmatch(text)
    if match is None or match.group(2) not in _BY_NAME:
        raise BadInput(
            f"unknown chord {text!r}: write N.C. or a root A to G with # or b and one of "
            f"{', '.join(NAMES[quality][0] or '(nothing: major)' for quality in QUALITY_NAMES)}"
        )
    return chord_symbol(chord_id(f"{match.group(1)}:{_BY_NAME[match.group(2)]}"))
