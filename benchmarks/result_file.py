"""Where a benchmark's figures go: one dated Markdown file a theme, with machine, versions and the command to repeat."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def write_result(
    theme: str, body: str, *, command: str, packages: tuple[str, ...] = ("torch", "numpy")
) -> Path:
    """Write benchmarks/results/<theme>_cpu_<date>.md and print its path."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("affetto", *packages)
    )
    foot = (
        f"\n\nMade on {datetime.date.today()} on {os.cpu_count()} cores ({platform.machine()}), "
        f"Python {platform.python_version()}, {versions}. Repeat: `{command}`\n"
    )
    path = RESULTS / f"{theme}_cpu_{datetime.date.today()}.md"
    path.write_text(body.rstrip() + foot)
    print(path)
    return path
