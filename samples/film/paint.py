"""Paper-cut drawing: sheets of textured paper, cut with soft edges and stacked with shadows.

Every picture is (H, W, 3) uint8 RGB, drawn in place. Coordinates are pixels, y down; cuts are
anti-aliased with 1/16 pixel steps so that slow camera moves stay smooth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 1280, 720, 24
MARGIN = 64  # sheets are wider than the picture, so that they can slide

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Colour = tuple[int, int, int]


def rgb(text: str) -> Colour:
    """'#rrggbb' as a triple."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with `share` (0..1) of `second`."""
    one, two = np.array(first, float), np.array(second, float)
    red, green, blue = (one + (two - one) * share).round().astype(int).tolist()
    return (red, green, blue)


def scaled(colour: Colour, factor: float) -> Colour:
    """The colour made darker or brighter, clipped."""
    red, green, blue = (min(255, max(0, round(part * factor))) for part in colour)
    return (red, green, blue)


def sheet(
    rng: np.random.Generator, stops: Sequence[tuple[float, str]], *, fibre: float = 2.2
) -> Picture:
    """A sheet of paper coloured from top to bottom, with fibres and dither.

    Args:
        rng: for the fibres.
        stops: (y in pixels, '#rrggbb'), y rising.
        fibre: strength of the paper's texture in grey levels.
    """
    rows = np.arange(HEIGHT, dtype=np.float32)
    places = [y for y, _ in stops]
    colours = np.array([rgb(text) for _, text in stops], np.float32)
    column = np.stack([np.interp(rows, places, colours[:, c]) for c in range(3)], axis=-1)
    wide = WIDTH + 2 * MARGIN
    speck = rng.standard_normal((HEIGHT, wide)).astype(np.float32)
    long = cv2.GaussianBlur(speck, (0, 0), sigmaX=5, sigmaY=0.8) * 3.0
    soft = cv2.GaussianBlur(speck, (0, 0), 1.2) * 1.6
    texture = fibre * (0.5 * long + 0.5 * soft)[..., None]
    dither = rng.uniform(-0.5, 0.5, (HEIGHT, wide, 1)).astype(np.float32)
    return np.clip(column[:, None, :] + texture + dither, 0, 255).round().astype(np.uint8)


def crop(paper: Picture, shift: float = 0.0) -> Picture:
    """The picture-wide part of a sheet, moved left by `shift` pixels (kept within its margin)."""
    left = MARGIN + round(float(np.clip(shift, -MARGIN, MARGIN)))
    return paper[:, left : left + WIDTH]


def cut(points: NDArray[np.floating], canvas: Picture, colour: Colour | int) -> None:
    """Fill one polygon (N, 2), anti-aliased."""
    fixed = np.round(points * 16).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, 4)


def stroke(
    points: NDArray[np.floating], canvas: Picture, colour: Colour | int, width: int = 1
) -> None:
    """Draw an open line (N, 2), anti-aliased."""
    fixed = np.round(points * 16).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, colour, width, cv2.LINE_AA, 4)


def disc(canvas: Picture, x: float, y: float, radius: float, colour: Colour | int) -> None:
    """A filled circle, anti-aliased."""
    centre = (round(x * 16), round(y * 16))
    cv2.circle(canvas, centre, max(1, round(radius * 16)), colour, -1, cv2.LINE_AA, 4)


