"""Checkpoints between epochs, as safetensors: enough to go on bit by bit as if never stopped.

Recipes draw all randomness of an epoch from (seed, epoch), so no generator's state is kept.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from affetto.errors import WeightsError
from affetto.files import staged_file


def save_checkpoint(
    path: Path, *, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, epoch: int
) -> None:
    """Write modules and optimizer after `epoch` epochs, whole or not at all.

    Args:
        path: of the file; replaced.
        modules: name -> network, for example the one that learns and the best so far.
        optimizer: whose state holds tensors only (AdamW does).
        epoch: how many are done.
    """
    tensors = {
        f"{name}/{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
    tensors = {key: value.detach().cpu().clone() for key, value in tensors.items()}
    with staged_file(path) as staged:
        save_file(tensors, staged, metadata={"epoch": str(epoch)})


def load_checkpoint(
    path: Path, *, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer
) -> int:
    """Fill modules and optimizer from `path`; gives how many epochs are done.

    Raises:
        WeightsError: not a checkpoint, or of another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            epoch = int(file.metadata()["epoch"])
        for name, module in modules.items():
            module.load_state_dict(_under(tensors, f"{name}/"))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} is not a checkpoint of this recipe: {error}") from error
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(tensors, "optimizer/").items():
        index, _, what = key.partition("/")
        state.setdefault(int(index), {})[what] = value
    whole: dict[str, Any] = {**optimizer.state_dict(), "state": state}
    optimizer.load_state_dict(whole)
    return epoch


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
