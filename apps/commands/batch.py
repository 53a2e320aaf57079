"""`affetto batch`: many jobs from one manifest."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from affetto.apps.batch.job import LIMIT_S, RETRIES, EngineName, Job, Problem
from affetto.apps.commands.options import Json, Quiet


def batch(
    manifest: Annotated[
        Path, typer.Argument(help='One JSON object a line: {"do": "talk", "portrait": "a.jpg", ...')
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for a folder an item, the ledger and the summary.")
    ],
    engine: Annotated[EngineName, typer.Option(help="Who does the work.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Items done at once. Default: one for each core.")
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="How often an item whose worker died is tried again.")
    ] = RETRIES,
    limit_s: Annotated[float, typer.Option(min=1, help="Seconds an item may take.")] = LIMIT_S,
    memory_mb: Annotated[
        int | None, typer.Option(min=500, help="Memory an item may take. Default: any.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Do many jobs from a manifest; run it again to do what is missing or has changed."""
    from affetto.apps.batch.run import run
    from affetto.apps.batch.summary import plain, text
    from affetto.apps.progress import bar

    def warn(problem: Problem) -> None:
        print(f"affetto: {manifest} line {problem.line}: {problem.text}", file=sys.stderr)

    wanted = Job(
        manifest=manifest,
        out=out,
        engine=engine,
        workers=workers,
        retries=retries,
        limit_s=limit_s,
        memory_mb=memory_mb,
    )
    with bar(quiet=quiet) as report:
        summary = run(wanted, progress=report, warn=warn)
    print(json.dumps(plain(summary), indent=2) if as_json else text(summary))
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
