"""All numba flags in one place.

`fastmath` is off so that sums keep their order and every machine gives the same bits; `nogil` lets
a worker's other threads run; the cache makes a worker's second start fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

__all__ = ["KERNELS", "kernel"]

#: Every kernel, so that a test can see which were compiled when.
KERNELS: list[Any] = []

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function at its first call; the types of its arguments are those of that call."""
    compiled: F = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")(function)
    KERNELS.append(compiled)
    return compiled
