"""The command line: commands stand in `apps/commands`, each fills a job and calls the app's `run`.

Progress goes to stderr, results to stdout (`--json` for machines). Exit codes: 0 ok, 2 usage, 3 bad
input, 4 out of resources, 130 cancelled.
"""

import logging
import os
import sys
from typing import Annotated

import typer

import affetto
from affetto.apps.commands.batch import batch
from affetto.apps.commands.doctor import doctor
from affetto.apps.commands.recognize import recognize
from affetto.apps.commands.score import score
from affetto.apps.commands.soundtrack import soundtrack
from affetto.apps.commands.studio import studio
from affetto.apps.commands.talk import talk
from affetto.apps.commands.train import train
from affetto.apps.commands.verify import verify
from affetto.errors import EXIT_CANCELLED, EXIT_RESOURCES, EngineError

app = typer.Typer(
    help="Affetto hears, sees and reads emotion, and gives it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


CANCELLED = (
    "affetto: cancelled; nothing half-written is left (talk goes on from there when run again)"
)


def main() -> None:
    """Run a command; every failure a person can act on becomes one sentence and its exit code."""
    _keep_offline()
    try:
        app()
    except EngineError as error:
        print(f"affetto: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == EXIT_CANCELLED:  # typer's answer to Ctrl-C
            print(CANCELLED, file=sys.stderr)
        raise
    except MemoryError:
        print(
            "affetto: out of memory: close other programs or use a shorter film or speech",
            file=sys.stderr,
        )
        sys.exit(EXIT_RESOURCES)


def _keep_offline() -> None:
    """Nothing here phones home; a user's own settings win."""
    for name, value in (
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("DO_NOT_TRACK", "1"),
        ("ORT_DISABLE_TELEMETRY", "1"),  # onnxruntime keeps a device id and reports otherwise
        ("GRADIO_ANALYTICS_ENABLED", "False"),
    ):
        os.environ.setdefault(name, value)
    # A home that cannot be written is no news: matplotlib then works in a temporary folder.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _version(wanted: bool) -> None:
    if wanted:
        print(affetto.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


app.command()(soundtrack)
app.command()(talk)
app.command()(recognize)
app.command()(score)
app.command()(verify)
app.command()(studio)
app.command()(batch)
app.command()(train)
app.command()(doctor)


if __name__ == "__main__":
    main()
