"""Shots 5 to 8: the train through the city, the bridges, the storm, the wave."""

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

from film.craft import Boat, Look, Rain, Water, draw_boat, ease, float_boat, zoomed
from film.morning import XS, Painter
from film.paint import (
    HEIGHT,
    WIDTH,
    Colour,
    Floats,
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

NEON = ["#ff4f9a", "#35e0ff", "#ffd23f", "#9b6bff", "#ff7a3d"]
FLASHES = (1.35, 3.9, 4.15)  # seconds into the storm


def train(rng: np.random.Generator) -> Painter:
    """Rush: dusk, towers with lit windows, a train races the boat."""
    horizon = 520
    sky = sheet(rng, [(0, "#2a1758"), (230, "#8b2f86"), (400, "#f0605f"), (520, "#ffb45c")])
    look = Look.made(rng, dark=0.38, bloom=0.5)
    water = Water.made(rng, horizon)
    tone = sheet(rng, [(horizon, "#a8406e"), (720, "#1a0f45")])
    rows = [
        _towers(rng, 3200, colour, low, high, lit)
        for colour, low, high, lit in (
            ("#a23a7c", 170, 330, 0.10), ("#5f2470", 110, 400, 0.28), ("#2b1450", 90, 300, 0.5),
        )
    ]  # fmt: skip
    streaks = rng.uniform(0, 1, (46, 4))

    def frame(t: float) -> Picture:
        canvas = crop(sky).copy()
        disc(canvas, 900 - 12 * t, 402, 96, rgb("#ffd08a"))
        glow(canvas, 900 - 12 * t, 402, 330, rgb("#70381c"))
        for (picture, mask), speed in zip(rows, (60, 150, 330), strict=True):
            left = round(speed * t)
            paste(canvas, mask[:, left : left + WIDTH], picture[:, left : left + WIDTH],
                  shadow=0.25, spread=8)  # fmt: skip
        _viaduct(canvas, t)
        for x, y, hue, size in streaks:
            px = (x * 2600 - t * (1500 + 900 * size)) % 2600 - 700
            colour = scaled(rgb(NEON[int(hue * 5)]), 0.75)
            end = px + 120 + 260 * size
            line = np.array([(px, 470 + 48 * y), (end, 470 + 48 * y)])
            stroke(line, canvas, colour, 1 + int(2 * size))
        water.mirror(canvas, crop(tone), 3 * t, share=0.66, ripple=1.3)
        spray = 5 * np.sin(9 * t)
        boat = Boat(
            430 + 150 * ease(t / 4),
            622 + spray * 0.6,
            106,
            tilt=-0.10 + 0.05 * np.sin(8 * t),
            flame=0.95,
            light=rgb("#ffd9c2"),
            shade=rgb("#8f5f9c"),
            swing=-0.7 + 0.1 * np.sin(9 * t),
        )
        float_boat(canvas, boat, 3 * t, mirror=0.5)
        for i in range(16):
            back = (0.13 * i + 1.3 * t) % 2.1
            y = boat.y + 8 + 3.0 * (i % 5)
            px = boat.x - boat.size * 0.7 - 300 * back
            line = np.array([(px, y + 9 * back), (px + 95, y + 6 * back)])
            stroke(line, canvas, mix(rgb("#ffd9d0"), rgb("#6a2a78"), back / 2.1), 2)
        shake = 1.5 * np.sin(31 * t)
        return look.finish(zoomed(canvas, 1.02, y=shake), int(t * 24))

    return frame


def _towers(
    rng: np.random.Generator, width: int, colour: str, low: int, high: int, lit: float
) -> tuple[Picture, Picture]:
    picture = np.zeros((HEIGHT, width, 3), np.uint8)
    mask = np.zeros((HEIGHT, width), np.uint8)
    x = 0
    while x < width:
        wide, tall = int(rng.integers(60, 130)), int(rng.integers(low, high))
        top = 522 - tall
        wall = scaled(rgb(colour), float(rng.uniform(0.86, 1.12)))
        cv2.rectangle(picture, (x, top), (x + wide, 540), wall, -1)
        cv2.rectangle(mask, (x, top), (x + wide, 540), 255, -1)
        if rng.uniform() < 0.45:
            cv2.rectangle(
                picture, (x + wide // 2 - 2, top - 42), (x + wide // 2 + 1, top), wall, -1
            )
            cv2.rectangle(mask, (x + wide // 2 - 2, top - 42), (x + wide // 2 + 1, top), 255, -1)
        for row in range(top + 12, 506, 17):
            for column in range(x + 8, x + wide - 10, 14):
                if rng.uniform() < lit:
                    light = rgb(NEON[int(rng.integers(5))] if rng.uniform() < 0.14 else "#ffd98c")
                    cv2.rectangle(picture, (column, row), (column + 6, row + 8), light, -1)
        if lit > 0.4 and rng.uniform() < 0.5:
            sign = rgb(NEON[int(rng.integers(5))])
            place = (x + wide // 2 - 9, top + 26)
            cv2.rectangle(picture, place, (place[0] + 18, place[1] + 80), sign, -1)
        x += wide + int(rng.integers(0, 22))
    return picture, mask


def _viaduct(canvas: Picture, t: float) -> None:
    dark = rgb("#190b38")
    for k in range(8):
        x = (k * 300 - 760 * t) % 2400 - 500
        arch = [(x - 30, 330), (x + 30, 330), (x + 20, 372), (x + 18, 524), (x - 18, 524),
                (x - 20, 372)]  # fmt: skip
        cut(np.array(arch), canvas, dark)
    head = -2700 + 1150 * t
    for car in range(9):
        left = head + car * 330
        if -340 < left < WIDTH + 10:
            nose = 46 if car == 8 else 0
            shape = [(left, 318), (left, 246), (left + 318 - nose, 246), (left + 318, 300),
                     (left + 318, 318)]  # fmt: skip
            cut(np.array(shape, float), canvas, rgb("#3b1c6b"))
            cv2.rectangle(canvas, (int(left), 300), (int(left + 318), 309), rgb("#ff4f6e"), -1)
            for k in range(7):
                x = int(left + 16 + 40 * k)
                if x + 29 < left + 300 - nose:
                    cv2.rectangle(canvas, (x, 260), (x + 29, 287), rgb("#ffe3a0"), -1)
            if nose:
                glow(canvas, left + 320, 306, 150, rgb("#a08850"))
    cv2.rectangle(canvas, (0, 318), (WIDTH, 336), dark, -1)
    for k in range(44):
        x = int((k * 60 - 760 * t) % 2640) - 60
        cv2.rectangle(canvas, (x, 312), (x + 4, 320), dark, -1)


def bridges(rng: np.random.Generator) -> Painter:
    """Speed: bridge after bridge flies over the boat, seen from behind it."""
    look = Look.made(rng, dark=0.5, bloom=0.55)
    lights = rng.uniform(0, 1, (80, 3))
    centre = np.array([640.0, 330.0])

    def frame(t: float) -> Picture:
        canvas = np.full((HEIGHT, WIDTH, 3), rgb("#14082e"), np.uint8)
        glow(canvas, *centre, 420, rgb("#d0507a"))
        glow(canvas, *centre, 130, rgb("#ffe0a0"))
        speed = 1.0 * t + 0.5 * t * t
        for ring in sorted(range(9), key=lambda r: (r / 9 + speed) % 1.0):
            near = (ring / 9 + speed) % 1.0
            size = 26 * np.exp(4.1 * near)
            share = min(1.0, near * 1.5)
            _arch(canvas, centre, size, mix(rgb("#b3406f"), rgb("#0d0524"), share), NEON[ring % 5])
        for angle, phase, hue in lights:
            near = (phase + 1.5 * speed) % 1.0
            a = np.pi * (1.05 + 1.9 * (angle - 0.5)) + np.pi / 2
            one, two = 36 * np.exp(3.8 * near), 36 * np.exp(3.8 * min(1.2, near + 0.05 + 0.05 * t))
            way = np.array([np.cos(a), 0.75 * np.sin(a)])
            colour = scaled(rgb(NEON[int(hue * 5)]), 0.25 + 0.75 * near)
            stroke(np.stack([centre + way * one, centre + way * two]), canvas, colour,
                   1 + int(3 * near))  # fmt: skip
        _canal(canvas, centre, speed)
        swerve = 130 * np.sin(2.4 * t)
        boat = Boat(
            640 + swerve, 590 + 6 * np.sin(15 * t), 120, tilt=0.16 * np.cos(2.4 * t), flame=1.0,
            light=rgb("#ffd0da"), shade=rgb("#6f4a9c"), swing=-0.9 * np.cos(2.4 * t),
        )  # fmt: skip
        float_boat(canvas, boat, 4 * t, mirror=0.5)
        turn = 0.05 * np.sin(2.4 * t)
        return look.finish(zoomed(canvas, 1.10 + 0.05 * t, turn=turn), int(t * 24))

    return frame


def _arch(
    canvas: Picture, centre: NDArray[np.floating], size: float, colour: Colour, neon: str
) -> None:
    angle = np.linspace(np.pi, 2 * np.pi, 40)
    inner = np.stack([np.cos(angle), np.sin(angle) * 0.9], -1)
    foot = np.array([[1.0, 0.8], [-1.0, 0.8]])
    opening = np.concatenate([inner, foot]) * size + centre
    outer = np.concatenate([inner * 1.32, foot * (1.32, 1.0)]) * size + centre
    mask = blank()
    cut(outer, mask, 255)
    cut(opening, mask, 0)
    paste(canvas, mask, np.full_like(canvas, colour))
    width = max(1, round(size / 60))
    stroke(inner * size + centre, canvas, rgb(neon), width)


def _canal(canvas: Picture, centre: NDArray[np.floating], speed: float) -> None:
    y0 = int(centre[1]) + 28
    rows = np.arange(HEIGHT - y0, dtype=np.float32)
    near = np.log1p(rows / 12)
    source = np.clip(y0 - rows * 0.9, 0, HEIGHT - 1)
    wave = np.sin(near * 34 + speed * 60) * (1 + rows / 14)
    map_x = np.arange(WIDTH, dtype=np.float32)[None, :] + wave[:, None].astype(np.float32)
    map_y = np.repeat(source[:, None], WIDTH, axis=1).astype(np.float32)
    image = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    deep = np.full_like(image, rgb("#1a0f4a"))
    canvas[y0:] = cv2.addWeighted(image, 0.7, deep, 0.4, 0)


def _sea_layers(rng: np.random.Generator, tops: list[str], feet: list[str]) -> list[Picture]:
    return [
        crop(sheet(rng, [(220 + 72 * i, top), (430 + 70 * i, foot), (760, foot)]))
        for i, (top, foot) in enumerate(zip(tops, feet, strict=True))
    ]


def _swell(layer: int, t: float, height: float) -> NDArray[np.float64]:
    way = 1 if layer % 2 == 0 else -1
    x = XS + way * (90 + 38 * layer) * t
    length = 190 + 64 * layer
    wave = np.sin(x / length * 2 + 1.7 * layer) + 0.45 * np.sin(x / length * 4.7 + 2 * t)
    sharp = 1 - np.abs(np.sin(x / length * 1.3 + 0.6 * layer + 0.3 * t))
    return 330 + 74 * layer - height * (0.5 + 0.16 * layer) * (0.6 * wave + 1.1 * sharp)


def _sky(cloud: Floats, t: float, dark: Colour, light: Colour) -> Picture:
    part = cloud[:, int(t * 26) : int(t * 26) + 640]
    share = np.clip((part - 0.25) * 1.7, 0, 1)[..., None]
    low = np.array(dark, np.float32) + (np.array(light, np.float32) - np.array(dark)) * share
    return cv2.resize(low.astype(np.float32), (WIDTH, HEIGHT)).astype(np.uint8)


def _bolt(canvas: Picture, seed: int, x: float, bright: float) -> None:
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.normal(4, 22, 15))
    path = np.stack([x + steps, np.linspace(-10, 400, 15)], -1)
    colour = scaled(rgb("#e6f0ff"), bright)
    for px, py in path[::3]:
        glow(canvas, px, py, 150, scaled(rgb("#8090d0"), 0.5 * bright))
    stroke(path, canvas, colour, 4)
    fork = path[6] + np.cumsum(np.concatenate([[(0, 0)], rng.normal((-20, 22), 9, (6, 2))]), 0)
    stroke(fork, canvas, colour, 2)


def _flash(t: float, times: tuple[float, ...]) -> float:
    return max((float(np.exp(-(t - start) * 9)) for start in times if t >= start), default=0.0)


def storm(rng: np.random.Generator) -> Painter:
    """Fear: black waves, lightning, the small light thrown about."""
    look = Look.made(rng, dark=0.6, bloom=0.4)
    cloud = clouds(rng, 360, 900, size=150, stretch=2.2)
    layers = _sea_layers(
        rng,
        ["#6d8896", "#54717f", "#3c5a69", "#264251", "#142a38"],
        ["#1f3342", "#192c3b", "#122330", "#0a1722", "#040b13"],
    )
    rain = Rain.made(rng, 340)

    def frame(t: float) -> Picture:
        flash = _flash(t, FLASHES)
        canvas = _sky(cloud, t, rgb("#0c131c"), mix(rgb("#42525f"), rgb("#c9d6f2"), flash))
        if flash > 0.4:
            _bolt(canvas, 5 if t < 3 else 9, 330 if t < 3 else 900, flash)
        for i, paper in enumerate(layers):
            line = _swell(i, t, 92)
            paste(canvas, under(line, XS), paper, shadow=0.35, spread=12)
            _foam(canvas, line, i, flash)
            if i == 2:
                x = 610 + 70 * np.sin(0.8 * t)
                y = float(np.interp(x, XS, _swell(3, t, 92))) - 18
                slope = np.interp(x + 50, XS, _swell(3, t, 92)) - np.interp(
                    x - 50, XS, _swell(3, t, 92)
                )
                boat = Boat(
                    x, y, 84, tilt=float(np.arctan2(slope, 100)) * 0.9,
                    flame=0.75 + 0.25 * np.sin(23 * t) * np.sin(7 * t),
                    light=mix(rgb("#9db0bd"), (240, 245, 255), flash), shade=rgb("#4b5d6e"),
                    swing=0.9 * np.sin(3.7 * t),
                )  # fmt: skip
                draw_boat(canvas, boat)
        rain.fall(canvas, t, speed=2300, slant=-0.42, length=62, light=105)
        if flash > 0.3:
            canvas = cv2.convertScaleAbs(canvas, alpha=1 + 0.5 * flash, beta=14 * flash)
        shake = (7 * np.sin(5.1 * t), 6 * np.sin(6.7 * t))
        return look.finish(
            zoomed(canvas, 1.07, x=shake[0], y=shake[1], turn=0.022 * np.sin(1.9 * t)), int(t * 24)
        )

    return frame


def _foam(canvas: Picture, line: NDArray[np.float64], layer: int, flash: float) -> None:
    colour = mix(rgb("#6d8797"), rgb("#16283a"), 0.2 * layer)
    path = np.stack([XS, line + 2], -1)
    crest = line < np.convolve(np.pad(line, 30, mode="edge"), np.ones(61) / 61, "valid") - 10
    edges = np.flatnonzero(np.diff(crest.astype(int)))
    for first, last in itertools.pairwise(edges):
        if crest[first + 1] and last - first > 3:
            part = path[first : last + 1]
            thick = 2.0 + 5 * np.sin(np.linspace(0, np.pi, len(part)))
            lower = (part + np.stack([np.zeros(len(part)), thick], -1))[::-1]
            cut(np.concatenate([part, lower]), canvas, mix(colour, (230, 240, 255), 0.6 * flash))


def wave(rng: np.random.Generator) -> Painter:
    """The blow: a wall of water falls and the light goes out."""
    look = Look.made(rng, dark=0.65, bloom=0.4)
    cloud = clouds(rng, 360, 900, size=150, stretch=2.2)
    layers = _sea_layers(rng, ["#2c4254", "#1d3244", "#0c1a28"], ["#152636", "#0c1a27", "#050d15"])
    wall = crop(sheet(rng, [(0, "#3d5f70"), (300, "#1c3a4b"), (720, "#07131d")]))
    rain = Rain.made(rng, 300)
    drops = rng.uniform(0, 1, (90, 4))

    def frame(t: float) -> Picture:
        flash = _flash(t, (0.5,))
        canvas = _sky(cloud, t, rgb("#0a1018"), mix(rgb("#33424f"), rgb("#c9d6f2"), flash))
        for i in (0, 1):
            paste(canvas, under(_swell(i + 1, t, 60) + 60, XS), layers[i], shadow=0.35)
        fall = ease((t - 0.2) / 2.3)
        _breaker(canvas, wall, t, fall)
        out = 1 - ease((t - 1.75) / 0.3)
        boat = Boat(
            520 - 60 * fall, 560 + 20 * np.sin(3 * t) + 30 * fall, 190, tilt=-0.25 - 0.35 * fall,
            flame=out * (0.7 + 0.3 * np.sin(29 * t) * np.sin(11 * t)),
            light=mix(rgb("#93a6b5"), (240, 245, 255), flash), shade=rgb("#42556a"),
            swing=0.8 * np.sin(5 * t),
        )  # fmt: skip
        draw_boat(canvas, boat)
        paste(canvas, under(_swell(4, t, 60) - 10, XS), layers[2], shadow=0.4)
        for x, y, size, speed in drops:
            age = (t * (0.8 + speed) + y) % 1.0
            px = 900 - 900 * x - 300 * age + 200 * size
            py = 700 - 560 * fall * age * (1.4 - age) * (0.5 + size)
            if fall > 0.3:
                disc(canvas, px, py, 1.5 + 4 * size, mix(rgb("#9fb9c8"), rgb("#33485a"), age))
        rain.fall(canvas, t, speed=2500, slant=-0.5, length=70, light=95)
        dark = ease((t - 2.1) / 0.75)
        canvas = cv2.convertScaleAbs(canvas, alpha=(1 - 0.97 * dark) * (1 + 0.5 * flash))
        return look.finish(
            zoomed(canvas, 1.09, x=9 * np.sin(7 * t), y=8 * np.sin(8.3 * t), turn=-0.03 - 0.02 * t),
            int(t * 24),
        )

    return frame


def _breaker(canvas: Picture, wall: Picture, t: float, fall: float) -> None:
    tip = np.array([980 - 560 * fall, 150 + 230 * fall**2])
    back = np.array([1330.0, 40 + 40 * np.sin(2 * t)])
    s = np.linspace(0, 1, 24)[:, None]
    ridge = (1 - s) ** 2 * back + 2 * s * (1 - s) * np.array([1010 - 330 * fall, -70]) + s**2 * tip
    belly = (
        (1 - s) ** 2 * tip
        + 2 * s * (1 - s) * np.array([1150 - 150 * fall, 250])
        + s**2 * (np.array([760 - 200 * fall, 760.0]))
    )
    shape = np.concatenate([ridge, belly, [(1340, 760)]])
    mask = blank()
    cut(shape, mask, 255)
    paste(canvas, mask, wall, shadow=0.5, spread=22)
    for k in range(1, 6):
        inner = belly + (belly - np.array([1340, 240])) * -0.13 * k
        stroke(inner[: 22 - 2 * k], canvas, mix(rgb("#5d8191"), rgb("#1c3a4b"), k / 6), 2)
    crest = np.concatenate([ridge[6:], belly[:5]])
    jag = 7 * np.sin(np.arange(len(crest)) * 2.4 + 9 * t)[:, None] * (0.4, 1.0)
    outer = crest + jag + np.array([-9.0, -9.0])
    cut(np.concatenate([crest + np.array([4, 12]), outer[::-1]]), canvas, rgb("#c3d6df"))
