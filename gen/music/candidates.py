"""Several pieces for one request, and which of them a listener's stand-in hears it in best.

Judged by `music_emotion`, never by the judge that measures our music.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from affetto.emotion import EmotionTrack
from affetto.recognizers.metrics import ccc
from affetto.recognizers.music.features import pitched_notes
from affetto.recognizers.music.recognizer import MusicRecognizer, recognize_music
from affetto.soundtrack import Soundtrack

MOVES = 0.05  # standard deviation from which on a wanted course is one


@dataclass(frozen=True)
class Candidate:
    """How near a piece comes to what was asked, in the recognizer's ears.

    Attributes:
        seed: that it was composed with.
        distance: mean over the seconds between asked and heard (valence, arousal); 0 is best.
        concordance: Lin 1989, mean over those of valence and arousal that shall move; None where
            neither shall.
    """

    seed: int
    distance: float
    concordance: float | None


def candidates(
    compose: Callable[[int], Soundtrack],
    seeds: Sequence[int],
    wanted: EmotionTrack,
    *,
    recognizer: MusicRecognizer,
) -> list[tuple[Candidate, Soundtrack]]:
    """A piece for each seed, the nearest to `wanted` first; of equals the earlier seed."""
    pieces = [(seed, compose(seed)) for seed in seeds]
    judged = [(judge(seed, piece, wanted, recognizer=recognizer), piece) for seed, piece in pieces]
    return sorted(judged, key=lambda pair: pair[0].distance)


def judge(
    seed: int, piece: Soundtrack, wanted: EmotionTrack, *, recognizer: MusicRecognizer
) -> Candidate:
    """Hear a piece and compare it, second by second, with what was asked."""
    heard = recognize_music(
        pitched_notes(piece.parts), recognizer=recognizer, duration_s=piece.duration_s
    )
    asked = wanted.at(heard.times.astype(np.float64)).vad[:, :2].astype(np.float64)
    got = heard.vad[:, :2].astype(np.float64)
    agreements = [ccc(asked[:, axis], got[:, axis]) for axis in (0, 1) if moves(asked[:, axis])]
    return Candidate(
        seed=seed,
        distance=float(np.hypot(*(asked - got).T).mean()),
        concordance=float(np.mean(agreements)) if agreements else None,
    )


def moves(course: np.ndarray) -> bool:
    """Whether a course (T,) is more than a level."""
    return bool(course.std() > MOVES)
