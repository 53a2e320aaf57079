"""The things of the story: the paper boat and its lantern, water, rain, birds, the last polish."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from film.paint import (
    HEIGHT,
    WIDTH,
    Colour,
    Floats,
    Noise,
    Picture,
    cut,
    disc,
    glow,
    mix,
    rgb,
    scaled,
    stroke,
)

WARM = rgb("#ffb347")


@dataclass(frozen=True)
class Boat:
    """Where and how the boat is drawn.

    Attributes:
        x, y: the middle of its waterline in pixels.
        size: half its length in pixels.
        tilt: radians, positive lowers the bow (right).
        flame: 0 dark .. 1 fully lit.
        light: colour of the paper in the light.
        shade: colour of the paper in the shade.
        swing: angle of the hanging lantern in radians.
    """

    x: float
    y: float
    size: float
    tilt: float = 0.0
    flame: float = 1.0
    light: Colour = (250, 244, 232)
    shade: Colour = (186, 176, 190)
    swing: float = 0.0


def draw_boat(canvas: Picture, boat: Boat) -> None:
    """The origami boat with a lantern on a bent reed."""
    cosine, sine = np.cos(boat.tilt), np.sin(boat.tilt)
    turn = np.array([[cosine, sine], [-sine, cosine]]) * boat.size

    def at(points: list[tuple[float, float]]) -> NDArray[np.float64]:
        return np.array(points) @ turn + (boat.x, boat.y)

    lit = mix(boat.light, (255, 214, 150), 0.35 * boat.flame)
    deep = scaled(boat.shade, 0.72)
    cut(at([(-1, -0.40), (-0.3, -0.22), (0.3, -0.22), (1, -0.40), (0.5, 0.0), (-0.5, 0.0)]),
        canvas, deep)  # fmt: skip
    cut(at([(-0.47, -0.10), (0, -0.86), (0, -0.04)]), canvas, mix(boat.shade, boat.light, 0.45))
    cut(at([(0, -0.86), (0.47, -0.10), (0, -0.04)]), canvas, lit)
    cut(at([(-1, -0.40), (0, -0.10), (0, 0.13), (-0.60, 0.13)]), canvas, boat.shade)
    cut(at([(1, -0.40), (0, -0.10), (0, 0.13), (0.60, 0.13)]), canvas, lit)
    cut(at([(0, -0.10), (0.60, 0.13), (0, 0.13)]), canvas, mix(lit, boat.shade, 0.45))
    line = max(1, round(boat.size / 90))
    stroke(at([(-1, -0.40), (0, -0.10), (1, -0.40)]), canvas, mix(lit, (255, 255, 255), 0.5), line)
    bend = np.linspace(0, 1, 12)
    reed = [(0.52 + 0.42 * b**1.4, -0.2 - 0.98 * np.sin(b * 1.75)) for b in bend]
    stroke(at(reed), canvas, scaled(boat.shade, 0.45), max(1, round(boat.size / 38)))
    tip = at([reed[-1]])[0]
    hang = boat.size * 0.30
    centre = tip + hang * np.array([np.sin(boat.swing), np.cos(boat.swing)])
    stroke(np.stack([tip, centre]), canvas, scaled(boat.shade, 0.45), line)
    _lantern(canvas, float(centre[0]), float(centre[1]), 0.17 * boat.size, boat.flame)


def _lantern(canvas: Picture, x: float, y: float, radius: float, flame: float) -> None:
    body = mix(rgb("#5b4f55"), rgb("#ff9a3d"), flame)
    core = mix(rgb("#6d6064"), rgb("#fff0c4"), flame)
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    for share, colour in ((1.0, body), (0.66, mix(body, core, 0.55)), (0.36, core)):
        oval = np.stack([np.cos(angle) * radius * share, np.sin(angle) * radius * 1.12 * share], -1)
        cut(oval + np.array([x, y]), canvas, colour)
    wood = mix(rgb("#2a2228"), rgb("#7a3a16"), 0.6 * flame)
    if radius > 9:
        for rib in (-0.5, 0.0, 0.5):
            half = radius * np.sqrt(1 - rib * rib)
            bow = [(x - half, y + rib * radius), (x + half, y + rib * radius)]
            stroke(np.array(bow), canvas, mix(body, wood, 0.35), 1)
    cap = radius * 0.5
    for side in (-1, 1):
        edge = y + side * radius * 1.08
        box = [(x - cap, edge), (x + cap, edge), (x + cap, edge + side * radius * 0.22),
               (x - cap, edge + side * radius * 0.22)]  # fmt: skip
        cut(np.array(box), canvas, wood)
    if flame > 0.02:
        glow(canvas, x, y, radius * 8, scaled(WARM, 0.55 * flame))
        glow(canvas, x, y, radius * 2.6, scaled(rgb("#ffe2a0"), 0.5 * flame))


def float_boat(canvas: Picture, boat: Boat, t: float, *, mirror: float = 0.4) -> None:
    """The boat with its broken mirror image in the water below it."""
    reach = int(boat.size * 1.5)
    waterline = round(boat.y + 0.09 * boat.size)
    bottom = min(HEIGHT, waterline + reach)
    left, right = max(0, int(boat.x - 1.6 * boat.size)), min(WIDTH, int(boat.x + 1.9 * boat.size))
    if waterline < bottom and left < right:
        alone = canvas.copy()
        draw_boat(alone, boat)
        rows = np.arange(waterline, bottom)
        depth = (rows - waterline) / reach
        source = np.clip(waterline - (rows - waterline) * 0.82, 0, HEIGHT - 1)
        sway = (0.02 + 0.07 * depth) * boat.size * np.sin(rows * 21 / boat.size - t * 3.1)
        sway += 0.02 * boat.size * depth * np.sin(rows * 57 / boat.size + t * 4.7)
        columns = np.arange(left, right)
        map_x = (columns[None, :] + sway[:, None]).astype(np.float32)
        map_y = np.repeat(source[:, None], right - left, axis=1).astype(np.float32)
        drawn = cv2.remap(alone, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        behind = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        changed = cv2.absdiff(drawn, behind).max(axis=2)
        fade = (mirror * (1 - depth) ** 0.8)[:, None]
        alpha = (np.clip(changed.astype(np.float32) / 24, 0, 1) * fade)[..., None]
        view = canvas[waterline:bottom, left:right]
        view[:] = (view + (drawn - view.astype(np.float32)) * alpha).astype(np.uint8)
        canvas[:waterline, left:right] = alone[:waterline, left:right]
        canvas[max(0, waterline - reach * 2) : waterline] = alone[
            max(0, waterline - reach * 2) : waterline
        ]


@dataclass(frozen=True)
class Water:
    """A water surface below `horizon` that mirrors what is above it."""

    horizon: int
    phase: Floats
    noise: Noise

    @staticmethod
    def made(rng: np.random.Generator, horizon: int) -> "Water":
        """A new surface; the ripples get longer toward the viewer."""
        rows = np.arange(0, HEIGHT - horizon, 2, dtype=np.float32) / (HEIGHT - horizon)
        columns = np.arange(0, WIDTH, 8, dtype=np.float32)
        bend = cv2.resize(
            rng.uniform(-1, 1, (7, 16)).astype(np.float32),
            (columns.size, rows.size),
            interpolation=cv2.INTER_CUBIC,
        )
        phase = 26 / (rows[:, None] + 0.14) + bend * 2.6 + columns[None, :] * 0.006
        return Water(horizon, phase.astype(np.float32), Noise.made(rng))

    def mirror(
        self, canvas: Picture, tone: Picture, t: float, *, share: float = 0.6, ripple: float = 1.0
    ) -> None:
        """Fill the water.

        Args:
            canvas: changed in place below the horizon.
            tone: the water's own colour, a picture-sized sheet.
            t: seconds.
            share: how much of the mirror image shows, 0..1.
            ripple: height of the waves, 1 is a calm lake.
        """
        deep = HEIGHT - self.horizon
        rows = np.arange(deep, dtype=np.float32)
        depth = (rows / deep)[:, None]
        wave = np.sin(self.phase - t * 1.7) + 0.6 * np.sin(self.phase * 1.73 + t * 2.3 + 1.0)
        wave = cv2.resize(wave, (WIDTH, deep), interpolation=cv2.INTER_LINEAR)
        map_x = np.arange(WIDTH, dtype=np.float32)[None, :] + wave * ripple * (1 + 7 * depth)
        map_y = self.horizon - rows[:, None] * 0.94 + wave * ripple * (0.8 + 6 * depth)
        map_y = np.clip(map_y, 0, self.horizon - 1)
        image = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        tone_part = np.ascontiguousarray(tone[self.horizon :])
        crest = cv2.convertScaleAbs(np.maximum(wave, 0) * (2 + 5 * depth) * ripple)
        blended = cv2.addWeighted(image, share, tone_part, 1 - share, 0)
        canvas[self.horizon :] = cv2.add(blended, cv2.merge([crest] * 3))


@dataclass(frozen=True)
class Rain:
    """Falling drops drawn as streaks."""

    seeds: Floats

    @staticmethod
    def made(rng: np.random.Generator, number: int) -> "Rain":
        """`number` drops."""
        return Rain(rng.uniform(0, 1, (number, 4)).astype(np.float32))

    def fall(
        self, canvas: Picture, t: float, *, speed: float, slant: float, length: float, light: int
    ) -> None:
        """Draw at time t: speed in px/s, slant as dx/dy, length in px, light 0..255 added."""
        layer = np.zeros((HEIGHT, WIDTH), np.uint8)
        near = 0.45 + 0.55 * self.seeds[:, 2]
        y = (self.seeds[:, 1] * 1.3 + t * speed / HEIGHT * near) % 1.3 * HEIGHT - 0.15 * HEIGHT
        x = (self.seeds[:, 0] * 1.6 - 0.3) * WIDTH + slant * (y - HEIGHT / 2)
        starts = np.stack([x, y], -1)
        ends = starts + np.stack([slant * length * near, length * near], -1)
        fixed = np.round(np.stack([starts, ends], 1) * 16).astype(np.int32)
        for band in range(3):
            chosen = fixed[(self.seeds[:, 2] * 3).astype(int) == band]
            bright = round(light * (0.4 + 0.3 * band))
            cv2.polylines(layer, list(chosen), False, bright, 1, cv2.LINE_AA, 4)
        cv2.add(canvas, cv2.merge([layer] * 3), dst=canvas)


def draw_birds(
    canvas: Picture, places: NDArray[np.floating], t: float, size: float, colour: Colour
) -> None:
    """Birds as two bent wings; `places` (N, 3): x, y and a phase."""
    for x, y, phase in places:
        beat = np.sin(t * 7 + phase * 6.3) * (0.4 + 0.6 * (np.sin(t * 0.9 + phase * 9) > -0.3))
        wing = size * (0.8 + 0.4 * phase)
        left = [
            (x - wing, y - wing * 0.35 * beat),
            (x - wing * 0.5, y - wing * (0.32 + 0.2 * beat)),
        ]
        right = [
            (x + wing * 0.5, y - wing * (0.32 + 0.2 * beat)),
            (x + wing, y - wing * 0.35 * beat),
        ]
        body = [(x, y + wing * 0.16)]
        cut(np.array([*left, (x, y), *right, *body]), canvas, colour)


def draw_reeds(
    canvas: Picture, stems: NDArray[np.floating], t: float, colour: Colour, *, sway: float = 1.0
) -> None:
    """Reeds with seed heads; `stems` (N, 4): x, y of the foot, height, phase."""
    up = np.linspace(0, 1, 9)
    for x, y, tall, phase in stems:
        lean = (0.12 * np.sin(phase * 6.3) + 0.05 * sway * np.sin(t * 1.1 + phase * 5)) * tall
        path = np.stack([x + lean * up**1.8, y - tall * up], -1)
        width = max(1.5, tall / 90) * (1 - 0.75 * up)
        sides = np.stack([width, np.zeros_like(width)], -1)
        cut(np.concatenate([path - sides, (path + sides)[::-1]]), canvas, colour)
        if phase > 0.45:
            top, below = path[-1], path[-2]
            axis = (top - below) / np.linalg.norm(top - below)
            side = np.array([axis[1], -axis[0]]) * max(2.5, tall / 55)
            mid = below + axis * tall * 0.02
            head = [mid - side * 0.5, mid - side + axis * tall * 0.05, top, mid + side + axis * tall
                    * 0.05, mid + side * 0.5]  # fmt: skip
            cut(np.array(head), canvas, colour)


def draw_rings(
    canvas: Picture, rings: NDArray[np.floating], t: float, horizon: int, light: float
) -> None:
    """Rings of drops on water; `rings` (N, 4): x, y in pixels, phase, period in seconds."""
    layer = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, phase, period in rings:
        age = (t / period + phase) % 1.0
        depth = (y - horizon) / (HEIGHT - horizon)
        radius = age * (10 + 46 * depth)
        axes = (round(radius * 16), round(radius * (0.16 + 0.14 * depth) * 16))
        bright = round(light * (1 - age) ** 1.5 * (0.4 + 0.6 * depth))
        place = (round(x * 16), round(y * 16))
        cv2.ellipse(layer, place, axes, 0, 0, 360, bright, 1, cv2.LINE_AA, 4)
    cv2.add(canvas, cv2.merge([layer] * 3), dst=canvas)


def draw_fireflies(canvas: Picture, flies: NDArray[np.floating], t: float, light: float) -> None:
    """Fireflies that wander and blink; `flies` (N, 3): x, y in pixels, phase."""
    for x, y, phase in flies:
        px = x + 26 * np.sin(t * 0.7 + phase * 12) + 9 * np.sin(t * 1.9 + phase * 31)
        py = y + 18 * np.sin(t * 0.9 + phase * 21) + 7 * np.sin(t * 2.3 + phase * 17)
        bright = light * max(0.0, float(np.sin(t * 1.6 + phase * 40))) ** 0.7
        if bright > 0.03:
            glow(canvas, px, py, 16 + 10 * phase, scaled(rgb("#e8ff8a"), 0.7 * bright))
            disc(canvas, px, py, 1.6, mix(rgb("#20302a"), rgb("#fbffd8"), bright))


@dataclass(frozen=True)
class Look:
    """The last polish: vignette (H, W, 3), bloom share, grain pictures."""

    vignette: Picture
    bloom: float
    grain: Picture

    @staticmethod
    def made(
        rng: np.random.Generator, *, dark: float = 0.35, bloom: float = 0.25, grain: float = 1.0
    ) -> "Look":
        """`dark` is the vignette's depth at the corners, `grain` its spread in grey levels."""
        y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
        fall = 1 - dark * np.clip((x * x + y * y) / 2, 0, 1) ** 1.3
        noise = rng.standard_normal((HEIGHT + 128, WIDTH + 128)).astype(np.float32)
        noise = 16 + grain * cv2.GaussianBlur(noise, (0, 0), 0.7) * 2
        speck = np.clip(noise, 0, 32).round().astype(np.uint8)
        return Look(
            cv2.merge([(fall * 255).round().astype(np.uint8)] * 3), bloom, cv2.merge([speck] * 3)
        )

    def finish(self, canvas: Picture, frame: int) -> Picture:
        """The finished frame; the grain jumps every second frame."""
        if self.bloom > 0:
            small = cv2.resize(canvas, (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
            bright = cv2.convertScaleAbs(cv2.subtract(small, (150, 150, 150, 0)), alpha=1.6)
            bright = cv2.GaussianBlur(bright, (0, 0), 9)
            wide = cv2.resize(bright, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
            canvas = cv2.addWeighted(canvas, 1.0, wide, self.bloom, 0)
        canvas = cv2.multiply(canvas, self.vignette, scale=1 / 255)
        step = frame // 2
        dy, dx = (step * 37) % 128, (step * 71) % 128
        grain = self.grain[dy : dy + HEIGHT, dx : dx + WIDTH]
        lifted = cv2.add(canvas, np.ascontiguousarray(grain))
        return cv2.subtract(lifted, (16, 16, 16, 0))


def zoomed(
    canvas: Picture, scale: float, *, x: float = 0.0, y: float = 0.0, turn: float = 0.0
) -> Picture:
    """A camera move: scale >= 1 about the middle, moved by (x, y) pixels, turned in radians."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), np.degrees(turn), scale)
    matrix[:, 2] += (x, y)
    return cv2.warpAffine(
        canvas, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def ease(x: float) -> float:
    """Smooth 0..1."""
    x = min(1.0, max(0.0, x))
    return x * x * (3 - 2 * x)
