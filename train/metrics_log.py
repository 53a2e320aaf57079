"""The figures of each epoch: metrics.jsonl, the terminal, and TensorBoard where it is installed."""

import importlib.util
import json
import sys
from pathlib import Path


def log_epoch(folder: Path, row: dict[str, float], *, cpu_s: float) -> None:
    """Add one epoch's figures to the run's files.

    Args:
        folder: of the run; TensorBoard's events come under tensorboard/, a file an epoch.
        row: its number as `epoch`, and the figures.
        cpu_s: what the epoch took.
    """
    text = json.dumps({**row, "cpu_s": round(cpu_s, 1)})
    with (folder / "metrics.jsonl").open("a") as log:
        log.write(text + "\n")
    sys.stderr.write(text + "\n")
    if importlib.util.find_spec("tensorboard"):
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(folder / "tensorboard") as board:
            for name, value in row.items():
                board.add_scalar(name, value, row["epoch"])
