"""The values of a segment in the rows of a reference, or their combinations of several columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detectors.fitting.sampling import NameTally
from detectors.fitting.values import Column, coded_names
from detectors.references.segments import (
    MAX_VALUE_CHARS,
    MAX_VALUES,
    OTHER_VALUES,
    Segment,
    scope_name,
)

__all__ = ["SegmentValues"]

Ints = npt.NDArray[np.int64]

_NAMES = 10_000


class SegmentValues:
    """A column or combination. `survey` all batches, `prepare`, `place` them again.

    Attributes
    ----------
    values : tuple of str
        After `prepare`: the most frequent, at most `MAX_VALUES`, most frequent first.
    rows : tuple of int
        So many rows have each.
    distinct : int
        Different values, about so many where they are thousands.
    placed : int64[n]
        Of the rows that were placed last the number of their value, that of all others behind the
        last, -1 without a value.
    """

    def __init__(self, column: Segment) -> None:
        self.column = column
        self._tally = NameTally(_NAMES)

    def survey(self, columns: Mapping[str, Column]) -> None:
        """First pass over a batch."""
        codes, names = self._coded(columns)
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        there = np.flatnonzero(counts)
        self._tally.add([names[i] for i in there.tolist()], counts[there].tolist())

    def prepare(self) -> None:
        """End the first pass."""
        tally = self._tally.counts
        often = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
        named = [(name, rows) for name, rows in often if name != OTHER_VALUES]
        self.values = tuple(name for name, _ in named[:MAX_VALUES])
        self.rows = tuple(rows for _, rows in named[:MAX_VALUES])
        self.distinct = max(self._tally.distinct - (OTHER_VALUES in tally), len(self.values))
        del self._tally

    def place(self, columns: Mapping[str, Column]) -> None:
        """Second pass over a batch."""
        codes, names = self._coded(columns)
        number = {name: i for i, name in enumerate(self.values)}
        other = len(self.values)
        found = np.array([*(number.get(name, other) for name in names), -1, -1], np.int64)
        self.placed = found[codes]  # from the end: -1 is missing, -2 of a wrong type

    @property
    def scopes(self) -> tuple[str, ...]:
        """The part of the stream that each value makes."""
        column = self.column
        if isinstance(column, str):
            return tuple(scope_name(column, value) for value in self.values)
        return self.values

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


def _may_be_named(value: str) -> bool:
    return 0 < len(value) <= MAX_VALUE_CHARS
