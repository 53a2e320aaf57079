"""Which tokens are hidden in pre-training: tubes of the video, any tokens of the sound.

As in HiCMAE (arXiv 2401.05698): 90 % of the video's places, hidden in all time slots alike, and
80 % of the sound's tokens. A mask is bool, True where hidden; every item hides equally many, so
that the visible ones of a batch make a tensor. Letters: B items, N tokens.
"""

import torch
from torch import Tensor

VIDEO_HIDDEN = 0.9
SOUND_HIDDEN = 0.8


def random_mask(
    num_items: int, num_tokens: int, *, generator: torch.Generator, hidden: float = SOUND_HIDDEN
) -> Tensor:
    """Mask (B, N) on the generator's device: `hidden` of the tokens, rounded down, at random.

    Raises:
        ValueError: if none or all would be hidden.
    """
    num_hidden = int(hidden * num_tokens)
    if not 0 < num_hidden < num_tokens:
        raise ValueError(
            f"{hidden:g} of {num_tokens} tokens hides {num_hidden}: hide some and leave some"
        )
    draws = torch.rand(num_items, num_tokens, generator=generator, device=generator.device)
    return draws.argsort(dim=1).argsort(dim=1) < num_hidden


def tube_mask(
    num_items: int,
    grid: tuple[int, int, int],
    *,
    generator: torch.Generator,
    hidden: float = VIDEO_HIDDEN,
) -> Tensor:
    """Mask (B, N) of a grid (time, height, width), N its product: the same places at all times.

    Raises:
        ValueError: if none or all would be hidden.
    """
    num_times, height, width = grid
    places = random_mask(num_items, height * width, generator=generator, hidden=hidden)
    return places.repeat(1, num_times)


def visible(tokens: Tensor, mask: Tensor) -> Tensor:
    """The tokens (B, N, C) that the mask (B, N) does not hide, in their order."""
    return tokens[~mask].reshape(tokens.shape[0], -1, tokens.shape[-1])
