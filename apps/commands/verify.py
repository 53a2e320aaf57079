"""`affetto verify`: where does this file come from?"""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from affetto.apps.commands.options import Json


def verify(
    media: Annotated[Path, typer.Argument(help="An mp4 or wav.")],
    as_json: Json = False,
) -> None:
    """Say what a film or sound tells about its origin: signature, invisible mark, recipe.

    Exit codes: 0 signed and unchanged, 3 cannot be read, 5 changed after signing, 6 only the
    invisible mark found, 7 nothing found (which does not mean that it is real).
    """
    from affetto.apps.verify import EXIT_CODES, summary
    from affetto.apps.verify import verify as look

    verdict = look(media)
    print(json.dumps(dataclasses.asdict(verdict), indent=2) if as_json else summary(verdict))
    raise typer.Exit(EXIT_CODES[verdict.state])
