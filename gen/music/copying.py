"""Copying from earlier in the song: pointers over what was played, mixed into the next-chord odds.

Source: pointer networks (See et al. 2017, "Get to the point", section 2.2), with two pointers whose
scores add content, distance and the pair features of repetition.py (an in-song n-gram cache with
learned weights). B batch, Q new steps, K steps so far, P pointers.
"""

import torch
from einops import rearrange
from torch import Tensor, nn

from affetto.attention import attend
from affetto.gen.music.chords import NUM_CHORDS
from affetto.gen.music.layers import KeyValues, distances_back, relative_scores
from affetto.gen.music.repetition import NUM_PAIR_FEATURES, Repeats

NUM_POINTERS = 2
POINTER_DIM = 32
FLOOR = 1e-9


class CopyHead(nn.Module):
    """Mixes the network's own distribution with what the pointers found."""

    def __init__(self, dim: int, max_distance: int) -> None:
        super().__init__()
        self.qk = nn.Linear(dim, 2 * NUM_POINTERS * POINTER_DIM)
        self.distances = nn.Parameter(0.02 * torch.randn(max_distance, POINTER_DIM))
        self.match = nn.Linear(NUM_PAIR_FEATURES, NUM_POINTERS)
        self.gate = nn.Linear(dim + NUM_PAIR_FEATURES, 1 + NUM_POINTERS)

    def forward(
        self,
        x: Tensor,
        logits: Tensor,
        chords: Tensor,
        heard: Repeats,
        *,
        cache: KeyValues | None = None,
    ) -> Tensor:
        """Log-probabilities (B, Q, 159) of the mixture.

        Args:
            x: (B, Q, dim) the decoder's output.
            logits: (B, Q, 159) its own opinion.
            chords: (B, Q) the new steps' chords.
            heard: of the new steps.
            cache: earlier steps' keys and chords; the new ones are appended.
        """
        q, k = rearrange(self.qk(x), "b t (n p d) -> n b p t d", n=2, p=NUM_POINTERS)
        played = nn.functional.one_hot(chords, NUM_CHORDS).to(x.dtype)
        v = played[:, None].expand(-1, NUM_POINTERS, -1, -1)
        if cache is not None:
            k, v = cache.add(k, v)
            back = cache.distances_back(self.distances)
        else:
            back = distances_back(self.distances, k.shape[2])
        bias = rearrange(self.match(heard.pairs), "b q k p -> b p q k")
        bias = bias + relative_scores(q, back)
        copied = attend(q, k, v, bias=bias, causal=True)  # (B, P, Q, 159), sums to 1
        gates = self.gate(torch.cat([x, heard.best], dim=-1)).softmax(dim=-1)
        mixed = gates[..., :1] * logits.softmax(dim=-1)
        mixed = mixed + torch.einsum("bqp,bpqc->bqc", gates[..., 1:], copied)
        log_probs: Tensor = mixed.clamp(min=FLOOR).log()
        return log_probs
