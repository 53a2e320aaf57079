"""Compilation of the renderer's inner loops, kept on disk where there is a place to keep it."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(loop: Callable[P, R]) -> Callable[P, R]:
    """A loop compiled at its first call.

    What was compiled is kept beside the package or, where that is read-only, in the home's cache
    folder. Where neither can be written (a container, another user) every process compiles anew,
    some seconds; a shared temporary folder would let others plant code there.
    """
    compile_loop: Any = njit
    try:
        kept: Callable[P, R] = compile_loop(cache=True)(loop)
    except RuntimeError:  # numba: no locator available
        kept = compile_loop(loop)
    return kept
