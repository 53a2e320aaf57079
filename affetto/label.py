"""The words 'AI-generated' in a lower corner of every frame of a talking portrait."""

import cv2
import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

TEXT = "AI-generated"
SHARE, SMALLEST_PX = 0.028, 9.0  # height of the letters' line, of the frame's shorter side
PADDING, MARGIN, ROUND = 0.45, 0.55, 0.45  # of that height
PLATE, LETTERS = 0.42, 0.92  # opacity of the dark plate, of the white letters


class Label:
    """The words for frames of one size, drawn once and laid over each."""

    def __init__(self, *, width: int, height: int, on_left: bool = False) -> None:
        """Draw.

        Args:
            width: of the frames in pixels.
            height: of the frames in pixels.
            on_left: the lower left corner instead of the right one.
        """
        size = max(SMALLEST_PX, SHARE * min(width, height))
        shade = _plate(size)[:height, :width]  # (h, w) letters, plate
        rows, columns = shade.shape[:2]
        margin = min(round(MARGIN * size), height - rows, width - columns)
        top, left = height - rows - margin, margin if on_left else width - columns - margin
        self.place = (slice(top, top + rows), slice(left, left + columns))
        letters, plate = LETTERS * shade[..., :1], PLATE * shade[..., 1:]
        self.kept = (1 - letters) * (1 - plate)
        self.added = 255 * letters

    def drawn(self, frame: Picture) -> Picture:
        """The frame with the words, (H, W, 3) uint8 RGB; the frame given stays as it is."""
        labelled = frame.copy()
        labelled[self.place] = np.rint(frame[self.place] * self.kept + self.added)
        return labelled


def _plate(size: float) -> NDArray[np.float32]:
    """(h, w, 2) coverage in 0..1 of the letters and of the rounded plate under them."""
    from PIL import Image, ImageDraw, ImageFont

    finer = 4  # drawn larger and averaged down, so that small letters stay even
    font = ImageFont.load_default(size * finer)
    left, top, right, bottom = font.getbbox(TEXT)
    pad = PADDING * size * finer
    area = (round((right - left + 2 * pad) / finer), round((bottom - top + 1.4 * pad) / finer))
    large = (area[0] * finer, area[1] * finer)
    layers = [Image.new("L", large) for _ in range(2)]
    ImageDraw.Draw(layers[0]).text((pad - left, 0.7 * pad - top), TEXT, fill=255, font=font)
    ImageDraw.Draw(layers[1]).rounded_rectangle(
        (0, 0, large[0] - 1, large[1] - 1), radius=ROUND * size * finer, fill=255
    )
    both = np.stack([np.asarray(layer) for layer in layers], axis=-1).astype(np.float32)
    return np.asarray(cv2.resize(both / 255, area, interpolation=cv2.INTER_AREA), np.float32)
