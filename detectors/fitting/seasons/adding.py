"""Rows of a table added up by group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["added"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@kernel
def _add(rows: Floats, to: Ints, out: Floats) -> None:
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            out[to[i], j] += rows[i, j]


def added(rows: Floats, to: Ints, size: int) -> Floats:
    """Sums of rows by the group of each, added in their order.

    Parameters
    ----------
    rows : float64[n] or float64[n, k]
        What is added up.
    to : int64[n]
        Group of each row.
    size : int
        How many groups there are.
    """
    out = np.zeros((size, *rows.shape[1:]))
    flat, sums = (rows, out) if rows.ndim == 2 else (rows[:, None], out[:, None])
    _add(np.ascontiguousarray(flat), np.ascontiguousarray(to), sums)
    return out
