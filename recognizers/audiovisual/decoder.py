"""The decoder of one modality in HiCMAE's pre-training: hidden tokens from visible ones.

After arXiv 2401.05698, hierarchical skip connections: blocks behind the first look at what the
encoder's inner layers gave, deepest first. Letters: B items, V visible and M hidden tokens, N both,
E the encoder's width, C the decoder's, P values of a patch.
"""

import torch
from torch import Tensor, nn

from affetto.recognizers.audiovisual.blocks import Block, CrossBlock
from affetto.recognizers.audiovisual.config import NORM_EPS, HicmaeConfig
from affetto.recognizers.audiovisual.encoders import sinusoids
from affetto.recognizers.audiovisual.masking import visible


class Decoder(nn.Module):
    """Visible tokens and the encoder's inner layers to the values of hidden patches."""

    def __init__(self, config: HicmaeConfig, *, num_tokens: int, num_values: int) -> None:
        super().__init__()
        width = config.decoder_width
        self.narrow = nn.Linear(config.width, width, bias=False)
        self.mask_token = nn.Parameter(torch.empty(1, 1, width))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.blocks = nn.ModuleList(
            [Block(width), *(CrossBlock(width) for _ in config.skip_layers)]
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.head = nn.Linear(width, num_values)
        self.register_buffer("positions", sinusoids(num_tokens, width), persistent=False)

    def forward(self, tokens: Tensor, skips: list[Tensor], mask: Tensor) -> Tensor:
        """(B, M, P) of the hidden patches in their order.

        Args:
            tokens: (B, V, E) from the fusion encoder.
            skips: for each skip layer, ascending, (B, V, E) from this modality's encoder.
            mask: (B, N) bool, True where hidden.
        """
        positions = self.get_buffer("positions").expand(len(mask), -1, -1)  # (B, N, C)
        seen, hidden = visible(positions, mask), visible(positions, ~mask)
        values = torch.cat([self.narrow(tokens) + seen, self.mask_token + hidden], dim=1)
        values = self.blocks[0](values)
        for block, skip in zip(self.blocks[1:], reversed(skips), strict=True):
            values = block(values, self.narrow(skip) + seen)
        out: Tensor = self.head(self.norm(values[:, seen.shape[1] :]))
        return out
