"""Reference against window in a few bins, for the metrics page.

The bins of alerts follow each window, so their names would be new series time and again. These are
made from the reference alone: their names hold for as long as the plan does. Only the leading
signals of a subject have them, in the whole stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import NumericBinning, SignalReference, WindowResult
from detectors.counting.merge_bins import merge_neighbours, special_bins
from detectors.figures import figures

__all__ = ["LEADING", "leading_signals", "shares", "stable_bins"]

#: So many signals of a subject have their bins on the metrics page.
LEADING: Final = 5
_VALUE_BINS: Final = 10

Ints = npt.NDArray[np.int64]


def leading_signals(result: WindowResult) -> list[int]:
    """Index of the signals whose worst test is farthest beyond its threshold, worst first."""
    leading: dict[int, None] = {}
    for row in np.argsort(-result.ratio, kind="stable").tolist():
        leading[int(result.signal[row])] = None
        if len(leading) == LEADING:
            break
    return list(leading)


@lru_cache(maxsize=1024)
def stable_bins(signal: SignalReference, private: bool) -> tuple[Ints, tuple[str, ...]]:
    """Group of each bin, and the groups' names, which sort in their order.

    Names of a private model say nothing but the order.
    """
    binning = signal.binning
    special = special_bins(binning)
    groups = np.zeros(binning.n_bins, np.int64)
    if isinstance(binning, NumericBinning):
        n = binning.missing
        groups[:n] = merge_neighbours(signal.counts[:n], _VALUE_BINS, 1)
        firsts = [int(np.flatnonzero(groups[:n] == g)[0]) for g in range(int(groups[:n].max()) + 1)]
        names = _ranges(binning, firsts)
    else:
        own = min(_VALUE_BINS - 1, len(binning.categories))
        groups[: binning.unseen] = np.minimum(np.arange(binning.unseen), own)
        names = [*binning.categories[:own], "other"]
    for name, b in special.items():
        groups[b] = len(names)
        names.append(name)
    return groups, tuple(
        f"{at:02d}" if private else f"{at:02d} {name}" for at, name in enumerate(names, 1)
    )


def _ranges(binning: NumericBinning, firsts: list[int]) -> list[str]:
    """Names of runs of bins; the first and the last are open."""
    if len(firsts) == 1:
        return ["all values"]
    starts = figures(*(float(binning.edges[b - 1]) for b in firsts[1:]))
    inner = [f"{low} to {high}" for low, high in pairwise(starts)]
    return [f"below {starts[0]}", *inner, f"from {starts[-1]}"]


def shares(
    signal: SignalReference, window: npt.NDArray[np.integer], private: bool
) -> Iterator[tuple[str, float, float]]:
    """(name, share in the reference, share in the window) of each stable bin."""
    groups, names = stable_bins(signal, private)
    pair = []
    for counts in (signal.counts, window):
        total = max(1, int(counts.sum()))
        pair.append(np.bincount(groups, counts, minlength=len(names)) / total)
    yield from zip(names, pair[0].tolist(), pair[1].tolist())
