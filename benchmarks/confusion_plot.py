"""A table of confusions drawn as shares of its rows."""

from collections.abc import Sequence

import numpy as np

DARK = 55.0  # per cent from which a cell's number is white
SHOWN = 0.5  # per cent from which a cell has a number


def draw_shares(axis, table: np.ndarray, names: Sequence[str]) -> None:
    """Fill matplotlib axes with a (K, K) table of counts; rows are what was wanted, with their number."""
    counts = table.sum(axis=1)
    shares = 100 * table / counts[:, None]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for (row, column), share in np.ndenumerate(shares):
        if share >= SHOWN:
            colour = "white" if share > DARK else "black"
            axis.text(
                column, row, f"{share:.0f}", ha="center", va="center", color=colour, fontsize=8
            )
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
    rows = [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]
    axis.set_yticks(range(len(names)), rows)
