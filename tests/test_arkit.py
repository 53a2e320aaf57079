"""The ARKit basis, its fit to faces, and performance capture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, MIRROR, NUM_BLENDSHAPES
from affetto.errors import BadInput
from affetto.recognizers.face.arkit import (
    INNER_LOWER,
    INNER_UPPER,
    LIDS,
    NUM_MESH_POINTS,
    RIGID,
    UNSEEN,
    ArkitBasis,
    FaceFit,
    fit,
    fit_frames,
    head_angles,
    load_basis,
    pose_terms,
    similarity,
    unexplained,
)
from affetto.recognizers.face.capture import capture_motion, gaze, lids
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh

Floats = NDArray[np.float32]
HEAD = Path(__file__).parents[2] / "shared/data/ict_face/ict_face_arkit.npz"
PLAIN = [
    place
    for place, name in enumerate(BLENDSHAPES)
    if place not in UNSEEN and name not in ("mouthClose", "eyeWideLeft", "eyeWideRight")
]


@pytest.fixture(scope="module")
def basis() -> ArkitBasis:
    return load_basis()


@pytest.fixture(scope="module")
def smiling() -> Floats:
    picture = np.asarray(skimage.data.astronaut())
    return FaceMesh().read(picture, FaceDetector().detect(picture)[0]).points


def turn(pitch: float, yaw: float, roll: float) -> NDArray[np.float64]:
    """(3, 3) in the picture's axes."""
    from scipy.spatial.transform import Rotation

    flip = np.diag([1.0, -1.0, -1.0])
    matrix = Rotation.from_euler("YXZ", (yaw, -pitch, -roll), degrees=True).as_matrix()
    return np.asarray(flip @ matrix @ flip)


def drawn(
    basis: ArkitBasis,
    coefficients: NDArray[np.floating],
    *,
    angles: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scale: float = 20.0,
) -> Floats:
    """(478, 3) points as the net would show them; irises between the corners."""
    turned = np.tensordot(pose_terms(np.asarray([angles]))[0], basis.seen_pose, 1)
    shape = basis.seen_neutral + turned
    shape = shape + np.tensordot(coefficients, basis.seen[:NUM_BLENDSHAPES], 1)
    points = scale * shape @ turn(*angles).T + (250.0, 240.0, 0.0)
    irises = [
        np.repeat((points[[a]] + points[[b]]) / 2, 5, axis=0) for a, b in ((33, 133), (362, 263))
    ]
    return np.concatenate([points, *irises]).astype(np.float32)


def one(name: str, weight: float) -> NDArray[np.float64]:
    coefficients = np.zeros(NUM_BLENDSHAPES)
    coefficients[BLENDSHAPES.index(name)] = weight
    return coefficients


@pytest.mark.parametrize("net", ["shipped", "task"])
def test_tables(net: str) -> None:
    basis = load_basis(net="task" if net == "task" else "shipped")
    modes = len(basis.identity)
    assert basis.neutral.shape == basis.seen_neutral.shape == (NUM_MESH_POINTS, 3)
    assert basis.deltas.shape == (NUM_BLENDSHAPES, NUM_MESH_POINTS, 3)
    assert basis.seen.shape == (NUM_BLENDSHAPES + modes, NUM_MESH_POINTS, 3)
    assert basis.gain.shape == (len(basis.seen), 3 * NUM_MESH_POINTS)
    assert all(np.isfinite(table).all() for table in vars(basis).values())
    assert not basis.deltas[BLENDSHAPES.index("tongueOut")].any()
    assert np.linalg.eigvalsh(basis.curvature.astype(np.float64)).min() > -1e-3


def test_left_and_right_are_mirror_images(basis: ArkitBasis) -> None:
    pairs = np.asarray([(33, 263), (61, 291), (159, 386), (105, 334), (205, 425), (17, 17)])
    flipped = basis.deltas[list(MIRROR)] * np.asarray([-1.0, 1.0, 1.0], np.float32)
    assert np.abs(basis.deltas[:, pairs[:, 0]] - flipped[:, pairs[:, 1]]).max() < 0.08


def test_shapes_do_what_they_are_called(basis: ArkitBasis) -> None:
    def move(name: str, point: int) -> Floats:
        moved: Floats = basis.deltas[BLENDSHAPES.index(name), point]
        return moved

    upper, lower = list(INNER_UPPER[1:-1]), list(INNER_LOWER[1:-1])
    jaw = basis.deltas[BLENDSHAPES.index("jawOpen")]
    assert (jaw[lower, 1] - jaw[upper, 1] > 1.0).all()
    assert move("mouthSmileLeft", 291)[1] < -0.5
    assert abs(move("mouthSmileLeft", 61)[1]) < 0.1
    assert move("mouthFrownRight", 61)[1] > 0.2
    assert move("browInnerUp", 107)[1] < -0.3
    assert move("browDownRight", 107)[1] > 0.1
    assert move("mouthPucker", 61)[0] > 0.2 > -0.2 > move("mouthPucker", 291)[0]
    assert move("mouthLeft", 13)[0] > 0.3
    assert move("jawRight", 152)[0] < -0.3
    for side, (up, low) in zip(("Right", "Left"), LIDS, strict=True):
        blink = basis.deltas[BLENDSHAPES.index(f"eyeBlink{side}")]
        middle = slice(2, 7)
        before = basis.neutral[list(low[middle]), 1] - basis.neutral[list(up[middle]), 1]
        after = before + blink[list(low[middle]), 1] - blink[list(up[middle]), 1]
        assert (before > 0.5).all()
        assert np.abs(after).mean() < 0.25 * before.mean()


