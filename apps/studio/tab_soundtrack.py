"""The Soundtrack tab: a film and a feeling in, the film with its own music out."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from affetto.apps.studio import examples, words
from affetto.apps.studio.curves import Line, chart, strip
from affetto.apps.studio.desk import RESULT, Desk, Done
from affetto.apps.studio.emotion_editor import QUIET, build_editor, preset, request_for_job
from affetto.apps.studio.offered import answered, offer
from affetto.apps.studio.result_panel import Shown, Updates, build_panel, connect
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput, EngineError
from affetto.gen.music.hit_points import names_file
from affetto.gen.music.markers import SUFFIXES

Component = Any
FIRST = "auto"
PRESETS = (
    ("As the film feels", FIRST),
    ("Calm, fearful, hopeful", "0=calm:0.8; 6=fearful:0.8; 11=happy:0.7"),
    ("Sad all along", "sad:0.8"),
)
LOUDNESS = [("Web, -14 LUFS", -14), ("Middle, -16 LUFS", -16), ("Broadcast, -23 LUFS", -23)]
FOLLOWED = (
    "What is measured in a film is faint; the music takes it up more decidedly, so that it can be "
    "heard: the whole lines go further than the dashed ones."
)
HINT = "The film with its music appears here: about as long as the film takes, or less."


def build_soundtrack(desk: Desk) -> None:
    """The tab, inside a page under construction."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            film = gr.Video(
                desk.lend(examples.FILM),
                label="The film",
                sources=["upload"],
                height=250,
                buttons=[],
            )
            gr.Markdown("**Examples** (a drawn film of ours)")
            with gr.Row():
                chosen = [gr.Button(name, size="sm", min_width=100) for name, _ in PRESETS]
            editor = build_editor(auto_word="From the film", start=FIRST)
            options = _build_options()
        with gr.Column(scale=1, min_width=320):
            panel = build_panel("Compose", HINT)

    def make(
        film: str | None, emotion: str, clip: str | None, key: str, tempo: float | None,
        instruments: list[str], style: str, loudness: float, original_sound: bool, hits: str,
        marks: str | None, seed: float, request: gr.Request,
    ) -> Generator[Updates, None, None]:  # fmt: skip
        try:
            job = _job(film, emotion, clip, key=key, tempo_bpm=tempo, instruments=instruments,
                       style=style, loudness_lufs=loudness, original_sound=original_sound,
                       hits=hits, marks=marks, seed=seed)  # fmt: skip
        except EngineError as error:
            yield panel.refused(words.bad(str(error)))
            return
        yield from panel.run(desk, "soundtrack", job, request.session_hash or "", shown)

    connect(panel, desk, make, [film, editor.request, editor.clip, *options])
    for button, (_, request) in zip(chosen, PRESETS, strict=True):
        button.click(lambda request=request: [desk.lend(examples.FILM), *preset(request)], None,
                     [film, *editor.preset_outputs], **QUIET)  # fmt: skip
    _offer(desk, [film, editor.request, editor.clip, options[-1]])


def shown(done: Done) -> Shown:
    """What the tab shows of a result."""
    from affetto.gen.music.chord_names import key_name
    from affetto.gen.music.keys import parse_key

    answer = done.answer
    duration_s = answer["duration_s"]
    chords, cuts = _chords_and_cuts(done.folder / "music.mid")
    slow, fast = answer["bpm_range"]
    hit = answer["strong_cuts_hit"]
    on_cuts = (
        "no cuts" if hit is None else f"{hit:.0%} (by chance {answer['strong_cuts_chance']:.0%})"
    )
    told = [FOLLOWED] if done.options["emotion"] == "auto" else []
    return Shown(
        sentence=f"Done: music of {answer['music_s']:.1f} s in {answer['wall_s']:.0f} s",
        html=chart(
            "Emotion over time: asked of the music, and measured in the film",
            _lines(done.folder), duration_s=duration_s, low=-1, marks_s=cuts,
        ) + strip("Chords", chords, duration_s=duration_s),
        facts=[
            ("Key", key_name(parse_key(answer["key"]))),
            ("Tempo", f"{slow:.0f} to {fast:.0f} quarter notes a minute"),
            ("Loudness", f"{answer['integrated_lufs']:.1f} LUFS, peak "
                         f"{answer['true_peak_dbtp']:.1f} dBTP"),
            ("Strong cuts met by a downbeat", on_cuts),
            ("Length against the film", f"{answer['music_duration_error_ms']:.1f} ms"),
            ("Says what it is", words.SIGNED),
            ("Seed", str(answer["seed"])),
        ],
        notices=[words.AI_NOTE, *told, *answer["notices"]],
        files=answer["files"],
        film="film.mp4",
        film_label="Film (its music is AI-generated)",
        sound="mix.wav",
    )  # fmt: skip


