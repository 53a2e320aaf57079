"""The command line. Each command fills a job, calls the app's `run` and prints what came of it.

Progress goes to stderr, results to stdout (`--json` for machines). Exit codes: 0 ok, 2 usage, 3 bad
input, 4 out of resources, 130 cancelled.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

import affetto
from affetto.errors import EXIT_CANCELLED, EXIT_RESOURCES, EngineError

app = typer.Typer(
    help="Affetto hears, sees and reads emotion, and gives it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


CANCELLED = (
    "affetto: cancelled; nothing half-written is left (talk goes on from there when run again)"
)
REQUESTS = (
    "happy, sad:0.6+surprised:0.4, 'va(-0.4,0.7)', '0=calm; 12=excited:0.9', a CSV/JSON file, "
    "'bitter-sweet, hopeful at the end', or like:FILE (a saved track, film, sound, picture, text)."
)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]


def main() -> None:
    """Run a command; every failure a person can act on becomes one sentence and its exit code."""
    _keep_offline()
    try:
        app()
    except EngineError as error:
        print(f"affetto: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == EXIT_CANCELLED:  # typer's answer to Ctrl-C
            print(CANCELLED, file=sys.stderr)
        raise
    except MemoryError:
        print(
            "affetto: out of memory: close other programs or use a shorter film or speech",
            file=sys.stderr,
        )
        sys.exit(EXIT_RESOURCES)


def _keep_offline() -> None:
    """Nothing here phones home; a user's own settings win."""
    for name, value in (
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("DO_NOT_TRACK", "1"),
        ("GRADIO_ANALYTICS_ENABLED", "False"),
    ):
        os.environ.setdefault(name, value)


