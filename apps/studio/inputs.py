"""How files are taken in: as they are, for the job to read and to refuse."""

from typing import Any

Component = Any


def as_it_is(component: Component) -> None:
    """Hand a job the file itself, unread by the page: pictures are opened where limits hold."""
    component.preprocess = _path_of


def medium(label: str, value: str | None = None) -> Component:
    """A place for any medium."""
    import gradio as gr

    return gr.File(value, label=label, type="filepath", height=140)


def _path_of(payload: Any) -> str | None:  # noqa: ANN401 - a gradio FileData
    return payload.path if payload else None
