"""What a finished film of a talking portrait shows: looked at again as anybody's film would be."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Clip, Picture
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.embedder import KNOWN
from affetto.motion import Motion
from affetto.provenance import content_hash
from affetto.recognizers.face.recognizer import load_face
from affetto.recognizers.face.timeline import recognize_faces
from affetto.recognizers.score import Metric, score_track

FACES_HZ = 5.0
NUM_STILLS = 12
BLINK_SHUT = 0.5  # of eyeBlink: above it an eye counts as shut
SOUND_SCALE = 2**15 - 1


@dataclass(frozen=True)
class Measured:
    """What is seen in the film.

    Attributes:
        duration_s, num_frames, width, height: of the film.
        emotion: by the face recognizer, at `FACES_HZ`; confidence 0 where no face is seen.
        metrics: asked against seen, with controls; see `affetto.recognizers.score`.
        stills: (time in seconds, picture), for the contact sheet.
        content_sha256: of decoded frames and sound.
    """

    duration_s: float
    num_frames: int
    width: int
    height: int
    emotion: EmotionTrack
    metrics: tuple[Metric, ...]
    stills: tuple[tuple[float, Picture], ...]
    content_sha256: str

    def score(self, name: str) -> float | None:
        """The metric's score, None where it is not usable."""
        return next((one.score for one in self.metrics if one.name == name), None)


def measure(film: Path, wanted: EmotionTrack) -> Measured:
    """Look at a film again.

    Args:
        film: an mp4 with sound.
        wanted: what it was to show.
    """
    clip = Clip.open(film)
    stills = _Stills(clip.duration_s)
    with ThreadPoolExecutor(max_workers=1) as pool:
        digest = pool.submit(film_hash, clip, stills)
        faces = recognize_faces(clip, recognizer=load_face(), rate_hz=FACES_HZ)
        content = digest.result()
    seen = faces.as_track()
    score = score_track(
        seen, wanted, duration_s=clip.duration_s, rate_hz=FACES_HZ, known=KNOWN["face"]
    )
    return Measured(
        duration_s=clip.duration_s,
        num_frames=stills.count,
        width=clip.width,
        height=clip.height,
        emotion=seen,
        metrics=score.metrics,
        stills=tuple(stills.taken),
        content_sha256=content,
    )


class _Stills:
    """Keeps evenly chosen pictures of a film that passes by, small."""

    def __init__(self, duration_s: float) -> None:
        self.count = 0
        self.taken: list[tuple[float, Picture]] = []
        self._due_s = [duration_s * number / NUM_STILLS for number in range(NUM_STILLS)]

    def pass_by(self, time_s: float, picture: Picture) -> Picture:
        self.count += 1
        if self._due_s and time_s + 1e-3 >= self._due_s[0]:
            self._due_s = [due_s for due_s in self._due_s if due_s > time_s + 1e-3]
            self.taken.append((time_s, picture))
        return picture


def film_hash(clip: Clip, stills: _Stills) -> str:
    """The content hash of a film's decoded frames and 16-bit sound."""
    frames = (stills.pass_by(time_s, picture) for time_s, picture in clip.frames())
    return content_hash(frames=frames, audio={"speech": _samples(clip)})


def _samples(clip: Clip) -> Iterator[NDArray[np.int16]]:
    for block in clip.audio_blocks(sample_rate=clip.sample_rate, channels=clip.channels):
        yield np.round(np.clip(block.T, -1, 1) * SOUND_SCALE).astype(np.int16)


def blinks_per_minute(motion: Motion) -> float:
    """How often both eyes shut in a minute."""
    shut = np.minimum(motion.channel("eyeBlinkLeft"), motion.channel("eyeBlinkRight")) > BLINK_SHUT
    starts = int(np.count_nonzero(shut[1:] & ~shut[:-1])) + int(shut[0])
    return 60.0 * starts / motion.duration_s
