"""The encoders of HiCMAE: one a modality, and the fusion of both.

After arXiv 2401.05698. Letters: B items, N video and M sound tokens (visible ones only where a mask
is given), C width.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.recognizers.audiovisual.blocks import Block, CrossBlock
from affetto.recognizers.audiovisual.config import NORM_EPS, PATCH, TUBELET, HicmaeConfig
from affetto.recognizers.audiovisual.masking import visible


class Encoder(nn.Module):
    """Pixels or mel bands to tokens, then blocks; what each block gives, behind one shared norm."""

    def __init__(self, tokens: nn.Conv2d | nn.Conv3d, *, num_tokens: int, depth: int) -> None:
        """`tokens` cuts the input into N pieces and gives each its C values."""
        super().__init__()
        width = tokens.out_channels
        self.tokens = tokens
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.register_buffer("positions", sinusoids(num_tokens, width), persistent=False)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Outputs of all blocks, each (B, N, C).

        Args:
            inputs: (B, 3, frames, height, width) or (B, 1, mel frames, bands), standardised.
            mask: (B, N) bool, True where hidden: blocks see the other tokens only.
        """
        tokens = rearrange(self.tokens(inputs), "b c ... -> b (...) c")
        tokens = tokens + self.get_buffer("positions")
        if mask is not None:
            tokens = visible(tokens, mask)
        layers = []
        for block in self.blocks:
            tokens = block(tokens)
            layers.append(self.norm(tokens))
        return layers


def video_encoder(config: HicmaeConfig) -> Encoder:
    """Of frames (B, 3, num_frames, side, side), in tubelets of two frames."""
    kernel = (TUBELET, PATCH, PATCH)
    return Encoder(
        nn.Conv3d(3, config.width, kernel, stride=kernel),
        num_tokens=math.prod(config.video_grid),
        depth=config.depth,
    )


def sound_encoder(config: HicmaeConfig) -> Encoder:
    """Of mel pictures (B, 1, num_mel_frames, num_bands)."""
    return Encoder(
        nn.Conv2d(1, config.width, PATCH, stride=PATCH),
        num_tokens=math.prod(config.sound_grid),
        depth=config.depth,
    )


class Fusion(nn.Module):
    """Each modality looks at the other; in a block both see what the block before gave."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.video_blocks = nn.ModuleList(CrossBlock(width) for _ in range(depth))
        self.sound_blocks = nn.ModuleList(CrossBlock(width) for _ in range(depth))
        self.video_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.sound_norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, video: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, C) and (B, M, C) -> the same shapes."""
        for see, hear in zip(self.video_blocks, self.sound_blocks, strict=True):
            video, sound = see(video, sound), hear(sound, video)
        return self.video_norm(video), self.sound_norm(sound)


def sinusoids(num_tokens: int, width: int) -> Tensor:
    """Fixed positions (N, C): sines in even columns, cosines in odd ones, periods up to 10000."""
    steps = torch.arange(num_tokens, dtype=torch.float64)[:, None]
    pairs = torch.arange(width, dtype=torch.float64) // 2
    angles = steps / 10000 ** (2 * pairs / width)  # (N, C)
    even = torch.arange(width) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).float()
