"""Vector quantizer: a small set of codes that stand for all emotions.

After van den Oord et al. 2017 with the moving-average update of their appendix A.1 (no gradient
reaches the codes) and the revival of dead codes by items of the batch (Dhariwal et al. 2020). Some
codes may be given and stay, so that what they stand for is known beforehand.
DICE-Talk's released bank draws its 64 codes uniformly and uses no moving average. Letters: N items,
K codes, D dimensions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class QuantizerConfig:
    """Size and pace.

    Attributes:
        num_codes: K.
        width: D.
        decay: of the moving averages, an update.
        least_share: a code used less than this share of 1/K is dead and begins anew.
        num_fixed: the first so many codes are given and stay where they are.
        balance: how much a busy code stands back in learning, 0 for not at all.
    """

    num_codes: int = 64
    width: int = 16
    num_fixed: int = 0
    balance: float = 1.5
    decay: float = 0.99
    least_share: float = 0.2


@dataclass(frozen=True)
class Quantized:
    """What became of items.

    Attributes:
        values: (..., D) the nearest codes; gradients pass straight through to the items.
        indices: (...,) long, which codes.
        commitment: scalar, mean squared distance of the items to their codes; gradients reach the
            items alone. Weigh it by 0.25 as in the paper.
    """

    values: Tensor
    indices: Tensor
    commitment: Tensor


class VectorQuantizer(nn.Module):
    """Codes (K, D) and their usage; call it to quantize, `update` to learn."""

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("codes", torch.zeros(config.num_codes, config.width))
        self.register_buffer("usage", torch.full((config.num_codes,), 1.0 / config.num_codes))

    def forward(self, items: Tensor) -> Quantized:
        """The nearest code of each item (..., D); of equally near ones the first."""
        codes = self.get_buffer("codes")
        distances = torch.cdist(
            items.reshape(-1, items.shape[-1]),
            codes,
            compute_mode="donot_use_mm_for_euclid_dist",  # a batch then equals its singles
        )  # (N, K)
        indices = distances.argmin(dim=-1).reshape(items.shape[:-1])
        nearest = codes[indices]
        commitment = functional.mse_loss(items, nearest, reduction="none").sum(dim=-1).mean()
        return Quantized(items + (nearest - items).detach(), indices, commitment)

    def begin(
        self, items: Tensor, *, fixed: Tensor | None = None, generator: torch.Generator
    ) -> None:
        """Start from the fixed codes and items out of (N, D), each drawn far from those before.

        Args:
            items: (N, D).
            fixed: (num_fixed, D), needed where there are fixed codes.
            generator: of the draws.

        Raises:
            ValueError: fewer than K items, or another number of fixed codes than configured.

        Source:
            k-means++, Arthur and Vassilvitskii 2007.
        """
        num_codes, num_fixed = self.config.num_codes, self.config.num_fixed
        codes = items[:0] if fixed is None else fixed
        if len(items) < num_codes or len(codes) != num_fixed:
            raise ValueError(
                f"{num_codes} codes with {num_fixed} fixed need as many items and those codes, "
                f"got {len(items)} and {len(codes)}"
            )
        for _ in range(num_codes - num_fixed):
            nearest = (
                torch.cdist(items, codes).amin(dim=1) if len(codes) else torch.ones(len(items))
            )
            drawn = int(torch.multinomial(nearest**2 + 1e-12, 1, generator=generator))
            codes = torch.cat([codes, items[drawn : drawn + 1]])
        self.get_buffer("codes").copy_(codes)
        self.get_buffer("usage").fill_(1.0 / num_codes)

    @torch.no_grad()
    def update(self, items: Tensor, *, generator: torch.Generator) -> int:
        """Move the free codes towards the means of their items (N, D); gives how many were revived.

        Here, and only here, a squared distance counts (K usage)^balance-fold, so that codes gather
        where items are many and all come into use (frequency-sensitive competitive learning, Ahalt
        et al. 1990, whose exponent is 1).
        """
        codes, usage = self.get_buffer("codes"), self.get_buffer("usage")
        free = torch.arange(len(codes), device=codes.device) >= self.config.num_fixed
        decay, count = self.config.decay, self.config.num_codes
        busy = (count * usage).clamp(min=1e-3) ** self.config.balance
        indices = (torch.cdist(items, codes) ** 2 * busy).argmin(dim=-1)
        hits = functional.one_hot(indices, count).to(items.dtype)  # (N, K)
        fresh = hits.mean(dim=0)
        sums = decay * usage[:, None] * codes + (1.0 - decay) * (hits.T @ items) / len(items)
        usage.mul_(decay).add_(fresh, alpha=1.0 - decay)
        codes[free] = (sums / usage[:, None])[free]
        dead = free & (usage < self.config.least_share / count)
        revived = int(dead.sum())
        if revived:
            drawn = torch.randint(len(items), (revived,), generator=generator)
            codes[dead] = items[drawn]
            usage[dead] = 1.0 / count
            usage.div_(usage.sum())
        return revived


def perplexity(indices: Tensor, *, num_codes: int) -> float:
    """How many codes are in use as if equally often: exp of the entropy of the usage, in [1, K]."""
    shares = torch.bincount(indices.flatten(), minlength=num_codes).double() / indices.numel()
    return float(torch.exp(-(shares * shares.clamp(min=1e-12).log()).sum()))
