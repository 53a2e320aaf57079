"""The Score tab: does a recording show the emotion that was wanted? With controls beside."""

from collections.abc import Generator
from typing import Any

from affetto.apps.studio import examples, words
from affetto.apps.studio.consent import agreed
from affetto.apps.studio.desk import RESULT, Desk, Done
from affetto.apps.studio.emotion_editor import request_for_job
from affetto.apps.studio.inputs import medium
from affetto.apps.studio.offered import answered, offer
from affetto.apps.studio.result_panel import Shown, Updates, build_panel, connect
from affetto.errors import EngineError, RequestError

Component = Any
JUDGES = ["all", "voice", "face", "face-judge", "scene", "text"]
NAMES = {
    "label_accuracy": "label as wanted, share of time",
    "shared_probability": "overlap of probabilities",
    "va_distance": "distance in valence and arousal (lower is better)",
    "valence_ccc": "valence follows",
    "arousal_ccc": "arousal follows",
}
NEUTRAL, OTHER = "constant neutral", "best of other emotions"
FILES = ("scores.md", "scores.json", "request.png", "reference.png")
HINT = "The scores appear here, each beside what chance and other emotions would score."


def build_score(desk: Desk) -> None:
    """The tab, inside a page under construction."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            media = medium(
                "What is scored: a film, sound, picture or text", desk.lend(examples.SPEECH)
            )
            wanted = gr.Textbox(
                "sad:0.5", label="The emotion that was wanted", max_length=4000,
                info="happy, sad:0.6+surprised:0.4, va(-0.4,0.7), 0=calm; 2.5=excited:0.9, or in "
                "your own words; may be empty where a reference is given",
                elem_classes="s-command",
            )  # fmt: skip
            reference = medium("Reference to be like (optional)")
            judge = gr.Dropdown(JUDGES, value="all", label="Who judges")
            consent = gr.Checkbox(label=words.CONSENT, value=False)
        with gr.Column(scale=1, min_width=320):
            panel = build_panel("Score", HINT)

    def make(
        media: str | None, wanted: str, reference: str | None, judge: str, consent: bool,
        request: gr.Request,
    ) -> Generator[Updates, None, None]:  # fmt: skip
        try:
            job = _job(media, wanted, reference, judge, consent=consent)
        except EngineError as error:
            yield panel.refused(words.bad(str(error)))
            return
        yield from panel.run(desk, "score", job, request.session_hash or "", shown)

    connect(panel, desk, make, [media, wanted, reference, judge, consent])
    _offer(desk, [media, wanted, reference, judge, consent])


def shown(done: Done) -> Shown:
    """What the tab shows of a result."""
    answer = done.answer
    html, notices = "", [words.READING_NOTE]
    for one in answer["comparisons"]:
        rows = [_cells(metric) for metric in one["metrics"] if metric["score"] is not None]
        head = ("measure", "score", "95 % interval", "neutral", "best other emotion", "beats them")
        if rows:
            html += f"<h4>Against the {one['against']}</h4>" + words.table(head, rows)
        notices += _unusable(one["metrics"])
    judges = ", ".join(net["name"] for net in answer["judges"])
    facts = [("Judged by", judges)]
    facts += [(one["name"], f"{one['value']} ({one['beside']})") for one in answer["portrait"]]
    if not answer["losses_on_record"]:
        notices.append("No recipe.json beside it: whether the judge helped to make it is not known")
    return Shown(
        sentence=_sentence(answer["comparisons"]),
        html=html,
        facts=facts,
        notices=notices,
        files=[name for name in FILES if (done.folder / name).exists()],
    )


def _job(
    media: str | None, wanted: str, reference: str | None, judge: str, *, consent: bool
) -> dict[str, Any]:
    given = {"a film, sound, picture or text": media}
    agreed(given | ({"a reference": reference} if reference else {}), consent=consent)
    if not wanted.strip() and not reference:
        raise RequestError("say the emotion that was wanted, or hand in a reference")
    request = request_for_job(wanted, None) if wanted.strip() else None
    return {"media": media, "request": request, "reference": reference, "judge": judge,
            "out": RESULT}  # fmt: skip


def _sentence(comparisons: list[dict[str, Any]]) -> str:
    """The first measure that could be taken, beside the other emotion that fits best."""
    for metric in (one for comparison in comparisons for one in comparison["metrics"]):
        if metric["score"] is not None:
            other = metric["controls"].get(OTHER)
            beside = "" if other is None else f"; the best other emotion: {other:.2f}"
            return f"{_name(metric)}: {metric['score']:.2f}{beside}"
    return "Nothing could be measured; the reasons stand below"


def _unusable(metrics: list[dict[str, Any]]) -> list[str]:
    """What could not be measured, by reason."""
    reasons: dict[str, list[str]] = {}
    for metric in metrics:
        if metric["score"] is None:
            reasons.setdefault(metric["note"], []).append(_name(metric))
    return [f"{', '.join(names)}: {why}" for why, names in reasons.items()]


def _name(metric: dict[str, Any]) -> str:
    name = str(metric["name"])
    return NAMES.get(name, name.replace("_", " "))


def _cells(metric: dict[str, Any]) -> tuple[str, ...]:
    interval, controls = metric["interval_95"], metric["controls"]
    beats = {True: "yes", False: "no", None: "too short to say"}[metric["beats_controls"]]
    return (
        _name(metric),
        f"{metric['score']:.2f}",
        f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "too short",
        *(f"{controls[name]:.2f}" if name in controls else "-"
          for name in (NEUTRAL, OTHER)),
        beats,
    )  # fmt: skip


def _offer(desk: Desk, inputs: list[Component]) -> None:
    import gradio as gr

    def score(
        request: gr.Request,
        media: str,
        wanted: str = "",
        reference: str | None = None,
        judge: str = "all",
        i_have_consent: bool = False,
    ) -> Generator[tuple[str | None, dict[str, Any]], None, None]:
        """Measure whether a recording shows the emotion that was wanted, with controls.

        Args:
            request: given by the server.
            media: a film, sound, picture or text.
            wanted: happy, sad:0.6+surprised:0.4, va(-0.4,0.7), 0=calm; 2.5=excited:0.9, free text.
            reference: a medium or a saved track to be like.
            judge: all, voice, face, face-judge, scene or text.
            i_have_consent: that everybody whose face or voice is used agrees.

        Returns:
            All files as a zip, and what `affetto score --json` prints. While it runs: nothing, and
            {"what", "share", "left_s"}.
        """
        job = _job(media, wanted, reference, judge, consent=i_have_consent)
        for _, pack, figures in answered(desk, "score", job, request, film=None):
            yield pack, figures

    offer(score, inputs)
