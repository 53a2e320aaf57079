"""The motion denoiser: speech, emotion and noisy motion -> clean motion, a window at a time.

A transformer over frames. The base hears speech by attention to the sounds around each frame and
knows the noise level and the liveliness by adaptive layer norm (Peebles and Xie 2023); it is
trained on neutral faces. The emotion branch stands beside each of its blocks and adds what an
emotion, given frame by frame as the Emotion Bank's vector, changes; it begins at zero and is
trained with the base frozen (as ControlNet, Zhang et al. 2023; for talking heads Playmate, Ma et
al. 2025). Frames before the window (the prefix) come in clean; frames that are not there are seen
by nobody. Letters: B items, F frames with the prefix, M margin frames of sound on each side,
A = F + 2 M frames of sound, D width, W width of the emotion, C = 62 channels.
"""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.attention import attend
from affetto.emotion import LABELS
from affetto.gen.portrait.motion.scaling import Scaling
from affetto.motion import CHANNELS
from affetto.weights import fill, load_weights

PREFIX = 10  # frames
WINDOW = 64  # new frames
MARGIN = 4  # frames of sound before and after, 160 ms
TICKS = 2  # steps of sound (50 Hz) a frame
TIME_WIDTH = 64


@dataclass(frozen=True)
class DenoiserConfig:
    """Size of the network; JSON types only.

    Attributes:
        sounds: names of the conditions at 50 Hz, in the order they are joined.
        widths: of each.
        dim: D, a multiple of num_heads.
        condition_dim: width of what adaptive norms read.
        branch_dim: inner width of the emotion branch.
        emotion_dim: W.
        emotion: what tells the emotion: the bank's vector, or label probabilities (ablation).
    """

    sounds: list[str] = field(default_factory=lambda: ["speech", "visemes", "prosody"])
    widths: list[int] = field(default_factory=lambda: [384, 16, 4])
    dim: int = 192
    num_layers: int = 6
    num_heads: int = 3
    condition_dim: int = 128
    branch_dim: int = 192
    emotion_dim: int = 64
    emotion: Literal["bank", "labels"] = "bank"


@dataclass(frozen=True)
class Window:
    """What a window is made from.

    Attributes:
        sound: (B, 2 A, S) the conditions side by side at 50 Hz, zeros where there is none.
        heard: (B, 2 A) bool, False where there is no sound or it is dropped.
        liveliness: (B,) 0 none, 1 natural.
        emotion: (B, F, W) of each frame; None for the base alone.
        present: (B, F) bool, False for frames that are not there.
        known: (B, F) bool, True for the prefix's frames, which are clean.
    """

    sound: Tensor
    heard: Tensor
    liveliness: Tensor
    emotion: Tensor | None
    present: Tensor
    known: Tensor


class MotionDenoiser(nn.Module):
    """Noisy scaled motion -> clean scaled motion."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.scaling = Scaling()
        self.ear = Ear(sum(config.widths), config.dim)
        self.time = nn.Sequential(
            nn.Linear(TIME_WIDTH, config.condition_dim),
            nn.SiLU(),
            nn.Linear(config.condition_dim, config.condition_dim),
        )
        self.life = nn.Linear(1, config.condition_dim)
        self.inlet = nn.Linear(len(CHANNELS) + 1, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.outlet = Outlet(config.dim, config.condition_dim)
        self.branch = EmotionBranch(config)

    def listen(self, window: Window) -> Tensor:
        """(B, A, D) the sound as the blocks read it; the same for all steps of a window."""
        heard: Tensor = self.ear(window.sound, window.heard)
        return heard

    def forward(
        self, noisy: Tensor, level: Tensor, window: Window, *, sound: Tensor | None = None
    ) -> Tensor:
        """Estimate the clean motion.

        Args:
            noisy: (B, F, C) scaled, the known frames clean.
            level: (B,) noise level in [0, 1].
            window: what to show.
            sound: what `listen` gave, if it is already there.

        Returns:
            (B, F, C) scaled; meaningful for frames that are present and not known.
        """
        sound = self.listen(window) if sound is None else sound
        audible = rearrange(window.heard, "b (a t) -> b a t", t=TICKS).any(dim=-1)  # (B, A)
        condition = self.time(waves(level)) + self.life(window.liveliness[:, None])
        condition = functional.silu(condition)  # (B, K)
        flags = window.known[..., None].to(noisy)
        shown = torch.where(window.present[..., None], noisy, torch.zeros_like(noisy))
        x = self.inlet(torch.cat([shown, flags], dim=-1))
        told = None if window.emotion is None else self.branch.told(window.emotion, condition)
        for number, block in enumerate(self.blocks):
            x = block(x, sound, condition, present=window.present, audible=audible)
            if told is not None:
                x = x + self.branch.blocks[number](x, told)
        clean: Tensor = self.outlet(x, condition)
        return clean if told is None else clean + self.branch.outlet(x, told)

    def base_parameters(self) -> list[nn.Parameter]:
        """All but the emotion branch's."""
        return [one for name, one in self.named_parameters() if not name.startswith("branch.")]


