"""The one door upward: the main jobs as Python calls, loaded when called.

This module alone in the base layer reaches up to `affetto.apps`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affetto.apps.recognize_job import Recognition
    from affetto.apps.score import Result as Scored
    from affetto.apps.soundtrack_job import Result
    from affetto.apps.talk_job import Result as Talked


def recognize(media: str | Path, **options: Any) -> "Recognition":  # noqa: ANN401
    """Recognize the emotion in one film, sound, picture or text.

    Args:
        media: the file.
        options: fields of `affetto.apps.recognize_job.Job`, such as only=("voice",), plot=Path.

    Returns:
        What was found: `.track` is the course of all together, `.rows` each judge's own.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.recognize import run
    from affetto.apps.recognize_job import Job

    answer = run(Job(media=(Path(media),), **options))
    if answer.failed:
        raise answer.failed[0].error
    return answer.found[0]


def score(media: str | Path, **options: Any) -> "Scored":  # noqa: ANN401
    """Measure whether a recording shows the emotion that was wanted.

    Args:
        media: the file.
        options: fields of `affetto.apps.score.Job`, such as request="sad:0.7", reference=Path.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.score import Job, run

    return run(Job(media=Path(media), **options))


def soundtrack(video: str | Path, *, out: str | Path, **options: Any) -> "Result":  # noqa: ANN401
    """Compose music for a film; all files appear in `out`.

    Args:
        video: the film.
        out: folder for the results.
        options: fields of `affetto.apps.soundtrack_job.Job`, such as emotion="calm", seed=3.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.soundtrack import run
    from affetto.apps.soundtrack_job import Job

    return run(Job(video=Path(video), out=Path(out), **options))


def talk(
    portrait: str | Path,
    speech: str | Path,
    *,
    out: str | Path,
    **options: Any,  # noqa: ANN401
) -> "Talked":
    """Make a photo talk with an emotion; all files appear in `out`.

    Args:
        portrait: a photo or painting of a face.
        speech: what is said.
        out: folder for the results.
        options: fields of `affetto.apps.talk_job.Job`, such as emotion="0=calm; 3=happy", seed=3.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.talk import run
    from affetto.apps.talk_job import Job

    return run(Job(Path(portrait), Path(speech), Path(out), **options))
