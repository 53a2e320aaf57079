"""`affetto soundtrack`: music for a film."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from affetto.apps.commands.options import REQUESTS, Json, Provenance, Quiet, Threads


def soundtrack(
    video: Annotated[Path, typer.Argument(help="The film: mp4, mov, mkv, webm, avi.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for all results. Default: VIDEO's name + '_soundtrack'."),
    ] = None,
    emotion: Annotated[
        str,
        typer.Option(help=f"auto, counterpoint (against the picture), {REQUESTS}"),
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
    style: Annotated[
        str | None,
        typer.Option(help="cinematic, piano, electronic or acoustic. Default: by emotion."),
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
        str,
        typer.Option(
            help="What downbeats meet: cuts, none, your times such as 3.2,17.5=stop,30=silence:4 "
            "(also swell), or a marker file (.edl, .otio, .csv)."
        ),
    ] = "cuts",
    chords: Annotated[
        Path | None, typer.Option(help="An edited chords.txt to play instead of composing chords.")
    ] = None,
    candidates: Annotated[
        int,
        typer.Option(
            min=1, help="Compose so many pieces, from --seed on; play the one that fits best."
        ),
    ] = 1,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop", help="Also write loop.wav: bars of the music that go round without a seam."
        ),
    ] = False,
    edit: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a finished soundtrack: only some bars are composed anew, with --bars, "
            "--seed, --emotion or edited --chords; its other options stay."
        ),
    ] = None,
    bars: Annotated[str | None, typer.Option(help="With --edit: which bars, such as 9-12.")] = None,
    swap: Annotated[
        str | None,
        typer.Option(help="With --edit: who plays instead, such as piano=harp,strings=choir."),
    ] = None,
    mute: Annotated[
        str | None, typer.Option(help="With --edit: parts to leave out, such as drums.")
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
    threads: Threads = None,
    provenance: Provenance = True,
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
        instruments=_listed(instruments),
        style=style,
        loudness_lufs=loudness,
        length_s=length,
        original_sound=original_sound,
        hits=hits,
        chords=chords,
        candidates=candidates,
        loop=loop,
        edit=edit,
        bars=bars,
        swap=_listed(swap),
        mute=_listed(mute),
        soundfont=soundfont,
        weights=weights,
        clip_model=clip_model,
        threads=threads,
        provenance=provenance,
    )
    with bar(quiet=quiet) as report:
        result = run(wanted, progress=report)
    print(json.dumps(dataclasses.asdict(result), indent=2) if as_json else summary(result))


def _listed(words: str | None) -> tuple[str, ...] | None:
    return tuple(word.strip() for word in words.split(",")) if words else None
