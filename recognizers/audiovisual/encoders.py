"""The encoders of HiCMAE: one a modality, and the fusion of both.

After arXiv 2401.05698. Letters: B items, N video and M sound tokens (visible ones only where a mask
is given), C width.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.recognizers.audiovisual.blocks import Block, CrossBlock, ramp
from affetto.recognizers.audiovisual.config import NORM_EPS, TUBELET, HicmaeConfig
from affetto.recognizers.audiovisual.masking import visible


class Encoder(nn.Module):
    """Pixels or mel bands to tokens, then blocks; what each block gives, behind one shared norm."""

    def __init__(
        self, tokens: nn.Conv2d | nn.Conv3d, *, num_tokens: int, config: HicmaeConfig
    ) -> None:
        """`tokens` cuts the input into N pieces and gives each its C values."""
        super().__init__()
        width = tokens.out_channels
        self.tokens = tokens
        self.blocks = nn.ModuleList(
            Block(width, drop_path=share) for share in ramp(config.depth, config.drop_path)
        )
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.register_buffer("positions", sinusoids(num_tokens, width), persistent=False)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        """Outputs of all blocks, each (B, N, C).

        Args:
            inputs: (B, channels, frames, height, width) or (B, channels, mel frames, bands),
                standardised.
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
    """Of frames (B, video_channels, num_frames, side, side), in tubelets of two frames."""
    kernel = (TUBELET, config.video_patch, config.video_patch)
    return Encoder(
        nn.Conv3d(config.video_channels, config.width, kernel, stride=kernel),
        num_tokens=math.prod(config.video_grid),
        config=config,
    )


def sound_encoder(config: HicmaeConfig) -> Encoder:
    """Of mel pictures (B, sound_channels, num_mel_frames, num_bands)."""
    kernel = config.sound_patch
    return Encoder(
        nn.Conv2d(config.sound_channels, config.width, kernel, stride=kernel),
        num_tokens=math.prod(config.sound_grid),
        config=config,
    )


class Fusion(nn.Module):
    """Each modality looks at the other; in a block both see what the block before gave."""

    def __init__(self, config: HicmaeConfig) -> None:
        super().__init__()
        width, shares = config.width, ramp(config.fusion_depth, config.drop_path)
        self.video_blocks = nn.ModuleList(CrossBlock(width, drop_path=share) for share in shares)
        self.sound_blocks = nn.ModuleList(CrossBlock(width, drop_path=share) for share in shares)
        self.video_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.sound_norm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(
        self, video: Tensor, sound: Tensor, there: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, N, C) and (B, M, C) -> the same shapes.

        `there` (B, 2) says which item has a video, which a sound; nobody looks at what is missing.
        """
        seen, heard = (None, None) if there is None else there.float()[:, :, None, None].unbind(1)
        for see, hear in zip(self.video_blocks, self.sound_blocks, strict=True):
            video, sound = see(video, sound, heard), hear(sound, video, seen)
        return self.video_norm(video), self.sound_norm(sound)


def sinusoids(num_tokens: int, width: int) -> Tensor:
    """Fixed positions (N, C): sines in even columns, cosines in odd ones, periods up to 10000."""
    steps = torch.arange(num_tokens, dtype=torch.float64)[:, None]
    pairs = torch.arange(width, dtype=torch.float64) // 2
    angles = steps / 10000 ** (2 * pairs / width)  # (N, C)
    even = torch.arange(width) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).float()
