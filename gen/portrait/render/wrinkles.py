"""Wrinkles: which lines an action unit draws on skin, as relief over a frontal face.

Skin folds where muscles shorten it; a face model of some thousand vertices has no such lines, and
without them anger, fear and disgust are not seen. Each line runs through landmarks of the basis
head, is a soft valley with swollen shoulders, a little irregular, and is lit like the rest.

Source: which unit folds what: Ekman, Friesen and Hager 2002 (FACS manual); expression ratio
images: Liu, Shan and Zhang 2001, there from photographs of actors, here from relief. Lengths are in
units of the basis head (18 across the cheekbones); letters: K wrinkles, P points of the face.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, MIRROR, NUM_BLENDSHAPES

Floats = NDArray[np.float32]

WAVE = 0.16  # units that a line strays from its landmarks
WAVE_LENGTH = 1.7  # units


@dataclass(frozen=True)
class Line:
    """A fold.

    Attributes:
        through: landmarks with an offset right and up in units, from the person's right side or
            the middle.
        width: of the valley, one sigma in units.
        depth: of the valley in units.
        swell: height of the shoulders in parts of the depth: (left of the way, right of it).
        dark: how much light the valley loses beside its slope, natural logarithm.
    """

    through: tuple[tuple[int, float, float], ...]
    width: float
    depth: float
    swell: tuple[float, float] = (0.4, 0.4)
    dark: float = 0.16


@dataclass(frozen=True)
class Wrinkle:
    """Lines that one group of blendshapes draws, on the person's right side (or the middle)."""

    driven_by: dict[str, float]
    lines: tuple[Line, ...]
    twosided: bool = True


