"""`affetto recognize`: what emotion media show."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from affetto.apps.commands.options import Json, Quiet, Threads


def recognize(
    media: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Films, sounds, pictures, texts (txt, srt, vtt), music (mid), folders of them."
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated of voice,face,scene,text,music. Default: all. Films and sounds "
            "are heard as music where music alone is asked for."
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=25, help="Steps a second of the course of all together.")
    ] = 2.0,
    window: Annotated[
        float, typer.Option(min=0.5, max=20, help="Seconds of voice judged at once.")
    ] = 3.0,
    csv: Annotated[Path | None, typer.Option(help="Every step of everything judged.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A picture (.png) of the whole.")] = None,
    webvtt: Annotated[
        Path | None, typer.Option(help="Subtitles (.vtt) that say the emotion.")
    ] = None,
    track: Annotated[
        Path | None,
        typer.Option(help="The course as .json or .csv; 'affetto soundtrack' takes like:FILE."),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="A voice as it speaks, two lines a second: raw sound from a pipe (16 bit, mono, "
            "16 kHz), or the microphone.",
        ),
    ] = False,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Recognize emotion in voices, faces, pictures, words and notes; say how sure that is."""
    if live:
        _live(media, window, as_json=as_json)
        return
    from affetto.apps.progress import bar
    from affetto.apps.recognize import run
    from affetto.apps.recognize_job import Job, modalities
    from affetto.apps.recognize_table import plain, table
    from affetto.errors import UsageError

    if not media:
        raise UsageError("nothing to recognize: give films, sounds, pictures or texts, or --live")
    wanted = Job(
        media=tuple(media),
        only=modalities(only),
        rate_hz=rate,
        window_s=window,
        threads=threads,
        csv=csv,
        plot=plot,
        webvtt=webvtt,
        track=track,
    )
    with bar(quiet=quiet) as report:
        answer = run(wanted, progress=report)
    if as_json:
        print(json.dumps(plain(answer), indent=2))
    elif answer.found:
        print(table(answer))
    for failure in answer.failed:
        print(f"affetto: {failure.error}", file=sys.stderr)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def _live(media: list[Path] | None, window_s: float, *, as_json: bool) -> None:
    from affetto.apps.recognize_live import run
    from affetto.errors import UsageError

    if media and media != [Path("-")]:
        raise UsageError("--live listens to a pipe or the microphone: give it no media")
    run(window_s=window_s, as_json=as_json)
