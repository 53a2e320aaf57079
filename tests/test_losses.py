"""Contrast between modalities, triplets with a margin of their own, spread."""

import math

import pytest
import torch

from affetto.train.losses import adaptive_triplet, pairwise_contrast, spread_loss


def rows(seed, count=6, width=8):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_pairs_that_belong_cost_less_than_strangers():
    one = rows(0)
    paired = pairwise_contrast({"voice": one, "face": 3 * one}, temperature=0.05)
    crossed = pairwise_contrast({"voice": one, "face": one.roll(1, 0)}, temperature=0.05)
    assert paired < 0.1 < crossed
    alike = pairwise_contrast({"voice": torch.ones(6, 8), "face": torch.ones(6, 8)})
    assert alike == pytest.approx(math.log(6), abs=1e-5)


def test_three_modalities_are_three_pairs():
    parts = {"voice": rows(0), "face": rows(1), "text": rows(2)}
    pairs = [("voice", "face"), ("voice", "text"), ("face", "text")]
    apart = sum(pairwise_contrast({name: parts[name] for name in pair}) for pair in pairs)
    torch.testing.assert_close(pairwise_contrast(parts), apart)


def test_items_without_a_modality_sit_out():
    parts = {"voice": rows(0), "face": rows(1)}
    there = {"voice": torch.tensor([True] * 5 + [False]), "face": torch.tensor([True] * 6)}
    short = pairwise_contrast({name: value[:5] for name, value in parts.items()})
    torch.testing.assert_close(pairwise_contrast(parts, there), short)
    nobody = {name: torch.zeros(6, dtype=torch.bool) for name in parts}
    assert pairwise_contrast(parts, nobody) == 0
    with pytest.raises(ValueError, match="two modalities"):
        pairwise_contrast({"voice": rows(0)})


def test_triplets_cost_less_where_like_lie_closer_than_unlike():
    anchor, other = torch.eye(4)[:1], torch.eye(4)[1:2]
    right = adaptive_triplet(anchor, anchor, other)
    wrong = adaptive_triplet(anchor, other, anchor)
    assert wrong > 0
    d = math.sqrt(2)
    # d_ap = d, d_an = 0, d_pn = d
    expected = d - d / 2 + 2 + 2 * math.exp(-4 * d) + 2 * math.exp(-4)
    assert wrong == pytest.approx(expected, abs=1e-4)
    # d_ap = 0, d_an = d_pn = d
    assert right == pytest.approx(-d + 2 + 2 + 2 * math.exp(4 * d - 4), abs=1e-3)


def test_the_spread_tells_collapse_and_repetition():
    free = rows(0, count=4000)
    assert spread_loss(free) < 0.05
    assert spread_loss(torch.zeros(10, 8)) > 0.9
    assert spread_loss(free[:, :1].expand(-1, 8)) > 3
