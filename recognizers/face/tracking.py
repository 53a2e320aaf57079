"""Following faces from picture to picture: by where they are and how they move, never by who.

Boxes are matched to tracks by overlap with the place the track should have reached (constant
velocity), and where faces moved more than a box by distance in box sides; all pairs at once by the
Hungarian algorithm, as in SORT (Bewley et al. 2016), without its Kalman filter. A cut ends all
tracks: who a face is cannot be known across it, and we do not ask.
"""

from dataclasses import dataclass

import numpy as np

from affetto.recognizers.face.blaze import FaceBox, Floats, overlaps

MAX_GAP_S = 1.0  # a face unseen for longer is another one when it returns
REACH = 0.75  # how far a face may be from where it is expected, in sides, each 0.2 s
MAX_GROWTH = 1.7  # ratio of sides
STEP_S = 0.2
UNMATCHED = 10.0


@dataclass
class _Track:
    number: int
    centre: Floats  # (2,) pixels
    velocity: Floats  # (2,) pixels a second
    side: float
    time_s: float


class FaceTracker:
    """Gives each face of each picture the number of its track; numbers count up from 0."""

    def __init__(self) -> None:
        self.open: list[_Track] = []
        self.count = 0

    def follow(self, time_s: float, faces: list[FaceBox], *, cut: bool = False) -> list[int]:
        """The numbers of `faces`.

        Args:
            time_s: of the picture; rises from call to call.
            faces: found in it.
            cut: whether this picture belongs to another shot than the last.
        """
        self.open = [track for track in self.open if not cut and time_s - track.time_s <= MAX_GAP_S]
        pairs = self._matched(time_s, faces)
        numbers = []
        for place, face in enumerate(faces):
            track = pairs.get(place)
            if track is None:
                track = _Track(self.count, face.centre, np.zeros(2, np.float32), face.side, time_s)
                self.count += 1
                self.open.append(track)
            else:
                passed = max(time_s - track.time_s, 1e-3)
                moved = (face.centre - track.centre) / passed
                track.velocity = 0.5 * track.velocity + 0.5 * moved
                track.centre, track.side, track.time_s = face.centre, face.side, time_s
            numbers.append(track.number)
        return numbers

    def expected(self, time_s: float) -> Floats:
        """(N, 4) boxes where the open tracks should be."""
        rows = [
            (track.centre + track.velocity * (time_s - track.time_s), track.side / 2)
            for track in self.open
        ]
        boxes = [np.concatenate([centre - half, centre + half]) for centre, half in rows]
        return np.asarray(boxes, dtype=np.float32).reshape(-1, 4)

    def _matched(self, time_s: float, faces: list[FaceBox]) -> dict[int, _Track]:
        from scipy.optimize import linear_sum_assignment

        if not faces or not self.open:
            return {}
        expected = self.expected(time_s)
        boxes = np.stack([face.box for face in faces])
        sides = np.asarray([track.side for track in self.open])
        found = np.asarray([face.side for face in faces])
        waited = np.asarray([time_s - track.time_s for track in self.open])
        middles = (expected[:, :2] + expected[:, 2:]) / 2
        centres = np.stack([face.centre for face in faces])
        far = np.linalg.norm(middles[:, None] - centres[None], axis=-1) / sides[:, None]  # (N, M)
        growth = np.maximum(found[None] / sides[:, None], sides[:, None] / found[None])
        reach = REACH * np.maximum(1.0, waited / STEP_S) ** 0.5
        cost = far - overlaps(expected, boxes) + np.log(growth)
        cost[(far > reach[:, None]) | (growth > MAX_GROWTH)] = UNMATCHED
        rows, columns = linear_sum_assignment(cost)
        return {
            int(column): self.open[row]
            for row, column in zip(rows, columns, strict=True)
            if cost[row, column] < UNMATCHED
        }
