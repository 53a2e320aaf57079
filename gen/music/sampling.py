"""Choosing the next chord: what is allowed, temperature, nucleus, one uniform number a chord."""

import torch
from torch import Tensor

from affetto.gen.music.chords import END, NO_CHORD, PAD

IMPOSSIBLE = -1e8  # a logit below this counts as forbidden by the caller


def restrict(
    logits: Tensor,
    chords: Tensor,
    *,
    max_repeat: int | None,
    allow_no_chord: bool,
    allow_end: bool,
) -> Tensor:
    """Take away what may not come next.

    Args:
        logits: (B, 159).
        chords: (B, L) the song so far.
        max_repeat: longest run of one chord, or None. Where the ban of one more repeat would leave
            nothing possible (all else is below `IMPOSSIBLE`), it is lifted.
        allow_no_chord: whether N may be chosen.
        allow_end: whether END may be chosen.

    Returns:
        (B, 159), -inf where forbidden.
    """
    logits = logits.clone()
    logits[:, PAD] = -torch.inf
    if not allow_no_chord:
        logits[:, NO_CHORD] = -torch.inf
    if not allow_end:
        logits[:, END] = -torch.inf
    if max_repeat is None or chords.shape[1] < max_repeat:
        return logits
    last = chords[:, -1:]
    held = (chords[:, -max_repeat:] == last).all(dim=1, keepdim=True)
    banned = logits.scatter(1, last, -torch.inf)
    possible = (banned > IMPOSSIBLE).any(dim=1, keepdim=True)
    return torch.where(held & possible, banned, logits)


def choose(logits: Tensor, uniform: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """Sample by inverting the cumulated probabilities.

    Args:
        logits: (B, 159).
        uniform: (B,) float64 in [0, 1): one number decides, so equal logits give equal chords.
        temperature: divides the logits; > 0.
        top_p: keep the fewest chords that together reach this probability; in (0, 1].

    Returns:
        (B,) int64.
    """
    probs, ids = (logits.double() / temperature).softmax(dim=-1).sort(dim=-1, descending=True)
    before = probs.cumsum(dim=-1) - probs
    probs = torch.where(before < top_p, probs, 0.0)
    reached = probs.cumsum(dim=-1)
    rank = (reached <= uniform[:, None] * reached[:, -1:]).sum(dim=-1, keepdim=True)
    last = (probs > 0).sum(dim=-1, keepdim=True) - 1
    return ids.gather(1, torch.minimum(rank, last)).squeeze(1)
