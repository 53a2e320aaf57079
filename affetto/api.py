"""The one door upward: the main jobs as Python calls, loaded when called.

This module alone in the base layer reaches up to `affetto.apps`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affetto.apps.soundtrack_job import Result


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
