"""Is it still the same person? Distance of face descriptors, by a net used nowhere else.

dlib's 128-number descriptor (King 2017; ResNet trained on about 3 million faces) after alignment
by its own five points. A distance means something only beside others: the photo against itself
re-encoded and slightly warped (what measuring alone costs), and against other people (impostors).
Needs the packages dlib-bin and face_recognition_models (extra `score`).
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.recognizers.face.blaze import FaceBox

Descriptor = NDArray[np.float64]

PACKAGE = "face_recognition_models"
POINTS_FILE = "shape_predictor_5_face_landmarks.dat"
NET_FILE = "dlib_face_recognition_resnet_model_v1.dat"
PADDING = 0.25
SAME_PERSON = 0.6  # dlib's own limit for one person on different photos
JPEG_QUALITY = 60
TURNS_DEG, SCALES, SHEARS = (-4.0, 4.0), (0.9, 1.1), (-0.04, 0.04)


class Identifier:
    """dlib's nets, loaded once."""

    def __init__(self) -> None:
        """Load them.

        Raises:
            BadInput: a package is missing.
        """
        try:
            import dlib
        except ImportError as error:
            raise BadInput("identity distance needs dlib: pip install 'affetto[score]'") from error
        folder = _models()
        self.rectangle: Any = dlib.rectangle
        self.points: Any = dlib.shape_predictor(str(folder / POINTS_FILE))
        self.net: Any = dlib.face_recognition_model_v1(str(folder / NET_FILE))
        self.cut: Any = dlib.get_face_chip

    def describe(self, picture: Picture, face: FaceBox) -> Descriptor:
        """(128,) of one face in (H, W, 3) uint8 RGB."""
        picture = np.ascontiguousarray(picture)
        box = self.rectangle(*(round(float(edge)) for edge in face.box))
        chip = self.cut(picture, self.points(picture, box), 150, PADDING)
        return np.asarray(self.net.compute_face_descriptor(chip), dtype=np.float64)


def distance(one: Descriptor, other: Descriptor) -> float:
    """Euclidean: 0 the same picture, about 0.6 where dlib begins to see two people."""
    return float(np.linalg.norm(one - other))


def reencoded(picture: Picture) -> Picture:
    """The picture through a JPEG of quality 60."""
    import cv2

    _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    back = cv2.imdecode(content, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(back, dtype=np.uint8)[..., ::-1])


def small_warps(picture: Picture) -> Iterator[Picture]:
    """The picture turned by 4 degrees, stretched by 10 % and sheared by 4 %, both ways each."""
    import cv2

    height, width = picture.shape[:2]
    centre = np.asarray([width / 2, height / 2])
    turns = [cv2.getRotationMatrix2D(centre.tolist(), turn, 1.0)[:, :2] for turn in TURNS_DEG]
    stretches = [np.diag([scale, 1.0]) for scale in SCALES]
    shears = [np.asarray([[1.0, shear], [0.0, 1.0]]) for shear in SHEARS]
    for matrix in (*turns, *stretches, *shears):
        whole = np.concatenate([matrix, (centre - matrix @ centre)[:, None]], axis=1)
        warped = cv2.warpAffine(picture, whole, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(warped, dtype=np.uint8)


def _models() -> Path:
    """Where the package keeps its files; it is not imported, for it wants pkg_resources."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(f"identity distance needs {PACKAGE}: pip install 'affetto[score]'")
    return Path(next(iter(spec.submodule_search_locations))) / "models"
