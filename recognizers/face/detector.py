"""Finding all faces of a picture, and cutting them out the way the face net knows faces.

The 256-pixel BlazeFace looks at the whole picture and, where asked, at overlapping square tiles.
Each candidate is then looked at again by the 128-pixel net, upright and at one size: that gives
every face, near or far, tilted or not, boxes and points of one kind, and drops most of what only
looked like a face from afar. Crops take their place and scale from that second look: its boxes on
FER+ faces say where in them the 48-pixel frame of FER lies (benchmarks/face_clips.py measures it).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.recognizers.face.blaze import BlazeNet, FaceBox, Floats, merged

# The FER frame in terms of the box of the second look, over FER+'s validation faces.
FRAME_SIDE = 1.17  # box sides
FRAME_SHIFT = -0.10  # the frame's centre above the box's, in box sides
CLOSE_SIDE = 2.0  # the second look's view in sides of the first look's box
CLOSE_PIXELS = 128
MAX_LOOKS = 3
SETTLED = 0.15  # a move or a logarithm of growth below which the view is right
SURE_SCORE = 0.6  # of the second look
TILE_OVERLAP = 0.25
MAX_TILES = 48


class FaceDetector:
    """Both nets, loaded once; not for several threads at a time."""

    def __init__(self) -> None:
        """Load the nets that ship in this folder."""
        self.far, self.close = BlazeNet("blaze_back"), BlazeNet("blaze_short")

    def detect(self, picture: Picture, *, tile_side: int | None = None) -> list[FaceBox]:
        """Find faces.

        Args:
            picture: (H, W, 3) uint8 RGB.
            tile_side: also look at square tiles of about this many pixels: finds faces down to a
                thirtieth of it, at 5 ms a tile. None: the whole picture alone.

        Returns:
            The faces, the largest first.
        """
        found = self.far.find(picture)
        for left, top, side in _tiles(picture, tile_side) if tile_side else ():
            tile = picture[top : top + side, left : left + side]
            found += [
                _moved(face, left, top)
                for face in self.far.find(tile)
                if _inside(face, left, top, side, picture)
            ]
        seen = [self.look_closer(picture, face) for face in merged(found)]
        return sorted(merged([f for f in seen if f is not None]), key=lambda face: -face.side)

    def look_closer(self, picture: Picture, face: FaceBox) -> FaceBox | None:
        """The face as the close net sees it, upright and at one size; None if it sees none.

        Where it lies elsewhere in the view or has another size than expected, the view is moved
        onto it and it is looked at once more.
        """
        for _ in range(MAX_LOOKS):
            seen = self._look(picture, face)
            if seen is None:
                return None
            moved = float(np.linalg.norm(seen.centre - face.centre)) / face.side
            grown = abs(float(np.log(seen.side / face.side)))
            face = seen
            if max(moved, grown) < SETTLED:
                break
        return face

    def _look(self, picture: Picture, face: FaceBox) -> FaceBox | None:
        transform = upright_square(face.centre, CLOSE_SIDE * face.side, face.roll, CLOSE_PIXELS)
        view = warped(picture, transform, CLOSE_PIXELS)
        middle = np.full(2, CLOSE_PIXELS / 2)
        near = [
            seen
            for seen in self.close.find(view)
            if seen.score >= SURE_SCORE and np.abs(seen.centre - middle).max() < CLOSE_PIXELS / 4
        ]
        if not near:
            return None
        seen = max(near, key=lambda one: one.score)
        points = unwarped(transform, seen.points)
        half = seen.side * face.side * CLOSE_SIDE / CLOSE_PIXELS / 2
        centre = unwarped(transform, seen.centre[None])[0]
        box = np.concatenate([centre - half, centre + half]).astype(np.float32)
        return FaceBox(box, points, seen.score)


def crop_face(picture: Picture, face: FaceBox, *, side: int) -> Floats:
    """One face as the face net reads it: the eyes level, framed as FER frames faces.

    Args:
        picture: (H, W, 3) uint8 RGB.
        face: from `FaceDetector`.
        side: of the result in pixels.

    Returns:
        (side, side) grey in [0, 1]; what lies outside the picture repeats its border.
    """
    view = face_view(picture, face, side=side)
    red, green, blue = np.moveaxis(view.astype(np.float32), -1, 0)
    grey: Floats = (0.299 * red + 0.587 * green + 0.114 * blue) / 255.0
    return grey


def face_view(picture: Picture, face: FaceBox, *, side: int) -> Picture:
    """The same in colour: (side, side, 3) uint8 RGB."""
    cos, sin = np.cos(face.roll), np.sin(face.roll)
    down = np.asarray([-sin, cos]) * FRAME_SHIFT * face.side
    middle = (face.centre + down).astype(np.float32)
    return warped(picture, upright_square(middle, FRAME_SIDE * face.side, face.roll, side), side)


def upright_square(centre: Floats, side: float, roll: float, pixels: int) -> Floats:
    """(2, 3) from a picture's x, y to a view of `pixels` that shows a rolled square of it."""
    scale = pixels / side
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    turn = np.asarray([[cos, sin], [-sin, cos]])
    shift = pixels / 2 - turn @ np.asarray(centre, dtype=np.float64)
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


