"""ARKit's 52 blendshapes as movements of the 468 mesh points, and their fit to a face.

The shapes are those of ICT-FaceKit (Li et al. 2020, MIT, LICENCE_ict.txt), carried over to the mesh
points by `affetto.train.data.arkit_basis`. A fit takes turns: a similarity from the points that
expressions hardly move, then bounded least squares for expression and identity together.
Coordinates as in a picture: x right, y down, z away from the viewer. Letters: M = 468 points, K
modes of identity.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

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
ROUNDS = 4
DEPTH_WEIGHT = 0.3  # the net guesses depth
EXPRESSION_RIDGE = 0.6  # of coefficients, in squared head units times points
IDENTITY_RIDGE = 1.5  # of modes, whose weights are about N(0, 1)


@dataclass(frozen=True)
class ArkitBasis:
    """The shapes in the ICT head's units (an eye corner lies about 4.5 from the middle).

    Attributes:
        neutral: (M, 3) as the mesh net sees neutral people on average.
        deltas: (52, M, 3) what each shape at 1 adds.
        identity: (K, M, 3) what each mode of identity at 1 adds.
        triangles: (F, 3) int32, eyes and mouth left open.
    """

    neutral: Floats
    deltas: Floats
    identity: Floats
    triangles: NDArray[np.int32]


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
        forward = -self.rotation[:, 2]  # where the nose points: towards the viewer is -z
        across = self.rotation[:, 0]
        yaw = np.arctan2(forward[0], -forward[2])
        pitch = np.arcsin(np.clip(-forward[1], -1, 1))
        roll = np.arctan2(across[1], np.hypot(across[0], across[2]))
        pitch_deg, yaw_deg, roll_deg = np.degrees([pitch, yaw, roll])
        return float(pitch_deg), float(yaw_deg), float(roll_deg)


def load_basis() -> ArkitBasis:
    """The basis that ships in this folder."""
    from safetensors.numpy import load_file

    tables = load_file(BASIS_FILE)
    neutral, deltas, identity = (
        tables[name].astype(np.float32) for name in ("neutral", "deltas", "identity")
    )
    return ArkitBasis(neutral, deltas, identity, tables["triangles"].astype(np.int32))


def fit(points: Floats, basis: ArkitBasis, *, identity: Floats | None = None) -> FaceFit:
    """Expression, identity and pose of a face.

    Args:
        points: (468 or more, 3) pixels, as `affetto.recognizers.face.mesh` gives them.
        basis: from `load_basis`.
        identity: (K,) known from elsewhere, for example from other frames; None fits it too.
    """
    seen = points[:NUM_MESH_POINTS].astype(np.float64)
    shapes = basis.deltas.reshape(NUM_BLENDSHAPES, -1).astype(np.float64)
    modes = basis.identity.reshape(len(basis.identity), -1).astype(np.float64)
    neutral = basis.neutral.astype(np.float64)
    solver = _Solver(shapes, modes, identity)
    rigid = list(RIGID)
    shape = neutral + (0.0 if identity is None else np.tensordot(identity, basis.identity, 1))
    coefficients, weights = np.zeros(NUM_BLENDSHAPES), np.zeros(len(modes))
    for _ in range(ROUNDS):
        scale, rotation, shift = similarity(shape[rigid], seen[rigid])
        upright = (seen - shift) @ rotation / scale
        coefficients, weights = solver.solve((upright - neutral).ravel())
        moved = coefficients @ shapes + weights @ modes
        shape = neutral + moved.reshape(neutral.shape)
    drawn = scale * shape @ rotation.T + shift
    unit = float(np.linalg.norm(seen[263] - seen[33]))
    return FaceFit(
        coefficients=coefficients.astype(np.float32),
        identity=weights.astype(np.float32),
        scale=scale,
        rotation=rotation.astype(np.float32),
        shift=shift.astype(np.float32),
        residual=float(np.sqrt(((drawn - seen)[:, :2] ** 2).sum(axis=1).mean())) / unit,
    )


class _Solver:
    """Bounded least squares for shapes (52, 3 M) and modes (K, 3 M), set up once."""

    def __init__(self, shapes: Doubles, modes: Doubles, identity: Floats | None) -> None:
        self.known = None if identity is None else identity.astype(np.float64)
        self.modes = modes
        free = shapes if identity is not None else np.concatenate([shapes, modes])
        ridge = np.full(len(free), IDENTITY_RIDGE)
        ridge[:NUM_BLENDSHAPES] = EXPRESSION_RIDGE
        self.weight = np.tile([1.0, 1.0, DEPTH_WEIGHT], shapes.shape[1] // 3)
        self.rows = free * self.weight
        self.root = np.linalg.cholesky(self.rows @ self.rows.T + np.diag(ridge))
        low, high = np.full(len(free), -4.0), np.full(len(free), 4.0)
        low[:NUM_BLENDSHAPES], high[:NUM_BLENDSHAPES] = 0.0, 1.0
        high[list(UNSEEN)] = 1e-6
        self.bounds = (low, high)

    def solve(self, wanted: Doubles) -> tuple[Doubles, Doubles]:
        """Coefficients (52,) and modes (K,) whose movement is nearest to `wanted` (3 M,)."""
        from scipy.linalg import solve_triangular
        from scipy.optimize import lsq_linear

        rest = wanted if self.known is None else wanted - self.known @ self.modes
        target = solve_triangular(self.root, self.rows @ (rest * self.weight), lower=True)
        found: Doubles = lsq_linear(self.root.T, target, self.bounds, method="bvls").x
        modes = found[NUM_BLENDSHAPES:] if self.known is None else self.known
        return found[:NUM_BLENDSHAPES], modes


def similarity(model: Doubles, seen: Doubles) -> tuple[float, Doubles, Doubles]:
    """Scale, rotation (3, 3) and shift (3,) from model to seen points (N, 3) (Umeyama 1991)."""
    model_mean, seen_mean = model.mean(axis=0), seen.mean(axis=0)
    from_model, from_seen = model - model_mean, seen - seen_mean
    left, values, right = np.linalg.svd(from_seen.T @ from_model)
    signs = np.asarray([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation: Doubles = left @ np.diag(signs) @ right
    scale = float((values * signs).sum() / (from_model**2).sum())
    return scale, rotation, seen_mean - scale * rotation @ model_mean
