"""HiCMAE's pre-training: masked reconstruction of both modalities, and contrast at three depths.

Source: Sun et al., HiCMAE, arXiv 2401.05698. Letters: B clips, N tokens, M hidden ones, C width, P
values of a patch.
"""

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.audiovisual.blocks import start
from affetto.recognizers.audiovisual.config import TUBELET, HicmaeConfig
from affetto.recognizers.audiovisual.decoder import Decoder
from affetto.recognizers.audiovisual.encoders import Fusion, sound_encoder, video_encoder

PATCH = 16  # of pixels and of log-mel
CONTRAST_WEIGHT = 0.0025  # of the released script; at 0.1 the paper's ablation collapses
TEMPERATURE = 0.07
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PretrainingLosses:
    """Scalars; `total` is what is minimised."""

    video: Tensor
    sound: Tensor
    contrast: Tensor

    @property
    def total(self) -> Tensor:
        """Both reconstructions, and the contrast by its small weight."""
        return self.video + self.sound + CONTRAST_WEIGHT * self.contrast


class HicmaePretraining(nn.Module):
    """The encoders that `Hicmae` goes on with, and a decoder a modality that it leaves behind."""

    def __init__(self, config: HicmaeConfig) -> None:
        super().__init__()
        self.config = config
        self.video = video_encoder(config)
        self.sound = sound_encoder(config)
        self.fusion = Fusion(config)
        self.video_decoder = Decoder(
            config,
            num_tokens=math.prod(config.video_grid),
            num_values=config.video_values,
        )
        self.sound_decoder = Decoder(
            config, num_tokens=math.prod(config.sound_grid), num_values=config.sound_values
        )
        self.apply(start)

    def forward(
        self, frames: Tensor, mel: Tensor, *, video_mask: Tensor, sound_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden patches (B, M, P) of the video and of the sound, and the contrast, a scalar.

        Args:
            frames: as of `Hicmae.features`.
            mel: as of `Hicmae.features`.
            video_mask: (B, N) bool, True where hidden, as many in every clip.
            sound_mask: the same of the sound's tokens.
        """
        video, sound = self.video(frames, video_mask), self.sound(mel, sound_mask)
        seen, heard = self.fusion(video[-1], sound[-1])
        video_skips = [video[layer] for layer in self.config.skip_layers]
        sound_skips = [sound[layer] for layer in self.config.skip_layers]
        return (
            self.video_decoder(seen, video_skips, video_mask),
            self.sound_decoder(heard, sound_skips, sound_mask),
            hierarchical_contrast(video_skips, sound_skips),
        )

    def losses(
        self,
        frames: Tensor,
        mel: Tensor,
        *,
        video_mask: Tensor,
        sound_mask: Tensor,
        targets: tuple[Tensor, Tensor],
    ) -> PretrainingLosses:
        """What one batch costs; arguments as of `forward`.

        `targets` are patches (B, N, P) of video and sound: `video_targets` and `sound_targets` of
        pixels and log-mel, `patches_of` of anything else.
        """
        video, sound, contrast = self(frames, mel, video_mask=video_mask, sound_mask=sound_mask)
        return PretrainingLosses(
            video=functional.mse_loss(video, hidden_of(targets[0], video_mask)),
            sound=functional.mse_loss(sound, hidden_of(targets[1], sound_mask)),
            contrast=contrast,
        )


def hierarchical_contrast(video: list[Tensor], sound: list[Tensor]) -> Tensor:
    """Sum over layers of the cross-entropy in nats of finding a clip's other half in the batch.

    Args:
        video: a layer each, (B, tokens, C).
        sound: the same layers, (B, tokens, C).
    """
    clips = torch.arange(len(video[0]), device=video[0].device)
    total = video[0].new_zeros(())
    for seen, heard in zip(video, sound, strict=True):
        one = functional.normalize(seen.mean(dim=1), dim=1)
        other = functional.normalize(heard.mean(dim=1), dim=1)
        alike = one @ other.T / TEMPERATURE  # (B, B)
        there, back = (functional.cross_entropy(scores, clips) for scores in (alike, alike.T))
        total = total + 0.5 * (there + back)
    return total


def video_targets(frames: Tensor) -> Tensor:
    """Frames (B, 3, T, H, W), standardised -> (B, N, P): what a tubelet shows and how it changes.

    Each colour of a tubelet is brought to mean 0 and deviation 1 over its pixels; then the first
    frame is kept and the second is less the first.
    """
    mean, std = (frames.new_tensor(x)[:, None, None, None] for x in (IMAGENET_MEAN, IMAGENET_STD))
    patches = rearrange(
        frames * std + mean,
        "b c (t t2) (h h2) (w w2) -> b (t h w) (t2 h2 w2) c",
        t2=TUBELET,
        h2=PATCH,
        w2=PATCH,
    )
    first, second = standardised(patches).chunk(TUBELET, dim=2)
    return rearrange(torch.cat([first, second - first], dim=2), "b n p c -> b n (p c)")


def sound_targets(mel: Tensor) -> Tensor:
    """Mel pictures (B, 1, frames, bands) -> (B, N, P): patches of mean 0 and deviation 1."""
    patches = rearrange(mel, "b 1 (t t2) (f f2) -> b (t f) (t2 f2) 1", t2=PATCH, f2=PATCH)
    return rearrange(standardised(patches), "b n p 1 -> b n p")


def patches_of(video: Tensor, sound: Tensor, config: HicmaeConfig) -> tuple[Tensor, Tensor]:
    """Inputs of any channels as they are, cut into the tokens' patches: (B, N, P) each."""
    across, (long, high) = config.video_patch, config.sound_patch
    seen = rearrange(
        video, "b c (t t2) (h h2) (w w2) -> b (t h w) (t2 h2 w2 c)",
        t2=TUBELET, h2=across, w2=across,
    )  # fmt: skip
    heard = rearrange(sound, "b c (t t2) (f f2) -> b (t f) (t2 f2 c)", t2=long, f2=high)
    return seen, heard


def standardised(patches: Tensor) -> Tensor:
    """(B, N, values, colours) with mean 0 and deviation 1 over values."""
    spread = patches.std(dim=2, keepdim=True) + 1e-6
    return (patches - patches.mean(dim=2, keepdim=True)) / spread


def hidden_of(targets: Tensor, mask: Tensor) -> Tensor:
    """(B, N, P) and a mask (B, N) -> (B, M, P)."""
    return targets[mask].reshape(len(targets), -1, targets.shape[-1])
