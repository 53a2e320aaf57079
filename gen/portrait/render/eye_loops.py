"""The eyes' inner loop: lid skin, lashes, iris and eyeball of one eye, pixel by pixel.

Textures are twice as fine as the picture with every picture pixel kept (even places), so that
linear reading is nearly as sharp as cubic and exact where nothing moves.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.gen.portrait.render.compiled import compiled

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

# Rows of the curves handed in, each by column of the eye's box in the work picture.
UPPER_REST, UPPER, LOWER_REST, LOWER, FOLD_REST, FOLD, SIDEWAYS = range(7)
CORNER_FADE_PX = 3.0
# Places of the numbers handed in.
LASH, CREASE, GAZE_X, GAZE_Y, IRIS_X, IRIS_Y, IRIS_RADIUS, SHUT, SHADE, FIRST, LAST = range(11)
LASH_RED, LASH_GREEN, LASH_BLUE = range(11, 14)
LASH_LINE = 0.8  # how much of the lashes' own colour a shut eye's line has


@compiled
def _read(texture: Floats, x: float, y: float, colour: Floats) -> None:
    """Linear reading of a doubled texture at picture coordinates of its box."""
    height, width = texture.shape[0], texture.shape[1]
    x = min(max(2 * x, 0.0), width - 1.001)
    y = min(max(2 * y, 0.0), height - 1.001)
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    for c in range(3):
        top = texture[j, i, c] * (1 - fx) + texture[j, i + 1, c] * fx
        low = texture[j + 1, i, c] * (1 - fx) + texture[j + 1, i + 1, c] * fx
        colour[c] = top * (1 - fy) + low * fy


@compiled
def _ramp(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@compiled
def _mix(colour: Floats, other: Floats, share: float) -> None:
    for c in range(3):
        colour[c] += share * (other[c] - colour[c])


@compiled
def _see_ball(
    x: float,
    y: float,
    lids: tuple[float, float, float, float],
    looking: float,
    numbers: Floats,
    textures: tuple[Floats, Floats, Floats],
    colour: Floats,
    other: Floats,
) -> float:
    """Eyeball and iris at a place into `colour`; gives what the lid's moved shadow makes of it."""
    upper, lower, upper_rest, lower_rest = lids
    skin, ball, iris = textures
    lash, radius = numbers[LASH], numbers[IRIS_RADIUS]
    gx, gy = numbers[GAZE_X], numbers[GAZE_Y]
    moved_up = _ramp(abs(upper - upper_rest))
    moved_low = _ramp(abs(lower - lower_rest))
    known = _ramp((y - upper_rest) / 1.5 + 1 - moved_up * (1 + lash / 1.5))
    known *= _ramp((lower_rest - y) / 1.5 + 1 - moved_low * 1.7)
    known *= 1 - looking
    _read(ball, x, y, colour)
    dx, dy = x - gx - numbers[IRIS_X], y - gy - numbers[IRIS_Y]
    disc = _ramp((radius - np.sqrt(dx * dx + dy * dy)) / 1.6 + 0.5)
    if disc > 0:
        _read(iris, x - gx, y - gy, other)
        _mix(colour, other, disc)
    if known > 0:
        _read(skin, x, y, other)
        _mix(colour, other, known)
    # The upper lid's shadow goes with it.
    shadow_now = np.exp(-max(y - upper, 0.0) / (1.6 * lash))
    shadow_rest = np.exp(-max(y - upper_rest, 0.0) / (1.6 * lash))
    shadow: float = (1 - numbers[SHADE] * shadow_now) / (1 - numbers[SHADE] * shadow_rest)
    return shadow


@compiled
def _see_lid(
    x: float,
    y: float,
    lids: tuple[float, float, float, float],
    numbers: Floats,
    textures: tuple[Floats, Floats],
    other: Floats,
    colour: Floats,
) -> None:
    """Skin of the upper lid at a place into `other`: edge and fold keep their width."""
    upper, fold, upper_rest, fold_rest = lids
    skin, lid = textures
    lash, crease, shut = numbers[LASH], numbers[CREASE], numbers[SHUT]
    tall, tall_rest = upper - fold, upper_rest - fold_rest
    rigid_low = min(lash * 1.2, 0.45 * tall_rest)
    rigid_top = min(crease, 0.3 * tall_rest)
    bare = 0.0
    if tall <= rigid_low + rigid_top + 0.5:
        place = fold_rest + (y - fold) * tall_rest / max(tall, 0.1)
    elif upper - y < rigid_low:
        place = upper_rest - (upper - y)
    elif y - fold < rigid_top:
        place = fold_rest + (y - fold)
        bare = 0.2 * shut  # the fold smooths out
    else:
        share = (y - fold - rigid_top) / (tall - rigid_low - rigid_top)
        span = tall_rest - rigid_low - rigid_top
        place = fold_rest + rigid_top + share * span
        into = min(y - fold - rigid_top, upper - y - rigid_low)
        stretch = (tall - rigid_low - rigid_top) / max(span, 0.5)
        soft = 0.35 * (tall - rigid_low - rigid_top)
        bare = 0.85 * _ramp(into / soft + 0.25) * _ramp((stretch - 1.2) / 1.5)
    _read(skin, x, place, other)
    if bare > 0:
        _read(lid, x, upper_rest - (upper - y), colour)
        _mix(other, colour, bare)


