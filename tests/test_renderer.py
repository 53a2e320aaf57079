"""The portrait renderer: stillness, layers, lids, lips, limits, paste-back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.gen.portrait.render.analyse import analyse, crop_box
from affetto.gen.portrait.render.eyes import LOWER_LIDS, UPPER_LIDS
from affetto.gen.portrait.render.plate import cut_out, foreground, inpaint_plate
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, OVAL
from affetto.gen.portrait.render.raster import UNSEEN, close_gaps, fill_map, lay_over, unfold
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import CHANNELS, PLACE
from affetto.recognizers.face.blaze import FaceBox

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SIDE = 256


def row(**values: float) -> np.ndarray:
    """One row of motion; a name without Left or Right moves both."""
    made = np.zeros(len(CHANNELS), dtype=np.float32)
    for name, value in values.items():
        for channel in (name, f"{name}Left", f"{name}Right"):
            if channel in PLACE:
                made[PLACE[channel]] = value
    return made


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.fixture(scope="module")
def photo():
    from affetto.recognizers.face.picture import read_picture

    return read_picture(ASTRONAUT)


@pytest.fixture(scope="module")
def portrait(photo):
    return analyse(photo, work_size=SIDE)


@pytest.fixture(scope="module")
def renderer(portrait):
    return Renderer(portrait, size=SIDE)


def test_a_triangle_shows_its_source():
    sheet = np.full((20, 20, 2), -1.0, dtype=np.float32)
    places = np.asarray([[2, 2], [2, 17], [17, 2]], dtype=np.float32)
    triangles = np.asarray([[0, 2, 1]], dtype=np.int32)
    fill_map(places, places * 2 + 1, triangles, sheet)
    assert np.allclose(sheet[5, 7], [15, 11], atol=1e-4)
    assert (sheet[18, 18] == -1).all()
    both = np.asarray([[0, 2, 1], [0, 1, 2]], dtype=np.int32)
    behind = np.full((20, 20, 2), -1.0, dtype=np.float32)
    fill_map(places, places * 2 + 1, both, behind)
    assert np.allclose(behind, sheet)  # what turns its back lies below


def test_gaps_go_on_from_the_left():
    sheet = np.asarray([[[5, 7], [UNSEEN, 0], [UNSEEN, 0], [2, 3]]], dtype=np.float32)
    close_gaps(sheet)
    assert sheet[0].tolist() == [[5, 7], [6, 7], [7, 7], [2, 3]]


def test_a_fold_is_relaxed():
    y, x = np.mgrid[:5, :5].astype(np.float32) * 10
    rest = np.stack([x.ravel(), y.ravel()], axis=1)
    quads = [
        (r * 5 + c, r * 5 + c + 1, r * 5 + c + 6, r * 5 + c + 5) for r in range(4) for c in range(4)
    ]
    triangles = np.asarray([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    edges = np.unique(
        np.concatenate([triangles[:, [i, j]] for i in range(3) for j in range(3) if i != j]), axis=0
    )
    starts = np.searchsorted(edges[:, 0], np.arange(26)).astype(np.int32)
    places = rest.copy()
    places[12] += [14, 0]
    assert unfold(places, rest, triangles, starts, np.ascontiguousarray(edges[:, 1], np.int32)) == 0
    assert rest[12, 0] < places[12, 0] < rest[12, 0] + 10
    assert (places[0] == rest[0]).all()


def test_layers_mix_by_opacity():
    layer = np.zeros((1, 3, 4), dtype=np.uint8)
    layer[0, :, 0], layer[0, :, 3] = (0, 100, 200), (0, 128, 255)
    below = np.full((1, 3, 3), 100, dtype=np.uint8)
    result = np.zeros_like(below)
    lay_over(layer, below, result)
    assert result[0, :, 0].tolist() == [100, 150, 200]


def test_matte_over_plate_is_the_photo(portrait):
    matte = cut_out(portrait.picture, portrait.mesh.points[list(OVAL), :2])
    plate = inpaint_plate(portrait.picture, matte)
    again = np.zeros_like(plate)
    lay_over(foreground(portrait.picture, matte, plate), plate, again)
    assert np.abs(again.astype(int) - portrait.picture).max() <= 1
    assert (plate[matte == 0] == portrait.picture[matte == 0]).all()
    assert 0.05 < (matte > 127).mean() < 0.95


def test_no_motion_gives_the_neutral_picture(portrait, renderer):
    still = renderer.frame(row())
    inside = np.zeros((SIDE, SIDE), dtype=np.uint8)
    import cv2

    cv2.fillPoly(inside, [portrait.points[list(OVAL), :2].round().astype(np.int32)], 1)
    assert psnr(still[inside > 0], portrait.neutral[inside > 0]) > 45


def test_same_row_same_bytes_and_no_memory(renderer):
    speaking = row(jawOpen=0.5, headYaw=5, gazeYaw=10, eyeBlink=0.4)
    first = renderer.frame(speaking)
    renderer.frame(row(headRoll=-8, eyeBlink=1))
    assert (renderer.frame(speaking) == first).all()
    assert first.shape == (SIDE, SIDE, 3)
    assert first.dtype == np.uint8


def test_the_background_stands_still(portrait, renderer):
    still = renderer.frame(row())
    for turned in (row(headYaw=8), row(headRoll=-8, headForward=1), row(jawOpen=1, headPitch=-9)):
        moved = renderer.frame(turned)
        outside = (renderer.cover(turned) == 0) & (portrait.matte == 0)
        assert outside.mean() > 0.1
        assert psnr(moved[outside], still[outside]) > 45
        assert psnr(moved, still) < 40


@pytest.mark.parametrize(
    ("motion", "axis", "sign"),
    [(row(headYaw=6), 0, 1), (row(headPitch=5), 1, -1), (row(headRight=0.1), 0, 1)],
)
def test_the_head_turns_the_right_way(renderer, motion, axis, sign):
    points = renderer.portrait.points
    nose = renderer.warp.turned(points, motion)[4] - points[4]
    assert sign * nose[axis] > 0.02 * renderer.portrait.eye_distance_px


def test_roll_goes_to_the_persons_left_shoulder(renderer):
    points = renderer.portrait.points
    moved = renderer.warp.turned(points, row(headRoll=6)) - points
    assert moved[10, 0] > 0  # the forehead to the viewer's right


def test_no_motion_leaves_every_point(portrait, renderer):
    shaped = renderer.warp.shaped(row())
    renderer.eyes.close(shaped, row())
    assert np.abs(renderer.warp.places(shaped, row())[:468] - portrait.points).max() < 1e-2


def test_turns_are_limited(renderer):
    points = renderer.portrait.points
    far = renderer.warp.turned(points, row(headYaw=40))
    farther = renderer.warp.turned(points, row(headYaw=80))
    assert np.abs(far - farther).max() < 0.1


def test_shut_is_shut(renderer):
    for extra in ({}, {"eyeSquint": 1.0}, {"mouthSmile": 1.0, "cheekSquint": 1.0}):
        motion = row(eyeBlink=1, **extra)
        shaped = renderer.warp.shaped(motion)
        shut = renderer.eyes.close(shaped, motion)
        assert np.allclose(shut, 1)
        for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
            gap = (shaped[list(lower), :2] - shaped[list(upper), :2]) @ renderer.warp.down
            assert np.abs(gap).max() < 0.5


def test_lips_hold_their_gap(renderer):
    def gap(motion: np.ndarray) -> np.ndarray:
        shaped = renderer.warp.shaped(motion)
        apart = shaped[list(INNER_LOWER), :2] - shaped[list(INNER_UPPER), :2]
        return apart @ renderer.warp.down / renderer.portrait.eye_distance_px

    for quiet in ("mouthPress", "mouthRollLower", "mouthFrown", "mouthSmile", "noseSneer"):
        assert np.abs(gap(row(**{quiet: 1.0}))).max() < 1e-3
    opened = [gap(row(jawOpen=amount))[5] for amount in (0.2, 0.4, 0.8)]
    assert 0.01 < opened[0] < opened[1] < opened[2]
    assert gap(row(jawOpen=0.4, mouthClose=0.4)).max() < 0.02
    with_smile = gap(row(jawOpen=0.4, mouthSmile=1.0))[5]
    assert with_smile == pytest.approx(opened[1], abs=1e-3)


def test_gaze_moves_the_iris_and_only_the_eyes(portrait, renderer):
    assert renderer.eyes.gaze_px(row(gazeYaw=15), 0)[0] > 0
    assert renderer.eyes.gaze_px(row(gazePitch=15), 0)[1] < 0
    still, looking = renderer.frame(row()), renderer.frame(row(gazeYaw=20))
    changed = np.abs(still.astype(int) - looking).max(axis=-1) > 6
    rows, columns = np.nonzero(changed)
    assert changed.any()
    eyes = portrait.points[[33, 263], :2]
    unit = portrait.eye_distance_px
    assert columns.min() > eyes[:, 0].min() - 0.2 * unit
    assert columns.max() < eyes[:, 0].max() + 0.2 * unit
    assert np.abs(rows - eyes[:, 1].mean()).max() < 0.5 * unit


def test_pasted_back_into_the_photo(photo, portrait):
    whole = Renderer(portrait, size=None).frame(row(headYaw=5))
    assert whole.shape == photo.shape
    left, top, side = portrait.box
    outside = np.ones(photo.shape[:2], dtype=bool)
    outside[top : top + side, left : left + side] = False
    assert (whole[outside] == photo[outside]).all()
    assert psnr(whole, photo) < 45


def test_another_size_is_the_same_portrait(portrait, renderer):
    import cv2

    large = Renderer(portrait, size=2 * SIDE).frame(row(headYaw=6, jawOpen=0.3))
    small = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert psnr(small, renderer.frame(row(headYaw=6, jawOpen=0.3))) > 25


def test_the_crop_stays_inside_the_photo():
    face = FaceBox(np.asarray([0, 5, 60, 65], np.float32), np.zeros((6, 2), np.float32), 1.0)
    left, top, side = crop_box(np.zeros((120, 200, 3), np.uint8), face)
    assert (left, top, side) == (0, 0, 120)


def test_bad_input(photo, portrait, renderer):
    with pytest.raises(BadInput, match="no face"):
        analyse(np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(BadInput, match="face 9"):
        analyse(photo, face_number=9)
    with pytest.raises(BadInput, match="uint8"):
        analyse(photo.astype(np.float32))
    with pytest.raises(BadInput, match="62"):
        renderer.frame(np.zeros(61, np.float32))
    with pytest.raises(BadInput):
        renderer.frame(np.full(62, np.nan, np.float32))
    with pytest.raises(BadInput, match="pixels wide"):
        Renderer(portrait, size=20)
    assert replace(portrait, notices=()).notices == ()