class Ear(nn.Module):
    """Sound at 50 Hz -> one vector a frame: statistics of the data, two steps joined, a net."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.joined = nn.Linear(TICKS * (width + 1), dim)
        self.around = nn.Conv1d(dim, dim, 3, padding=1)
        self.norm = nn.LayerNorm(dim)

    def forward(self, sound: Tensor, heard: Tensor) -> Tensor:
        """(B, 2 A, S) and (B, 2 A) -> (B, A, D)."""
        there = heard[..., None].to(sound)
        scaled = (sound - self.get_buffer("mean")) / self.get_buffer("spread") * there
        pairs = rearrange(torch.cat([scaled, there], dim=-1), "b (a t) s -> b a (t s)", t=TICKS)
        x = self.joined(pairs)
        x = x + rearrange(
            self.around(rearrange(functional.silu(x), "b a d -> b d a")), "b d a -> b a d"
        )
        out: Tensor = self.norm(x)
        return out


class Block(nn.Module):
    """Frames among themselves, frames to the sound around them, and a perceptron."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        dim, self.num_heads = config.dim, config.num_heads
        self.norms = nn.ModuleList(nn.LayerNorm(dim, elementwise_affine=False) for _ in range(3))
        self.modulation = _zeroed(nn.Linear(config.condition_dim, 9 * dim))
        self.mixed = nn.Linear(dim, 3 * dim)
        self.mixed_out = nn.Linear(dim, dim)
        self.distance = nn.Parameter(torch.zeros(config.num_heads, 2 * (PREFIX + WINDOW) - 1))
        self.asked = nn.Linear(dim, dim)
        self.answers = nn.Linear(dim, 2 * dim)
        self.asked_out = nn.Linear(dim, dim)
        offsets = torch.arange(-MARGIN, MARGIN + 1).abs().float()
        self.lag = nn.Parameter((-0.5 * offsets).repeat(config.num_heads, 1))  # (H, 2 M + 1)
        self.perceptron = nn.Sequential(
            nn.Linear(dim, 3 * dim), nn.GELU(approximate="tanh"), nn.Linear(3 * dim, dim)
        )

    def forward(
        self, x: Tensor, sound: Tensor, condition: Tensor, *, present: Tensor, audible: Tensor
    ) -> Tensor:
        """(B, F, D), sound (B, A, D), condition (B, K) -> (B, F, D)."""
        moved = self.modulation(condition)[:, None].chunk(9, dim=-1)
        x = x + (1 + moved[2]) * self._mix(_moved(self.norms[0](x), moved[0], moved[1]), present)
        x = x + (1 + moved[5]) * self._hear(
            _moved(self.norms[1](x), moved[3], moved[4]), sound, audible
        )
        out: Tensor = x + (1 + moved[8]) * self.perceptron(
            _moved(self.norms[2](x), moved[6], moved[7])
        )
        return out

    def _mix(self, x: Tensor, present: Tensor) -> Tensor:
        q, k, v = (self._heads(part) for part in self.mixed(x).chunk(3, dim=-1))
        steps = torch.arange(x.shape[1], device=x.device)
        apart = steps[None] - steps[:, None] + PREFIX + WINDOW - 1  # (F, F)
        seen = attend(q, k, v, mask=present[:, None, None], bias=self.distance[:, apart][None])
        mixed: Tensor = self.mixed_out(rearrange(seen, "b h f d -> b f (h d)"))
        return mixed

    def _hear(self, x: Tensor, sound: Tensor, audible: Tensor) -> Tensor:
        q = self._heads(self.asked(x))
        k, v = (self._heads(part) for part in self.answers(sound).chunk(2, dim=-1))
        frames = torch.arange(x.shape[1], device=x.device)
        later = torch.arange(sound.shape[1], device=x.device)[None] - frames[:, None]  # (F, A)
        near = (later >= 0) & (later <= 2 * MARGIN)
        bias = self.lag[:, later.clamp(0, 2 * MARGIN)][None]  # (1, H, F, A)
        seen = attend(q, k, v, mask=near & audible[:, None, None], bias=bias)
        heard: Tensor = self.asked_out(rearrange(seen, "b h f d -> b f (h d)"))
        return heard

    def _heads(self, x: Tensor) -> Tensor:
        return rearrange(x, "b f (h d) -> b h f d", h=self.num_heads)