@compiled
def _draw_lashes(below: float, left: float, right: float, numbers: Floats, base: Floats) -> None:
    """The line of a shut eye: thick and dark at the lids' meeting, hairs soft below it."""
    lash, width = numbers[LASH], left + right
    thick = 0.35 * lash + 0.25
    if below > 0:
        thick += 0.35 * lash
    thick *= 0.4 + 0.6 * _ramp(5 * min(left, right) / width)
    share = LASH_LINE * numbers[SHUT] * np.exp(-((below / thick) ** 2))
    for c in range(3):
        tone = numbers[LASH_RED + c]
        if base[c] > tone:
            base[c] += share * (tone - base[c])


@compiled
def paint_eye(
    frame: Bytes,
    window: NDArray[np.int32],
    back: Floats,
    curves: Floats,
    numbers: Floats,
    skin: Floats,
    lid: Floats,
    ball: Floats,
    iris: Floats,
) -> None:
    """Paint one eye into the frame.

    Args:
        frame: (H, W, 3), changed in place.
        window: left, top, right, bottom in the frame.
        back: (2, 3) from frame pixels to the eye's box.
        curves: (7, N) y at each column of the box, see the names above; the last is how far skin
            went sideways.
        numbers: (14,) in pixels, the last three the lashes' colour, see the names above.
        skin: (2 h, 2 w, 3) the neutral picture's box.
        lid: the same box as bare lid skin.
        ball: the same box with the iris taken out and the lids opened.
        iris: the same box with the iris whole, valid near the disc.
    """
    columns = curves.shape[1]
    first, last = numbers[FIRST], numbers[LAST]
    lash, shut = numbers[LASH], numbers[SHUT]
    gx, gy = numbers[GAZE_X], numbers[GAZE_Y]
    looking = _ramp(np.sqrt(gx * gx + gy * gy) / 1.5)
    colour = np.empty(3, dtype=np.float32)
    other = np.empty(3, dtype=np.float32)
    base = np.empty(3, dtype=np.float32)
    for py in range(window[1], window[3]):
        for px in range(window[0], window[2]):
            x = back[0, 0] * px + back[0, 1] * py + back[0, 2]
            y = back[1, 0] * px + back[1, 1] * py + back[1, 2]
            side = min(x - first, last - x) / CORNER_FADE_PX
            if side <= 0 or x < 1 or x > columns - 2:
                continue
            i = int(x)
            f = x - i
            upper = curves[UPPER, i] * (1 - f) + curves[UPPER, i + 1] * f
            fold = curves[FOLD, i] * (1 - f) + curves[FOLD, i + 1] * f
            lower = curves[LOWER, i] * (1 - f) + curves[LOWER, i + 1] * f
            if y < fold or y > max(lower, upper) + lash + 1:
                continue
            upper_rest = curves[UPPER_REST, i] * (1 - f) + curves[UPPER_REST, i + 1] * f
            fold_rest = curves[FOLD_REST, i] * (1 - f) + curves[FOLD_REST, i + 1] * f
            lower_rest = curves[LOWER_REST, i] * (1 - f) + curves[LOWER_REST, i + 1] * f
            aside = curves[SIDEWAYS, i] * (1 - f) + curves[SIDEWAYS, i + 1] * f
            moved_up = _ramp(abs(upper - upper_rest))
            for c in range(3):
                base[c] = frame[py, px, c]
            cover = _ramp(min(y - upper, lower - y) + 0.5)
            if cover > 0:
                lids = (upper, lower, upper_rest, lower_rest)
                shadow = _see_ball(x, y, lids, looking, numbers, (skin, ball, iris), colour, other)
                for c in range(3):
                    base[c] += cover * (min(colour[c] * min(shadow, 1.06), 255.0) - base[c])
            if y >= upper and y < upper + lash:
                # Lashes that hang over the eye's edge come along.
                _read(skin, x - aside, upper_rest + (y - upper), other)
                weight = 1 - (y - upper) / lash
                lighter = other[0] + other[1] + other[2] - base[0] - base[1] - base[2]
                if lighter > 0:
                    weight *= 1 - moved_up
                _mix(base, other, weight * (1 - shut))
            over = _ramp(upper - y + 0.5)
            if over > 0:
                lids = (upper, fold, upper_rest, fold_rest)
                _see_lid(x - aside, y, lids, numbers, (skin, lid), other, colour)
                _mix(base, other, over * _ramp((y - fold) / 2.0))
            if shut > 0:
                _draw_lashes(y - upper, x - first, last - x, numbers, base)
            # Corners: nothing may end abruptly.
            side = _ramp(side)
            for c in range(3):
                value = frame[py, px, c] + side * (base[c] - frame[py, px, c])
                frame[py, px, c] = np.uint8(min(max(value + 0.5, 0.0), 255.0))
