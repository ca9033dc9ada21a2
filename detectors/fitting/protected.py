"""Outcomes of the reference's rows by value of a protected column, or of several together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from detectors.fitting.sampling import NameTally
from detectors.fitting.values import Column, coded_names
from detectors.references.protected import MAX_VALUES, ProtectedOutcomes
from detectors.references.segments import MAX_VALUE_CHARS, OTHER_VALUES, Segment, scope_name

__all__ = ["ProtectedFit"]

Ints = npt.NDArray[np.int64]

_NAMES = 10_000


class ProtectedFit:
    """A protected column or combination. `survey` all batches, `prepare`, `add` all, `finish`."""

    def __init__(self, column: Segment) -> None:
        self.column = column
        self._tally = NameTally(_NAMES)

    def survey(self, columns: Mapping[str, Column]) -> None:
        """First pass over a batch."""
        codes, names = self._coded(columns)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        there = np.flatnonzero(counts)
        self._tally.add([names[i] for i in there.tolist()], counts[there].tolist())

    def prepare(self, widths: Sequence[int]) -> None:
        """End the first pass: the most frequent values have counts of their own.

        There is a table for each layout of cells, which are so wide.
        """
        often = sorted(self._tally.counts.items(), key=lambda item: (-item[1], item[0]))
        named = [name for name, _ in often if name != OTHER_VALUES]
        self._values = tuple(named[:MAX_VALUES])
        del self._tally
        self._tables = [np.zeros((len(self._values) + 1, width), np.int64) for width in widths]

    def rows(self, columns: Mapping[str, Column]) -> Ints:
        """Of the rows of a batch in the second pass the row of the tables, -1 without a value."""
        codes, names = self._coded(columns)
        number = {name: i for i, name in enumerate(self._values)}
        other = len(self._values)
        found = np.array([*(number.get(name, other) for name in names), -1, -1], np.int64)
        return found[codes]  # from the end: -1 is missing, -2 of a wrong type

    def _coded(self, columns: Mapping[str, Column]) -> tuple[Ints, list[str]]:
        """Code of each row, below 0 where it has no value, and the values they stand for."""
        if isinstance(self.column, str):
            codes, names = coded_names(columns[self.column])
            return codes, [name if _may_be_named(name) else OTHER_VALUES for name in names]
        members = [coded_names(columns[column]) for column in self.column]
        codes = np.stack([of_member for of_member, _ in members], axis=1)
        there: npt.NDArray[np.bool_] = np.all(codes >= 0, axis=1)
        distinct, which = np.unique(codes[there], axis=0, return_inverse=True)
        found = np.full(len(there), -1, np.int64)
        found[there] = which.ravel()
        combinations = [
            [names[code] for (_, names), code in zip(members, row, strict=True)]
            for row in distinct.tolist()
        ]
        return found, [
            scope_name(self.column, values) if all(map(_may_be_named, values)) else OTHER_VALUES
            for values in combinations
        ]

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


def _may_be_named(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE_CHARS
