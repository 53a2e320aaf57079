"""The Talk tab: a photo, a voice and a feeling in, a film of that face talking out."""

from collections.abc import Generator
from typing import Any

from affetto.apps.studio import examples, words
from affetto.apps.studio.consent import agreed
from affetto.apps.studio.curves import chart, label_lines
from affetto.apps.studio.desk import RESULT, Desk, Done
from affetto.apps.studio.emotion_editor import (
    QUIET,
    build_editor,
    preset,
    request_for_job,
)
from affetto.apps.studio.inputs import as_it_is
from affetto.apps.studio.offered import answered, offer
from affetto.apps.studio.result_panel import Shown, Updates, build_panel, connect
from affetto.emotion import EmotionTrack
from affetto.errors import EngineError

Component = Any
FIRST = "happy:0.9"
PRESETS = (
    ("Happy", FIRST),
    ("Angry", "angry:0.9"),
    ("Sad, then hopeful", "0=sad:0.9; 2.2=sad:0.8; 4.2=happy:0.8"),
)
SIZES = [("256 pixels, quick", "256"), ("512 pixels", "512"), ("The whole photo", "photo")]
UNKNOWN = "not measured"
HINT = "The film appears here. The first seconds can be watched while the rest is made."


def build_talk(desk: Desk) -> None:
    """The tab, inside a page under construction."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            with gr.Row():
                portrait = gr.Image(
                    desk.lend(examples.PORTRAIT), type="filepath",
                    label="Photo or painting of a face", image_mode=None,
                    sources=["upload", "webcam", "clipboard"], height=250,
                    buttons=[], alt_text="The face that will talk", min_width=150,
                )  # fmt: skip
                speech = gr.Audio(
                    desk.lend(examples.SPEECH), label="What is said", type="filepath", buttons=[],
                    sources=["upload", "microphone"], min_width=300,
                )  # fmt: skip
            as_it_is(portrait)
            gr.Markdown("**Examples** (no consent needed: a painting, a made voice)")
            with gr.Row():
                chosen = [gr.Button(name, size="sm", min_width=90) for name, _ in PRESETS]
            editor = build_editor(auto_word="From the voice", start=FIRST)
            options = _build_options()
            consent = gr.Checkbox(label=words.CONSENT, value=False)
        with gr.Column(scale=1, min_width=320):
            panel = build_panel("Make it talk", HINT)

    def make(
        portrait: str | None, speech: str | None, emotion: str, clip: str | None, consent: bool,
        strength: float, liveliness: float, head: str, gaze: str, size: str, seed: float, text: str,
        music: bool, request: gr.Request,
    ) -> Generator[Updates, None, None]:  # fmt: skip
        try:
            job = _job(portrait, speech, emotion, clip, consent=consent, strength=strength,
                       liveliness=liveliness, head=head, gaze=gaze, size=size, seed=seed,
                       text=text, music=music)  # fmt: skip
        except EngineError as error:
            yield panel.refused(words.bad(str(error)))
            return
        yield from panel.run(desk, "talk", job, request.session_hash or "", shown)

    connect(panel, desk, make, [portrait, speech, editor.request, editor.clip, consent, *options])
    for button, (_, request) in zip(chosen, PRESETS, strict=True):
        button.click(
            lambda request=request: [desk.lend(examples.PORTRAIT), desk.lend(examples.SPEECH),
                                     *preset(request)],
            None, [portrait, speech, *editor.preset_outputs], **QUIET,
        )  # fmt: skip
    offered = [portrait, speech, editor.request, editor.clip, consent, options[5], options[0]]
    _offer(desk, offered)


def shown(done: Done) -> Shown:
    """What the tab shows of a result."""
    answer = done.answer
    asked = EmotionTrack.load(done.folder / "emotion.json")
    seen = EmotionTrack.load(done.folder / "seen_emotion.json")
    lines = label_lines(asked, seen, seen_word="seen in the film")
    agrees, lag = answer["label_accuracy"], answer["lip_lag_ms"]
    distance = answer["identity_distance"]
    share = "" if agrees is None else f", as asked in {agrees:.0%} of the time"
    return Shown(
        sentence=f"Done: {answer['duration_s']:.1f} s of film in {answer['wall_s']:.0f} s",
        html=chart("Emotion over time", lines, duration_s=answer["duration_s"]),
        facts=[
            ("Emotion asked", answer["asked"]),
            ("Emotion seen", answer["seen"] + share),
            ("Lips after sound", UNKNOWN if lag is None else f"{lag:+.0f} ms"),
            (
                "Distance to the photo",
                UNKNOWN if distance is None else f"{distance:.2f} (another person: 0.6 or more)",
            ),
            ("Blinks", f"{answer['blinks_per_minute']:.0f} a minute"),
            ("Film", f"{answer['duration_s']:.1f} s, {answer['width']} x {answer['height']}"),
            *_music(answer["music"]),
            ("Says what it is", words.SIGNED + "; a label and a mark in the picture"),
            ("Seed", str(answer["seed"])),
        ],
        notices=[words.AI_NOTE, words.READING_NOTE, *answer["notices"]],
        files=answer["files"],
        film="talk.mp4",
    )


def _music(music: dict[str, Any] | None) -> list[tuple[str, str]]:
    if music is None:
        return []
    from affetto.gen.music.chord_names import key_name
    from affetto.gen.music.keys import parse_key

    low, high = music["bpm_range"]
    return [
        (
            "Music",
            f"{key_name(parse_key(music['key']))}, {low:.0f}-{high:.0f} bpm, lower under the voice "
            f"for {music['duck_share']:.0%} of the time",
        )
    ]


def _build_options() -> list[Component]:
    import gradio as gr

    with gr.Accordion("More choices", open=False):
        with gr.Row():
            strength = gr.Slider(0, 1.5, 1.0, step=0.1, label="Strength of the emotion")
            liveliness = gr.Slider(0, 2, 1.0, step=0.1, label="Liveliness of head and brows")
        with gr.Row():
            head = gr.Dropdown(["still", "natural", "lively"], value="natural", label="Head")
            gaze = gr.Dropdown(["camera", "natural"], value="natural", label="Gaze")
        with gr.Row():
            size = gr.Dropdown(SIZES, value="512", label="Size of the film")
            seed = gr.Number(0, label="Seed: same seed, same film", precision=0, minimum=0)
        text = gr.Textbox(label="The words that are said (English), for exact lips; may be empty",
                          max_length=4000)  # fmt: skip
        music = gr.Checkbox(label="Music of the same emotion under the voice", value=False)
    return [strength, liveliness, head, gaze, size, seed, text, music]


def _job(
    portrait: str | None, speech: str | None, emotion: str, clip: str | None, *, consent: bool,
    **choices: Any,  # noqa: ANN401 - of gradio's components
) -> dict[str, Any]:  # fmt: skip
    """The options of the job.

    Raises:
        EngineError: something is missing, or cannot be asked for.
    """
    agreed({"a photo": portrait, "a voice": speech}, consent=consent)
    size = str(choices.pop("size"))
    text = str(choices.pop("text") or "").strip()
    return choices | {
        "portrait": portrait,
        "speech": speech,
        "out": RESULT,
        "emotion": request_for_job(emotion, clip),
        "seed": int(choices["seed"] or 0),
        "size": None if size == "photo" else int(size),
        "text": text or None,
    }


def _offer(desk: Desk, inputs: list[Component]) -> None:
    import gradio as gr

    def talk(
        request: gr.Request,
        portrait: str,
        speech: str,
        emotion: str = FIRST,
        like_clip: str | None = None,
        i_have_consent: bool = False,
        seed: float = 0,
        strength: float = 1.0,
    ) -> Generator[tuple[str | None, str | None, dict[str, Any]], None, None]:
        """Make a photo of a face talk with an emotion.

        Args:
            request: given by the server.
            portrait: a photo or painting of a face.
            speech: a recording of speech.
            emotion: happy, sad:0.6+surprised:0.4, va(-0.4,0.7), 0=calm; 2.5=excited:0.9, auto (as
                the voice sounds), free text, or like:clip.
            like_clip: the recording that like:clip speaks of.
            i_have_consent: that everybody whose face or voice is used agrees.
            seed: same seed, same film.
            strength: of the emotion, 0 to 1.5.

        Returns:
            The film, all files as a zip, and what `affetto talk --json` prints. While it runs:
            nothing, nothing, and {"what", "share", "left_s"}.
        """
        job = _job(portrait, speech, emotion, like_clip, consent=i_have_consent, seed=seed,
                   strength=strength, size="512", text="", music=False)  # fmt: skip
        yield from answered(desk, "talk", job, request, film="talk.mp4")

    offer(talk, inputs, gr.Video(visible=False))
