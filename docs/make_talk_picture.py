"""Draw docs/figures/talk.jpg, a talking painting: `python docs/make_talk_picture.py FILM`.

FILM is the talk.mp4 of samples/mona_lisa.jpg and samples/mona_lisa_speaks.flac with --seed 7 and
--emotion "0=neutral; 1.5=happy; 3.5=surprised; 5=sad; 7=angry".
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from affetto.clip import Clip

TIMES_S = (0.3, 1.1, 1.8, 2.6, 3.4, 4.2, 5.2, 6.2, 7.2, 7.9)
ROWS, SIDE = 2, 200
HEAD = (slice(30, 390), slice(80, 440))  # of the 512 pixels


def main() -> None:
    """Two rows of heads."""
    frames = dict(Clip.open(Path(sys.argv[1])).frames())
    shown = [frames[min(frames, key=lambda at: abs(at - time_s))] for time_s in TIMES_S]
    tiles = [cv2.resize(f[HEAD], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for f in shown]
    width = len(tiles) // ROWS
    rows = [np.hstack(tiles[row * width : (row + 1) * width]) for row in range(ROWS)]
    cv2.imwrite(str(Path(__file__).parent / "figures" / "talk.jpg"), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
