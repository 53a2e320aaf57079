"""The studio's server: the page on its own address."""

from typing import Any

from affetto.apps.studio.settings import Settings
from affetto.apps.studio.theme import look


def serve(page: Any, settings: Settings) -> None:  # noqa: ANN401 - gradio.Blocks
    """Serve the page until somebody stops it."""
    page.launch(
        server_name=settings.host,
        server_port=settings.port or None,
        auth=settings.auth,
        inbrowser=settings.browser,
        mcp_server=settings.mcp,
        share=False,
        show_error=False,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=["api"],
        max_file_size="200mb",
        **look(),
    )