def paste(
    canvas: Picture, mask: Picture, paper: Picture, *, shadow: float = 0.0, spread: float = 10.0
) -> None:
    """Lay `paper` (H, W, 3) on the canvas where `mask` (H, W) is set, with a soft shadow behind.

    Args:
        canvas: changed in place.
        mask: 0..255, soft edges allowed.
        paper: a picture-sized sheet.
        shadow: darkness of the shadow, 0 none, 1 black.
        spread: blur of the shadow in pixels.
    """
    used = np.flatnonzero(mask.max(axis=1))
    if used.size == 0:
        return
    reach = int(3 * spread) if shadow > 0 else 0
    top, bottom = max(0, int(used[0]) - reach), min(HEIGHT, int(used[-1]) + 1 + reach)
    view, cover = canvas[top:bottom], mask[top:bottom]
    if shadow > 0:
        small = cv2.resize(cover, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), spread / 4)
        light = cv2.convertScaleAbs(small, alpha=-shadow, beta=0)
        light = cv2.resize(255 - light, (WIDTH, bottom - top), interpolation=cv2.INTER_LINEAR)
        cv2.multiply(view, cv2.merge([light] * 3), dst=view, scale=1 / 255)
    cover3 = cv2.merge([cover] * 3)
    kept = cv2.multiply(view, 255 - cover3, scale=1 / 255)
    laid = cv2.multiply(np.ascontiguousarray(paper[top:bottom]), cover3, scale=1 / 255)
    cv2.add(kept, laid, dst=view)


def blank() -> Picture:
    """An empty mask (H, W)."""
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def under(height: NDArray[np.floating], xs: NDArray[np.floating]) -> Picture:
    """The mask of everything below a ridge line y = height(x)."""
    mask = blank()
    line = np.stack([xs, height], axis=-1)
    ends = np.array([[xs[-1], HEIGHT + 9.0], [xs[0], HEIGHT + 9.0]])
    cut(np.concatenate([line, ends]), mask, 255)
    return mask


@dataclass(frozen=True)
class Noise:
    """Smooth one-dimensional noise in [-1, 1] from a table of random values."""

    table: Floats

    @staticmethod
    def made(rng: np.random.Generator) -> "Noise":
        """A new noise."""
        return Noise(rng.uniform(-1, 1, 4096).astype(np.float32))

    def __call__(self, x: NDArray[np.floating] | float, octaves: int = 1) -> NDArray[np.floating]:
        """Noise at x; each octave doubles the frequency and halves the height."""
        total = np.zeros_like(np.asarray(x, np.float64))
        for octave in range(octaves):
            place = np.asarray(x, np.float64) * 2**octave + 57.3 * octave
            whole = np.floor(place)
            part = place - whole
            smooth = part * part * part * (part * (part * 6 - 15) + 10)
            index = whole.astype(np.int64) % len(self.table)
            one, two = self.table[index], self.table[(index + 1) % len(self.table)]
            total += (one + (two - one) * smooth) / 2**octave
        return total


def clouds(
    rng: np.random.Generator, height: int, width: int, *, size: float = 200.0, stretch: float = 3.0
) -> Floats:
    """Fractal cloud (height, width) in 0..1; `size` is the largest billow in pixels."""
    total = np.zeros((height, width), np.float32)
    for octave in range(5):
        step = size / 2**octave
        rows, columns = int(height / step) + 3, int(width / (step * stretch)) + 3
        coarse = rng.uniform(0, 1, (rows, columns)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    total -= total.min()
    return total / total.max()


@lru_cache(maxsize=256)
def _spot(radius: int, colour: Colour) -> Picture:
    axis = np.linspace(-1, 1, 2 * radius + 1, dtype=np.float32)
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2)
    fall = np.clip(1 - distance, 0, 1) ** 2.2
    rng = np.random.default_rng(radius)
    dither = rng.uniform(-0.5, 0.5, fall.shape)[..., None]
    light = fall[..., None] * np.array(colour, np.float32)
    return np.clip(light + dither * (light > 0.5), 0, 255).round().astype(np.uint8)


def glow(canvas: Picture, x: float, y: float, radius: float, colour: Colour) -> None:
    """Add a soft light."""
    size = max(2, round(radius))
    spot = _spot(size, colour)
    left, top = round(x) - size, round(y) - size
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(WIDTH, left + spot.shape[1]), min(HEIGHT, top + spot.shape[0])
    if x0 < x1 and y0 < y1:
        view = canvas[y0:y1, x0:x1]
        part = np.ascontiguousarray(spot[y0 - top : y1 - top, x0 - left : x1 - left])
        view[:] = cv2.add(np.ascontiguousarray(view), part)
