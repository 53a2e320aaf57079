import numpy as np
import pytest
import torch

from affetto.emotion import EmotionEmbedding, fuse
from affetto.gaussian import LOG_VAR_RANGE, product_of_experts, sample, wasserstein


def embedding(seed=0, width=4):
    rng = np.random.default_rng(seed)
    return EmotionEmbedding(rng.normal(size=width), rng.uniform(-2, 1, size=width))


def test_samples_have_the_mean_and_spread_and_repeat():
    one = embedding()
    drawn = one.sample(np.random.default_rng(3), num=20_000)
    assert drawn.shape == (20_000, 4)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(axis=0), one.mean, atol=0.05)
    np.testing.assert_allclose(np.log(drawn.var(axis=0)), one.log_var, atol=0.05)
    np.testing.assert_array_equal(drawn[:5], one.sample(np.random.default_rng(3), num=5))


def test_samples_of_tensors_carry_gradients_and_repeat():
    mean = torch.zeros(3, 4, requires_grad=True)
    log_var = torch.zeros(3, 4, requires_grad=True)
    draws = [sample(mean, log_var, generator=torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(*draws)
    draws[0].square().sum().backward()
    assert (mean.grad != 0).all()
    assert (log_var.grad != 0).all()


def test_distance_is_a_metric():
    a, b, c = (embedding(seed) for seed in range(3))
    assert a.distance(a) == 0
    assert a.distance(b) == pytest.approx(b.distance(a))
    assert a.distance(c) <= a.distance(b) + b.distance(c)
    moved = EmotionEmbedding(a.mean + np.array([3, 0, 4, 0]), a.log_var)
    assert a.distance(moved) == pytest.approx(5.0, abs=1e-5)
    certain = EmotionEmbedding(a.mean, np.full(4, -60.0))
    assert np.isfinite(a.distance(certain))


def test_distances_batch_equals_singles():
    rows = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    together = wasserstein(*rows)
    assert together.shape == (5,)
    for place in range(5):
        torch.testing.assert_close(wasserstein(*rows[:, place]), together[place])


def test_fusion_adds_precisions_and_weighs_means():
    a, b = embedding(0), embedding(1)
    both = fuse([a, None, b])
    precision = np.exp(-a.log_var) + np.exp(-b.log_var)
    np.testing.assert_allclose(np.exp(-both.log_var), precision, rtol=1e-5)
    middle = (np.exp(-a.log_var) * a.mean + np.exp(-b.log_var) * b.mean) / precision
    np.testing.assert_allclose(both.mean, middle, rtol=1e-4, atol=1e-6)
    again = fuse([b, a])
    np.testing.assert_allclose(again.mean, both.mean, rtol=1e-5)
    alone = fuse([None, a])
    np.testing.assert_allclose(alone.mean, a.mean, atol=1e-6)
    np.testing.assert_allclose(alone.log_var, a.log_var, atol=1e-6)
    with pytest.raises(ValueError, match="every embedding is missing"):
        fuse([None, None])


def test_a_missing_expert_drops_out_whatever_it_holds():
    mean = torch.tensor([[1.0, 2.0], [float("nan"), 7.0], [3.0, 4.0]]).requires_grad_()
    log_var = torch.tensor([[0.0, 0.0], [float("inf"), 0.0], [0.0, 0.0]]).requires_grad_()
    present = torch.tensor([True, False, True])
    fused, fused_log_var = product_of_experts(mean, log_var, present)
    torch.testing.assert_close(fused, torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(fused_log_var, torch.full((2,), -np.log(2.0)).float())
    (fused.sum() + fused_log_var.sum()).backward()
    assert torch.isfinite(mean.grad).all()
    assert torch.isfinite(log_var.grad).all()
    none, widest = product_of_experts(mean, log_var, torch.zeros(3, dtype=torch.bool))
    assert (none == 0).all()
    assert (widest == LOG_VAR_RANGE[1]).all()
