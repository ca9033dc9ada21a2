"""Binnings learned from sketches, and how later sketches count over them.

A learned edge is always an edge of a log bin, so bins of a later sketch that are as fine fall into
one learned bin each. What a sketch does not tell (a bin that is coarser than the edges, names
beyond its table) is dealt to the bins as what was learned from was: in whole numbers, by rounded
shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import MAX_BINS, CategoricalBinning, NumericBinning
from detectors.counting.category_sketch import NameCounts
from detectors.counting.log_histogram import LogCounts, LogHistogramBins, edges_of

__all__ = [
    "count_names",
    "count_numbers",
    "deal",
    "learn_categories",
    "learn_edges",
    "moments",
    "widen",
]

#: Two edges are kept back for numbers beyond those that edges are learned from.
_MOST_CUTS: Final = MAX_BINS - 2
_QUANTILES: Final = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}

Ints = npt.NDArray[np.int64]


def learn_edges(numbers: LogCounts) -> NumericBinning:
    """Quantile bins between edges of the filled log bins, as `NumericBinning.fit` has them.

    Few filled bins are each one bin, and so are the gaps between them: what falls there is new.
    """
    bins = numbers.bins()
    if not bins.counts.size:
        return NumericBinning(np.zeros(1))
    if bins.counts.size <= _MOST_CUTS // 2:
        return NumericBinning(np.unique(np.concatenate([bins.lower, bins.upper])))
    until = np.cumsum(bins.counts)
    ranks = (np.arange(_MOST_CUTS) * int(until[-1])) // _MOST_CUTS
    at, times = np.unique(np.searchsorted(until, ranks, side="right"), return_counts=True)
    heavy = at[times > 1]
    edges = np.concatenate([bins.lower[at], bins.upper[heavy], bins.upper[-1:]])
    return NumericBinning(np.unique(edges))


def widen(binning: NumericBinning, bins: LogHistogramBins) -> tuple[NumericBinning, int]:
    """The binning with a bin more on each side where there are numbers beyond it.

    Also gives by how much the places of its bins have moved, 0 or 1. Bins of numbers below and
    above keep their order, so counts of the narrower binning can be moved over.
    """
    if not bins.counts.size:
        return binning, 0
    edges = binning.edges
    below, above = bins.lower[:1], bins.upper[-1:]
    below, above = below[below < edges[0]], above[above > edges[-1]]
    return NumericBinning(np.concatenate([below, edges, above])), int(below.size)


def count_numbers(binning: NumericBinning, numbers: LogCounts, basis: LogCounts) -> Ints:
    """Counts of a sketch's numbers over the binning; `basis` is what its edges were learned from.

    Bins as fine as those of the basis or finer fall into one bin each. A coarser one is dealt to
    the bins of the basis that it is made of; where there are none it counts as its middle.
    """
    counts = np.zeros(binning.n_bins, np.int64)
    bins = numbers.bins()
    levels = numbers.level - basis.level
    if levels <= 0:
        np.add.at(counts, np.searchsorted(binning.edges, bins.lower, side="right"), bins.counts)
        return counts
    counts[np.searchsorted(binning.edges, 0.0, side="right")] += numbers.zero
    parts = basis.keys >> levels
    parts_at = np.searchsorted(binning.edges, edges_of(basis.keys, basis.level)[0], side="right")
    lower, upper = edges_of(numbers.keys, numbers.level)
    middles_at = np.searchsorted(binning.edges, lower + (upper / 2 - lower / 2), side="right")
    first = np.searchsorted(parts, numbers.keys, side="left").tolist()
    last = np.searchsorted(parts, numbers.keys, side="right").tolist()
    for i, n in enumerate(numbers.counts.tolist()):
        here = slice(first[i], last[i])
        if first[i] == last[i]:
            counts[middles_at[i]] += n
        else:
            np.add.at(counts, parts_at[here], deal(n, basis.counts[here].tolist()))
    return counts


def learn_categories(names: NameCounts) -> CategoricalBinning:
    """The most frequent of the names that were counted for themselves; the others are known."""
    return CategoricalBinning.of(names.counts, halvings=names.level)


def count_names(binning: CategoricalBinning, names: NameCounts, learned: Ints) -> Ints:
    """Counts of a sketch's names over the binning; `learned` are those it was learned from.

    A name that is not known is unseen for certain only where it would have been counted for itself
    as the binning was learned; else it is one of the others. What the sketch could not name is in
    one of the tail bins, or one of the categories that would have been there: it is dealt to both.
    """
    counts = np.zeros(binning.n_bins, np.int64)
    code = binning.bins_of_names
    for name, n in names.counts.items():
        b = code.get(name)
        counts[binning.bin_of_unknown(name) if b is None else b] += n
    beyond = [b for b, name in enumerate(binning.categories) if not names.keeps(name)]
    if binning.tail == 1:
        _deal_rest(counts, names.rest, binning, [*beyond, binning.other], learned)
        return counts
    where: dict[int, list[int]] = {}
    for b in beyond:
        where.setdefault(binning.place(binning.categories[b]), []).append(b)
    for place, n in names.rests.items():
        _deal_rest(counts, n, binning, [*where.get(place, ()), binning.other + place], learned)
    return counts


def _deal_rest(
    counts: Ints, n: int, binning: CategoricalBinning, bins: list[int], learned: Ints
) -> None:
    """Deal n names to known bins; where nothing was learned they are new, if that is certain."""
    weights = learned[bins].tolist()
    if sum(weights):
        counts[bins] += np.array(deal(n, weights), np.int64)
    else:
        counts[bins[-1] + (0 if binning.halvings else binning.tail)] += n


def deal(n: int, weights: Sequence[int]) -> list[int]:
    """Split n into whole numbers in proportion to the weights, whose sum is above 0.

    >>> deal(10, [1, 2, 1]), deal(1, [3, 1])
    ([3, 5, 2], [1, 0])
    """
    total, before, cum = sum(weights), 0, 0
    parts = []
    for weight in weights:
        cum += weight
        until = (2 * n * cum + total) // (2 * total)
        parts.append(until - before)
        before = until
    return parts


def moments(numbers: LogCounts) -> tuple[float | None, float | None, dict[str, float]]:
    """Mean, standard deviation and quantiles for display, from the middles of the bins."""
    bins = numbers.bins()
    n = int(bins.counts.sum())
    if not n:
        return None, None, {}
    shares, middle = bins.counts / n, bins.middle
    scale = float(np.abs(middle).max()) or 1.0  # squares of huge numbers stay finite
    mean = float(shares @ (middle / scale))
    variance = float(shares @ np.square(middle / scale - mean))
    quantiles = {name: numbers.quantile(q) for name, q in _QUANTILES.items()}
    return mean * scale, float(np.sqrt(variance)) * scale, quantiles
