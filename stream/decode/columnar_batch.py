"""The rows of one batch as columns: what every batch form decodes to, whatever its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stream.decode.columns import ABSENT, ABSENT_CODE
from stream.decode.ids import Ids, hash_ids
from stream.decode.predicted import predicted_times
from stream.decode.signal_group import Codes, Floats, SignalGroup, ragged
from stream.decode.values import RefusedError, as_list, as_timestamp, not_an_object

__all__ = [
    "PREDICTED",
    "TIMES",
    "ColumnarBatch",
    "Segments",
    "check_rows",
    "coerced_times",
    "column_ids",
    "column_predicted",
    "columns_of",
    "set_absent",
    "set_columns",
]

#: Where the times of a batch are, and those of the predictions that its truths are of.
TIMES: Final = "$.columns.timestamp"
PREDICTED: Final = "$.columns.prediction_timestamp"
Segments = list[list[Any]]


@dataclass(slots=True)
class ColumnarBatch:
    """All rows of one record, which is taken or refused as a whole.

    Attributes
    ----------
    ms : float64[n]
        Event times in whole milliseconds; not yet checked, so they may be absurd.
    numeric, codes, segments, ids, predicted_ms
        As in `Columns`, under the plan that read them.
    lone : bool
        There are neither features nor a prediction; `actual` says whether there are actuals.
    where : str
        The place of the times, for errors.
    version : str
        The model's, of all rows.
    """

    ms: Floats
    numeric: Floats
    codes: Codes
    segments: Segments
    lone: bool
    actual: bool
    where: str
    version: str = ""
    ids: Ids = None
    predicted_ms: Floats | None = None

    def take(self, rows: npt.NDArray[np.bool_]) -> ColumnarBatch:
        """Some of the rows."""
        if rows.all():
            return self
        at = np.flatnonzero(rows)
        segments = [[column[i] for i in at.tolist()] for column in self.segments]
        ids = None if self.ids is None else self.ids[at]
        predicted_ms = None if self.predicted_ms is None else self.predicted_ms[at]
        return ColumnarBatch(
            self.ms[at],
            self.numeric[at],
            self.codes[at],
            segments,
            self.lone,
            self.actual,
            self.where,
            self.version,
            ids,
            predicted_ms,
        )


def check_rows(n: int, max_rows: int, where: str) -> None:
    """Refuse a batch of no rows or of too many.

    Raises
    ------
    RefusedError
    """
    if n == 0:
        raise RefusedError("empty", f"Expected at least one row - at {where}")
    if n > max_rows:
        raise RefusedError("too_large", f"Expected at most {max_rows} rows, got {n}")


def set_absent(group: SignalGroup, numeric: Floats, codes: Codes) -> None:
    """Write that a group was not sent."""
    if group.keys:  # an index of nothing takes its time, too
        numeric[:, group.numeric_at] = ABSENT
        codes[:, group.codes_at] = ABSENT_CODE


def set_columns(
    group: SignalGroup,
    columns: Sequence[Any],
    numeric: Floats,
    codes: Codes,
    numbers: Callable[[Any, int, int], Any],
    categories: Callable[[Any, int], Any],
) -> None:
    """Write the columns of a group; one that is None is missing throughout.

    `numbers` and `categories` turn a column into values, given its place in the group; `numbers`
    may give None where it has written them, which it is told the column of.
    """
    for k, (at, column) in enumerate(zip(group.numeric_at.tolist(), columns, strict=False)):
        found = np.nan if column is None else numbers(column, k, at)
        if found is not None:
            numeric[:, at] = found
    rest = columns[group.n_numeric :]
    for k, (at, column) in enumerate(zip(group.codes_at, rest, strict=True)):
        codes[:, at] = group.tables[k][None] if column is None else categories(column, k)


def column_ids(column: Any, n: int) -> Ids:
    """Ids of the rows of a batch, from its column of them.

    Raises
    ------
    RefusedError
        If it is no column, or longer or shorter than the batch.
    """
    column = as_list(column, "$.columns.prediction_id")
    if column is None:
        return None
    if len(column) != n:
        raise ragged("$.columns.prediction_id", len(column), n)
    return hash_ids(column)


def column_predicted(column: Any, n: int) -> Floats | None:
    """When the predictions of rows were made that bring a truth of one.

    Raises
    ------
    RefusedError
        If the column is longer or shorter than the batch.
    """
    if column is None:
        return None
    if len(column) != n:
        raise ragged(PREDICTED, len(column), n)
    return None if column.count(None) == n else predicted_times(column)


def coerced_times(columns: Mapping[str, Any]) -> list[Any] | None:
    """The column of such times of a generic object, checked and read.

    Raises
    ------
    RefusedError
        If it is no column, or a value is no time.
    """
    times = as_list(columns.get("prediction_timestamp"), PREDICTED)
    if times is None:
        return None
    return [
        None if time is None else as_timestamp(time, f"{PREDICTED}[{i}]")
        for i, time in enumerate(times)
    ]


def columns_of(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The columns of a batch given as a generic object, and its times, each checked and read.

    Raises
    ------
    RefusedError
        If either is missing or of a wrong type.
    """
    columns = document.get("columns")
    if columns is None:
        raise RefusedError("missing_field", "Object missing required field `columns` - at $")
    if not isinstance(columns, dict):
        raise not_an_object(columns, "$.columns")
    times = as_list(columns.get("timestamp"), TIMES)
    if times is None:
        raise RefusedError(
            "missing_field", "Object missing required field `timestamp` - at $.columns"
        )
    return columns, [as_timestamp(time, f"{TIMES}[{i}]") for i, time in enumerate(times)]