def _build_options() -> list[Component]:
    import gradio as gr

    from affetto.gen.music.arrange import INSTRUMENTS, STYLES

    with gr.Accordion("More choices", open=False):
        with gr.Row():
            key = gr.Textbox(label="Key", placeholder="by emotion; C, Am, F#m ...", max_length=8)
            tempo = gr.Number(None, label="Tempo, 40 to 220; empty: by emotion", minimum=40,
                              maximum=220)  # fmt: skip
        instruments = gr.Dropdown(list(INSTRUMENTS), multiselect=True,
                                  label="Instruments; none chosen: by emotion")  # fmt: skip
        style = gr.Dropdown([("by emotion", ""), *STYLES], value="", label="Style")
        loudness = gr.Dropdown(LOUDNESS, value=-16, label="Loudness")
        with gr.Row():
            original = gr.Checkbox(True, label="Keep the film's own sound")
            hits = gr.Textbox("cuts", label="Downbeats on: cuts, none, or times (3.2, 17.5=stop)",
                              max_length=2000)  # fmt: skip
        marks = gr.File(label="or on the markers of a file from your editor (EDL, OTIO, CSV)",
                        type="filepath", file_types=list(SUFFIXES), height=120)  # fmt: skip
        seed = gr.Number(0, label="Seed: same seed, same music", precision=0, minimum=0)
    return [key, tempo, instruments, style, loudness, original, hits, marks, seed]


def _job(
    film: str | None, emotion: str, clip: str | None, *, marks: str | None = None,
    **choices: Any,  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    if not film:
        raise BadInput("please hand in a film first")
    made = {
        **choices,
        "key": str(choices.get("key") or "").strip() or None,
        "tempo_bpm": choices.get("tempo_bpm") or None,
        "instruments": list(choices.get("instruments") or ()) or None,
        "style": choices.get("style") or None,
        "hits": _marked(marks) if marks else _hits(choices.get("hits")),
        "seed": int(choices.get("seed") or 0),
    }
    return made | {"video": film, "out": RESULT, "emotion": request_for_job(emotion, clip)}


def _hits(words: str | None) -> str:
    """A stranger's words: they may name no file of this machine."""
    if names_file(words := (words or "").strip() or "cuts"):
        raise BadInput("the page takes no names of files: write times, such as 3.2, 17.5=stop")
    return words


def _marked(marks: str) -> str:
    """A file that was handed in."""
    if not names_file(marks):
        raise BadInput(
            f"{Path(marks).name} holds no markers that are read: give " + ", ".join(SUFFIXES)
        )
    return marks


def _lines(folder: Path) -> list[Line]:
    measured = EmotionTrack.load(folder / "measured_emotion.json")
    rows = np.genfromtxt(folder / "emotion.csv", delimiter=",", names=True, ndmin=1)
    lines = []
    for colour, name in enumerate(("valence", "arousal")):
        lines.append(Line(f"{name}, asked", rows["time"], rows[name], colour))
        lines.append(
            Line(f"{name}, measured", measured.times, measured.vad[:, colour], colour, seen=True)
        )
    return lines


def _chords_and_cuts(path: Path) -> tuple[list[tuple[float, str]], list[float]]:
    """(start in seconds, chord) and the times of cuts, as our own MIDI file notes them."""
    import mido

    chords: list[tuple[float, str]] = []
    cuts: list[float] = []
    time_s = 0.0
    for message in mido.MidiFile(path):
        time_s += message.time
        if message.type == "text":
            chords.append((time_s, message.text))
        elif message.type == "marker" and message.text.startswith("cut"):
            cuts.append(time_s)
    return chords, cuts


def _offer(desk: Desk, inputs: list[Component]) -> None:
    import gradio as gr

    def soundtrack(
        request: gr.Request,
        film: str,
        emotion: str = FIRST,
        like_clip: str | None = None,
        seed: float = 0,
    ) -> Generator[tuple[str | None, str | None, dict[str, Any]], None, None]:
        """Compose music for a film.

        Args:
            request: given by the server.
            film: mp4, mov, mkv, webm or avi.
            emotion: auto (as the film feels), happy, sad:0.6+surprised:0.4, va(-0.4,0.7),
                0=calm; 12=excited:0.9, free text, or like:clip.
            like_clip: the recording that like:clip speaks of.
            seed: same seed, same music.

        Returns:
            The film with its music, all files as a zip, and what `affetto soundtrack --json`
            prints. While it runs: nothing, nothing, and {"what", "share", "left_s"}.
        """
        job = _job(film, emotion, like_clip, seed=seed)
        yield from answered(desk, "soundtrack", job, request, film="film.mp4")

    offer(soundtrack, inputs, gr.Video(visible=False))
