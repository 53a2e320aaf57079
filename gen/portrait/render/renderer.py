"""Renderer: one row of motion in, one frame out; the same row gives the same bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.gen.portrait.render.eyes import EyePainter
from affetto.gen.portrait.render.monochrome import in_tone, tone_of
from affetto.gen.portrait.render.mouth import MouthPainter
from affetto.gen.portrait.render.plate import foreground
from affetto.gen.portrait.render.portrait import Portrait
from affetto.gen.portrait.render.raster import lay_over
from affetto.gen.portrait.render.shading import ShadingMaps
from affetto.gen.portrait.render.warp import HeadWarp
from affetto.motion import CHANNELS

Floats = NDArray[np.float32]

MIN_SIDE, MAX_SIDE = 128, 1536
REACH = 0.3  # eye-corner distances that anything may move beyond the matte
BAND_PX = 48  # height of the parts a frame is drawn in
PASTE_RIM = 0.02  # of the crop's side, faded into the photo
NO_MAP: Any = None  # the map is one array of x and y; an empty array leaves pixels unset
REQUIRED = "a row of motion has {channels} finite values, got {got}"


class Renderer:
    """A portrait ready to move.

    Layers, back to front: plate, head (one bicubic reading of the neutral picture through the
    warp), eyes, shading, mouth. A photo of one tone stays in it. Nothing is kept between frames.
    """

    def __init__(self, portrait: Portrait, *, size: int | None = 512) -> None:
        """Prepare.

        Args:
            portrait: from `analyse`.
            size: side of square frames in pixels; None: frames are the whole photo at its own
                resolution with the moving square pasted back.

        Raises:
            BadInput: a size that is not 128 to 1536.
        """
        if size is not None and not MIN_SIDE <= size <= MAX_SIDE:
            raise BadInput(f"frames are {MIN_SIDE} to {MAX_SIDE} pixels wide, got {size}")
        side = portrait.box[2]
        self.pasted = size is None
        self.portrait = portrait.at(size or int(np.clip(side, MIN_SIDE, MAX_SIDE)))
        work = self.portrait
        self.warp = HeadWarp(work)
        self.eyes = EyePainter(work, self.warp)
        self.shading = ShadingMaps(work)
        self.mouth = MouthPainter(work)
        self.tone = tone_of(work.picture)
        self.head = foreground(work.neutral, work.matte, work.plate)
        self.bands = self._bands()
        self.still = np.empty_like(work.picture)
        lay_over(self.head, work.plate, self.still)
        self.rim = self._rim() if self.pasted else np.zeros(0, dtype=np.float32)

    def frame(self, row: Floats) -> Picture:
        """Draw one frame.

        Args:
            row: (62,) one row of `Motion.values`.

        Returns:
            (size, size, 3) uint8 RGB; as large as the photo where the renderer pastes back.

        Raises:
            BadInput: not 62 finite values.
        """
        row = np.asarray(row, dtype=np.float32)
        if row.shape != (len(CHANNELS),) or not np.isfinite(row).all():
            raise BadInput(REQUIRED.format(channels=len(CHANNELS), got=row.shape))
        frame = self._square(row)
        return self._paste(frame) if self.pasted else frame

    def cover(self, row: Floats) -> NDArray[np.uint8]:
        """(size, size) opacity of head and shoulders in a frame; 0 is background that stands still.

        Of the moving square, also where the renderer pastes back.
        """
        import cv2

        # Bicubic reading looks two pixels around.
        matte = np.asarray(cv2.dilate(self.head[..., 3], np.ones((5, 5), np.uint8)))
        sheet, *_ = self._map(row)
        covered = matte.copy()
        for band in self.bands:
            covered[band] = cv2.remap(matte, sheet[band], NO_MAP, cv2.INTER_LINEAR)
        return np.asarray(covered, dtype=np.uint8)

    def _square(self, row: Floats) -> Picture:
        import cv2

        sheet, shaped, shut, points = self._map(row)
        frame = self.still.copy()
        for band in self.bands:
            layer = cv2.remap(
                self.head, sheet[band], NO_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            lay_over(np.asarray(layer, np.uint8), self.portrait.plate[band], frame[band])
        self.eyes.paint(frame, shaped, row, shut)
        frame = self.shading.apply(frame, points, row)
        frame = self.mouth.paint(frame, points, row)
        return frame if self.tone is None else in_tone(frame, self.tone)

    def _map(self, row: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Backward map (S, S, 2), face before the head's turn, lids' closing, face after it."""
        shaped = self.warp.shaped(row)
        shut = self.eyes.close(shaped, row)
        places = self.warp.places(shaped, row)
        sheet = self.warp.sheet(places)
        return sheet, shaped, shut, np.ascontiguousarray(places[: len(shaped)])

    def _bands(self) -> list[tuple[slice, slice]]:
        """Parts of the frame, row by row, that can change: where the head is or may come."""
        import cv2

        work, size = self.portrait, self.portrait.size
        live = np.zeros((size, size), dtype=np.uint8)
        held = self.warp.triangles[(self.warp.hold[self.warp.triangles] > 0).any(axis=1)]
        cv2.fillPoly(live, list(np.round(self.warp.rest[held, :2]).astype(np.int32)), 1)
        reach = 2 * round(REACH * work.eye_distance_px) + 1
        near = cv2.dilate(live & (work.matte > 0), np.ones((reach, reach), np.uint8))
        bands = []
        for top in range(0, size, BAND_PX):
            columns = np.nonzero(np.asarray(near)[top : top + BAND_PX].any(axis=0))[0]
            if len(columns):
                across = slice(int(columns[0]), int(columns[-1]) + 1)
                bands.append((slice(top, min(top + BAND_PX, size)), across))
        return bands

    def _rim(self) -> Floats:
        """(side, side, 1) how much of the photo the moving square replaces: less at its edge."""
        left, top, side = self.portrait.box
        height, width = self.portrait.photo.shape[:2]
        steps = np.arange(side) + 1.0
        rim = max(1.0, PASTE_RIM * side)
        # No fading where the square ends with the photo.
        ramps = []
        for start, length in ((left, width), (top, height)):
            low = np.full(side, np.inf) if start == 0 else steps
            high = np.full(side, np.inf) if start + side == length else steps[::-1]
            ramps.append(np.clip(np.minimum(low, high) / rim, 0, 1))
        return np.asarray((ramps[1][:, None] * ramps[0])[..., None], dtype=np.float32)

    def _paste(self, frame: Picture) -> Picture:
        """The photo with the moving square in its place."""
        import cv2

        left, top, side = self.portrait.box
        if len(frame) != side:
            frame = np.asarray(cv2.resize(frame, (side, side), interpolation=cv2.INTER_CUBIC))
        whole = self.portrait.photo.copy()
        place = whole[top : top + side, left : left + side]
        mixed = place + self.rim * (frame.astype(np.float32) - place)
        whole[top : top + side, left : left + side] = np.round(mixed).astype(np.uint8)
        return whole
