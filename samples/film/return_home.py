"""Shots 9 to 12: grey rain, the spark, the sunrise, the lanterns."""

import cv2
import numpy as np
from numpy.typing import NDArray

from film.craft import (
    Boat,
    Look,
    Rain,
    Water,
    draw_birds,
    draw_fireflies,
    draw_rings,
    ease,
    float_boat,
    zoomed,
)
from film.morning import XS, Painter
from film.paint import (
    HEIGHT,
    WIDTH,
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


def grey_rain(rng: np.random.Generator) -> Painter:
    """Loss: slow rain on a grey sea, the lantern is dark."""
    horizon = 330
    sky = sheet(rng, [(0, "#7c838a"), (200, "#9aa0a4"), (330, "#b4b7b7")])
    tone = sheet(rng, [(horizon, "#a6abac"), (460, "#7b848a"), (720, "#4b555d")])
    look = Look.made(rng, dark=0.42, bloom=0.0)
    water = Water.made(rng, horizon)
    cloud = clouds(rng, 180, 1100, size=100, stretch=4)
    far = Noise.made(rng)
    hill = crop(sheet(rng, [(260, "#969ca1"), (340, "#aaaeb0")]))
    near = crop(sheet(rng, [(270, "#7d858c"), (340, "#9da3a6")]))
    rain = Rain.made(rng, 240)
    rings = rng.uniform(0, 1, (120, 4)) * (WIDTH, 370, 1, 1.1) + (0, horizon + 18, 0, 1.2)
    paper = np.full((HEIGHT, WIDTH, 3), rgb("#c9cccb"), np.uint8)

    def frame(t: float) -> Picture:
        canvas = crop(sky).copy()
        part = cloud[:, int(5 * t) : int(5 * t) + WIDTH // 2]
        mask = blank()
        billow = cv2.resize(np.clip((part - 0.35) * 300, 0, 120), (WIDTH, horizon))
        mask[:horizon] = billow * np.linspace(1, 0.3, horizon)[:, None]
        paste(canvas, mask, np.full_like(canvas, rgb("#6b7278")))
        paste(canvas, under(318 - 60 * np.abs(far(XS / 320, 4)), XS), hill)
        slope = np.clip((XS - 780) / 500, 0, 1)
        paste(canvas, under(334 - 90 * slope * (0.6 + np.abs(far(XS / 140 + 9, 4))), XS), near)
        water.mirror(canvas, crop(tone), 0.6 * t, share=0.5, ripple=0.45)
        mask[:] = 0
        mask[horizon - 24 : horizon + 30] = (np.sin(np.linspace(0, np.pi, 54)) * 130)[:, None]
        paste(canvas, mask, paper)
        draw_rings(canvas, rings, t, horizon, 62)
        boat = Boat(
            690 + 4 * t, 512 + 1.5 * np.sin(0.9 * t), 98, tilt=0.24 + 0.02 * np.sin(0.8 * t),
            flame=0.0, light=rgb("#c3c6c6"), shade=rgb("#7f878d"), swing=0.05 * np.sin(1.1 * t),
        )  # fmt: skip
        float_boat(canvas, boat, 0.5 * t, mirror=0.5)
        rain.fall(canvas, t, speed=760, slant=-0.03, length=30, light=66)
        return look.finish(zoomed(canvas, 1.12 - 0.012 * t, y=6 - t), int(t * 24))

    return frame


def spark(rng: np.random.Generator) -> Painter:
    """Hope: a firefly finds the lantern, and it burns again."""
    horizon = 360
    sky = sheet(rng, [(0, "#0b1238"), (220, "#1c2c66"), (360, "#3c5590")])
    tone = sheet(rng, [(horizon, "#2a427d"), (720, "#060c2a")])
    look = Look.made(rng, dark=0.5, bloom=0.35)
    water = Water.made(rng, horizon)
    stars = rng.uniform(0, 1, (190, 4))
    shore = Noise.made(rng)
    land = crop(sheet(rng, [(280, "#14214f"), (370, "#24386f")]))
    flies = rng.uniform(0, 1, (34, 3)) * (WIDTH, 380, 1) + (0, 150, 0)

    def frame(t: float) -> Picture:
        lit = ease((t - 2.75) / 0.9)
        canvas = crop(sky).copy()
        for x, y, size, phase in stars:
            twinkle = 0.55 + 0.45 * np.sin(2.2 * t + 40 * phase)
            place = (x * WIDTH, y * 330)
            disc(canvas, *place, 0.6 + 1.3 * size**3,
                 mix(rgb("#22336c"), (240, 244, 255), twinkle * (0.4 + 0.6 * size)))  # fmt: skip
            if size > 0.95:
                glow(canvas, *place, 15, scaled(rgb("#b8c8ff"), 0.45 * twinkle))
        paste(canvas, under(352 - 58 * np.abs(shore(XS / 260, 4)), XS), land)
        water.mirror(canvas, crop(tone), 0.8 * t, share=0.62, ripple=0.5)
        boat = Boat(
            610,
            520 + 3 * np.sin(1.2 * t),
            180,
            tilt=0.16 * (1 - lit) + 0.02 * np.sin(1.1 * t),
            flame=lit * (0.93 + 0.07 * np.sin(13 * t)),
            light=mix(rgb("#7d8fc0"), rgb("#ffe3c2"), lit),
            shade=mix(rgb("#3a4a86"), rgb("#7f6f95"), lit),
            swing=0.05 * np.sin(1.3 * t),
        )
        if lit > 0:
            glow(canvas, 760, 400, 480 * lit, scaled(rgb("#6b4020"), lit))
        float_boat(canvas, boat, 0.8 * t, mirror=0.6)
        draw_fireflies(canvas, flies, t, ease((t - 3.3) / 1.6))
        if t < 3.4:
            _seeker(canvas, t)
        return look.finish(zoomed(canvas, 1.0 + 0.018 * t, x=-5 * t, y=4 * t), int(t * 24))

    return frame


def _seeker(canvas: Picture, t: float) -> None:
    goal = np.array([779.0, 386.0])
    for back in range(12, -1, -1):
        when = max(0.0, t - 0.045 * back)
        away = 1 - ease(when / 2.75)
        place = goal + away * np.array(
            [430 + 60 * np.sin(3 * when), -270 + 150 * np.sin(2.6 * when)]
        )
        place = place + 14 * away * np.array([np.sin(7 * when), np.cos(9 * when)])
        share = (1 - back / 13) ** 2
        glow(canvas, *place, 9 + 22 * share, scaled(rgb("#f2ff9a"), 0.7 * share))
    disc(canvas, *place, 3, rgb("#fdffe0"))


def sunrise(rng: np.random.Generator) -> Painter:
    """Joy: the sun comes up over the harbour and every boat carries a light."""
    horizon = 400
    sky = sheet(rng, [(0, "#2c6cab"), (130, "#74a3bf"), (260, "#efb986"), (400, "#ee7a45")])
    tone = sheet(rng, [(horizon, "#e88f55"), (520, "#b9605a"), (720, "#2b3d78")])
    look = Look.made(rng, dark=0.3, bloom=0.12)
    water = Water.made(rng, horizon)
    cloud = clouds(rng, 150, 900, size=70, stretch=5)
    hills = [Noise.made(rng) for _ in range(2)]
    papers = [crop(sheet(rng, [(280, "#f0946c"), (400, "#ffbf86")])),
              crop(sheet(rng, [(300, "#b85c68"), (400, "#e88a6a")]))]  # fmt: skip
    birds = rng.uniform(0, 1, (15, 3)) * (420, 190, 1)
    sparks = rng.uniform(-1, 1, (230, 3))
    fleet = rng.uniform(0, 1, (17, 4))
    fleet[:, 0] = (np.arange(17) + 0.7 * fleet[:, 0]) / 17
    fleet[:, 1] = (np.arange(17) * 7 % 17 + fleet[:, 1]) / 17

    def frame(t: float) -> Picture:
        sun = np.array([640.0, 392 - 21 * t])
        canvas = crop(sky).copy()
        mask = blank()
        part = cloud[:, int(4 * t) : int(4 * t) + WIDTH // 2]
        fade = np.sin(np.linspace(0, np.pi, 270))[:, None] ** 0.7
        mask[20:290] = cv2.resize(np.clip((part - 0.45) * 600, 0, 150), (WIDTH, 270)) * fade
        paste(canvas, mask, np.full_like(canvas, rgb("#ffd9b8")))
        _rays(canvas, sun, t)
        glow(canvas, *sun, 430, rgb("#553413"))
        glow(canvas, *sun, 200, rgb("#503a14"))
        disc(canvas, *sun, 84, rgb("#fff3c8"))
        for i, (noise, paper) in enumerate(zip(hills, papers, strict=True)):
            side = np.clip(np.abs(XS - 640) / 640 - 0.16 + 0.12 * i, 0, 1)
            line = 408 - (150 - 40 * i) * side * (0.5 + np.abs(noise(XS / (300 - 90 * i), 4)))
            paste(canvas, under(line, XS), paper, shadow=0.15)
        _harbour(canvas, t)
        draw_birds(canvas, birds * (1, 1, 1) + (260 + 40 * t, 70 - 3 * t, 0), t, 13, rgb("#7a4a5e"))
        water.mirror(canvas, crop(tone), t, share=0.62, ripple=0.8)
        _glitter(canvas, sparks, t, horizon, float(sun[0]))
        lead = Boat(
            480 + 24 * t, 560 + 3 * np.sin(1.8 * t), 112, tilt=0.05 * np.sin(1.6 * t), flame=1.0,
            light=rgb("#fff0d2"), shade=rgb("#a0657a"), swing=0.15 * np.sin(2 * t),
        )  # fmt: skip
        boats = [_follower(*row, horizon, t) for row in fleet]
        for boat in sorted([*boats, lead], key=lambda one: one.y):
            float_boat(canvas, boat, t + boat.x, mirror=0.45)
        return look.finish(zoomed(canvas, 1.09 - 0.012 * t), int(t * 24))

    return frame


def _follower(x: float, y: float, phase: float, hue: float, horizon: int, t: float) -> Boat:
    depth = 0.03 + 0.85 * y**1.6
    tints = ["#ffe3b0", "#ffc9b0", "#ffd6dc", "#f6f0d8"]
    side = x * 1500 - 110 + (4 + 16 * depth) * t
    if depth > 0.25 and 330 < side < 860:
        side += 420 if x > 0.4 else -420
    return Boat(
        side, horizon + 12 + 260 * depth + 2 * np.sin(1.7 * t + 9 * phase), 16 + 74 * depth,
        tilt=0.06 * np.sin(1.5 * t + 20 * phase), flame=0.9, light=rgb(tints[int(hue * 4)]),
        shade=rgb("#9a5f72"), swing=0.14 * np.sin(2 * t + 30 * phase),
    )  # fmt: skip


def _rays(canvas: Picture, sun: NDArray[np.floating], t: float) -> None:
    small = np.zeros((HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    for k in range(14):
        a = np.pi + (k + 0.5) * np.pi / 14 + 0.04 * np.sin(0.5 * t + k)
        ray = [(0, 0), (1100 * np.cos(a - 0.05), 1100 * np.sin(a - 0.05)),
               (1100 * np.cos(a + 0.05), 1100 * np.sin(a + 0.05))]  # fmt: skip
        cut((np.array(ray) + sun) / 4, small, scaled(rgb("#ffdf9a"), 0.16 * ease(t / 3)))
    small = cv2.GaussianBlur(small, (0, 0), 4)
    cv2.add(canvas, cv2.resize(small, (WIDTH, HEIGHT)), dst=canvas)


def _harbour(canvas: Picture, t: float) -> None:
    dark, lit = rgb("#8a4458"), rgb("#ffe9a8")
    for x, tall, wide in (
        (60, 66, 62),
        (128, 92, 54),
        (188, 58, 70),
        (264, 76, 48),
        (318, 46, 60),
        (1010, 50, 58),
        (1072, 80, 50),
        (1128, 62, 66),
        (1200, 96, 60),
    ):
        top = 404 - tall
        house = [(x, 408), (x, top), (x + wide / 2, top - 26), (x + wide, top), (x + wide, 408)]
        cut(np.array(house, float), canvas, scaled(dark, 0.9 + 0.002 * tall))
        for k in range(2):
            cv2.rectangle(canvas, (x + 12 + 22 * k, top + 12), (x + 20 + 22 * k, top + 24), lit, -1)
    tower = [(930, 408), (940, 262), (964, 262), (974, 408)]
    cut(np.array(tower, float), canvas, rgb("#fff0dc"))
    for y in (290, 336, 382):
        half = 12 + 10 * (y - 262) / 146
        band = [
            (952 - half, y),
            (952 + half, y),
            (952 + half + 1.6, y + 22),
            (952 - half - 1.6, y + 22),
        ]
        cut(np.array(band), canvas, rgb("#d9534f"))
    cut(np.array([(936, 246), (952, 226), (968, 246)], float), canvas, rgb("#b23c48"))
    cv2.rectangle(canvas, (941, 246), (963, 262), lit, -1)
    glow(canvas, 952, 254, 66 + 12 * np.sin(3 * t), rgb("#a07830"))
    quay = [(-10, 396), (380, 399), (420, 408), (-10, 410)]
    cut(np.array(quay, float), canvas, rgb("#6f3850"))
    cut(np.array([(900, 408), (930, 398), (1290, 396), (1290, 410)], float), canvas, rgb("#6f3850"))


def _glitter(
    canvas: Picture, sparks: NDArray[np.floating], t: float, horizon: int, sun_x: float
) -> None:
    for across, deep, phase in sparks:
        depth = abs(deep) ** 1.5
        y = horizon + 5 + depth * 300
        x = sun_x + across * abs(across) * (60 + 330 * depth)
        shine = max(0.0, float(np.sin(3 * t + 20 * phase))) ** 2
        if shine > 0.2:
            half = (3 + 20 * depth) * shine
            line = np.array([(x - half, y), (x + half, y)])
            stroke(line, canvas, mix(rgb("#ffc27a"), rgb("#fff6d0"), shine), 1 + int(2 * depth))


def lanterns(rng: np.random.Generator) -> Painter:
    """Peace: two boats, and lanterns rising into a warm evening sky."""
    horizon = 470
    sky = sheet(rng, [(0, "#2f2a6b"), (200, "#8a4b8f"), (360, "#f08a70"), (470, "#ffd08a")])
    tone = sheet(rng, [(horizon, "#f0a074"), (720, "#3a2a66")])
    look = Look.made(rng, dark=0.38, bloom=0.22)
    water = Water.made(rng, horizon)
    hill = Noise.made(rng)
    paper = crop(sheet(rng, [(380, "#6f3f7c"), (480, "#c56a72")]))
    rising = sorted(rng.uniform(0, 1, (64, 4)).tolist(), key=lambda row: row[2])
    stars = rng.uniform(0, 1, (70, 3))

    def frame(t: float) -> Picture:
        canvas = crop(sky).copy()
        for x, y, size in stars:
            disc(canvas, x * WIDTH, y * 190, 0.6 + size, mix(rgb("#5a4a8a"), (255, 240, 230), size))
        glow(canvas, 640, 470, 400, rgb("#4a2f16"))
        rise = 70 * np.clip(np.abs(XS - 640) / 640 - 0.1, 0, 1) ** 0.7
        paste(canvas, under(468 - rise * (0.8 + np.abs(hill(XS / 240, 4))), XS), paper)
        for x, y, size, phase in rising:
            climb = (y * 620 + t * (26 + 52 * size)) % 720
            px = x * WIDTH + 16 * np.sin(0.9 * t + 9 * phase)
            _sky_lantern(canvas, px, 520 - climb, 5 + 17 * size**2)
        water.mirror(canvas, crop(tone), t, share=0.66, ripple=0.6)
        small = Boat(
            745 - 9 * ease(t / 3) * 2,
            585 + 3 * np.sin(1.9 * t + 1),
            84,
            tilt=-0.03 * np.sin(1.6 * t),
            flame=1.0,
            light=rgb("#ffd9d0"),
            shade=rgb("#a8708c"),
            swing=0.1 * np.sin(2 * t + 1),
        )
        large = Boat(
            470 + 26 * ease(t / 3), 590 + 3 * np.sin(1.7 * t), 140, tilt=0.03 * np.sin(1.5 * t),
            flame=1.0, light=rgb("#ffeccb"), shade=rgb("#a8778c"), swing=0.1 * np.sin(1.8 * t),
        )  # fmt: skip
        float_boat(canvas, small, t, mirror=0.5)
        float_boat(canvas, large, t + 2, mirror=0.5)
        canvas = zoomed(canvas, 1.0 + 0.012 * t, y=4 * t)
        dark = ease((t - 4.3) / 0.7)
        if dark > 0:
            canvas = cv2.convertScaleAbs(canvas, alpha=1 - dark)
        return look.finish(canvas, int(t * 24))

    return frame


def _sky_lantern(canvas: Picture, x: float, y: float, size: float) -> None:
    shape = [
        (x - 0.62 * size, y + size),
        (x - 0.8 * size, y - 0.5 * size),
        (x - 0.4 * size, y - size),
        (x + 0.4 * size, y - size),
        (x + 0.8 * size, y - 0.5 * size),
        (x + 0.62 * size, y + size),
    ]
    glow(canvas, x, y + 0.2 * size, 4.2 * size, rgb("#7a4418"))
    cut(np.array(shape), canvas, rgb("#ffab4f"))
    cut(np.array(shape) * 0.62 + np.array([x, y + 0.5 * size]) * 0.38, canvas, rgb("#ffe0a0"))
