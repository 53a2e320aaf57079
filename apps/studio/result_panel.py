"""Where a job is watched and its result shown: progress, film, curves, facts, files, command."""

import zipfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from affetto.apps.studio import words
from affetto.apps.studio.desk import Desk, Done, Preview, Step
from affetto.apps.studio.emotion_editor import QUIET
from affetto.errors import Cancelled, EngineError

Component = Any
Updates = dict[Component, Any]
STOPPED = "Stopped. Nothing half-written is left."
EARLY = "First seconds, without sound; the rest is being made"
OPENING = "The first bars; the rest is being played"
LATE = "Film (AI-generated)"
FULL = (
    "Too many people are waiting, or the server could not take the job: please try again in a "
    "minute"
)
# One job at a time, whoever asks; the page bounds how many wait.
JOBS: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "jobs"}
FILES_HEIGHT = 300
PLAYED: dict[str, Any] = {"visible": True, "autoplay": True, "loop": True}


@dataclass(frozen=True)
class Shown:
    """What a tab makes of a result.

    Attributes:
        sentence: what came of it.
        html: curves and tables.
        facts: names and values.
        notices: what the person should know.
        files: in the result's folder, the first one first.
        film, sound: which of them to play.
        film_label: what stands over the film.
        command: the command line that does the same, where the result does not say it.
        tone: of the sentence.
    """

    sentence: str
    html: str
    facts: Sequence[tuple[str, str]]
    notices: Sequence[str]
    files: Sequence[str]
    film: str | None = None
    sound: str | None = None
    film_label: str = LATE
    command: str | None = None
    tone: words.Tone = "good"


ShownBy = Callable[[Done], Shown]


@dataclass(frozen=True)
class ResultPanel:
    """The components of one tab's right side."""

    start: Component
    stop: Component
    status: Component
    film: Component
    opening: Component
    result: Component
    sound: Component
    html: Component
    facts: Component
    everything: Component
    files: Component
    command: Component
    notices: Component

    @property
    def outputs(self) -> list[Component]:
        """What a run may change."""
        return [getattr(self, field.name) for field in fields(self)]

    def run(
        self, desk: Desk, verb: str, options: Mapping[str, Any], session: str, shown: ShownBy
    ) -> Generator[Updates, None, None]:
        """Do a job and keep the panel up to date; failures become a sentence in it."""
        import gradio as gr

        yield {self.status: words.step(Step("starting", 0.0, None))}
        try:
            for event in desk.run(verb, options, session=session):
                if isinstance(event, Step):
                    yield {self.status: words.step(event)}
                elif isinstance(event, Preview) and event.file.suffix == ".wav":
                    yield {self.opening: gr.update(value=str(event.file), visible=True)}
                elif isinstance(event, Preview):
                    yield {self.film: gr.update(value=str(event.file), label=EARLY, **PLAYED)}
                else:
                    yield self._finished(event, shown(event), verb)
        except Cancelled:
            yield self.refused(words.idle(STOPPED))
        except EngineError as error:
            yield self.refused(words.bad(str(error)))

    def refused(self, status: str) -> Updates:
        """Ready for another try, with the reason shown."""
        import gradio as gr

        return {
            self.status: status,
            self.start: gr.update(interactive=True),
            self.stop: gr.update(visible=False),
            self.opening: gr.update(value=None, visible=False),
        }

    def waiting(self) -> Updates:
        """Somebody asked for a job; it may have to wait for others'."""
        import gradio as gr

        return {
            self.status: words.step(Step("waiting for its turn", 0.0, None)),
            self.start: gr.update(interactive=False),
            self.stop: gr.update(visible=True),
            self.film: gr.update(value=None, visible=False),
            self.opening: gr.update(value=None, visible=False),
            self.result: gr.update(visible=False),
        }

    def _finished(self, done: Done, shown: Shown, verb: str) -> Updates:
        import gradio as gr

        def played(name: str | None) -> str | None:
            return str(done.folder / name) if name else None

        film, sound = played(shown.film), played(shown.sound)
        pack = packed(done.folder, shown.files, verb) if shown.files else None
        return {
            **self.refused(words.done(shown.sentence, tone=shown.tone)),
            self.film: gr.update(
                value=film, visible=bool(film), label=shown.film_label, autoplay=False, loop=False
            ),
            self.result: gr.update(visible=True),
            self.sound: gr.update(value=sound, visible=bool(sound)),
            self.html: shown.html,
            self.facts: words.facts(shown.facts),
            self.everything: gr.update(value=str(pack), visible=True)
            if pack
            else gr.update(visible=False),
            self.files: gr.update(
                value=[str(done.folder / name) for name in shown.files], visible=bool(shown.files)
            ),
            self.command: words.command(shown.command or done.command),
            self.notices: words.notes(shown.notices),
        }


def build_panel(start: str, hint: str) -> ResultPanel:
    """The panel, inside a page under construction.

    Args:
        start: what stands on the button.
        hint: what stands where the result will be.
    """
    import gradio as gr

    with gr.Row():
        begin = gr.Button(start, variant="primary", scale=3)
        stop = gr.Button("Stop", variant="stop", visible=False, scale=1)
    status = gr.HTML(words.idle(hint))
    film = gr.Video(visible=False, interactive=False, label=LATE, buttons=["download"])
    opening = gr.Audio(visible=False, interactive=False, label=OPENING, buttons=[], autoplay=True)
    with gr.Column(visible=False) as result:
        sound = gr.Audio(
            visible=False, interactive=False, label="The sound alone", buttons=["download"]
        )
        html = gr.HTML("")
        facts = gr.HTML("")
        everything = gr.DownloadButton("Download everything (zip)", size="sm")
        files = gr.File(label="All files", interactive=False, file_count="multiple",
                        elem_classes="s-files", height=FILES_HEIGHT)  # fmt: skip
        command = gr.HTML(js_on_load=words.COMMAND_COPIED)
        notices = gr.HTML("")
    return ResultPanel(begin, stop, status, film, opening, result, sound, html, facts, everything,
                       files, command, notices)  # fmt: skip


def connect(
    panel: ResultPanel, desk: Desk, make: Callable[..., Any], inputs: list[Component]
) -> None:
    """Let the start button run `make`, one job at a time, and the Stop button stop it."""
    import gradio as gr

    def stop(request: gr.Request) -> Updates:
        desk.cancel(request.session_hash or "")
        return panel.refused(words.idle(STOPPED)) | {panel.film: gr.update(visible=False)}

    def failed(request: gr.Request) -> Updates:
        if desk.was_stopped(request.session_hash or ""):
            return stop(request)
        return panel.refused(words.bad(FULL))

    ended = [panel.status, panel.start, panel.stop, panel.film, panel.opening]
    waiting = panel.start.click(panel.waiting, None, panel.outputs, **QUIET)
    job = waiting.then(make, inputs, panel.outputs, api_visibility="private",
                       show_progress="hidden", **JOBS)  # fmt: skip
    job.failure(failed, None, ended, **QUIET)
    panel.stop.click(stop, None, ended, cancels=[job], **QUIET)


def packed(folder: Path, names: Sequence[str], verb: str) -> Path:
    """All files of a result in one, beside its folder."""
    path = folder.parent / f"affetto_{verb}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:
        for name in names:
            pack.write(folder / name, name)
    return path


def files_in(folder: Path) -> list[Path]:
    """All files of a result."""
    return sorted(path for path in folder.rglob("*") if path.is_file())
