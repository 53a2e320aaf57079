"""How the mesh's points hang together where it matters: rings of the lips, open eyes and mouth.

A plain Delaunay triangulation ties the upper lip to the lower one at the corners of the mouth. Here
the lips are four rings of twenty points, tied ring by ring; the rest of the face is Delaunay.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import MIRROR
from affetto.gen.portrait.render.portrait import OVAL
from affetto.recognizers.face.arkit import LIDS

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]

# From the viewer's left corner over the upper lip to the right one and back; outermost first.
LIP_RINGS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)  # fmt: skip


def mesh_triangles(neutral: Floats) -> Indices:
    """Triangles (F, 3) of the face, eyes and mouth left open.

    Args:
        neutral: (468, 3) a face from the front; only how its points lie to one another counts.
    """
    from scipy.spatial import Delaunay

    flat = neutral[:, :2].astype(np.float64)
    inner = np.asarray(LIP_RINGS[1:]).ravel()
    used = np.setdiff1d(np.arange(len(flat)), inner)
    found = used[Delaunay(flat[used]).simplices]
    middles = flat[found].mean(axis=1)
    kept = _inside(middles, flat[list(OVAL)]) & ~_inside(middles, flat[list(LIP_RINGS[0])])
    for upper, lower in LIDS:
        kept &= ~_inside(middles, flat[[*upper, *lower[-2:0:-1]]])
    strips = [found[kept]]
    for outside, inside in pairwise(LIP_RINGS):
        near, far = np.asarray(outside), np.asarray(inside)
        next_near, next_far = np.roll(near, -1), np.roll(far, -1)
        strips += [
            np.stack([near, next_near, next_far], axis=1),
            np.stack([near, next_far, far], axis=1),
        ]
    return np.ascontiguousarray(np.concatenate(strips), dtype=np.int32)


def layered(values: Floats) -> Floats:
    """Values (..., 468, 3) of the points with the lips' two middle rings evenly between the others.

    The mesh net guesses these rings, so they fold over one another when lips are shut.
    """
    outer, inner = (values[..., list(LIP_RINGS[ring]), :] for ring in (0, 3))
    result = values.copy()
    for ring, share in ((1, 1 / 3), (2, 2 / 3)):
        result[..., list(LIP_RINGS[ring]), :] = (1 - share) * outer + share * inner
    return result


def evened(deltas: Floats) -> Floats:
    """The basis' movements (52, 468, 3) with the lips' alike on both sides.

    Which places of the head the lips' points are is known to a few millimetres, on each side
    another few; the mean of both sides folds less.
    """
    result = deltas.copy()
    for ring in LIP_RINGS:
        across = [ring[(10 - place) % 20] for place in range(20)]
        mirrored = deltas[list(MIRROR)][:, across] * np.asarray([-1, 1, 1], dtype=np.float32)
        result[:, list(ring)] = (deltas[:, list(ring)] + mirrored) / 2
    return result


def respaced(deltas: Floats, neutral: Floats, points: Floats) -> Floats:
    """Movements (52, 468, 3) of the lips' points for where these lie between the mouth's corners.

    Args:
        deltas: of the basis.
        neutral: (468, 3) the basis' points.
        points: (468, 3) the photo's, which the mesh net spaces otherwise.
    """
    result = deltas.copy()
    for ring in LIP_RINGS:
        for half in (ring[:11], (ring[0], *ring[:9:-1])):
            known, wanted = _along(neutral, half), _along(points, half)
            known = ((known - known[::-1]) / 2).astype(np.float32)
            hats = np.stack([np.interp(wanted, known, one) for one in np.eye(11)], axis=1)
            result[:, list(half)] = np.einsum("ij,sjc->sic", hats, deltas[:, list(half)])
    return result.astype(np.float32)


def _along(points: Floats, half: tuple[int, ...]) -> Floats:
    """(11,) from -1 at the viewer's left corner of the mouth to 1 at the right one, rising."""
    places = points[list(half), :2]
    across = places[-1] - places[0]
    share = (places - places[0]) @ across / (across @ across)
    rising: Floats = np.maximum.accumulate(2 * share - 1) + 1e-6 * np.arange(11)
    return rising


def stiffened(deltas: Floats) -> Floats:
    """Movements (..., 468, 3) with each brow's upper and lower row moving as one: hair is stiff."""
    result = deltas.copy()
    for upper, lower in BROWS:
        rows = [list(upper), list(lower)]
        result[..., rows, :] = deltas[..., rows, :].mean(axis=-3, keepdims=True)
    return result


def _inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether points (N, 2) lie in a polygon (M, 2), by crossings."""
    x, y = points[:, :1], points[:, 1:]
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    spans = (y0 > y) != (y1 > y)
    slope = (x1 - x0) / np.where(y1 == y0, 1.0, y1 - y0)
    crossings = (spans & (x < x0 + slope * (y - y0))).sum(axis=1)
    return np.asarray(crossings % 2 == 1)
