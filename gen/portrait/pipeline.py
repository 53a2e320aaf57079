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

from affetto.condition import Conditions
from affetto.conditioning.phones import SpokenPhones, align_text, hear_phones
from affetto.conditioning.speech import speech_conditions
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import embed
from affetto.gen.portrait.motion.finish import finish
from affetto.gen.portrait.motion.rules import speak
from affetto.gen.portrait.unfinished import Unfinished
from affetto.motion import FPS, PLACE, POSE, Motion
from affetto.motion_file import rounded
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech
from affetto.weights import Weights, load_weights

Head = Literal["still", "natural", "lively"]
Gaze = Literal["camera", "natural"]
Wav = NDArray[np.float32]
Row = NDArray[np.float32]

SPEECH_HZ = 16_000
WINDOW = 64  # motion frames in a window on disk
LIVELY = 1.6  # how much further a lively head moves
HEARD_PRESENCE = 0.35  # mean speech presence where there is sound, below it the sound is no speech
HEARD_ENERGY = 0.15  # of the loudest, above which a moment counts as sound


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
class Heard:
    """A speech as the motion side hears it.

    Attributes:
        conditions: batch 1 at 50 Hz, see `affetto.conditioning.speech`.
        phones: with times.
        duration_s: of the sound.
    """

    conditions: Conditions
    phones: SpokenPhones
    duration_s: float

    @property
    def is_speech(self) -> bool:
        """Whether what sounds is a voice, and not music or noise; silence is neither."""
        return self.presence is None or self.presence >= HEARD_PRESENCE

    @property
    def presence(self) -> float | None:
        """Mean speech presence where it sounds, None in silence."""
        energy, presence = self._prosody(0), self._prosody(3)
        loud = energy > energy.min() + (1 - HEARD_ENERGY) * (energy.max() - energy.min())
        return float(presence[loud].mean()) if np.ptp(energy) > 0 and loud.any() else None

    def _prosody(self, column: int) -> NDArray[np.float32]:
        values: NDArray[np.float32] = self.conditions["prosody"].values[0, :, column].numpy()
        return values


@dataclass(frozen=True)
class Models:
    """The nets that listen and move, ready, and where they came from."""

    speech: SpeechRecognizer
    weights: tuple[Weights, ...]


def load_models(source: str = "default") -> Models:
    """The nets for `--weights`: default, clean, a folder or hub id (see `affetto.weights`)."""
    return Models(load_speech(), (load_weights("speech"),))


def listen(wav: Wav, *, models: Models, text: str | None = None) -> Heard:
    """Hear a speech.

    Args:
        wav: (S,) at 16 kHz.
        models: from `load_models`.
        text: the words, where known; they place the phones better than listening alone.
    """
    phones = align_text(wav, text) if text else hear_phones(wav)
    conditions = speech_conditions(wav)
    return Heard(conditions, phones, len(wav) / SPEECH_HZ)


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
    heard: Heard,
    track: EmotionTrack,
    *,
    models: Models,
    options: TalkOptions,
    kept: Unfinished,
) -> Iterator[Motion]:
    """Make the motion window by window; each is on disk before it is given out.

    Args:
        heard: the speech.
        track: the emotion to show, at any times.
        models: from `load_models`.
        options: see there.
        kept: windows of an earlier run are taken from there.

    Yields:
        Motion of `WINDOW` frames at 25 fps, fewer in the last; together they cover the speech.
    """
    number = 0
    total = frames_of(heard.duration_s, FPS)
    fresh: Iterator[Motion] | None = None
    while number * WINDOW < total:
        window = kept.motion(number)
        if window is None:
            fresh = fresh or _made(heard, track, options, models, start=number)
            window = rounded(next(fresh))
            kept.keep_motion(number, window)
        yield window
        number += 1


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
    heard: Heard, track: EmotionTrack, options: TalkOptions, models: Models, *, start: int
) -> Iterator[Motion]:
    """Windows from number `start` on."""
    motion = speak(
        heard.phones,
        heard.conditions["prosody"],
        track,
        seed=options.seed,
        liveliness=options.liveliness,
    )
    motion = held(finish(motion, heard.phones), head=options.head, gaze=options.gaze)
    total = frames_of(heard.duration_s, FPS)
    rows = motion.values[np.minimum(np.arange(total), len(motion.values) - 1)]
    for first in range(start * WINDOW, total, WINDOW):
        yield Motion(rows[first : first + WINDOW], motion.fps)


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
