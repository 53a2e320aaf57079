"""A film's course as the audio-visual net judges it: where a face and a voice are both there.

A second look at the film: the faces are known by then, so that nothing is searched. Windows of
2.56 s follow each other at half their length; only one window's pictures are kept, so memory does
not grow with the film. Letters: T windows, F = 16 frames of a window.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.clip import Clip, Picture
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.space import embed
from affetto.recognizers.audiovisual.states import (
    FRAMES_HZ,
    NUM_FRAMES,
    WINDOW,
    WINDOW_S,
    filled,
)
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.recognizer import load_face
from affetto.recognizers.face.timeline import (
    NOBODY_VAR,
    FaceTimeline,
    FaceTimelines,
    Sampler,
    recognize_faces,
    shown_size,
)
from affetto.recognizers.reading import Reading
from affetto.recognizers.speech.whisper import RATE_HZ
from affetto.recognizers.speech.windows import Sound, windows

HOP_S = WINDOW_S / 2
FACES_HZ = 3.0  # pictures a second in which `recognize` looks for faces
BATCH = 4  # windows judged at once
LEAST_SEEN = 0.6  # share of a window's pictures in which its face must be there
LEAST_SAMPLES = RATE_HZ // 4
LEAST_VOICE = 0.5  # presence of one clear voice, below which a window is not judged
LONGEST_GAP_S = 1.0  # between two sights of a face that are one, as its tracker has it


# A window's row: valence to dominance, their variances, labels, confidence.
NOBODY = np.concatenate(
    [np.zeros(3), np.full(3, NOBODY_VAR), np.full(len(LABELS), 1 / len(LABELS)), [0.0]]
).astype(np.float32)


@dataclass(frozen=True)
class _Window:
    crops: NDArray[np.float32]  # (F, ...)
    wav: Sound


class TalkingJudge(Protocol):
    """Who judges windows: the shipped net, or HiCMAE with a public checkpoint."""

    def crop(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """A face as `look_and_listen` takes it."""

    def look_and_listen(self, crops: Tensor, wav: Tensor) -> tuple[Reading, Tensor]:
        """The Reading of faces (B, F, ...) and sound (B, 40960), and is there one voice (B,)."""


def recognize_talking(
    clip: Clip,
    faces: FaceTimelines,
    *,
    recognizer: TalkingJudge,
    progress: Callable[[float], None] | None = None,
) -> EmotionTrack | None:
    """Judge the windows in which a face is seen and a voice is heard.

    Whose voice it is, is not asked: of several faces the most prominent counts.

    Args:
        clip: has video and sound.
        faces: of the same clip, from `affetto.recognizers.face.timeline.recognize_faces`.
        recognizer: from `affetto.recognizers.audiovisual.recognizer.load_audiovisual`, or
            `affetto.recognizers.audiovisual.hicmae.load_hicmae`.
        progress: is told the share done, 0..1.

    Returns:
        kind "expressed", a step a window at its middle; confidence 0 where there was no face or
        no clear voice. None if there was no window with both.

    Raises:
        MediaError: the film is damaged.
    """
    if not faces.faces:
        return None
    times: list[float] = []
    rows: list[NDArray[np.float32]] = []
    waiting: dict[int, _Window] = {}
    looker = _Looker(clip, faces, recognizer)
    sound = clip.audio_blocks(sample_rate=RATE_HZ, channels=1)
    for middle_s, wav in windows(sound, WINDOW_S, HOP_S):
        crops = looker.crops(middle_s - len(wav) / RATE_HZ / 2)
        if crops is not None and len(wav) >= LEAST_SAMPLES:
            waiting[len(times)] = _Window(crops, wav[:WINDOW])
        times.append(middle_s)
        rows.append(NOBODY)
        if len(waiting) == BATCH:
            _judge(recognizer, waiting, rows)
        if progress is not None:
            progress(min(1.0, middle_s / clip.duration_s))
    _judge(recognizer, waiting, rows)
    table = np.stack(rows) if rows else np.zeros((1, len(NOBODY)), np.float32)
    return _track(np.asarray(times, np.float32), table) if table[:, -1].any() else None


def recognize(clip: Clip, *, recognizer: TalkingJudge) -> EmotionTrack | None:
    """The whole in one line: find the faces of a film, then `recognize_talking`."""
    faces = recognize_faces(clip, recognizer=load_face(), rate_hz=FACES_HZ)
    return recognize_talking(clip, faces, recognizer=recognizer)


class _Looker:
    """Gives the pictures of one window after the other, each film frame decoded once."""

    def __init__(self, clip: Clip, faces: FaceTimelines, recognizer: TalkingJudge) -> None:
        self.recognizer = recognizer
        size = shown_size(clip)
        self.ratio = np.asarray([size[0] / clip.width, size[1] / clip.height], np.float32)
        self.frames = clip.frames(size=size, wanted=Sampler(FRAMES_HZ))
        self.faces = faces
        self.kept: deque[tuple[float, int, NDArray[np.float32] | None]] = deque()
        self.ended = False

    def crops(self, start_s: float) -> NDArray[np.float32] | None:
        """(F, ...) of the face of the window that begins there; None if it has none."""
        end_s = start_s + WINDOW_S
        while not self.ended and (not self.kept or self.kept[-1][0] < end_s):
            self._look()
        while len(self.kept) > 1 and self.kept[1][0] <= start_s:
            self.kept.popleft()
        seen = [one for one in self.kept if one[0] < end_s and one[2] is not None]
        if not seen:
            return None
        numbers = [number for _, number, _ in seen]
        face = max(dict.fromkeys(numbers), key=numbers.count)
        own = [(time_s, crop) for time_s, number, crop in seen if number == face]
        there = np.asarray([time_s for time_s, _ in own])
        wanted = start_s + np.arange(NUM_FRAMES) / FRAMES_HZ
        places = np.abs(there[None] - wanted[:, None]).argmin(axis=1)
        near = np.abs(there[places] - wanted) <= 1.5 / FRAMES_HZ
        if near.mean() < LEAST_SEEN:
            return None
        chosen = [crop for _, crop in (own[place] for place in places) if crop is not None]
        return np.stack(chosen)

    def _look(self) -> None:
        frame = next(self.frames, None)
        if frame is None:
            self.ended = True
            return
        time_s, picture = frame
        for face in self.faces.faces:  # the most prominent first
            box = box_at(face, time_s)
            if box is not None:
                self.kept.append((time_s, face.number, self._crop(picture, box)))
                return
        self.kept.append((time_s, -1, None))

    def _crop(self, picture: Picture, box: FaceBox) -> NDArray[np.float32]:
        small = FaceBox(box.box * np.tile(self.ratio, 2), box.points * self.ratio, box.score)
        return self.recognizer.crop(picture, small)


def box_at(face: FaceTimeline, time_s: float) -> FaceBox | None:
    """Where a face is, between two sights of it; None where it is not."""
    times = face.times
    after = int(np.searchsorted(times, time_s))
    before = max(0, after - 1)
    after = min(after, len(times) - 1)
    gap_s = float(times[after] - times[before])
    if gap_s > LONGEST_GAP_S or not times[before] - 0.5 <= time_s <= times[after] + 0.5:
        return None
    share = np.float32(np.clip((time_s - times[before]) / gap_s, 0, 1) if gap_s > 0 else 0.0)
    values = [
        (1 - share) * part[before] + share * part[after]
        for part in (face.boxes, face.points, face.scores)
    ]
    return FaceBox(values[0], values[1], float(values[2]))


@torch.inference_mode()
def _judge(
    recognizer: TalkingJudge,
    waiting: dict[int, _Window],
    rows: list[NDArray[np.float32]],
) -> None:
    """Put the rows of those that wait in their places; nobody waits then."""
    if not waiting:
        return
    crops = torch.from_numpy(np.stack([one.crops for one in waiting.values()]))
    wav = torch.cat([filled(torch.from_numpy(one.wav)[None]) for one in waiting.values()])
    reading, presence = recognizer.look_and_listen(crops, wav)
    confidence = torch.where(presence >= LEAST_VOICE, reading.confidence, 0.0)
    parts = [reading.vad, reading.vad_var, reading.probs, confidence[:, None]]
    for place, row in zip(waiting, torch.cat(parts, dim=1).numpy(), strict=True):
        rows[place] = row
    waiting.clear()


def _track(times: NDArray[np.float32], rows: NDArray[np.float32]) -> EmotionTrack:
    vad, vad_var, probs, confidence = np.split(rows, [3, 6, rows.shape[1] - 1], axis=1)
    mean, log_var = embed(vad, probs, vad_var)
    return EmotionTrack(
        times=times,
        mean=mean,
        log_var=log_var,
        vad=vad,
        vad_var=vad_var,
        probs=probs,
        confidence=confidence[:, 0],
        kind="expressed",
    )
