"""The input doctor: each thing that goes wrong is named, what cannot work is refused."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.gen.portrait.render.doctor import examine, lid_apertures, lip_gap
from affetto.gen.portrait.render.neutral import shut
from affetto.gen.portrait.render.portrait import INNER_LOWER
from affetto.recognizers.face.arkit import fit, load_basis
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh, Mesh
from affetto.recognizers.face.picture import read_picture

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def photo():
    return read_picture(ASTRONAUT)


@pytest.fixture(scope="module")
def found(photo):
    """Faces, mesh and fit of the photo at twice its size, so that the face is not small."""
    large = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    faces = FaceDetector().detect(large)
    mesh = FaceMesh().read(large, faces[0])
    return large, faces, mesh, fit(mesh.points, load_basis())


def head(*, yaw=0.0, pitch=0.0, roll=0.0, presence=1.0, move=None):
    """A mesh and its fit: the basis head turned, in degrees."""
    from scipy.spatial.transform import Rotation

    basis = load_basis()
    points = shut(basis.neutral)
    if move is not None:
        move(points)
    turn = Rotation.from_euler("zyx", [roll, -yaw, -pitch], degrees=True).as_matrix()
    seen = (20 * points @ turn.T + 300).astype(np.float32)
    mesh = Mesh(np.concatenate([seen, np.zeros((10, 3), np.float32)]), presence)
    plain = fit(seen, basis)
    return mesh, replace(plain, rotation=turn.astype(np.float32))


def face(side=200.0, left=100.0):
    box = np.asarray([left, 100, left + side, 100 + side], np.float32)
    return FaceBox(box, np.zeros((6, 2), np.float32), 0.9)


def sharp(value=150):
    rng = np.random.default_rng(0)
    return np.clip(value + rng.normal(0, 25, (600, 600, 3)), 0, 255).astype(np.uint8)


def names(picture, faces, mesh, fitted, **options):
    return [notice.name for notice in examine(picture, faces, mesh, fitted, **options)]


def test_a_good_photo_has_nothing():
    assert names(sharp(), [face()], *head()) == []


def test_no_face():
    with pytest.raises(BadInput, match="no face was found"):
        examine(sharp(), [], *head())


def test_far_too_small_is_refused_and_small_is_named():
    with pytest.raises(BadInput, match="pixels wide"):
        examine(sharp(), [face(30)], *head())
    assert names(sharp(), [face(90)], *head()) == ["small"]


def test_several_faces_with_their_sizes():
    faces = [face(200), face(170, left=320)]
    (notice,) = examine(sharp(), faces, *head(), face_number=2)
    assert notice.name == "several"
    assert "1: 200 px" in notice.text
    assert "number 2" in notice.text
    assert "--face" in notice.text


@pytest.mark.parametrize(
    ("angles", "name"),
    [({"yaw": 38}, "turned"), ({"yaw": -38}, "turned"), ({"pitch": 30}, "tilted"),
     ({"roll": 25}, "rolled")],
)  # fmt: skip
def test_turned_heads(angles, name):
    assert names(sharp(), [face()], *head(**angles))[0] == name


def test_a_profile_is_refused():
    with pytest.raises(BadInput, match="degrees to the side"):
        examine(sharp(), [face()], *head(yaw=70))


@pytest.mark.parametrize("roll", [-90, 90])
def test_a_photo_on_its_side_is_refused(roll):
    with pytest.raises(BadInput, match="turn the photo upright"):
        examine(sharp(), [face()], *head(roll=roll))


def test_what_is_hardly_a_face():
    with pytest.raises(BadInput, match="hardly a face"):
        examine(sharp(), [face()], *head(presence=0.1))
    assert names(sharp(), [face()], *head(presence=0.6)) == ["hidden"]


def test_a_wide_open_mouth():
    def gape(points):
        points[list(INNER_LOWER)[1:-1], 1] += 3

    mesh, fitted = head(move=gape)
    assert lip_gap(mesh.points) > 0.2
    assert names(sharp(), [face()], mesh, fitted) == ["mouth_open"]


def test_closed_eyes():
    def both(points):
        points[[159, 386]] = points[[145, 374]]

    def one(points):
        points[159] = points[145]

    assert "eyes_closed" in names(sharp(), [face()], *head(move=both))
    mesh, fitted = head(move=one)
    assert lid_apertures(mesh.points)[0] < lid_apertures(mesh.points)[1]
    assert "eye_closed" in names(sharp(), [face()], mesh, fitted)


def test_dark_burnt_and_blurred():
    assert names(sharp(12), [face()], *head()) == ["dark"]
    assert "burnt" in names(sharp(254), [face()], *head())
    soft = cv2.GaussianBlur(sharp(), (0, 0), 9)
    assert names(soft, [face()], *head()) == ["blurred"]


def test_a_real_smile(found):
    picture, faces, mesh, fitted = found
    notices = examine(picture, faces, mesh, fitted)
    assert [notice.name for notice in notices] == ["smiling"]
    assert "over the teeth" in notices[0].text


def test_a_real_face_blurred_and_darkened(found):
    picture, faces, mesh, fitted = found
    side = faces[0].side
    blurred = cv2.GaussianBlur(picture, (0, 0), side / 20)
    assert "blurred" in names(blurred, faces, mesh, fitted)
    assert "dark" in names((picture * 0.08).astype(np.uint8), faces, mesh, fitted)
