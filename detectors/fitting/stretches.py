"""Names that come for a while and never again: those of a day, of a session, of a release.

How many events have a name never seen before is estimated by the rows whose name occurs in one
batch alone (Good and Turing's estimate, by batches). A name that stays for longer than a batch
is in several, and would count as known for good, though the next ones will be as new. So names
count that lie within a longer stretch of batches, if more rows do than chance brings together.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["rows_of_passing_names"]

#: Standard errors, and share of all rows, by which a stretch must hold more than chance does.
_CLEAR: Final = 5.0
_LEAST_SHARE: Final = 0.005
#: A stretch is at most such a part of the reference: what takes longer is its slow change.
_LONGEST: Final = 3

_Ints = npt.NDArray[np.int64]


def rows_of_passing_names(first: _Ints, last: _Ints, times: _Ints, batches: int) -> _Ints:
    """Rows by batch whose name is one of those that come and go, int64[batches].

    Parameters
    ----------
    first, last : int64[names]
        The batches between which each name occurs.
    times : int64[names]
        How often.
    batches : int
        Of about as many rows each, in the order of time.
    """
    there = times > 0
    first, last, times = first[there], last[there], times[there]
    span = last - first + 1
    passing = span <= _stretch(span, times, batches)
    first, last, times, span = first[passing], last[passing], times[passing], span[passing]
    # Where in its stretch a name occurs is not kept: evenly.
    change = np.zeros(batches + 1)
    np.add.at(change, first, times / span)
    np.add.at(change, last + 1, -times / span)
    upto = np.rint(np.cumsum(np.cumsum(change[:-1]))).astype(np.int64)
    rows: _Ints = np.diff(upto, prepend=0)
    return rows


def _stretch(span: _Ints, times: _Ints, batches: int) -> int:
    """How many batches names stay for that come and go; 1 where chance explains what is longer."""
    found, least = 1, _LEAST_SHARE * float(times.sum())
    counts, which = np.unique(times, return_inverse=True)
    names = np.bincount(which).astype(np.float64)
    shorter = _within(counts, 1, batches)
    longest, before = batches // _LONGEST, 1
    length = min(2, longest)
    while length > before:
        within = _within(counts, length, batches)
        chance = np.clip(within - shorter, 0.0, 1.0)  # rounding may bring it just below 0
        held = float(times[(span > before) & (span <= length)].sum())
        expected = float(names @ (counts * chance))
        error = math.sqrt(float(names @ (np.square(counts) * chance * (1.0 - chance))))
        if held - expected > max(_CLEAR * error, least):
            found = length
        shorter, before, length = within, length, min(2 * length, longest)
    return found


def _within(times: _Ints, length: int, batches: int) -> npt.NDArray[np.float64]:
    """Chance that all of so many independent rows lie within so many neighbouring batches."""
    gaps = batches - length
    at_most, less = length / batches, (length - 1) / batches
    chance: npt.NDArray[np.float64] = (gaps + 1) * at_most**times - gaps * less**times
    return chance
