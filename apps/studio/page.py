"""The studio's page: five tabs over one desk."""

from typing import Any

from affetto.apps.studio import words
from affetto.apps.studio.desk import Desk
from affetto.apps.studio.tab_recognize import build_recognize
from affetto.apps.studio.tab_score import build_score
from affetto.apps.studio.tab_soundtrack import build_soundtrack
from affetto.apps.studio.tab_talk import build_talk
from affetto.apps.studio.tab_verify import build_verify
from affetto.errors import UsageError

TABS = {
    "Talk": build_talk,
    "Soundtrack": build_soundtrack,
    "Recognize": build_recognize,
    "Score": build_score,
    "Verify": build_verify,
}
TITLE = "Affetto studio"
LEAD = "Hear, see and read emotion, and give it back. Nothing you hand in leaves this machine."
CACHE_LOOK_S, CACHE_KEEP_S = 600, 3600


def build_page(desk: Desk) -> Any:  # noqa: ANN401 - gradio.Blocks
    """The page over a desk, ready to be served.

    Raises:
        UsageError: gradio is not installed.
    """
    try:
        import gradio as gr
    except ImportError as error:
        raise UsageError("the studio needs gradio: pip install 'affetto[studio]'") from error

    with gr.Blocks(
        title=TITLE, analytics_enabled=False, delete_cache=(CACHE_LOOK_S, CACHE_KEEP_S)
    ) as page:
        gr.HTML(f'<div class="s-title"><h1>{TITLE}</h1><p>{LEAD}</p></div>')
        gr.HTML(words.notes([words.AI_NOTE]))
        with gr.Tabs():
            for name, build in TABS.items():
                with gr.Tab(name):
                    build(desk)
    page.queue(max_size=desk.settings.queue_size, default_concurrency_limit=1)
    return page
