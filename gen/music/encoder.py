"""What the film shows, encoded for the music transformer; any condition may be absent or end early.

Source: the encoder of Video2Music (2023), section 3.2, with what it lacked: padding is masked,
inputs are standardised by statistics saved with the weights, and absent conditions have a vector
of their own. B batch, T condition steps, C encoded steps, D width of a condition.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from affetto.condition import Conditions
from affetto.gen.music.layers import FeedForward, Residual, SelfAttention, sinusoids

# Widths of the conditions of docs/contract.md.
CONDITION_WIDTHS = {
    "clip": 768,
    "picture": 1280,
    "scene_offset": 1,
    "motion": 1,
    "flow": 1,
    "light": 4,
    "emotion": 14,
}
MAX_DEVIATIONS = 5.0


class ConditionInput(nn.Module):
    """One condition: standardise, project, and stand in where it has ended or is absent."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.project = nn.Linear(width, dim)
        self.ended = nn.Parameter(torch.zeros(dim))
        self.absent = nn.Parameter(torch.zeros(dim))

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        """Values (B, C, D) and mask (B, C) -> (B, C, dim)."""
        deviations = (values - self.mean) / self.scale
        known = self.project(deviations.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS))
        anywhere = mask.any(dim=1)[:, None, None]
        missing = torch.where(anywhere, self.ended, self.absent)
        return torch.where(mask[..., None], known, missing)


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward over the conditions."""

    def __init__(
        self, dim: int, num_heads: int, ff_dim: int, *, dropout: float, norm_first: bool
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(dim, num_heads)
        self.ff = FeedForward(dim, ff_dim, dropout=dropout)
        self.around_attention = Residual(dim, dropout=dropout, norm_first=norm_first)
        self.around_ff = Residual(dim, dropout=dropout, norm_first=norm_first)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, dim), mask (B, C) True for real steps -> (B, C, dim)."""
        y = self.attention(self.around_attention.before(x), mask=mask)
        x = self.around_attention.after(x, y)
        out: Tensor = self.around_ff.after(x, self.ff(self.around_ff.before(x)))
        return out


class ConditionEncoder(nn.Module):
    """All conditions summed into one sequence and encoded."""

    def __init__(
        self,
        conditions: Sequence[str],
        dim: int,
        num_layers: int,
        num_heads: int,
        ff_dim: int,
        *,
        dropout: float,
        norm_first: bool,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.inputs = nn.ModuleDict(
            {name: ConditionInput(CONDITION_WIDTHS[name], dim) for name in conditions}
        )
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, num_heads, ff_dim, dropout=dropout, norm_first=norm_first)
            for _ in range(num_layers)
        )

    def set_statistics(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Standardise each named condition by its (mean (D,), standard deviation (D,))."""
        for name, (mean, deviation) in statistics.items():
            channel = self.inputs[name]
            assert isinstance(channel, ConditionInput)
            channel.mean.copy_(mean)
            # What never varied in training must not matter later: infinite scale gives zero.
            channel.scale.copy_(deviation.masked_fill(deviation < 1e-3, torch.inf))

    def forward(
        self, conditions: Conditions, num_steps: int, *, batch: int
    ) -> tuple[Tensor, Tensor]:
        """Encode at least `num_steps` steps.

        Args:
            conditions: any subset of the known names; unknown names are ignored.
            num_steps: steps beyond the conditions' length are encoded as ended.
            batch: B, for when no condition is given.

        Returns:
            Memory (B, C, dim) and mask (B, C), True where any condition is real.
        """
        device = next(self.parameters()).device
        given = {name: conditions[name] for name in self.inputs if name in conditions}
        length = max([num_steps, *(track.values.shape[1] for track in given.values())])
        x = torch.zeros(batch, length, self.dim, device=device)
        real = torch.zeros(batch, length, dtype=torch.bool, device=device)
        for name, channel in self.inputs.items():
            assert isinstance(channel, ConditionInput)
            values = x.new_zeros(batch, length, len(channel.mean))
            mask = torch.zeros_like(real)
            if name in given:
                track = given[name]
                values[:, : track.values.shape[1]] = track.values
                mask[:, : track.mask.shape[1]] = track.mask
            x = x + channel(values, mask)
            real = real | mask
        x = self.dropout(x + sinusoids(length, self.dim, device=device))
        for layer in self.layers:
            x = layer(x, real)
        return x, real
