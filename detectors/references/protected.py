"""What a reference knows of outcomes by the values of a protected column, such as sex or race."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.references.json_reader import Place
from detectors.references.segments import (
    MAX_VALUES,
    Segment,
    other_scope,
    read_segment,
    scope_name,
    segment_name,
    written,
)

__all__ = ["ProtectedOutcomes"]


@dataclass(frozen=True, eq=False)
class ProtectedOutcomes:
    """Outcomes of the reference's rows by value of one column, or combination of columns.

    Attributes
    ----------
    column : str or tuple of str
        Name of the column, and of the segment of events; names of those that are combined.
    values : tuple of str
        The most frequent ones, at most `MAX_VALUES`, most frequent first: `F`, of a combination
        `sex=F, age_band=60+`.
    counts : int64[len(values) + 1, cells.of_classes.width]
        Predicted by actual class of each value; the last row is of all others. Rows without a
        value are in none.
    """

    column: Segment
    values: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The part of the stream that each row of `counts` is of; all other values are the last."""
        column, values = self.column, self.values
        if isinstance(column, str):
            values = tuple(scope_name(column, value) for value in values)
        return (*values, other_scope(segment_name(column)))

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "column": written(self.column),
            "values": list(self.values),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def read(cls, place: Place, cells: OutcomeCells) -> ProtectedOutcomes:
        """From the document at a place."""
        if cells.task == "regression":
            place.fail("is of classes, and these outcomes are numbers")
        values = tuple(item.text(non_empty=True) for item in place["values"].items())
        if len(values) > MAX_VALUES or len(set(values)) < len(values):
            place["values"].fail(f"must be at most {MAX_VALUES} different names")
        rows = place["counts"].items()
        if len(rows) != len(values) + 1:
            place["counts"].fail(f"must have {len(values) + 1} rows; got {len(rows)}")
        width = cells.of_classes.width
        counts = np.array([row.integers(length=width, minimum=0) for row in rows])
        return cls(read_segment(place["column"]), values, counts)
