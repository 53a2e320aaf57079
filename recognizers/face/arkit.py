"""ARKit's 52 blendshapes as movements of the 468 mesh points, and their fit to faces.

The shapes are those of ICT-FaceKit (Li et al. 2020, MIT, LICENCE_ict.txt), carried over to the mesh
points by `affetto.train.data.arkit_basis`. A mesh net does not show these movements as they are: it
halves an open jaw and hardly sees cheeks. So a fit explains points by what the net was found to
show of each shape, on drawn heads (`affetto.train.data.mesh_response`), and weighs them by how it
errs there: a similarity from the points that expressions hardly move takes turns with bounded
generalised least squares for expression and identity together.

Coordinates as in a picture: x right, y down, z away from the viewer. Letters: M = 468 points, K
modes of identity, T frames, P = 52 + K.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
MeshNet = Literal["shipped", "task"]

BASIS_FILE = Path(__file__).parent / "arkit_basis.safetensors"
NUM_MESH_POINTS = 468
# Pairs lie above one another; from the viewer's left to the right.
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
LIDS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)),
)  # (upper, lower) of the person's right eye, then of the left
RIGID = (
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 10, 151, 9, 8, 109, 338, 67, 297, 54, 284, 103, 332,
    21, 251, 162, 389, 127, 356, 234, 454, 2, 94,
)  # fmt: skip
# Not to be told from the skin's points, or better told from the irises.
UNSEEN = tuple(
    place
    for place, name in enumerate(BLENDSHAPES)
    if name.startswith("eyeLook") or name in ("tongueOut", "jawForward")
)
OPPOSITES = (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight"))
ROUNDS = 4
STEPS = 80  # of the bounded solver in a round
EXPRESSION_RIDGE, EXPRESSION_SPARSITY = 3.0, 1.0  # against coefficients squared and as they are
IDENTITY_LIMIT = 4.0  # of modes, whose weights are about N(0, 1)


@dataclass(frozen=True)
class ArkitBasis:
    """The shapes in the ICT head's units (an eye corner lies about 4.5 from the middle).

    Attributes:
        neutral: (M, 3) on the head's skin.
        deltas: (52, M, 3) what each shape at 1 adds.
        identity: (K, M, 3) what each mode of identity at 1 adds.
        triangles: (F, 3) int32, eyes and mouth left open.
        seen_neutral: (M, 3) where the mesh net sees a neutral face's points.
        seen: (P, M, 3) what it shows of each shape, then of each mode.
        seen_pose: (6, M, 3) what it adds when the head turns, see `pose_terms`.
        gain: (P, 3 M) `seen` over the covariance of what the net shows beyond all that.
        curvature: (P, P) `gain` times `seen`.
    """

    neutral: Floats
    deltas: Floats
    identity: Floats
    triangles: NDArray[np.int32]
    seen_neutral: Floats
    seen: Floats
    seen_pose: Floats
    gain: Floats
    curvature: Floats


@dataclass(frozen=True)
class FaceFit:
    """A face in terms of the basis: point = scale * rotation @ (neutral + shapes) + shift.

    Attributes:
        coefficients: (52,) in [0, 1].
        identity: (K,).
        scale: pixels a unit of the basis.
        rotation: (3, 3).
        shift: (3,) pixels.
        residual: root mean square in the picture plane, in outer eye-corner distances.
    """

    coefficients: Floats
    identity: Floats
    scale: float
    rotation: Floats
    shift: Floats
    residual: float

    @property
    def angles(self) -> tuple[float, float, float]:
        """Pitch (up), yaw (to the person's left) and roll (to the person's left shoulder), degrees.

        In a picture the person's left is on the right.
        """
        pitch, yaw, roll = head_angles(self.rotation[None].astype(np.float64))[0]
        return float(pitch), float(yaw), float(roll)


def load_basis(*, net: MeshNet = "shipped") -> ArkitBasis:
    """The basis that ships in this folder.

    Args:
        net: whose points are to be fitted, that of the mesh net that ships or of a .task file.
    """
    from safetensors.numpy import load_file

    tables = load_file(BASIS_FILE)
    shared = {name: tables[name].astype(np.float32) for name in ("neutral", "deltas", "identity")}
    of_net = {
        name: tables[f"{net}.{name}"].astype(np.float32)
        for name in ("seen_neutral", "seen", "seen_pose", "gain", "curvature")
    }
    return ArkitBasis(**shared, triangles=tables["triangles"].astype(np.int32), **of_net)


def fit(points: Floats, basis: ArkitBasis, *, identity: Floats | None = None) -> FaceFit:
    """Expression, identity and pose of a face.

    Args:
        points: (468 or more, 3) pixels, as `affetto.recognizers.face.mesh` gives them.
        basis: from `load_basis`.
        identity: (K,) known from elsewhere, for example from other frames; None fits it too.
    """
    return fit_frames(points[None], basis, identity=identity)[0]


def fit_frames(
    points: Floats,
    basis: ArkitBasis,
    *,
    identity: Floats | None = None,
    own: Floats | None = None,
) -> list[FaceFit]:
    """The same for many faces at once, each by itself.

    Args:
        points: (T, 468 or more, 3) pixels.
        basis: from `load_basis`.
        identity: (K,) the same for all; None fits each face's.
        own: (M, 3) what sets this person's points apart beyond the modes of identity.
    """
    seen = points[:, :NUM_MESH_POINTS].astype(np.float64)
    rest = basis.seen_neutral.astype(np.float64) + (0.0 if own is None else own)
    solver = _Solver(basis, identity)
    rigid = list(RIGID)
    shape = np.broadcast_to(rest, seen.shape)
    found = solver.start(len(seen))
    for _ in range(ROUNDS):
        scale, rotation, shift = similarity(shape[:, rigid], seen[:, rigid])
        faced = (seen - shift[:, None]) @ rotation / scale[:, None, None]
        turned = np.tensordot(pose_terms(head_angles(rotation)), basis.seen_pose, 1)
        found = solver.solve((faced - rest - turned).reshape(len(seen), -1), found)
        shape = rest + turned + (found @ solver.movements).reshape(seen.shape)
    drawn = scale[:, None, None] * shape @ rotation.transpose(0, 2, 1) + shift[:, None]
    unit = np.linalg.norm(seen[:, 263] - seen[:, 33], axis=1)
    residual = np.sqrt(((drawn - seen)[..., :2] ** 2).sum(axis=2).mean(axis=1)) / unit
    coefficients = _without_opposites(found[:, :NUM_BLENDSHAPES])
    return [
        FaceFit(
            coefficients=coefficients[t].astype(np.float32),
            identity=found[t, NUM_BLENDSHAPES:].astype(np.float32),
            scale=float(scale[t]),
            rotation=rotation[t].astype(np.float32),
            shift=shift[t].astype(np.float32),
            residual=float(residual[t]),
        )
        for t in range(len(seen))
    ]


def unexplained(points: Floats, found: FaceFit, basis: ArkitBasis) -> Floats:
    """(M, 3) what a fit leaves of a face's points (468 or more, 3), upright, in basis units."""
    turned = pose_terms(head_angles(found.rotation[None].astype(np.float64)))[0]
    weights = np.concatenate([found.coefficients, found.identity])
    shape = basis.seen_neutral + np.tensordot(turned, basis.seen_pose, 1)
    shape = shape + np.tensordot(weights, basis.seen, 1)
    return (upright(points, found) - shape).astype(np.float32)


