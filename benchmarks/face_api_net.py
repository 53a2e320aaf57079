"""The second judge of faces: the expression net of the npm package @vladmandic/face-api, in torch.

Read from the package's own files (`npm pack @vladmandic/face-api@1.7.15`, unpacked; MIT; its
training data is not documented). For reporting only: no loss, no recipe and no product code may
use it. Source: the package's src/faceExpressionNet and src/faceFeatureExtractor.
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affetto.clip import Picture
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import upright_square, warped

LABELS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
SIDE = 112
MEAN_RGB = (122.782, 117.001, 104.298)
WIDTHS = (32, 64, 128, 256)
FRAME_SIDE, FRAME_SHIFT = 1.23, -0.10  # 1.05 FER frames: best on FER+ validation faces


class FaceApiNet(nn.Module):
    """Faces (B, 3, 112, 112) in [0, 255] -> probabilities (B, 7) of `LABELS`."""

    def __init__(self, package: Path) -> None:
        """Read the weights from the unpacked package.

        Args:
            package: its folder, the one that holds model/.
        """
        super().__init__()
        self.values = {name: value for name, value in _read(package / "model")}
        self.mean = torch.tensor(MEAN_RGB)[:, None, None]

    def forward(self, faces: Tensor) -> Tensor:
        """Judge."""
        values = (faces - self.mean) / 255
        for block in range(len(WIDTHS)):
            values = self._block(values, f"dense{block}", first=not block)
        features = values.mean(dim=(2, 3))
        logits = features @ self.values["fc/weights"] + self.values["fc/bias"]
        return logits.softmax(dim=1)

    def _block(self, values: Tensor, name: str, *, first: bool) -> Tensor:
        if first:
            filters = self.values[f"{name}/conv0/filters"].permute(3, 2, 0, 1)
            start = functional.conv2d(functional.pad(values, (0, 1, 0, 1)), filters, stride=2)
            start = start + self.values[f"{name}/conv0/bias"][:, None, None]
        else:
            start = self._separable(values, f"{name}/conv0", stride=2)
        start = total = functional.relu(start)
        for number in (1, 2, 3):
            inner = functional.relu(total) if number > 1 else start
            total = total + self._separable(inner, f"{name}/conv{number}", stride=1)
        return functional.relu(total)

    def _separable(self, values: Tensor, name: str, *, stride: int) -> Tensor:
        depth = self.values[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
        point = self.values[f"{name}/pointwise_filter"].permute(3, 2, 0, 1)
        pad = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        values = functional.conv2d(
            functional.pad(values, pad), depth, stride=stride, groups=values.shape[1]
        )
        return functional.conv2d(values, point) + self.values[f"{name}/bias"][:, None, None]

    def both(self, faces: Tensor) -> Tensor:
        """As `forward`, mean over the face and its mirror image."""
        with torch.no_grad():
            mean: Tensor = (self(faces) + self(faces.flip(3))) / 2
            return mean

    def read(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(7,) probabilities of one face in a picture."""
        crop = torch.from_numpy(crop_colour(picture, face)).float().permute(2, 0, 1)
        return self.both(crop[None])[0].numpy()


def crop_colour(picture: Picture, face: FaceBox, *, side: int = SIDE) -> Picture:
    """(side, side, 3) the face upright, framed as the face recognizers frame it."""
    cos, sin = np.cos(face.roll), np.sin(face.roll)
    down = np.asarray([-sin, cos]) * FRAME_SHIFT * face.side
    middle = (face.centre + down).astype(np.float32)
    return warped(picture, upright_square(middle, FRAME_SIDE * face.side, face.roll, side), side)


def _read(folder: Path) -> list[tuple[str, Tensor]]:
    manifest = json.loads((folder / "face_expression_model-weights_manifest.json").read_text())
    content = (folder / "face_expression_model.bin").read_bytes()
    found, place = [], 0
    for weight in manifest[0]["weights"]:
        count = int(np.prod(weight["shape"]))
        packed = weight.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else "<f4")
        raw = np.frombuffer(content, kind, count, place).astype(np.float32)
        place += count * kind.itemsize
        if packed:
            raw = raw * np.float32(packed["scale"]) + np.float32(packed["min"])
        found.append((weight["name"], torch.from_numpy(raw.reshape(weight["shape"]))))
    if place != len(content):
        raise ValueError(f"{folder}: {len(content)} bytes of weights, the manifest tells {place}")
    return found
