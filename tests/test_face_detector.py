"""Finding faces, cutting them out, reading pictures; one real face (NASA, public domain)."""

import contextlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from affetto.errors import MediaError
from affetto.recognizers.face.blaze import BlazeNet, FaceBox, merged, overlaps
from affetto.recognizers.face.detector import FaceDetector, crop_face
from affetto.recognizers.face.picture import MAX_PIXELS, SHOWN_SIDE, read_picture
from affetto.recognizers.face.quality import presence, turn
from affetto.recognizers.face.timeline import recognize_picture
from affetto.recognizers.reading import Recognizer

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"


class Brightness(Recognizer):
    """Stands in for the face net: the brighter, the happier."""

    modality = "face"
    taxonomy = "ferplus8"

    def read(self, inputs, mask=None):
        logits = torch.zeros(len(inputs), 8)
        logits[:, 1] = 8 * inputs.mean(dim=(1, 2, 3)) - 2
        return self.reading(logits)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def astronaut():
    return np.asarray(Image.open(ASTRONAUT).convert("RGB"))


def test_one_face_where_it_is(detector, astronaut):
    (face,) = detector.detect(astronaut)
    left_eye, right_eye, nose, mouth, left_ear, right_ear = face.points
    assert left_ear[0] < left_eye[0] < nose[0] < right_eye[0] < right_ear[0]
    assert left_eye[1] < nose[1] < mouth[1]
    assert face.score > 0.85
    assert presence(face, crop_face(astronaut, face, side=48)) > 0.9
    # Golden: the face of the shipped nets.
    np.testing.assert_allclose(face.centre, [128.8, 124.2], atol=2)
    assert face.side == pytest.approx(100.7, abs=4)


@pytest.mark.parametrize("degrees", [-40, 25])
def test_a_tilted_face_is_cut_out_upright(detector, astronaut, degrees):
    upright = crop_face(astronaut, detector.detect(astronaut)[0], side=48)
    turned = cv2.warpAffine(
        astronaut,
        cv2.getRotationMatrix2D((128, 118), degrees, 1.0),
        (256, 256),
        borderMode=cv2.BORDER_REPLICATE,
    )
    (face,) = detector.detect(turned)
    assert np.degrees(face.roll) == pytest.approx(4 - degrees, abs=8)
    again = crop_face(turned, face, side=48)
    assert np.corrcoef(upright.ravel(), again.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("scale", [0.25, 0.5, 3.0])
def test_near_or_far_the_crop_is_the_same(detector, astronaut, scale):
    near = crop_face(astronaut, detector.detect(astronaut)[0], side=48)
    scaled = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((900, 1200, 3), 90, np.uint8)
    canvas[60 : 60 + scaled.shape[0], 200 : 200 + scaled.shape[1]] = scaled
    (face,) = detector.detect(canvas, tile_side=480)
    far = crop_face(canvas, face, side=48)
    assert far.dtype == np.float32
    assert 0 <= far.min() <= far.max() <= 1
    assert np.corrcoef(near.ravel(), far.ravel())[0, 1] > 0.85


def test_a_face_at_the_border_is_cut_out_whole(detector, astronaut):
    half = astronaut[:, :140]
    for face in detector.detect(half):
        assert crop_face(half, face, side=48).shape == (48, 48)
    outside = FaceBox(np.asarray([-90, -80, -10, 10], np.float32), np.zeros((6, 2), np.float32), 1)
    assert np.isfinite(crop_face(astronaut, outside, side=48)).all()


def test_no_face_in_noise_sky_and_tiny_pictures(detector):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (240, 320, 3), dtype=np.uint8)
    sky = np.tile(np.linspace(90, 220, 240, dtype=np.uint8)[:, None, None], (1, 320, 3))
    for picture in (noise, sky, noise[:1, :1], noise[:1], noise[:, :2]):
        assert detector.detect(picture) == []
        assert detector.detect(picture, tile_side=64) == []