def upright(points: Floats, found: FaceFit) -> Floats:
    """(N, 3) points of a face turned face-on, in basis units."""
    turned = (points - found.shift) @ found.rotation / found.scale
    return np.asarray(turned, dtype=np.float32)


class _Solver:
    """Bounded least squares for all faces at once, by accelerated projected gradients.

    Nesterov 1983 with the restarts of O'Donoghue and Candes 2015; unknowns are scaled to one
    curvature, which keeps their bounds a box.
    """

    def __init__(self, basis: ArkitBasis, identity: Floats | None) -> None:
        self.movements = basis.seen.reshape(len(basis.seen), -1).astype(np.float64)  # (P, 3 M)
        self.gain = basis.gain.astype(np.float64)
        curvature = basis.curvature.astype(np.float64)
        ridge = np.ones(len(curvature))
        ridge[:NUM_BLENDSHAPES] = EXPRESSION_RIDGE
        curvature += np.diag(ridge)
        self.unit = 1 / np.sqrt(np.diag(curvature))
        self.curvature = curvature * self.unit * self.unit[:, None]
        self.step = 1 / float(np.linalg.eigvalsh(self.curvature)[-1])
        low, high = np.full(len(ridge), -IDENTITY_LIMIT), np.full(len(ridge), IDENTITY_LIMIT)
        low[:NUM_BLENDSHAPES], high[:NUM_BLENDSHAPES] = 0.0, 1.0
        high[list(UNSEEN)] = 0.0
        if identity is not None:
            low[NUM_BLENDSHAPES:] = high[NUM_BLENDSHAPES:] = identity
        self.low, self.high = low / self.unit, high / self.unit
        self.penalty = np.zeros(len(ridge))
        self.penalty[:NUM_BLENDSHAPES] = EXPRESSION_SPARSITY

    def start(self, frames: int) -> Doubles:
        """(T, P) zeros, or as near as the bounds allow."""
        zeros = np.zeros((frames, len(self.unit)))
        inside: Doubles = np.clip(zeros, self.low, self.high) * self.unit
        return inside

    def solve(self, wanted: Doubles, start: Doubles) -> Doubles:
        """(T, P) weights whose movement is nearest to `wanted` (T, 3 M), beginning at `start`."""
        pull = (wanted @ self.gain.T - self.penalty) * self.unit
        now = ahead = start / self.unit
        momentum = np.ones((len(pull), 1))
        for _ in range(STEPS):
            slope = ahead @ self.curvature - pull
            new = np.clip(ahead - self.step * slope, self.low, self.high)
            momentum[(slope * (new - now)).sum(axis=1) > 0] = 1.0
            larger = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = new + (momentum - 1) / larger * (new - now)
            now, momentum = new, larger
        weights: Doubles = now * self.unit
        return weights


