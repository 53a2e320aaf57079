"""Chord colour: what a feeling adds to plain chords, function for function.

A dominant stays a dominant, but a tense one is a diminished seventh; a tonic at rest gains its
major seventh; here and there a chord gives way to the dominant of the next. The signs follow the
studies of chord qualities (Lahdelma and Eerola 2016: major sevenths are heard as tender and
nostalgic, diminished and augmented chords as tense); how often is ours. MuVi-Sync is silent about
it: 0.005 nats between its picture labels and chord quality.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.chords import chord_id

# In the model's keys, C major and A minor.
_TENSE = {
    "E": "G#:dim7", "E:7": "G#:dim7", "G": "B:dim", "G:7": "B:dim", "D:min": "B:hdim7",
    "D:min7": "B:hdim7", "F": "D:min6", "F:maj7": "B:hdim7", "C": "C:aug", "E:min": "E:7",
    "A:min7": "A:min6",
}  # fmt: skip
_SAD = {"D:min": "D:min7", "F": "F:maj7", "E:min": "E:min7", "C": "C:maj7"}
_MILD = {
    "C": "C:maj7", "F": "F:maj7", "G": "G:maj6", "A:min": "A:min7", "D:min": "D:min7",
    "E:min": "E:min7", "E": "E:min7",
}  # fmt: skip
_BRIGHT = {"A:min7": "A:min", "F:maj7": "F", "C:maj7": "C", "E": "G", "E:7": "G:7"}
# The dominants of chords other than the tonic: songs have them, the network hardly.
_APPLIED = {
    "D:min": "A:7", "D:min7": "A:7", "F": "C:7", "F:maj7": "C:7", "G": "D:7", "G:7": "D:7",
    "A:min": "E:7", "A:min7": "E:7", "E:min": "B:7", "E:min7": "B:7",
}  # fmt: skip
_APPLIED_SHARE = 0.3  # of the changes to one of these, times how bright it is from 0 to 1
_STRENGTH = 1.2  # at a feeling of size 0.5 in both directions six chords in ten are coloured


def coloured(
    chords: Sequence[int],
    valence: NDArray[np.floating],
    arousal: NDArray[np.floating],
    *,
    rng: np.random.Generator,
) -> list[int]:
    """The chords with the colours of the feeling; the first and the last two stay.

    Args:
        chords: (T,) ids in the model's keys, C major or A minor.
        valence: (T,) in [-1, 1].
        arousal: (T,) in [-1, 1].
        rng: two numbers a chord decide; neighbours that are the same chord are coloured alike.
    """
    tables = [
        ({chord_id(k): chord_id(v) for k, v in table.items()}, share)
        for table, share in (
            (_TENSE, _share(-valence, arousal)),
            (_SAD, _share(-valence, -arousal)),
            (_MILD, _share(valence, -arousal)),
            (_BRIGHT, _share(valence, arousal)),
        )
    ]
    drawn, applied = rng.random((2, len(chords)))
    written = list(chords)
    for step in range(1, len(chords) - 2):
        if chords[step] == chords[step - 1]:
            drawn[step] = drawn[step - 1]
        for table, share in tables:
            if drawn[step] < share[step]:
                written[step] = table.get(chords[step], chords[step])
    dominants = {chord_id(k): chord_id(v) for k, v in _APPLIED.items()}
    shares = _APPLIED_SHARE * np.clip(0.6 + valence, 0.0, 1.0)
    for step in range(1, len(chords) - 2):
        coming = chords[step + 1]
        if coming != chords[step] and coming in dominants and applied[step] < shares[step]:
            written[step] = dominants[coming]
    return written


def _share(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """How many chords are coloured where the feeling lies in one quadrant."""
    away = np.clip(first + 0.1, 0.0, 1.0) * np.clip(second + 0.3, 0.0, 1.0)
    shares: NDArray[np.float64] = np.clip(_STRENGTH * away / 0.54, 0.0, 0.8)
    return shares
