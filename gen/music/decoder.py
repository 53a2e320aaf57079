"""The chord side of the music transformer: what a chord looks like to it, and a decoder layer.

Source: Video2Music 2023, section 3.2 (root and quality vectors summed; decoder with relative
positions). The memory of what was played is ours. B batch, Q new chords, C steps of the film.
"""

from typing import Literal, cast

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.gen.music.chords import NUM_CHORDS, NUM_QUALITIES
from affetto.gen.music.layers import (
    CrossAttention,
    FeedForward,
    KeyValues,
    Residual,
    SelfAttention,
)
from affetto.gen.music.repetition import NUM_DURATIONS, NUM_PAIR_FEATURES, Repeats

Fusion = Literal["cross", "aligned"]
NUM_ROOTS, NUM_KINDS = 15, 16  # Video2Music's alphabets: N, 12 roots or 13 qualities, END, PAD


class DecoderLayer(nn.Module):
    """Causal self-attention, cross-attention when fused so, feed-forward."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        ff_dim: int,
        *,
        max_distance: int,
        fusion: Fusion,
        copying: bool,
        dropout: float,
        norm_first: bool,
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(dim, num_heads, max_distance=max_distance)
        self.match = nn.Linear(NUM_PAIR_FEATURES, num_heads) if copying else None
        self.cross = CrossAttention(dim, num_heads) if fusion == "cross" else None
        self.ff = FeedForward(dim, ff_dim, dropout=dropout)
        self.around = nn.ModuleList(
            Residual(dim, dropout=dropout, norm_first=norm_first)
            for _ in range(3 if self.cross else 2)
        )

    def forward(
        self,
        x: Tensor,
        heard: Repeats | None,
        seen: tuple[Tensor, Tensor] | None,
        seen_mask: Tensor | None,
        *,
        cache: KeyValues | None,
    ) -> Tensor:
        """New chords (B, Q, dim) -> (B, Q, dim).

        Args:
            x: the new chords.
            heard: of the new chords, when copying.
            seen: keys and values of the film, when fused by cross-attention.
            seen_mask: (B, 1, 1, C), True for real steps of the film; None when all are.
            cache: earlier chords' keys and values.
        """
        first, *middle, last = cast(list[Residual], list(self.around))
        bias = None
        if self.match is not None:
            assert heard is not None
            bias = rearrange(self.match(heard.pairs), "b q k h -> b h q k")
        x = first.after(x, self.attention(first.before(x), bias=bias, cache=cache))
        if self.cross is not None:
            x = middle[0].after(x, self.cross(middle[0].before(x), seen, seen_mask))
        return last.after(x, self.ff(last.before(x)))


class ChordEmbedding(nn.Module):
    """Root and quality vectors summed; with `copying` also what led here and for how long."""

    roots: Tensor
    kinds: Tensor

    def __init__(self, dim: int, *, copying: bool) -> None:
        super().__init__()
        roots, kinds = roots_and_kinds()
        self.register_buffer("roots", roots, persistent=False)
        self.register_buffer("kinds", kinds, persistent=False)
        self.root = nn.Embedding(NUM_ROOTS, dim)
        self.kind = nn.Embedding(NUM_KINDS, dim)
        self.before = nn.Embedding(2 * NUM_CHORDS, dim) if copying else None
        self.durations = nn.Embedding(3 * NUM_DURATIONS, dim) if copying else None
        self.matched = nn.Linear(NUM_PAIR_FEATURES, dim) if copying else None
        for table in (self.root, self.kind, self.before, self.durations):
            if table is not None:
                nn.init.normal_(table.weight, std=dim**-0.5)

    def forward(self, chords: Tensor, heard: Repeats | None) -> Tensor:
        """(B, Q) ids -> (B, Q, dim)."""
        x: Tensor = self.root(self.roots[chords]) + self.kind(self.kinds[chords])
        if self.before is None or self.durations is None or self.matched is None:
            return x
        assert heard is not None
        first, second = heard.before.unbind(-1)
        x = x + self.before(first) + self.before(second + NUM_CHORDS)
        offsets = NUM_DURATIONS * torch.arange(3, device=chords.device)
        x = x + self.durations(heard.durations + offsets).sum(dim=2)
        best: Tensor = self.matched(heard.best)
        return x + best


def roots_and_kinds() -> tuple[Tensor, Tensor]:
    """Root and quality alphabets' ids of all 159 chord ids."""
    roots = [0, *(1 + root for root in range(12) for _ in range(NUM_QUALITIES)), 13, 14]
    kinds = [0, *(1 + kind for _ in range(12) for kind in range(NUM_QUALITIES)), 14, 15]
    return torch.tensor(roots), torch.tensor(kinds)
