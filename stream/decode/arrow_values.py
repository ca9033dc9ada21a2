"""Arrow columns as numbers and names, by the meanings of `detectors.counting.meaning`.

Files and batches both read here, so a value counts the same from a Parquet file and from a topic.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from detectors.counting.meaning import WRONG_TYPE, widened
from stream.decode.arrow_times import is_time

__all__ = ["column_names", "column_numbers", "decoded", "is_number", "is_text", "plain"]

Floats = npt.NDArray[np.float64]
_MICROSECONDS: Final = pa.timestamp("us")
_PLAIN_OF_VIEW: Final = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of texts."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_number(kind: Any) -> bool:
    """Whether it is one of numbers; booleans are."""
    types = pa.types
    return bool(
        types.is_floating(kind)
        or types.is_integer(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def decoded(column: Any) -> Any:
    """A column without a dictionary, and without views of texts: few functions of Arrow take them.

    Texts of polars are views, and its categories are dictionaries of views.
    """
    if not pa.types.is_dictionary(column.type):
        return column.cast(_PLAIN_OF_VIEW.get(column.type, column.type))
    names = column.dictionary
    if names.type in _PLAIN_OF_VIEW:
        names = names.cast(_PLAIN_OF_VIEW[names.type])
        column = pa.DictionaryArray.from_arrays(column.indices, names)
    return column.dictionary_decode()


def column_numbers(column: Any) -> Floats:
    """Numbers of a column: NaN where there is none, `WRONG_TYPE` where it is of a wrong type."""
    if pa.types.is_float64(column.type):  # asked first: a batch has many short columns
        values: Floats = column.to_numpy(zero_copy_only=False)
    elif pa.types.is_dictionary(column.type):
        return column_numbers(decoded(column))
    elif not is_number(column.type):
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(np.where(valid, WRONG_TYPE, np.nan), np.float64)
    elif pa.types.is_float16(column.type):
        values = widened(column.to_numpy(zero_copy_only=False))
    else:
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        column = column.cast(pa.float64(), safe=False)
        values = np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
    if not np.isfinite(values).all():
        values = np.where(np.isinf(values), np.nan, values)
    return values


def column_names(column: Any) -> tuple[npt.NDArray[np.int64], list[Any] | None]:
    """Places in a list of values that can be names, and these; a null is one past them.

    The list is None for types that cannot be names.
    """
    if pa.types.is_null(column.type):
        return np.zeros(len(column), np.int64), []
    if not pa.types.is_dictionary(column.type):
        if not _can_be_names(column.type):
            return np.zeros(len(column), np.int64), None
        if pa.types.is_string_view(column.type):
            column = column.cast(pa.string())
        column = column.dictionary_encode()
    elif not _can_be_names(column.dictionary.type):
        return np.zeros(len(column), np.int64), None
    names = plain(column.dictionary)
    return column.indices.cast(pa.int64()).fill_null(len(names)).to_numpy(), names


def plain(column: Any) -> list[Any]:
    """Values of a column as Python has them; times are dates and datetimes in UTC."""
    column = decoded(column)
    kind = column.type
    if pa.types.is_float16(kind):
        valid = column.is_valid().to_pylist()
        halves = widened(column.to_numpy(zero_copy_only=False)).tolist()
        return [half if there else None for half, there in zip(halves, valid, strict=True)]
    if pa.types.is_timestamp(kind):
        column = column.cast(_MICROSECONDS, safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _can_be_names(kind: Any) -> bool:
    return is_text(kind) or is_number(kind) or is_time(kind) or bool(pa.types.is_null(kind))
