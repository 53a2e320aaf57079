"""Light and colour of a picture as four numbers with closed forms.

Brightness and saturation are those of the improved hue-luminance-saturation space (Hanbury and
Serra 2003), as Machajdik and Hanbury 2010 use them for emotion: unlike HSV's, this saturation does
not explode in the noise of dark pictures. Colourfulness is Hasler and Suesstrunk 2003, M3.
"""

import numpy as np
from numpy.typing import NDArray

LUMA = np.asarray([0.2126, 0.7152, 0.0722], dtype=np.float32)  # ITU-R BT.709
MOST_COLOURFUL = 109.0  # "extremely colourful" on Hasler and Suesstrunk's scale


def read_light(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure one picture.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        (4,) float32: brightness (mean luma, 0..1), contrast (twice the standard deviation of luma,
        0..1), saturation (mean of largest minus smallest channel, 0..1) and colourfulness (M3 /
        109; 0 is grey, 1 extremely colourful, pure colours side by side exceed it).
    """
    rgb = picture.astype(np.float32)
    luma = rgb @ LUMA / 255.0  # (H, W)
    saturation = (rgb.max(axis=-1) - rgb.min(axis=-1)) / 255.0  # (H, W)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    red_green, yellow_blue = red - green, 0.5 * (red + green) - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return np.asarray(
        [
            luma.mean(),
            min(1.0, 2.0 * luma.std()),
            saturation.mean(),
            (spread + 0.3 * offset) / MOST_COLOURFUL,
        ],
        dtype=np.float32,
    )
