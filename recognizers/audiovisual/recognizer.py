"""The audio-visual recognizer: a face and the voice that belongs to it, 2.56 s at a time.

HiCMAE (Sun et al. 2024, arXiv 2401.05698) over what the shipped nets for faces and voices make of a
window, see `affetto.recognizers.audiovisual.states`. Letters: B windows, S pixels of a crop's side.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.clip import Picture
from affetto.errors import BadInput
from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.states import (
    NUM_FRAMES,
    WINDOW,
    face_states,
    filled,
    voice_states,
)
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import crop_face
from affetto.recognizers.face.recognizer import FaceRecognizer, load_face
from affetto.recognizers.face.timeline import FACE_SIDE
from affetto.recognizers.reading import Reading, Recognizer
from affetto.recognizers.speech.pooling import pool
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech, sound_level
from affetto.weights import fill, load_weights

NUM_LABELS = 8


class StateScale(nn.Module):
    """Brings each channel of faces' and voices' states to mean 0 and deviation 1 over training."""

    def __init__(self, config: HicmaeConfig) -> None:
        super().__init__()
        for name, width in (("face", config.video_channels), ("voice", config.sound_channels)):
            self.register_buffer(f"{name}_mean", torch.zeros(width))
            self.register_buffer(f"{name}_spread", torch.ones(width))

    def forward(self, faces: Tensor, voices: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, F, 6, 6) and (B, C, F, 1), the same shapes."""
        return self._scaled("face", faces), self._scaled("voice", voices)

    def _scaled(self, name: str, states: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (states.ndim - 2))
        mean, spread = self.get_buffer(f"{name}_mean"), self.get_buffer(f"{name}_spread")
        return (states - mean.reshape(shape)) / spread.reshape(shape)


class AudioVisualRecognizer(Recognizer):
    """The emotion that a talking face expresses, in RAVDESS's eight words.

    Attributes:
        network: HiCMAE's.
        face: the shipped net for faces; frozen, no part of the weights.
        speech: likewise for voices.
    """

    modality = "audiovisual"
    taxonomy = "ravdess8"

    def __init__(
        self, config: HicmaeConfig, *, face: FaceRecognizer, speech: SpeechRecognizer
    ) -> None:
        """An untrained one; `load_audiovisual` gives the trained."""
        super().__init__()
        self.network = Hicmae(config, num_outputs=NUM_LABELS)
        self.scale = StateScale(config)
        self.register_buffer("sharpness", torch.ones(()))
        # Kept out of the registered modules: the state dict holds what we trained, nothing else.
        self.__dict__["face"], self.__dict__["speech"] = face, speech

    def read(  # type: ignore[override]
        self, inputs: Tensor, mask: Tensor | None = None, *, wav: Tensor
    ) -> Reading:
        """Judge windows; gradients flow to pixels and samples.

        Args:
            inputs: (B, 16, S, S) grey faces in [0, 1], 6.25 a second, cut as
                `affetto.recognizers.face.detector` cuts; any S >= 8.
            mask: (B, 2) bool: in which window there is a face, in which a voice; both if not given.
            wav: (B, 1 to 40960) sound of the window at 16 kHz; shorter sounds again to its end.

        Raises:
            BadInput: other shapes, or a window with neither.
        """
        if inputs.ndim != 4 or inputs.shape[1] != NUM_FRAMES or min(inputs.shape[2:]) < 8:
            raise BadInput(
                f"a window has {NUM_FRAMES} grey faces (B, {NUM_FRAMES}, S, S) with S >= 8, "
                f"got {tuple(inputs.shape)}"
            )
        if wav.ndim != 2 or len(wav) != len(inputs) or not 1 <= wav.shape[1] <= WINDOW:
            raise BadInput(
                f"sound must be ({len(inputs)}, 1 to {WINDOW}) samples, got {tuple(wav.shape)}"
            )
        if mask is not None and (mask.shape != (len(inputs), 2) or not bool(mask.any(dim=1).all())):
            raise BadInput("the mask is (B, 2), with a face or a voice in every window")
        voices, presence = self.hear(wav)
        heard = presence if mask is None else torch.where(mask[:, 1], presence, 1.0)
        return self.judge(self.see(inputs), voices, mask, presence=heard)

    def crop(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(48, 48) of a face in a picture, as `read` takes it."""
        return crop_face(picture, face, side=FACE_SIDE)

    def look_and_listen(self, crops: Tensor, wav: Tensor) -> tuple[Reading, Tensor]:
        """The Reading of windows as in `read`, and (B,) in [0, 1] whether there is one voice."""
        voices, presence = self.hear(wav)
        return self.judge(self.see(crops), voices, presence=presence), presence

    def see(self, crops: Tensor) -> Tensor:
        """`face_states` of faces as in `read`."""
        return face_states(crops, self.__dict__["face"])

    def hear(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """`voice_states` of sound as in `read`, and (B,) in [0, 1] whether there is one voice."""
        speech: SpeechRecognizer = self.__dict__["speech"]
        whole = filled(wav)
        lengths = torch.full((len(whole),), WINDOW, device=whole.device)
        states, frames = speech.states(whole)
        presence = speech.presence(pool(states, frames), sound_level(whole, lengths), lengths)
        return voice_states(states), presence

    def judge(
        self,
        faces: Tensor,
        voices: Tensor,
        mask: Tensor | None = None,
        *,
        presence: Tensor | None = None,
    ) -> Reading:
        """The Reading of what `see` and `hear` give and a mask as in `read`."""
        sharp = self.get_buffer("sharpness") * self.logits(faces, voices, mask)
        return self.reading(sharp, presence)

    def logits(self, faces: Tensor, voices: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, 8) before calibration."""
        out: Tensor = self.network(*self.scale(faces, voices), mask)
        return out


def load_audiovisual(
    source: str | Path = "audiovisual",
    *,
    face: FaceRecognizer | None = None,
    speech: SpeechRecognizer | None = None,
) -> AudioVisualRecognizer:
    """The recognizer with weights from a shipped name, a folder or hub:owner/name, in eval mode.

    Args:
        source: see `affetto.weights.load_weights`.
        face: the shipped net for faces where it is loaded already.
        speech: likewise for voices.

    Raises:
        WeightsError: no such weights, or they do not fit.
    """
    weights = load_weights(source)
    recognizer = AudioVisualRecognizer(
        config_of(weights.config), face=face or load_face(), speech=speech or load_speech()
    )
    fill(recognizer, weights)
    recognizer.stamp(weights)
    return recognizer.requires_grad_(False).eval()


def config_of(record: dict[str, object]) -> HicmaeConfig:
    """The config from JSON types, as `config_record` gives them."""
    tuples = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
    return HicmaeConfig(**tuples)  # type: ignore[arg-type]


def config_record(config: HicmaeConfig) -> dict[str, object]:
    """The config as JSON types, for `save_weights`."""
    return asdict(config)
