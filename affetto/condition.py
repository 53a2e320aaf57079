"""ConditionTrack: the one shape in which anything reaches a generator."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ConditionTrack:
    """A padded batch of one condition over time.

    Attributes:
        values: (B, T, D) float32; unit and range as in docs/contract.md.
        mask: (B, T) bool, True where the value is real and False where it is padding or dropped.
        rate_hz: steps per second.
    """

    values: Tensor
    mask: Tensor
    rate_hz: float

    def __post_init__(self) -> None:
        """Refuse shapes that do not belong together."""
        if self.values.ndim != 3 or self.mask.shape != self.values.shape[:2]:
            raise ValueError(
                f"ConditionTrack needs values (B, T, D) and mask (B, T); "
                f"got {tuple(self.values.shape)} and {tuple(self.mask.shape)}"
            )
        if self.mask.dtype != torch.bool:
            raise ValueError(f"ConditionTrack.mask must be bool, got {self.mask.dtype}")

    def dropped(self) -> "ConditionTrack":
        """The same track with everything masked out, as if the condition were absent."""
        return ConditionTrack(
            torch.zeros_like(self.values), torch.zeros_like(self.mask), self.rate_hz
        )


Conditions = dict[str, ConditionTrack]


def cut(conditions: Conditions, first: int, last: int) -> Conditions:
    """The conditions from step `first` to before `last`, as far as there are such steps."""
    return {
        name: ConditionTrack(one.values[:, first:last], one.mask[:, first:last], one.rate_hz)
        for name, one in conditions.items()
    }
