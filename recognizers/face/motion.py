"""Emotion of facial motion: ARKit blendshape coefficients over time -> Reading.

Each step goes alone through a small multilayer perceptron, both as it is and mirrored, so that the
two sides of a face count alike; a sequence is the mean of its steps' probabilities. The network has
learned from still faces only (FER+ votes, coefficients by MediaPipe's landmarker): it knows what
faces look like, not how they move. Letters: B items, T steps.

It serves the portrait generator as a loss on motion before any pixel is drawn; to judge, take the
face judge, which works on pixels and was trained on other faces.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from affetto.blendshapes import MIRROR, NUM_BLENDSHAPES
from affetto.recognizers.reading import Reading, Recognizer
from affetto.weights import fill, load_weights

SMALLEST_SPREAD = 0.02  # a coefficient that varied less in training is not looked at


@dataclass(frozen=True)
class MotionConfig:
    """The perceptron's shape."""

    width: int = 384
    num_layers: int = 2
    dropout: float = 0.4


class MotionRecognizer(Recognizer):
    """Reads blendshapes; labels of FER+."""

    modality = "motion"
    taxonomy = "ferplus8"

    def __init__(self, config: MotionConfig | None = None) -> None:
        """An untrained one; `load_motion` gives the trained."""
        super().__init__()
        self.config = config or MotionConfig()
        self.register_buffer("mean", torch.zeros(NUM_BLENDSHAPES))
        self.register_buffer("spread", torch.ones(NUM_BLENDSHAPES))
        # Set after training: temperature and prior, fitted on validation faces.
        self.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("shift", torch.zeros(len(self.labels)))
        self.register_buffer("mirror", torch.tensor(MIRROR), persistent=False)
        layers: list[nn.Module] = []
        width = NUM_BLENDSHAPES
        for _ in range(self.config.num_layers):
            layers += [
                nn.Linear(width, self.config.width),
                nn.SiLU(),
                nn.Dropout(self.config.dropout),
            ]
            width = self.config.width
        self.layers = nn.Sequential(*layers, nn.Linear(width, len(self.labels)))

    def read(self, inputs: Tensor, mask: Tensor | None = None) -> Reading:
        """Judge motion.

        Args:
            inputs: (B, T, 52) coefficients in [0, 1], order of `BLENDSHAPES`; differentiable.
            mask: (B, T) True where a step counts; all if None.

        Returns:
            Of each item: the mean of its steps' probabilities. An item without a step that counts
            gets equal probabilities and confidence 0.

        Raises:
            ValueError: wrong shapes.
        """
        if inputs.ndim != 3 or inputs.shape[-1] != NUM_BLENDSHAPES:
            raise ValueError(f"inputs must be (B, T, {NUM_BLENDSHAPES}), got {inputs.shape}")
        mask = inputs.new_ones(inputs.shape[:2], dtype=torch.bool) if mask is None else mask
        if mask.shape != inputs.shape[:2]:
            raise ValueError(f"mask must be {tuple(inputs.shape[:2])}, got {tuple(mask.shape)}")
        shown = torch.where(mask[..., None], inputs, torch.zeros_like(inputs))
        logits = self.step_logits(shown) * self.get_buffer("sharpness") + self.get_buffer("shift")
        log_probs = logits.log_softmax(dim=-1)  # (B, T, 8)
        log_probs = log_probs.masked_fill(~mask[..., None], -math.inf)
        present = mask.any(dim=1)  # (B,)
        # An item without steps would be all -inf, with NaN gradients: it gets equal logits.
        safe = torch.where(present[:, None, None], log_probs, torch.zeros_like(log_probs))
        pooled = safe.logsumexp(dim=1) - mask.sum(dim=1).clamp(min=1).log()[:, None].to(inputs)
        return self.reading(pooled, presence=present.to(inputs.dtype))

    def step_logits(self, blendshapes: Tensor) -> Tensor:
        """(..., 8) uncalibrated logits of (..., 52) coefficients: mean over the two sides."""
        spread = self.get_buffer("spread")
        seen = (spread >= SMALLEST_SPREAD).to(blendshapes)
        scaled = (blendshapes - self.get_buffer("mean")) / spread.clamp(min=SMALLEST_SPREAD) * seen
        both = torch.stack([scaled, scaled[..., self.get_buffer("mirror")]])
        logits: Tensor = self.layers(both).mean(dim=0)
        return logits

    @property
    def unseen(self) -> tuple[int, ...]:
        """The blendshapes that this net does not look at, as they never varied in training."""
        dead = self.get_buffer("spread") < SMALLEST_SPREAD
        return tuple(int(index) for index in dead.nonzero()[:, 0])


def load_motion(source: str = "face_motion") -> MotionRecognizer:
    """The trained motion head, in eval mode, its parameters frozen.

    Raises:
        WeightsError: as `affetto.weights.load_weights`.
    """
    weights = load_weights(source)
    net = MotionRecognizer(MotionConfig(**weights.config))
    fill(net, weights)
    net.stamp(weights)
    return net.eval().requires_grad_(False)
