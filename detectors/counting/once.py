"""Counts of events as if each had come once, where some came several times.

Events that came c_i times carry the information of (sum c_i)**2 / sum c_i**2 independent ones
(Kish 1965), so counts are divided by `sum c_i**2 / sum c_i`: 2 if all came twice, 1.46 if 30 % did.
Every test, window and estimate then has the n that it may rely on, without knowing of copies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.counting.ids import IdSample

__all__ = ["MOST_COPIES", "Seen", "counted_once", "seen"]

#: An id that more events have does not identify them: it says nothing about their number.
MOST_COPIES: Final = 32

Ints = npt.NDArray[np.int64]
Int = TypeVar("Int", bound=np.integer[Any])


class Seen(NamedTuple):
    """What the sampled ids say of some events.

    Attributes
    ----------
    events, again : int
        Events with a sampled id, and those of them whose id had come before.
    factor : float
        What their counts are to be divided by; 0 where nothing identifies them.
    """

    events: int
    again: int
    factor: float


def seen(sample: IdSample, before: Iterable[IdSample] = ()) -> Seen:
    """Look at the ids of some events, after those that came before.

    An event whose id came k times before adds 2 k + 1 to the sum of squares, so over all panes the
    sums are those of the whole stream, wherever copies lie.
    """
    former = [other for other in before if other.hashes.size]
    bound = min([sample.bound, *(other.bound for other in former)])
    sample = sample.below(bound)
    known = np.zeros(sample.hashes.size, np.int64)
    for other in former:
        known += other.count_of(sample.hashes)
    counts = sample.counts
    events = int(counts.sum())
    again = events - int(np.count_nonzero(known == 0))
    few = known + counts <= MOST_COPIES
    n = int(counts[few].sum())
    squares = int(((2 * known + counts) * counts)[few].sum())
    return Seen(events, again, squares / n if n else float(events > 0))


def counted_once(counts: npt.NDArray[Int], factor: float, start: Ints) -> npt.NDArray[Int]:
    """Counts divided by a factor, and rounded such that each signal's sums are.

    Parameters
    ----------
    counts : integers[..., width]
        Flat, as of `Layout`; the first is the number of events.
    factor : float
        At least 1.
    start : int64[S]
        Where each signal's bins begin.
    """
    if factor <= 1.0:
        return counts
    first = np.concatenate([[0], start]).astype(np.int64)
    length = np.diff(first, append=counts.shape[-1])
    sums = np.cumsum(counts, axis=-1, dtype=np.int64)
    base = np.repeat((sums - counts)[..., first], length, axis=-1)
    whole = np.floor((sums - base) / factor + 0.5).astype(np.int64)
    apart = np.diff(whole, axis=-1, prepend=0)
    apart[..., first] = whole[..., first]
    result: npt.NDArray[Int] = apart.astype(counts.dtype)
    return result
