"""Multinomial logistic regression on fixed features: convex, one best head for given data."""

import torch
from torch import Tensor
from torch.nn import functional

ENOUGH_ROWS = 5000  # of which the directions of greatest spread are taken


def fit_logistic(
    features: Tensor,
    targets: Tensor,
    *,
    num_labels: int,
    penalty: float,
    balance: float = 1.0,
    rank: int = 400,
    steps: int = 60,
) -> tuple[Tensor, Tensor]:
    """Weights (K, F) and biases (K,) of least weighted cross-entropy + penalty / 2 * |weights|^2.

    Args:
        features: (M, F), centred and scaled.
        targets: (M,) labels.
        num_labels: K; a label that is nowhere in `targets` gets a bias of -20.
        penalty: on the squared weights, with the cross-entropy a mean: 1 / (C M) of other tools.
        balance: an item counts as its label's number of items to the power of -balance: at 1 all
            labels count alike, at 0 all items.
        rank: directions of the greatest spread that are fitted; what lies outside them the
            penalty would hold near 0 anyway.
        steps: of L-BFGS, at most.
    """
    basis = principal_basis(features[:: 1 + len(features) // ENOUGH_ROWS], rank=rank)  # (F, R)
    reduced = features @ basis
    counts = torch.bincount(targets, minlength=num_labels).to(features.dtype)
    share = counts.clamp(min=1.0)[targets] ** -balance
    share = share / share.sum()
    matrix = torch.zeros(num_labels, reduced.shape[1], requires_grad=True)
    biases = torch.where(counts > 0, 0.0, -20.0).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [matrix, biases],
        max_iter=steps,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = reduced @ matrix.T + biases
        entropy = functional.cross_entropy(logits, targets, reduction="none")
        total: Tensor = (entropy * share).sum() + penalty / 2 * matrix.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return matrix.detach() @ basis.T, biases.detach()


def principal_basis(features: Tensor, *, rank: int, passes: int = 2) -> Tensor:
    """(F, R) orthonormal directions that hold nearly all spread of features (M, F).

    Randomised subspace iteration (Halko, Martinsson and Tropp 2011, algorithm 4.4), own generator.
    """
    generator = torch.Generator().manual_seed(0)
    width = min(rank, *features.shape)
    basis = torch.randn(features.shape[1], width, generator=generator)
    for _ in range(passes):
        basis = torch.linalg.qr(features.T @ (features @ basis)).Q
    return basis


def fit_temperature(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> float:
    """What to divide logits (M, K) by for least cross-entropy (Guo et al. 2017, section 4.2).

    Args:
        logits: of items that were not trained on.
        targets: (M,) their labels.
        weights: (M,) of the items; None counts them alike.
    """
    share = torch.ones(len(logits)) if weights is None else weights
    choices = torch.logspace(-1.0, 1.0, 201)
    losses = [
        float((functional.cross_entropy(logits / choice, targets, reduction="none") * share).sum())
        for choice in choices
    ]
    return float(choices[int(torch.tensor(losses).argmin())])
