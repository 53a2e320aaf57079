"""Attention layers of the music transformer: relative positions, caches, either norm order.

Relative positions are a learned table of distances shared by the heads, brought to (query, key)
form by skewing (Huang et al. 2018, Music Transformer, section 3.4); distances past the table use
its last row, so any length works. B batch, H heads, Q queries, K keys, D width of a head.
"""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.attention import attend


class KeyValues:
    """Keys and values of the steps so far, in buffers made once, and the distances' vectors."""

    def __init__(self, num_steps: int) -> None:
        """Keep up to `num_steps` steps."""
        self.count = 0
        self.num_steps = num_steps
        self.k: Tensor | None = None
        self.v: Tensor | None = None
        self.ordered: Tensor | None = None  # (N, D) vectors of distances N - 1 .. 0

    def add(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, H, Q, D) and give all so far (B, H, K, D)."""
        if self.k is None or self.v is None:
            self.k = k.new_empty(*k.shape[:2], self.num_steps, k.shape[3])
            self.v = v.new_empty(*v.shape[:2], self.num_steps, v.shape[3])
        start, self.count = self.count, self.count + k.shape[2]
        self.k[:, :, start : self.count] = k
        self.v[:, :, start : self.count] = v
        return self.k[:, :, : self.count], self.v[:, :, : self.count]

    def distances_back(self, distances: Tensor) -> Tensor:
        """(K, D): vectors of distances K - 1 .. 0 for the K steps so far."""
        if self.ordered is None:
            self.ordered = distances_back(distances, self.num_steps)
        return self.ordered[self.num_steps - self.count :]


class SelfAttention(nn.Module):
    """Multi-head self-attention; with `max_distance` causal and with relative positions."""

    def __init__(self, dim: int, num_heads: int, *, max_distance: int | None = None) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.distances: nn.Parameter | None = None
        if max_distance is not None:
            self.distances = nn.Parameter(0.02 * torch.randn(max_distance, dim // num_heads))

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        bias: Tensor | None = None,
        cache: KeyValues | None = None,
    ) -> Tensor:
        """(B, Q, dim) -> (B, Q, dim).

        Args:
            x: the new steps.
            mask: (B, Q) bool, True for real steps; only without relative positions.
            bias: (B, H, Q, K) added to the scores.
            cache: earlier steps' keys and values; the new ones are appended.
        """
        q, k, v = rearrange(self.qkv(x), "b t (n h d) -> n b h t d", n=3, h=self.num_heads)
        if cache is not None:
            k, v = cache.add(k, v)
        if self.distances is None:
            keys = None if mask is None else rearrange(mask, "b k -> b 1 1 k")
            y = attend(q, k, v, mask=keys)
        else:
            if cache is not None:
                back = cache.distances_back(self.distances)
            else:
                back = distances_back(self.distances, k.shape[2])
            scores = relative_scores(q, back)
            y = attend(q, k, v, bias=scores if bias is None else scores + bias, causal=True)
        out: Tensor = self.out(rearrange(y, "b h t d -> b t (h d)"))
        return out


class CrossAttention(nn.Module):
    """Multi-head attention to a memory whose keys and values are made once by `keys_values`."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def keys_values(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(B, K, dim) -> keys and values (B, H, K, D)."""
        k, v = rearrange(self.kv(memory), "b t (n h d) -> n b h t d", n=2, h=self.num_heads)
        return k, v

    def forward(self, x: Tensor, keys_values: tuple[Tensor, Tensor], mask: Tensor | None) -> Tensor:
        """(B, Q, dim) -> (B, Q, dim); `mask` (B, 1, 1, K), True for real steps, or None for all."""
        q = rearrange(self.q(x), "b t (h d) -> b h t d", h=self.num_heads)
        y = attend(q, *keys_values, mask=mask)
        out: Tensor = self.out(rearrange(y, "b h t d -> b t (h d)"))
        return out


class Residual(nn.Module):
    """The norm and dropout round one sublayer: norm first, or after the sum as in the original."""

    def __init__(self, dim: int, *, dropout: float, norm_first: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.norm_first = norm_first

    def before(self, x: Tensor) -> Tensor:
        """What the sublayer reads."""
        y: Tensor = self.norm(x) if self.norm_first else x
        return y

    def after(self, x: Tensor, y: Tensor) -> Tensor:
        """What the next sublayer gets from input `x` and the sublayer's output `y`."""
        total = x + self.dropout(y)
        out: Tensor = total if self.norm_first else self.norm(total)
        return out


class FeedForward(nn.Sequential):
    """Two linear layers with ReLU and dropout between."""

    def __init__(self, dim: int, ff_dim: int, *, dropout: float) -> None:
        super().__init__(
            nn.Linear(dim, ff_dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(ff_dim, dim)
        )


def distances_back(distances: Tensor, num_keys: int) -> Tensor:
    """(K, D): vectors of distances K - 1 .. 0.

    Args:
        distances: (R, D); row r is distance r, the last row also all greater distances.
        num_keys: K.
    """
    order = torch.arange(num_keys - 1, -1, -1, device=distances.device)
    return distances[order.clamp(max=len(distances) - 1)]


def relative_scores(q: Tensor, back: Tensor) -> Tensor:
    """Scaled scores (B, H, Q, K) of queries with the learned vector of their distance to each key.

    Args:
        q: (B, H, Q, D), the last Q of the K steps.
        back: (K, D) of `distances_back`. Entries of keys after the query are meaningless: mask
            them (causal).
    """
    num_queries = q.shape[2]
    scores = q @ back.T / math.sqrt(q.shape[-1])  # (B, H, Q, K) by distance
    if num_queries == 1:
        return scores
    skewed = nn.functional.pad(scores, (1, 0)).flatten(-2)[..., num_queries:]
    return rearrange(skewed, "b h (q k) -> b h q k", q=num_queries)


def sinusoids(num_steps: int, dim: int, *, device: torch.device) -> Tensor:
    """(num_steps, dim) absolute positions of Vaswani et al. 2017, section 3.5."""
    rates = torch.exp(-math.log(10_000.0) * torch.arange(0, dim, 2, device=device) / dim)
    angles = torch.arange(num_steps, device=device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
