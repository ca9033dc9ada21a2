"""Outcomes of the reference's rows by value of a protected column, or of several together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.fitting.segment_values import SegmentValues
from detectors.references.protected import ProtectedOutcomes

__all__ = ["ProtectedFit"]


class ProtectedFit:
    """Follows the second pass over a protected column or combination, whose values are prepared.

    Parameters
    ----------
    values : SegmentValues
        Of the column; rows are placed by it before they are added.
    widths : sequence of int
        There is a table for each layout of cells, which are so wide.
    """

    def __init__(self, values: SegmentValues, widths: Sequence[int]) -> None:
        self._values = values
        rows = len(values.values) + 1
        self._tables = [np.zeros((rows, width), np.int64) for width in widths]

    def add(self, at: int, cells: npt.NDArray[np.int32]) -> None:
        """Count the rows that were placed last in table `at`, each in one cell; -1 is in none."""
        rows = self._values.placed
        there = (rows >= 0) & (cells >= 0)
        np.add.at(self._tables[at], (rows[there], cells[there]), 1)

    def finish(self, at: int, factor: float) -> ProtectedOutcomes:
        """Table `at`, of rows that came `factor` times each."""
        counts = self._tables[at]
        if factor > 1.0:
            counts = np.rint(counts / factor).astype(np.int64)
        return ProtectedOutcomes(self._values.column, self._values.values, counts)
