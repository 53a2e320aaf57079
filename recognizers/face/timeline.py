"""The faces of a clip or a picture, each with its emotion over time.

One pass over the film, a few pictures a second: find the faces, follow them, cut them out and read
them in batches. Only numbers are kept, so memory does not grow with the film's size. Letters: T
steps at which a face was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.clip import Clip, Picture
from affetto.emotion import LABELS, Array, EmotionTrack
from affetto.emotion_bank.space import embed
from affetto.recognizers.face.blaze import FaceBox, Floats
from affetto.recognizers.face.cuts import CutFinder
from affetto.recognizers.face.detector import FaceDetector, crop_face
from affetto.recognizers.face.quality import presence
from affetto.recognizers.face.tracking import FaceTracker
from affetto.recognizers.reading import Recognizer

RATE_HZ = 5.0
FACE_SIDE = 48  # of the crops that the face net reads: as coarse as FER
MAX_FACES = 64  # in one picture; the largest are kept
SHOWN_SIDE = 1280  # films are decoded to at most this
PICTURE_TILE = 640
BATCH = 64
SMOOTH_S = 0.25  # standard deviation of the smoothing over time
LEAST_STEPS, LEAST_SCORE = 3, 0.8  # a track seen less often than that must be surer than this
NOBODY_VAR = 1.0  # variance of VAD where no face is seen


@dataclass(frozen=True)
class FaceTimeline:
    """One face.

    Attributes:
        number: of the track; the same person gets another one in each shot.
        boxes: (T, 4) left, top, right, bottom in pixels of the clip as displayed.
        points: (T, 6, 2) as of `affetto.recognizers.face.blaze.FaceBox`, in the same pixels.
        scores: (T,) the detector's certainty, in [0, 1].
        track: its emotion at those times; times where it was not seen are not in it.
    """

    number: int
    boxes: Floats
    points: Floats
    scores: Floats
    track: EmotionTrack

    @property
    def times(self) -> Array:
        """(T,) seconds at which it was seen."""
        return self.track.times


@dataclass(frozen=True)
class FaceTimelines:
    """All faces of a clip or picture.

    Attributes:
        faces: the most prominent first; empty where no face is seen.
        duration_s: of the clip, 0 for a picture.
        rate_hz: pictures looked at in a second.
        width, height: the displayed size that the boxes are in.
    """

    faces: tuple[FaceTimeline, ...]
    duration_s: float
    rate_hz: float
    width: int
    height: int

    def main_face(self) -> FaceTimeline | None:
        """The face seen largest and longest, None if there is none."""
        return self.faces[0] if self.faces else None

    def as_track(self) -> EmotionTrack:
        """One track over the whole clip, for fusion: at each step the most prominent face there.

        Steps are k / rate_hz up to duration_s. Where no face is seen: equal probabilities,
        VAD 0 with a wide variance, confidence 0.
        """
        steps = np.arange(int(self.duration_s * self.rate_hz + 1e-6) + 1) / self.rate_hz
        rows = _Rows(len(steps))
        for face in reversed(self.faces):  # the most prominent last, over the others
            nearest = _nearest(face.times.astype(np.float64), steps)
            near = np.abs(steps - face.times[nearest]) <= 0.75 / self.rate_hz
            rows.put(np.flatnonzero(near), face.track, nearest[near])
        return rows.track(steps)


def recognize_faces(
    clip: Clip,
    *,
    recognizer: Recognizer,
    rate_hz: float = RATE_HZ,
    detector: FaceDetector | None = None,
    progress: Callable[[float], None] | None = None,
) -> FaceTimelines:
    """Find, follow and read all faces of a film.

    Args:
        clip: has video.
        recognizer: reads (B, 1, 48, 48) grey faces, see `affetto.recognizers.face.recognizer`.
        rate_hz: pictures looked at in a second, > 0; a film with fewer is looked at whole.
        detector: made if not given.
        progress: is told the share done, 0..1.

    Raises:
        MediaError: no video, or the film is damaged.
    """
    if not 0 < rate_hz < np.inf:
        raise ValueError(f"rate_hz must be > 0, got {rate_hz}")
    size = shown_size(clip)
    detector = detector or FaceDetector()
    tracker, cuts, reader = FaceTracker(), CutFinder(), _Reader(recognizer)
    for time_s, picture in clip.frames(size=size, wanted=Sampler(rate_hz)):
        faces = detector.detect(picture)[:MAX_FACES]
        numbers = tracker.follow(time_s, faces, cut=cuts.is_cut(picture))
        for number, face in zip(numbers, faces, strict=True):
            reader.add(number, time_s, picture, face)
        if progress is not None:
            progress(min(1.0, time_s / clip.duration_s))
    if progress is not None:
        progress(1.0)
    ratio = np.asarray([clip.width / size[0], clip.height / size[1]] * 2, dtype=np.float32)
    return FaceTimelines(
        faces=reader.faces(ratio, strict=clip.duration_s * rate_hz >= LEAST_STEPS),
        duration_s=clip.duration_s,
        rate_hz=rate_hz,
        width=clip.width,
        height=clip.height,
    )


def shown_size(clip: Clip) -> tuple[int, int]:
    """Width and height that a film is decoded to."""
    shrink = min(1.0, SHOWN_SIDE / max(clip.width, clip.height, 1))
    return max(1, round(clip.width * shrink)), max(1, round(clip.height * shrink))


def recognize_picture(
    picture: Picture, *, recognizer: Recognizer, detector: FaceDetector | None = None
) -> FaceTimelines:
    """Find and read all faces of a photograph: tracks of one step at second 0.

    Args:
        picture: (H, W, 3) uint8 RGB, see `affetto.recognizers.face.picture.read_picture`.
        recognizer: as for `recognize_faces`.
        detector: made if not given.
    """
    detector, reader = detector or FaceDetector(), _Reader(recognizer)
    faces = detector.detect(picture, tile_side=PICTURE_TILE)[: 4 * MAX_FACES]
    for number, face in enumerate(faces):
        reader.add(number, 0.0, picture, face)
    height, width = picture.shape[:2]
    return FaceTimelines(
        faces=reader.faces(np.ones(4, dtype=np.float32), strict=False),
        duration_s=0.0,
        rate_hz=1.0,
        width=width,
        height=height,
    )


class Sampler:
    """Wants the first frame at or after each multiple of 1 / rate_hz."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.due_s = 0.0

    def __call__(self, time_s: float) -> bool:
        """Whether the frame at that time is wanted; times rise from call to call."""
        if time_s + 1e-3 < self.due_s:
            return False
        self.due_s = (np.floor((time_s + 1e-3) * self.rate_hz) + 1) / self.rate_hz
        return True