# The person's right side has the lower landmark numbers; its blendshapes end with Right.
WRINKLES: tuple[Wrinkle, ...] = (
    # The upright furrow beside the glabella's middle, and the shadow under a lowered brow.
    Wrinkle(
        {"browDownRight": 1.0, "noseSneerRight": 0.15},
        (
            Line(((9, -0.62, 0.5), (8, -0.50, 0.35), (8, -0.66, -0.65)), 0.15, 0.12, dark=0.38),
            Line(((193, -0.1, 0.5), (221, 0.1, 0.1), (222, 0.0, 0.1), (223, 0.1, 0.1)),
                 0.34, 0.0, dark=0.42),
            Line(((107, 0.1, 0.5), (55, 0.35, 0.55), (9, -0.3, 0.0)), 0.30, 0.07, dark=0.10),
        ),
    ),
    # The root of the nose, across.
    Wrinkle(
        {"browDownLeft": 0.3, "browDownRight": 0.3, "noseSneerLeft": 0.4, "noseSneerRight": 0.4},
        (
            Line(((193, 0.0, 0.25), (168, 0.0, 0.0), (417, 0.0, 0.25)), 0.18, 0.09, dark=0.26),
            Line(((193, 0.2, -0.35), (6, 0.0, 0.35), (417, -0.2, -0.35)), 0.17, 0.06, dark=0.14),
        ),
        twosided=False,
    ),
    # Lines across the forehead, the middle of them.
    Wrinkle(
        {"browInnerUpRight": 1.0},
        (
            Line(((66, 0.0, 1.35), (107, 0.0, 1.45), (9, 0.3, 1.15)), 0.15, 0.11, dark=0.26),
            Line(((105, 0.4, 2.3), (107, -0.2, 2.55), (9, 0.4, 2.3)), 0.17, 0.12, dark=0.30),
            Line(((105, 0.6, 3.4), (107, -0.2, 3.6), (9, 0.4, 3.4)), 0.17, 0.10, dark=0.22),
        ),
    ),
    # The same towards the temple.
    Wrinkle(
        {"browOuterUpRight": 1.0},
        (
            Line(((70, 0.0, 0.8), (63, 0.0, 1.2), (105, 0.0, 1.45), (66, 0.6, 1.4)),
                 0.15, 0.09, dark=0.22),
            Line(((70, 0.4, 1.8), (63, 0.2, 2.25), (105, 0.2, 2.5), (66, 0.7, 2.45)),
                 0.17, 0.10, dark=0.26),
        ),
    ),
    # The nose's sides, and the crease round its wing.
    Wrinkle(
        {"noseSneerRight": 1.0},
        (
            Line(((188, -0.2, 0.3), (122, 0.0, 0.0), (6, -0.25, -0.1)), 0.15, 0.08, dark=0.24),
            Line(((217, -0.2, 0.5), (174, 0.0, 0.2), (197, -0.35, 0.0)), 0.15, 0.08, dark=0.24),
            Line(((217, 0.2, -0.3), (217, 0.5, 0.2), (197, -0.4, -0.5)), 0.15, 0.05, dark=0.14),
            Line(((129, 0.7, 0.9), (129, 0.15, 0.55), (129, 0.15, -0.1)), 0.20, 0.10, dark=0.32),
        ),
    ),
    # From the wing of the nose to the corner of the mouth.
    Wrinkle(
        {
            "mouthSmileRight": 0.75, "mouthUpperUpRight": 0.50, "noseSneerRight": 0.65,
            "cheekSquintRight": 0.15, "mouthDimpleRight": 0.30, "mouthStretchRight": 0.30,
        },
        (
            Line(
                ((129, 0.25, 0.45), (203, -0.05, 0.1), (206, -0.05, 0.0), (216, 0.05, 0.0),
                 (212, 0.25, 0.5)),
                0.26, 0.11, swell=(0.0, 0.5), dark=0.24,
            ),
        ),
    ),
    # Beside and under the eye.
    Wrinkle(
        {"eyeSquintRight": 0.55, "cheekSquintRight": 0.65, "mouthSmileRight": 0.10},
        (
            Line(((33, -0.45, 0.25), (33, -1.0, 0.55), (33, -1.65, 0.85)), 0.12, 0.06, dark=0.24),
            Line(((33, -0.5, -0.05), (33, -1.1, 0.0), (33, -1.8, 0.0)), 0.12, 0.06, dark=0.26),
            Line(((33, -0.4, -0.4), (33, -1.0, -0.65), (33, -1.6, -1.0)), 0.12, 0.06, dark=0.24),
            Line(((33, 0.1, -0.5), (25, 0.4, -0.35), (23, 0.0, -0.35), (26, 0.0, -0.2)),
                 0.15, 0.09, swell=(0.6, 0.2), dark=0.30),
        ),
    ),
    # From the corner of the mouth down.
    Wrinkle(
        {"mouthFrownRight": 1.0, "mouthShrugLowerRight": 0.2, "mouthStretchRight": 0.3},
        (
            Line(((61, -0.15, 0.1), (61, -0.35, -0.5), (61, -0.55, -1.3), (210, 0.4, -0.2)),
                 0.22, 0.09, swell=(0.5, 0.2), dark=0.28),
        ),
    ),
    # Between lower lip and chin.
    Wrinkle(
        {"mouthShrugLowerLeft": 0.8, "mouthFrownLeft": 0.25, "mouthFrownRight": 0.25,
         "mouthPressLeft": 0.15, "mouthPressRight": 0.15},
        (
            Line(((182, -0.2, -0.25), (18, 0.0, -0.1), (406, 0.2, -0.25)), 0.28, 0.15,
                 swell=(0.2, 0.7), dark=0.30),
        ),
        twosided=False,
    ),
    # Pressed lips push the skin beside the corners together.
    Wrinkle(
        {"mouthPressRight": 0.8, "mouthDimpleRight": 0.8, "mouthStretchRight": 0.4},
        (Line(((61, -0.35, 0.5), (61, -0.5, 0.0), (61, -0.35, -0.55)), 0.20, 0.08, dark=0.22),),
    ),
)  # fmt: skip
FADING = 0.48  # of a line's length at each end
REACH = 8.0  # widths from a line beyond which its shoulders are under 1e-5 of their height


def activations() -> Floats:
    """(52, K) how far each blendshape draws each wrinkle; both sides of one stand side by side."""
    columns = []
    for wrinkle in WRINKLES:
        column = np.zeros(NUM_BLENDSHAPES, dtype=np.float32)
        for name, weight in wrinkle.driven_by.items():
            # Shapes without sides serve both.
            known = name if name in BLENDSHAPES else name.removesuffix("Right").removesuffix("Left")
            column[BLENDSHAPES.index(known)] = weight
        columns.append(column)
        if wrinkle.twosided:
            columns.append(column[list(MIRROR)])
    return np.stack(columns, axis=1)


