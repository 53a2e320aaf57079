"""The jobs by name, from plain values to plain values: for batches, the studio and other processes.

Options are the fields of the verbs' Job classes as JSON knows them: paths are texts, tuples lists.
The nets stay loaded for the next job of the same process; the same job gives the same result.
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from affetto.apps.progress import Report, silent
from affetto.errors import UsageError

if TYPE_CHECKING:
    from affetto.apps.judges import Nets
    from affetto.gen.music.pipeline import MusicModels
    from affetto.gen.portrait.pipeline import Models

Plain = dict[str, Any]
JOBS = {  # verb -> module of its Job
    "talk": "affetto.apps.talk_job",
    "soundtrack": "affetto.apps.soundtrack_job",
    "recognize": "affetto.apps.recognize_job",
    "score": "affetto.apps.score",
}
VERBS = tuple(JOBS)


def job_of(verb: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each verb has its own
    """The Job of a verb.

    Args:
        verb: one of `VERBS`.
        options: its fields; what is not given has the default.

    Raises:
        UsageError: unknown verb or option, a missing one, or a value of the wrong kind.
        BadInput: values that the job itself refuses.
    """
    from pydantic import ValidationError

    job = _job_class(verb)
    fields = [field.name for field in dataclasses.fields(job)]
    if unknown := sorted(set(options) - set(fields)):
        raise UsageError(f"{verb} knows no {', '.join(unknown)}: it takes {', '.join(fields)}")
    given = dict(options)
    if verb == "recognize" and isinstance(given.get("media"), str):
        given["media"] = [given["media"]]
    try:
        return _reader(verb).validate_python(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = ".".join(map(str, wrong["loc"])) or "options"
        got = "" if wrong["type"] == "missing" else f", got {str(wrong['input'])[:60]!r}"
        raise UsageError(f"{verb}: {name}: {wrong['msg']}{got}") from None


def perform(verb: str, options: Mapping[str, Any], *, progress: Report = silent) -> Plain:
    """Do a job.

    Args:
        verb: one of `VERBS`.
        options: see `job_of`.
        progress: is told what is happening.

    Returns:
        What the command prints with `--json`.

    Raises:
        EngineError: see `affetto.errors`; of several media to recognize, the first that fails.
    """
    return DOERS[verb](job_of(verb, options), progress)


def _talk(job: Any, progress: Report) -> Plain:  # noqa: ANN401
    from affetto.apps.talk import run

    return dataclasses.asdict(run(job, progress=progress, models=_movers(job.weights)))


def _soundtrack(job: Any, progress: Report) -> Plain:  # noqa: ANN401
    from affetto.apps.soundtrack import run

    return dataclasses.asdict(run(job, progress=progress, models=_composers(job.weights)))


def _recognize(job: Any, progress: Report) -> Plain:  # noqa: ANN401
    from affetto.apps.recognize import run
    from affetto.apps.recognize_table import plain

    answer = run(job, progress=progress, nets=_judges(False))
    if answer.failed:
        raise answer.failed[0].error
    return plain(answer)


def _score(job: Any, progress: Report) -> Plain:  # noqa: ANN401
    from affetto.apps.score import run
    from affetto.apps.score_report import plain

    return plain(run(job, progress=progress, nets=_judges(job.judge == "face-judge")))


DOERS: dict[str, Callable[[Any, Report], Plain]] = {
    "talk": _talk,
    "soundtrack": _soundtrack,
    "recognize": _recognize,
    "score": _score,
}


def _job_class(verb: str) -> Any:  # noqa: ANN401
    if verb not in JOBS:
        raise UsageError(f"{verb!r} is no verb: give one of {', '.join(VERBS)}")
    return importlib.import_module(JOBS[verb]).Job


@lru_cache(maxsize=len(VERBS))
def _reader(verb: str) -> Any:  # noqa: ANN401
    from pydantic import TypeAdapter

    return TypeAdapter(_job_class(verb))


@lru_cache(maxsize=2)
def _movers(weights: str) -> "Models":
    from affetto.gen.portrait.pipeline import load_models

    return load_models(weights)


@lru_cache(maxsize=2)
def _composers(weights: str) -> "MusicModels":
    from affetto.apps.soundtrack import models_of

    return models_of(weights)


@lru_cache(maxsize=2)
def _judges(face_judge: bool) -> "Nets":
    from affetto.apps.judges import Nets

    return Nets(face_judge=face_judge)
