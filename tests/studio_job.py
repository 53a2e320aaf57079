"""A performer for tests of the studio: shows a stretch of film, sleeps, writes one file."""

import shutil
import time
from pathlib import Path

from affetto.apps.studio.examples import FILM
from affetto.errors import BadInput


def perform(verb, options, *, progress):
    """As affetto.apps.verbs.perform."""
    progress("working <hard>", 0.5)
    out = Path(options["out"])
    kept = out.with_name(out.name + ".unfinished")
    kept.mkdir(parents=True)
    shutil.copyfile(FILM, kept / ".half")
    (kept / ".half").replace(kept / "segment_00000.mp4")
    time.sleep(options.get("seed") or 0.6)
    if verb == "score":
        raise BadInput(f"{options['out']} will not do")
    out.mkdir()
    shutil.copyfile(FILM, out / "talk.mp4")
    (out / "recipe.json").write_text(f'{{"portrait": "{options["portrait"]}"}}')
    return {
        "files": ["talk.mp4", "recipe.json"],
        "command": f"affetto talk {options['portrait']} --seed 3",
    }
