"""An invisible mark in a film's pixels: 32 bits that outlive copying, re-encoding and scaling.

Letters: N cells along each side of a frame, C = 2 colour differences.

The frame is cut into N x N cells whatever its size. A cell's mean colour differences, which are
the low band of a Haar transform, are moved to where a lattice says 0 or 1. All frames are marked,
so nothing flickers, and a static background keeps a static mark. Reading averages over frames.

Source:
    Quantisation index modulation: B. Chen, G. Wornell, "Quantization index modulation", IEEE
    Trans. Information Theory 47 (2001). Low band and quantised strength: K. Navas et al.,
    "DWT-DCT-SVD based watermarking", COMSWARE 2008. Of its three transforms the cosine one changes
    no singular value, and the largest singular value of a smooth block is its mean: so the mean it
    is, of colour differences as the eye sees them least, which costs a hundredth of the time.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture

Floats = NDArray[np.float32]

NUM_BITS = 32
CELLS = 32  # N
STEP = 4.0  # colour difference between two places on the lattice that say the same
SLACK, SMALL_SLACK = 0.5, 0.1  # how near the place is near enough
SMALL_PX = 256  # shorter side; below it cells have few pixels, which coding blurs: SMALL_SLACK
HEADROOM = 3  # black and white move this far in, so that there is room on both sides
ENOUGH_BITS = 29  # of 32 that agree: by chance 1.3 in a million, thrice that for three COLOURS
AFFETTO = int.from_bytes(hashlib.sha256(b"Affetto").digest()[:4])  # what the mark says


def _matrix(red: float, blue: float) -> Floats:
    """(3, 3): RGB to luma and the two colour differences, by the luma's shares of red and blue."""
    luma = np.array([red, 1 - red - blue, blue])
    of_blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    of_red = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, of_blue, of_red]).astype(np.float32)


BT601, BT709 = _matrix(0.299, 0.114), _matrix(0.2126, 0.0722)
TO_DIFFERENCES, FROM_DIFFERENCES = BT601[1:], np.linalg.inv(BT601)[:, 1:]
# Mean colours to differences: as they are, coded by BT.709 but shown by BT.601, the other way.
COLOURS = (
    TO_DIFFERENCES,
    TO_DIFFERENCES @ np.linalg.inv(BT709) @ BT601,
    TO_DIFFERENCES @ np.linalg.inv(BT601) @ BT709,
)


@dataclass(frozen=True)
class MarkFound:
    """What was read.

    Attributes:
        bits: 32 of them as one number.
        matching: how many are Affetto's.
        num_frames: that were looked at.
    """

    bits: int
    matching: int
    num_frames: int

    @property
    def is_ours(self) -> bool:
        """Enough bits agree that it is no chance."""
        return self.matching >= ENOUGH_BITS


class Watermark:
    """Writes and reads one payload."""

    def __init__(self, payload: int = AFFETTO) -> None:
        """Lay out which cell carries which bit.

        Args:
            payload: 32 bits.
        """
        self.payload = payload
        self.carries, self.shifts = _layout()
        bits = np.array([payload >> place & 1 for place in range(NUM_BITS)], np.float32)
        self.places = self.shifts + bits[self.carries] * (STEP / 2)  # (N, N, C)

    def marked(self, frame: Picture) -> Picture:
        """The frame with the mark, (H, W, 3) uint8 RGB; the same frame gives the same bytes."""
        height, width, _ = frame.shape
        roomy = np.clip(frame, HEADROOM, 255 - HEADROOM)
        away = _wrapped(self.places - _cells(roomy) @ TO_DIFFERENCES.T)
        slack = SLACK if min(height, width) >= SMALL_PX else SMALL_SLACK
        moves = np.sign(away) * np.maximum(np.abs(away) - slack, 0)
        colours = moves @ FROM_DIFFERENCES.T  # (N, N, 3)
        shift = np.clip(np.rint(colours) + 128, 0, 255).astype(np.uint8)
        wide = cv2.resize(shift, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.addWeighted(roomy, 1.0, wide, 1.0, -128.0), np.uint8)

    def read(self, frames: Iterable[Picture]) -> MarkFound:
        """The bits in these frames, all voting.

        Args:
            frames: (H, W, 3) uint8 RGB, of any size.
        """
        readings, count = self.readings(frames)
        bits = min(readings, key=lambda one: (one ^ self.payload).bit_count())
        return MarkFound(bits, NUM_BITS - (bits ^ self.payload).bit_count(), count)

    def readings(self, frames: Iterable[Picture]) -> tuple[list[int], int]:
        """The bits by each of `COLOURS`, and how many frames there were.

        Films that lost the note of their colour matrix on the way are shown in slightly wrong
        colours; the bits are read in the colours as they are, and in both ways of righting them.
        """
        votes = np.zeros((len(COLOURS), NUM_BITS))
        count = 0
        for frame in frames:
            cells = _cells(frame)
            for row, colours in zip(votes, COLOURS, strict=True):
                phase = np.cos((cells @ colours.T - self.shifts) * (2 * np.pi / STEP))
                row += np.bincount(self.carries.ravel(), phase.ravel(), NUM_BITS)
            count += 1
        powers = 1 << np.arange(NUM_BITS, dtype=np.int64)
        return [int(powers @ (row < 0)) for row in votes], count


def _cells(frame: Picture) -> Floats:
    """(N, N, 3): mean colours of the cells."""
    small = cv2.resize(frame, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def _wrapped(away: Floats) -> Floats:
    """The shortest way on a lattice of `STEP`."""
    return np.asarray((away + STEP / 2) % STEP - STEP / 2, np.float32)


def _layout() -> tuple[NDArray[np.intp], Floats]:
    """Which bit each cell and colour carries, and where its lattice begins; both (N, N, C).

    Drawn once for all from a hash: numpy's own random numbers may differ between its versions. The
    beginnings differ so that a picture of one colour says nothing.
    """
    count = CELLS * CELLS * 2
    drawn = np.frombuffer(hashlib.shake_256(b"Affetto mark 1").digest(8 * count), "<u4")
    order = np.argsort(drawn[:count], kind="stable") % NUM_BITS
    shifts = drawn[count:] * (STEP / 2**32)
    shape = (CELLS, CELLS, 2)
    return order.reshape(shape), shifts.astype(np.float32).reshape(shape)
