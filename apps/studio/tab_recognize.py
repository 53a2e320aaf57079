"""The Recognize tab: any medium in, its emotion over time out, and how sure that is."""

import shlex
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affetto.apps.studio import examples, words
from affetto.apps.studio.consent import agreed
from affetto.apps.studio.curves import LEAST_SHARE, MAX_LABELS, Line, chart
from affetto.apps.studio.desk import RESULT, Desk, Done
from affetto.apps.studio.emotion_editor import QUIET
from affetto.apps.studio.inputs import medium
from affetto.apps.studio.offered import answered, offer
from affetto.apps.studio.result_panel import Shown, Updates, build_panel, connect
from affetto.errors import EngineError

Component = Any
MODALITIES = ["voice", "face", "scene", "text"]
OUTPUTS = {"csv": "steps.csv", "plot": "plot.png", "webvtt": "emotion.vtt", "track": "track.json"}
PRESETS = (("A film", examples.FILM), ("A voice", examples.SPEECH), ("A face", examples.PORTRAIT))
SHOWN_WHAT = {"all": "all together"}
MOST_ROWS = 12
HINT = "What was recognized appears here, with how sure it is."


def build_recognize(desk: Desk) -> None:
    """The tab, inside a page under construction."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            media = medium(
                "A film, sound, picture or text (txt, srt, vtt)", desk.lend(examples.FILM)
            )
            gr.Markdown("**Examples** (no consent needed: nobody alive is in them)")
            with gr.Row():
                chosen = [gr.Button(name, size="sm", min_width=90) for name, _ in PRESETS]
            only = gr.CheckboxGroup(MODALITIES, value=MODALITIES, label="Look at")
            consent = gr.Checkbox(label=words.CONSENT, value=False)
            gr.HTML(words.notes([words.READING_NOTE]))
        with gr.Column(scale=1, min_width=320):
            panel = build_panel("Recognize", HINT)

    def make(
        media: str | None, only: list[str], consent: bool, request: gr.Request
    ) -> Generator[Updates, None, None]:
        try:
            job = _job(media, only, consent=consent)
        except EngineError as error:
            yield panel.refused(words.bad(str(error)))
            return
        yield from panel.run(desk, "recognize", job, request.session_hash or "", shown)

    connect(panel, desk, make, [media, only, consent])
    for button, (_, path) in zip(chosen, PRESETS, strict=True):
        button.click(lambda path=path: desk.lend(path), None, media, **QUIET)
    _offer(desk, [media, consent])


def shown(done: Done) -> Shown:
    """What the tab shows of a result."""
    found = done.answer["files"][0]
    labels = done.answer["labels"]
    rows = [row for row in found["rows"] if row["what"] not in found["missing"]]
    cells = [_cells(row, found["duration_s"]) for row in rows[:MOST_ROWS]]
    missing = [f"{what[:1].upper()}{what[1:]}: {why}." for what, why in found["missing"].items()]
    curves = ""
    if found["duration_s"]:
        lines = _lines(found["rows"][0], labels)
        curves = chart("Emotion over time, all together", lines, duration_s=found["duration_s"])
    table = words.table(("what", "label", "share", "valence", "arousal", "how sure"), cells)
    return Shown(
        sentence=_sentence(found["rows"][0]["summary"]),
        html=curves + table,
        facts=[],
        notices=[
            words.READING_NOTE,
            "Valence goes from -1 (unpleasant) to 1 (pleasant), arousal from -1 (quiet) to 1 "
            "(stirred up); \u00b1 is the 90 % interval of a single moment.",
            *missing,
        ],
        files=[name for name in OUTPUTS.values() if (done.folder / name).exists()],
        command=command(done.answer["files"][0]["file"], done.options["only"]),
    )


def command(media: str, only: Sequence[str]) -> str:
    """The command line that does the same."""
    some = ["--only", ",".join(only)] if list(only) != MODALITIES else []
    return shlex.join(["affetto", "recognize", Path(media).name, *some])


def _job(media: str | None, only: Sequence[str], *, consent: bool) -> dict[str, Any]:
    agreed({"a film, sound, picture or text": media}, consent=consent)
    asked = [name for name in MODALITIES if name in only] or MODALITIES
    outputs = {name: f"{RESULT}/{file}" for name, file in OUTPUTS.items()}
    return {"media": [media], "only": asked, **outputs}


def _cells(row: dict[str, Any], duration_s: float) -> tuple[str, ...]:
    part = row["summary"]
    what = SHOWN_WHAT.get(row["what"], row["what"])
    if part["label"] is None:
        return (what, "-", "", "", "", part["how_sure"])
    return (
        what,
        part["label"],
        f"{part['share']:.0%}",
        f"{part['valence']:+.2f} \u00b1{part['valence_half']:.2f}",
        f"{part['arousal']:+.2f} \u00b1{part['arousal_half']:.2f}",
        f"{part['how_sure']} ({part['confidence']:.2f})",
    )


def _sentence(part: dict[str, Any]) -> str:
    if part["label"] is None:
        return "There is nothing to judge in it"
    return f"Mostly {part['label']} ({part['share']:.0%}), {part['how_sure']}"


def _lines(row: dict[str, Any], labels: Sequence[str]) -> list[Line]:
    """The labels that are there most, at most three."""
    times, probs = np.asarray(row["times"]), np.asarray(row["probs"])
    order = [i for i in np.argsort(-probs.mean(axis=0)) if probs[:, i].max() >= LEAST_SHARE]
    return [
        Line(labels[int(i)], times, probs[:, i], colour)
        for colour, i in enumerate(order[:MAX_LABELS])
    ]


def _offer(desk: Desk, inputs: list[Component]) -> None:
    import gradio as gr

    def recognize(
        request: gr.Request, media: str, i_have_consent: bool = False
    ) -> Generator[tuple[str | None, dict[str, Any]], None, None]:
        """Recognize emotion in a film, sound, picture or text, and say how sure that is.

        Args:
            request: given by the server.
            media: what to look at.
            i_have_consent: that everybody whose face or voice is in it agrees.

        Returns:
            All files as a zip, and what `affetto recognize --json` prints. It is not a statement
            about what a person feels. While it runs: nothing, and {"what", "share", "left_s"}.
        """
        job = _job(media, MODALITIES, consent=i_have_consent)
        for _, pack, figures in answered(desk, "recognize", job, request, film=None):
            yield pack, figures

    offer(recognize, inputs)
