"""The portraits that results are reported on, and those that may be tuned on; see protocols/portrait_photos.json."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from affetto.clip import Picture

PROTOCOL = Path(__file__).parent / "protocols" / "portrait_photos.json"


@dataclass(frozen=True)
class Photo:
    """One portrait.

    Attributes:
        name: of the file, or "api_<photo>_<face>".
        picture: (H, W, 3) uint8 RGB.
        smiling: by eye, of the photo itself.
    """

    name: str
    picture: Picture
    smiling: bool = False


def reporting_portraits(data: Path, package: Path | None) -> list[Photo]:
    """All of the protocol.

    Args:
        data: the folder that holds portraits/.
        package: the unpacked npm package; None leaves its photos out.
    """
    protocol = json.loads(PROTOCOL.read_text())
    found = [
        Photo(name, read(data / "portraits" / f"{name}.jpg")) for name in protocol["portraits"]
    ]
    for photo in protocol["photos"] if package is not None else ():
        assert package is not None
        picture = read(package / photo["file"])
        left, top, side = photo["left"], photo["top"], photo["side"]
        square = np.ascontiguousarray(picture[top : top + side, left : left + side])
        found.append(Photo(photo["name"], square, photo["smiling"]))
    return found


def tuning_portraits(data: Path) -> list[Photo]:
    """Those of data/portraits that settings may be chosen on."""
    names = [name for name in json.loads(PROTOCOL.read_text())["tuning"] if "(" not in name]
    return [Photo(name, read(data / "portraits" / f"{name}.jpg")) for name in names]


def read(path: Path) -> Picture:
    """(H, W, 3) uint8 RGB."""
    content = cv2.imread(str(path))
    if content is None:
        raise SystemExit(f"{path} is not there or no picture")
    return np.asarray(cv2.cvtColor(content, cv2.COLOR_BGR2RGB))
