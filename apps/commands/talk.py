"""`affetto talk`: a photo that speaks with an emotion."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from affetto.apps.commands.options import REQUESTS, Json, Provenance, Quiet


def talk(
    portrait: Annotated[Path, typer.Argument(help="A photo or painting of a face.")],
    speech: Annotated[Path, typer.Argument(help="What is said: wav, flac, mp3, m4a, or a film.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all results. Default: PORTRAIT's name + '_talk'."),
    ] = None,
    emotion: Annotated[
        str,
        typer.Option(help=f"auto (as the voice sounds), {REQUESTS}"),
    ] = "auto",
    strength: Annotated[
        float, typer.Option(min=0, max=1.5, help="Of the emotion: 0 neutral, 1 as asked.")
    ] = 1.0,
    speech_guidance: Annotated[
        float, typer.Option(min=0, max=4, help="How strongly the mouth follows the speech.")
    ] = 1.0,
    emotion_guidance: Annotated[
        float, typer.Option(min=0, max=4, help="How strongly the face follows the emotion.")
    ] = 1.0,
    liveliness: Annotated[
        float, typer.Option(min=0, max=2, help="Of head, brows and gaze: 0 none, 1 natural.")
    ] = 1.0,
    head: Annotated[
        Literal["still", "natural", "lively"], typer.Option(help="How far the head moves.")
    ] = "natural",
    gaze: Annotated[
        Literal["camera", "natural"], typer.Option(help="camera: the eyes hold the viewer.")
    ] = "natural",
    blink: Annotated[
        float | None, typer.Option(min=0, max=60, help="Blinks a minute. Default: natural.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same film.")] = 0,
    fps: Annotated[float, typer.Option(min=5, max=60, help="Frames a second.")] = 25.0,
    size: Annotated[
        str, typer.Option(help="Side of the film in pixels, or photo: the whole photo, as large.")
    ] = "512",
    face: Annotated[
        int | None, typer.Option(min=1, help="Which face, where there are several; 1 the largest.")
    ] = None,
    face_net: Annotated[
        Path | None,
        typer.Option(help="MediaPipe's face_landmarker.task, if you have it: sees lips better."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="The words that are said, for exact lips (English).")
    ] = None,
    motion_in: Annotated[
        Path | None, typer.Option(help="An edited motion file (.csv, .json, .npz) to play.")
    ] = None,
    motion_out: Annotated[
        Path | None, typer.Option(help="Also write the motion there (.csv, .json, .npz).")
    ] = None,
    music: Annotated[
        bool,
        typer.Option("--music/--no-music", help="Music of the same emotion, under the voice."),
    ] = False,
    weights: Annotated[
        str,
        typer.Option(help="default, clean (licence-clean data), a folder, or hub:owner/name."),
    ] = "default",
    label: Annotated[
        bool, typer.Option("--label/--no-label", help="Write 'AI-generated' in a lower corner.")
    ] = True,
    provenance: Provenance = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a photo talk with an emotion: mp4, motion, recipe, report. Goes on after a kill."""
    from affetto.apps.progress import bar
    from affetto.apps.talk import run
    from affetto.apps.talk_job import Job, parse_size, summary

    wanted = Job(
        portrait=portrait,
        speech=speech,
        out=out or portrait.with_name(f"{portrait.stem}_talk"),
        emotion=emotion,
        strength=strength,
        speech_guidance=speech_guidance,
        emotion_guidance=emotion_guidance,
        liveliness=liveliness,
        head=head,
        gaze=gaze,
        blink=blink,
        seed=seed,
        fps=fps,
        size=parse_size(size),
        face=face,
        face_net=face_net,
        text=text,
        motion_in=motion_in,
        motion_out=motion_out,
        music=music,
        weights=weights,
        label=label,
        provenance=provenance,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(dataclasses.asdict(result), indent=2) if as_json else summary(result))
