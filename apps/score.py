"""`affetto score`: does a recording show the emotion that was wanted? With controls beside.

The judge may be no net that was a loss when the recording was made, nor one that learned from a
loss's data: the recipe beside the recording says which those were. Where all judge and the usual
face net may not, the one kept apart for this does.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from affetto.apps.judges import Nets, judge_nets
from affetto.apps.machine import free_cores
from affetto.apps.progress import Report, silent
from affetto.apps.recognize_job import MODALITIES, Modality, Recognition
from affetto.apps.recognize_media import kind_of, looked_at, recognize_medium
from affetto.apps.resolve import TRACKS, resolve
from affetto.apps.score_music import MusicScore, hear_stems, music_file, score_music, stems_of
from affetto.apps.score_talk import PortraitScore, is_talk, score_talk
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.errors import BadInput, RequestError, UsageError
from affetto.recognizers.face.picture import read_picture
from affetto.recognizers.independence import RECIPE_FILE, Dependent, Net, check_judge, losses_of
from affetto.recognizers.score import Score, score_track
from affetto.request import Auto, parse_request

RATE_HZ = 2.0
FOLLOWED = "emotion.csv"  # in a soundtrack's folder
LEAST_S = 1 / RATE_HZ  # a picture counts as this long
STOOD_IN = (
    "Faces are judged by face_judge: the usual face net was a loss when this was made, or knows "
    "what a loss knew."
)
# --judge -> the modalities it looks at
JUDGES: dict[str, tuple[Modality, ...]] = {
    "all": MODALITIES,
    "voice": ("voice",),
    "face": ("face",),
    "face-judge": ("face",),
    "scene": ("scene",),
    "text": ("text",),
    "music": ("music",),
}


@dataclass(frozen=True)
class Job:
    """What is asked: the command line's options (see `affetto score --help`)."""

    media: Path
    request: str | None = None
    reference: Path | None = None
    judge: str = "all"
    recipe: Path | None = None
    out: Path | None = None
    threads: int | None = None

    def command(self) -> str:
        """The command line that repeats this job."""
        words = ["affetto", "score", str(self.media), "--judge", self.judge]
        for flag, value in (
            ("--request", self.request),
            ("--reference", self.reference),
            ("--recipe", self.recipe),
        ):
            words += [flag, str(value)] if value is not None else []
        return shlex.join(words)


@dataclass(frozen=True)
class Comparison:
    """The recording against one wanted course.

    Attributes:
        against: "request" or "reference".
        what: the request's words or the reference's name.
        wanted: the course wanted.
        duration_s: of the stretch compared.
        score: its metrics.
    """

    against: str
    what: str
    wanted: EmotionTrack
    duration_s: float
    score: Score


@dataclass(frozen=True)
class Result:
    """What came of a job.

    Attributes:
        job: what was asked.
        found: what was recognized in the recording.
        judges: the nets that judged.
        losses: nets on record as losses of what was scored; none of them judged.
        has_record: whether there was a recipe to read.
        comparisons: with the request, with the reference.
        portrait: of a talking portrait: lips, lag, blinks, identity; else empty.
        music: of notes: key, tempo, density, hits, loudness; else empty.
        notices: what the person should know of who judged.
    """

    job: Job
    found: Recognition
    judges: tuple[Net, ...]
    losses: tuple[Net, ...]
    has_record: bool
    comparisons: tuple[Comparison, ...]
    portrait: tuple[PortraitScore, ...] = ()
    music: tuple[MusicScore, ...] = ()
    notices: tuple[str, ...] = ()


