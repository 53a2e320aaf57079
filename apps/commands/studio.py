"""`affetto studio`: everything on one page in the browser."""

import importlib.util
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from affetto.errors import UsageError


def studio(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than 127.0.0.1 need --auth.")
    ] = "127.0.0.1",
    auth: Annotated[
        str | None,
        typer.Option(envvar="AFFETTO_STUDIO_AUTH", help="user:password that the page asks for."),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without a password.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A further name the studio is reached by, such as studio.example.org."),
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Let assistants call the jobs as tools (MCP).")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser on the page.")
    ] = True,
) -> None:
    """Open the studio: talk, soundtrack, recognize, score and verify on one page."""
    import affetto
    from affetto.apps.studio.server import check_open, prepare, serve
    from affetto.apps.studio.settings import Settings, make_folder, parse_auth

    if mcp and importlib.util.find_spec("mcp") is None:
        raise UsageError("--mcp needs one more package: pip install 'affetto[mcp]'")
    settings = Settings(
        folder=Path(),
        host=host,
        port=port,
        names=tuple(word.lower() for word in name or ()),
        auth=parse_auth(auth),
        insecure=insecure,
        mcp=mcp,
        browser=browser,
    )
    check_open(settings)
    settings = replace(settings, folder=make_folder())
    cores = len(os.sched_getaffinity(0))
    print(f"Affetto {affetto.__version__} studio, on {cores} CPU cores", file=sys.stderr)
    print("Nothing leaves this machine: no telemetry, no outside address.", file=sys.stderr)
    print("Getting ready ...", file=sys.stderr)
    prepare(settings)
    from affetto.apps.studio.desk import Desk
    from affetto.apps.studio.page import build_page

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    desk = Desk(settings)
    try:
        desk.warm_up()
        serve(build_page(desk), settings)
    finally:
        desk.close()
