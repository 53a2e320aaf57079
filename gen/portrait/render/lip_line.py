"""Where the lips really meet or part: the mesh's inner lips, moved onto what the photo shows.

A mesh net places inner lips by what mouths usually look like, some pixels beside the line that the
photo has, and the skin that would be torn off the wrong lip is seen at once when the mouth opens.
Along columns of the mouth, what differs from lip skin in colour (teeth) or is much darker (the
cavity, the line between shut lips) is the gap.

Ours. Letters: C columns across the mouth, N samples down each.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.gen.portrait.render.portrait import INNER_LOWER, INNER_UPPER, OUTER_CORNERS

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

# The outer lips above and below the inner ones, the viewer's left corner first.
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
CORNERS = ((78, 61, (191, 95)), (308, 291, (415, 324)))  # inner, outer, the lips beside
CORNER_FOLLOWS = 0.8
COLUMNS, SAMPLES = 61, 48
ENDS = 0.06  # of the mouth's width at each corner, where lips are too thin to be told from
DARK_FROM, DARK_TO = 0.85, 0.50  # of the lip's brightness: still lip, surely not
PALE, PALE_FROM = 9.0, 0.14  # less red (a* of CIE Lab) than the lip; share of the mouth's width
SEARCH = 0.045  # outer eye-corner distances beside the mesh's own gap
CERTAIN = 0.35  # of the columns must show a gap, else the darkest line counts
FAINT = 0.06  # of brightness that a line between shut lips must be darker than its lips
RIM, RIM_SHARE = 0.012, 0.12  # beside the gap, where teeth shine: eye-corner distances, of the gap
SMOOTH = 4.0  # sigma in columns


@dataclass(frozen=True)
class _Columns:
    """Samples of the picture down the mouth: where (C, N, 2), brightness and redness (C, N)."""

    places: Floats
    light: Floats
    red: Floats
    shares: Floats  # (N,) 0 at the outer upper lip, 1 at the outer lower lip


def snapped(picture: Picture, points: Floats) -> Floats:
    """Landmarks with the inner lips where the photo has them.

    Args:
        picture: (S, S, 3) uint8 RGB.
        points: (468, 3) of its mesh.

    Returns:
        (468, 3); the same where the photo does not tell.
    """
    columns = _sampled(picture, points)
    upper, lower = _edges(columns, points)
    if upper is None or lower is None:
        return points
    moved = points.copy()
    at = np.round(np.linspace(0, COLUMNS - 1, len(INNER_UPPER))).astype(int)[1:-1]
    for column, high, low in zip(at, INNER_UPPER[1:-1], INNER_LOWER[1:-1], strict=True):
        for landmark, edge in ((high, upper), (low, lower)):
            for axis in (0, 1):
                moved[landmark, axis] = np.interp(
                    edge[column], columns.shares, columns.places[column, :, axis]
                )
    # The corners follow the lips beside them.
    for inner, outer, beside in CORNERS:
        shift = (moved[list(beside), :2] - points[list(beside), :2]).mean(axis=0)
        moved[[inner, outer], :2] += shift * CORNER_FOLLOWS
    return moved


def gap_mask(picture: Picture, points: Floats) -> Flags:
    """(S, S) what lies between the lips of landmarks from `snapped`, with a rim."""
    import cv2

    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    drawn = np.zeros(picture.shape[:2], np.uint8)
    inner = points[[*INNER_UPPER, *INNER_LOWER[-2:0:-1]], :2]
    cv2.fillPoly(drawn, [np.round(inner).astype(np.int32)], 1)
    gaps = np.linalg.norm(points[list(INNER_LOWER), :2] - points[list(INNER_UPPER), :2], axis=1)
    radius = max(1, round(RIM * unit + RIM_SHARE * float(gaps.max())))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    mask: Flags = cv2.dilate(drawn, kernel) > 0
    return mask


def _sampled(picture: Picture, points: Floats) -> _Columns:
    import cv2

    shares = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    across = np.linspace(0, len(OUTER_UPPER) - 1, COLUMNS)
    index = np.arange(len(OUTER_UPPER))

    def along(loop: tuple[int, ...]) -> Floats:
        ends = points[list(loop), :2]
        return np.stack([np.interp(across, index, ends[:, i]) for i in (0, 1)], axis=1)

    top, low = along(OUTER_UPPER), along(OUTER_LOWER)
    places = top[:, None] + shares[None, :, None] * (low - top)[:, None]
    light, red = (
        np.asarray(
            cv2.remap(layer, places.astype(np.float32), None, cv2.INTER_LINEAR),  # type: ignore[call-overload]
            dtype=np.float32,
        )
        for layer in _light_and_red(picture)
    )
    return _Columns(places.astype(np.float32), light, red, shares)


def _light_and_red(picture: Picture) -> tuple[Floats, Floats]:
    import cv2

    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1])


def _own(columns: _Columns, points: Floats) -> tuple[Floats, Floats]:
    """(C,) the shares at which the mesh has its inner lips."""
    edges = []
    for loop in (INNER_UPPER, INNER_LOWER):
        index = np.linspace(0, COLUMNS - 1, len(loop))
        flat = np.stack(
            [np.interp(np.arange(COLUMNS), index, points[list(loop), i]) for i in (0, 1)], axis=1
        )
        top, low = columns.places[:, 0], columns.places[:, -1]
        way = low - top
        length = np.maximum((way**2).sum(axis=1), 1e-3)
        edges.append(np.clip(((flat - top) * way).sum(axis=1) / length, 0, 1))
    return edges[0], edges[1]


def _foreign(columns: _Columns, points: Floats) -> Floats:
    """(C, N) how little each sample looks like the lip on its side, from 0; from .5 it is gap."""
    upper, lower = _own(columns, points)
    shares = columns.shares[None]
    middle = ((upper + lower) / 2)[:, None]
    on_upper = (shares > 0.3 * upper[:, None]) & (shares < 0.75 * upper[:, None])
    on_lower = (shares > 1 - 0.75 * (1 - lower[:, None])) & (
        shares < 1 - 0.25 * (1 - lower)[:, None]
    )

    def usual(layer: Floats) -> Floats:
        sides = []
        for where in (on_upper, on_lower):
            mean = (layer * where).sum(axis=1) / np.maximum(where.sum(axis=1), 1)
            sides.append(_smooth(mean, 3 * SMOOTH))
        return np.where(shares < middle, sides[0][:, None], sides[1][:, None])

    light, red = usual(columns.light), usual(columns.red)
    dark = np.clip((DARK_FROM * light - columns.light) / ((DARK_FROM - DARK_TO) * light), 0, 1)
    # Near the corners lips are as pale as skin.
    place = np.linspace(0, 1, COLUMNS)[:, None]
    central = np.clip((np.minimum(place, 1 - place) - PALE_FROM) / PALE_FROM, 0, 1)
    bright = np.clip(columns.light / np.maximum(light, 1) - 0.55, 0, 0.2) / 0.2
    pale = np.clip((red - columns.red) / (2 * PALE), 0, 1) * central * bright
    foreign: Floats = np.maximum(dark, pale)
    return foreign


def _edges(columns: _Columns, points: Floats) -> tuple[Floats | None, Floats | None]:
    """(C,) shares of the gap's upper and lower edge, None where the photo does not tell."""
    unit = float(np.linalg.norm(points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]))
    height = np.linalg.norm(columns.places[:, -1] - columns.places[:, 0], axis=1)
    reach = SEARCH * unit / np.maximum(height, 1)
    own_upper, own_lower = _own(columns, points)
    shares = columns.shares[None]
    near = (shares > (own_upper - reach)[:, None]) & (shares < (own_lower + reach)[:, None])
    near &= (shares > 0.15) & (shares < 0.85)
    foreign = np.where(near, _foreign(columns, points), 0)
    light = np.where(near, columns.light, np.inf)
    upper, lower = np.full(COLUMNS, np.nan), np.full(COLUMNS, np.nan)
    for column in range(round(ENDS * COLUMNS), round((1 - ENDS) * COLUMNS)):
        if foreign[column].max() > 0.5:
            start = end = int(foreign[column].argmax())
            while start > 0 and foreign[column, start - 1] > 0.5:
                start -= 1
            while end < SAMPLES - 1 and foreign[column, end + 1] > 0.5:
                end += 1
            upper[column], lower[column] = columns.shares[start], columns.shares[end]
        elif near[column].any():
            darkest = int(light[column].argmin())
            if light[column, darkest] < (1 - FAINT) * np.median(columns.light[column]):
                upper[column] = lower[column] = columns.shares[darkest]
    known = np.isfinite(upper)
    if known.mean() < CERTAIN:
        return None, None
    index, ends = np.arange(COLUMNS), []
    for edge, own in ((upper, own_upper), (lower, own_lower)):
        off = np.clip(np.interp(index, index[known], (edge - own)[known]), -reach, reach)
        ends.append(own + _smooth(_median(off), SMOOTH / 2))
    middle = (ends[0] + ends[1]) / 2
    return np.minimum(ends[0], middle), np.maximum(ends[1], middle)


def _median(values: Floats) -> Floats:
    from scipy.ndimage import median_filter

    filtered: Floats = median_filter(values, 9, mode="nearest")
    return filtered


def _smooth(values: Floats, sigma: float) -> Floats:
    from scipy.ndimage import gaussian_filter1d

    smoothed: Floats = gaussian_filter1d(values, sigma, mode="nearest")
    return smoothed
