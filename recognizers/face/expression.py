"""What both expression nets share: how a face is brought to size, how scores become a Reading.

FER+ faces have 48 pixels, so every face is first made as coarse as those. The answer is the mean
over the face and its mirror image; then label frequencies of the training part are partly taken
out again (logit adjustment, Menon et al. 2021) and a temperature makes the probabilities honest
(Guo et al. 2017). Letters: B faces.
"""

from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.reading import Reading, Recognizer
from affetto.weights import fill, load_weights

COARSE_SIDE = 48  # of the pictures learned from
SMALLEST_SPREAD = 1e-3


class ExpressionNetwork(Protocol):
    """Layers from standardised faces (B, 1, S, S) to logits (B, 8); S is `input_side`."""

    input_side: int

    def __call__(self, faces: Tensor) -> Tensor: ...  # noqa: D102


class ExpressionRecognizer(Recognizer):
    """Faces -> Reading, labels of FER+."""

    modality = "face"
    taxonomy = "ferplus8"

    def __init__(self, network: nn.Module) -> None:
        """Around untrained layers, see `ExpressionNetwork`."""
        super().__init__()
        self.network = network
        # Set after training, by the validation part.
        self.register_buffer("shift", torch.zeros(len(self.labels)))
        self.register_buffer("sharpness", torch.ones(()))

    def read(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """Judge faces; gradients flow to the pixels.

        Args:
            inputs: (B, 1, S, S) grey in [0, 1], upright, cut as `affetto.recognizers.face.detector`
                cuts; any S >= 8.
            mask: not used: a face is there or it is not.

        Raises:
            ValueError: another shape.
        """
        if inputs.ndim != 4 or inputs.shape[1] != 1 or min(inputs.shape[2:]) < 8:
            raise ValueError(f"faces must be (B, 1, S, S) with S >= 8, got {tuple(inputs.shape)}")
        scores = self.scores(inputs)
        shift, sharpness = self.get_buffer("shift"), self.get_buffer("sharpness")
        return self.reading(sharpness * (scores + shift))

    def scores(self, inputs: Tensor) -> Tensor:
        """(B, 8) log probabilities before calibration, mean over the face and its mirror image."""
        network = cast(ExpressionNetwork, self.network)
        faces = standardised(inputs, network.input_side)
        both = torch.cat([faces, faces.flip(3)])
        first, second = network(both).log_softmax(dim=-1).chunk(2)
        return ((first + second) / 2).log_softmax(dim=-1)


def standardised(faces: Tensor, side: int) -> Tensor:
    """(B, 1, S, S) -> (B, 1, side, side), coarse as FER+, each of mean 0 and deviation 1."""
    if faces.shape[-2:] != (COARSE_SIDE, COARSE_SIDE):
        faces = functional.interpolate(
            faces, size=(COARSE_SIDE, COARSE_SIDE), mode="bilinear", antialias=True
        )
    if side != COARSE_SIDE:
        faces = functional.interpolate(faces, size=(side, side), mode="bilinear")
    centred = faces - faces.mean(dim=(1, 2, 3), keepdim=True)
    return centred / (centred.std(dim=(1, 2, 3), keepdim=True) + SMALLEST_SPREAD)


def filled(recognizer: ExpressionRecognizer, source: str) -> ExpressionRecognizer:
    """The recognizer with weights from `source` (see `affetto.weights`), frozen, in eval mode."""
    weights = load_weights(source)
    fill(recognizer, weights)
    recognizer.stamp(weights)
    return recognizer.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
