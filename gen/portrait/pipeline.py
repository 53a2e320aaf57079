"""Talk: speech and an emotion track in, motion windows out; motion in, frames out.

Nothing here is random but by the seed, nothing depends on how busy the machine is, and window k is
the same whether windows before it were made now or read from disk.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.speech import shared_recognizer
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import embed
from affetto.emotion_bank.codes import EmotionBank, load_bank
from affetto.gen.portrait.hearing import Heard, Hearing
from affetto.gen.portrait.motion.expressions import felt
from affetto.gen.portrait.motion.finish import finish
from affetto.gen.portrait.motion.guidance import Guidance
from affetto.gen.portrait.motion.network import MotionDenoiser, load_denoiser
from affetto.gen.portrait.motion.sampling import generate
from affetto.gen.portrait.unfinished import Unfinished
from affetto.motion import CHANNELS, FPS, PLACE, POSE, Motion
from affetto.motion_file import rounded
from affetto.recognizers.speech.recognizer import SpeechRecognizer
from affetto.weights import Weights, load_weights

Head = Literal["still", "natural", "lively"]
Gaze = Literal["camera", "natural"]
Row = NDArray[np.float32]

WINDOW = 64  # motion frames in a window on disk
AHEAD_S = 0.7  # of the speech after a window that its lips and pauses look at
LIVELY = 1.6  # how much further a lively head moves
# --weights -> the motion denoiser
WEIGHT_NAMES = {"default": "motion", "clean": "motion_clean"}
OPENING = [
    PLACE[name]
    for name in CHANNELS
    if name.startswith(("mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp"))
    or name in ("jawOpen", "mouthClose", "tongueOut")
]


@dataclass(frozen=True)
class TalkOptions:
    """What the user may set.

    Attributes:
        seed: of blinks, gaze, head and the denoiser's noise.
        strength: of the emotion: 0 neutral, 1 as asked.
        speech_guidance: how strongly the mouth follows the speech; 1 plain.
        emotion_guidance: how strongly the face follows the emotion; 1 plain.
        liveliness: of head, brows and gaze; 1 plain, 0 none.
        head: still, natural or lively.
        gaze: camera (the eyes hold the viewer) or natural.
        blinks_per_minute: None for a natural rate.
    """

    seed: int = 0
    strength: float = 1.0
    speech_guidance: float = 1.0
    emotion_guidance: float = 1.0
    liveliness: float = 1.0
    head: Head = "natural"
    gaze: Gaze = "natural"
    blinks_per_minute: float | None = None


@dataclass(frozen=True)
class Models:
    """The nets that listen and move, ready, and where they came from.

    Attributes:
        speech: None where only nets may listen whose data are cleared for any use.
        bank: what the denoiser was trained with.
        denoiser: moves the face.
        weights: of all of them.
    """

    speech: SpeechRecognizer | None
    bank: EmotionBank
    denoiser: MotionDenoiser
    weights: tuple[Weights, ...]


def load_models(source: str = "default") -> Models:
    """The nets for `--weights`: default, clean, a folder or hub id (see `affetto.weights`).

    What listens and what feels is what the motion weights were trained with.
    """
    motion = load_weights(WEIGHT_NAMES.get(source, source))
    clean = bool(motion.config.get("clean", False))
    bank = "bank_clean" if clean else "bank"
    heard_by = () if clean else (load_weights("speech"),)
    return Models(
        speech=None if clean else shared_recognizer(),
        bank=load_bank(bank),
        denoiser=load_denoiser(motion.name),
        weights=(*heard_by, load_weights(bank), motion),
    )


def expressed(track: EmotionTrack, *, strength: float) -> EmotionTrack:
    """The track as far as it is to be shown: mixed with neutral.

    What is equally likely for all labels says nothing, so it counts as neutral; of the rest
    `strength` is kept, as a label of that strength is in a request.

    Args:
        track: any kind.
        strength: 0 neutral, 1 as it is.
    """
    probs = track.probs.astype(np.float64)
    said = np.where(probs > 0, probs, np.inf).min(axis=1, keepdims=True)
    spread = (probs > 0).sum(axis=1, keepdims=True) >= len(LABELS) // 2
    probs = np.maximum(probs - np.where(spread, said, 0.0), 0.0)  # what all have alike
    kept = probs.sum(axis=1, keepdims=True) * strength
    probs = probs * strength
    probs[:, LABELS.index("neutral")] += 1.0 - kept[:, 0]
    vad = track.vad * kept
    vad_var = track.vad_var.astype(np.float64)
    mean, log_var = embed(vad, probs, vad_var)
    return EmotionTrack(
        times=track.times,
        mean=mean,
        log_var=log_var,
        vad=vad.astype(np.float32),
        vad_var=track.vad_var,
        probs=probs.astype(np.float32),
        confidence=track.confidence,
        kind="requested",
        evidence=track.evidence,
    )


def talk(
    heard: Heard | Hearing,
    track: EmotionTrack,
    *,
    models: Models,
    options: TalkOptions,
    kept: Unfinished | None = None,
) -> Iterator[Motion]:
    """Make the motion window by window.

    What may be kept on disk is each window as it was made; closures, blinks, head and gaze are put
    over it when it is given out, from its place in the speech and the seed alone.

    Args:
        heard: the speech; one that is still being heard is heard on as far as windows need.
        track: the emotion to show, at any times.
        models: from `load_models`.
        options: see there.
        kept: windows of an earlier run are taken from there, new ones written there.

    Yields:
        Motion of `WINDOW` frames at 25 fps, fewer in the last; together they cover the speech.
    """
    made: Motion | None = None
    fresh: Iterator[Motion] | None = None
    for number in range(-(-frames_of(heard.duration_s, FPS) // WINDOW)):
        window = kept.motion(number) if kept else None
        if window is None:
            fresh = fresh or _made(heard, track, options, models, start=number, prefix=made)
            window = rounded(next(fresh))
            if kept:
                kept.keep_motion(number, window)
        made = window
        known = heard.until((number + 1) * WINDOW / FPS + AHEAD_S)
        yield finished(window, known, track, options, first_frame=number * WINDOW)


def finished(
    made: Motion, heard: Heard, track: EmotionTrack, options: TalkOptions, *, first_frame: int
) -> Motion:
    """A window with all that is absolute put over it, rounded as files hold it."""
    motion = finish(
        made,
        heard.phones,
        first_frame=first_frame,
        duration_s=heard.duration_s,
        seed=options.seed,
        blinks_per_minute=options.blinks_per_minute,
        liveliness=options.liveliness,
    )
    times_s = (first_frame + np.arange(len(motion.values))) / motion.fps
    motion = hushed(motion, heard.voice_at(times_s), felt(track, times_s))
    return rounded(held(motion, head=options.head, gaze=options.gaze))


def frames_of(duration_s: float, fps: float) -> int:
    """Frames that cover a duration, at least one."""
    return max(1, round(duration_s * fps))


def rows_at(windows: Iterable[Motion], *, fps: float, num_frames: int) -> Iterator[Row]:
    """The frames of windows one after the other, at another rate, linear between theirs.

    Args:
        windows: all of one rate, in order.
        fps: wanted.
        num_frames: to give; the last row is held where the motion ends earlier.

    Yields:
        (62,) rows as in Motion.
    """
    number = 0
    last: Row | None = None
    for (at_s, row), (next_s, following) in pairwise(_timed(windows)):
        while number < num_frames and number / fps < next_s - 1e-9:
            share = np.float32(max(0.0, number / fps - at_s) / (next_s - at_s))
            yield row if share < 1e-6 else (1 - share) * row + share * following
            number += 1
        last = following
    while number < num_frames and last is not None:
        yield last
        number += 1


def _timed(windows: Iterable[Motion]) -> Iterator[tuple[float, Row]]:
    """Rows with their times; the last one twice, so that a single row has a neighbour."""
    number, rate, row = 0, FPS, None
    for window in windows:
        rate = window.fps
        for row in window.values:
            yield number / rate, row
            number += 1
    if row is not None:
        yield number / rate, row


def _made(
    heard: Heard | Hearing,
    track: EmotionTrack,
    options: TalkOptions,
    models: Models,
    *,
    start: int,
    prefix: Motion | None,
) -> Iterator[Motion]:
    """Windows from number `start` on; `prefix` is the one before it."""
    return generate(
        heard.near,
        track,
        net=models.denoiser,
        bank=models.bank,
        num_frames=frames_of(heard.duration_s, FPS),
        seed=options.seed,
        guidance=Guidance(
            speech=options.speech_guidance,
            emotion=options.emotion_guidance,
            liveliness=options.liveliness,
        ),
        start=start,
        prefix=prefix,
    )


def hushed(motion: Motion, voice: NDArray[np.float32], asked: NDArray[np.float32]) -> Motion:
    """The motion with the mouth as far open as there is a voice, or as the emotion opens it.

    Args:
        motion: T frames.
        voice: (T,) in [0, 1]: 0 where nobody speaks.
        asked: (T, 62) what the emotion asks of the face, see `felt`.
    """
    values = motion.values.copy()
    silent = np.minimum(values[:, OPENING], asked[:, OPENING])
    values[:, OPENING] = silent + voice[:, None] * (values[:, OPENING] - silent)
    return Motion(values, motion.fps)


def held(motion: Motion, *, head: Head, gaze: Gaze) -> Motion:
    """The motion with the head and the eyes as asked.

    A still head keeps the photo's pose. Eyes on the camera turn against the head.
    """
    values = motion.values.copy()
    pose = [PLACE[name] for name in POSE]
    values[:, pose] *= {"still": 0.0, "natural": 1.0, "lively": LIVELY}[head]
    if gaze == "camera":
        values[:, PLACE["gazeYaw"]] = -values[:, PLACE["headYaw"]]
        values[:, PLACE["gazePitch"]] = -values[:, PLACE["headPitch"]]
    return Motion(values, motion.fps)
