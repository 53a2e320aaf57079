"""Where shots begin: PySceneDetect's AdaptiveDetector, fed frame by frame, without its flashes.

The detector compares each frame's change with that of its neighbours, so that fast camera moves
are no cuts. Three things are added. Times are the frames' own, so variable frame rates are right.
A frame that stays on screen for long (a slide show) is fed several times, since the detector counts
frames. And a cut must last: where the pictures a fifth of a second before and after are alike, it
was a flash.
"""

from collections import deque
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detectors import AdaptiveDetector

from affetto.soundtrack import Cut

Picture = NDArray[np.uint8]

WIDTH = 128
TALLEST = 4  # heights beyond this many widths are squeezed
THUMBNAIL_WIDTH = 160
CLOCK = Fraction(1, 1_000_000)
WINDOW = 2  # frames on each side that the detector compares with
HOLD_S = 0.5  # a frame shown longer than this is a still picture
SETTLE_S = 0.2  # how far before and after a cut the pictures must differ
SHORTEST_S = 0.4  # of two cuts closer than this the first counts
ALIKE = 0.5  # a flash leaves less than this share of its own change behind
STRENGTH_SCALE = 50.0  # change (mean HSV difference, 0..255) at which strength is 1 - 1/e
MOST_RECENT = 512  # frames held at most, however odd their times


class ShotFinder:
    """Feed frames in order, then finish.

    Attributes:
        cuts: found so far, in order, at least `SHORTEST_S` apart; they come up to `SETTLE_S` late.
        thumbnails: (h, w, 3) uint8 RGB, one a shot, from a moment after its start.
    """

    def __init__(self, fps: Fraction) -> None:
        self.cuts: list[Cut] = []
        self.thumbnails: list[Picture] = []
        self._fps = fps
        self._detector = AdaptiveDetector(min_scene_len=0, window_width=WINDOW)
        self._recent: deque[tuple[float, Picture]] = deque(maxlen=MOST_RECENT)
        self._changes: deque[tuple[float, float]] = deque(maxlen=2 * WINDOW + 2)
        self._waiting: deque[tuple[float, float]] = deque()  # candidates: (time, change)
        self._fed_s = 0.0

    def feed(self, time_s: float, picture: Picture) -> None:
        """Take the next frame, (H, W, 3) uint8 RGB, all of one size."""
        height, width, _ = picture.shape
        tall = min(TALLEST * WIDTH, max(1, round(WIDTH * height / width)))
        small = np.asarray(
            cv2.resize(picture, (WIDTH, tall), interpolation=cv2.INTER_AREA), np.uint8
        )
        self._hold_until(time_s)
        self._detect(time_s, small)
        self._fed_s = time_s
        self._settle(time_s)

    def finish(self, end_s: float) -> None:
        """The film is over at `end_s`; decide on what is still open."""
        self._hold_until(end_s)
        self._settle(float("inf"))

    def _hold_until(self, time_s: float) -> None:
        """Feed a picture that stays on screen again, for the detector counts frames."""
        gap_s = time_s - self._fed_s
        if self._recent and gap_s > HOLD_S:
            for share in (0.25, 0.5, 0.75):
                self._detect(self._fed_s + share * gap_s, self._recent[-1][1])

    def _detect(self, time_s: float, small: Picture) -> None:
        change = _change(self._recent[-1][1], small) if self._recent else 0.0
        self._changes.append((time_s, change))
        self._recent.append((time_s, small))
        stamp = FrameTimecode(Timecode(round(time_s / CLOCK), CLOCK), self._fps)
        for found in self._detector.process_frame(stamp, cv2.cvtColor(small, cv2.COLOR_RGB2BGR)):
            self._waiting.append(min(self._changes, key=lambda c: abs(c[0] - found.seconds)))

    def _settle(self, now_s: float) -> None:
        if not self.thumbnails and now_s >= SETTLE_S:
            self.thumbnails.append(_thumbnail(self._after(0.0)))
        while self._waiting and now_s >= self._waiting[0][0] + SETTLE_S:
            time_s, change = self._waiting.popleft()
            last_s = self.cuts[-1].time_s if self.cuts else 0.0
            settled = self._after(time_s)
            if (
                time_s - last_s >= SHORTEST_S
                and _change(self._before(time_s), settled) >= ALIKE * change
            ):
                self.cuts.append(Cut(time_s, 1.0 - float(np.exp(-change / STRENGTH_SCALE))))
                self.thumbnails.append(_thumbnail(settled))
        # Candidates come WINDOW frames late, and each looks SETTLE_S back.
        needed_s = min([time for time, _ in self._waiting] + [self._changes[0][0]]) - SETTLE_S
        while len(self._recent) > 1 and self._recent[1][0] <= needed_s:
            self._recent.popleft()

    def _before(self, time_s: float) -> Picture:
        """The picture `SETTLE_S` before a cut, or the oldest one held."""
        early = [small for time, small in self._recent if time <= time_s - SETTLE_S]
        return early[-1] if early else self._recent[0][1]

    def _after(self, time_s: float) -> Picture:
        """The picture `SETTLE_S` after a cut, or the newest one held."""
        late = [small for time, small in self._recent if time >= time_s + SETTLE_S]
        return late[0] if late else self._recent[-1][1]


def _change(one: Picture, other: Picture) -> float:
    """PySceneDetect's content value: mean over pixels and hue, saturation, value, 0..255."""
    first, second = (cv2.cvtColor(small, cv2.COLOR_RGB2HSV) for small in (one, other))
    return float(cv2.absdiff(first, second).mean())


def _thumbnail(small: Picture) -> Picture:
    size = THUMBNAIL_WIDTH, max(1, round(THUMBNAIL_WIDTH * small.shape[0] / small.shape[1]))
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.uint8)