def test_triangles_leave_eyes_and_mouth_open(basis: ArkitBasis) -> None:
    corners = basis.triangles
    assert corners.min() == 0
    assert corners.max() == NUM_MESH_POINTS - 1
    mouth = set(INNER_UPPER) | set(INNER_LOWER)
    assert not any(set(triangle) <= mouth for triangle in corners.tolist())


def test_similarity_is_found() -> None:
    rng = np.random.default_rng(1)
    model, rotation = rng.normal(size=(2, 30, 3)), turn(5, -20, 10)
    seen = 3.0 * model @ rotation.T + (1.0, 2.0, 3.0)
    scale, found, shift = similarity(model, seen)
    assert np.allclose(scale, 3)
    assert np.allclose(found, rotation)
    assert np.allclose(shift, (1, 2, 3))
    assert np.allclose(head_angles(found), (5, -20, 10), atol=1e-6)


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_one_shape_at_a_time_comes_back(basis: ArkitBasis, weight: float) -> None:
    """What the net shows well comes back nearly whole, the rest smaller, and nothing else does."""
    faces = np.stack(
        [drawn(basis, one(BLENDSHAPES[place], weight), angles=(4, -8, 5)) for place in PLAIN]
    )
    fits = fit_frames(faces, basis)
    found = np.stack([each.coefficients for each in fits])
    own = found[np.arange(len(PLAIN)), PLAIN]
    assert (found.argmax(axis=1) == PLAIN).mean() > 0.9
    assert own.mean() > (0.5 if weight == 1 else 0.4) * weight
    assert (found.sum(axis=1) - own).mean() < 0.2
    named = {BLENDSHAPES[place]: value for place, value in zip(PLAIN, own, strict=True)}
    for name in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "eyeBlinkLeft", "mouthLeft"):
        assert named[name] > 0.7 * weight
    assert np.abs(np.asarray([each.angles for each in fits]) - (4, -8, 5)).max() < 2.5


def test_neutral_is_neutral(basis: ArkitBasis) -> None:
    found = fit(drawn(basis, np.zeros(NUM_BLENDSHAPES), angles=(-6, 10, -20)), basis)
    assert found.coefficients.max() < 0.05
    assert found.residual < 0.002
    assert np.allclose(found.angles, (-6, 10, -20), atol=0.5)
    assert found.scale == pytest.approx(20, rel=0.01)


def test_noise_does_little(basis: ArkitBasis) -> None:
    points = drawn(basis, one("mouthSmileLeft", 0.7) + one("jawOpen", 0.4))
    noise = np.random.default_rng(2).normal(0, 0.5, points.shape)
    clean, rough = fit(points, basis), fit((points + noise).astype(np.float32), basis)
    assert np.abs(clean.coefficients - rough.coefficients).mean() < 0.06


def test_batch_is_singles(basis: ArkitBasis) -> None:
    faces = np.stack([drawn(basis, one(name, 0.8)) for name in ("jawOpen", "mouthPucker")])
    together = fit_frames(faces, basis)
    for face, each in zip(faces, together, strict=True):
        assert np.allclose(fit(face, basis).coefficients, each.coefficients, atol=1e-4)


def test_size_place_and_roll_do_not_matter(basis: ArkitBasis, smiling: Floats) -> None:
    found = fit(smiling, basis)
    moved = fit((2.5 * smiling @ turn(0, 0, 15).T + (9, 7, 0)).astype(np.float32), basis)
    assert np.abs(found.coefficients - moved.coefficients).max() < 0.15
    assert moved.angles[2] - found.angles[2] == pytest.approx(15, abs=1)
    assert moved.scale / found.scale == pytest.approx(2.5, rel=0.01)


def test_a_smile_is_found(basis: ArkitBasis, smiling: Floats) -> None:
    found: FaceFit = fit(smiling, basis)
    named = dict(zip(BLENDSHAPES, found.coefficients, strict=True))
    assert min(named["mouthSmileLeft"], named["mouthSmileRight"]) > 0.6
    assert max(named["mouthFrownLeft"], named["mouthPucker"], named["eyeBlinkLeft"]) < 0.3
    assert found.coefficients.min() >= 0
    assert found.coefficients.max() <= 1
    assert not found.coefficients[list(UNSEEN)].any()
    assert found.residual < 0.03
    left = unexplained(smiling[:NUM_MESH_POINTS], found, basis)
    assert np.abs(left).mean() < 0.2


