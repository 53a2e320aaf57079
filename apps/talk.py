"""`affetto talk`: a photo, a speech and an emotion in, a film of that person talking out.

`run` is the straight line; each step is one call. Stretches of the film that are done stand beside
the result until it is whole: the same command goes on after a kill, and makes the same film.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from affetto.ahead import begun, made_ahead
from affetto.apps.machine import peak_rss_mb
from affetto.apps.progress import Report, silent
from affetto.apps.talk_film import Told, render_film, write_film
from affetto.apps.talk_job import MUSIC, Job, Made, Result, blinks_per_minute
from affetto.apps.talk_measures import Measured, measure
from affetto.apps.talk_report import report_data, write_report
from affetto.apps.talk_request import notices, open_speech, read_wav, wanted_track
from affetto.clip import Clip
from affetto.credentials import Credentials, load_credentials, provenance_notices
from affetto.emotion import LABELS, EmotionTrack
from affetto.errors import BadInput, MediaError, ResourceError
from affetto.files import nearest_existing
from affetto.gen.portrait.hearing import Hearing
from affetto.gen.portrait.pipeline import (
    Models,
    expressed,
    frames_of,
    load_models,
    rows_at,
    talk,
)
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.portrait import Portrait
from affetto.gen.portrait.render.renderer import Renderer
from affetto.gen.portrait.unfinished import Unfinished, unfinished_work
from affetto.motion import Motion
from affetto.motion_file import read_motion, rounded
from affetto.provenance import Recipe, file_record, versions, write_recipe
from affetto.recognizers.face.picture import read_picture
from affetto.recognizers.score_portrait.articulation import Spoken
from affetto.request import EmotionRequest, parse_request
from affetto.signature import Source, Statement, sign
from affetto.weights import weights_record

FIRST_S = 4.0  # of a speech that is heard while the photo is looked at
NO_LABEL = (
    "Written with --no-label: say yourself, wherever you show the film, that it is AI-generated; "
    "in the European Union and other places the law asks for it."
)
KEPT = ".unfinished"  # added to the result's name while the job is under way


def run(job: Job, *, progress: Report = silent, models: Models | None = None) -> Result:
    """Do the whole job; all files appear in `job.out` together, or none does.

    Args:
        job: what is asked.
        progress: is told what is happening.
        models: loaded ones to use again, of `job.weights`; loaded if not given.

    Raises:
        EngineError: its subclasses say what was wrong and carry the exit code.
    """
    started = (time.perf_counter(), time.process_time())
    if job.out.exists() and not job.out.is_dir():
        raise BadInput(f"--out {job.out} is a file: give a folder")
    torch.set_num_threads(1)  # the result must not hang on how many cores happen to be free
    progress("opening photo and speech", 0.0)
    request = parse_request(job.emotion)
    for path in _inputs(job, request):
        if not path.is_file():
            wrong = "a folder, give a file" if path.is_dir() else "no such file"
            raise MediaError(f"{wrong}: {path}")
    _check_motion_out(job.motion_out)
    speech = open_speech(job.speech)
    credentials = load_credentials() if job.provenance else None
    models = models or load_models(job.weights)
    kept_in = job.out.with_name(job.out.name + KEPT)
    with unfinished_work(kept_in, _fingerprint(job, request, models)) as kept:
        made = _make(job, request, speech, models, kept, progress)
        folder = kept.result
        progress("looking at the film", 0.85)
        seen = measure(
            folder / "talk.mp4",
            wanted=made.wanted,
            photo=made.portrait.picture,
            phones=[Spoken(one.symbol, one.start_s, one.end_s) for one in made.heard.phones],
        )
        progress("writing report", 0.95)
        made.motion.save(folder / "motion.csv")
        made.wanted.save(folder / "emotion.json")
        seen.emotion.save(folder / "seen_emotion.json")
        told = (
            *notices(job, request, made),
            *((NO_LABEL,) if not job.label else ()),
            *provenance_notices(credentials),
        )
        result = _result(job, made, seen, kept.found, folder, started, told)
        write_report(
            folder / "report.html",
            report_data(job, result, made=made, seen=seen, weights=made.weights),
        )
        _write_recipe(job, request, made, result, seen, folder / "recipe.json")
        if credentials:
            _sign(job, seen.content_sha256, folder, credentials)
        if job.motion_out:
            made.motion.save(job.motion_out)
        kept.deliver(job.out)
    progress("done", 1.0)
    return result


def _make(
    job: Job,
    request: EmotionRequest,
    speech: Clip,
    models: Models,
    kept: Unfinished,
    progress: Report,
) -> Made:
    progress("looking at the photo, listening", 0.02)
    picture = read_picture(job.portrait)
    given = read_motion(job.motion_in) if job.motion_in else None
    clean = models.speech is None
    listening = begun(lambda: _begin_to_listen(speech, text=job.text, clean=clean))
    portrait = analyse(picture, face_number=job.face, face_net=job.face_net)
    renderer = Renderer(portrait, size=job.size)
    on_left = job.size is None and _stands_right(portrait)
    wanted = wanted_track(request, speech, models=models, progress=progress)
    heard = listening()
    shown = expressed(wanted, strength=job.strength)
    num_frames = frames_of(speech.duration_s, job.fps)
    windows = (
        iter([rounded(given)])
        if given
        else made_ahead(talk(heard, shown, models=models, options=job.options, kept=kept))
    )
    moved: list[Motion] = []
    parts, first_s = render_film(
        rows_at(_noted(windows, moved), fps=job.fps, num_frames=num_frames),
        renderer,
        Told(label=job.label, mark=job.provenance, on_left=on_left),
        num_frames=num_frames,
        fps=Fraction(job.fps).limit_denominator(1001),
        kept=kept,
        progress=lambda share: progress("talking", 0.1 + 0.7 * share),
    )
    for _ in windows:  # what no frame showed belongs to the motion file
        pass
    whole = heard.until(heard.duration_s + 1)
    duration_s, sound, music, weights = num_frames / job.fps, speech, None, models.weights
    if job.music:
        from affetto.apps.talk_music import write_music

        progress("composing", 0.8)
        music, composers = write_music(
            job, speech, heard=whole, emotion=shown, duration_s=duration_s, folder=kept.result
        )
        sound, weights = Clip.open(kept.result / MUSIC / "mix.wav"), (*weights, *composers)
    progress("joining film and sound", 0.82)
    write_film(parts, sound, duration_s, kept.result / "talk.mp4", metadata=_tags(job))
    motion = Motion(np.concatenate([one.values for one in moved]), moved[0].fps)
    return Made(portrait, whole, shown, motion, first_s, music, weights)


def _begin_to_listen(speech: Clip, *, text: str | None, clean: bool) -> Hearing:
    """A speech of which as much has been heard as the first frames need."""
    hearing = Hearing(read_wav(speech), text=text, clean=clean)
    hearing.until(FIRST_S)
    return hearing


def _stands_right(portrait: Portrait) -> bool:
    """The face is in the right half of the photo, so that a label belongs on the left."""
    left, _, side = portrait.box
    return 2 * left + side > len(portrait.photo[0])


def _noted(windows: Iterable[Motion], moved: list[Motion]) -> Iterator[Motion]:
    for window in windows:
        moved.append(window)
        yield window


def _tags(job: Job) -> dict[str, str]:
    return {
        "title": f"{job.portrait.stem}, {job.speech.stem}",
        "comment": f"A portrait animated by Affetto (AI-generated), seed {job.seed}",
    }


def _sign(job: Job, content_sha256: str, folder: Path, credentials: Credentials) -> None:
    """Sign the film and, with music, its mix, which holds the given speech, and the stems."""
    for path in (folder / "talk.mp4", *sorted(folder.rglob("*.wav"))):
        source: Source = (
            "compositeWithTrainedAlgorithmicMedia"
            if path.name == "mix.wav"
            else "trainedAlgorithmicMedia"
        )
        sign(path, Statement("talk", job.seed, content_sha256, source), credentials=credentials)


def _check_motion_out(path: Path | None) -> None:
    """Find out before the work whether the motion file can be written."""
    place = nearest_existing(path.parent) if path else None
    if path and place and (path.is_dir() or not (place.is_dir() and os.access(place, os.W_OK))):
        raise ResourceError(f"cannot write --motion-out {path}: choose another place")


def _fingerprint(job: Job, request: EmotionRequest, models: Models) -> str:
    """Of all that has a say in the film."""
    config = dataclasses.asdict(job)
    for elsewhere in ("out", "motion_out"):
        del config[elsewhere]
    files = [file_record(path).sha256 for path in _inputs(job, request)]
    nets = [weights.sha256 for weights in models.weights]
    record = json.dumps([config, files, nets, versions()], sort_keys=True, default=str)
    return hashlib.sha256(record.encode()).hexdigest()


def _inputs(job: Job, request: EmotionRequest) -> list[Path]:
    given = (job.portrait, job.speech, job.face_net, job.motion_in, request.file)
    return [path for path in given if path]


def _result(
    job: Job,
    made: Made,
    seen: Measured,
    continued: int,
    folder: Path,
    started: tuple[float, float],
    notices: tuple[str, ...],
) -> Result:
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    listed = there | {"report.html", "recipe.json"}
    return Result(
        folder=str(job.out),
        files=tuple(sorted(listed, key=_rank)),
        duration_s=seen.duration_s,
        num_frames=seen.num_frames,
        fps=job.fps,
        width=seen.width,
        height=seen.height,
        asked=_most(made.wanted),
        seen=_most(seen.emotion),
        label_accuracy=seen.score("label_accuracy"),
        valence_agreement=seen.score("valence_ccc"),
        lip_lag_ms=seen.lag_ms,
        identity_distance=seen.identity[0] if seen.identity else None,
        blinks_per_minute=blinks_per_minute(made.motion),
        music=made.music,
        continued=continued,
        seed=job.seed,
        first_frames_s=made.first_s - started[0],
        wall_s=time.perf_counter() - started[0],
        cpu_s=time.process_time() - started[1],
        peak_rss_mb=peak_rss_mb(),
        command=job.command(),
        notices=notices,
    )


def _most(track: EmotionTrack) -> str:
    """The label that is there for most of the time."""
    return LABELS[int(track.probs.mean(axis=0).argmax())]


def _rank(name: str) -> tuple[int, str]:
    """What a person opens first stands first; stems last."""
    first = ("report.html", "talk.mp4", "motion.csv", "emotion.json", "seen_emotion.json")
    return (first.index(name) if name in first else len(first) + name.count("/"), name)


def _write_recipe(
    job: Job, request: EmotionRequest, made: Made, result: Result, seen: Measured, path: Path
) -> None:
    shown = dataclasses.asdict(result)
    for elsewhere in ("command", "folder", "files", "seed"):
        del shown[elsewhere]
    timings = ("first_frames_s", "wall_s", "cpu_s")
    write_recipe(
        path,
        Recipe(
            job="talk",
            request=str(request),
            seed=job.seed,
            config=dataclasses.asdict(job),
            inputs=tuple(file_record(path) for path in _inputs(job, request)),
            weights=tuple(weights_record(weights) for weights in made.weights),
            content_sha256=seen.content_sha256,
            command=result.command,
            timings_s={name: shown.pop(name) for name in timings},
            scores=shown,
        ),
    )
