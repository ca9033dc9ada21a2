"""Whether a change is only that values are missing, of a wrong type or unseen.

What is missing takes its share from all values, so every distance and every share sees it as well.
That is one cause and no second story: such a finding belongs to the trouble with the data's quality
if it is gone once the signal is as whole as its reference.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import SignalReference, WindowBank, WindowResult
from detectors.counting.merge_bins import special_bins
from stream.plans.plan import Plan

__all__ = ["QUALITY_TESTS", "as_whole", "explained_rows", "mostly_gone"]

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


def explained_rows(
    plan: Plan, bank: WindowBank, counts: Ints, result: WindowResult, alpha: float
) -> tuple[set[int], set[int]]:
    """Rows of a window's result that its quality explains, and signals of which a rate was found.

    Explained are those whose change is gone once the window is as whole as the reference.
    """
    found = np.flatnonzero(result.found).tolist()
    rated = {int(result.signal[row]) for row in found if result.test(row) in QUALITY_TESTS}
    others = [row for row in found if result.test(row) not in QUALITY_TESTS]
    whole = counts.copy()
    for index in {int(result.signal[row]) for row in others}:
        where = plan.layout.slice(index)
        whole[where] = as_whole(plan.expected(index, counts), counts[where])
    if np.array_equal(whole, counts):
        return set(), rated
    again = bank.test(whole, alpha)
    keys = zip(again.signal.tolist(), again.test_index.tolist(), strict=True)
    left = {key: at for at, key in enumerate(keys)}
    explained = set()
    for row in others:
        at = left.get((int(result.signal[row]), int(result.test_index[row])))
        effect = 0.0 if at is None else float(again.effect[at])
        gone = at is None or not again.found[at]
        if gone and mostly_gone(float(result.effect[row]), effect):
            explained.add(row)
    return explained, rated


def mostly_gone(before: float, after: float) -> bool:
    """Whether what is left of a change of this size is no longer worth a finding of its own."""
    return abs(after) <= _LEFT * abs(before)
