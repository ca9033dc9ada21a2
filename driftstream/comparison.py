"""What a comparison of rows with a reference gives: a result for each column, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["ColumnResult", "ColumnTest", "Comparison"]

#: Smaller p-values are printed as below this: their last digits say nothing.
_MIN_P: Final = 1e-12
#: Of a change so many parts are printed.
_MAX_WORDS: Final = 3


@dataclass(frozen=True)
class ColumnTest:
    """One test of one column.

    Attributes
    ----------
    value, threshold : float
        The distance or rate, and the value from which it is a finding at the level of this test.
    p_value : float
        How often chance alone gives this value or more, without any correction.
    effect : float
        The distance less what chance brings, or by how much a rate rose or a share moved.
    events : int
        Rows that the test saw.
    severity : str
        "info", "warning" or "critical" by the effect; "" without a finding.
    """

    test: str
    value: float
    threshold: float
    p_value: float
    effect: float
    events: int
    drifted: bool
    severity: str


@dataclass(frozen=True)
class ColumnResult:
    """What a comparison says of one column.

    Attributes
    ----------
    drifted : bool
        Whether a test found something. A rate that rose by less than half a point is no finding,
        however small its p-value.
    p_value : float
        Corrected for all tests and columns of the comparison: where nothing changed, the smallest
        of all columns is at most `alpha` in a share `alpha` of comparisons or less. NaN if nothing
        of the column could be tested.
    severity : str
        The highest of its tests.
    test : str
        The test that shows it best; "" if there is none.
    change : str
        What moved, in words; "" if the column did not drift.
    """

    name: str
    drifted: bool
    p_value: float
    severity: str
    test: str
    change: str
    tests: tuple[ColumnTest, ...]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Columns of a window against those of a reference; printed, it is a table.

    Attributes
    ----------
    columns : mapping of name to ColumnResult
    alpha : float
        Chance that a comparison without any change names a column.
    events, reference_events : int
        Rows of the window and of the reference.
    notes : tuple of str
        What was not compared, and what limits the rest.
    """

    columns: Mapping[str, ColumnResult]
    alpha: float
    events: int
    reference_events: int
    notes: tuple[str, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the columns that drifted, the surest first."""
        found = [column for column in self if column.drifted]
        return tuple(column.name for column in sorted(found, key=lambda column: column.p_value))

    def __getitem__(self, name: str) -> ColumnResult:
        return self.columns[name]

    def __iter__(self) -> Iterator[ColumnResult]:
        return iter(self.columns.values())

    def __len__(self) -> int:
        return len(self.columns)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each test, as `pandas.DataFrame` takes them."""
        return [{"column": column.name, **vars(test)} for column in self for test in column.tests]

    def __repr__(self) -> str:
        lines = [
            f"{len(self.drifted)} of {len(self)} columns drifted: {self.events:,} rows against "
            f"{self.reference_events:,}, alpha {self.alpha:g}"
        ]
        width = max((len(name) for name in self.columns), default=0)
        same = [column for column in self if not column.drifted]
        for column in [*map(self.columns.__getitem__, self.drifted), *same]:
            lines.append(f"  {column.name:{width}}  {_line(column)}".rstrip())
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _line(column: ColumnResult) -> str:
    if not column.tests:
        return "not tested"
    p = f"p < {_MIN_P:g}" if column.p_value < _MIN_P else f"p {column.p_value:.2g}"
    if not column.drifted:
        return f"{'-':8}  {p}"
    change = "; ".join(column.change.split("; ")[:_MAX_WORDS])
    return f"{column.severity:8}  {p:9}  {column.test}: {change}"
