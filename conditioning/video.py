"""What the picture says: one streaming pass over a film, one row of numbers a step."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray

from affetto.clip import Clip, Picture
from affetto.condition import Conditions, ConditionTrack
from affetto.conditioning.light import read_light
from affetto.conditioning.motion import FlowMeter, frame_difference
from affetto.conditioning.semantic import ClipEncoder, Lite0Encoder, PictureEncoder
from affetto.conditioning.shots import ShotFinder
from affetto.soundtrack import Cut

SHORT_SIDE = 144  # pixels of the scaled frame without a semantic network
LONGEST = 4.0  # beyond this aspect the frame is squeezed
FLOW_PAIRS_HZ = 4.0
BATCH = 8

Column = NDArray[np.float32]


@dataclass(frozen=True)
class VideoConditions:
    """A film as its listener-to-be sees it.

    Attributes:
        duration_s: of the picture.
        rate_hz: steps per second; step k stands for the frame on screen at k / rate_hz.
        conditions: batch 1, T = ceil(duration_s * rate_hz), names as in docs/contract.md.
        cuts: where shots change, with strengths.
        thumbnails: (S, h, w, 3) uint8 RGB, one from early in each shot.
        shot_starts_s: (S,) seconds, the first 0.
    """

    duration_s: float
    rate_hz: float
    conditions: Conditions
    cuts: tuple[Cut, ...]
    thumbnails: NDArray[np.uint8]
    shot_starts_s: tuple[float, ...]


def read_video_conditions(
    clip: Clip,
    *,
    rate_hz: float = 1.0,
    semantic: Literal["picture", "clip", "none"] = "picture",
    clip_model: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> VideoConditions:
    """Decode the film once and measure all of it; only numbers of the steps are kept.

    Args:
        clip: has video.
        rate_hz: steps per second, 0.1 to 30.
        semantic: "picture" for EfficientNet-lite0, "clip" for CLIP, "none" for neither.
        clip_model: a hub name or folder for "clip"; None is the published ViT-L/14-336.
        progress: is told the share done, 0..1.

    Raises:
        MediaError: no video, or the film is damaged.
        WeightsError: CLIP is wanted and cannot be had.
    """
    if not 0.1 <= rate_hz <= 30.0:
        raise ValueError(f"rate_hz must be 0.1..30, got {rate_hz}")
    encoder = _encoder(semantic, clip_model)
    size = _scaled(clip, encoder.short_side if encoder else SHORT_SIDE)
    frames = clip.frames(size=size)
    steps = max(1, ceil(clip.duration_s * rate_hz - 1e-6))
    shots = ShotFinder(clip.fps)
    rows, flow = _StepReader(steps, rate_hz, encoder), _FlowReader()
    before: tuple[float, Picture] | None = None
    for time_s, picture in frames:
        shots.feed(time_s, picture)
        if before is not None:
            flow.see(before, (time_s, picture))
            if rows.shown_until(time_s) and progress is not None:
                progress(min(1.0, time_s / clip.duration_s))
        rows.show(time_s, picture)
        before = time_s, picture
    shots.finish(clip.duration_s)
    rows.shown_until(float("inf"))
    cuts = tuple(shots.cuts)
    starts = (0.0, *(cut.time_s for cut in cuts))
    if progress is not None:
        progress(1.0)
    values = rows.values() | {
        "scene_offset": _scene_offset(starts, steps, rate_hz),
        "flow": flow.values(starts, steps, rate_hz),
    }
    return VideoConditions(
        duration_s=clip.duration_s,
        rate_hz=rate_hz,
        conditions={name: _track(array, rate_hz) for name, array in values.items()},
        cuts=cuts,
        thumbnails=np.stack(shots.thumbnails),
        shot_starts_s=starts,
    )


class _StepReader:
    """Rows of the frames on screen at the steps' times; step k is at k / rate_hz."""

    def __init__(self, steps: int, rate_hz: float, encoder: PictureEncoder | None) -> None:
        self._steps, self._rate_hz, self._encoder = steps, rate_hz, encoder
        self._motion: list[float] = []
        self._light: list[NDArray[np.float32]] = []
        self._semantic: list[NDArray[np.float32]] = []
        self._batch: list[Picture] = []
        self._shown_s = 0.0
        self._shown: Picture | None = None
        self._previous: Picture | None = None

    def show(self, time_s: float, picture: Picture) -> None:
        """From `time_s` on, `picture` is on screen."""
        self._previous, self._shown, self._shown_s = self._shown, picture, time_s

    def shown_until(self, time_s: float) -> bool:
        """The picture stays until `time_s`: measure it for the steps before; tell if there were."""
        begun = len(self._motion)
        while len(self._motion) < self._steps and (
            len(self._motion) / self._rate_hz < time_s - 1e-6
        ):
            self._measure(first=len(self._motion) == begun)
        return len(self._motion) > begun

    def _measure(self, *, first: bool) -> None:
        assert self._shown is not None
        fresh = len(self._motion) / self._rate_hz - self._shown_s < 1 / self._rate_hz - 1e-6
        moved = fresh and first and self._previous is not None
        self._motion.append(
            frame_difference(self._previous, self._shown)
            if moved and self._previous is not None
            else 0.0
        )
        if not first:  # the same picture is still there
            self._light.append(self._light[-1])
        else:
            self._light.append(read_light(self._shown))
        if self._encoder is not None:
            self._batch.append(self._shown)
            if len(self._batch) == BATCH or len(self._motion) == self._steps:
                self._semantic.append(self._encoder.encode(self._batch))
                self._batch = []

    def values(self) -> dict[str, NDArray[np.float32]]:
        """(T, D) by name."""
        found = {
            "motion": np.asarray(self._motion, dtype=np.float32)[:, None],
            "light": np.stack(self._light),
        }
        if self._encoder is not None:
            found[self._encoder.name] = np.concatenate(self._semantic)
        return found


