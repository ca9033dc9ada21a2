"""How large errors are on the whole: so that fewer and smaller ones are no loss of performance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, NumericBinning
from detectors.counting.outcome_places import WRONG

__all__ = ["grew", "size_of_error"]

Ints = npt.NDArray[np.int64]


def size_of_error(binning: Binning, counts: Ints) -> float:
    """Share of wrong predictions; of a regression the mean distance from 0, about.

    An error is taken to be in the middle of its bin, and one beyond the reference's at its end.
    """
    values = counts[: binning.missing]
    if isinstance(binning, NumericBinning):
        edges = binning.edges
        middle = np.abs(np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2.0, edges[-1:]]))
        return float(values @ middle) / max(1, int(values.sum()))
    return int(values[binning.code[WRONG]]) / max(1, int(values.sum()))


def grew(binning: Binning, reference: Ints, counts: Ints) -> bool:
    """Whether errors are larger, or more, than those of the reference."""
    return size_of_error(binning, counts) > size_of_error(binning, reference)
