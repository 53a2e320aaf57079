"""Photos of one tone, grey or sepia: what is drawn into them must be of that tone too."""

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

NEAR_LEVELS = 6.0  # of 255 that a photo's colours may lie off its tone
NEAR_SHARE = 0.99  # of the pixels that lie so near
EVERY = 2  # pixels between those that are looked at
STEP = 16  # levels of brightness over which the tone is measured at once


def tone_of(picture: Picture) -> NDArray[np.uint8] | None:
    """The one tone of a photo.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        (256, 3) the colour at each brightness, or None where a photo has several colours.
    """
    import cv2

    picture = np.ascontiguousarray(picture[::EVERY, ::EVERY])
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    levels = np.arange(256)
    middles, colours = [], []
    for low in range(0, 256, STEP):
        here = (grey >= low) & (grey < low + STEP)
        if here.sum() > 4:
            middles.append(float(grey[here].mean()))
            colours.append(picture[here].mean(axis=0))
    if not middles:
        return None
    off = np.asarray(colours) - np.asarray(middles)[:, None]
    tone = np.stack([levels + np.interp(levels, middles, off[:, c]) for c in range(3)], axis=1)
    apart = np.abs(picture - tone[grey]).max(axis=-1)
    if np.quantile(apart, NEAR_SHARE) > NEAR_LEVELS:
        return None
    return np.clip(np.round(tone), 0, 255).astype(np.uint8)


def in_tone(frame: Picture, tone: NDArray[np.uint8]) -> Picture:
    """A frame (S, S, 3) of that one tone (256, 3)."""
    import cv2

    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.LUT(cv2.merge([grey] * 3), tone[None]), dtype=np.uint8)
