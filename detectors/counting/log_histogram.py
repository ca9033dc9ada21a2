"""Counts of numbers where no reference exists: bins of about constant relative width.

A bin is the numbers that share sign, exponent and the first eight bits after it, so its edges are
exact floats and a value and its bin's middle differ by .2 % at most. When more than 512 bins are
filled, all of them are merged two by two as often as it takes, which doubles the error each time
(UDDSketch: Epicoco et al. 2020). Merging is a function of which bins are filled, so the same values
give the same sketch in any order and from any partition into parts.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LAST_KEY", "MOST_BINS", "MOST_LEVELS", "LogCounts", "LogHistogramBins", "edges_of"]

MOST_BINS: Final = 512
#: Bits of a float below those that number its bin.
_REST: Final = 44
#: Bins of both signs at this level are one each.
MOST_LEVELS: Final = 20
#: The number of infinity's bin; those of numbers are below.
_BEYOND: Final = 0x7FF << 8
#: The largest key of a bin at level 0; the least is its complement.
LAST_KEY: Final = _BEYOND - 1
_LARGEST: Final = float(np.finfo(np.float64).max)
_LEAST: Final = 5e-324

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class LogHistogramBins(NamedTuple):
    """Filled bins in rising order, zero among them: `[lower, upper)` and the count of each."""

    lower: Floats
    upper: Floats
    counts: Ints

    @property
    def middle(self) -> Floats:
        """What stands for the numbers of each bin."""
        middle: Floats = self.lower + (self.upper / 2 - self.lower / 2)
        return np.where((self.lower <= 0.0) & (self.upper == _LEAST), 0.0, middle)


class LogCounts:
    """A histogram over log bins, with the count of zeros beside it.

    Attributes
    ----------
    level : int
        How often bins were merged two by two.
    keys, counts : int64[filled bins]
        Filled bins in rising order. The key of a negative number is the complement of that of its
        absolute value, so halving keys merges bins on both sides of zero.
    zero, skipped : int
        Zeros, and values that are not finite.
    """

    def __init__(self) -> None:
        self.level = 0
        self.keys: Ints = np.zeros(0, np.int64)
        self.counts: Ints = np.zeros(0, np.int64)
        self.zero = self.skipped = 0

    @property
    def numbers(self) -> int:
        """Finite values counted."""
        return int(self.counts.sum()) + self.zero

    @property
    def relative_error(self) -> float:
        """Of a quantile at this level."""
        if self.level <= 8:
            return 2.0**self.level / 512
        return (math.ldexp(1.0, min(1_000, 2 ** (self.level - 8))) - 1.0) / 2.0

    def add(self, values: Floats) -> LogCounts:
        """Count values."""
        values = np.ascontiguousarray(values, np.float64)
        finite = np.isfinite(values)
        self.skipped += values.size - int(np.count_nonzero(finite))
        self.zero += int(np.count_nonzero(values == 0.0))
        present = values[finite & (values != 0.0)]
        if present.size:
            number = np.abs(present).view(np.int64) >> _REST
            keys = np.where(present < 0.0, ~number, number) >> self.level
            self._take(*np.unique(keys, return_counts=True))
        return self

    def merge(self, other: LogCounts) -> LogCounts:
        """Add the counts of another sketch."""
        self._coarsen(max(0, other.level - self.level))
        self.zero += other.zero
        self.skipped += other.skipped
        self._take(other.keys >> self.level - other.level, other.counts)
        return self

    def at_level(self, level: int) -> LogCounts:
        """The same counts in bins that are as coarse as this, or coarser already."""
        copy = LogCounts()
        copy.level = level
        return copy.merge(self)

    def bins(self) -> LogHistogramBins:
        """The filled bins with their edges."""
        lower, upper = edges_of(self.keys, self.level)
        counts = self.counts
        if self.zero:
            at = int(np.searchsorted(self.keys, 0))
            lower, upper = np.insert(lower, at, 0.0), np.insert(upper, at, _LEAST)
            counts = np.insert(counts, at, self.zero)
        return LogHistogramBins(lower, upper, counts)

    def quantile(self, q: float) -> float:
        """Estimate a quantile of the numbers, within `relative_error`; NaN if there are none."""
        bins = self.bins()
        n = int(bins.counts.sum())
        if not n:
            return math.nan
        rank = min(int(q * n), n - 1)
        at = int(np.searchsorted(np.cumsum(bins.counts), rank, side="right"))
        return float(bins.middle[at])

    def _take(self, keys: Ints, counts: Ints) -> None:
        """Add counts of keys at this level."""
        if not keys.size:
            return
        keys = np.concatenate([self.keys, keys])
        order = np.argsort(keys, kind="stable")  # both halves are in order: they are merged
        self._hold(keys[order], np.concatenate([self.counts, counts])[order])
        levels = 0
        while self.keys.size > MOST_BINS and self._bins_at(levels) > MOST_BINS:
            levels += 1
        self._coarsen(levels)

    def _bins_at(self, levels: int) -> int:
        """How many bins are filled when they are so much coarser."""
        return 1 + int(np.count_nonzero(np.diff(self.keys >> levels)))

    def _coarsen(self, levels: int) -> None:
        if levels:
            self.level += levels
            self._hold(self.keys >> levels, self.counts)

    def _hold(self, keys: Ints, counts: Ints) -> None:
        """Hold the sums of counts of equal keys, which are in order."""
        first = np.ones(keys.size, bool)
        np.not_equal(keys[1:], keys[:-1], out=first[1:])
        begins = np.flatnonzero(first)
        self.keys, self.counts = keys[begins], np.add.reduceat(counts, begins)


def edges_of(keys: Ints, level: int) -> tuple[Floats, Floats]:
    """Lower and upper edges of bins, both finite; a number is in its bin's `[lower, upper)`."""
    negative = keys < 0
    number = np.where(negative, ~keys, keys)
    near = (number << level) << _REST
    far = np.minimum((number + 1) << level, _BEYOND) << _REST
    low, high = near.view(np.float64), far.view(np.float64)
    # Absolute values are in [low, high), so negative numbers are in (-high, -low].
    lower = np.where(negative, np.nextafter(-high, np.inf), np.maximum(low, _LEAST))
    upper = np.where(
        negative, np.minimum(np.nextafter(-low, np.inf), 0.0), np.minimum(high, _LARGEST)
    )
    return lower, upper
