"""`affetto soundtrack --candidates N`: N pieces, the best heard one played, the others as MIDI."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from affetto.apps.progress import Report
from affetto.apps.soundtrack_job import Job
from affetto.emotion import EmotionTrack
from affetto.gen.music.candidates import Candidate, candidates
from affetto.gen.music.midi import write_midi
from affetto.recognizers.music.recognizer import load_music_recognizer
from affetto.soundtrack import Soundtrack

FOLDER = "candidates"


def choose_piece(
    job: Job,
    compose: Callable[[int], Soundtrack],
    wanted: EmotionTrack,
    folder: Path,
    *,
    progress: Report,
) -> tuple[Job, Soundtrack, tuple[Candidate, ...]]:
    """The best of the pieces of the job's seed and those after it.

    The others are written as candidates/seed_N.mid. A single piece is not judged.

    Returns:
        The job that composes just this piece, the piece, and how each was judged, best first.
    """
    if job.candidates == 1:
        return job, compose(job.seed), ()

    def told(seed: int) -> Soundtrack:
        number = seed - job.seed
        share = 0.42 + 0.08 * number / job.candidates
        progress(f"composing {number + 1} of {job.candidates}", share)
        return compose(seed)

    ranked = candidates(
        told,
        range(job.seed, job.seed + job.candidates),
        wanted,
        recognizer=load_music_recognizer(),
    )
    (folder / FOLDER).mkdir()
    for candidate, piece in ranked[1:]:
        write_midi(piece, folder / FOLDER / f"seed_{candidate.seed}.mid")
    (best, music), *_ = ranked
    chosen = dataclasses.replace(job, seed=best.seed, candidates=1)
    return chosen, music, tuple(candidate for candidate, _ in ranked)
