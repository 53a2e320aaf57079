"""Face meshes of frames for measuring, by a net that the product does not use, and real clips as controls.

MediaPipe's landmarker (data/small_weights/*.task) sees whether lips touch and lids are shut; the
mesh net of the registry packages does not (shut lips stay 2 to 5 % of the eyes' distance apart).
"""

import io
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.clip import Clip, Picture
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import FaceDetector, unwarped, upright_square, warped
from affetto.recognizers.score_portrait.articulation import Spoken
from affetto.recognizers.score_portrait.lip_shape import RATE_HZ, Talk, log_mels
from affetto.recognizers.score_portrait.lips import measure_lips

Floats = NDArray[np.float32]
TASK = Path("small_weights") / "face_landmarker_v2_with_blendshapes.task"
INNER = "face_landmarks_detector.tflite"
PROTOCOL = Path(__file__).parent / "protocols" / "talking_clips_speech.json"
ROI_SIDE = 1.5  # of the mesh's own extent
SURE = 0.5
LEFT_EYE, RIGHT_EYE = 33, 263


class MeshReader:
    """The landmarker's net with our own tracking."""

    def __init__(self, data: Path) -> None:
        """Read the net out of data/small_weights."""
        from ai_edge_litert.interpreter import Interpreter

        content = zipfile.ZipFile(io.BytesIO((data / TASK).read_bytes())).read(INNER)
        self.net: Any = Interpreter(model_content=content, num_threads=1)
        self.net.allocate_tensors()
        self.input = self.net.get_input_details()[0]
        self.outputs = [detail["index"] for detail in self.net.get_output_details()[:2]]
        self.side = int(self.input["shape"][1])
        self.detector = FaceDetector()

    def read(self, picture: Picture, last: Floats | None = None) -> Floats | None:
        """(478, 3) of the largest face, or of the one where `last` was; None without a face."""
        if last is not None:
            mesh = self._look(picture, *_region(last))
            if mesh is not None:
                return mesh
        faces = self.detector.detect(picture)
        if not faces:
            return None
        first = self._look(picture, faces[0].centre, ROI_SIDE * faces[0].side, faces[0].roll)
        return None if first is None else self._look(picture, *_region(first))

    def track(self, frames: Iterable[Picture]) -> Floats:
        """(T, 478, 3), NaN where no face is found."""
        meshes: list[Floats] = []
        last: Floats | None = None
        for picture in frames:
            last = self.read(picture, last)
            meshes.append(np.full((478, 3), np.nan, np.float32) if last is None else last)
        return np.stack(meshes)

    def _look(self, picture: Picture, centre: Floats, side: float, roll: float) -> Floats | None:
        transform = upright_square(centre, side, roll, self.side)
        view = warped(picture, transform, self.side).astype(np.float32) / 255
        self.net.set_tensor(self.input["index"], view[None])
        self.net.invoke()
        points, logit = (self.net.get_tensor(index) for index in self.outputs)
        if 1 / (1 + np.exp(-float(np.clip(logit.ravel()[0], -50, 50)))) < SURE:
            return None
        points = points.reshape(-1, 3)
        places = unwarped(transform, points[:, :2].astype(np.float32))
        depth = points[:, 2:] * side / self.side
        return np.concatenate([places, depth], axis=1).astype(np.float32)


def box_of(mesh: Floats) -> FaceBox:
    """A face box and six points, as the detector would give them, from a mesh."""
    low, high = mesh[:468, :2].min(axis=0), mesh[:468, :2].max(axis=0)
    points = mesh[[159, 386, 4, 13, 234, 454], :2]
    return FaceBox(np.concatenate([low, high]).astype(np.float32), points, 1.0)


def _region(mesh: Floats) -> tuple[Floats, float, float]:
    across = mesh[RIGHT_EYE, :2] - mesh[LEFT_EYE, :2]
    roll = float(np.arctan2(across[1], across[0]))
    turn = np.asarray([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    upright = mesh[:468, :2] @ turn.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    middle = ((low + high) / 2) @ turn
    return middle.astype(np.float32), ROI_SIDE * float((high - low).max()), roll


@dataclass(frozen=True)
class RealClip:
    """A clip of the protocol: its name, meshes (T, 478, 3), and all that is measured on."""

    name: str
    meshes: Floats
    talk: Talk


def real_clips(data: Path, cache: Path) -> list[RealClip]:
    """The talking clips, sound laid on the lips; meshes are kept in `cache`."""
    cache.mkdir(parents=True, exist_ok=True)
    found = []
    reader = MeshReader(data)
    for entry in json.loads(PROTOCOL.read_text())["clips"]:
        clip = Clip.open(data / "talking_clips" / "clips" / f"{entry['file']}.mp4")
        kept = cache / f"{entry['file']}.npy"
        if not kept.is_file():
            np.save(kept, reader.track(picture for _, picture in clip.frames()))
        meshes = np.load(kept)
        blocks = list(clip.audio_blocks(sample_rate=RATE_HZ, channels=1))
        wav = np.concatenate(blocks, axis=1)[0][round(entry["sound_late_s"] * RATE_HZ) :]
        lips = measure_lips(meshes, fps=float(clip.fps))
        talk = Talk(lips, log_mels(wav), heard(wav), entry["person"])
        found.append(RealClip(entry["file"], meshes, talk))
    return found


def heard(wav: Floats) -> list[Spoken]:
    """Sounds by the phone recognizer of the package hama, from emission to emission."""
    import hama

    model = hama.ASRModel()
    return [
        Spoken(span.phoneme, span.start_ms / 1000, span.end_ms / 1000)
        for span in model.phoneme_spans(model(wav, RATE_HZ))
    ]
