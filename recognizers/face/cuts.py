"""Is this picture of another shot than the last one looked at? Rough, for pictures 0.2 s apart.

Two measures on a thumbnail must agree: the colours' histogram has changed (a moving camera keeps
it) and the pixels have (a flash changes them less than a cut). `affetto.conditioning` has the
finer finder that sees every frame; this one only has to keep a face's track from running on in
another person.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

THUMBNAIL = (32, 18)
BINS = 4  # of each colour
HISTOGRAM_CHANGE = 0.35  # share of pixels whose colour went elsewhere
PIXEL_CHANGE = 0.10  # mean difference of 0..1


class CutFinder:
    """Compares each picture with the one before."""

    def __init__(self) -> None:
        self.last: NDArray[np.float32] | None = None

    def is_cut(self, picture: Picture) -> bool:
        """Whether (H, W, 3) uint8 RGB opens another shot; False for the first one."""
        import cv2

        small = cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        last, self.last = self.last, small
        if last is None:
            return False
        pixels = float(np.abs(small - last).mean() / 255)
        colours = float(np.abs(_histogram(small) - _histogram(last)).sum() / 2)
        return pixels > PIXEL_CHANGE and colours > HISTOGRAM_CHANGE


def _histogram(small: NDArray[np.float32]) -> NDArray[np.float64]:
    """(BINS^3,) shares of pixels by colour."""
    levels = np.minimum((small / 256 * BINS).astype(np.intp), BINS - 1).reshape(-1, 3)
    index = levels @ np.asarray([BINS * BINS, BINS, 1])
    return np.bincount(index, minlength=BINS**3) / len(index)