def similarity(model: Doubles, seen: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Scale (T,), rotation (T, 3, 3), shift (T, 3) from model to seen (T, N, 3) (Umeyama 1991)."""
    model_mean, seen_mean = model.mean(axis=1, keepdims=True), seen.mean(axis=1, keepdims=True)
    from_model, from_seen = model - model_mean, seen - seen_mean
    left, values, right = np.linalg.svd(from_seen.transpose(0, 2, 1) @ from_model)
    signs = np.ones_like(values)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))
    rotation: Doubles = (left * signs[:, None]) @ right
    scale: Doubles = (values * signs).sum(axis=1) / (from_model**2).sum(axis=(1, 2))
    turned = scale[:, None] * (rotation @ model_mean[:, 0, :, None])[..., 0]
    return scale, rotation, seen_mean[:, 0] - turned


def head_angles(rotation: Doubles) -> Doubles:
    """(T, 3) pitch, yaw and roll in degrees, see `FaceFit.angles`, of rotations (T, 3, 3)."""
    forward = -rotation[:, :, 2]  # the nose points along -z
    pitch = np.arcsin(np.clip(-forward[:, 1], -1, 1))
    yaw = np.arctan2(forward[:, 0], -forward[:, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    angles: Doubles = np.degrees(np.stack([pitch, yaw, roll], axis=1))
    return angles


def pose_terms(angles: Doubles) -> Doubles:
    """(T, 6) what the mesh net's points depend on when a head turns by angles (T, 3)."""
    pitch, yaw, roll = angles.T / 20.0
    return np.stack([pitch, yaw, roll, pitch**2, yaw**2, pitch * yaw], axis=1)


def _without_opposites(coefficients: Doubles) -> Doubles:
    """Of two shapes that undo each other only the difference stays."""
    result = coefficients.copy()
    for pair in OPPOSITES:
        places = [BLENDSHAPES.index(name) for name in pair]
        result[:, places] -= result[:, places].min(axis=1, keepdims=True)
    return result
