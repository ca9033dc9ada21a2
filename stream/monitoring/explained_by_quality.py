"""Whether a change is only that values are missing, of a wrong type or unseen.

What is missing takes its share from all values, so every distance and every share sees it as well.
That is one cause and no second story: such a finding belongs to the trouble with the data's quality
if it is gone once the signal is as whole as its reference.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import SignalReference
from detectors.counting.coarse import special_bins
from stream.plans.plan import Plan

__all__ = ["QUALITY_TESTS", "as_whole", "made_whole", "mostly_gone"]

Ints = npt.NDArray[np.int64]

#: Tests that speak of the data's quality rather than of its distribution.
QUALITY_TESTS: Final = frozenset({"missing_rate", "invalid_rate", "unseen_rate"})
#: What explains a change leaves at most so much of its size.
_LEFT: Final = 0.5


def as_whole(expected: SignalReference, counts: Ints) -> Ints:
    """A signal's counts if as much of it were missing, invalid and unseen as expected.

    The counts of known values stay; the others become what the reference has beside so many.
    """
    special = np.concatenate(list(special_bins(expected.binning).values()))
    known = np.ones(counts.size, np.bool_)
    known[special] = False
    values, usual = int(counts[known].sum()), int(expected.counts[known].sum())
    whole = counts.copy()
    whole[special] = (expected.counts[special] * values + usual // 2) // usual if usual else 0
    return whole


def made_whole(plan: Plan, counts: Ints, signals: Iterable[int]) -> Ints:
    """The flat counts of a window with some signals `as_whole`."""
    whole = counts.copy()
    for index in signals:
        where = plan.layout.slice(index)
        whole[where] = as_whole(plan.expected(index, counts), counts[where])
    return whole


def mostly_gone(before: float, after: float) -> bool:
    """Whether what is left of a change of this size is no longer worth a finding of its own."""
    return abs(after) <= _LEFT * abs(before)
