"""Outcomes of the reference's rows by value of a protected column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.fitting.sampling import NameTally
from detectors.fitting.values import Column, coded_names
from detectors.references.protected import (
    MAX_VALUE_CHARS,
    MAX_VALUES,
    OTHER_VALUES,
    ProtectedOutcomes,
)

__all__ = ["ProtectedFit"]

Ints = npt.NDArray[np.int64]

_NAMES = 10_000


class ProtectedFit:
    """One protected column. `survey` all batches, `prepare`, `count` them again, `finish`."""

    def __init__(self, column: str) -> None:
        self.column = column
        self._tally = NameTally(_NAMES)

    def survey(self, column: Column) -> None:
        """First pass over a batch."""
        codes, names = coded_names(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        there = np.flatnonzero(counts)
        self._tally.add([names[i] for i in there.tolist()], counts[there].tolist())

    def prepare(self, widths: Sequence[int]) -> None:
        """End the first pass: the most frequent values have counts of their own.

        There is a table for each layout of cells, which are so wide.
        """
        often = sorted(self._tally.counts.items(), key=lambda item: (-item[1], item[0]))
        named = [n for n, _ in often if 0 < len(n) <= MAX_VALUE_CHARS and n != OTHER_VALUES]
        self._values = tuple(named[:MAX_VALUES])
        del self._tally
        self._tables = [np.zeros((len(self._values) + 1, width), np.int64) for width in widths]

    def rows(self, column: Column) -> Ints:
        """Of the rows of a batch in the second pass the row of the tables, -1 without a value."""
        codes, names = coded_names(column)
        number = {name: i for i, name in enumerate(self._values)}
        other = len(self._values)
        found = np.array([*(number.get(name, other) for name in names), -1, -1], np.int64)
        return found[codes]  # from the end: -1 is missing, -2 of a wrong type

    def add(self, at: int, rows: Ints, cells: npt.NDArray[np.int32]) -> None:
        """Count rows of table `at`, each in one cell of its own; -1 is in none."""
        there = (rows >= 0) & (cells >= 0)
        np.add.at(self._tables[at], (rows[there], cells[there]), 1)

    def finish(self, at: int, factor: float) -> ProtectedOutcomes:
        """Table `at`, of rows that came `factor` times each."""
        counts = self._tables[at]
        if factor > 1.0:
            counts = np.rint(counts / factor).astype(np.int64)
        return ProtectedOutcomes(self.column, self._values, counts)
