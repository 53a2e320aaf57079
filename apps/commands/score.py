"""`affetto score`: did it come out as asked?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from affetto.apps.commands.options import Json, Quiet, Threads


def score(
    media: Annotated[
        Path,
        typer.Argument(
            help="What is scored: film, sound, picture, text, MIDI or a soundtrack's folder."
        ),
    ],
    request: Annotated[
        str | None,
        typer.Option(help="The emotion that was wanted, as --emotion of soundtrack takes it."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="A saved track (.json, .csv) or other media to be like."),
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Who judges: all, voice, face, face-judge, scene, text or music.")
    ] = "all",
    recipe: Annotated[
        Path | None,
        typer.Option(help="recipe.json of what is scored. Default: the one beside it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a report: scores.json, scores.md, plots.")
    ] = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure whether media show the emotion that was wanted, with controls and intervals."""
    from affetto.apps.progress import bar
    from affetto.apps.score import Job, run
    from affetto.apps.score_report import plain, table

    wanted = Job(
        media=media,
        request=request,
        reference=reference,
        judge=judge,
        recipe=recipe,
        out=out,
        threads=threads,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(plain(result), indent=2) if as_json else table(result))
