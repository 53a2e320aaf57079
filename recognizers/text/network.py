"""From MiniLM's token states to label logits and two readings of valence, arousal, dominance.

The upper layers of MiniLM are tuned (one set of weights of ours holds them), then three means over
the tokens are read: of the embeddings, of the states that enter the upper layers, and of those
that leave them. Two hidden layers lead to three heads. `rated` is what readers of a text rate, on
EmoBank's scale (Buechel and Hahn 2017), where everyday sentences lie close together. `asked` is
what a person wants who writes such words as a request, and spans [-1, 1]. Both have a variance an
axis, learned by the Gaussian likelihood (Nix and Weigend 1994). Letters: B texts, L tokens.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from affetto.emotion import LABELS, VAD_AXES
from affetto.recognizers.text.encoder import NUM_LAYERS, WIDTH, EncoderLayer

LOG_VAR_RANGE = (-7.0, 1.0)


@dataclass(frozen=True)
class TextConfig:
    """Sizes; all that is needed to build the network."""

    num_tuned: int = 2
    hidden: int = 256
    dropout: float = 0.2
    phrase_dropout: float = 0.5
    layer_dropout: float = 0.1

    @property
    def num_lower(self) -> int:
        """How many of MiniLM's layers stay as they are."""
        return NUM_LAYERS - self.num_tuned


@dataclass(frozen=True)
class TextOutput:
    """What the heads say.

    Attributes:
        logits: (B, 11) over LABELS.
        rated: (B, 3) valence, arousal, dominance as readers rate.
        rated_var: (B, 3).
        asked: (B, 3) the same as a request.
        asked_var: (B, 3).
    """

    logits: Tensor
    rated: Tensor
    rated_var: Tensor
    asked: Tensor
    asked_var: Tensor


class TextNetwork(nn.Module):
    """The tuned layers and the heads."""

    rated_centre: Tensor
    var_scale: Tensor
    temperature: Tensor

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(dropout=config.layer_dropout) for _ in range(config.num_tuned)
        )
        axes = len(VAD_AXES)
        self.rated_head = _head(config.hidden, 2 * axes, config.dropout)
        self.asked_head = _head(config.hidden, len(LABELS) + 2 * axes, config.phrase_dropout)
        # Set from data: the mean rating, the factors that make intervals cover, the softness.
        self.register_buffer("rated_centre", torch.zeros(3))
        self.register_buffer("var_scale", torch.ones(2, 3))
        self.register_buffer("temperature", torch.ones(1))

    def forward(self, embeddings: Tensor, states: Tensor, mask: Tensor) -> TextOutput:
        """Judge texts.

        Args:
            embeddings: (B, L, 384) of the words.
            states: (B, L, 384) after the layers that are not tuned.
            mask: (B, L) bool, True where there is a token; at least one a row.
        """
        return self.judge(self.pool(embeddings, states, mask))

    def pool(self, embeddings: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """The three means over the tokens, normalised, side by side: (B, 1152)."""
        upper = states
        for layer in self.layers:
            upper = layer(upper, mask)
        share = (mask / mask.sum(dim=1, keepdim=True))[..., None]  # (B, L, 1)
        pooled = [(values * share).sum(dim=1) for values in (embeddings, states, upper)]
        return torch.cat([functional.layer_norm(v.float(), (WIDTH,)) for v in pooled], dim=-1)

    def judge(self, pooled: Tensor) -> TextOutput:
        """What the heads say of pooled texts (B, 1152)."""
        axes = len(VAD_AXES)
        rated, rated_log_var = self.rated_head(pooled).split([axes, axes], dim=-1)
        logits, asked, asked_log_var = self.asked_head(pooled).split(
            [len(LABELS), axes, axes], dim=-1
        )
        low, high = LOG_VAR_RANGE
        return TextOutput(
            logits=logits / self.temperature,
            rated=(self.rated_centre + rated).clamp(-1.0, 1.0),
            rated_var=rated_log_var.clamp(low, high).exp() * self.var_scale[0],
            asked=torch.tanh(asked),
            asked_var=asked_log_var.clamp(low, high).exp() * self.var_scale[1],
        )


def _head(hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(3 * WIDTH, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )
