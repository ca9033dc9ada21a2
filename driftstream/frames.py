"""Frames as people have them - pandas, polars, Arrow, dicts of arrays - as named Arrow columns.

From there on a frame goes the way of a Parquet file, so that both mean the same.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from detectors import Coded
from stream.text.counted import some_of

__all__ = ["Frame", "columns_of", "missing_column"]

#: A pandas or polars DataFrame, an Arrow table, a structured array, or a mapping of name to column.
Frame: TypeAlias = Any
_NAMED: Final = 20


def columns_of(frame: Frame, what: str = "frame") -> dict[str, Any]:
    """Name to column, all of one length: an Arrow array, or a list where types are mixed.

    An index of times of a pandas frame is a column too, under its name, "" if it has none.

    Raises
    ------
    TypeError
        If it is no frame, saying what would be one.
    ValueError
        If columns have different lengths, or two have one name.
    """
    pairs = _pairs(frame, what)
    columns: dict[str, Any] = {}
    for name, column in pairs:
        if str(name) in columns:
            raise ValueError(f"{what} has two columns {str(name)!r}. Rename one of them.")
        columns[str(name)] = _as_arrow(column)
        if len(columns[str(name)]) != len(first := next(iter(columns.values()))):
            raise ValueError(
                f"columns of {what} must be of one length; got {len(first)} rows in "
                f"{next(iter(columns))!r} and {len(column)} in {str(name)!r}."
            )
    return columns


def missing_column(name: str, there: Iterable[str], what: str) -> str:
    """Words about a column that a frame does not have."""
    names = list(there)
    near = difflib.get_close_matches(name, names, 1)
    hint = (
        f"Did you mean {near[0]!r}?" if near else f"It has {some_of([*map(repr, names)], _NAMED)}."
    )
    return f"{what} has no column {name!r}. {hint}"


def _pairs(frame: Frame, what: str) -> Iterable[tuple[Any, Any]]:
    if isinstance(frame, Mapping):
        return [(name, _checked(column, f"{what}[{name!r}]")) for name, column in frame.items()]
    if _is_pandas(frame) and hasattr(frame, "columns"):
        pairs = [(name, frame.iloc[:, i]) for i, name in enumerate(frame.columns)]
        if getattr(frame.index.dtype, "kind", "") == "M":
            pairs.insert(0, (frame.index.name or "", frame.index))
        return pairs
    if isinstance(frame, np.ndarray) and frame.dtype.names:
        return [(name, frame[name]) for name in frame.dtype.names]
    if hasattr(frame, "__arrow_c_stream__") and not _is_pandas(frame):
        table = pa.table(frame)
        return list(zip(table.column_names, table.columns, strict=True))
    hint = ""
    if isinstance(frame, np.ndarray):
        hint = " Name its columns: dict(zip(names, array.T))."
    elif _is_pandas(frame):
        hint = " Of one column make a frame: series.to_frame()."
    raise TypeError(
        f"{what} must be a data frame (pandas, polars, Arrow), or a mapping of column names to "
        f"arrays; got {type(frame).__name__}.{hint}"
    )


def _checked(column: Any, what: str) -> Any:
    if isinstance(column, str | bytes | Mapping) or not hasattr(column, "__len__"):
        raise TypeError(f"{what} must be an array or a list; got {type(column).__name__}.")
    if getattr(column, "ndim", 1) != 1:
        raise TypeError(f"{what} must have one dimension; got an array of shape {column.shape}.")
    return column


def _as_arrow(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    if isinstance(column, pa.Array):
        return column
    if isinstance(column, Coded):
        column = [None if code < 0 else column.values[code] for code in column.codes.tolist()]
    if _is_pandas(column) and not hasattr(column, "array"):
        column = column.to_series()
    try:
        found = pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return [None if value != value else value for value in column]  # of several types
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _is_pandas(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "pandas"
