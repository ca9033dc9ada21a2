"""Coarse bins: fine bins merged until each holds enough to be tested.

Bins of numbers are merged with their neighbours. Names are grouped by a hash, never by how frequent
they were in the reference: groups of names that chance made frequent there all move back together
in every window, which adds up to a false alarm.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel
from detectors.counting.binning import Binning, CategoricalBinning
from detectors.counting.category_sketch import name_hash
from detectors.counting.name_bins import TAIL_CELLS

__all__ = [
    "BASE_GROUPS",
    "LEAST_EXPECTED",
    "base_groups",
    "bins_apart",
    "join_small",
    "merge_neighbours",
    "special_bins",
]

#: Coarse bins of values that a windowed test uses at most.
BASE_GROUPS: Final = 20
#: A coarse bin is expected to hold at least this many events, in the window and the reference.
LEAST_EXPECTED: Final = 5
#: Names stand apart if they are at most so many, of such a share, and a gap of so many standard
#: deviations parts the last of them from the next: near-equal names are never parted by chance.
_MOST_APART, _LEAST_SHARE, _GAP_SD = 12, 0.02, 4.0


def special_bins(binning: Binning) -> dict[str, npt.NDArray[np.int64]]:
    """Bins that stand for no known value, by the name of the rate they make."""
    special = {"missing": np.array([binning.missing]), "invalid": np.array([binning.invalid])}
    if isinstance(binning, CategoricalBinning):
        return {"unseen": binning.new, **special}
    return special


def bins_apart(binning: Binning) -> int:
    """How many of the last bins are coarse bins of their own: missing, invalid, at times unseen.

    Where names without a bin of their own are dealt to cells, those never seen are too.
    """
    return 3 if isinstance(binning, CategoricalBinning) and binning.tail == 1 else 2


@kernel
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


@kernel
def join_small(counts: npt.NDArray[np.int64], least: int) -> npt.NDArray[np.int64]:
    """Group of each bin, in order: those below `least` join the next ones."""
    groups = np.zeros(counts.size, np.int64)
    group = start = held = 0
    for b in range(counts.size):
        if held >= least:
            group, start, held = group + 1, b, 0
        groups[b] = group
        held += int(counts[b])
    if group and held < least:
        groups[start:] = group - 1
    return groups


def base_groups(binning: Binning, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Group of each fine bin: at most 20 of values, then those of `bins_apart`."""
    first = binning.n_bins - bins_apart(binning)
    groups = np.empty(binning.n_bins, np.int64)
    if isinstance(binning, CategoricalBinning):
        groups[:first] = _name_groups(binning, counts[:first])
    else:
        groups[:first] = merge_neighbours(counts[:first], BASE_GROUPS, LEAST_EXPECTED)
    groups[first:] = groups[:first].max() + 1 + np.arange(binning.n_bins - first)
    return groups


def _name_groups(
    binning: CategoricalBinning, counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Group of each name with a bin, and of the bins of all others, which come last."""
    own, others = counts[: binning.other], counts[binning.other :]
    hashes = np.array([name_hash(name) for name in binning.categories], np.uint64)
    by_hash = np.argsort(hashes, kind="stable")
    one_for_others = binning.tail == 1
    room = BASE_GROUPS - int(one_for_others and others.any())
    if own.size <= room and one_for_others:
        cell = np.argsort(by_hash, kind="stable")  # a name's place in the order of hashes
    else:
        cell = (hashes % np.uint64(TAIL_CELLS)).astype(np.int64)
        apart = _standing_apart(own, int(counts.sum()))[: room - TAIL_CELLS]
        alone = by_hash[np.isin(by_hash, apart)]
        cell[alone] = TAIL_CELLS + np.arange(alone.size)
    if one_for_others:
        held = np.bincount(cell, own, int(cell.max(initial=-1)) + 1).astype(np.int64)
        joined = join_small(np.append(held, others), LEAST_EXPECTED)
        return np.append(joined[cell], joined[held.size :])
    cell = np.append(cell, np.arange(others.size) % TAIL_CELLS)  # tails are whole cells
    held = np.bincount(cell, counts, TAIL_CELLS).astype(np.int64)
    joined_cells: npt.NDArray[np.int64] = join_small(held, LEAST_EXPECTED)[cell]
    return joined_cells


def _standing_apart(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """The most frequent names, as many as a gap parts from the others."""
    order = np.argsort(-counts, kind="stable")
    falling = np.append(counts[order], 0)
    apart = 0
    for j in range(1, min(_MOST_APART, counts.size) + 1):
        last = int(falling[j - 1])
        if last < _LEAST_SHARE * total:
            break
        if last - int(falling[j]) >= _GAP_SD * last**0.5:
            apart = j
    return order[:apart]
