"""The portraits that results are reported on, and those that may be tuned on; see protocols/portrait_photos.json."""

import argparse
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


@dataclass(frozen=True)
class Packages:
    """Unpacked: npm @vladmandic/face-api 1.7.15, the source archive of PyPI face_recognition 1.3.0."""

    face_api: Path
    face_recognition: Path


def options(about: str | None) -> argparse.ArgumentParser:
    """What all benchmarks on reporting portraits take."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--face-api", type=Path, required=True, help="npm package, unpacked")
    parser.add_argument(
        "--face-recognition", type=Path, required=True, help="PyPI source archive, unpacked"
    )
    return parser


def reporting_portraits(data: Path, packages: Packages) -> list[Photo]:
    """All of the protocol.

    Args:
        data: the folder that holds portraits/.
        packages: where the unpacked packages are.
    """
    protocol = json.loads(PROTOCOL.read_text())
    found = [
        Photo(name, read(data / "portraits" / f"{name}.jpg")) for name in protocol["portraits"]
    ]
    for photo in protocol["photos"]:
        folder = packages.face_recognition if photo["name"][:3] == "fr_" else packages.face_api
        picture = read(folder / photo["file"])
        left, top, side = photo["left"], photo["top"], photo["side"]
        square = np.ascontiguousarray(picture[top : top + side, left : left + side])
        found.append(Photo(photo["name"], square, photo["smiling"]))
    return found


def read(path: Path) -> Picture:
    """(H, W, 3) uint8 RGB."""
    content = cv2.imread(str(path))
    if content is None:
        raise SystemExit(f"{path} is not there or no picture")
    return np.asarray(cv2.cvtColor(content, cv2.COLOR_BGR2RGB))
