"""Coarse bins: neighbouring fine bins merged until each holds enough to be tested."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, CategoricalBinning

__all__ = ["BASE_GROUPS", "LEAST_EXPECTED", "base_groups", "merge_neighbours", "special_bins"]

#: Coarse bins of values that a windowed test uses at most.
BASE_GROUPS: Final = 20
#: A coarse bin is expected to hold at least this many events, in the window and the reference.
LEAST_EXPECTED: Final = 5


def special_bins(binning: Binning) -> dict[str, int]:
    """Bins that stand for no known value, by the name of the rate they make."""
    special = {"missing": binning.missing, "invalid": binning.invalid}
    if isinstance(binning, CategoricalBinning):
        return {"unseen": binning.unseen, **special}
    return special


def merge_neighbours(
    counts: npt.NDArray[np.int64], at_most: int, least: int
) -> npt.NDArray[np.int64]:
    """Group of each bin, in order: groups of about equal counts, each with at least `least`.

    A bin too large for its share is a group alone, and the rest is dealt anew. What is left over
    at the end joins the last group.
    """
    groups = np.zeros(counts.size, np.int64)
    rest = int(counts.sum())
    group = start = held = 0
    for b in range(counts.size):
        held += int(counts[b])
        groups[b] = group
        left = at_most - group
        if left > 1 and held >= least and held * left >= rest:
            group += 1
            start = b + 1
            rest -= held
            held = 0
    if group and held < least:
        groups[start:] = group - 1
    return groups


def base_groups(binning: Binning, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Group of each fine bin: at most 20 of values, then one for each special bin."""
    special = special_bins(binning)
    first = min(special.values())
    groups = np.empty(binning.n_bins, np.int64)
    groups[:first] = merge_neighbours(counts[:first], BASE_GROUPS, LEAST_EXPECTED)
    groups[first:] = groups[:first].max() + 1 + np.arange(binning.n_bins - first)
    return groups
