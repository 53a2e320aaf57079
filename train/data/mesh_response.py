"""What a mesh net shows of each blendshape: its points on drawn heads whose expression is known.

Regressed on expression, identity and pose, from the head's own movements as prior; what is left
tells how the net errs. People of flesh differ from the drawn head in ways that its modes of
identity do not know; their mean, over portraits of synthetic people who look neutral, goes into
the neutral face, their spread into the errors. Letters: N heads, M = 468 points, K modes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import NUM_BLENDSHAPES
from affetto.recognizers.face.arkit import (
    NUM_MESH_POINTS,
    RIGID,
    head_angles,
    pose_terms,
    similarity,
)
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh
from affetto.recognizers.face.picture import read_picture
from affetto.train.data.ict_head import HeadPainter, random_look

Floats = NDArray[np.float64]

PIXELS = 288  # sides of the drawings
PRIOR = 3.0  # drawings that the head's own movements count for
DEPTH_WEIGHT = 0.3
ROUNDS = 3
OWN_VARIANCE = 0.01  # of a coordinate, in squared units, beyond what the drawings show
PICTURE_AXES = np.asarray([1.0, -1.0, -1.0])  # of the head's


@dataclass(frozen=True)
class Drawn:
    """Heads that were drawn and looked at.

    Attributes:
        coefficients: (N, 52).
        identity: (N, K).
        angles: (N, 3) pitch, yaw, roll in degrees.
        points: (N, M, 3) pixels, as the net saw them.
    """

    coefficients: Floats
    identity: Floats
    angles: Floats
    points: Floats


@dataclass(frozen=True)
class Response:
    """What a net shows: see `affetto.recognizers.face.arkit.ArkitBasis`.

    Attributes:
        neutral: (M, 3).
        seen: (52 + K, M, 3).
        pose: (6, M, 3).
        covariance: (3 M, 3 M) of what is left.
    """

    neutral: Floats
    seen: Floats
    pose: Floats
    covariance: Floats

    def gain(self) -> Floats:
        """(52 + K, 3 M) `seen` over the covariance."""
        spread = self.covariance + OWN_VARIANCE * np.eye(len(self.covariance))
        weighed = np.linalg.solve(spread, self.seen.reshape(len(self.seen), -1).T).T
        return np.asarray(weighed, dtype=np.float64)


def draw_heads(
    painter: HeadPainter, nets: dict[str, FaceMesh], number: int, *, seed: int
) -> dict[str, Drawn]:
    """Draw heads and let each net look at all of them; those where no face is found are left out.

    Args:
        painter: of the ICT head.
        nets: by name.
        number: of heads.
        seed: of their looks.
    """
    rng, detector = np.random.default_rng(seed), FaceDetector()
    looks, points = [], []
    for _ in range(number):
        look = random_look(rng)
        picture = painter.paint(look, pixels=PIXELS)
        faces = detector.detect(picture)
        if faces:
            looks.append(look)
            points.append({name: net.read(picture, faces[0]).points for name, net in nets.items()})
    coefficients = np.stack([look.coefficients for look in looks])
    identity = np.stack([look.identity for look in looks])
    angles = np.asarray([(look.pitch, look.yaw, look.roll) for look in looks])
    return {
        name: Drawn(
            coefficients,
            identity,
            angles,
            np.stack([one[name][:NUM_MESH_POINTS] for one in points]).astype(np.float64),
        )
        for name in nets
    }


def respond(drawn: Drawn, neutral: Floats, deltas: Floats, modes: Floats) -> Response:
    """Regress what was seen on what was drawn.

    Args:
        drawn: at least a few hundred heads.
        neutral: (M, 3) of the head's own points.
        deltas: (52, M, 3).
        modes: (K, M, 3).
    """
    terms = np.concatenate(
        [
            np.ones((len(drawn.points), 1)),
            drawn.coefficients,
            drawn.identity,
            pose_terms(drawn.angles),
        ],
        axis=1,
    )
    prior = np.zeros((terms.shape[1], neutral.size))
    known = np.concatenate([neutral[None], deltas, modes]).reshape(-1, neutral.size)
    prior[: len(known)] = known
    penalty = np.full(len(prior), PRIOR)
    penalty[0] = 1e-3
    normal = terms.T @ terms + np.diag(penalty)
    upright = drawn.points @ _rotations(drawn.angles)
    weights, left = prior, upright.reshape(len(terms), -1)
    for _ in range(ROUNDS):
        placed = _placed(upright, (terms @ weights).reshape(upright.shape))
        placed = placed.reshape(len(terms), -1)
        weights = prior + np.linalg.solve(normal, terms.T @ (placed - terms @ prior))
        left = placed - terms @ weights
    shaped = weights.reshape(len(weights), *neutral.shape)
    count = 1 + NUM_BLENDSHAPES + len(modes)
    return Response(shaped[0], shaped[1:count], shaped[count:], left.T @ left / len(left))


def with_people(response: Response, points: Floats) -> Response:
    """The response for people: the mean difference of neutral faces in, their spread beside.

    Args:
        response: to drawn heads.
        points: (N, M, 3) of neutral faces, in pixels.
    """
    rest, rigid = response.neutral.copy(), list(RIGID)
    modes = response.seen[NUM_BLENDSHAPES:].reshape(-1, rest.size)
    weighed = response.gain()[NUM_BLENDSHAPES:]
    normal = weighed @ modes.T + np.eye(len(modes))
    own = np.zeros((len(points), rest.size))
    for _ in range(ROUNDS + 1):
        model = np.broadcast_to(rest, points.shape)
        scale, rotation, shift = similarity(model[:, rigid], points[:, rigid])
        upright = (points - shift[:, None]) @ rotation / scale[:, None, None]
        turned = np.tensordot(pose_terms(head_angles(rotation)), response.pose, 1)
        own = (upright - rest - turned).reshape(len(points), -1)
        own -= np.linalg.solve(normal, weighed @ own.T).T @ modes
        rest = rest + own.mean(axis=0).reshape(rest.shape)
    spread = response.covariance + own.T @ own / len(own)
    return Response(rest, response.seen, response.pose, spread)


def neutral_people(net: FaceMesh, photos: list[Path]) -> Floats:
    """(2 N, M, 3) what a net sees of the largest face of each photo, and of its mirror image."""
    detector, found = FaceDetector(), []
    for photo in photos:
        picture = read_picture(photo)
        for shown in (picture, np.ascontiguousarray(picture[:, ::-1])):
            face = detector.detect(shown)[0]
            found.append(net.read(shown, face).points[:NUM_MESH_POINTS])
    return np.stack(found).astype(np.float64)


def _rotations(angles: Floats) -> Floats:
    """(N, 3, 3) in the picture's axes, of heads drawn at angles (N, 3)."""
    from scipy.spatial.transform import Rotation

    pitch, yaw, roll = angles.T
    turns = Rotation.from_euler("YXZ", np.stack([yaw, -pitch, -roll], axis=1), degrees=True)
    rotations: Floats = PICTURE_AXES[:, None] * turns.as_matrix() * PICTURE_AXES
    return rotations


def _placed(upright: Floats, model: Floats) -> Floats:
    """(N, M, 3) upright points at the model's scale and place, by the rigid points."""
    rigid = list(RIGID)
    seen_mean = upright[:, rigid].mean(axis=1, keepdims=True)
    model_mean = model[:, rigid].mean(axis=1, keepdims=True)
    seen, wanted = upright[:, rigid] - seen_mean, model[:, rigid] - model_mean
    weight = np.asarray([1.0, 1.0, DEPTH_WEIGHT])
    scale = (weight * seen * wanted).sum(axis=(1, 2)) / (weight * wanted**2).sum(axis=(1, 2))
    placed: Floats = (upright - seen_mean) / scale[:, None, None] + model_mean
    return placed