def unwarped(transform: Floats, points: Floats) -> Floats:
    """Points (N, 2) of the view back in the picture."""
    places: Floats = np.linalg.solve(transform[:, :2], (points - transform[:, 2]).T).T
    return places.astype(np.float32)


def warped(picture: Picture, transform: Floats, pixels: int) -> Picture:
    """(pixels, pixels, 3) view; what is shown much smaller is averaged first, so not aliased."""
    import cv2

    corners = unwarped(
        transform, np.asarray([[0, 0], [pixels, 0], [0, pixels], [pixels, pixels]], np.float32)
    )
    height, width = picture.shape[:2]
    low = np.clip(np.floor(corners.min(axis=0)) - 2, 0, [width - 1, height - 1]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2, low + 1, [width, height]).astype(int)
    part: NDArray[Any] = picture[low[1] : high[1], low[0] : high[0]]
    shrink = float(np.hypot(*transform[:, 0]))
    sizes = np.maximum(1, np.round((high - low) * min(1.0, shrink))).astype(int)
    if shrink < 1:
        part = cv2.resize(part, sizes.tolist(), interpolation=cv2.INTER_AREA)
    ratio = (high - low) / sizes  # (2,) picture pixels in a pixel of `part`
    # cv2 counts from pixel centres: x of ours is x + 0.5 of its.
    inner = transform[:, :2] * ratio
    shift = transform[:, :2] @ low + transform[:, 2] + inner @ [0.5, 0.5] - 0.5
    matrix = np.concatenate([inner, shift[:, None]], axis=1)
    view = cv2.warpAffine(
        np.ascontiguousarray(part), matrix, (pixels, pixels), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(view, dtype=np.uint8)


def _tiles(picture: Picture, wanted: int) -> list[tuple[int, int, int]]:
    """(left, top, side) of squares that cover the picture and overlap; none if one would do."""
    height, width = picture.shape[:2]
    side = max(wanted, round((height * width / MAX_TILES) ** 0.5 / (1 - TILE_OVERLAP)))
    if side >= max(height, width):
        return []
    places = []
    for length in (width, height):
        count = 1 + max(0, int(np.ceil((length - side) / (side * (1 - TILE_OVERLAP)))))
        places.append([round(x) for x in np.linspace(0, max(0, length - side), count)])
    return [(left, top, side) for top in places[1] for left in places[0]]


def _inside(face: FaceBox, left: int, top: int, side: int, picture: Picture) -> bool:
    """Whether a tile shows the face whole; at the picture's own edge a cut face counts."""
    height, width = picture.shape[:2]
    near_left, near_top, near_right, near_bottom = face.box
    return bool(
        (near_left >= 0 or left == 0)
        and (near_top >= 0 or top == 0)
        and (near_right <= side or left + side >= width)
        and (near_bottom <= side or top + side >= height)
    )


def _moved(face: FaceBox, left: int, top: int) -> FaceBox:
    """A tile's face in the picture's pixels."""
    shift = np.asarray([left, top], dtype=np.float32)
    return FaceBox(face.box + np.tile(shift, 2), face.points + shift, face.score)
