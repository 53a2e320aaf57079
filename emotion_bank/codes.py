"""The Emotion Bank: 64 codes, and attention over them that makes a conditioning vector.

After DICE-Talk (Tan et al. 2025), whose query attends over a bank of 64 learned codes and takes
the answer as condition of its generator. What differs: the codes lie in the shared emotion space
and are learned by a vector quantizer, so each can be read as labels and VAD; and the query is the
whole Gaussian (DICE-Talk's released code has the mean alone). A head takes the codes as a mixture
of Gaussians of its own width, from which the query is a noisy sample: the weights are the posterior
of the codes, and what goes on is the posterior mean of the place, turned, with a learned correction
a code. A sure query passes nearly as it is, an unsure one attends broadly and is drawn to the
codes. Letters: B items, D = 16 embedding dimensions, K codes, H heads, W width of the condition.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from affetto.emotion import LABELS, VAD_AXES
from affetto.emotion_bank.quantizer import QuantizerConfig, VectorQuantizer
from affetto.weights import fill, load_weights

FIRST_PRECISION = 8.0


@dataclass(frozen=True)
class BankConfig:
    """Size of the bank.

    Attributes:
        quantizer: the codes; the fixed ones are the priors of the eleven emotions, in their order.
        width: W of the conditioning vector, a multiple of num_heads.
        num_heads: H.
    """

    quantizer: QuantizerConfig = field(
        default_factory=lambda: QuantizerConfig(num_fixed=len(LABELS))
    )
    width: int = 64
    num_heads: int = 4


@dataclass(frozen=True)
class Condition:
    """What the bank makes of queries.

    Attributes:
        vector: (B, W).
        weights: (B, H, K) attention, rows sum to 1.
    """

    vector: Tensor
    weights: Tensor


class EmotionBank(nn.Module):
    """Codes, attention over them, and a linear reading of the condition back to labels and VAD."""

    def __init__(self, config: BankConfig) -> None:
        super().__init__()
        self.config = config
        size, heads = config.quantizer, config.num_heads
        self.quantizer = VectorQuantizer(size)
        self.log_precision = nn.Parameter(
            torch.full((heads, size.width), FIRST_PRECISION).log()
        )  # (H, D)
        self.turns = nn.Parameter(torch.empty(heads, size.width, config.width // heads))
        for turn in self.turns:
            nn.init.orthogonal_(turn)
        self.corrections = nn.Parameter(torch.zeros(heads, size.num_codes, config.width // heads))
        self.readout = nn.Linear(config.width, len(LABELS) + len(VAD_AXES))

    def forward(self, mean: Tensor, log_var: Tensor) -> Condition:
        """Attend over the codes; gradients reach both arguments, not the codes.

        Args:
            mean: (B, D) of embeddings.
            log_var: (B, D).
        """
        codes = self.quantizer.get_buffer("codes")  # (K, D)
        precision = self.log_precision.exp()  # (H, D) of the codes
        doubt = 1.0 + precision * log_var.exp()[:, None]  # (B, H, D)
        squares = (mean[:, None] - codes) ** 2  # (B, K, D)
        scores = -0.5 * einsum(precision / doubt, squares, "b h d, b k d -> b h k")
        weights = scores.softmax(dim=-1)
        centre = einsum(weights, codes, "b h k, k d -> b h d")
        place = centre + (mean[:, None] - centre) / doubt
        heads = einsum(place, self.turns, "b h d, h d w -> b h w") + einsum(
            weights, self.corrections, "b h k, h k w -> b h w"
        )
        vector = rearrange(heads, "b h w -> b (h w)")
        return Condition(vector, weights)

    def read(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Label logits (B, 11) and VAD (B, 3) that a condition (B, W) carries."""
        logits, vad = self.readout(vector).split((len(LABELS), len(VAD_AXES)), dim=-1)
        return logits, vad


def load_bank(source: str | Path = "bank") -> EmotionBank:
    """The shipped bank or another set of weights, in eval mode, frozen.

    Raises:
        WeightsError: unknown, damaged or of another network.
    """
    weights = load_weights(source)
    sizes = dict(weights.config)
    bank = EmotionBank(BankConfig(quantizer=QuantizerConfig(**sizes.pop("quantizer")), **sizes))
    fill(bank, weights)
    return bank.eval().requires_grad_(False)
