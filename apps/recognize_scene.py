"""The scene beside the faces: one decoding of a film serves both.

`WatchedClip` hands the face reader the few pictures a second that it asks for and, on the way,
measures what `affetto.recognizers.scene` needs once a second. `affetto.conditioning.video` measures
the same more finely for composing, at the cost of looking at every frame.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.ahead import made_ahead
from affetto.clip import Clip, Picture
from affetto.condition import Conditions, ConditionTrack
from affetto.conditioning.light import read_light
from affetto.conditioning.motion import FlowMeter, frame_difference
from affetto.emotion import EmotionTrack
from affetto.recognizers.face.cuts import CutFinder
from affetto.recognizers.scene.cues import LOG_FLOW, LOG_MOTION
from affetto.recognizers.scene.recognizer import recognize_scene

RATE_HZ = 1.0  # of the scene's steps
CUTS_HZ = 5.0  # pictures a second among which cuts are looked for
SHORT_SIDE = 144  # of the picture that is measured
STILL_HEIGHT = 216
SHORTEST_SHOT_S = 0.4

Still = tuple[float, Picture]


class SceneMeter:
    """Measures a film once a second from some of its frames.

    Attributes:
        stills: (time, picture) at even moments, for a plot.
    """

    def __init__(self, duration_s: float, *, num_stills: int = 0) -> None:
        self.stills: list[Still] = []
        self._duration_s, self._num_stills = duration_s, num_stills
        self._cuts, self._flow = CutFinder(), FlowMeter()
        self._starts = [0.0]
        self._rows: dict[int, tuple[NDArray[np.float32], float, float]] = {}
        self._first: tuple[float, Picture, Picture] | None = None  # of a pair of adjacent frames

    def needs(self, time_s: float) -> bool:
        """Whether the frame at `time_s` is one to feed: a step's, or the one right after it."""
        return self._first is not None or int(time_s * RATE_HZ + 1e-3) not in self._rows

    def feed(self, time_s: float, picture: Picture) -> None:
        """Take a frame, (H, W, 3) uint8 RGB; they come in order, and all that `needs` names."""
        small = _small(picture)
        if self._cuts.is_cut(small) and time_s - self._starts[-1] >= SHORTEST_SHOT_S:
            self._starts.append(time_s)
        step = int(time_s * RATE_HZ + 1e-3)
        if self._first is not None:
            began_s, before, _ = self._first
            began = int(began_s * RATE_HZ + 1e-3)
            speed = self._flow.speed(before, small, gap_s=max(1e-3, time_s - began_s))
            self._rows[began] = (self._rows[began][0], frame_difference(before, small), speed)
            self._first = None
        if step not in self._rows:
            self._rows[step] = (read_light(small), 0.0, 0.0)
            self._first = time_s, small, picture
        if len(self.stills) < self._num_stills:
            due_s = (len(self.stills) + 0.5) * self._duration_s / self._num_stills
            if time_s >= due_s - 1e-3:
                self.stills.append((time_s, _still(picture)))

    def track(self) -> EmotionTrack:
        """What the frames fed so far may make a viewer feel."""
        steps = max(1, int(np.ceil(self._duration_s * RATE_HZ - 1e-6)))
        known = sorted(step for step in self._rows if step < steps) or sorted(self._rows)
        at = np.clip(np.searchsorted(known, np.arange(steps), side="right") - 1, 0, None)
        rows = [self._rows[known[place]] for place in at]
        times = np.arange(steps) / RATE_HZ
        starts = np.asarray(self._starts)
        offset = times - starts[np.searchsorted(starts, times + 1e-3, side="right") - 1]
        return recognize_scene(
            _conditions(
                light=np.stack([light for light, _, _ in rows]),
                motion=np.asarray([motion for _, motion, _ in rows])[:, None],
                flow=np.asarray([flow for _, _, flow in rows])[:, None],
                scene_offset=np.maximum(0.0, offset)[:, None],
            ),
            duration_s=self._duration_s,
        )


@dataclass(frozen=True)
class WatchedClip(Clip):
    """A clip whose scene is measured while somebody else looks at its frames."""

    meter: SceneMeter = field(kw_only=True)
    ahead: bool = field(kw_only=True)

    @classmethod
    def of(cls, clip: Clip, meter: SceneMeter, *, ahead: bool = False) -> "WatchedClip":
        """The clip; the meter is fed what it needs while `frames` is gone through.

        With `ahead` a thread of its own decodes and measures.
        """
        parts = {part.name: getattr(clip, part.name) for part in dataclasses.fields(clip)}
        return cls(**parts, meter=meter, ahead=ahead)

    def frames(
        self,
        *,
        size: tuple[int, int] | None = None,
        wanted: Callable[[float], bool] | None = None,
    ) -> Iterator[tuple[float, Picture]]:
        """As `Clip.frames`."""
        pictures = self._watched(size, wanted)
        return made_ahead(pictures) if self.ahead else pictures

    def _watched(
        self, size: tuple[int, int] | None, wanted: Callable[[float], bool] | None
    ) -> Iterator[tuple[float, Picture]]:
        asked = True

        def is_due(time_s: float) -> bool:
            nonlocal asked
            asked = wanted is None or wanted(time_s)
            return asked or self.meter.needs(time_s)

        for time_s, picture in super().frames(size=size, wanted=is_due):
            self.meter.feed(time_s, picture)
            if asked:
                yield time_s, picture


def watch_scene(clip: Clip, meter: SceneMeter, progress: Callable[[float], None]) -> None:
    """Feed the meter a whole film, where nobody else looks at it."""
    due_s = 0.0

    def is_due(time_s: float) -> bool:
        nonlocal due_s
        if time_s + 1e-3 < due_s:
            return False
        due_s = time_s + 1 / CUTS_HZ
        return True

    for time_s, _ in WatchedClip.of(clip, meter).frames(size=_scaled(clip), wanted=is_due):
        progress(min(1.0, time_s / clip.duration_s))


def picture_scene(picture: Picture) -> EmotionTrack:
    """What a photo's light and colour may make a viewer feel; movement and cuts count as usual."""
    return recognize_scene(
        _conditions(
            light=read_light(_small(picture))[None],
            motion=np.full((1, 1), np.expm1(LOG_MOTION[0])),
            flow=np.full((1, 1), np.exp(LOG_FLOW[0]) - 0.02),
            scene_offset=np.zeros((1, 1)),
        ),
        duration_s=1.0,
    )


def still_of(picture: Picture) -> Picture:
    """A photo as the plot shows it."""
    return _resized(picture, min(1.0, 900 / max(picture.shape[:2])))


def _conditions(**values: NDArray[np.floating]) -> Conditions:
    mask = torch.ones(1, len(values["light"]), dtype=torch.bool)
    return {
        name: ConditionTrack(
            torch.from_numpy(np.asarray(array, dtype=np.float32))[None], mask, RATE_HZ
        )
        for name, array in values.items()
    }


def _scaled(clip: Clip) -> tuple[int, int]:
    shrink = min(1.0, SHORT_SIDE / max(1, min(clip.width, clip.height)))
    return max(1, round(clip.width * shrink)), max(1, round(clip.height * shrink))


def _small(picture: Picture) -> Picture:
    return _resized(picture, min(1.0, SHORT_SIDE / min(picture.shape[:2])))


def _still(picture: Picture) -> Picture:
    return _resized(picture, min(1.0, STILL_HEIGHT / picture.shape[0]))


def _resized(picture: Picture, shrink: float) -> Picture:
    import cv2

    if shrink >= 1:
        return picture
    height, width = (max(1, round(side * shrink)) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
