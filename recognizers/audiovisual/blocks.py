"""Transformer blocks of HiCMAE: self-attention, or cross-attention before it.

Pre-norm, GELU, bias of queries and values but not of keys (arXiv 2401.05698; a key bias would shift
all of a query's scores alike). The names of parameters inside a block are the published ones.
Letters: B items, N tokens, K context tokens, H heads, C width.
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from affetto.attention import attend
from affetto.recognizers.audiovisual.config import HEAD_WIDTH, MLP_RATIO, NORM_EPS


class SelfAttention(nn.Module):
    """Tokens (B, N, C) -> (B, N, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Each token looks at all."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        q, k, v = in_heads(functional.linear(tokens, self.qkv.weight, bias), parts=3)
        projected: Tensor = self.proj(out_of_heads(attend(q, k, v)))
        return projected


class CrossAttention(nn.Module):
    """Tokens (B, N, C) and a context (B, K, C) -> (B, N, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Each token looks at the whole context."""
        (q,) = in_heads(functional.linear(tokens, self.q.weight, self.q_bias), parts=1)
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        k, v = in_heads(functional.linear(context, self.kv.weight, bias), parts=2)
        projected: Tensor = self.proj(out_of_heads(attend(q, k, v)))
        return projected


class Mlp(nn.Module):
    """Two layers over each token (B, N, C), four times as wide between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C)."""
        out: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return out


class Block(nn.Module):
    """Self-attention and MLP on a stream of tokens (B, N, C)."""

    def __init__(self, width: int, *, drop_path: float = 0.0) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = SelfAttention(width)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = Mlp(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, C)."""
        tokens = tokens + self.kept(self.attn(self.norm1(tokens)))
        return tokens + self.kept(self.mlp(self.norm2(tokens)))

    def kept(self, branch: Tensor) -> Tensor:
        """The branch (B, N, C); in training left out for a share of items, the others scaled up."""
        if not self.training or not self.drop_path:
            return branch
        there = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop_path
        return branch * there / (1.0 - self.drop_path)


class CrossBlock(Block):
    """A block that first looks at a context (B, K, C)."""

    def __init__(self, width: int, *, drop_path: float = 0.0) -> None:
        super().__init__(width, drop_path=drop_path)
        self.cross_norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.cross_norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.cross_attn = CrossAttention(width)

    def forward(  # type: ignore[override]
        self, tokens: Tensor, context: Tensor, there: Tensor | None = None
    ) -> Tensor:
        """(B, N, C); `there` (B, 1, 1) is 0 for items without such a context."""
        looked = self.kept(self.cross_attn(self.cross_norm1(tokens), self.cross_norm2(context)))
        return super().forward(tokens + (looked if there is None else looked * there))


def ramp(depth: int, drop_path: float) -> list[float]:
    """How much each of a stack's blocks leaves out: 0 at the first, `drop_path` at the last."""
    return [drop_path * number / max(1, depth - 1) for number in range(depth)]


def in_heads(values: Tensor, *, parts: int) -> tuple[Tensor, ...]:
    """(B, N, parts * C) -> `parts` tensors (B, H, N, C / H)."""
    split = rearrange(values, "b n (parts h c) -> parts b h n c", parts=parts, c=HEAD_WIDTH)
    return split.unbind(0)


def out_of_heads(values: Tensor) -> Tensor:
    """(B, H, N, C / H) -> (B, N, C)."""
    return rearrange(values, "b h n c -> b n (h c)")


def start(module: nn.Module) -> None:
    """Xavier-uniform matrices, zero biases, as published; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
