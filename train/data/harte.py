"""Harte's chord labels, simplified to the 13 qualities of the vocabulary by interval content.

Source: Harte, Sandler, Abdallah and Gomez 2005, "Symbolic representation of musical chords". A
label is root:shorthand(degrees)/bass. The bass counts as a chord tone, its inversion is dropped.
Rules, first match: the third is major before minor; without one a fourth before a second makes
sus4 or sus2; with none of them (power chords, bare roots) the chord counts as major. Then the fifth
(aug, dim, hdim7, dim7), then the seventh before the sixth. Ninths, elevenths and thirteenths go.
"""

import re

from affetto.errors import BadInput
from affetto.gen.music.chords import NO_CHORD, NUM_QUALITIES, QUALITY_NAMES

_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_DEGREES = (0, 2, 4, 5, 7, 9, 11)  # semitones of degrees 1..7
_SHORTHANDS: dict[str, tuple[str, ...]] = {
    "": ("3", "5"),
    "maj": ("3", "5"),
    "min": ("b3", "5"),
    "dim": ("b3", "b5"),
    "aug": ("3", "#5"),
    "maj7": ("3", "5", "7"),
    "min7": ("b3", "5", "b7"),
    "7": ("3", "5", "b7"),
    "dim7": ("b3", "b5", "bb7"),
    "hdim7": ("b3", "b5", "b7"),
    "minmaj7": ("b3", "5", "7"),
    "maj6": ("3", "5", "6"),
    "min6": ("b3", "5", "6"),
    "9": ("3", "5", "b7", "9"),
    "maj9": ("3", "5", "7", "9"),
    "min9": ("b3", "5", "b7", "9"),
    "11": ("5", "b7", "9", "11"),  # the eleventh takes the third's place
    "min11": ("b3", "5", "b7", "9", "11"),
    "13": ("3", "5", "b7", "9", "13"),
    "maj13": ("3", "5", "7", "9", "13"),
    "min13": ("b3", "5", "b7", "9", "13"),
    "sus2": ("2", "5"),
    "sus4": ("4", "5"),
    "5": ("5",),
    "1": (),
}
_LABEL = re.compile(
    r"(?P<root>[A-G][b#]*)(:(?P<shorthand>[a-z0-9]*)(\((?P<degrees>[^()]*)\))?)?(/(?P<bass>[b#]*\d+))?"
)


def simplify(label: str) -> int:
    """The vocabulary id 0..156 of a Harte label such as 'Bb:sus4(b7,9)/5'; N and X give N.

    Raises:
        BadInput: the label is not in Harte's syntax.
    """
    if label in ("N", "X"):
        return NO_CHORD
    match = _LABEL.fullmatch(label)
    if match is None or (match["shorthand"] or "") not in _SHORTHANDS:
        raise BadInput(f"{label!r} is not a chord label of the form root:shorthand(degrees)/bass")
    degrees = set(_SHORTHANDS[match["shorthand"] or ""])
    for degree in filter(None, (match["degrees"] or "").replace(" ", "").split(",")):
        if degree.startswith("*"):
            degrees.discard(degree[1:])
        else:
            degrees.add(degree)
    if match["bass"]:
        degrees.add(match["bass"])
    quality = _quality({semitones(degree) for degree in degrees})
    return 1 + NUM_QUALITIES * pitch_class(match["root"]) + QUALITY_NAMES.index(quality)


def pitch_class(name: str) -> int:
    """0..11 of a note name such as 'Eb' or 'F#'.

    Raises:
        BadInput: not a note name.
    """
    if not re.fullmatch(r"[A-G][b#]*", name):
        raise BadInput(f"{name!r} is not a note name such as C, Eb or F#")
    return (_NATURALS[name[0]] + name.count("#") - name.count("b")) % 12


def semitones(degree: str) -> int:
    """Semitones above the root, 0..11, of a degree such as 'b7', '#11' or '9'.

    Raises:
        BadInput: not a degree.
    """
    match = re.fullmatch(r"([b#]*)([1-9]\d?)", degree)
    if match is None:
        raise BadInput(f"{degree!r} is not a chord degree such as 5, b7 or #11")
    step = _DEGREES[(int(match[2]) - 1) % 7]
    return (step + match[1].count("#") - match[1].count("b")) % 12


def _quality(tones: set[int]) -> str:
    """The quality of a set of semitones above the root."""
    if 4 not in tones and 3 in tones:
        if 6 in tones and 7 not in tones:
            return "hdim7" if 10 in tones else "dim7" if 9 in tones else "dim"
        return "min7" if 10 in tones else "min6" if 9 in tones and 11 not in tones else "min"
    if 4 not in tones and 5 in tones:
        return "sus4"
    if 4 not in tones and 2 in tones:
        return "sus2"
    if 8 in tones and 7 not in tones:
        return "aug"
    return "7" if 10 in tones else "maj7" if 11 in tones else "maj6" if 9 in tones else "maj"
