"""Options that several commands share."""

from typing import Annotated

import typer

REQUESTS = (
    "happy, sad:0.6+surprised:0.4, 'va(-0.4,0.7)', '0=calm; 12=excited:0.9', a CSV/JSON file, "
    "'bitter-sweet, hopeful at the end', or like:FILE (a saved track, film, sound, picture, text)."
)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads. Default: the free cores.")]
Provenance = Annotated[
    bool,
    typer.Option(
        "--provenance/--no-provenance",
        help="Sign the result and mark it as generated (see affetto verify).",
    ),
]
