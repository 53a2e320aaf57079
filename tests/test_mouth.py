"""The mouth's interior: clipped by the lips, steady teeth, a tongue, light."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.mouth import LOOP, MouthPainter
from affetto.gen.portrait.render.teeth import fitted_mouth
from affetto.motion import PLACE
from affetto.recognizers.face.picture import read_picture

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def portrait():
    return analyse(read_picture(ASTRONAUT))


@pytest.fixture(scope="module")
def painter(portrait):
    return MouthPainter(portrait)


def row(**values):
    made = np.zeros(62, dtype=np.float32)
    for name, value in values.items():
        for channel in [name] if name in PLACE else [name + "Left", name + "Right"]:
            made[PLACE[channel]] = value
    return made


def opened(portrait, asked):
    """The landmarks under a row, without the renderer's own care for lips."""
    return (portrait.points + np.tensordot(asked[:52], portrait.deltas_px, axes=1)).astype(
        np.float32
    )


def inside(points, size, grow=0):
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(LOOP), :2]).astype(np.int32)], 1)
    return cv2.dilate(mask, np.ones((2 * grow + 1,) * 2, np.uint8)) > 0


def painted(painter, portrait, asked):
    points = opened(portrait, asked)
    return painter.paint(portrait.neutral.copy(), points, asked), points


def test_shut_lips_are_left_alone(painter, portrait):
    frame = painter.paint(portrait.neutral.copy(), portrait.points, row())
    np.testing.assert_array_equal(frame, portrait.neutral)


@pytest.mark.parametrize("asked", [row(jawOpen=0.5), row(mouthUpperUp=0.6, mouthLowerDown=0.6)])
def test_only_between_the_lips(painter, portrait, asked):
    frame, points = painted(painter, portrait, asked)
    changed = np.any(frame != portrait.neutral, axis=-1)
    assert changed.sum() > 100
    assert not (changed & ~inside(points, len(frame), grow=3)).any()


def test_the_edge_is_about_a_pixel_wide(painter, portrait):
    asked = row(jawOpen=0.6)
    points = opened(portrait, asked)
    white = painter.paint(np.full_like(portrait.neutral, 255), points, asked).astype(int)
    black = painter.paint(np.zeros_like(portrait.neutral), points, asked).astype(int)
    through = (white - black)[..., 1] / 255  # what of the frame still shows
    x = round(float(points[13, 0]))
    partly = ((through[:, x] > 0.1) & (through[:, x] < 0.9)).sum()
    assert 2 <= partly <= 6  # both lips


def test_upper_teeth_stay_while_the_jaw_moves(painter, portrait):
    """The skull's part of the picture is the same at two openings, lower down it is not."""
    frames = [painted(painter, portrait, row(jawOpen=jaw, mouthUpperUp=0.8)) for jaw in (0.4, 0.6)]
    points = frames[0][1]
    x, top = np.round(points[13, :2]).astype(int)
    unit = painter.set.unit_px
    rows = slice(top + 3, top + round(0.45 * unit))
    columns = slice(x - round(unit), x + round(unit))
    teeth = [frame[rows, columns].astype(int) for frame, _ in frames]
    assert np.abs(teeth[0] - teeth[1]).mean() < 12
    assert teeth[0].mean() > 100


def test_same_row_same_bytes(painter, portrait):
    first, second = (painted(painter, portrait, row(jawOpen=0.4))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_teeth_are_about_as_light_as_the_photo_allows(portrait):
    mouth = fitted_mouth(portrait)
    solid = mouth.upper.picture[..., 3] > 250
    teeth = np.quantile(mouth.upper.picture[solid][:, :3], 0.9, axis=0)
    skin = portrait.neutral[tuple(np.round(portrait.points[50, 1::-1]).astype(int))]
    assert 0.8 * skin.mean() < teeth.mean() < 1.6 * skin.mean()
    assert teeth[0] >= teeth[1] >= teeth[2] > 0.75 * teeth[0]  # ivory


def test_a_dark_photo_has_dark_teeth(portrait):
    from dataclasses import replace

    dark = replace(portrait, neutral=(portrait.neutral * 0.4).astype(np.uint8))
    assert fitted_mouth(dark).light.mean() < 0.6 * fitted_mouth(portrait).light.mean()


def test_the_tongue_comes_up(painter, portrait):
    rest = painted(painter, portrait, row(jawOpen=0.45))[0].astype(int)
    out, points = painted(painter, portrait, row(jawOpen=0.45, tongueOut=0.9))
    middle = inside(points, len(out))
    redder = (out.astype(int) - rest)[middle]
    assert (np.abs(redder).sum(axis=1) > 30).mean() > 0.1
    changed = middle & (np.abs(out - rest).sum(axis=-1) > 30)
    colour = out[changed].mean(axis=0)
    assert colour[0] > colour[1] + 20


def test_rounded_lips_hide_the_teeth(painter, portrait):
    asked = row(jawOpen=0.4)
    points = opened(portrait, asked)
    plain = painter.paint(portrait.neutral.copy(), points, asked)
    rounded = asked.copy()
    rounded[PLACE["mouthPucker"]] = 0.9
    round_mouth = painter.paint(portrait.neutral.copy(), points, rounded)
    middle = inside(points, len(plain))
    assert round_mouth[middle].mean() < 0.75 * plain[middle].mean()


def test_the_deeper_the_darker(painter, portrait):
    def darkest(jaw):
        frame, points = painted(painter, portrait, row(jawOpen=jaw))
        return np.quantile(frame[inside(points, len(frame))].mean(axis=-1), 0.15)

    assert darkest(0.9) < darkest(0.3)


def test_teeth_go_with_the_head(painter, portrait):
    asked = row(jawOpen=0.3, mouthUpperUp=0.5)
    points = opened(portrait, asked)
    frame = painter.paint(np.zeros_like(portrait.neutral), points, asked)
    turn = cv2.getRotationMatrix2D((256, 256), 10, 1.05)
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    moved[:, 2] *= 1.05
    turned = painter.paint(np.zeros_like(portrait.neutral), moved.astype(np.float32), asked)
    expected = cv2.warpAffine(frame, turn, (512, 512))
    middle = cv2.erode(inside(moved, 512).astype(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(turned[middle].astype(int) - expected[middle]).mean() < 14


def test_a_mouth_outside_of_the_frame_is_no_error(painter, portrait):
    asked = row(jawOpen=0.5)
    points = opened(portrait, asked)
    points[:, :2] += 2000
    frame = painter.paint(portrait.neutral.copy(), points, asked)
    np.testing.assert_array_equal(frame, portrait.neutral)
