"""attend() against a plain softmax written out, and its promises about masks and caches."""

import math

import pytest
import torch

from affetto.attention import attend

B, H, D = 2, 3, 8


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def qkv(num_queries, num_keys):
    return (
        draw(B, H, num_queries, D, seed=1),
        draw(B, H, num_keys, D, seed=2),
        draw(B, H, num_keys, D, seed=3),
    )


def plain(q, k, v, *, mask=None, bias=None, causal=False):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    allowed = torch.ones_like(scores, dtype=torch.bool)
    if mask is not None:
        allowed = allowed & mask
    if causal:
        ahead = (
            torch.arange(k.shape[2]) > torch.arange(q.shape[2])[:, None] + k.shape[2] - q.shape[2]
        )
        allowed = allowed & ~ahead
    weights = scores.masked_fill(~allowed, -1e9).softmax(-1) * allowed
    return weights @ v


MASKS = {
    "none": None,
    "keys": draw(B, 1, 1, 7, seed=4) > -0.5,
    "full": draw(B, H, 5, 7, seed=5) > 0,
    "pair": draw(5, 7, seed=6) > 0,
    "last": draw(7, seed=7) > 0,
}
BIASES = {"none": None, "heads": draw(1, H, 5, 7, seed=8), "pair": draw(5, 7, seed=9)}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("bias", list(BIASES))
@pytest.mark.parametrize("mask", list(MASKS))
def test_equals_plain_softmax(mask, bias, causal):
    q, k, v = qkv(5, 7)
    given = {"mask": MASKS[mask], "bias": BIASES[bias], "causal": causal}
    torch.testing.assert_close(attend(q, k, v, **given), plain(q, k, v, **given))


def test_blind_queries_give_zeros_and_finite_gradients():
    q, k, v = (x.requires_grad_() for x in qkv(5, 7))
    bias = draw(H, 5, 7, seed=8).requires_grad_()
    mask = torch.ones(B, 1, 5, 7, dtype=torch.bool)
    mask[0, :, 2] = False
    attended = attend(q, k, v, mask=mask, bias=bias)
    assert (attended[0, :, 2] == 0).all()
    assert (attended[1] != 0).all()
    attended.sum().backward()
    for x in (q, k, v, bias):
        assert x.grad.isfinite().all()
    assert (q.grad[0, :, 2] == 0).all()
    assert bias.grad.abs().sum() > 0


def test_more_queries_than_keys_when_causal():
    q, k, v = qkv(5, 3)
    attended = attend(q, k, v, causal=True)
    assert (attended[:, :, :2] == 0).all()
    torch.testing.assert_close(attended, plain(q, k, v, causal=True))


def test_causal_by_gradient():
    q, k, v = qkv(6, 6)
    v.requires_grad_()
    attend(q, k, v, causal=True)[:, :, 3].sum().backward()
    assert (v.grad[:, :, :4] != 0).all()
    assert (v.grad[:, :, 4:] == 0).all()


def test_one_step_at_a_time_with_a_cache_equals_all_at_once():
    q, k, v = qkv(9, 9)
    bias = draw(1, H, 9, 9, seed=8)
    whole = attend(q, k, v, bias=bias, causal=True)
    for first, last in [(0, 4), (4, 5), (5, 9)]:
        part = attend(
            q[:, :, first:last],
            k[:, :, :last],
            v[:, :, :last],
            bias=bias[:, :, first:last, :last],
            causal=True,
        )
        torch.testing.assert_close(part, whole[:, :, first:last])


def test_gradients_equal_plain_softmax():
    mask = MASKS["full"]
    grads = []
    for function in (attend, plain):
        inputs = [x.requires_grad_() for x in qkv(5, 7)]
        bias = draw(H, 5, 7, seed=8).requires_grad_()
        out = function(*inputs, mask=mask, bias=bias, causal=True)
        (out * draw(B, H, 5, D, seed=10)).sum().backward()
        grads.append([x.grad for x in [*inputs, bias]])
    for mine, reference in zip(*grads, strict=True):
        torch.testing.assert_close(mine, reference)


def test_batch_of_two_is_two_of_one():
    q, k, v = qkv(5, 7)
    mask = MASKS["full"]
    both = attend(q, k, v, mask=mask)
    for i in range(B):
        one = slice(i, i + 1)
        torch.testing.assert_close(attend(q[one], k[one], v[one], mask=mask[one]), both[one])


def test_a_float_mask_is_refused():
    q, k, v = qkv(5, 7)
    with pytest.raises(ValueError, match="mask must be bool"):
        attend(q, k, v, mask=torch.zeros(5, 7))