def _version(wanted: bool) -> None:
    if wanted:
        print(affetto.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def soundtrack(
    video: Annotated[Path, typer.Argument(help="The film: mp4, mov, mkv, webm, avi.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all results. Default: VIDEO's name + '_soundtrack'."),
    ] = None,
    emotion: Annotated[
        str,
        typer.Option(help=f"auto, {REQUESTS}"),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same music.")] = 0,
    key: Annotated[str | None, typer.Option(help="C, Am, F#m, Bb ... Default: by emotion.")] = None,
    tempo: Annotated[
        float | None, typer.Option(help="Quarter notes a minute, 40..220. Default: by emotion.")
    ] = None,
    instruments: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated, such as piano,strings,bass,drums. Default: by emotion."
        ),
    ] = None,
    loudness: Annotated[
        float,
        typer.Option(min=-40, max=-10, help="Target in LUFS: -14 web, -16 default, -23 broadcast."),
    ] = -16.0,
    length: Annotated[
        float | None,
        typer.Option(help="Seconds of music; it ends composed. Default: the film's length."),
    ] = None,
    original_sound: Annotated[
        bool,
        typer.Option("--original-sound/--no-original-sound", help="Keep the film's own sound."),
    ] = True,
    hits: Annotated[
        bool, typer.Option("--hits/--no-hits", help="Put downbeats on strong cuts.")
    ] = True,
    chords: Annotated[
        Path | None, typer.Option(help="An edited chords.txt to play instead of composing chords.")
    ] = None,
    soundfont: Annotated[
        Path | None, typer.Option(help="A .sf2 file. Default: the bundled one.")
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="default, clean (licence-clean data), or chord weights: a folder, hub:owner/name."
        ),
    ] = "default",
    clip_model: Annotated[
        str | None,
        typer.Option(help="Folder or hub id of CLIP ViT-L/14-336: richer features."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads. Default: the free cores.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compose music for a film: mp4, mix, stems, MIDI, chords, lead sheet, recipe, report."""
    from affetto.apps.progress import bar
    from affetto.apps.soundtrack import run
    from affetto.apps.soundtrack_job import Job, summary

    wanted = Job(
        video=video,
        out=out or video.with_name(f"{video.stem}_soundtrack"),
        emotion=emotion,
        seed=seed,
        key=key,
        tempo_bpm=tempo,
        instruments=tuple(word.strip() for word in instruments.split(",")) if instruments else None,
        loudness_lufs=loudness,
        length_s=length,
        original_sound=original_sound,
        hits=hits,
        chords=chords,
        soundfont=soundfont,
        weights=weights,
        clip_model=clip_model,
        threads=threads,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(dataclasses.asdict(result), indent=2) if as_json else summary(result))


@app.command()
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
    weights: Annotated[
        str,
        typer.Option(help="default, clean (licence-clean data), a folder, or hub:owner/name."),
    ] = "default",
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
        weights=weights,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(dataclasses.asdict(result), indent=2) if as_json else summary(result))


@app.command()
def recognize(
    media: Annotated[
        list[Path],
        typer.Argument(help="Films, sounds, pictures, texts (txt, srt, vtt), or folders of them."),
    ],
    only: Annotated[
        str | None, typer.Option(help="Comma-separated of voice,face,scene,text. Default: all.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=25, help="Steps a second of the course of all together.")
    ] = 2.0,
    window: Annotated[
        float, typer.Option(min=0.5, max=20, help="Seconds of voice judged at once.")
    ] = 3.0,
    csv: Annotated[Path | None, typer.Option(help="Every step of everything judged.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A picture (.png) of the whole.")] = None,
    webvtt: Annotated[
        Path | None, typer.Option(help="Subtitles (.vtt) that say the emotion.")
    ] = None,
    track: Annotated[
        Path | None,
        typer.Option(help="The course as .json or .csv; 'affetto soundtrack' takes like:FILE."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads. Default: the free cores.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON on stdout.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Recognize emotion in voices, faces, pictures and words; say how sure that is."""
    from affetto.apps.progress import bar
    from affetto.apps.recognize import run
    from affetto.apps.recognize_job import Job, modalities
    from affetto.apps.recognize_table import plain, table

    wanted = Job(
        media=tuple(media),
        only=modalities(only),
        rate_hz=rate,
        window_s=window,
        threads=threads,
        csv=csv,
        plot=plot,
        webvtt=webvtt,
        track=track,
    )
    with bar(quiet=quiet) as report:
        answer = run(wanted, progress=report)
    if as_json:
        print(json.dumps(plain(answer), indent=2))
    elif answer.found:
        print(table(answer))
    for failure in answer.failed:
        print(f"affetto: {failure.error}", file=sys.stderr)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


@app.command()
def score(
    media: Annotated[Path, typer.Argument(help="What is scored: film, sound, picture or text.")],
    request: Annotated[
        str | None,
        typer.Option(help="The emotion that was wanted, as --emotion of soundtrack takes it."),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="A saved track (.json, .csv) or other media to be like."),
    ] = None,
    judge: Annotated[
        str, typer.Option(help="Who judges: all, voice, face, face-judge, scene or text.")
    ] = "all",
    recipe: Annotated[
        Path | None,
        typer.Option(help="recipe.json of what is scored. Default: the one beside it."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a report: scores.json, scores.md, plots.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads. Default: the free cores.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure whether media show the emotion that was wanted, with controls and intervals."""
    from affetto.apps.progress import bar
    from affetto.apps.score import Job, run
    from affetto.apps.score_report import plain, table

    wanted = Job(
        media=media,
        request=request,
        reference=reference,
        judge=judge,
        recipe=recipe,
        out=out,
        threads=threads,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(plain(result), indent=2) if as_json else table(result))


@app.command()
def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="bank, embedder, speech, speech_student, face, face_loss, face_judge, "
            "face_motion, text, music_chords or music_dynamics."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="A config .yaml first if wanted, then key=value ...")
    ] = None,
) -> None:
    """Train one recipe, on one CPU or under `accelerate launch -m affetto.apps.cli train ...`."""
    from affetto.apps.training import run

    print(json.dumps(run(recipe, overrides or []), indent=2))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what is installed, what it can do, and what to run where something is missing."""
    from affetto.apps.doctor import examine, table

    findings = examine()
    print(
        json.dumps([dataclasses.asdict(row) for row in findings], indent=2)
        if as_json
        else table(findings)
    )


if __name__ == "__main__":
    main()