def run(job: Job, *, progress: Report = silent, nets: Nets | None = None) -> Result:
    """Do the whole job; with `job.out` a report appears there as a whole.

    Raises:
        RequestError: nothing to compare with, or a request that cannot be.
        Dependent: the judge was a loss, or knew what a loss knew.
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.score_report import write_report

    job = _music_of(job)
    _check(job)
    torch.set_num_threads(1)
    losses, has_record = _losses(job)
    nets, notices = _independent(job, nets or Nets(face_judge=job.judge == "face-judge"), losses)
    workers = job.threads or free_cores()

    def read(path: Path, first: float) -> Recognition:
        return recognize_medium(
            path,
            nets=nets,
            only=JUDGES[job.judge],
            rate_hz=RATE_HZ,
            num_workers=workers,
            progress=lambda what, share: progress(f"{path.name}: {what}", first + 0.45 * share),
        )

    found = read(job.media, 0.0)
    heard = hear_stems(job.media.parent, nets) if found.kind == "notes" else None
    talks = is_talk(job.media, job.recipe)
    photo = job.reference if talks and job.reference and _is_picture(job.reference) else None
    result = Result(
        job=job,
        found=found,
        judges=found.judges + (judge_nets(nets, ["music"], "sound") if heard else ()),
        losses=losses,
        has_record=has_record,
        comparisons=tuple(_comparisons(job, found, read, photo)),
        portrait=score_talk(job.media, read_picture(photo) if photo else None) if talks else (),
        music=score_music(job.media, found.track, heard) if found.kind == "notes" else (),
        notices=notices,
    )
    if job.out is not None:
        write_report(job.out, result)
    return result


def _music_of(job: Job) -> Job:
    """Of a soundtrack's folder its notes, held against the course that they were to follow."""
    if not job.media.is_dir():
        return job
    notes, followed = music_file(job.media), job.media / FOLLOWED
    if job.request is None and job.reference is None and followed.is_file():
        return replace(job, media=notes, request=str(followed))
    return replace(job, media=notes)


def _check(job: Job) -> None:
    if job.judge not in JUDGES:
        raise UsageError(f"--judge {job.judge}: there is {', '.join(JUDGES)}")
    if job.request is None and job.reference is None:
        raise RequestError(
            "a score needs something to compare with: --request such as sad:0.7, or --reference, a "
            "saved track or other media"
        )
    if job.request is not None and isinstance(parse_request(job.request).target, Auto):
        raise RequestError(
            f"{job.request} asks for what is measured in the film itself, so there is nothing to "
            "compare with: name an emotion"
        )
    if job.out is not None and job.out.exists() and not job.out.is_dir():
        raise BadInput(f"--out {job.out} is a file: give a folder")


def _losses(job: Job) -> tuple[tuple[Net, ...], bool]:
    """The losses on record, and whether there is a record."""
    record = job.recipe or job.media.parent / RECIPE_FILE
    has_record = job.recipe is not None or record.is_file()
    return losses_of(record) if has_record else (), has_record


def _independent(job: Job, nets: Nets, losses: tuple[Net, ...]) -> tuple[Nets, tuple[str, ...]]:
    """Judges of whom none was a loss or knew what one knew, and what to say of them."""
    kind = kind_of(job.media) or "video"
    seen = looked_at(kind, JUDGES[job.judge])
    if kind == "video" and {"voice", "face"} <= set(seen):
        seen = ("audiovisual", *seen)
    judges = judge_nets(nets, seen, kind)  # all are loaded now, so that `apart` shares them
    notices: tuple[str, ...] = ()
    if job.judge == "all" and "face" in seen:
        (face,) = judge_nets(nets, ["face"], kind)
        try:
            check_judge(face, losses)
        except Dependent:
            nets = nets.apart
            judges = judge_nets(nets, seen, kind)
            notices = (STOOD_IN,)
    if "music" in seen and stems_of(job.media.parent):  # they are heard as well
        judges += judge_nets(nets, seen, "sound")
    for judge in judges:
        check_judge(judge, losses)
    return nets, notices


def _is_picture(path: Path) -> bool:
    return kind_of(path) == "picture"


def _comparisons(
    job: Job, found: Recognition, read: Callable[[Path, float], Recognition], photo: Path | None
) -> list[Comparison]:
    known = found.rows[0].known
    length_s = max(LEAST_S, found.duration_s)
    made = []
    if job.request is not None:
        request = parse_request(job.request)
        wanted = request_to_track(
            request,
            duration_s=length_s,
            rate_hz=2 * RATE_HZ,
            resolved=resolve(request, duration_s=length_s),
        )
        score = score_track(found.track, wanted, duration_s=length_s, rate_hz=RATE_HZ, known=known)
        made.append(Comparison("request", job.request, wanted, length_s, score))
    if job.reference is not None and job.reference != photo:
        if job.reference.suffix.casefold() in TRACKS:
            wanted = EmotionTrack.load(job.reference)
            covered_s = float(wanted.times[-1])
        else:
            other = read(job.reference, 0.5)
            wanted, covered_s = other.track, other.duration_s
        both_s = max(LEAST_S, min(length_s, covered_s))
        score = score_track(found.track, wanted, duration_s=both_s, rate_hz=RATE_HZ, known=known)
        made.append(Comparison("reference", job.reference.name, wanted, both_s, score))
    return made
