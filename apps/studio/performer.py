"""What the studio's process does: the verbs of batches, and `verify`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affetto.apps import verbs
from affetto.apps.progress import Report, silent


def perform(verb: str, options: Mapping[str, Any], *, progress: Report = silent) -> dict[str, Any]:
    """Do a job; see `affetto.apps.verbs.perform`. `verify` takes "file"."""
    if verb != "verify":
        return verbs.perform(verb, options, progress=progress)
    from affetto.apps.verify import verify

    progress("looking for signature and mark", 0.1)
    return dataclasses.asdict(verify(Path(options["file"])))
