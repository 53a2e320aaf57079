"""A critic of emotion on embeddings, motion and latents, at any noise level.

One trunk serves all kinds; each kind comes in through a small adapter. It says which emotion its
input carries and whether it looks real, so it guides a generator towards the emotion asked for
while the input is still noise. DICE-Talk has a classifier on one kind alone (pooled middle features
of its UNet, 22 classes, no time-step, no real or fake). Letters: B items, T steps, C channels,
W width.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.emotion import EMBEDDING_DIM, LABELS, VAD_AXES

MOTION_WIDTH = 62
Kind = Literal["embedding", "motion", "latent"]
_TIME_WIDTH = 32
_TIME_SCALE = 1000.0  # a time-step of 1 is the last of as many


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Size of the critic.

    Attributes:
        width: W.
        num_blocks: residual blocks of the trunk.
        latent_channels: C of the latents.
    """

    width: int = 64
    num_blocks: int = 2
    latent_channels: int = 4


@dataclass(frozen=True)
class Verdict:
    """One judgement an item.

    Attributes:
        logits: (B, 11) over LABELS.
        vad: (B, 3) valence, arousal, dominance.
        real: (B,) logit, above 0 for real.
    """

    logits: Tensor
    vad: Tensor
    real: Tensor


class EmotionDiscriminator(nn.Module):
    """Adapter of the kind -> trunk moved by the time-step -> labels, VAD, real or fake."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        width = config.width
        self.adapters = nn.ModuleDict(
            {
                "embedding": nn.Linear(EMBEDDING_DIM, width),
                "motion": MotionAdapter(width),
                "latent": LatentAdapter(config.latent_channels, width),
            }
        )
        self.time = nn.Sequential(nn.Linear(_TIME_WIDTH, width), nn.SiLU())
        self.blocks = nn.ModuleList(ModulatedBlock(width) for _ in range(config.num_blocks))
        self.heads = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, len(LABELS) + len(VAD_AXES) + 1)
        )

    def forward(
        self, inputs: Tensor, time: Tensor, *, kind: Kind, mask: Tensor | None = None
    ) -> Verdict:
        """Judge a batch; gradients flow to `inputs`.

        Args:
            inputs: embeddings (B, 16), motion (B, T, 62), or latents (B, C, ...) with any number of
                axes of place and time behind the channels, also flattened into one.
            time: (B,) noise level in [0, 1], 0 for clean.
            kind: what the inputs are.
            mask: for motion alone, (B, T) bool, False where padded.
        """
        adapter = self.adapters[kind]
        x = adapter(inputs, mask) if kind == "motion" else adapter(inputs)
        moved = self.time(sinusoid(time))
        for block in self.blocks:
            x = block(x, moved)
        logits, vad, real = self.heads(x).split((len(LABELS), len(VAD_AXES), 1), dim=-1)
        return Verdict(logits, vad, real.squeeze(-1))


class MotionAdapter(nn.Module):
    """(B, T, 62) -> (B, W): two convolutions over time, then mean and spread over the steps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(MOTION_WIDTH, width, 5, padding=2)
        self.second = nn.Conv1d(width, width, 5, padding=2)
        self.joined = nn.Linear(2 * width, width)

    def forward(self, motion: Tensor, mask: Tensor | None) -> Tensor:
        """Padding (mask (B, T) False) is not seen, also not by neighbours."""
        steps = motion.new_ones(motion.shape[:2]) if mask is None else mask.to(motion.dtype)
        there = rearrange(steps, "b t -> b 1 t")
        x = rearrange(motion, "b t c -> b c t") * there
        x = functional.silu(self.first(x)) * there
        x = functional.silu(self.second(x)) * there
        return _pooled(x, there, self.joined)


class LatentAdapter(nn.Module):
    """(B, C, ...) -> (B, W): the same net at every place, then mean and spread over the places."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(channels, width, 1), nn.SiLU(), nn.Conv1d(width, width, 1), nn.SiLU()
        )
        self.joined = nn.Linear(2 * width, width)

    def forward(self, latent: Tensor) -> Tensor:
        """Any axes behind the channels are one."""
        x = self.net(latent.flatten(start_dim=2))  # (B, W, N)
        return _pooled(x, torch.ones_like(x[:, :1]), self.joined)


class ModulatedBlock(nn.Module):
    """A residual block whose inner features the time-step scales and shifts (FiLM, Perez 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, 2 * width)
        self.second = nn.Linear(2 * width, width)
        self.modulation = nn.Linear(width, 4 * width)

    def forward(self, x: Tensor, moved: Tensor) -> Tensor:
        """Features (B, W) and those of the time-step (B, W) -> (B, W)."""
        scale, shift = self.modulation(moved).chunk(2, dim=-1)
        inner = functional.silu(self.first(self.norm(x)) * (1.0 + scale) + shift)
        changed: Tensor = x + self.second(inner)
        return changed


def sinusoid(time: Tensor) -> Tensor:
    """Noise levels (B,) in [0, 1] -> (B, 32), as in Vaswani et al. 2017."""
    half = _TIME_WIDTH // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=time.device) / half)
    angles = _TIME_SCALE * time[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def emotion_loss(verdict: Verdict, probs: Tensor, vad: Tensor) -> Tensor:
    """Cross-entropy in nats against probs (B, 11) plus mean squared error against vad (B, 3)."""
    return functional.cross_entropy(verdict.logits, probs) + functional.mse_loss(verdict.vad, vad)


def critic_loss(real: Verdict, fake: Verdict) -> Tensor:
    """What the critic lowers to tell real from fake: hinge loss (Lim and Ye 2017)."""
    return (functional.relu(1.0 - real.real) + functional.relu(1.0 + fake.real)).mean()


def generator_loss(fake: Verdict) -> Tensor:
    """What the generator lowers to look real."""
    return -fake.real.mean()


def _pooled(x: Tensor, there: Tensor, joined: nn.Linear) -> Tensor:
    """Mean and standard deviation of x (B, W, N) where `there` (B, 1, N) is 1, joined: (B, W)."""
    count = there.sum(dim=-1).clamp(min=1.0)
    mean = (x * there).sum(dim=-1) / count
    var = ((x - mean[..., None]) ** 2 * there).sum(dim=-1) / count
    out: Tensor = joined(torch.cat([mean, (var + 1e-6).sqrt()], dim=-1))
    return out
