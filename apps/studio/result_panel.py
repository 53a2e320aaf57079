"""Where a job is watched and its result shown: progress, film, curves, facts, files, command."""

import zipfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affetto.apps.studio import words
from affetto.apps.studio.desk import Desk, Done, Event, Preview, Step
from affetto.apps.studio.emotion_editor import QUIET
from affetto.errors import Cancelled, EngineError

Component = Any
Updates = dict[Component, Any]
STOPPED = "Stopped. Nothing half-written is left."


@dataclass(frozen=True)
class Shown:
    """What a tab makes of a result.

    Attributes:
        film: the file to play, None where there is none.
        curves: HTML.
        facts: names and values.
        sentence: what came of it.
        notices: what the person should know.
    """

    film: Path | None
    curves: str
    facts: list[tuple[str, str]]
    sentence: str
    notices: list[str]


@dataclass(frozen=True)
class ResultPanel:
    """The components of one tab's right side."""

    start: Component
    stop: Component
    status: Component
    film: Component
    result: Component
    curves: Component
    facts: Component
    notices: Component
    files: Component
    everything: Component
    command: Component
    has_film: bool

    @property
    def outputs(self) -> list[Component]:
        """What a run may change."""
        return [self.start, self.stop, self.status, self.film, self.result, self.curves, self.facts,
                self.notices, self.files, self.everything, self.command]  # fmt: skip

    def run(
        self, desk: Desk, verb: str, options: Mapping[str, Any], session: str, shown: "ShownBy"
    ) -> Generator[Updates, None, None]:
        """Do a job and keep the panel up to date; failures become a sentence in it."""
        import gradio as gr

        yield self._begun()
        try:
            for event in desk.run(verb, options, session=session):
                yield self._during(event, shown, verb)
        except Cancelled:
            yield self.refused(words.idle(STOPPED))
        except EngineError as error:
            gr.Warning("That did not work; the reason stands beside the button.")
            yield self.refused(words.bad(str(error)))

    def refused(self, status: str) -> Updates:
        """Ready for another try, with the reason shown."""
        import gradio as gr

        return {self.status: status, self.start: gr.update(interactive=True),
                self.stop: gr.update(visible=False)}  # fmt: skip

    def _begun(self) -> Updates:
        import gradio as gr

        return {
            self.status: words.step(Step("starting", 0.0, None)),
            self.start: gr.update(interactive=False),
            self.stop: gr.update(visible=True),
            self.film: gr.update(value=None, visible=False),
            self.result: gr.update(visible=False),
        }

    def _during(self, event: Event, shown: "ShownBy", verb: str) -> Updates:
        import gradio as gr

        if isinstance(event, Step):
            return {self.status: words.step(event)}
        if isinstance(event, Preview):
            label = "First seconds, without sound; the rest is being made"
            return {self.film: gr.update(value=str(event.film), visible=True, label=label,
                                         autoplay=True, loop=True)}  # fmt: skip
        return self._finished(event, shown(event), verb)

    def _finished(self, done: Done, shown: Shown, verb: str) -> Updates:
        import gradio as gr

        names = [str(name) for name in done.answer.get("files", ())]
        paths = [done.folder / name for name in names]
        film = (
            {
                self.film: gr.update(
                    value=str(shown.film),
                    visible=True,
                    label="Film (AI-generated)",
                    autoplay=False,
                    loop=False,
                )
            }  # fmt: skip
            if shown.film
            else {}
        )
        return film | self.refused(words.good(shown.sentence)) | {
            self.result: gr.update(visible=True),
            self.curves: shown.curves,
            self.facts: words.facts(shown.facts),
            self.notices: words.notes([words.AI_NOTE, *shown.notices]),
            self.files: [str(path) for path in paths],
            self.everything: str(packed(done.folder, names, verb)),
            self.command: done.command,
        }  # fmt: skip


class ShownBy:
    """The type of a tab's own `shown(done)`."""

    def __call__(self, done: Done) -> Shown:
        """What is shown of a result."""
        raise NotImplementedError


def build_panel(start: str, hint: str, *, has_film: bool = True) -> ResultPanel:
    """The panel, inside a page under construction.

    Args:
        start: what stands on the button.
        hint: what stands where the result will be.
        has_film: whether the result is a film.
    """
    import gradio as gr

    with gr.Row():
        begin = gr.Button(start, variant="primary", scale=3)
        stop = gr.Button("Stop", variant="stop", visible=False, scale=1)
    status = gr.HTML(words.idle(hint))
    film = gr.Video(visible=False, interactive=False, label="Film", buttons=["download"])
    with gr.Column(visible=False) as result:
        curves = gr.HTML("")
        facts = gr.HTML("")
        everything = gr.DownloadButton("Download everything (zip)", size="sm")
        files = gr.File(label="All files", interactive=False, file_count="multiple")
        command = gr.Textbox(
            label="This command makes it again, beside the same files", interactive=False,
            buttons=["copy"], elem_classes="s-command", lines=2,
        )  # fmt: skip
        notices = gr.HTML("")
    return ResultPanel(begin, stop, status, film, result, curves, facts, notices, files,
                       everything, command, has_film)  # fmt: skip


def connect_stop(panel: ResultPanel, desk: Desk, event: Component) -> None:
    """Make the Stop button stop the job, also while it still waits for its turn."""
    import gradio as gr

    def stop(request: gr.Request) -> Updates:
        desk.cancel(request.session_hash or "")
        return panel.refused(words.idle(STOPPED))

    panel.stop.click(stop, None, [panel.status, panel.start, panel.stop], cancels=[event], **QUIET)


def packed(folder: Path, names: list[str], verb: str) -> Path:
    """All files of a result in one, beside its folder."""
    path = folder.parent / f"affetto_{verb}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:
        for name in names:
            pack.write(folder / name, name)
    return path
