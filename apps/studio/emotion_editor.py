"""The emotion editor: six ways to say a feeling, one request in the end, shown and editable."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affetto.apps.studio import words
from affetto.apps.studio.curves import chart, label_lines
from affetto.apps.studio.emotion_map import build_map, read_place
from affetto.apps.studio.requests import (
    LIKE_CLIP,
    MAX_ROWS,
    NO_FEELING,
    of_feelings,
    of_keyframes,
    of_place,
    without_files,
)
from affetto.emotion import LABELS
from affetto.errors import EngineError
from affetto.request import Timeline, parse_request

FEELINGS, PLACE, TIMELINE, AUTO, LIKE, IN_WORDS = (
    "Feelings", "A place on the map", "Over time", "auto", "Like a clip", "In words"
)  # fmt: skip
NUM_FEELINGS = 3
HEADERS = ["time", "emotion", "strength", "easing"]
FIRST_ROWS = [
    ["0", "calm", "0.6", ""],
    ["2.5", "surprised", "0.9", ""],
    ["4.5", "happy", "0.8", ""],
]
EMPTY_ROW = ["", "", "", ""]
STEP_S = 2.0  # from the last keyframe to a new one
RATE_HZ = 10.0
SHOWN_AFTER_S = 1.0  # of the last keyframe

# Events of the page's own: neither queued behind jobs nor offered to programs.
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

Component = Any  # of gradio, whose own types say little


@dataclass(frozen=True)
class EmotionEditor:
    """What other parts of the page need of the editor.

    Attributes:
        request: the text box with the request; it alone counts.
        clip: the file to be like.
        mode, feelings, timeline: what an example sets so that the editor shows what it asks.
    """

    request: Component
    clip: Component
    mode: Component
    feelings: tuple[Component, ...]
    timeline: Component

    @property
    def preset_outputs(self) -> list[Component]:
        """What `preset` gives values for."""
        return [self.request, self.mode, *self.feelings, self.timeline]


def preset(request: str) -> list[Any]:
    """The editor showing a request of labels or of keyframes."""
    if request == "auto":
        return [request, AUTO, *[NO_FEELING, 0.5] * NUM_FEELINGS, FIRST_ROWS]
    target = parse_request(request).target
    if isinstance(target, Timeline):
        rows = [[f"{key.time_s:g}", *_cells(str(key.target)), key.easing if key.easing != "smooth"
                 else ""] for key in target.keyframes]  # fmt: skip
        return [request, TIMELINE, *(NO_FEELING, 1.0) * NUM_FEELINGS, rows]
    feelings: list[Any] = []
    for part in request.split("+"):
        label, _, strength = part.partition(":")
        feelings += [label, float(strength or 1)]
    feelings += [NO_FEELING, 0.5] * (NUM_FEELINGS - len(feelings) // 2)
    return [request, FEELINGS, *feelings, FIRST_ROWS]


def build_editor(*, auto_word: str, start: str) -> EmotionEditor:
    """The editor, inside a page under construction.

    Args:
        auto_word: what `auto` is called here, such as "From the voice".
        start: the request to begin with: `auto`, or labels with strengths.
    """
    import gradio as gr

    ways = [(FEELINGS, FEELINGS), (PLACE, PLACE), (TIMELINE, TIMELINE), (auto_word, AUTO),
            (LIKE, LIKE), (IN_WORDS, IN_WORDS)]  # fmt: skip
    begin = preset(start)
    mode = gr.Radio(ways, value=begin[1], label="How to say the feeling", elem_classes="s-ways")
    groups: dict[str, Component] = {}
    with gr.Column(visible=begin[1] == FEELINGS) as groups[FEELINGS]:
        feelings = _feelings(begin[2 : 2 + 2 * NUM_FEELINGS])
    with gr.Column(visible=False) as groups[PLACE]:
        place = build_map("Map of feelings")
    with gr.Column(visible=False) as groups[TIMELINE]:
        timeline = gr.Dataframe(
            value=FIRST_ROWS, headers=HEADERS, datatype="str", type="array", row_count=3,
            column_count=len(HEADERS), interactive=True, buttons=[], wrap=True,
            label="Keyframes: time in seconds or m:ss; strength 0 to 1; easing smooth, linear or "
            "step",
        )  # fmt: skip
        with gr.Row():
            more = gr.Button("Add a keyframe", size="sm")
            fewer = gr.Button("Remove the last", size="sm")
        more.click(_one_more, [timeline], [timeline], **QUIET)
        fewer.click(lambda rows: rows[:-1] or [EMPTY_ROW], [timeline], [timeline], **QUIET)
    with gr.Column(visible=begin[1] == AUTO) as groups[AUTO]:
        gr.HTML(words.notes([f"{auto_word}: the emotion is measured there and followed."]))
    with gr.Column(visible=False) as groups[LIKE]:
        clip = gr.File(label="A film, sound, picture, text, or saved track to be like",
                       type="filepath", height=120)  # fmt: skip
    with gr.Column(visible=False) as groups[IN_WORDS]:
        spoken = gr.Textbox(
            label="In your own words",
            placeholder="bitter-sweet, hopeful at the end",
            max_length=500,
        )
    curve = gr.HTML(visible=False)
    request = gr.Textbox(
        value=start, label="What will be asked", max_length=4000, elem_classes="s-command",
        info="The same words work on the command line; you may edit them.",
    )  # fmt: skip
    inputs = [mode, *feelings, place, timeline, spoken]
    for source in (mode, *feelings, place, timeline, spoken):
        source.input(_request_of, inputs, [request], trigger_mode="always_last", **QUIET)
    timeline.change(_request_of_rows, [mode, timeline, request], [request], **QUIET)
    request.change(_curve, [request], [curve], **QUIET)
    mode.change(None, [mode], list(groups.values()), js=_only_open(list(groups)), **QUIET)
    return EmotionEditor(request, clip, mode, tuple(feelings), timeline)


def _feelings(begin: Sequence[Any]) -> list[Component]:
    import gradio as gr

    made = _feeling(1, "Feeling", begin)
    with gr.Accordion("Mix in other feelings", open=False):
        for number in range(2, NUM_FEELINGS + 1):
            made += _feeling(number, f"Feeling {number}", begin)
    return made


def _feeling(number: int, name: str, begin: Sequence[Any]) -> list[Component]:
    import gradio as gr

    label, strength = begin[2 * number - 2 : 2 * number]
    spoken = "Strength" if number == 1 else f"Strength of feeling {number}"
    with gr.Row(equal_height=True):
        return [
            gr.Dropdown([NO_FEELING, *LABELS], value=label, label=name, min_width=130),
            gr.Slider(0, 1, value=strength, step=0.05, min_width=150, label=spoken),
        ]


def _request_of(
    mode: str,
    *values: Any,  # noqa: ANN401 - of gradio's components
) -> str:
    """The request of the way that is open."""
    feelings, (place, rows, spoken) = values[:-3], values[-3:]
    if mode == FEELINGS:
        return of_feelings(list(zip(feelings[::2], feelings[1::2], strict=True)))
    if mode == PLACE:
        return of_place(*read_place(place))
    if mode == TIMELINE:
        return _of_rows(rows)
    if mode == LIKE:
        return LIKE_CLIP
    return (spoken or "").strip() if mode == IN_WORDS else "auto"


def _only_open(names: Sequence[str]) -> str:
    """In the browser, at once: the group of the way chosen is seen, the others are not."""
    return (
        f"(way) => {json.dumps(list(names))}.map("
        "(name) => ({__type__: 'update', visible: name === way}))"
    )


def _request_of_rows(mode: str, rows: Sequence[Sequence[object]], request: str) -> str:
    return _of_rows(rows) if mode == TIMELINE else request


def _one_more(rows: list[list[str]]) -> list[list[str]]:
    """The rows and a further one, a little later, neutral until somebody says otherwise."""
    try:
        last_s = float(rows[-1][0])
    except (IndexError, ValueError, TypeError):
        return [*rows, EMPTY_ROW]
    return [*rows, [f"{last_s + STEP_S:g}", "neutral", "", ""]]


def _of_rows(rows: Sequence[Sequence[object]]) -> str:
    """The timeline; while somebody is still typing, what is there so far, for the job to refuse."""
    try:
        return of_keyframes(rows)
    except EngineError:
        cells = [[str(cell or "").strip() for cell in row] for row in rows]
        return "; ".join(f"{row[0]}={row[1]}" for row in cells[:MAX_ROWS] if any(row))


def _curve(request: str) -> Component:
    import gradio as gr

    drawn = asked_curve(request)
    return gr.update(value=drawn, visible=bool(drawn))


def asked_curve(request: str) -> str:
    """A timeline drawn as it will be asked; a sentence where it cannot be; else nothing."""
    text = request.strip()
    if not text or text == LIKE_CLIP:
        return ""
    try:
        without_files(text, clip=None)
        understood = parse_request(text)
    except EngineError as error:
        return words.bad(str(error))
    if not isinstance(understood.target, Timeline):
        return ""
    from affetto.emotion_bank.bank import request_to_track  # loads torch

    duration_s = understood.target.keyframes[-1].time_s + SHOWN_AFTER_S
    rate_hz = min(RATE_HZ, 2000 / duration_s)
    track = request_to_track(understood, duration_s=duration_s, rate_hz=rate_hz)
    return chart("Asked over time", label_lines(track), duration_s=duration_s)


def request_for_job(request: str, clip: str | None) -> str:
    """The request a job is given; see `without_files`."""
    return without_files(request, clip=Path(clip) if clip else None)


def _cells(target: str) -> tuple[str, str]:
    label, _, strength = target.partition(":")
    return (label, strength) if "+" not in target and "(" not in target else (target, "")
