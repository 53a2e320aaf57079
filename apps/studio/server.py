"""The studio's server: the page behind a guard, on loopback unless somebody opens it on purpose."""

import os
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any

from affetto.apps.studio.examples import FOLDER as EXAMPLES
from affetto.apps.studio.settings import Settings
from affetto.errors import ResourceError, UsageError

MAX_CONNECTIONS = 400  # at the same time; further ones get a 503
GOODBYE_S = 2  # that open requests get when the studio ends
Component = Any


def prepare(settings: Settings) -> None:
    """Set the environment; to be called before the page library is loaded.

    Nothing is reported to anybody, and whatever is temporary lies in the studio's own folder.
    """
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False",
        GRADIO_RUN_HISTORY="False",
        GRADIO_SSR_MODE="False",
        GRADIO_SHARE="False",
        GRADIO_MCP_SERVER="False",
        GRADIO_TEMP_DIR=str(settings.uploads),
        DO_NOT_TRACK="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TMPDIR=str(settings.temporary),
    )
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    settings.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    tempfile.tempdir = str(settings.temporary)


def check_open(settings: Settings) -> None:
    """Refuse to listen for other machines without a password.

    Raises:
        UsageError: `--host` is another than loopback, without `--auth` and `--insecure`.
    """
    if not (settings.is_local or settings.auth or settings.insecure):
        raise UsageError(
            f"--host {settings.host} lets other machines in: give --auth user:password too (or "
            "--insecure, if everybody who can reach this machine may use it)"
        )


def make_app(page: Component, settings: Settings) -> Any:  # noqa: ANN401 - an ASGI app
    """The page as an ASGI application, guarded.

    Args:
        page: gradio.Blocks, its queue set up.
        settings: the studio's; `prepare` was called with it.

    Raises:
        UsageError: see `check_open`.
    """
    import gradio as gr
    from fastapi import FastAPI

    from affetto.apps.studio.guard import Guard
    from affetto.apps.studio.theme import look

    check_open(settings)
    page.api_open = False  # nobody goes round the queue
    # Mounted pages are not 'launched', and without that no path that a client sends is checked.
    page.has_launched = True
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="",
        server_name=settings.host,
        server_port=settings.port,
        footer_links=["api"],
        run_history=False,
        allowed_paths=[str(EXAMPLES)],
        blocked_paths=blocked_paths(settings.uploads, EXAMPLES),
        show_error=False,
        max_file_size=settings.max_upload_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=settings.mcp,
        **look(),
    )
    return Guard(app, settings)


def blocked_paths(*kept: Path) -> list[str]:
    """All that lies beside the ways from the root to these folders: never served, by no mistake."""
    ends = [folder.resolve() for folder in kept]
    ways = {above for end in ends for above in end.parents}
    blocked = []
    for above in sorted(ways):
        try:
            inside = sorted(above.iterdir())
        except OSError:  # not ours to look into: not to be served from either
            continue
        blocked += [str(one) for one in inside if not _leads_to(one, ends)]
    return blocked


def _leads_to(path: Path, ends: list[Path]) -> bool:
    """Whether one of the ends is here or below, by links too."""
    try:
        return any(end.is_relative_to(path.resolve()) for end in ends)
    except (OSError, RuntimeError):
        return False


def serve(page: Component, settings: Settings) -> None:
    """Serve the page until somebody stops it; says its address on stderr.

    Raises:
        UsageError: see `check_open`.
        ResourceError: the address is taken or not of this machine.
    """
    import uvicorn

    listening = _listen(settings)
    port = listening.getsockname()[1]
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{shown}:{port}/"
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(page, settings),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http="h11",
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=GOODBYE_S,
        )
    )
    threading.Thread(target=_announce, args=(server, address, settings), daemon=True).start()
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        print("Goodbye.", file=sys.stderr)
    finally:
        listening.close()


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise ResourceError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror}): give "
            "another --port (0 is any free one)"
        ) from error
    return listening


def _announce(server: Any, address: str, settings: Settings) -> None:  # noqa: ANN401
    while not server.started:
        if server.should_exit:
            return
        time.sleep(0.05)
    print(f"The studio is at {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if settings.insecure and not settings.is_local:
        print("Everybody who can reach this machine may use it.", file=sys.stderr)
    if settings.browser:
        webbrowser.open(address)
