"""Counts of numbers where no reference exists: bins of constant relative width.

A value and its bin's middle differ by at most 1 %. When more than 512 bins are filled, all of them
are merged two by two, which doubles the error (UDDSketch: Epicoco et al. 2020). Merging is a
function of which bins are filled, so the same values give the same sketch in any order and from any
partition into parts.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_BINS", "RELATIVE_ERROR", "LogCounts"]

RELATIVE_ERROR: Final = 0.01
MOST_BINS: Final = 512
_LOG_GAMMA: Final = math.log((1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR))
#: Level-0 bins of floats are numbered within +-2**17; keys are these, shifted to be positive.
_SHIFT: Final = 2**17

Ints = npt.NDArray[np.int64]


class LogCounts:
    """A histogram over log bins, with counts of zero, missing and invalid values beside it.

    Attributes
    ----------
    level : int
        How often bins were merged two by two.
    keys, counts : int64[filled bins]
        Filled bins in rising order, negative keys for negative numbers.
    zero, missing, invalid : int
        NaN and +inf are missing, -inf is of a wrong type, as in `NumericBinning.bin`.
    """

    def __init__(self) -> None:
        self.level = 0
        self.keys: Ints = np.zeros(0, np.int64)
        self.counts: Ints = np.zeros(0, np.int64)
        self.zero = self.missing = self.invalid = 0

    @property
    def events(self) -> int:
        """All values counted."""
        return int(self.counts.sum()) + self.zero + self.missing + self.invalid

    @property
    def relative_error(self) -> float:
        """Of a quantile at this level."""
        gamma = math.exp(_LOG_GAMMA * 2**self.level)
        return (gamma - 1.0) / (gamma + 1.0)

    def add(self, values: npt.NDArray[np.float64]) -> LogCounts:
        """Count values."""
        finite = np.isfinite(values)
        present = values[finite & (values != 0.0)]
        self.zero += int(np.count_nonzero(values == 0.0))
        self.invalid += int(np.count_nonzero(np.isneginf(values)))
        self.missing += int(np.count_nonzero(np.isnan(values) | np.isposinf(values)))
        number = np.ceil(np.log(np.abs(present)) / _LOG_GAMMA).astype(np.int64)
        keys = np.where(present < 0.0, -1, 1) * (_shrunk(number, self.level) + _SHIFT)
        self._take(keys, np.ones(keys.size, np.int64))
        return self

    def merge(self, other: LogCounts) -> LogCounts:
        """Add the counts of another sketch."""
        keys, counts = other.keys, other.counts
        if other.level > self.level:
            self._coarsen(other.level - self.level)
        elif other.level < self.level:
            keys = _shrunk_keys(keys, self.level - other.level)
        self.zero += other.zero
        self.missing += other.missing
        self.invalid += other.invalid
        self._take(keys, counts)
        return self

    def quantile(self, q: float) -> float:
        """Estimate a quantile of the numbers, within `relative_error`; NaN if there are none."""
        n = int(self.counts.sum()) + self.zero
        if not n:
            return math.nan
        at = int(np.searchsorted(self.keys, 0))
        counts = np.insert(self.counts, at, self.zero)
        keys = np.insert(self.keys, at, 0)
        rank = min(int(q * n), n - 1)
        key = int(keys[int(np.searchsorted(np.cumsum(counts), rank, side="right"))])
        if key == 0:
            return 0.0
        width = _LOG_GAMMA * 2**self.level
        upper = math.exp(min((abs(key) - _SHIFT) * width, 709.0))
        middle = upper * 2.0 / (1.0 + math.exp(width))
        return math.copysign(middle, key)

    def _take(self, keys: Ints, counts: Ints) -> None:
        every, place = np.unique(np.concatenate([self.keys, keys]), return_inverse=True)
        total = np.zeros(every.size, np.int64)
        np.add.at(total, place, np.concatenate([self.counts, counts]))
        self.keys, self.counts = every, total
        while self.keys.size > MOST_BINS:
            self._coarsen(1)

    def _coarsen(self, levels: int) -> None:
        self.level += levels
        keys = _shrunk_keys(self.keys, levels)
        self.keys, place = np.unique(keys, return_inverse=True)
        counts = self.counts
        self.counts = np.zeros(self.keys.size, np.int64)
        np.add.at(self.counts, place, counts)


def _shrunk(number: Ints, levels: int) -> Ints:
    """Bins numbered `levels` coarser: the least integer at or above number / 2 ** levels."""
    result: Ints = -(-number // 2**levels)
    return result


def _shrunk_keys(keys: Ints, levels: int) -> Ints:
    result: Ints = np.sign(keys) * (_shrunk(np.abs(keys) - _SHIFT, levels) + _SHIFT)
    return result
