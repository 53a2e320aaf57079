"""The jobs as programs call them (gradio_client, or assistants where the studio allows it)."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

from affetto.apps.studio.desk import Desk, Done, Step
from affetto.apps.studio.result_panel import packed
from affetto.errors import EngineError

# One job at a time, whoever asks; the queue's length is the page's.
JOBS: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "jobs"}

Answer = tuple[str | None, str | None, dict[str, Any]]


def answered(
    desk: Desk, verb: str, options: Mapping[str, Any], request: Any, *, film: str | None  # noqa: ANN401
) -> Generator[Answer, None, None]:  # fmt: skip
    """Do a job for a program: steps while it runs, then film, zip and figures.

    Raises:
        gradio.Error: the job failed; one sentence.
    """
    import gradio as gr

    try:
        for event in desk.run(verb, options, session=f"program {request.session_hash}"):
            if isinstance(event, Step):
                yield None, None, {"what": event.what, "share": event.share, "left_s": event.left_s}
            elif isinstance(event, Done):
                names = [str(name) for name in event.answer.get("files", ())]
                path = packed(event.folder, names, verb)
                figures = event.answer | {"folder": "", "command": event.command}
                yield str(event.folder / film) if film else None, str(path), figures
    except EngineError as error:
        raise gr.Error(str(error), print_exception=False) from error


def offer(handler: Callable[..., Any], inputs: list[Any], *outputs: Any) -> None:  # noqa: ANN401
    """Offer a handler to programs under its own name, with its docstring as description."""
    import gradio as gr

    hidden = gr.Button(visible=False)
    all_files = gr.File(visible=False)
    figures = gr.JSON(visible=False)
    hidden.click(handler, inputs, [*outputs, all_files, figures], api_name=handler.__name__,
                 **JOBS)  # fmt: skip
