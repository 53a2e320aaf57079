"""What a finished film of a talking portrait shows: looked at again as anybody's film would be."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Clip, Picture
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.embedder import KNOWN
from affetto.errors import BadInput
from affetto.provenance import content_hash
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_POINTS, FaceMesh
from affetto.recognizers.face.recognizer import load_face
from affetto.recognizers.face.timeline import recognize_faces
from affetto.recognizers.score import Metric, score_track
from affetto.recognizers.score_portrait.articulation import (
    Rate,
    Spoken,
    closure,
    lag_s,
    lip_tooth,
    rounding,
)
from affetto.recognizers.score_portrait.identity import Identifier, distance, reencoded
from affetto.recognizers.score_portrait.lips import Lips, measure_lips
from affetto.recognizers.score_portrait.liveliness import Liveliness, measure_liveliness

FACES_HZ = 5.0
NUM_STILLS = 12
MESH_S = 60.0  # of the film in which every frame's mesh is read
LOST = 0.5  # presence of a mesh below which the face is looked for again
LEAST_LAG_PEAK = 0.1  # below it the lips do not follow the sound clearly enough to time them
SOUND_SCALE = 2**15 - 1


@dataclass(frozen=True)
class Measured:
    """What is seen in the film.

    Attributes:
        duration_s, num_frames, width, height: of the film.
        emotion: by the face recognizer, at `FACES_HZ`; confidence 0 where no face is seen.
        metrics: asked against seen, with controls; see `affetto.recognizers.score`.
        lips: of the first `MESH_S` seconds, None where no face is seen in them.
        rates: name -> how often lips do what the sounds need, where there are such sounds.
        lag_ms: lips after sound, None where it cannot be told.
        lively: blinks and head of those seconds.
        identity: distances: largest of every second still to the photo, the photo's own re-encoded;
            None without dlib or face.
        stills: (time in seconds, picture), for the contact sheet.
        content_sha256: of decoded frames and sound.
    """

    duration_s: float
    num_frames: int
    width: int
    height: int
    emotion: EmotionTrack
    metrics: tuple[Metric, ...]
    lips: Lips | None
    rates: dict[str, Rate]
    lag_ms: float | None
    lively: Liveliness | None
    identity: tuple[float, float] | None
    stills: tuple[tuple[float, Picture], ...]
    content_sha256: str

    def score(self, name: str) -> float | None:
        """The metric's score, None where it is not usable."""
        return next((one.score for one in self.metrics if one.name == name), None)


def measure(
    film: Path, *, wanted: EmotionTrack, photo: Picture, phones: Sequence[Spoken]
) -> Measured:
    """Look at a film again.

    Args:
        film: an mp4 with sound.
        wanted: the emotion it was to show.
        photo: (H, W, 3) uint8 RGB, the face in its middle.
        phones: what is said.
    """
    clip = Clip.open(film)
    look = _Look(clip)
    with ThreadPoolExecutor(max_workers=1) as pool:
        looking = pool.submit(content_hash, frames=look.frames(), audio={"speech": _sound(clip)})
        faces = recognize_faces(clip, recognizer=load_face(), rate_hz=FACES_HZ)
        content = looking.result()
    seen = faces.as_track()
    score = score_track(
        seen, wanted, duration_s=clip.duration_s, rate_hz=FACES_HZ, known=KNOWN["face"]
    )
    lips, lively = look.measured()
    sounds = [sound for sound in phones if sound.end_s <= MESH_S]
    return Measured(
        duration_s=clip.duration_s,
        num_frames=look.count,
        width=clip.width,
        height=clip.height,
        emotion=seen,
        metrics=score.metrics,
        lips=lips,
        rates=_rates(lips, sounds),
        lag_ms=_lag_ms(lips, sounds),
        lively=lively,
        identity=identity(photo, [picture for _, picture in look.stills[::2]]),
        stills=tuple(look.stills),
        content_sha256=content,
    )


class _Look:
    """Passes a film's frames on, and keeps a few stills and the meshes of its first minute."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.count = 0
        self.stills: list[tuple[float, Picture]] = []
        self._meshes: list[NDArray[np.float32]] = []
        self._due_s = [clip.duration_s * number / NUM_STILLS for number in range(NUM_STILLS)]
        self._detector, self._mesh = FaceDetector(), FaceMesh()

    def frames(self) -> Iterator[Picture]:
        for time_s, picture in self.clip.frames():
            self.count += 1
            if self._due_s and time_s + 1e-3 >= self._due_s[0]:
                self._due_s = [due_s for due_s in self._due_s if due_s > time_s + 1e-3]
                self.stills.append((time_s, picture))
            if time_s < MESH_S:
                self._meshes.append(self._points(picture))
            yield picture

    def measured(self) -> tuple[Lips | None, Liveliness | None]:
        """None where hardly a face was seen."""
        meshes, fps = np.stack(self._meshes), float(self.clip.fps)
        try:
            lips = measure_lips(meshes, fps=fps)
        except BadInput:
            return None, None
        return lips, measure_liveliness(meshes[lips.seen], fps=fps)

    def _points(self, picture: Picture) -> NDArray[np.float32]:
        """(478, 3), NaN without a face; near the last frame's where there was one."""
        if self._meshes and np.isfinite(self._meshes[-1]).all():
            mesh = self._mesh.again(picture, self._meshes[-1])
            if mesh.presence >= LOST:
                return mesh.points
        faces = self._detector.detect(picture)
        if not faces:
            return np.full((NUM_POINTS, 3), np.nan, np.float32)
        return self._mesh.read(picture, faces[0]).points


def identity(photo: Picture, stills: Sequence[Picture]) -> tuple[float, float] | None:
    """(largest distance of the stills to the photo, the photo's own re-encoded), if dlib is there.

    Args:
        photo: the face in its middle.
        stills: of the film, the face in their middle.
    """
    detector = FaceDetector()
    try:
        judge = Identifier()
    except BadInput:
        return None
    face = _middle_face(detector, photo)
    if face is None:
        return None
    of_photo = judge.describe(photo, face)
    found = [(still, _middle_face(detector, still)) for still in stills]
    distances = [
        distance(of_photo, judge.describe(still, there)) for still, there in found if there
    ]
    if not distances:
        return None
    return max(distances), distance(of_photo, judge.describe(reencoded(photo), face))


def _middle_face(detector: FaceDetector, picture: Picture) -> FaceBox | None:
    middle = np.array(picture.shape[1::-1]) / 2
    faces = detector.detect(picture)
    return min(faces, key=lambda face: float(np.hypot(*(face.centre - middle))), default=None)


def _rates(lips: Lips | None, sounds: Sequence[Spoken]) -> dict[str, Rate]:
    if lips is None:
        return {}
    measures = {"p b m closed": closure, "f v lip-tooth": lip_tooth, "o u w sh round": rounding}
    rates = {name: measured(lips, sounds) for name, measured in measures.items()}
    return {name: rate for name, rate in rates.items() if rate.count}


def _lag_ms(lips: Lips | None, sounds: Sequence[Spoken]) -> float | None:
    if lips is None:
        return None
    lag, peak = lag_s(lips, sounds)
    return 1000 * lag if peak >= LEAST_LAG_PEAK else None


def _sound(clip: Clip) -> Iterator[NDArray[np.int16]]:
    for block in clip.audio_blocks(sample_rate=clip.sample_rate, channels=clip.channels):
        yield np.round(np.clip(block.T, -1, 1) * SOUND_SCALE).astype(np.int16)
