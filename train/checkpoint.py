"""Training state that can be gone on with, as safetensors and JSON: no pickle."""

import copy
import json
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from affetto.errors import BadInput
from affetto.files import staged_folder

M = TypeVar("M", bound=nn.Module)
TENSORS, RECORD = "state.safetensors", "state.json"


class Average(Generic[M]):
    """Exponential moving average of a module's parameters, with a warm-up; `module` is it.

    It stays on the device where the module was at the beginning.
    """

    def __init__(self, module: M, *, decay: float) -> None:
        """Start from the module as it is."""
        self.decay = decay
        self.count = 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: M) -> None:
        """Move towards the module's present parameters; buffers are copied."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs.to(mine.device), 1 - decay)
        for kept, given in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(given)


def save_state(
    folder: Path,
    *,
    module: nn.Module,
    average: Average[Any],
    optimizer: torch.optim.Optimizer,
    progress: dict[str, Any],
) -> None:
    """Write all that the next epoch needs; `progress` holds JSON types."""
    state = optimizer.state_dict()
    tensors = {f"module/{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in average.module.state_dict().items()}
    for number, slots in state["state"].items():
        tensors |= {f"optimizer/{number}/{slot}": value for slot, value in slots.items()}
    record = {
        "progress": progress,
        "average_count": average.count,
        "param_groups": state["param_groups"],
    }
    with staged_folder(folder) as staged:
        save_file({name: value.contiguous() for name, value in tensors.items()}, staged / TENSORS)
        (staged / RECORD).write_text(json.dumps(record))


def load_state(
    folder: Path, *, module: nn.Module, average: Average[Any], optimizer: torch.optim.Optimizer
) -> dict[str, Any]:
    """Put everything back as `save_state` found it and give its `progress`.

    Where there is no state yet: no best epoch, and number -1 as the last one done.

    Raises:
        BadInput: the state is of another network or optimizer.
    """
    if not folder.is_dir():
        return {"best": {}, "epoch": -1}
    tensors = load_file(folder / TENSORS)
    record = json.loads((folder / RECORD).read_text())
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            number, _, slot = rest.partition("/")
            slots.setdefault(int(number), {})[slot] = value
    try:
        module.load_state_dict(_under(tensors, "module/"))
        average.module.load_state_dict(_under(tensors, "average/"))
        optimizer.load_state_dict({"state": slots, "param_groups": record["param_groups"]})
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"{folder} is of another configuration: choose another out=") from error
    average.count = record["average_count"]
    progress: dict[str, Any] = record["progress"]
    return progress


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
