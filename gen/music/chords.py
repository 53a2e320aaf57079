"""The 159-chord vocabulary of Video2Music: symbols, ids, spelling and transposition.

Source: Kang, Poria and Herremans 2023 (Video2Music), section 3 and its published vocabularies:
0 = N (no chord), 1..156 = 12 roots x 13 qualities, 157 = END, 158 = PAD. Their renderer spells dim7
and hdim7 wrong on every root; the table below is spelled by interval and tested.
"""

from affetto.errors import BadInput

ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = {
    "DB": "C#",
    "EB": "D#",
    "GB": "F#",
    "AB": "G#",
    "BB": "A#",
    "CB": "B",
    "FB": "E",
    "E#": "F",
    "B#": "C",
}
# Semitones above the root, in the order of the vocabulary's ids.
QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "min7": (0, 3, 7, 10),
    "min": (0, 3, 7),
    "sus2": (0, 2, 7),
    "aug": (0, 4, 8),
    "dim7": (0, 3, 6, 9),
    "maj6": (0, 4, 7, 9),
    "hdim7": (0, 3, 6, 10),
    "7": (0, 4, 7, 10),
    "min6": (0, 3, 7, 9),
    "maj7": (0, 4, 7, 11),
}
QUALITY_NAMES = tuple(QUALITIES)
NO_CHORD = 0
END = 157
PAD = 158
NUM_CHORDS = 159
NUM_QUALITIES = len(QUALITIES)


def chord_id(symbol: str) -> int:
    """The vocabulary id of 'C', 'A:min7', 'Bb:7' or 'N'.

    Raises:
        BadInput: the symbol is not in the vocabulary; the message lists what is.
    """
    if symbol == "N":
        return NO_CHORD
    root, _, quality = symbol.partition(":")
    root = FLATS.get(root.upper(), root)
    quality = quality or "maj"
    if root not in ROOTS or quality not in QUALITIES:
        raise BadInput(
            f"unknown chord {symbol!r}: write N or ROOT[:QUALITY] with a root from "
            f"{' '.join(ROOTS)} (or flats) and a quality from {' '.join(QUALITY_NAMES)}"
        )
    return 1 + NUM_QUALITIES * ROOTS.index(root) + QUALITY_NAMES.index(quality)


def chord_symbol(chord: int) -> str:
    """The symbol of an id in 0..156; majors have no quality, as in the published vocabulary."""
    if not 0 <= chord < END:
        raise ValueError(f"chord id must be 0..156, got {chord}")
    if chord == NO_CHORD:
        return "N"
    root, quality = root_and_quality(chord)
    return ROOTS[root] if quality == 0 else f"{ROOTS[root]}:{QUALITY_NAMES[quality]}"


def root_and_quality(chord: int) -> tuple[int, int]:
    """(root 0..11, quality 0..12) of an id in 1..156."""
    return divmod(chord - 1, NUM_QUALITIES)


def pitch_classes(chord: int) -> tuple[int, ...]:
    """Pitch classes 0..11 of a chord, root first; empty for N."""
    if chord == NO_CHORD:
        return ()
    root, quality = root_and_quality(chord)
    return tuple((root + step) % 12 for step in QUALITIES[QUALITY_NAMES[quality]])


def transpose(chord: int, semitones: int) -> int:
    """The same quality on a root moved by `semitones`; N, END and PAD stay."""
    if chord in (NO_CHORD, END, PAD):
        return chord
    root, quality = root_and_quality(chord)
    return 1 + NUM_QUALITIES * ((root + semitones) % 12) + quality
