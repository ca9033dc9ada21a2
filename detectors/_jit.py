"""All numba flags in one place.

`fastmath` is off so that sums keep their order and every machine gives the same bits; `nogil` lets
a worker's other threads run; the cache makes a worker's second start fast.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import numba

from detectors._kernel_cache import make_safe

__all__ = ["KERNELS", "kernel"]

log = logging.getLogger(__name__)
#: Every kernel, so that a test can see which were compiled when.
KERNELS: list[Any] = []

_FLAGS: Final = {"nogil": True, "fastmath": False, "error_model": "numpy"}
_STAMPS: dict[int, str] = {}
_UNCACHED: list[Any] = []

F = TypeVar("F", bound=Callable[..., object])


def kernel(function: F) -> F:
    """Compile a function at its first call; the types of its arguments are those of that call."""
    try:
        compiled: F = numba.njit(cache=True, **_FLAGS)(function)
        make_safe(compiled, _STAMPS)
    except RuntimeError as error:  # numba found no folder that can be written to
        if not _UNCACHED:
            log.warning(
                "compiled kernels cannot be kept: %s. Each start compiles them anew, which takes "
                "some 30 s. Set NUMBA_CACHE_DIR to a folder that can be written to.",
                error,
            )
        compiled = numba.njit(**_FLAGS)(function)
        _UNCACHED.append(compiled)
    KERNELS.append(compiled)
    return compiled
