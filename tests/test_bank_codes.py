import numpy as np
import pytest
import torch

from affetto.emotion import LABELS
from affetto.emotion_bank.codes import BankConfig, EmotionBank, load_bank
from affetto.emotion_bank.quantizer import QuantizerConfig, VectorQuantizer, perplexity
from affetto.emotion_bank.space import ANCHORS, priors


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters(count=600, *, num=6, seed=0):
    """Items about `num` far places, and which place each is of."""
    place = torch.arange(count) % num
    middles = 10.0 * torch.eye(num, 16)
    return middles[place] + 0.1 * torch.randn(count, 16, generator=generator(seed)), place


def learned(items, *, num_codes=6, steps=50, least_share=0.2):
    config = QuantizerConfig(num_codes=num_codes, decay=0.9, least_share=least_share)
    quantizer = VectorQuantizer(config)
    quantizer.begin(items, generator=generator(1))
    revived = 0
    for _ in range(steps):
        revived += quantizer.update(items, generator=generator(2))
    return quantizer, revived


def tiny_bank(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = BankConfig(QuantizerConfig(num_codes=11), width=8, num_heads=2)
        bank = EmotionBank(config).eval()
    bank.quantizer.get_buffer("codes").copy_(priors()[0])
    return bank


def test_codes_find_the_middles_and_are_used_evenly():
    items, place = clusters()
    quantizer, _ = learned(items)
    indices = quantizer(items).indices
    for number in range(6):
        assert len(indices[place == number].unique()) == 1
    assert perplexity(indices, num_codes=6) == pytest.approx(6.0, abs=1e-3)
    middles = torch.stack([items[indices == code].mean(dim=0) for code in range(6)])
    torch.testing.assert_close(quantizer.codes, middles, atol=5e-3, rtol=0)
    torch.testing.assert_close(quantizer.usage, torch.full((6,), 1 / 6), atol=1e-3, rtol=0)


def test_gradients_pass_straight_through_and_reach_no_code():
    items, _ = clusters()
    quantizer, _ = learned(items)
    given = items[:5].clone().requires_grad_()
    done = quantizer(given)
    torch.testing.assert_close(done.values, quantizer.codes[done.indices])
    done.values.sum().backward()
    torch.testing.assert_close(given.grad, torch.ones_like(given))
    given.grad = None
    done.commitment.backward()
    assert (given.grad != 0).any()
    assert not quantizer.codes.requires_grad


def test_quantizing_any_shape_equals_singles():
    items, _ = clusters(60)
    quantizer, _ = learned(items)
    together = quantizer(items.reshape(3, 20, 16))
    assert together.indices.shape == (3, 20)
    for i, item in enumerate(items):
        assert quantizer(item[None]).indices[0] == together.indices[i // 20, i % 20]


def test_dead_codes_begin_anew():
    items, _ = clusters()
    quantizer, _ = learned(items, steps=1)
    quantizer.get_buffer("codes")[0] = 1e3
    for _ in range(40):
        quantizer.update(items, generator=generator())
    assert quantizer.codes.abs().max() < 12
    assert float(quantizer.usage.sum()) == pytest.approx(1.0, abs=1e-4)
    stubborn, revived = learned(items, least_share=0.0)
    assert revived == 0
    assert stubborn.codes.shape == (6, 16)


def test_learning_is_repeatable():
    items, _ = clusters()
    assert torch.equal(learned(items)[0].codes, learned(items)[0].codes)
    with pytest.raises(ValueError, match=r"6 codes with 0 fixed need .* got 5 and 0"):
        learned(items[:5])


def test_fixed_codes_stay():
    items, _ = clusters()
    quantizer = VectorQuantizer(QuantizerConfig(num_codes=6, num_fixed=2))
    fixed = torch.full((2, 16), 50.0)  # far from all items: never used, and yet not revived
    quantizer.begin(items, fixed=fixed, generator=generator())
    for _ in range(300):
        quantizer.update(items, generator=generator())
    assert torch.equal(quantizer.codes[:2], fixed)
    assert quantizer.usage[:2].max() < 0.05
    with pytest.raises(ValueError, match="with 2 fixed"):
        quantizer.begin(items, generator=generator())


def test_perplexity_of_one_code_and_of_all():
    assert perplexity(torch.zeros(9, dtype=torch.long), num_codes=64) == pytest.approx(1.0)
    assert perplexity(torch.arange(64), num_codes=64) == pytest.approx(64.0)


def test_attention_goes_to_the_code_that_was_asked_for():
    bank = tiny_bank()
    mean, log_var = priors()
    condition = bank(mean, log_var)
    assert condition.vector.shape == (11, 8)
    torch.testing.assert_close(condition.weights.sum(dim=-1), torch.ones(11, 2))
    assert torch.equal(condition.weights.argmax(dim=-1), torch.arange(11)[:, None].expand(11, 2))
    logits, vad = bank.read(condition.vector)
    assert logits.shape == (11, len(LABELS))
    assert vad.shape == (11, 3)


def test_an_unsure_query_attends_broadly():
    bank = tiny_bank()
    mean, log_var = priors()
    entropies = []
    for wider in (0.0, 2.0, 4.0):
        weights = bank(mean, log_var + wider).weights.detach()
        entropies.append(float(-(weights * weights.log()).sum(dim=-1).mean()))
    assert entropies == sorted(entropies)
    assert entropies[2] > entropies[0] + 0.1


def test_bank_batch_equals_singles_and_gradients_reach_the_query():
    bank = tiny_bank()
    mean, log_var = (rows.clone().requires_grad_() for rows in priors())
    together = bank(mean, log_var).vector
    for place in range(11):
        alone = bank(mean[place : place + 1], log_var[place : place + 1]).vector[0]
        torch.testing.assert_close(alone, together[place])
    together.square().sum().backward()
    assert (mean.grad != 0).any()
    assert (log_var.grad != 0).any()
    assert np.isfinite(together.detach().numpy()).all()


def test_shipped_bank_is_the_one_the_card_speaks_of():
    bank = load_bank()
    mean, log_var = priors()
    assert torch.equal(bank.quantizer(mean).indices, torch.arange(11))
    condition = bank(mean, log_var)
    logits, vad = bank.read(condition.vector)
    assert torch.equal(logits.argmax(dim=-1), torch.arange(11))
    assert (vad - torch.from_numpy(ANCHORS)).abs().max() < 0.15
    golden = condition.vector[1, :4].numpy()
    np.testing.assert_allclose(golden, [0.21283, -0.50796, 0.36260, 0.73523], atol=1e-4)
