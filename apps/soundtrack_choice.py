"""`affetto soundtrack --candidates N`: N pieces, the best heard one played, the others as MIDI."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affetto.apps.progress import Report
from affetto.apps.soundtrack_job import Job
from affetto.emotion import EmotionTrack
from affetto.gen.music.candidates import Candidate, candidates
from affetto.gen.music.midi import write_midi
from affetto.recognizers.music.recognizer import load_music_recognizer
from affetto.soundtrack import Soundtrack
from affetto.weights import Weights, load_weights

FOLDER = "candidates"
RECOGNIZER = "music_emotion"


@dataclass(frozen=True)
class Choice:
    """Which piece is played.

    Attributes:
        job: the one that composes just this piece.
        music: the piece.
        judged: how each was judged, best first; none where there was one piece.
        weights: of the recognizer that judged, if any did.
    """

    job: Job
    music: Soundtrack
    judged: tuple[Candidate, ...] = ()
    weights: tuple[Weights, ...] = ()


def choose_piece(
    job: Job,
    compose: Callable[[int], Soundtrack],
    wanted: EmotionTrack,
    folder: Path,
    *,
    progress: Report,
) -> Choice:
    """The best of the pieces of the job's seed and those after it.

    The others are written as candidates/seed_N.mid. A single piece is not judged.
    """
    if job.candidates == 1:
        return Choice(job, compose(job.seed))

    def told(seed: int) -> Soundtrack:
        number = seed - job.seed
        share = 0.42 + 0.08 * number / job.candidates
        progress(f"composing {number + 1} of {job.candidates}", share)
        return compose(seed)

    ranked = candidates(
        told,
        range(job.seed, job.seed + job.candidates),
        wanted,
        recognizer=load_music_recognizer(RECOGNIZER),
    )
    (folder / FOLDER).mkdir()
    for candidate, piece in ranked[1:]:
        write_midi(piece, folder / FOLDER / f"seed_{candidate.seed}.mid")
    (best, music), *_ = ranked
    chosen = dataclasses.replace(job, seed=best.seed, candidates=1)
    judged = tuple(candidate for candidate, _ in ranked)
    return Choice(chosen, music, judged, (load_weights(RECOGNIZER),))
