"""Where a recipe runs: on one CPU, or on the devices that `accelerate launch` gives it.

    accelerate launch --num_processes 4 -m affetto.apps.cli train music_chords data.root=...

Every worker draws the same batches and takes its share of each one's songs, so that the schedule,
the number of steps and the songs of a step are those of one CPU. The average and its scores are
computed by each worker on the CPU; files are written by the first alone.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

T = TypeVar("T")


class Workers:
    """The processes that train together.

    Attributes:
        index: of this one.
        count: of all.
        device: of this one.
    """

    def __init__(self) -> None:
        """Join the others where `accelerate launch` has started this process."""
        self._accelerator = None
        self.index, self.count, self.device = 0, 1, torch.device("cpu")
        if "ACCELERATE_MIXED_PRECISION" in os.environ:  # set by every `accelerate launch`
            from accelerate import Accelerator

            self._accelerator = Accelerator(mixed_precision="no")
            self.index = self._accelerator.process_index
            self.count = self._accelerator.num_processes
            self.device = self._accelerator.device

    @property
    def first(self) -> bool:
        """Whether this one writes the files."""
        return self.index == 0

    def prepare(
        self, module: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The module to call, of the same parameters, and the optimizer to step."""
        if self._accelerator is None:
            return module, optimizer
        prepared = self._accelerator.prepare(module, optimizer)
        return cast(tuple[nn.Module, torch.optim.Optimizer], prepared)

    def backward(self, loss: Tensor) -> None:
        """Gradients of the workers' mean loss."""
        if self._accelerator is None:
            torch.autograd.backward(loss)
        else:
            self._accelerator.backward(loss)

    def mean(self, loss: Tensor) -> float:
        """The workers' mean of a scalar."""
        if self._accelerator is None:
            return float(loss.detach())
        return float(self._accelerator.reduce(loss.detach(), reduction="mean"))

    def moved(self, batch: T) -> T:
        """A batch (dataclass) with all its tensors on this worker's device."""
        return cast(T, _moved(batch, self.device))


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {name: _moved(part, device) for name, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return dataclasses.replace(
            value, **{name: _moved(part, device) for name, part in parts.items()}
        )
    return value
