"""Counts as bytes: for each non-zero position the gap from the last one and the count, as varints.

Most bins of a pane are empty, so this is a tenth of the flat vector or less. No count and no sum is
above `MAX_COUNT`, so nothing overflows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.varints import read_varint, write_varint

__all__ = [
    "MAX_COUNT",
    "add_encoded",
    "check_counts",
    "decode_counts",
    "decode_sparse",
    "encode_counts",
    "encode_sparse",
    "first_count",
    "merge_encoded",
]

#: The largest count: sums of squared scores of billions of items stay below it, too.
MAX_COUNT: Final = 2**62
_LONGEST: Final = 9  # bytes of a varint below 2**63; gaps are far smaller
_NOWHERE: Final = 2**62  # beyond every position


@kernel
def _encode(counts: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]) -> int:
    """Write to `out`; the number of bytes, or -1 if a count is out of bounds."""
    at = 0
    last = -1
    for i in range(counts.shape[0]):
        if counts[i] != 0:
            if counts[i] < 0 or counts[i] > MAX_COUNT:
                return -1
            at = write_varint(i - last - 1, out, at)
            at = write_varint(counts[i], out, at)
            last = i
    return at


@kernel
def _add(data: npt.NDArray[np.uint8], out: npt.NDArray[np.int64]) -> int:
    """Add to `out`; 0, or what is wrong: 1 truncated, 2 too wide, 3 too large."""
    at = 0
    position = -1
    while at < data.shape[0]:
        gap, at = read_varint(data, at)
        if gap < 0:
            return -gap
        count, at = read_varint(data, at)
        if count < 0:
            return -count
        if gap >= out.shape[0] - position - 1:
            return 2
        position += gap + 1
        if count > MAX_COUNT or out[position] > MAX_COUNT - count:
            return 3
        out[position] += count
    return 0


@kernel
def _check(data: npt.NDArray[np.uint8], width: int, most: int, counted: int) -> int:
    """What `_add` would return for so many zeros, or 4 if one of the first is above `most`."""
    at = 0
    position = greatest = -1
    while at < data.shape[0]:
        gap, at = read_varint(data, at)
        if gap < 0:
            return -gap
        count, at = read_varint(data, at)
        if count < 0:
            return -count
        if gap >= width - position - 1:
            return 2
        position += gap + 1
        if count > MAX_COUNT:
            return 3
        if position < counted:
            greatest = max(greatest, count)
    return 4 if greatest > most else 0


@kernel
def _pair(data: npt.NDArray[np.uint8], at: int, last: int) -> tuple[int, int, int]:
    """The next position and its count, which is below 0 if they are broken, and where it ends."""
    if at == data.shape[0]:
        return _NOWHERE, 0, at
    gap, at = read_varint(data, at)
    count, at = read_varint(data, at)
    if gap >= _NOWHERE - last - 1:
        return last, -2, at
    return last + gap + 1, gap if gap < 0 else count, at


@kernel
def _merge(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> int:
    """Write the sum of two encodings to `out`, no longer than both; its size, or what is wrong.

    Positions come in order in both, so no vector is needed.
    """
    at_a = at_b = size = 0
    place_a = place_b = last = -1
    count_a = count_b = 0
    more_a = more_b = True  # take its next pair
    while True:
        if more_a:
            place_a, count_a, at_a = _pair(a, at_a, place_a)
        if more_b:
            place_b, count_b, at_b = _pair(b, at_b, place_b)
        if count_a < 0 or count_b < 0:
            return min(count_a, count_b)
        place = min(place_a, place_b)
        if place == _NOWHERE:
            return size
        more_a, more_b = place_a == place, place_b == place
        count = 0
        if more_a:
            count += count_a
        if more_b:
            count += count_b
        if count < 0 or count > MAX_COUNT:  # it wraps where both are the largest
            return -3
        size = write_varint(place - last - 1, out, size)
        size = write_varint(count, out, size)
        last = place


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


def check_counts(data: bytes, width: int, most: int, sums: int = 0) -> None:
    """Raise ValueError if `decode_counts` would, or if a count is above `most`.

    The last `sums` positions are no counts, and only bounded by `MAX_COUNT`.
    """
    if wrong := _check(np.frombuffer(data, np.uint8), width, most, width - sums):
        said = _WRONG.get(wrong, f"holds a count above {most}")
        raise ValueError(f"encoded counts of {len(data)} bytes for {width} bins: {said}")


def first_count(data: bytes) -> int:
    """The count at position 0 of a whole encoding."""
    numbers = iter(data)
    gap, count = _varint(numbers), _varint(numbers)
    return 0 if gap else count


def _varint(numbers: Iterator[int]) -> int:
    value = shift = 0
    for byte in numbers:
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return value


def merge_encoded(a: bytes, b: bytes) -> bytes:
    """The encoding of the sum of two encodings.

    Raises
    ------
    ValueError
        If one is broken, or a count adds up to more than `MAX_COUNT`.
    """
    out = np.empty(len(a) + len(b), np.uint8)
    size = _merge(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8), out)
    if size < 0:
        raise ValueError(f"encoded counts of {len(a)} and {len(b)} bytes: {_WRONG[-size]}")
    return out[:size].tobytes()


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
    out = np.empty(2 * _LONGEST * positions.size, np.uint8)
    size = _write(positions, counts, out)
    if size < 0:
        raise ValueError("positions must rise from 0 on and counts be 1 to 2**62.")
    return out[:size].tobytes()


def decode_sparse(
    data: bytes, most: int, end: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Inverse of `encode_sparse`: positions below `end` and their counts.

    Raises
    ------
    ValueError
        If the bytes are no encoding of at most `most` such counts.
    """
    positions, counts = np.empty((2, most), np.int64)
    size = _read(np.frombuffer(data, np.uint8), end, positions, counts)
    if size < 0:
        said = {1: f"not at most {most} whole pairs", 2: _WRONG[2], 3: "a count out of bounds"}
        raise ValueError(f"encoded counts of {len(data)} bytes: {said[-size]}")
    return positions[:size], counts[:size]


@kernel
def _write(
    positions: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], out: npt.NDArray[np.uint8]
) -> int:
    """Write pairs to `out`; the number of bytes, or -1 if one is out of bounds."""
    at = 0
    last = -1
    for i in range(positions.shape[0]):
        if positions[i] <= last or counts[i] < 1 or counts[i] > MAX_COUNT:
            return -1
        at = write_varint(positions[i] - last - 1, out, at)
        at = write_varint(counts[i], out, at)
        last = positions[i]
    return at


@kernel
def _read(
    data: npt.NDArray[np.uint8],
    end: int,
    positions: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> int:
    """Inverse of `_write`: how many pairs, or what is wrong: -1 too many or half, -2, -3."""
    at = size = 0
    last = -1
    while at < data.shape[0]:
        gap, at = read_varint(data, at)
        count, at = read_varint(data, at)
        if gap < 0 or count < 0 or size == positions.shape[0]:
            return -1
        if gap >= end - last - 1:
            return -2
        if count < 1 or count > MAX_COUNT:
            return -3
        last += gap + 1
        positions[size], counts[size] = last, count
        size += 1
    return size
