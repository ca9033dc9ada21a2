"""Counts as bytes: for each non-zero position the gap from the last one and the count, as varints.

Most bins of a pane are empty, so this is a tenth of the flat vector or less. LEB128 varints: seven
bits a byte, least significant first, the high bit set on all but the last byte. No count and no sum
is above `MAX_COUNT`, so nothing overflows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = [
    "MAX_COUNT",
    "add_encoded",
    "decode_counts",
    "decode_sparse",
    "encode_counts",
    "encode_sparse",
]

#: The largest count: sums of squared scores of billions of items stay below it, too.
MAX_COUNT: Final = 2**62
_LONGEST: Final = 9  # bytes of a varint below 2**63; gaps are far smaller


@kernel
def _encode(counts: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> int:
    """Write to `out`; the number of bytes, or -1 if a count is out of bounds."""
    at = 0
    last = -1
    for i in range(counts.shape[0]):
        if counts[i] != 0:
            if counts[i] < 0 or counts[i] > MAX_COUNT:
                return -1
            for value in (i - last - 1, counts[i]):
                rest = value
                while rest >= 128:
                    out[at] = np.uint8(rest & 127 | 128)
                    at += 1
                    rest >>= 7
                out[at] = np.uint8(rest)
                at += 1
            last = i
    return at


@kernel
def _add(data: npt.NDArray[np.uint8], out: npt.NDArray[np.int64]) -> int:
    """Add to `out`; 0, or what is wrong: 1 truncated, 2 too wide, 3 too large."""
    at = 0
    position = np.int64(-1)
    size = data.shape[0]
    while at < size:
        gap = np.int64(0)
        count = np.int64(0)
        for which in range(2):
            value = np.int64(0)
            shift = 0
            while True:
                if at >= size:
                    return 1
                byte = np.int64(data[at])
                at += 1
                if shift > 56:
                    return 3
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            if which == 0:
                gap = value
            else:
                count = value
        if gap < 0 or gap >= out.shape[0] - position - 1:
            return 2
        position += gap + 1
        if count < 0 or count > MAX_COUNT or out[position] > MAX_COUNT - count:
            return 3
        out[position] += count
    return 0


_WRONG: Final = {
    1: "ends in the middle of a number",
    2: "names a bin beyond the layout",
    3: "holds or adds up to too large a count",
}


def encode_counts(counts: npt.NDArray[np.int64]) -> bytes:
    """Encode a vector of counts, int64[width].

    Raises
    ------
    ValueError
        If a count is negative or above `MAX_COUNT`.
    """
    out = np.empty(2 * _LONGEST * int(np.count_nonzero(counts)) + 1, np.uint8)
    size = _encode(counts, out)
    if size < 0:
        raise ValueError(
            f"counts must be 0 to 2**62; got {int(counts.min())} to {int(counts.max())}"
        )
    return out[:size].tobytes()


def add_encoded(data: bytes, out: npt.NDArray[np.int64]) -> None:
    """Add encoded counts to `out`, int64[width], in place.

    Raises
    ------
    ValueError
        If the bytes are not an encoding for this width; `out` is then of no more use.
    """
    if wrong := _add(np.frombuffer(data, np.uint8), out):
        raise ValueError(
            f"encoded counts of {len(data)} bytes for {out.size} bins: {_WRONG[wrong]}"
        )


def decode_counts(data: bytes, width: int) -> npt.NDArray[np.int64]:
    """Inverse of `encode_counts`: int64[width]."""
    out = np.zeros(width, np.int64)
    add_encoded(data, out)
    return out


def encode_sparse(positions: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> bytes:
    """Encode counts at rising positions of a vector that is too long to be made.

    Raises
    ------
    ValueError
        If a count is not 1 to `MAX_COUNT`, or positions are negative or do not rise.
    """
    gaps = np.diff(positions, prepend=-1) - 1
    if positions.size and (gaps.min() < 0 or counts.min() < 1 or counts.max() > MAX_COUNT):
        raise ValueError("positions must rise from 0 on and counts be 1 to 2**62.")
    values = np.stack([gaps, counts], axis=1).ravel()
    out = np.empty(_LONGEST * values.size + 1, np.uint8)
    return out[: _write(values, out)].tobytes()


def decode_sparse(
    data: bytes, most: int, end: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Inverse of `encode_sparse`: positions below `end` and their counts.

    Raises
    ------
    ValueError
        If the bytes are no encoding of at most `most` such counts.
    """
    values = np.empty(2 * most, np.int64)
    size = _read(np.frombuffer(data, np.uint8), values)
    if size < 0 or size % 2:
        raise ValueError(f"encoded counts of {len(data)} bytes: not at most {most} whole pairs")
    gaps, counts = values[:size:2], values[1:size:2]
    if (gaps >= end).any():
        raise ValueError(f"encoded counts of {len(data)} bytes: {_WRONG[2]}")
    positions = np.cumsum(gaps + 1) - 1
    if size and (positions[-1] >= end or counts.min() < 1 or counts.max() > MAX_COUNT):
        raise ValueError(f"encoded counts of {len(data)} bytes: a place or count out of bounds")
    return positions, counts.copy()


@kernel
def _write(values: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> int:
    """Varints of values; the number of bytes."""
    at = 0
    for value in values:
        rest = value
        while rest >= 128:
            out[at] = np.uint8(rest & 127 | 128)
            at += 1
            rest >>= 7
        out[at] = np.uint8(rest)
        at += 1
    return at


@kernel
def _read(data: npt.NDArray[np.uint8], out: npt.NDArray[np.int64]) -> int:
    """Inverse of `_write`; the number of values, or -1 if they are no varints or too many."""
    size = 0
    value = np.int64(0)
    shift = 0
    for i in range(data.shape[0]):
        byte = np.int64(data[i])
        if shift > 56 or size == out.shape[0]:
            return -1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out[size] = value
            size += 1
            value = np.int64(0)
            shift = 0
    return -1 if shift else size
