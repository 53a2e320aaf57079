"""The face mesh: where its points lie, and that they do not hang on the detector or the size."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.gen.portrait.render.analyse import analyse
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import NUM_POINTS, FaceMesh, Mesh

TASK = (
    Path(__file__).parents[2] / "shared/data/small_weights/face_landmarker_v2_with_blendshapes.task"
)


@pytest.fixture(scope="module")
def net() -> FaceMesh:
    return FaceMesh()


@pytest.fixture(scope="module")
def picture() -> Picture:
    return np.asarray(skimage.data.astronaut())


@pytest.fixture(scope="module")
def face(picture: Picture) -> FaceBox:
    return FaceDetector().detect(picture)[0]


@pytest.fixture(scope="module")
def mesh(net: FaceMesh, picture: Picture, face: FaceBox) -> Mesh:
    return net.read(picture, face)


def apart(one: Mesh, other: Mesh) -> float:
    """Mean distance in the picture plane, in eye-corner distances."""
    moved = np.linalg.norm((one.points - other.points)[:, :2], axis=1).mean()
    return float(moved) / one.eye_distance_px


def test_points_lie_where_they_should(mesh: Mesh) -> None:
    points = mesh.points
    assert points.shape == (NUM_POINTS, 3)
    assert points.dtype == np.float32
    assert mesh.presence > 0.9
    assert points[10, 1] < points[168, 1] < points[4, 1] < points[13, 1] < points[152, 1]
    # The person's right eye is on the picture's left; the irises lie between the lids' corners.
    for iris, left, right in ((468, 33, 133), (473, 362, 263)):
        assert points[left, 0] < points[iris, 0] < points[right, 0]
        radius = np.linalg.norm(points[iris + 1 : iris + 5, :2] - points[iris, :2], axis=1)
        assert 0.1 < radius.mean() / (points[right, 0] - points[left, 0]) < 0.35
    assert points[4, 2] < points[234, 2]  # the nose is nearer than the ears


@pytest.mark.parametrize(("shift", "growth"), [(0.1, 1.0), (0.0, 0.85), (0.05, 1.2)])
def test_detector_box_hardly_matters(
    net: FaceMesh, picture: Picture, face: FaceBox, mesh: Mesh, shift: float, growth: float
) -> None:
    half = (face.box[2:] - face.box[:2]) / 2 * growth
    centre = face.centre + shift * face.side
    moved = replace(face, box=np.concatenate([centre - half, centre + half]).astype(np.float32))
    assert apart(mesh, net.read(picture, moved)) < 0.05


def test_size_does_not_matter(net: FaceMesh, picture: Picture, mesh: Mesh) -> None:
    for size in (300, 1100):
        scaled = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        found = net.read(scaled, FaceDetector().detect(scaled)[0])
        assert apart(mesh, replace(found, points=found.points * 512 / size)) < 0.05


def test_rolled_head(net: FaceMesh, picture: Picture, mesh: Mesh) -> None:
    turn = cv2.getRotationMatrix2D((256, 256), 35, 1.0)
    turned = np.asarray(cv2.warpAffine(picture, turn, (512, 512)), dtype=np.uint8)
    found = net.read(turned, FaceDetector().detect(turned)[0])
    expected = mesh.points[:, :2] @ turn[:, :2].T + turn[:, 2]
    moved = np.linalg.norm(found.points[:, :2] - expected, axis=1).mean()
    assert moved / mesh.eye_distance_px < 0.06


def test_again_is_stable_and_same_bytes(net: FaceMesh, picture: Picture, mesh: Mesh) -> None:
    first, second = (net.again(picture, mesh.points) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    assert apart(mesh, first) < 0.03


def test_no_face_is_known(net: FaceMesh) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    box = FaceBox(np.asarray([50, 50, 150, 150], np.float32), np.zeros((6, 2), np.float32), 0.9)
    assert net.read(noise, box).presence < 0.5


def test_face_at_the_border(net: FaceMesh, picture: Picture, face: FaceBox, mesh: Mesh) -> None:
    left = int(face.box[0])
    cut = np.ascontiguousarray(picture[:, left:])
    moved = replace(face, box=face.box - np.asarray([left, 0, left, 0], np.float32))
    moved = replace(moved, points=face.points - np.asarray([left, 0], np.float32))
    found = net.read(cut, moved)
    assert apart(mesh, replace(found, points=found.points + np.float32([left, 0, 0]))) < 0.1


def test_task_file_of_the_user(tmp_path: Path) -> None:
    broken = tmp_path / "face_landmarker.task"
    broken.write_bytes(b"no zip")
    for path in (broken, tmp_path / "absent.task"):
        with pytest.raises(BadInput, match="is no MediaPipe face landmarker"):
            FaceMesh(task=path)


@pytest.mark.skipif(not TASK.is_file(), reason="needs the .task file")
def test_task_net_agrees(picture: Picture, face: FaceBox, mesh: Mesh) -> None:
    found = FaceMesh(task=TASK).read(picture, face)
    assert found.points.shape == (NUM_POINTS, 3)
    assert found.presence > 0.9
    assert apart(mesh, found) < 0.1


@pytest.mark.skipif(not TASK.is_file(), reason="needs the .task file")
def test_a_portrait_is_looked_at_with_the_users_net(picture: Picture) -> None:
    shipped, users = (analyse(picture, face_net=net) for net in (None, TASK))
    assert not np.array_equal(shipped.mesh.points, users.mesh.points)
    unit = users.mesh.eye_distance_px
    assert np.linalg.norm(shipped.points - users.points, axis=1)[:, None].mean() / unit < 0.1