@dataclass
class _Seen:
    """What is known of one track so far."""

    times: list[float] = field(default_factory=list)
    boxes: list[Floats] = field(default_factory=list)
    points: list[Floats] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    presence: list[float] = field(default_factory=list)
    native: list[Array] = field(default_factory=list)


class _Reader:
    """Reads faces in batches as they come and hands them to their tracks."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.recognizer = recognizer
        self.tracks: dict[int, _Seen] = {}
        self.waiting: list[tuple[int, Floats]] = []

    def add(self, number: int, time_s: float, picture: Picture, face: FaceBox) -> None:
        seen = self.tracks.setdefault(number, _Seen())
        seen.times.append(time_s)
        seen.boxes.append(face.box)
        seen.points.append(face.points)
        seen.scores.append(face.score)
        crop = crop_face(picture, face, side=FACE_SIDE)
        seen.presence.append(presence(face, crop))
        self.waiting.append((number, crop))
        if len(self.waiting) >= BATCH:
            self._read()

    def _read(self) -> None:
        if not self.waiting:
            return
        crops = np.stack([crop for _, crop in self.waiting])[:, None]
        with torch.no_grad():
            native = self.recognizer.read(torch.from_numpy(crops)).native.float().numpy()
        for (number, _), row in zip(self.waiting, native, strict=True):
            self.tracks[number].native.append(row)
        self.waiting = []

    def faces(self, ratio: Floats, *, strict: bool) -> tuple[FaceTimeline, ...]:
        """The timelines, the most prominent first; `strict` drops what was hardly seen."""
        self._read()
        kept = {
            number: seen
            for number, seen in self.tracks.items()
            if not strict or len(seen.times) >= LEAST_STEPS or max(seen.scores) >= LEAST_SCORE
        }
        timelines = [
            FaceTimeline(
                number=number,
                boxes=np.stack(seen.boxes) * ratio,
                points=np.stack(seen.points) * ratio[:2],
                scores=np.asarray(seen.scores, dtype=np.float32),
                track=self._track(seen),
            )
            for number, seen in kept.items()
        ]
        return tuple(sorted(timelines, key=_prominence, reverse=True))

    def _track(self, seen: _Seen) -> EmotionTrack:
        times, weight = np.asarray(seen.times), np.asarray(seen.presence)
        native = smoothed(times, np.stack(seen.native), weight)
        with torch.no_grad():
            reading = self.recognizer.reading(
                torch.from_numpy(native).clamp(min=1e-8).log(),
                presence=torch.from_numpy(weight.astype(np.float32)),
            )
        probs, vad, vad_var, confidence = (
            values.float().numpy()
            for values in (reading.probs, reading.vad, reading.vad_var, reading.confidence)
        )
        mean, log_var = embed(vad, probs, vad_var)
        return EmotionTrack(
            times=times.astype(np.float32),
            mean=mean,
            log_var=log_var,
            vad=vad,
            vad_var=vad_var,
            probs=probs,
            confidence=confidence,
            kind="expressed",
        )


def smoothed(times: NDArray[np.float64], native: Array, weight: NDArray[np.float64]) -> Array:
    """Probabilities (T, N) averaged over neighbouring moments, the better seen counting more."""
    weight = np.maximum(weight, 1e-3)
    total = weight[:, None] * native.astype(np.float64)
    mass = weight.copy()
    step_s = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    for reach in range(1, min(len(times), int(np.ceil(3 * SMOOTH_S / step_s)) + 1)):
        apart = (times[reach:] - times[:-reach]) / SMOOTH_S
        kernel = np.exp(-0.5 * apart**2)
        for here, there in (
            (slice(reach, None), slice(None, -reach)),
            (slice(None, -reach), slice(reach, None)),
        ):
            share = kernel * weight[there]
            total[here] += share[:, None] * native[there]
            mass[here] += share
    mixed: Array = (total / mass[:, None]).astype(np.float32)
    return mixed


def _nearest(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    """(M,) the row of `times` (rising) nearest to each of `wanted`."""
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    sooner = np.abs(wanted - times[before]) <= np.abs(times[after] - wanted)
    return np.where(sooner, before, after)


def _prominence(face: FaceTimeline) -> float:
    sides = (face.boxes[:, 2:] - face.boxes[:, :2]).mean(axis=1)
    return float((sides * face.scores).sum())


class _Rows:
    """Rows of a track under construction: nobody, until someone is put there."""

    def __init__(self, steps: int) -> None:
        self.probs = np.full((steps, len(LABELS)), 1 / len(LABELS), dtype=np.float32)
        self.vad = np.zeros((steps, 3), dtype=np.float32)
        self.vad_var = np.full((steps, 3), NOBODY_VAR, dtype=np.float32)
        self.confidence = np.zeros(steps, dtype=np.float32)

    def put(self, places: NDArray[np.intp], track: EmotionTrack, rows: NDArray[np.intp]) -> None:
        self.probs[places], self.vad[places] = track.probs[rows], track.vad[rows]
        self.vad_var[places], self.confidence[places] = track.vad_var[rows], track.confidence[rows]

    def track(self, times: NDArray[np.float64]) -> EmotionTrack:
        mean, log_var = embed(self.vad, self.probs, self.vad_var)
        return EmotionTrack(
            times=times.astype(np.float32),
            mean=mean,
            log_var=log_var,
            vad=self.vad,
            vad_var=self.vad_var,
            probs=self.probs,
            confidence=self.confidence,
            kind="expressed",
        )