def test_opposites_do_not_stand_together(basis: ArkitBasis) -> None:
    points = drawn(basis, one("mouthLeft", 0.5) + one("mouthRight", 0.5))
    named = dict(zip(BLENDSHAPES, fit(points, basis).coefficients, strict=True))
    assert min(named["mouthLeft"], named["mouthRight"]) == 0


def filmed(basis: ArkitBasis, frames: int = 75) -> Floats:
    """(T, 478, 3) a head that turns, speaks and blinks once at frame 40."""
    faces = []
    for t in range(frames):
        blink = max(0.0, 1 - abs(t - 40) / 3)
        coefficients = one("jawOpen", 0.3 + 0.3 * np.sin(t)) + blink * (
            one("eyeBlinkLeft", 1.0) + one("eyeBlinkRight", 1.0)
        )
        faces.append(drawn(basis, coefficients, angles=(0.0, 8 * np.sin(t / 12), 0.0)))
    return np.stack(faces)


def test_capture_follows(basis: ArkitBasis) -> None:
    motion = capture_motion(filmed(basis), basis, fps=25.0)
    assert motion.values.shape == (75, 62)
    assert motion.fps == 25
    t = np.arange(75)
    yaw = 8 * np.sin(t / 12)
    assert np.corrcoef(motion.channel("headYaw"), yaw)[0, 1] > 0.99
    assert np.corrcoef(motion.channel("jawOpen"), np.sin(t))[0, 1] > 0.95
    blink = motion.channel("eyeBlinkLeft")
    assert blink.argmax() == 40
    assert blink[40] > 0.6
    assert blink[:35].max() < 0.25
    assert np.ptp(motion.channel("jawOpen")) > 0.4


def test_capture_bridges_gaps_and_refuses_too_many(basis: ArkitBasis) -> None:
    meshes = filmed(basis)
    whole = capture_motion(meshes, basis, fps=25.0)
    meshes[10:14] = np.nan
    bridged = capture_motion(meshes, basis, fps=25.0)
    assert np.isfinite(bridged.values).all()
    assert np.abs(bridged.channel("headYaw") - whole.channel("headYaw")).max() < 1.5
    meshes[20:] = np.nan
    with pytest.raises(BadInput, match="a face was found in 16 of 75 frames"):
        capture_motion(meshes, basis, fps=25.0)


def test_lids_tell_blinks_from_resting() -> None:
    apertures = np.full((100, 2), 0.3)
    apertures[30:34] = 0.05
    apertures[60:] = 0.2
    blinks, resting = lids(apertures, fps=25.0)
    assert blinks[31].min() > 0.9
    assert blinks[[10, 80]].max() < 0.1
    assert np.abs(resting[31]).max() < 0.05
    assert resting[80].max() < -0.3


def test_gaze_has_signs(basis: ArkitBasis) -> None:
    points = drawn(basis, np.zeros(NUM_BLENDSHAPES))
    moved = points.copy()
    moved[468:, 0] += 8.0
    moved[468:, 1] -= 5.0
    straight, aside = gaze(points[None])[0], gaze(moved[None])[0]
    assert aside[0] - straight[0] > 5
    assert aside[1] - straight[1] > 5


@pytest.mark.skipif(not HEAD.is_file(), reason="needs the ICT head")
def test_drawn_head() -> None:
    from affetto.train.data.ict_head import HeadPainter, Look

    painter = HeadPainter(HEAD)
    coefficients = one("jawOpen", 0.6) + one("mouthSmileLeft", 0.8) + one("mouthSmileRight", 0.8)
    look = Look(coefficients=coefficients, yaw=12.0)
    picture = painter.paint(look, pixels=288)
    assert np.array_equal(picture, painter.paint(look, pixels=288))
    mesh = FaceMesh().read(picture, FaceDetector().detect(picture)[0])
    found = fit(mesh.points, load_basis())
    named = dict(zip(BLENDSHAPES, found.coefficients, strict=True))
    assert named["jawOpen"] > 0.25
    assert min(named["mouthSmileLeft"], named["mouthSmileRight"]) > 0.3
    assert found.angles[1] == pytest.approx(12, abs=4)
    calm = fit(
        _read(painter.paint(replace(look, coefficients=np.zeros(52)), pixels=288)), load_basis()
    )
    assert calm.coefficients[BLENDSHAPES.index("jawOpen")] < named["jawOpen"]


def _read(picture: NDArray[np.uint8]) -> Floats:
    return FaceMesh().read(picture, FaceDetector().detect(picture)[0]).points


def test_rigid_points_hardly_move(basis: ArkitBasis) -> None:
    moved = np.linalg.norm(basis.deltas, axis=2)
    assert np.median(moved[:, list(RIGID)]) < 0.01