def test_fifty_six_faces(detector, astronaut):
    small = cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA)
    sheet = np.tile(small, (7, 8, 1))
    faces = detector.detect(sheet, tile_side=512)
    cells = {(int(f.centre[0] // 128), int(f.centre[1] // 128)) for f in faces}
    assert len(faces) == 56
    assert len(cells) == 56
    found = recognize_picture(sheet, recognizer=Brightness(), detector=detector)
    assert len(found.faces) == 56


def test_the_close_look_drops_what_the_far_look_took_for_a_face(detector, astronaut):
    face = detector.detect(astronaut)[0]
    shoulder = FaceBox(face.box + np.asarray([60, 110, 60, 110], np.float32), face.points, 0.9)
    assert detector.look_closer(astronaut, face) is not None
    assert detector.look_closer(astronaut, shoulder) is None


def test_turned_small_and_uncertain_faces_count_less():
    box = np.asarray([0, 0, 60, 60], np.float32)
    points = np.asarray([[18, 25], [42, 25], [30, 38], [30, 50], [2, 28], [58, 28]], np.float32)
    crop = np.random.default_rng(0).random((48, 48), dtype=np.float32)
    frontal = FaceBox(box, points, 0.92)
    assert presence(frontal, crop) == pytest.approx(1.0, abs=1e-3)
    assert turn(frontal) == pytest.approx(0.0, abs=1e-6)
    aside = points.copy()
    aside[2, 0] = 55
    assert turn(FaceBox(box, aside, 0.92)) == pytest.approx(25 / 28, abs=1e-3)
    assert presence(FaceBox(box, aside, 0.92), crop) < 0.6
    assert presence(FaceBox(box / 6, points / 6, 0.92), crop) < 0.6
    assert presence(FaceBox(box, points, 0.62), crop) < 0.7
    assert presence(FaceBox(box * 0, points * 0, 0.92), crop) == 0.0


def test_the_more_blurred_the_less_a_face_counts(detector, astronaut):
    face = detector.detect(astronaut)[0]
    shares = []
    for blur in (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0):  # of a face of 100 pixels
        view = cv2.GaussianBlur(astronaut, (0, 0), blur) if blur else astronaut
        shares.append(presence(face, crop_face(view, face, side=48)))
    assert (np.diff(shares) <= 0).all()
    assert shares[0] > 0.95 > 0.85 > shares[3] > shares[4] > shares[-1]
    assert shares[-1] < 0.4
    dim = crop_face((astronaut * 0.3).astype(np.uint8), face, side=48)
    assert presence(face, dim) == pytest.approx(shares[0], abs=0.05)
    assert presence(face, np.full((48, 48), 0.5, np.float32)) == 0.0


def test_overlaps_and_merging():
    boxes = np.asarray([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [5, 5, 5, 5]], np.float32)
    table = overlaps(boxes, boxes)
    np.testing.assert_allclose(table[0], [1, 1 / 3, 0, 0], atol=1e-6)
    points = np.zeros((6, 2), np.float32)
    faces = [FaceBox(box, points, 0.9 - 0.1 * i) for i, box in enumerate(boxes)]
    kept = merged(faces)
    assert [face.score for face in kept] == pytest.approx([0.9, 0.7, 0.6])
    weights = np.asarray([0.9, 0.8]) / 1.7
    np.testing.assert_allclose(kept[0].box, weights @ boxes[:2], atol=1e-6)
    assert merged([]) == []


def test_anchors_are_in_the_order_of_the_nets():
    net = BlazeNet("blaze_short")
    assert net.anchors.shape == (896, 2)
    np.testing.assert_allclose(net.anchors[:3], [[4, 4], [4, 4], [12, 4]])
    np.testing.assert_allclose(net.anchors[512], [8, 8])


def test_picture_readings_in_pictures(detector, astronaut):
    found = recognize_picture(astronaut, recognizer=Brightness(), detector=detector)
    face = found.main_face()
    assert face is not None
    assert face.track.kind == "expressed"
    assert face.boxes.shape == (1, 4)
    track = found.as_track()
    assert track.times.tolist() == [0.0]
    assert track.confidence[0] > 0
    np.testing.assert_allclose(track.probs, face.track.probs)
    nobody = recognize_picture(astronaut[:20], recognizer=Brightness(), detector=detector)
    assert nobody.faces == ()
    assert nobody.main_face() is None
    assert nobody.as_track().confidence.tolist() == [0.0]


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    "kind", ["grey", "cmyk", "16 bit", "float", "palette", "alpha", "1 bit", "animated"]
)
def test_every_kind_of_picture(tmp_path, detector, astronaut, kind):
    image = Image.fromarray(astronaut)
    if kind == "grey":
        path = saved(tmp_path / "a.png", image.convert("L"))
    elif kind == "cmyk":
        path = saved(tmp_path / "a.jpg", image.convert("CMYK"))
    elif kind == "16 bit":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        path = saved(tmp_path / "a.png", Image.fromarray(grey))
    elif kind == "float":
        grey = np.asarray(image.convert("L")).astype(np.float32) / 255
        path = saved(tmp_path / "a.tiff", Image.fromarray(grey))
    elif kind == "palette":
        path = saved(tmp_path / "a.png", image.convert("P"), transparency=0)
    elif kind == "alpha":
        layer = image.convert("RGBA")
        layer.putalpha(Image.new("L", image.size, 200))
        path = saved(tmp_path / "a.webp", layer, lossless=True)
    elif kind == "1 bit":
        path = saved(tmp_path / "a.png", image.convert("1"))
    else:
        frames = [Image.new("RGB", image.size, colour) for colour in ("red", "blue")]
        path = saved(tmp_path / "a.gif", image, save_all=True, append_images=frames)
    picture = read_picture(path)
    assert picture.shape == (256, 256, 3)
    assert picture.dtype == np.uint8
    if kind != "1 bit":  # dots
        assert len(detector.detect(picture)) == 1
        luma = picture.astype(float).mean(axis=2)
        assert np.corrcoef(luma.ravel(), astronaut.astype(float).mean(axis=2).ravel())[0, 1] > 0.8


def test_the_camera_s_orientation_is_applied(tmp_path, astronaut):
    image = Image.fromarray(astronaut[:200])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    path = saved(tmp_path / "a.jpg", image, exif=exif, quality=95)
    picture = read_picture(path)
    assert picture.shape == (256, 200, 3)
    expected = np.rot90(astronaut[:200], -1).astype(float)
    assert np.abs(picture.astype(float) - expected).mean() < 6


def test_large_pictures_are_scaled_and_larger_ones_refused(tmp_path):
    path = saved(tmp_path / "wide.png", Image.new("L", (6000, 1000), 90), compress_level=1)
    assert read_picture(path).shape == (SHOWN_SIDE // 6, SHOWN_SIDE, 3)
    bomb = saved(tmp_path / "bomb.png", Image.new("1", (20_000, MAX_PIXELS // 20_000 + 1)))
    with pytest.raises(
        MediaError, match="million pixels, allowed are 50 of this kind: scale it down"
    ):
        read_picture(bomb)


def test_what_is_no_picture_is_refused_with_words(tmp_path, astronaut):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    whole = ASTRONAUT.read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    for name, said in (
        ("none.jpg", "no such file"),
        ("", "not a regular file"),
        ("empty.jpg", "is empty"),
        ("text.jpg", "cannot be read as a picture"),
        ("half.jpg", "damaged, cut"),
    ):
        with pytest.raises(MediaError, match=said):
            read_picture(tmp_path / name)


def test_mutated_pictures_raise_only_our_error(tmp_path, astronaut):
    rng = np.random.default_rng(0)
    for suffix in ("png", "jpg", "gif", "tiff", "webp", "bmp"):
        path = saved(tmp_path / f"m.{suffix}", Image.fromarray(astronaut[::4, ::4].copy()))
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(12):
            broken = whole.copy()
            places = rng.integers(0, len(broken), 8)
            broken[places] = rng.integers(0, 256, 8)
            path.write_bytes(broken.tobytes())
            with contextlib.suppress(MediaError):
                assert read_picture(path).ndim == 3


def test_what_litert_notes_stays_off_stderr():
    code = (
        "import os, sys\n"
        "from affetto.recognizers.face.blaze import BlazeNet, without_notices\n"
        "BlazeNet('blaze_short')\n"
        "with without_notices():\n"
        "    os.write(2, b'INFO: noted\\n')\n"
        "    print('a warning', file=sys.stderr, flush=True)\n"
        "print('after', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "a warning\nafter\n"
