"""The Verify tab: what a film or sound tells about where it comes from."""

from collections.abc import Generator
from typing import Any

from affetto.apps.studio import examples, words
from affetto.apps.studio.desk import Desk, Done
from affetto.apps.studio.emotion_editor import QUIET
from affetto.apps.studio.inputs import medium
from affetto.apps.studio.offered import answered, offer
from affetto.apps.studio.result_panel import Shown, Updates, build_panel, connect
from affetto.errors import BadInput, EngineError

Component = Any
HINT = "What the file tells appears here. Try it with a film that you made under Talk."
ABOUT = (
    "What Affetto makes carries a signature (Content Credentials), and films a mark in their "
    "pixels that outlives copying and re-encoding. Finding nothing does not mean that a recording "
    "is real."
)
TONES: dict[str, words.Tone] = {
    "intact": "good",
    "changed": "bad",
    "marked": "plain",
    "nothing": "plain",
}
SIGNS = {True: "yes", False: "NO", None: "-"}


def build_verify(desk: Desk) -> None:
    """The tab, inside a page under construction."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            file = medium("An mp4 or wav file")
            gr.Markdown("**Example**")
            example = gr.Button("A film that was never signed", size="sm")
            gr.HTML(words.notes([ABOUT]))
        with gr.Column(scale=1, min_width=320):
            panel = build_panel("Verify", HINT)

    def make(file: str | None, request: gr.Request) -> Generator[Updates, None, None]:
        try:
            job = _job(file)
        except EngineError as error:
            yield panel.refused(words.bad(str(error)))
            return
        yield from panel.run(desk, "verify", job, request.session_hash or "", shown)

    connect(panel, desk, make, [file])
    example.click(lambda: desk.lend(examples.FILM), None, [file], **QUIET)
    _offer(desk, [file])


def shown(done: Done) -> Shown:
    """What the tab shows of a result."""
    answer = done.answer
    rows = [(one["kind"], SIGNS[one["good"]], one["sentence"]) for one in answer["findings"]]
    facts = [(name, str(answer[name])) for name in ("software", "source") if answer[name]]
    facts += [(name.replace("_", " "), str(value)) for name, value in answer["statement"].items()]
    return Shown(
        sentence=answer["headline"],
        html=words.table(("looked for", "speaks for it", "found"), rows),
        facts=facts,
        notices=[],
        files=[],
        command=f"affetto verify {answer['file']}",
        tone=TONES[answer["state"]],
    )


def _job(file: str | None) -> dict[str, Any]:
    if not file:
        raise BadInput("please hand in an mp4 or wav file first")
    return {"file": file}


def _offer(desk: Desk, inputs: list[Component]) -> None:
    import gradio as gr

    def verify(
        request: gr.Request, file: str
    ) -> Generator[tuple[str | None, dict[str, Any]], None, None]:
        """Say what a film or sound tells about its origin: signature, mark, and what was changed.

        Args:
            request: given by the server.
            file: an mp4 or wav.

        Returns:
            Nothing, and what `affetto verify --json` prints. Finding nothing does not mean that a
            recording is real. While it runs: nothing, and {"what", "share", "left_s"}.
        """
        for _, pack, figures in answered(desk, "verify", _job(file), request, film=None):
            yield pack, figures

    offer(verify, inputs)
