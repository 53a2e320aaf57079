"""The one door upward: the main jobs as Python calls, loaded when called.

`talk`, `soundtrack`, `recognize`, `score` and `verify` do what the commands of these names do.
`TalkingPortrait`, `AffectiveMusic` and `EmotionRecognizer` keep their nets loaded and write no
files. This module alone in the base layer reaches up to `affetto.apps`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

if TYPE_CHECKING:
    from affetto.apps.pretrained import AffectiveMusic, EmotionRecognizer, TalkingPortrait
    from affetto.apps.recognize_job import Modality, Recognition
    from affetto.apps.score import Result as Scored
    from affetto.apps.soundtrack_job import Result as Composed
    from affetto.apps.talk_job import Result as Talked
    from affetto.apps.verify import Verdict

__all__ = [
    "AffectiveMusic",
    "EmotionRecognizer",
    "TalkingPortrait",
    "recognize",
    "score",
    "soundtrack",
    "talk",
    "verify",
]
File = str | Path


class TalkWishes(TypedDict, total=False):
    """What `talk` may be told; see `affetto talk --help` for each and its default."""

    emotion: str
    strength: float
    speech_guidance: float
    emotion_guidance: float
    liveliness: float
    head: Literal["still", "natural", "lively"]
    gaze: Literal["camera", "natural"]
    blink: float | None
    seed: int
    fps: float
    size: int | None
    face: int | None
    face_net: File | None
    text: str | None
    motion_in: File | None
    motion_out: File | None
    music: bool
    weights: str
    label: bool
    provenance: bool


class SoundtrackWishes(TypedDict, total=False):
    """What `soundtrack` may be told; see `affetto soundtrack --help`."""

    emotion: str
    seed: int
    key: str | None
    tempo_bpm: float | None
    instruments: tuple[str, ...] | None
    style: str | None
    loudness_lufs: float
    length_s: float | None
    original_sound: bool
    hits: str
    chords: File | None
    candidates: int
    loop: bool
    edit: File | None
    bars: str | None
    swap: tuple[str, ...] | None
    mute: tuple[str, ...] | None
    soundfont: File | None
    weights: str
    clip_model: str | None
    threads: int | None
    provenance: bool


class RecognizeWishes(TypedDict, total=False):
    """What `recognize` may be told; see `affetto recognize --help`."""

    only: "tuple[Modality, ...]"
    rate_hz: float
    window_s: float
    threads: int | None
    csv: File | None
    plot: File | None
    webvtt: File | None
    track: File | None


class ScoreWishes(TypedDict, total=False):
    """What `score` may be told; see `affetto score --help`."""

    request: str | None
    reference: File | None
    judge: str
    recipe: File | None
    out: File | None
    threads: int | None


def talk(portrait: File, speech: File, *, out: File, **wishes: Unpack[TalkWishes]) -> "Talked":
    """Make a photo talk with an emotion; all files appear in `out`.

    Args:
        portrait: a photo or painting of a face.
        speech: what is said.
        out: folder for the results.
        wishes: such as emotion="0=calm; 3=happy", seed=3.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.talk import run
    from affetto.apps.verbs import job_of

    files = {"portrait": portrait, "speech": speech, "out": out}
    return run(job_of("talk", files | wishes))


def soundtrack(video: File, *, out: File, **wishes: Unpack[SoundtrackWishes]) -> "Composed":
    """Compose music for a film; all files appear in `out`.

    Args:
        video: the film.
        out: folder for the results.
        wishes: such as emotion="calm", seed=3.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.soundtrack import run
    from affetto.apps.verbs import job_of

    return run(job_of("soundtrack", {"video": video, "out": out} | wishes))


def recognize(media: File, **wishes: Unpack[RecognizeWishes]) -> "Recognition":
    """Recognize the emotion in one film, sound, picture or text.

    Args:
        media: the file.
        wishes: such as only=("voice",), plot="plot.png".

    Returns:
        What was found: `.track` is the course of all together, `.rows` each judge's own.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.recognize import run
    from affetto.apps.verbs import job_of

    answer = run(job_of("recognize", {"media": [media]} | wishes))
    if answer.failed:
        raise answer.failed[0].error
    return answer.found[0]


def score(media: File, **wishes: Unpack[ScoreWishes]) -> "Scored":
    """Measure whether a recording shows the emotion that was wanted.

    Args:
        media: the file.
        wishes: such as request="sad:0.7", reference="photo.jpg".

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.score import run
    from affetto.apps.verbs import job_of

    return run(job_of("score", {"media": media} | wishes))


def verify(media: File) -> "Verdict":
    """Say what a film or sound tells about its origin: signature, mark, recipe beside it.

    Raises:
        EngineError: see `affetto.errors`.
    """
    from affetto.apps.verify import verify as look

    return look(Path(media))


def __getattr__(name: str) -> "type[TalkingPortrait | AffectiveMusic | EmotionRecognizer]":
    """The classes, loaded when first named."""
    if name not in ("TalkingPortrait", "AffectiveMusic", "EmotionRecognizer"):
        raise AttributeError(f"affetto.api has no {name}: it has {', '.join(__all__)}")
    from affetto.apps import pretrained

    found: type[TalkingPortrait | AffectiveMusic | EmotionRecognizer] = getattr(pretrained, name)
    return found
