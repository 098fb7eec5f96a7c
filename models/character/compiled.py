"""Numba's decorators as this package uses them. The type checks that tests wrap round functions are taken off."""

import inspect
from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compiled once and kept on disk. Fast arithmetic: nothing here depends on NaN or on the order of sums."""
    return cast(F, njit(cache=True, nogil=True, fastmath=True)(inspect.unwrap(function)))


def specialised(function: F) -> F:
    """Compiled anew for every compiled function that it is given as an argument, hence not kept on disk."""
    return cast(F, njit(nogil=True, fastmath=True)(inspect.unwrap(function)))
