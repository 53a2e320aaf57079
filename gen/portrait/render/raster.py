"""The renderer's inner loops: triangles to a backward map, folds, one layer over another.

Letters: V vertices, F triangles, H, W pixels. All are compiled once and kept on disk by numba.
"""

import numpy as np
from numpy.typing import NDArray

from affetto.gen.portrait.render.compiled import compiled

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Indices = NDArray[np.int32]

DILATION = 0.35  # pixels a triangle is drawn wider, so that no crack opens between neighbours
LEAST = 0.05  # pixels that any triangle is drawn wider: rounding opens no crack
UNSEEN = -1e6  # a source coordinate that says: none yet
SQUEEZED = 2.0  # times its share of the area at rest: what is left of that where it shrinks
MIN_AREA = 0.04  # of a drawn triangle, twice its square pixels: a thinner one is left out
MIN_SHARE = 0.12  # of its area a triangle keeps, or its corners are relaxed
RELAXATIONS = 8


@compiled
def _within(
    near: float, far: float, origin: float, slope: float, here: float
) -> tuple[float, float]:
    """The part of a row, near to far, in which a weight that is linear in x stays above 0."""
    if slope > 1e-9:
        return max(near, origin - here / slope), far
    if slope < -1e-9:
        return near, min(far, origin - here / slope)
    return near, far if here >= 0 else near - 1.0


@compiled
def fill_map(places: Floats, sources: Floats, triangles: Indices, sheet: Floats) -> None:
    """Draw triangles of source coordinates, the later over the earlier.

    Args:
        places: (V, 2) x, y of the corners in the sheet.
        sources: (V, 2) the x, y they show.
        triangles: (F, 3), farthest first; those that turn their back lie below all others.
        sheet: (H, W, 2) written in place.
    """
    height, width = sheet.shape[0], sheet.shape[1]
    count = triangles.shape[0]
    for step in range(2 * count):
        f = step % count
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ax, ay = places[a, 0], places[a, 1]
        bx, by = places[b, 0] - ax, places[b, 1] - ay
        cx, cy = places[c, 0] - ax, places[c, 1] - ay
        area = bx * cy - by * cx
        if (area > 0) != (step >= count) or abs(area) < MIN_AREA:
            continue
        ux, uy = sources[a, 0], sources[a, 1]
        ubx, uby = sources[b, 0] - ux, sources[b, 1] - uy
        ucx, ucy = sources[c, 0] - ux, sources[c, 1] - uy
        # A squeezed triangle would show far places in its rim.
        shown = abs(ubx * ucy - uby * ucx)
        wide = max(LEAST, DILATION * min(1.0, SQUEEZED * abs(area) / max(shown, 1e-6)))
        top = max(0, int(np.ceil(min(0.0, by, cy) + ay - wide)))
        low = min(height - 1, int(np.floor(max(0.0, by, cy) + ay + wide)))
        left = min(0.0, bx, cx) + ax - wide
        right = max(0.0, bx, cx) + ax + wide
        if top > low or right < 0 or left > width - 1:
            continue
        # Barycentric weights of b and c are linear in x and y; all three stay above -slack.
        wbx, wby = cy / area, -cx / area
        wcx, wcy = -by / area, bx / area
        slack_b = wide * np.sqrt(wbx * wbx + wby * wby)
        slack_c = wide * np.sqrt(wcx * wcx + wcy * wcy)
        wax, way = -(wbx + wcx), -(wby + wcy)
        slack_a = wide * np.sqrt(wax * wax + way * way)
        stepx = wbx * ubx + wcx * ucx
        stepy = wbx * uby + wcx * ucy
        for y in range(top, low + 1):
            dy = y - ay
            near, far = left, right
            for edge in range(3):
                slope, here = wax, 1.0 + way * dy + slack_a
                if edge == 0:
                    slope, here = wbx, wby * dy + slack_b
                elif edge == 1:
                    slope, here = wcx, wcy * dy + slack_c
                near, far = _within(near, far, ax, slope, here)
            first = max(0, int(np.ceil(near)))
            last = min(width - 1, int(np.floor(far)))
            if first > last:
                continue
            dx = first - ax
            wb, wc = wbx * dx + wby * dy, wcx * dx + wcy * dy
            sx = ux + wb * ubx + wc * ucx
            sy = uy + wb * uby + wc * ucy
            for x in range(first, last + 1):
                sheet[y, x, 0] = sx
                sheet[y, x, 1] = sy
                sx += stepx
                sy += stepy


@compiled
def close_gaps(sheet: Floats) -> None:
    """Go on from the left where no triangle was drawn: open eyes, cracks. UNSEEN marks those."""
    for y in range(sheet.shape[0]):
        for x in range(sheet.shape[1]):
            if sheet[y, x, 0] == UNSEEN:
                sheet[y, x, 0] = sheet[y, x - 1, 0] + 1 if x > 0 else 0.0
                sheet[y, x, 1] = sheet[y, x - 1, 1] if x > 0 else y


@compiled
def unfold(
    places: Floats, rest: Floats, triangles: Indices, starts: Indices, neighbours: Indices
) -> int:
    """Relax corners of triangles that would turn over, until none does or the rounds are spent.

    Args:
        places: (V, 2), changed in place.
        rest: (V, 2) where nothing is folded.
        triangles: (F, 3), counter-clockwise on the screen at rest (positive area, y down).
        starts: (V + 1,) where a vertex's list begins in `neighbours`.
        neighbours: (E,) vertices that share an edge.

    Returns:
        How many triangles are still below MIN_SHARE of their area at rest.
    """
    flagged = np.zeros(len(places), dtype=np.uint8)
    folded = 0
    for _ in range(RELAXATIONS):
        folded = 0
        flagged[:] = 0
        for f in range(triangles.shape[0]):
            a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
            now = (places[b, 0] - places[a, 0]) * (places[c, 1] - places[a, 1]) - (
                places[b, 1] - places[a, 1]
            ) * (places[c, 0] - places[a, 0])
            before = (rest[b, 0] - rest[a, 0]) * (rest[c, 1] - rest[a, 1]) - (
                rest[b, 1] - rest[a, 1]
            ) * (rest[c, 0] - rest[a, 0])
            if before > 0 and now < MIN_SHARE * before:
                folded += 1
                flagged[a] = flagged[b] = flagged[c] = 1
        if folded == 0:
            break
        for v in range(len(places)):
            count = starts[v + 1] - starts[v]
            if flagged[v] == 0 or count == 0:
                continue
            for axis in range(2):
                mean = 0.0
                for n in range(starts[v], starts[v + 1]):
                    mean += places[neighbours[n], axis] - rest[neighbours[n], axis]
                own = places[v, axis] - rest[v, axis]
                places[v, axis] = rest[v, axis] + 0.5 * own + 0.5 * mean / count
    return folded


@compiled
def lay_over(layer: Bytes, below: Bytes, result: Bytes) -> None:
    """Write a layer over another picture.

    Args:
        layer: (H, W, 4) colours multiplied by their opacity, then the opacity.
        below: (H, W, 3).
        result: (H, W, 3), written in place.
    """
    for y in range(layer.shape[0]):
        for x in range(layer.shape[1]):
            through = np.uint32(255 - layer[y, x, 3])
            for c in range(3):
                seen = np.uint32(layer[y, x, c])
                if through > 0:
                    seen += (below[y, x, c] * through + 127) // 255
                result[y, x, c] = min(seen, np.uint32(255))
