"""What a reference knows of outcomes by the values of a protected column, such as sex or race."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.outcome_cells import OutcomeCells
from detectors.references.json_reader import Place

__all__ = ["MAX_VALUES", "MAX_VALUE_CHARS", "OTHER_VALUES", "ProtectedOutcomes"]

#: Values with counts of their own; those beyond them are counted as one. All pairs are compared.
MAX_VALUES: Final = 20
#: A longer value is among those without counts of their own, as in segments of events.
MAX_VALUE_CHARS: Final = 200
#: What those are called together.
OTHER_VALUES: Final = "__other__"


@dataclass(frozen=True, eq=False)
class ProtectedOutcomes:
    """Outcomes of the reference's rows by value of one column.

    Attributes
    ----------
    column : str
        Name of the column, and of the segment of events.
    values : tuple of str
        The most frequent ones, at most `MAX_VALUES`, most frequent first.
    counts : int64[len(values) + 1, cells.of_classes.width]
        Predicted by actual class of each value; the last row is of all others. Rows without a
        value are in none.
    """

    column: str
    values: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """What the rows of `counts` are called: the values, and those of none of them."""
        return (*self.values, OTHER_VALUES)

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "column": self.column,
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
        return cls(place["column"].text(non_empty=True), values, counts)
