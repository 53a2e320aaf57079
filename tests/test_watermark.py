"""The invisible mark and the visible label."""

import hashlib
from fractions import Fraction

import cv2
import numpy as np
import pytest

from affetto.clip import Clip
from affetto.label import Label
from affetto.media_write import write_clip
from affetto.watermark import AFFETTO, ENOUGH_BITS, NUM_BITS, Watermark


def picture(seed, height=192, width=256):
    """Blotches of colour of many sizes, black and white among them."""
    rng = np.random.default_rng(seed)
    whole = np.zeros((height, width, 3))
    for side in (4, 16, 48):
        rough = rng.normal(0, 70, (height // side + 1, width // side + 1, 3))
        whole += np.kron(rough, np.ones((side, side, 1)))[:height, :width]
    return np.clip(whole + 128, 0, 255).astype(np.uint8)


def psnr_db(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


@pytest.mark.parametrize("size", [(192, 256), (512, 512), (97, 1001)])
def test_what_is_written_is_read_and_hardly_seen(size):
    frame = np.clip(picture(1, *size), 8, 247)
    marked = Watermark().marked(frame)
    assert marked.shape == frame.shape
    assert marked.dtype == np.uint8
    assert Watermark().read([marked]).matching == NUM_BITS
    assert psnr_db(marked, frame) > 44


def test_black_and_white_grounds_carry_it_too():
    for value in (0, 128, 255):
        marked = Watermark().marked(np.full((256, 256, 3), value, np.uint8))
        found = Watermark().read([marked])
        assert (found.bits, found.matching) == (AFFETTO, NUM_BITS)


@pytest.mark.parametrize("side", [128, 160])
def test_the_smallest_films_keep_it_when_written(tmp_path, side):
    for seed in range(4):
        soft = cv2.GaussianBlur(picture(seed, side, side), (0, 0), 4)
        pale = np.clip(128 + 0.6 * (soft.astype(float) - 128), 0, 255).astype(np.uint8)
        moving = (Watermark().marked(np.roll(pale, step, axis=1)) for step in range(12))
        write_clip(moving, Fraction(25), tmp_path / "film.mp4")
        read = [frame for _, frame in Clip.open(tmp_path / "film.mp4").frames()]
        assert Watermark().read(read).matching >= NUM_BITS - 1


def test_films_marked_by_earlier_versions_stay_readable():
    """What lies out there says these bits in these places: neither may ever change."""
    assert AFFETTO == 0x718A37B2
    assert hashlib.sha256(Watermark().places.tobytes()).hexdigest()[:16] == "ac5491252170f2c7"


def test_same_frame_same_bytes_and_the_frame_given_stays():
    frame = picture(2)
    before = frame.copy()
    assert np.array_equal(Watermark().marked(frame), Watermark().marked(frame))
    assert np.array_equal(frame, before)


def test_unmarked_pictures_and_other_payloads_are_not_ours():
    """Matching bits are those of a fair coin; a flat picture is no exception."""
    mark = Watermark()
    flat = [np.full((64, 64, 3), value, np.uint8) for value in ((0, 0, 0), (90, 120, 60))]
    matching = [mark.read([frame]).matching for frame in (*map(picture, range(60)), *flat)]
    assert max(matching) < ENOUGH_BITS - 2
    assert 15 < np.mean(matching) < 20  # the best of three readings
    other = Watermark(AFFETTO ^ 0x0F0F0F0F).marked(picture(0))
    as_it_is = mark.readings([other])[0][0]
    assert (as_it_is ^ AFFETTO).bit_count() == 16
    assert not mark.read([other]).is_ours


def test_wrong_colour_matrix_is_seen_through():
    from affetto.watermark import BT601, BT709

    marked = Watermark().marked(np.clip(picture(3), 40, 215)).astype(np.float32)
    for change in (np.linalg.inv(BT601) @ BT709, np.linalg.inv(BT709) @ BT601):
        shown = np.clip(np.rint(marked @ change.T), 0, 255).astype(np.uint8)
        assert Watermark().read([shown]).is_ours


@pytest.mark.parametrize(("width", "height"), [(512, 512), (128, 128), (1536, 900), (90, 300)])
@pytest.mark.parametrize("on_left", [False, True])
def test_label_is_small_readable_and_in_its_corner(width, height, on_left):
    frame = np.full((height, width, 3), 150, np.uint8)
    shown = Label(width=width, height=height, on_left=on_left).drawn(frame)
    rows, columns = np.nonzero((shown != frame).any(axis=2))
    assert rows.min() > 0.85 * height
    side = columns.max() / width if on_left else 1 - columns.min() / width
    assert side < (0.25 if min(width, height) > 400 else 0.75)
    inside = shown[rows.min() : rows.max(), columns.min() : columns.max()]
    assert inside.max() > 225  # white letters
    assert inside.min() < 100  # on a dark plate
    assert (frame == 150).all()
