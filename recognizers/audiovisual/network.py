"""HiCMAE as a classifier or regressor of clips: both encoders, their fusion, hierarchical features.

Source: Sun et al., HiCMAE, arXiv 2401.05698. Letters: B items, C width, L layers, N outputs.
"""

import torch
from torch import Tensor, nn

from affetto.recognizers.audiovisual.blocks import start
from affetto.recognizers.audiovisual.config import NORM_EPS, HicmaeConfig
from affetto.recognizers.audiovisual.encoders import Fusion, sound_encoder, video_encoder


class Hicmae(nn.Module):
    """Frames and mel picture of a clip to N outputs.

    Example:
        >>> tiny = HicmaeConfig(width=64, decoder_width=64, depth=2, skip_layers=(1,),
        ...                     num_frames=4, side=32, num_mel_frames=32, num_bands=32)
        >>> network = Hicmae(tiny, num_outputs=6).eval()
        >>> network(torch.zeros(1, 3, 4, 32, 32), torch.zeros(1, 1, 32, 32)).shape
        torch.Size([1, 6])
    """

    def __init__(self, config: HicmaeConfig, *, num_outputs: int) -> None:
        super().__init__()
        self.config = config
        self.video = video_encoder(config)
        self.sound = sound_encoder(config)
        self.fusion = Fusion(config)
        self.video_layers = nn.Parameter(torch.full((config.depth,), 1 / config.depth))
        self.sound_layers = nn.Parameter(torch.full((config.depth,), 1 / config.depth))
        self.norm = nn.LayerNorm(4 * config.width, eps=NORM_EPS)
        self.head = nn.Linear(4 * config.width, num_outputs)
        self.apply(start)

    def features(self, frames: Tensor, mel: Tensor, there: Tensor | None = None) -> Tensor:
        """(B, 4C): what was seen and heard at all depths, and both again after they met.

        Differs from the paper: a modality may be missing. Its parts are zeros then, and the other
        one does not look at it.

        Args:
            frames: (B, 3, num_frames, side, side) of RGB, less ImageNet's mean, by its deviation.
            mel: (B, 1, num_mel_frames, num_bands), log-mel standardised as in training.
            there: (B, 2) bool: which item has a video, which a sound; all have both if not given.
        """
        video, sound = self.video(frames), self.sound(mel)
        seen, heard = self.fusion(video[-1], sound[-1], there)
        parts = torch.stack(
            [
                weighted(video, self.video_layers),
                weighted(sound, self.sound_layers),
                seen.mean(dim=1),
                heard.mean(dim=1),
            ],
            dim=1,
        )  # (B, 4, C)
        if there is not None:
            parts = parts * there.repeat(1, 2)[..., None]
        return parts.flatten(1)

    def forward(self, frames: Tensor, mel: Tensor, there: Tensor | None = None) -> Tensor:
        """(B, N) logits or values; arguments as of `features`."""
        out: Tensor = self.head(self.norm(self.features(frames, mel, there)))
        return out


def weighted(layers: list[Tensor], weights: Tensor) -> Tensor:
    """L layers (B, tokens, C), meant over tokens, summed by the softmax of (L,) -> (B, C)."""
    means = torch.stack([layer.mean(dim=1) for layer in layers])  # (L, B, C)
    return torch.einsum("l,lbc->bc", weights.softmax(dim=0), means)
