"""Progress on stderr: what is happening, how far, how long. Any front end may give a callback."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# (what is happening, share done in 0..1)
Report = Callable[[str, float], None]


def silent(_what: str, _share: float) -> None:
    """Report nothing."""


@contextmanager
def bar(*, quiet: bool) -> Iterator[Report]:
    """A bar with time left on stderr; plain lines where it is no terminal; nothing when quiet."""
    if quiet:
        yield silent
    elif not sys.stderr.isatty():
        yield _Lines()
    else:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("starting", total=1.0)
            yield lambda what, share: progress.update(task, description=what, completed=share)


class _Lines:
    """One line for each new step."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, what: str, share: float) -> None:
        if what != self.last:
            print(f"{share:4.0%}  {what}", file=sys.stderr, flush=True)
            self.last = what
