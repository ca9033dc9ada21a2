"""How large errors are on the whole: so that fewer and smaller ones are no loss of performance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, NumericBinning
from detectors.counting.outcome_cells import OutcomeCells
from detectors.counting.outcome_places import WRONG

__all__ = ["mean_absolute_error", "size_of_error"]

Ints = npt.NDArray[np.int64]


def mean_absolute_error(cells: OutcomeCells, counts: Ints) -> float:
    """Of a regression's outcomes, int64[cells.width]; a lower bound if errors were clipped."""
    over_and_under = counts[cells.sums_at : cells.sums_at + 2]
    return int(over_and_under.sum()) * cells.unit / max(1, int(counts[0]))


def size_of_error(binning: Binning, counts: Ints) -> float:
    """Share of wrong predictions; of a regression the mean distance from 0, about.

    An error is taken to be in the middle of its bin, and one beyond the reference's at its end.
    The outermost bins are wide and few errors are near their far ends, so a mean is too high by
    this, up to several times: only two of the same bins can be compared by it.
    """
    values = counts[: binning.missing]
    if isinstance(binning, NumericBinning):
        edges = binning.edges
        middle = np.abs(np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2.0, edges[-1:]]))
        return float(values @ middle) / max(1, int(values.sum()))
    return int(values[binning.code[WRONG]]) / max(1, int(values.sum()))
