"""Shots 1 to 4: dawn on the lake, among the reeds, the market of colours, the pinwheels."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from film.craft import (
    Boat,
    Look,
    Water,
    draw_birds,
    draw_boat,
    draw_reeds,
    ease,
    float_boat,
    zoomed,
)
from film.paint import (
    HEIGHT,
    WIDTH,
    Colour,
    Noise,
    Picture,
    blank,
    clouds,
    crop,
    cut,
    disc,
    glow,
    mix,
    paste,
    rgb,
    scaled,
    sheet,
    stroke,
    under,
)

Painter = Callable[[float], Picture]
XS = np.arange(-8, WIDTH + 9, 4, dtype=np.float64)


def dawn(rng: np.random.Generator) -> Painter:
    """Calm: mist, mountains, a boat with a lantern sets out."""
    horizon = 420
    sky = sheet(rng, [(0, "#31427c"), (170, "#7d78ae"), (300, "#d99cab"), (420, "#ffd9ae")])
    water, look = Water.made(rng, horizon), Look.made(rng, dark=0.4, bloom=0.3)
    tone = sheet(rng, [(horizon, "#e9b9ad"), (520, "#8d83b0"), (720, "#2b3a70")])
    tops = ["#b692b4", "#8f7fae", "#66679f", "#45508b"]
    feet = ["#ecbfb4", "#c7a4b4", "#9b90b3", "#75789f"]
    papers = [
        crop(sheet(rng, [(190 + 30 * i, top), (horizon, foot)]))
        for i, (top, foot) in enumerate(zip(tops, feet, strict=True))
    ]
    hills = [Noise.made(rng) for _ in tops]
    fog = clouds(rng, 90, 2000, size=120, stretch=5)
    white = np.full((HEIGHT, WIDTH, 3), rgb("#ffe9d6"), np.uint8)
    birds = rng.uniform(0, 1, (9, 3))
    stems = np.stack([
        np.concatenate([rng.uniform(-40, 230, 17), rng.uniform(1080, 1320, 13)]),
        rng.uniform(725, 760, 30), rng.uniform(120, 330, 30), rng.uniform(0, 1, 30),
    ], -1)  # fmt: skip

    def ridges(canvas: Picture, t: float) -> None:
        for i, (noise, paper) in enumerate(zip(hills, papers, strict=True)):
            place = (XS + t * (2 + 4 * i)) / (330 - 42 * i)
            rise = np.abs(noise(place, 5)) ** 0.9 * (120 - 22 * i)
            line = 300 + 27 * i - rise + 18 * i * ((XS - 760) / 800) ** 2 * -1
            paste(canvas, under(line, XS), paper, shadow=0.22, spread=9)

    def frame(t: float) -> Picture:
        canvas = crop(sky).copy()
        glow(canvas, 850, 400, 420, rgb("#6b4426"))
        glow(canvas, 850, 404, 150, rgb("#5a4a2c"))
        ridges(canvas, t)
        places = birds * (190, 60, 1) + (330 + 26 * t, 118 - 4 * t, 0)
        draw_birds(canvas, places, t, 9, rgb("#3a4178"))
        mask = blank()
        part = fog[:, int(t * 16) : int(t * 16) + WIDTH]
        fade = np.sin(np.linspace(0, np.pi, 90))[:, None] ** 1.2
        mask[horizon - 70 : horizon + 20] = np.clip((part - 0.3) * 330, 0, 205) * fade
        paste(canvas, mask, white)
        water.mirror(canvas, crop(tone), t, share=0.68, ripple=0.7)
        mask[:] = 0
        mask[horizon - 45 : horizon + 45] = np.clip((part - 0.36) * 250, 0, 140) * fade
        paste(canvas, mask, white)
        boat = Boat(
            330 + 46 * t, 556 + 2.2 * np.sin(1.6 * t), 92, tilt=0.03 * np.sin(1.3 * t), flame=0.9,
            light=rgb("#ffeedd"), shade=rgb("#a79bbd"), swing=0.10 * np.sin(1.9 * t),
        )  # fmt: skip
        float_boat(canvas, boat, t, mirror=0.55)
        _wake(canvas, boat, t)
        draw_reeds(canvas, stems - (6 * t, 0, 0, 0), t, rgb("#1b2450"))
        return look.finish(zoomed(canvas, 1.0 + 0.010 * t, y=-0.8 * t), int(t * 24))

    return frame


def _wake(canvas: Picture, boat: Boat, t: float) -> None:
    for i in range(4):
        back = boat.size * (1.15 + 0.42 * i + 0.2 * np.sin(t + i))
        y = boat.y + boat.size * (0.14 + 0.05 * i)
        line = [
            (boat.x - back - 46, y + 2),
            (boat.x - back, y),
            (boat.x - back + 60 - 9 * i, y - 1),
        ]
        stroke(np.array(line), canvas, mix((255, 240, 225), (150, 140, 180), 0.2 * i), 1)


def reeds(rng: np.random.Generator) -> Painter:
    """Tender: close to the boat in fresh light, a dragonfly keeps it company."""
    look = Look.made(rng, dark=0.34, bloom=0.14)
    base = sheet(rng, [(0, "#f4f3b4"), (250, "#a9d99a"), (470, "#4fae9a"), (720, "#17686f")])
    soft = crop(base).copy()
    for x, y, size, tint in rng.uniform(0, 1, (70, 4)):
        colour = scaled(mix(rgb("#fff6b0"), rgb("#7fe0b0"), tint), 0.15)
        disc_layer = np.zeros_like(soft)
        disc(disc_layer, x * WIDTH, y * 520, 14 + 46 * size, colour)
        soft = cv2.add(soft, cv2.GaussianBlur(disc_layer, (0, 0), 2))
    far = rng.uniform(0, 1, (46, 4)) * (1900, 30, 300, 1) + (-50, 560, 170, 0)
    near = rng.uniform(0, 1, (9, 4)) * (2300, 40, 380, 1) + (-100, 760, 480, 0)
    water = Water.made(rng, 470)
    tone = sheet(rng, [(470, "#8fd6b4"), (560, "#3a9c92"), (720, "#0f5560")])
    lilies = rng.uniform(0, 1, (10, 3)) * (2000, 190, 60) + (-100, 500, 26)

    def frame(t: float) -> Picture:
        canvas = soft.copy()
        band = np.zeros((HEIGHT, WIDTH), np.uint8)
        for x, y, tall, phase in far - (26 * t, 0, 0, 0):
            stem = np.array([(x - 4, y), (x + 30 * np.sin(phase * 9), y - tall), (x + 4, y)])
            cut(stem, band, 255)
        leaf = np.full_like(canvas, rgb("#4f9f6a"))
        paste(canvas, cv2.GaussianBlur(band, (0, 0), 3.0), leaf)
        water.mirror(canvas, crop(tone), t, share=0.55, ripple=0.9)
        for x, y, size in lilies - (42 * t, 0, 0):
            _lily(canvas, x, y, size)
        bob = 5 * np.sin(2.0 * t)
        boat = Boat(
            560 + 18 * t, 545 + bob, 250, tilt=0.045 * np.sin(1.7 * t), flame=0.55,
            light=rgb("#f3ecd6"), shade=rgb("#8fb8a8"), swing=0.16 * np.sin(2.1 * t),
        )  # fmt: skip
        float_boat(canvas, boat, t, mirror=0.5)
        away = 1 - ease(t / 2.4)
        x = boat.x + 8 + 420 * away + 40 * np.sin(5 * t) * away
        y = boat.y - 232 - 150 * away * np.sin(2.2 * t) ** 2 + 4 * np.sin(1.7 * t)
        _dragonfly(canvas, x, y, t)
        front = canvas.copy()
        draw_reeds(front, near - (150 * t, 0, 0, 0), t, rgb("#0d3f3f"), sway=1.6)
        changed = cv2.absdiff(front, canvas).max(axis=2)
        mask = cv2.GaussianBlur(cv2.convertScaleAbs(changed, alpha=8), (0, 0), 4)
        paste(canvas, mask, np.full_like(canvas, rgb("#0d3f3f")))
        return look.finish(canvas, int(t * 24))

    return frame


def _lily(canvas: Picture, x: float, y: float, size: float) -> None:
    angle = np.linspace(0.35, 2 * np.pi - 0.05, 26)
    rim = np.stack([np.cos(angle) * size, np.sin(angle) * size * 0.3], -1)
    pad = np.concatenate([np.zeros((1, 2)), rim])
    cut(pad + np.array([x, y + 3]), canvas, rgb("#0d5a52"))
    cut(pad + np.array([x, y]), canvas, rgb("#3fae7a"))
    if size > 62:
        for spin in np.linspace(0, np.pi, 7):
            petal = np.array([(0, 0), (np.cos(spin) * 20 - 5, -np.sin(spin) * 26 - 4),
                              (np.cos(spin) * 30, -np.sin(spin) * 20 - 2)])  # fmt: skip
            cut(petal + np.array([x, y - 4]), canvas, rgb("#ffc9d6"))


def _dragonfly(canvas: Picture, x: float, y: float, t: float) -> None:
    beat = np.sin(t * 62)
    for side in (-1, 1):
        for lean in (0.25, -0.2):
            tip = np.array([side * 62, -18 * lean * 4 - 16 * beat * side * 0.4])
            wing = np.array([(0, 0), tip * (0.6, 1) + (0, -9), tip, tip * (0.6, 1) + (0, 7)])
            ghost = canvas.copy()
            cut(wing + np.array([x, y]), ghost, rgb("#f2fff8"))
            cv2.addWeighted(ghost, 0.55, canvas, 0.45, 0, dst=canvas)
    tail = [(x, y), (x - 22, y + 5), (x - 48, y + 9 + 2 * np.sin(3 * t))]
    stroke(np.array(tail), canvas, rgb("#d8433f"), 5)
    disc(canvas, x + 6, y - 1, 7, rgb("#b02f3a"))
    disc(canvas, x + 14, y - 2, 5, rgb("#3a1f2e"))


BRIGHT = ["#ff5d5d", "#ffb52e", "#29b6a6", "#3d7de0", "#f56fa1", "#8a5fd0", "#ffd94a"]
FACADES = ["#ffcf8f", "#f7a072", "#9fd8cb", "#f5d0e0", "#ffe39a", "#a8c7ee"]


def market(rng: np.random.Generator) -> Painter:
    """Playful: awnings, bunting, balloons and kites over a canal."""
    horizon = 500
    sky = sheet(rng, [(0, "#3fb4e8"), (330, "#a5e4ee"), (500, "#fdf3cf")])
    look = Look.made(rng, dark=0.18, bloom=0.12)
    water = Water.made(rng, horizon)
    tone = sheet(rng, [(horizon, "#7fd6d8"), (720, "#1285a8")])
    houses = _street(rng, 3400, 130, 300)
    stalls = [(170 + 262 * i, BRIGHT[i % 7], BRIGHT[(i + 3) % 7]) for i in range(12)]
    folk = rng.uniform(0, 1, (64, 4))
    balloons = rng.uniform(0, 1, (16, 4))
    puffs = rng.uniform(0, 1, (9, 3)) * (1700, 150, 50) + (0, 50, 30)

    def frame(t: float) -> Picture:
        pan = 120 * t + 10 * np.sin(2 * t)
        canvas = crop(sky).copy()
        for x, y, size in puffs - (16 * t, 0, 0):
            _puff(canvas, x, y, size)
        _kites(canvas, t)
        left = round(pan * 0.55)
        picture, mask = houses[0][:, left : left + WIDTH], houses[1][:, left : left + WIDTH]
        paste(canvas, mask, picture, shadow=0.2, spread=8)
        for x, y, size, tone_share in balloons:
            px = x * 2200 - pan * 0.75 + 14 * np.sin(t * 1.7 + 9 * y)
            _balloon(canvas, px, 470 - (t * 70 * (0.6 + size) + 620 * y) % 620,
                     20 + 16 * size, rgb(BRIGHT[int(tone_share * 6.99)]))  # fmt: skip
        cv2.rectangle(canvas, (0, 478), (WIDTH, horizon), rgb("#d9b48a"), -1)
        for x, hue, height, phase in folk:
            hop = abs(np.sin(t * 6.2 + phase * 6.3)) * 16 * (phase > 0.4)
            _person(canvas, x * 3000 - pan, 484 - hop, 46 + 20 * height, rgb(BRIGHT[int(hue * 7)]))
        for x, one, two in stalls:
            _stall(canvas, x - pan, 480, rgb(one), rgb(two), t)
        _bunting(canvas, pan, t)
        water.mirror(canvas, crop(tone), t, share=0.62, ripple=1.2)
        hop = abs(np.sin(t * 4.1))
        boat = Boat(
            520 + 40 * t, 612 - 16 * hop, 104, tilt=0.13 * np.sin(4.1 * t + 0.6), flame=0.35,
            light=rgb("#ffffff"), shade=rgb("#c3cfe6"), swing=0.5 * np.sin(4.1 * t),
        )  # fmt: skip
        float_boat(canvas, boat, t, mirror=0.5)
        return look.finish(canvas, int(t * 24))

    return frame


def _street(rng: np.random.Generator, width: int, low: int, high: int) -> tuple[Picture, Picture]:
    picture = np.zeros((HEIGHT, width, 3), np.uint8)
    mask = np.zeros((HEIGHT, width), np.uint8)
    x, i = -20, 0
    while x < width:
        wide, tall = int(rng.integers(120, 200)), int(rng.integers(low, high))
        wall, roof = rgb(FACADES[i % 6]), rgb(["#c9503f", "#8d4a63", "#4a6a8c"][i % 3])
        top = 500 - tall
        points = np.array([(x, 505), (x, top), (x + wide / 2, top - 56), (x + wide, top),
                           (x + wide, 505)], float)  # fmt: skip
        cut(points, picture, wall)
        cut(points, mask, 255)
        brim = points[[1, 2, 3]] + [(-8, 6), (0, -8), (8, 6)]
        for target, colour in ((picture, roof), (mask, 255)):
            cut(brim, target, colour)
        for row in range(top + 26, 400, 62):
            for column in range(x + 22, x + wide - 34, 44):
                dark = scaled(mix(wall, rgb("#3a5a80"), 0.55), 0.9)
                cv2.rectangle(picture, (column, row), (column + 22, row + 34), dark, -1)
                cv2.line(
                    picture, (column - 3, row + 36), (column + 25, row + 36), (255, 250, 240), 3
                )
                if rng.uniform() < 0.4:
                    flower = rgb(BRIGHT[int(rng.integers(7))])
                    for k in range(5):
                        cv2.circle(picture, (column + 5 * k, row + 32), 4, flower, -1, cv2.LINE_AA)
        x += wide + 2
        i += 1
    grain = rng.normal(0, 2.5, picture.shape[:2])[..., None]
    return np.clip(picture + grain, 0, 255).astype(np.uint8), mask


def _puff(canvas: Picture, x: float, y: float, size: float) -> None:
    for dx, dy, share in ((-1.2, 0.25, 0.6), (-0.4, -0.1, 0.95), (0.5, 0.0, 0.8), (1.2, 0.3, 0.5)):
        disc(canvas, x + dx * size, y + dy * size, share * size, (255, 255, 250))


def _kites(canvas: Picture, t: float) -> None:
    for i, (x, y) in enumerate(((250, 120), (640, 80), (1040, 140))):
        px, py = x + 50 * np.sin(1.3 * t + i), y + 26 * np.sin(1.9 * t + 2 * i)
        turn = 0.35 * np.sin(1.6 * t + i)
        rotate = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        one, two = rgb(BRIGHT[2 * i % 7]), rgb(BRIGHT[(2 * i + 3) % 7])
        shape = np.array([(0, -52), (36, 0), (0, 62), (-36, 0)], float) @ rotate + (px, py)
        middle = np.array([(0, -52), (36, 0), (0, 62)], float) @ rotate + (px, py)
        cut(shape, canvas, one)
        cut(middle, canvas, two)
        foot = shape[2]
        along = np.linspace(0, 1, 20)
        wave = foot[0] + 70 * along * np.sin(4 * along + 3 * t + i) * 0.6
        tail = np.stack([wave, foot[1] + 110 * along], -1)
        stroke(tail, canvas, scaled(one, 0.8), 2)
        for k in (6, 11, 16):
            bow = [(-9, -5), (9, 5), (9, -5), (-9, 5)]
            cut(np.array(bow, float) + tail[k], canvas, two)


def _balloon(canvas: Picture, x: float, y: float, size: float, colour: Colour) -> None:
    stroke(np.array([(x, y + size), (x + 4, y + 2 * size), (x - 2, y + 3 * size)]), canvas,
           (120, 100, 110), 1)  # fmt: skip
    disc(canvas, x, y, size, colour)
    disc(canvas, x - size * 0.32, y - size * 0.36, size * 0.26, mix(colour, (255, 255, 255), 0.65))


def _person(canvas: Picture, x: float, y: float, tall: float, colour: Colour) -> None:
    wide = tall * 0.28
    body = [(x - wide, y), (x - wide * 0.7, y - tall * 0.66), (x, y - tall * 0.76),
            (x + wide * 0.7, y - tall * 0.66), (x + wide, y)]  # fmt: skip
    cut(np.array(body), canvas, scaled(colour, 0.82))
    disc(canvas, x, y - tall * 0.9, tall * 0.16, rgb("#8a5a44"))


def _stall(canvas: Picture, x: float, y: float, one: Colour, two: Colour, t: float) -> None:
    if not -220 < x < WIDTH + 220:
        return
    for post in (-84, 84):
        cv2.rectangle(canvas, (int(x + post - 3), int(y - 130)), (int(x + post + 3), int(y + 6)),
                      rgb("#7a4d35"), -1)  # fmt: skip
    counter = [(x - 92, y - 44), (x + 92, y - 44), (x + 86, y + 14), (x - 86, y + 14)]
    cut(np.array(counter), canvas, rgb("#a9683f"))
    for k in range(8):
        colour = mix(rgb(BRIGHT[k % 7]), rgb("#ff8a3c"), 0.25)
        disc(canvas, x - 76 + 22 * k, y - 50 - 5 * (k % 2), 11, colour)
    flap = 5 * np.sin(3 * t + x * 0.01)
    for k in range(6):
        left, right = x - 108 + 36 * k, x - 72 + 36 * k
        top_l, top_r = x - 84 + 28 * k, x - 56 + 28 * k
        colour = one if k % 2 == 0 else mix(two, (255, 255, 255), 0.75)
        cut(np.array([(top_l, y - 168), (top_r, y - 168), (right, y - 118), (left, y - 118)]),
            canvas, colour)  # fmt: skip
        disc(canvas, (left + right) / 2, y - 118 + flap * 0.3, 18, scaled(colour, 0.93))


def _bunting(canvas: Picture, pan: float, t: float) -> None:
    for span in range(8):
        x0 = span * 460 - pan * 1.15
        along = np.linspace(0, 1, 15)
        x = x0 + 460 * along
        y = 62 + 86 * 4 * along * (1 - along) + 5 * np.sin(2.4 * t + span + 5 * along)
        stroke(np.stack([x, y], -1), canvas, rgb("#fff7e6"), 2)
        for k in range(1, 14):
            flap = 4 * np.sin(5 * t + k)
            flag = [(x[k] - 13, y[k]), (x[k] + 13, y[k]), (x[k] + flap, y[k] + 34)]
            cut(np.array(flag), canvas, rgb(BRIGHT[(k + 2 * span) % 7]))


def pinwheels(rng: np.random.Generator) -> Painter:
    """Giddy: pinwheels turn, confetti falls, the boat hops by."""
    look = Look.made(rng, dark=0.16, bloom=0.1)
    paper = rng.uniform(0, 1, (120, 5))
    wheels = [(210, 250, 150, 3.4), (650, 150, 120, -4.2), (1080, 270, 165, 3.0),
              (430, 470, 86, -5.0), (900, 480, 92, 5.4)]  # fmt: skip

    def frame(t: float) -> Picture:
        canvas = np.full((HEIGHT, WIDTH, 3), rgb("#ffd24f"), np.uint8)
        for k in range(12):
            a = k * np.pi / 6 + 0.25 * t
            ray = [(640, 700), (640 + 1400 * np.cos(a), 700 + 1400 * np.sin(a)),
                   (640 + 1400 * np.cos(a + 0.26), 700 + 1400 * np.sin(a + 0.26))]  # fmt: skip
            cut(np.array(ray), canvas, rgb("#ffbe3d"))
        for i, (x, y, size, speed) in enumerate(wheels):
            cv2.line(canvas, (x, y), (x, HEIGHT), rgb("#fff6df"), 9, cv2.LINE_AA)
            _pinwheel(canvas, x, y, size, speed * t + 0.4 * np.sin(5 * t), i)
        _confetti(canvas, paper, t)
        for layer, (base, colour) in enumerate(
            ((610, "#35c4cf"), (648, "#1d9fc0"), (690, "#0f7aa8"))
        ):
            if layer == 1:
                hop = abs(np.sin(5.2 * t))
                boat = Boat(
                    200 + 300 * t, 632 - 70 * hop, 118, tilt=0.3 * np.cos(5.2 * t), flame=0.4,
                    light=(255, 255, 255), shade=rgb("#c8d4ee"), swing=0.6 * np.sin(5.2 * t),
                )  # fmt: skip
                draw_boat(canvas, boat)
            line = base + 13 * np.sin(XS / (58 - 6 * layer) + (3 + layer) * t)
            flat = np.full_like(canvas, rgb(colour))
            paste(canvas, under(line, XS), flat, shadow=0.25, spread=8)
        return look.finish(canvas, int(t * 24))

    return frame


def _pinwheel(canvas: Picture, x: float, y: float, size: float, turn: float, first: int) -> None:
    for k in range(8):
        a = turn + k * np.pi / 4
        outer = [np.cos(a), np.sin(a)]
        inner = [0.62 * np.cos(a + 0.62), 0.62 * np.sin(a + 0.62)]
        fold = [0.5 * np.cos(a + 0.2), 0.5 * np.sin(a + 0.2)]
        colour = rgb(BRIGHT[(k % 4 * 2 + first) % 7])
        cut(np.array([(0, 0), outer, inner]) * size + (x, y), canvas, colour)
        cut(np.array([(0, 0), fold, inner]) * size + (x, y), canvas, scaled(colour, 0.82))
    disc(canvas, x, y, size * 0.09, (255, 255, 255))


def _confetti(canvas: Picture, paper: NDArray[np.floating], t: float) -> None:
    for x, y, hue, size, phase in paper:
        px = x * WIDTH + 40 * np.sin(2 * t + phase * 9)
        py = (y + t * (0.22 + 0.2 * size)) % 1.1 * HEIGHT - 30
        turn, flat = phase * 6 + 5 * t, abs(np.sin(4 * t + phase * 11)) + 0.15
        u = np.array([np.cos(turn), np.sin(turn)]) * (7 + 6 * size)
        v = np.array([-np.sin(turn), np.cos(turn)]) * (5 + 3 * size) * flat
        corners = np.array([u + v, u - v, -u - v, v - u]) + np.array([px, py])
        cut(corners, canvas, rgb(BRIGHT[int(hue * 7)]))
