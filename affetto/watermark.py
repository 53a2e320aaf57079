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
SLACK = 0.5  # how near the place is near enough
HEADROOM = 3  # black and white move this far in, so that there is room on both sides
ENOUGH_BITS = 29  # of 32 that agree: by chance once in 770,000
AFFETTO = int.from_bytes(hashlib.sha256(b"Affetto").digest()[:4])  # what the mark says
# Blue and red difference (ITU-R BT.601, full range) of red, green, blue; and the way back.
TO_DIFFERENCES = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
FROM_DIFFERENCES = np.array([[0.0, 1.402], [-0.344136, -0.714136], [1.772, 0.0]], np.float32)


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
        away = _wrapped(self.places - _differences(roomy))
        moves = np.sign(away) * np.maximum(np.abs(away) - SLACK, 0)
        colours = moves @ FROM_DIFFERENCES.T  # (N, N, 3)
        shift = np.clip(np.rint(colours) + 128, 0, 255).astype(np.uint8)
        wide = cv2.resize(shift, (width, height), interpolation=cv2.INTER_NEAREST)
        return np.asarray(cv2.addWeighted(roomy, 1.0, wide, 1.0, -128.0), np.uint8)

    def read(self, frames: Iterable[Picture]) -> MarkFound:
        """The bits in these frames, all voting.

        Args:
            frames: (H, W, 3) uint8 RGB, of any size.
        """
        votes = np.zeros(NUM_BITS)
        count = 0
        for frame in frames:
            phase = np.cos((_differences(frame) - self.shifts) * (2 * np.pi / STEP))
            votes += np.bincount(self.carries.ravel(), phase.ravel(), NUM_BITS)
            count += 1
        bits = sum(1 << place for place in range(NUM_BITS) if votes[place] < 0)
        return MarkFound(bits, NUM_BITS - (bits ^ self.payload).bit_count(), count)


def _differences(frame: Picture) -> Floats:
    """(N, N, C): mean colour differences of the cells."""
    small = cv2.resize(frame, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(small.astype(np.float32) @ TO_DIFFERENCES.T)


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
