"""Guidance with three knobs: how strongly speech and emotion are followed, and how lively it is.

Nested, as FLOAT (Ki et al. 2025) and Xemo-Talker do: speech outside, emotion inside, each with a
knob of its own:

    clean = none + speech (heard - none) + emotion (heard and felt - heard)

where `none` hears nothing, `heard` hears the speech with the base alone, and `heard and felt` has
the emotion branch too. At 1 a knob is plain, and what then has no weight is not computed. The third
knob, liveliness, is a condition that the network was trained with. Classifier-free guidance: Ho and
Salimans 2022.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from affetto.gen.portrait.motion.network import MotionDenoiser, Window

LARGEST = 4.0
LARGEST_LIVELINESS = 2.0


@dataclass(frozen=True)
class Guidance:
    """The knobs.

    Attributes:
        speech: 0 not heard, 1 plain, at most 4.
        emotion: 0 not felt, 1 plain, at most 4.
        liveliness: of head, brows and gaze: 0 none, 1 natural, at most 2.
    """

    speech: float = 1.0
    emotion: float = 1.0
    liveliness: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the network cannot follow."""
        knobs = {"speech": self.speech, "emotion": self.emotion}
        for name, value in knobs.items():
            if not 0 <= value <= LARGEST:
                raise ValueError(f"{name} guidance must lie in [0, {LARGEST:g}], got {value}")
        if not 0 <= self.liveliness <= LARGEST_LIVELINESS:
            raise ValueError(
                f"liveliness must lie in [0, {LARGEST_LIVELINESS:g}], got {self.liveliness}"
            )

    @property
    def weights(self) -> tuple[float, float, float]:
        """Of none, heard, heard and felt; they sum to 1."""
        return 1.0 - self.speech, self.speech - self.emotion, self.emotion


class Guided:
    """A window's clean motion under guidance, at any noise level."""

    def __init__(self, net: MotionDenoiser, window: Window, guidance: Guidance) -> None:
        """Prepare the branches that have weight.

        Args:
            net: in eval mode.
            window: one item (B = 1), with the emotion.
            guidance: the knobs.
        """
        none, heard, felt = guidance.weights
        liveliness = torch.full_like(window.liveliness, guidance.liveliness)
        whole = replace(window, liveliness=liveliness)
        plain = replace(whole, emotion=None)
        deaf = replace(plain, heard=torch.zeros_like(window.heard))
        self.net = net
        # What shares the base goes through it together; the emotion branch runs on its own items.
        self.parts = [
            (torch.tensor(shares), part, net.listen(part))
            for shares, part in (
                ([one for one in (none, heard) if one], _stacked(deaf, plain, none, heard)),
                ([felt] if felt else [], whole),
            )
            if shares
        ]

    def __call__(self, noisy: Tensor, level: float) -> Tensor:
        """(1, F, C) noisy, scaled -> (1, F, C) clean, scaled."""
        out = torch.zeros_like(noisy)
        for shares, part, sound in self.parts:
            levels = noisy.new_full((len(shares),), level)
            clean = self.net(noisy.expand(len(shares), -1, -1), levels, part, sound=sound)
            out = out + (shares.to(clean)[:, None, None] * clean).sum(dim=0, keepdim=True)
        return out


def _stacked(deaf: Window, plain: Window, none: float, heard: float) -> Window:
    """The items of the base that have weight, as one batch."""
    chosen = [one for one, weight in ((deaf, none), (plain, heard)) if weight]
    if not chosen:
        return plain
    return Window(
        sound=torch.cat([one.sound for one in chosen]),
        heard=torch.cat([one.heard for one in chosen]),
        liveliness=torch.cat([one.liveliness for one in chosen]),
        emotion=None,
        present=torch.cat([one.present for one in chosen]),
        known=torch.cat([one.known for one in chosen]),
    )
