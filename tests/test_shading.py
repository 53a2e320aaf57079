"""Ratio maps of light, wrinkles, the lips' line, a smiling photo made neutral."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from affetto.blendshapes import BLENDSHAPES, MIRROR
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.doctor import lip_gap
from affetto.gen.portrait.render.lip_line import gap_mask, snapped
from affetto.gen.portrait.render.neutral import neutralise, shut
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER
from affetto.gen.portrait.render.shading import (
    FaceLight,
    ShadingMaps,
    chart,
    fitted_light,
    in_units,
    multiply_light,
)
from affetto.gen.portrait.render.wrinkles import activations, relief
from affetto.motion import PLACE
from affetto.recognizers.face.arkit import fit, load_basis
from affetto.recognizers.face.mesh import FaceMesh
from affetto.recognizers.face.picture import read_picture

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SMILE = [BLENDSHAPES.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]


@pytest.fixture(scope="module")
def portrait():
    return analyse(read_picture(ASTRONAUT))


@pytest.fixture(scope="module")
def shading(portrait):
    return ShadingMaps(portrait)


def row(**values):
    made = np.zeros(62, dtype=np.float32)
    for name, value in values.items():
        for channel in [name] if name in PLACE else [name + "Left", name + "Right"]:
            made[PLACE[channel]] = value
    return made


def painted_head(light, size=400):
    """The basis head, matt, under one light (picture's axes), and its landmarks in pixels."""
    face = chart()
    points = load_basis().neutral * 16 + np.asarray([size / 2, size / 2, 0], np.float32)
    normals = in_units(face.fine_neutral)
    shaded = (0.3 + 0.7 * np.maximum(normals @ (light / np.linalg.norm(light)), 0)) * 0.6
    sheet = face.drawn_at(np.ascontiguousarray(points[:, :2]), (size, size))
    drawn = cv2.remap(shaded.astype(np.float32), sheet, None, cv2.INTER_LINEAR)
    values = np.round(255 * np.clip(drawn, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return np.dstack([values] * 3), points


def test_rest_changes_nothing(shading, portrait):
    frame = portrait.neutral.copy()
    shading.apply(frame, portrait.points, np.zeros(62, np.float32))
    np.testing.assert_array_equal(frame, portrait.neutral)


def test_only_the_face_is_shaded(shading, portrait):
    frame = shading.apply(portrait.neutral.copy(), portrait.points, row(browDown=1, noseSneer=1))
    changed = np.any(frame != portrait.neutral, axis=-1)
    low, high = portrait.points[:, :2].min(axis=0), portrait.points[:, :2].max(axis=0)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= low[1] - 1
    assert rows.max() <= high[1] + 1
    assert columns.min() >= low[0] - 1
    assert columns.max() <= high[0] + 1
    assert changed.sum() > 500


def test_a_frown_darkens_the_glabella(shading):
    face, ratio = chart(), shading.light.log_ratio(row(browDown=1)[:52])
    x, y = np.round((face.places[9] + face.places[8]) / 2).astype(int)
    assert ratio[y - 4 : y + 5, x - 8 : x + 9].min() < -0.15
    assert ratio.min() >= -0.75
    assert ratio.max() <= 0.40


def test_every_wrinkle_is_drawn_by_something_and_the_sides_mirror():
    table = activations()
    assert table.shape[0] == 52
    assert (table.max(axis=0) > 0).all()
    landmarks = in_units(load_basis().neutral)[:, :2].astype(np.float32)
    heights, darks = relief(landmarks, landmarks)
    assert heights.shape == darks.shape == (table.shape[1], 468)
    assert darks.max() <= 0
    mirrored = table[list(MIRROR)]
    assert all(any(np.array_equal(column, other) for other in mirrored.T) for column in table.T)


def test_both_sides_of_a_head_lit_from_the_front_are_alike():
    picture, points = painted_head(np.asarray([0.0, -0.3, -1.0]))
    light = FaceLight(picture, points, np.eye(3, dtype=np.float32))
    for name in ("mouthSmile", "noseSneer", "browDown"):
        left = light.log_ratio(row(**{name + "Left": 1})[:52])
        right = light.log_ratio(row(**{name + "Right": 1})[:52])
        alike = np.corrcoef(left.ravel(), right[:, ::-1].ravel())[0, 1]
        assert alike > 0.85, name


@pytest.mark.parametrize("light", [(0.5, -0.4, -0.8), (-0.6, -0.3, -0.8), (0.0, -0.7, -0.7)])
def test_the_light_is_found(light):
    picture, points = painted_head(np.asarray(light))
    found, ambient = fitted_light(picture, points, np.eye(3, dtype=np.float32))
    cosine = float(found @ np.asarray(light)) / float(np.linalg.norm(light))
    assert np.degrees(np.arccos(cosine)) < 35
    assert 0.3 <= ambient <= 0.6


def test_light_multiplies_and_never_overflows():
    part = np.full((2, 3, 3), 250, np.uint8)
    multiply_light(part, np.full((2, 3), 0.4, np.float32))
    assert part.min() >= 250
    skin = np.full((1, 1, 3), (200, 150, 120), np.uint8)
    multiply_light(skin, np.full((1, 1), -0.5, np.float32))
    assert 140 < skin[0, 0, 0] < 185
    assert skin[0, 0, 0] / 200 > skin[0, 0, 1] / 150 > skin[0, 0, 2] / 120 > 0.6  # warm


def test_same_row_same_bytes(shading, portrait):
    frames = [
        shading.apply(portrait.neutral.copy(), portrait.points, row(mouthSmile=0.8))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*frames)


def painted_mouth(points, shift, gap):
    """Lips with a dark line or gap `shift` pixels below where the mesh has it."""
    picture = np.full((512, 512, 3), (205, 160, 140), np.uint8)
    outer = points[[61, 40, 0, 270, 291, 405, 17, 181], :2]
    cv2.fillPoly(picture, [np.round(outer).astype(np.int32)], (170, 80, 85))
    middle = points[list(INNER_UPPER), :2].copy()
    middle[:, 1] += shift
    low = middle + np.asarray([0, gap])
    inside = np.concatenate([middle, low[::-1]])
    cv2.fillPoly(picture, [np.round(inside).astype(np.int32)], (45, 15, 15))
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


@pytest.mark.parametrize("gap", [2, 6])
def test_inner_lips_go_to_the_line_in_the_picture(gap):
    points = load_basis().neutral * 22 + np.asarray([256, 200, 0], np.float32)
    points = shut(points.astype(np.float32))
    found = snapped(painted_mouth(points, 4, gap), points)
    middle = INNER_UPPER[5], INNER_LOWER[5]
    wanted = points[INNER_UPPER[5], 1] + 4
    assert abs(found[middle[0], 1] - wanted) < 3
    assert abs(found[middle[1], 1] - wanted - gap) < 3
    others = np.setdiff1d(np.arange(468), [*INNER_UPPER, *INNER_LOWER, 61, 291])
    np.testing.assert_array_equal(found[others], points[others])


def test_where_the_picture_says_nothing_the_mesh_stays():
    points = load_basis().neutral * 22 + np.asarray([256, 200, 0], np.float32)
    flat = np.full((512, 512, 3), 128, np.uint8)
    np.testing.assert_array_equal(snapped(flat, points.astype(np.float32)), points)


def test_shut_lips_meet_and_far_skin_stays(portrait):
    points = portrait.mesh.points[:468]
    closed = shut(points)
    np.testing.assert_allclose(closed[list(INNER_UPPER)], closed[list(INNER_LOWER)], atol=1e-3)
    for far in (10, 33, 263, 6, 127, 356):
        np.testing.assert_array_equal(closed[far], points[far])


def test_a_smile_with_teeth_becomes_neutral(portrait):
    assert lip_gap(portrait.mesh.points) > 0.08
    again = FaceMesh().again(portrait.neutral, portrait.points)
    basis = load_basis()
    identity = portrait.fit.identity
    before = fit(portrait.mesh.points, basis, identity=identity).coefficients[SMILE].mean()
    after = fit(again.points, basis, identity=identity).coefficients[SMILE].mean()
    assert before > 0.5
    assert after < 0.15
    assert lip_gap(again.points) < 0.03
    teeth = gap_mask(portrait.picture, portrait.mesh.points[:468])
    bright = portrait.picture[teeth].min(axis=-1)
    assert np.quantile(bright, 0.8) > 170  # teeth there, none here:
    x, y = np.round(portrait.points[13, :2]).astype(int)
    assert portrait.neutral[y - 2 : y + 3, x - 6 : x + 7].min(axis=-1).max() < 190


def test_what_is_neutral_stays_as_it_is(portrait):
    reader, basis = FaceMesh(), load_basis()
    mesh = reader.again(portrait.neutral, portrait.points)
    fitted = fit(mesh.points, basis, identity=portrait.fit.identity)
    picture, points = neutralise(portrait.neutral, mesh, fitted, reader=reader, basis=basis)
    difference = np.abs(picture.astype(int) - portrait.neutral)
    assert difference.mean() < 1.5
    assert lip_gap(points) < 1e-3


def test_far_from_the_face_nothing_moves(portrait):
    left = slice(0, round(float(portrait.points[:, 0].min())) - 110)
    same = portrait.neutral[:, left].astype(int) - portrait.picture[:, left]
    assert same.size == 0 or np.abs(same).max() <= 2
