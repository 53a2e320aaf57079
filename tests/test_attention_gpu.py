"""xformers against torch's own attention on a CUDA device, to 1e-3; run with `make test-gpu`."""

import pytest
import torch

from affetto import attention

pytestmark = pytest.mark.gpu
B, H, D = 2, 4, 64


def draw(*shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to("cuda")


@pytest.fixture
def ops():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = attention._xformers_ops()
    if found is None:
        pytest.skip("xformers is not installed")
    return found


def given(name, num_queries, num_keys):
    mask = draw(B, 1, num_queries, num_keys, seed=4) > 0
    mask[0, :, 1] = False  # a query that may look at nothing
    bias = draw(1, H, num_queries, num_keys, seed=5)
    return {
        "plain": {},
        "causal": {"causal": True},
        "mask": {"mask": mask},
        "bias": {"bias": bias},
        "all": {"mask": mask, "bias": bias, "causal": True},
    }[name]


def run(monkeypatch, backend, case, num_queries, num_keys):
    """Output and gradients of attend() on one backend."""
    monkeypatch.setattr(attention, "_xformers_ops", lambda: backend)
    sizes = (num_queries, num_keys, num_keys)
    inputs = [draw(B, H, size, D, seed=i).requires_grad_() for i, size in enumerate(sizes)]
    words = given(case, num_queries, num_keys)
    if "bias" in words:
        inputs.append(words["bias"].requires_grad_())
    attended = attention.attend(*inputs[:3], **words)
    (attended * draw(*attended.shape, seed=9)).sum().backward()
    return [attended.detach(), *(x.grad for x in inputs)]


@pytest.mark.parametrize(("num_queries", "num_keys"), [(64, 64), (37, 53), (1, 300)])
@pytest.mark.parametrize("case", ["plain", "causal", "mask", "bias", "all"])
def test_xformers_equals_torch(monkeypatch, ops, case, num_queries, num_keys):
    if num_queries == 1 and case in ("mask", "all"):
        pytest.skip("the blind query of this case is the second")
    calls = []

    class Spy:
        @staticmethod
        def memory_efficient_attention(*args, **kwargs):
            calls.append(1)
            return ops.memory_efficient_attention(*args, **kwargs)

    mine = run(monkeypatch, Spy, case, num_queries, num_keys)
    reference = run(monkeypatch, None, case, num_queries, num_keys)
    assert calls, "xformers was not used"
    for a, b in zip(mine, reference, strict=True):
        assert a.isfinite().all()
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(monkeypatch, ops, dtype):
    q, k, v = (draw(B, H, 40, D, seed=i).to(dtype) for i in range(3))
    bias = draw(H, 40, 40, seed=5)
    mine = attention.attend(q, k, v, bias=bias, causal=True)
    monkeypatch.setattr(attention, "_xformers_ops", lambda: None)
    reference = attention.attend(q, k, v, bias=bias, causal=True)
    assert mine.dtype == dtype
    torch.testing.assert_close(mine, reference, rtol=0.02, atol=0.02)