class _FlowReader:
    """Optical flow of a few adjacent pairs a second, averaged within the steps."""

    def __init__(self) -> None:
        self._meter = FlowMeter()
        self._pairs: list[tuple[float, float, float]] = []  # (first time, second time, speed)
        self._next_s = 0.0

    def see(self, before: tuple[float, Picture], after: tuple[float, Picture]) -> None:
        if after[0] < self._next_s:
            return
        speed = self._meter.speed(before[1], after[1], gap_s=after[0] - before[0])
        self._pairs.append((before[0], after[0], speed))
        self._next_s = after[0] + 1 / FLOW_PAIRS_HZ - 1e-6

    def values(self, starts: tuple[float, ...], steps: int, rate_hz: float) -> Column:
        """(T, 1); pairs across a cut do not count, steps without a pair take the nearest one's."""
        within = [
            (second, speed)
            for first, second, speed in self._pairs
            if bisect_right(starts, first + 1e-6) == bisect_right(starts, second + 1e-6)
        ]
        if not within:
            return np.zeros((steps, 1), np.float32)
        times, speeds = np.asarray(within).T
        step_of = np.clip((times * rate_hz).astype(int), 0, steps - 1)
        count = np.bincount(step_of, minlength=steps)
        total = np.bincount(step_of, weights=speeds, minlength=steps)
        known = np.flatnonzero(count)
        middles = (known[1:] + known[:-1]) / 2
        nearest = np.searchsorted(middles, np.arange(steps))
        mean: Column = (total[known] / count[known]).astype(np.float32)
        return mean[nearest, None]


def _encoder(semantic: str, clip_model: str | None) -> PictureEncoder | None:
    if semantic == "none":
        return None
    if semantic == "picture":
        return Lite0Encoder()
    if semantic == "clip":
        return ClipEncoder(clip_model)
    raise ValueError(f"semantic must be 'picture', 'clip' or 'none', got {semantic!r}")


def _scaled(clip: Clip, short_side: int) -> tuple[int, int]:
    """(width, height) with the given short side, never with more pixels than that needs."""
    aspect = float(np.clip(clip.width / max(1, clip.height), 1 / LONGEST, LONGEST))
    if aspect >= 1:
        return round(short_side * aspect), short_side
    return short_side, round(short_side / aspect)


def _scene_offset(starts: tuple[float, ...], steps: int, rate_hz: float) -> Column:
    times = np.arange(steps) / rate_hz
    began = np.asarray(starts)[np.searchsorted(np.asarray(starts), times + 1e-6, side="right") - 1]
    offset: Column = np.maximum(0.0, times - began)[:, None].astype(np.float32)
    return offset


def _track(values: NDArray[np.float32], rate_hz: float) -> ConditionTrack:
    batch = rearrange(torch.from_numpy(values), "t d -> 1 t d")
    return ConditionTrack(batch, torch.ones(batch.shape[:2], dtype=torch.bool), rate_hz)
