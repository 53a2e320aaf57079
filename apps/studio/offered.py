"""The jobs as programs call them (gradio_client, or assistants where the studio allows it)."""

from collections.abc import Callable, Generator, Mapping
from functools import wraps
from typing import Any

from affetto.apps.studio.desk import Desk, Done, Step
from affetto.apps.studio.result_panel import JOBS, files_in, packed
from affetto.errors import EngineError

Answer = tuple[str | None, str | None, dict[str, Any]]


def answered(
    desk: Desk, verb: str, options: Mapping[str, Any], request: Any, *, film: str | None  # noqa: ANN401
) -> Generator[Answer, None, None]:  # fmt: skip
    """Do a job for a program: steps while it runs, then film, zip and figures.

    Raises:
        EngineError: the job failed.
    """
    for event in desk.run(verb, options, session=f"program {request.session_hash}"):
        if isinstance(event, Step):
            yield None, None, {"what": event.what, "share": event.share, "left_s": event.left_s}
        elif isinstance(event, Done):
            names = [str(path.relative_to(event.folder)) for path in files_in(event.folder)]
            pack = str(packed(event.folder, names, verb)) if names else None
            yield str(event.folder / film) if film else None, pack, event.answer


def offer(handler: Callable[..., Any], inputs: list[Any], *outputs: Any) -> None:  # noqa: ANN401
    """Offer a handler to programs under its own name, with its docstring as description."""
    import gradio as gr

    @wraps(handler)
    def refusing(*given: Any, **named: Any) -> Generator[Any, None, None]:  # noqa: ANN401
        try:
            yield from handler(*given, **named)
        except EngineError as error:
            raise gr.Error(str(error), print_exception=False) from error

    hidden = gr.Button(visible=False)
    all_files = gr.File(visible=False)
    figures = gr.JSON(visible=False)
    hidden.click(refusing, inputs, [*outputs, all_files, figures], api_name=handler.__name__,
                 **JOBS)  # fmt: skip
