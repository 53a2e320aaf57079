"""How the studio looks: system fonts, calm colours, light and dark, down to a phone's width.

Nothing here names an address: the page loads nothing from elsewhere.
"""

from functools import cache
from pathlib import Path
from typing import Any

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans",
        "sans-serif")  # fmt: skip
MONO = ("ui-monospace", "DejaVu Sans Mono", "Menlo", "Consolas", "monospace")
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Ccircle "
    "cx='16' cy='16' r='15' fill='%230068a8'/%3E%3Cpath d='M8 18c4 8 12 8 16 0' stroke='white' "
    "stroke-width='3' fill='none' stroke-linecap='round'/%3E%3C/svg%3E"
)
HEAD = (
    '<meta name="referrer" content="no-referrer">'
    f'<link rel="icon" href="{ICON}">'
)  # fmt: skip


def look() -> dict[str, Any]:
    """What `launch` or `mount_gradio_app` is given: theme, css, head."""
    import gradio as gr

    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.sky,
        secondary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=SANS,
        font_mono=MONO,
    ).set(
        button_primary_background_fill="#0068a8",
        button_primary_background_fill_hover="#00588f",
        button_primary_text_color="#ffffff",
        body_text_color_subdued="#566071",
        body_text_color_subdued_dark="#a3aebd",
        block_info_text_color="#566071",
        block_info_text_color_dark="#a3aebd",
        link_text_color="#00639f",
        link_text_color_hover="#004e7d",
        link_text_color_active="#00639f",
        link_text_color_visited="#00639f",
        checkbox_border_color="#7b8798",
        checkbox_border_color_dark="#8f9cae",
        checkbox_background_color_dark="#141a22",
        button_primary_background_fill_dark="#0f74b0",
        button_primary_background_fill_hover_dark="#0068a8",
        button_primary_text_color_dark="#ffffff",
    )
    return {"theme": theme, "css": css(), "head": HEAD}


@cache
def css() -> str:
    """The style sheet beside this file."""
    return Path(__file__).with_name("studio.css").read_text(encoding="utf-8")
