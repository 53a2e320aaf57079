"""HiCMAE on pixels and log-mel: who has a public checkpoint judges films with it.

The input is the paper's (arXiv 2401.05698): 16 RGB faces of 160 pixels over 2.56 s and Kaldi's
filter banks. Differs: faces are framed as our detector frames them, not aligned by OpenFace, 6.25 a
second whatever the film's rate; one view of a window, not four averaged. Letters: B windows.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from affetto.clip import Picture
from affetto.errors import BadInput, WeightsError
from affetto.recognizers.audiovisual.config import SIZES
from affetto.recognizers.audiovisual.fbank import hicmae_mel
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import IMAGENET_MEAN, IMAGENET_STD
from affetto.recognizers.audiovisual.published import read_published, take_published
from affetto.recognizers.audiovisual.states import filled
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.detector import face_view
from affetto.recognizers.reading import Reading, Recognizer
from affetto.recognizers.speech.presence import QUIET_DB
from affetto.recognizers.speech.recognizer import sound_level
from affetto.recognizers.taxonomy import NATIVE_LABELS
from affetto.weights import file_sha256

Size = Literal["tiny", "small", "base"]


class HicmaeRecognizer(Recognizer):
    """A fine-tuned HiCMAE; its words are those of the data set it was fine-tuned on."""

    modality = "audiovisual"

    def __init__(self, *, size: Size = "base", taxonomy: str = "cremad6") -> None:
        """An untrained one; `load_hicmae` takes a checkpoint.

        Args:
            size: published sizes.
            taxonomy: whose words its outputs are, in order, of `affetto.recognizers.taxonomy`.
        """
        self.taxonomy = taxonomy
        super().__init__()
        self.network = Hicmae(SIZES[size], num_outputs=len(NATIVE_LABELS[taxonomy]))

    def crop(self, picture: Picture, face: FaceBox) -> NDArray[np.float32]:
        """(160, 160, 3) of a face in a picture, RGB in [0, 1]."""
        view = face_view(picture, face, side=self.network.config.side)
        return np.asarray(view, np.float32) / np.float32(255)

    def read(  # type: ignore[override]
        self, inputs: Tensor, mask: Tensor | None = None, *, wav: Tensor
    ) -> Reading:
        """Judge windows; gradients flow to pixels and samples.

        Args:
            inputs: (B, 16, 160, 160, 3) RGB faces in [0, 1].
            mask: (B, 2) bool: in which window there is a face, in which a voice; both if not given.
            wav: (B, S) 2.56 s at 16 kHz; shorter sounds again to its end.

        Raises:
            BadInput: other shapes.
        """
        config = self.network.config
        wanted = (config.num_frames, config.side, config.side, 3)
        if inputs.shape[1:] != wanted or wav.ndim != 2 or len(wav) != len(inputs):
            raise BadInput(
                f"windows are faces (B, {', '.join(map(str, wanted))}) and sound (B, S), got "
                f"{tuple(inputs.shape)} and {tuple(wav.shape)}"
            )
        mean, spread = (inputs.new_tensor(values) for values in (IMAGENET_MEAN, IMAGENET_STD))
        frames = rearrange((inputs - mean) / spread, "b t h w c -> b c t h w")
        mel = hicmae_mel(filled(wav), config.num_mel_frames)
        return self.reading(self.network(frames, mel, mask))

    def look_and_listen(self, crops: Tensor, wav: Tensor) -> tuple[Reading, Tensor]:
        """The Reading of windows, and (B,) 1 where anything sounds: it cannot tell a voice."""
        level = sound_level(wav, torch.full((len(wav),), wav.shape[1]))
        return self.read(crops, wav=wav), (level > 10.0 ** (QUIET_DB / 20.0)).float()


def load_hicmae(path: Path, *, size: Size = "base", taxonomy: str = "cremad6") -> HicmaeRecognizer:
    """A recognizer with a public fine-tuned checkpoint, frozen, in eval mode.

    Args:
        path: such as checkpoint-best.pth; read as tensors and settings only.
        size: of the checkpoint.
        taxonomy: the data set whose labels it was fine-tuned on, in that order; HiCMAE's six of
            CREMA-D are `cremad6`.

    Raises:
        WeightsError: not such a file, another size, or pre-trained only: then it has no labels.
    """
    recognizer = HicmaeRecognizer(size=size, taxonomy=taxonomy)
    untouched = take_published(recognizer.network, read_published(path))
    if untouched:
        raise WeightsError(
            f"{path} was not fine-tuned to {len(recognizer.labels)} labels of {taxonomy}: it holds "
            f"no {', '.join(untouched[:3])}; fine-tune it, or name its taxonomy"
        )
    recognizer.fingerprint = file_sha256(path)
    return recognizer.requires_grad_(False).eval()
