"""Attention behind one function: xformers on CUDA when it is installed, else torch's own.

Both give the same numbers (tested to 1e-3), so no caller ever chooses. Letters: B batch, H heads,
Q query steps, K key steps, D width of a head.
"""

import importlib
from functools import cache
from types import ModuleType

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

_XFORMERS_DTYPES = (torch.float16, torch.bfloat16, torch.float32)
_ALIGNMENT = 8  # xformers reads a bias whose rows start at multiples of this many elements


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    causal: bool = False,
) -> Tensor:
    """Scaled dot-product attention, softmax(q k' / sqrt(D) + bias) v.

    Args:
        q: (B, H, Q, D) queries, floating point.
        k: (B, H, K, D) keys.
        v: (B, H, K, D) values.
        mask: bool, broadcastable to (B, H, Q, K); True where a query may look at a key.
        bias: added to the scores, broadcastable to (B, H, Q, K), for example relative positions;
            finite, gradients reach it.
        causal: queries are the last Q of the K steps, as with a cache of earlier keys: query i
            sees keys up to i + K - Q.

    Returns:
        (B, H, Q, D). A query that may look at no key gives zeros, never NaN.
    """
    shape = (*q.shape[:3], k.shape[2])  # (B, H, Q, K)
    if causal and q.shape[2] == 1:
        causal = False  # the newest step sees everything
    if mask is None and bias is None and not causal:
        return _attend(q, k, v, None)
    allowed = _allowed(shape, mask, causal=causal, device=q.device)
    blind = None
    if allowed is not None:
        blind = ~allowed.any(dim=-1, keepdim=True)
        allowed = allowed | blind
    if bias is not None:
        scores = torch.broadcast_to(bias.to(q.dtype), shape)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
    else:
        assert allowed is not None
        scores = torch.broadcast_to(allowed, shape)
    attended = _attend(q, k, v, scores)
    return attended if blind is None else attended.masked_fill(blind, 0.0)


def _allowed(
    shape: tuple[int, ...], mask: Tensor | None, *, causal: bool, device: torch.device
) -> Tensor | None:
    """Mask and causality in one bool tensor, broadcastable to `shape`."""
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"attend: mask must be bool (True = may attend), got {mask.dtype}")
    if not causal:
        return mask
    num_queries, num_keys = shape[2:]
    past = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device)
    past = past.tril(num_keys - num_queries)
    return past if mask is None else past & mask


def _attend(q: Tensor, k: Tensor, v: Tensor, scores: Tensor | None) -> Tensor:
    """Hand over to the backend; `scores` is a (B, H, Q, K) bool mask or additive bias."""
    if q.is_cuda and q.dtype in _XFORMERS_DTYPES:
        ops = _xformers_ops()
        if ops is not None:
            try:
                return _attend_xformers(ops, q, k, v, scores)
            except NotImplementedError:  # xformers has no kernel for this card or shape
                return _attend_torch(q, k, v, scores)
    return _attend_torch(q, k, v, scores)


def _attend_torch(q: Tensor, k: Tensor, v: Tensor, scores: Tensor | None) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=scores)


def _attend_xformers(
    ops: ModuleType, q: Tensor, k: Tensor, v: Tensor, scores: Tensor | None
) -> Tensor:
    """Call xformers: it wants (B, T, H, D) and an aligned additive bias in the dtype of q."""
    if scores is not None and scores.dtype == torch.bool:
        scores = torch.zeros_like(scores, dtype=q.dtype).masked_fill(~scores, -torch.inf)
    if scores is not None:
        num_keys = scores.shape[-1]
        scores = functional.pad(scores, (0, -num_keys % _ALIGNMENT))[..., :num_keys]
    q, k, v = (rearrange(x, "b h t d -> b t h d") for x in (q, k, v))
    attended: Tensor = ops.memory_efficient_attention(q, k, v, attn_bias=scores)
    return rearrange(attended, "b t h d -> b h t d")


@cache
def _xformers_ops() -> ModuleType | None:
    try:
        return importlib.import_module("xformers.ops")
    except ImportError:
        return None
