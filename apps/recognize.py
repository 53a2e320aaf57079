"""`affetto recognize`: media in, emotion over time out.

`run` is the straight line: what is there to read, read each, write what was asked for.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from affetto.apps.judges import Nets
from affetto.apps.machine import free_cores, peak_rss_mb
from affetto.apps.progress import Report, silent
from affetto.apps.recognize_job import Answer, Failure, Job, Recognition
from affetto.apps.recognize_media import KIND_WORDS, NUM_STILLS, kind_of, recognize_medium
from affetto.apps.recognize_plots import write_plot
from affetto.apps.recognize_table import write_csv
from affetto.apps.webvtt import write_webvtt
from affetto.errors import BadInput, EngineError, MediaError, UsageError

SUFFIXES = {"plot": (".png",), "webvtt": (".vtt",), "track": (".json", ".csv"), "csv": (".csv",)}


def run(job: Job, *, progress: Report = silent, nets: Nets | None = None) -> Answer:
    """Do the whole job; a medium that cannot be read does not stop the others.

    Args:
        job: what is asked.
        progress: is told what is happening.
        nets: loaded ones to use again; loaded when needed if not given.

    Raises:
        EngineError: the job itself is wrong (no media, an output of the wrong kind), or an output
            cannot be written. What is wrong with single media is in the answer.
    """
    started = time.perf_counter()
    _check_outputs(job)
    media, skipped = collect(job.media)
    torch.set_num_threads(1)  # work is shared among modalities, not within a net
    nets = nets or Nets()
    found: list[Recognition] = []
    failed: list[Failure] = []
    for number, path in enumerate(media):
        part = _part(progress, number, len(media), path)
        try:
            one = recognize_medium(
                path,
                nets=nets,
                only=job.only,
                rate_hz=job.rate_hz,
                window_s=job.window_s,
                num_workers=job.threads or free_cores(),
                num_stills=NUM_STILLS if job.plot else 0,
                progress=part,
            )
        except EngineError as error:
            failed.append(Failure(path, error))
            continue
        found.append(one)
        _write_each(job, one, several=len(media) > 1)
    answer = Answer(
        found=tuple(found),
        failed=tuple(failed),
        skipped=skipped,
        wall_s=time.perf_counter() - started,
        peak_rss_mb=peak_rss_mb(),
    )
    if job.csv is not None and found:
        write_csv(job.csv, answer)
    return answer


def collect(given: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """The media named, and those in folders named; and what a folder holds besides.

    Hidden files and inner folders are passed over; a file named twice counts once.

    Raises:
        MediaError: a folder without any medium.
    """
    media: list[Path] = []
    skipped: list[Path] = []
    for path in given:
        if not path.is_dir():
            media.append(path)
            continue
        files = [one for one in sorted(path.iterdir()) if one.is_file() and one.name[0] != "."]
        inside = [one for one in files if kind_of(one) is not None]
        if not inside:
            raise MediaError(f"{path} holds no media: {KIND_WORDS}")
        media += inside
        skipped += [one for one in files if one not in inside]
    return tuple(dict.fromkeys(media)), tuple(dict.fromkeys(skipped))


def _part(progress: Report, number: int, count: int, path: Path) -> Report:
    name = f"{path.name}: " if count > 1 else ""

    def report(what: str, share: float) -> None:
        progress(f"{name}{what}", (number + share) / count)

    return report


def _check_outputs(job: Job) -> None:
    outputs = [path for name in SUFFIXES if (path := getattr(job, name)) is not None]
    for name, suffixes in SUFFIXES.items():
        path = getattr(job, name)
        if path is not None and path.suffix.lower() not in suffixes:
            raise UsageError(f"--{name} {path}: give a file that ends in {' or '.join(suffixes)}")
        if path is not None and path.is_dir():
            raise BadInput(f"--{name} {path} is a folder: give a file")
    for path in outputs:
        if outputs.count(path) > 1:
            raise UsageError(f"{path} is asked for twice: give each output its own file")
        if _same_file(path, job.media):
            raise BadInput(f"{path} is one of the media: give the output another name")


def _same_file(path: Path, media: Iterable[Path]) -> bool:
    return any(path.resolve() == one.resolve() for one in media)


def _write_each(job: Job, found: Recognition, *, several: bool) -> None:
    """Plot, subtitles and track; of several media each gets its own, with the medium's name."""

    def named(path: Path) -> Path:
        return path.with_name(f"{path.stem}_{found.file.name}{path.suffix}") if several else path

    if job.plot is not None:
        write_plot(named(job.plot), found)
    if job.webvtt is not None:
        write_webvtt(named(job.webvtt), found)
    if job.track is not None:
        found.track.save(named(job.track))