class Outlet(nn.Module):
    """Hidden frames -> channels."""

    def __init__(self, dim: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = _zeroed(nn.Linear(condition_dim, 2 * dim))
        self.out = _zeroed(nn.Linear(dim, len(CHANNELS)))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, F, D) and a condition (B, K) or (B, F, K) -> (B, F, C)."""
        condition = condition if condition.ndim == x.ndim else condition[:, None]
        shift, scale = self.modulation(condition).chunk(2, dim=-1)
        out: Tensor = self.out(_moved(self.norm(x), shift, scale))
        return out


class EmotionBranch(nn.Module):
    """What an emotion adds behind each block and at the end; nothing before it is trained."""

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width = config.emotion_dim if config.emotion == "bank" else len(LABELS)
        self.inlet = nn.Sequential(
            nn.Linear(width, config.condition_dim),
            nn.SiLU(),
            nn.Linear(config.condition_dim, config.condition_dim),
        )
        self.blocks = nn.ModuleList(
            EmotionBlock(config.dim, config.condition_dim, config.branch_dim)
            for _ in range(config.num_layers)
        )
        self.outlet = Outlet(config.dim, config.condition_dim)

    def told(self, emotion: Tensor, condition: Tensor) -> Tensor:
        """Emotion (B, F, W) and condition (B, K) -> (B, F, K) for the blocks."""
        return functional.silu(self.inlet(emotion) + condition[:, None])


class EmotionBlock(nn.Module):
    """A frame's features, moved by the emotion, through a perceptron that ends in zeros."""

    def __init__(self, dim: int, condition_dim: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = nn.Linear(condition_dim, 2 * inner)
        self.first = nn.Linear(dim, inner)
        self.second = _zeroed(nn.Linear(inner, dim))

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        """(B, F, D) and (B, F, K) -> what is added, (B, F, D)."""
        shift, scale = self.modulation(told).chunk(2, dim=-1)
        added: Tensor = self.second(functional.silu(_moved(self.first(self.norm(x)), shift, scale)))
        return added


def waves(level: Tensor) -> Tensor:
    """Noise levels (B,) in [0, 1] -> (B, TIME_WIDTH) sinusoids, as in Vaswani et al. 2017."""
    half = TIME_WIDTH // 2
    rates = torch.exp(-math.log(1e4) * torch.arange(half, device=level.device) / half)
    angles = 1000.0 * level[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def load_denoiser(source: str | Path = "motion") -> MotionDenoiser:
    """The shipped denoiser or another set of weights, in eval mode, frozen.

    Raises:
        WeightsError: unknown, damaged or of another network.
    """
    weights = load_weights(source)
    net = MotionDenoiser(config_of(weights.config))
    fill(net, weights)
    return net.eval().requires_grad_(False)


def record_of(
    config: DenoiserConfig, losses: list[dict[str, Any]], *, clean: bool = False
) -> dict[str, Any]:
    """What config.json says: the network's size, the nets that were its losses, how it hears.

    Args:
        config: the size.
        losses: see `affetto.recognizers.independence`.
        clean: it hears and feels by nets whose data are cleared for any use; such weights want
            the same of `affetto.gen.portrait.pipeline`.
    """
    return {**asdict(config), "losses": losses, "clean": clean}


def config_of(record: dict[str, Any]) -> DenoiserConfig:
    """The network's size from config.json."""
    told = ("losses", "clean")
    return DenoiserConfig(**{name: value for name, value in record.items() if name not in told})


def _moved(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale) + shift


def _zeroed(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