def relief(places: Floats, landmarks: Floats) -> tuple[Floats, Floats]:
    """The wrinkles as height and as darkness.

    Args:
        places: (P, 2) points of the face, x to the viewer's right, y up, in units.
        landmarks: (468, 2) the basis head's, the same way.

    Returns:
        (K, P) height in units and (K, P) natural logarithm of the light that valleys lose.
    """
    heights, darks = [], []
    strayed = places + _waves(places)
    for wrinkle in WRINKLES:
        for side in (1.0, -1.0) if wrinkle.twosided else (1.0,):
            # The other side is the mirror image; the middle of the basis head is x = 0.
            seen = (strayed * np.asarray([side, 1.0])).astype(np.float32)
            drawn = [_valley(line, seen, landmarks) for line in wrinkle.lines]
            heights.append(np.sum([d[0] for d in drawn], axis=0))
            darks.append(np.min([d[1] for d in drawn], axis=0))
    return np.stack(heights).astype(np.float32), np.stack(darks).astype(np.float32)


def _valley(line: Line, places: Floats, landmarks: Floats) -> tuple[Floats, Floats]:
    """(P,) height and (P,) darkness of one line."""
    ends = np.stack([landmarks[n] + np.asarray([dx, dy]) for n, dx, dy in line.through])
    way = _smooth(ends)
    height, dark = np.zeros(len(places), np.float32), np.zeros(len(places), np.float32)
    reach = REACH * line.width
    near = np.all((places > way.min(axis=0) - reach) & (places < way.max(axis=0) + reach), axis=1)
    distance, along = _from_way(places[near], way)
    fade = np.clip(np.minimum(along, 1 - along) / FADING, 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    bottom = np.exp(-0.5 * (distance / line.width) ** 2)
    shoulder = np.exp(-0.5 * ((np.abs(distance) - 2.2 * line.width) / (1.2 * line.width)) ** 2)
    swell = np.where(distance < 0, line.swell[0], line.swell[1])
    height[near] = line.depth * fade * (swell * shoulder - bottom)
    dark[near] = -line.dark * fade * bottom
    return height, dark


def _smooth(ends: Floats) -> Floats:
    """(N, 2) a curve through points, by rounds of corner cutting that keep the ends."""
    way = ends
    for _ in range(3):
        near, far = 0.75 * way[:-1] + 0.25 * way[1:], 0.25 * way[:-1] + 0.75 * way[1:]
        way = np.concatenate([way[:1], np.stack([near, far], axis=1).reshape(-1, 2), way[-1:]])
    return way


def _from_way(places: Floats, way: Floats) -> tuple[Floats, Floats]:
    """(P,) distance from a way, negative to its left, and (P,) the share of it at the foot."""
    steps = np.diff(way, axis=0)
    lengths = np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    best = np.full(len(places), np.inf)
    signed, share = np.zeros(len(places)), np.zeros(len(places))
    for start, step, length, before in zip(way[:-1], steps, lengths, starts[:-1], strict=True):
        offset = places - start
        foot = np.clip(offset @ step / length**2, 0, 1)
        away = offset - foot[:, None] * step
        distance = np.linalg.norm(away, axis=1)
        nearer = distance < best
        best[nearer] = distance[nearer]
        side = np.where(step[0] * away[:, 1] - step[1] * away[:, 0] > 0, -1.0, 1.0)
        signed[nearer] = (side * distance)[nearer]
        share[nearer] = ((before + foot * length) / starts[-1])[nearer]
    return signed.astype(np.float32), share.astype(np.float32)


def _waves(places: Floats) -> Floats:
    """(P, 2) smooth irregular offsets, always the same."""
    rng = np.random.default_rng(7)
    offsets = np.zeros_like(places, dtype=np.float64)
    for _ in range(6):
        direction = rng.standard_normal(2)
        pace = 2 * np.pi / WAVE_LENGTH * direction / np.linalg.norm(direction) * rng.uniform(0.5, 1)
        swing = rng.standard_normal(2) * WAVE / 6**0.5
        offsets += np.sin(places @ pace + rng.uniform(0, 2 * np.pi))[:, None] * swing
    return offsets.astype(np.float32)
