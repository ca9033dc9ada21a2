"""LEB128 varints: seven bits a byte, least significant first, the high bit on all but the last."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["read_varint", "write_varint"]


@kernel
def read_varint(data: npt.NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The varint that begins here and where the next one does, or what is wrong below 0."""
    value = 0
    shift = 0
    while at < data.shape[0]:
        byte: Any = np.int64(data[at])
        at += 1
        if shift > 56:
            return -3, at
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    return -1, at


@kernel
def write_varint(value: int, out: npt.NDArray[np.uint8], at: int) -> int:
    """Write a varint; where the next one begins."""
    while value >= 128:
        out[at] = np.uint8(value & 127 | 128)
        at += 1
        value >>= 7
    out[at] = np.uint8(value)
    return at + 1
