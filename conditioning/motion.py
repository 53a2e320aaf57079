"""How much moves: frame difference as in Video2Music, and optical flow."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

FLOW_WIDTH = 160


def frame_difference(before: Picture, after: Picture) -> float:
    """Mean absolute difference of two adjacent frames over pixels and RGB, 0..255.

    Kang, Poria and Herremans 2023 (Video2Music), section 3.2.3: measured once a second. They take
    full-size frames; ours are scaled down first, which removes grain but hardly touches motion.
    """
    return float(cv2.absdiff(before, after).mean())


class FlowMeter:
    """Mean optical-flow magnitude of pairs of frames (DIS, Kroeger et al. 2016)."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def speed(self, before: Picture, after: Picture, *, gap_s: float) -> float:
        """Mean speed in frame widths per second.

        Args:
            before: (H, W, 3) uint8 RGB.
            after: the same shape, `gap_s` seconds later.
            gap_s: > 0.
        """
        height, width, _ = before.shape
        # DIS needs some pixels to work on; frame widths make the result independent of the size.
        size = FLOW_WIDTH, int(np.clip(round(FLOW_WIDTH * height / width), 32, 4 * FLOW_WIDTH))
        first, second = (
            cv2.resize(
                cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA
            )
            for picture in (before, after)
        )
        start = np.zeros((size[1], size[0], 2), np.float32)
        flow = np.asarray(self._dis.calc(first, second, start))  # (H, W, 2) pixels
        horizontal, vertical = flow[..., 0], flow[..., 1] * (size[0] * height / width / size[1])
        return float(np.hypot(horizontal, vertical).mean()) / size[0] / gap_s
