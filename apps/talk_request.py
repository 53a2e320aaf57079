"""What a talking portrait is to say and to feel: the speech opened, the request made a track."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from affetto.apps.progress import Report, silent
from affetto.apps.resolve import TRACKS, resolve
from affetto.apps.talk_job import Job, Made
from affetto.clip import Clip
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_timeline import smooth
from affetto.errors import MediaError, RequestError
from affetto.gen.portrait.hearing import SPEECH_HZ, Wav
from affetto.gen.portrait.pipeline import Models
from affetto.media import MediaLimits
from affetto.media_sound import Sound
from affetto.motion import FPS
from affetto.recognizers.face.picture import SUFFIXES as PICTURES
from affetto.recognizers.speech.recognizer import recognize_speech
from affetto.request import Auto, EmotionRequest, Like, Timeline

LONGEST_S = 3600.0
WINDOW_S, HOP_S, SMOOTH_S = 3.0, 0.5, 0.6  # of the speech recognizer, for `auto`


def open_speech(path: Path) -> Clip:
    """The speech: any sound, or the sound of a film.

    Raises:
        MediaError: unreadable, without sound, or longer than `LONGEST_S`.
    """
    if path.suffix.lower() in PICTURES:
        raise MediaError(
            f"{path} is a picture, not speech: the portrait comes first, then a recording "
            "(affetto talk PORTRAIT SPEECH)"
        )
    speech = Clip.open(path, limits=MediaLimits(max_duration_s=LONGEST_S))
    if not speech.has_audio:
        raise MediaError(f"{path} has no sound: give a recording of speech")
    return speech


def read_wav(speech: Clip) -> Wav:
    """(S,) at 16 kHz."""
    return np.concatenate([block[0] for block in _blocks(speech)])


def wanted_track(
    request: EmotionRequest, speech: Clip, *, models: Models, progress: Report = silent
) -> EmotionTrack:
    """The request at the speech's frame times; `auto` is what the voice sounds like.

    Raises:
        RequestError: the request says nothing about emotion, or wants a recognizer that weights
            for any use do without.
        MediaError: a recording cannot be read.
    """
    measured = None
    if models.speech is None:
        refuse_recognizers(request)
    elif isinstance(request.target, Auto):
        heard = recognize_speech(
            _blocks(speech), window_s=WINDOW_S, hop_s=HOP_S, recognizer=models.speech
        )
        measured = smooth(heard, width_s=SMOOTH_S)
    resolved = resolve(request, duration_s=speech.duration_s, progress=progress)
    track = request_to_track(
        request,
        duration_s=max(speech.duration_s, 1 / FPS),
        rate_hz=FPS,
        measured=measured,
        resolved=resolved,
    )
    return replace(track, evidence=measured.evidence if measured else track.evidence)


def refuse_recognizers(request: EmotionRequest) -> None:
    """Refuse what only recognizers know that learned from data for non-commercial use.

    Raises:
        RequestError: it is `auto`, or `like:` a recording.
    """
    target = request.target
    recording = isinstance(target, Like) and target.file.suffix.casefold() not in TRACKS
    if isinstance(target, Auto) or recording:
        raise RequestError(
            f"--emotion {request} needs recognizers that learned from data for non-commercial use, "
            "which these --weights do without: say the emotion (--emotion happy, a timeline, free "
            "text, or like: a saved track), or take --weights default"
        )


def notices(job: Job, request: EmotionRequest, made: Made) -> tuple[str, ...]:
    """What the person should know of this film."""
    portrait, heard = made.portrait, made.heard
    told = [notice.text for notice in portrait.notices]
    if heard.presence is None:
        told.append("There is nothing to hear in the speech: the mouth stays closed.")
    elif not heard.is_speech:
        told.append(
            "What is heard is hardly speech (music or noise?): the mouth nearly stays closed. Give "
            "the voice alone."
        )
    told += _late(request, heard.duration_s)
    if job.motion_in and job.emotion != "auto":
        told.append(
            f"The motion was read from {job.motion_in.name}: --emotion had no say in it, it is "
            "only what the film is compared with."
        )
    if job.motion_in and made.motion.duration_s < heard.duration_s - 1 / FPS:
        told.append(
            f"The motion of {job.motion_in.name} ends at {made.motion.duration_s:.2f} s, the "
            f"speech at {heard.duration_s:.2f} s: the face rests in its last frame from there on."
        )
    unclear = [weights.name for weights in made.weights if not weights.commercial]
    if unclear:
        told.append(
            f"Weights {', '.join(unclear)} learned from data that are not cleared for commercial "
            "use."
        )
    return tuple(told)


def _late(request: EmotionRequest, duration_s: float) -> list[str]:
    """A notice where a timeline goes on after the speech."""
    if not isinstance(request.target, Timeline):
        return []
    late = [key for key in request.target.keyframes if key.time_s > duration_s]
    if not late:
        return []
    return [
        f"The timeline goes on to {request.target.keyframes[-1].time_s:g} s, the speech ends at "
        f"{duration_s:.2f} s: "
        + (
            "one of its keyframes comes after it and is not reached."
            if len(late) == 1
            else f"{len(late)} of its keyframes come after it and are not reached."
        )
    ]


def _blocks(speech: Clip) -> Iterator[Sound]:
    return speech.audio_blocks(sample_rate=SPEECH_HZ, channels=1)
