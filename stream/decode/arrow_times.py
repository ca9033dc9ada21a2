"""Whole Arrow columns of times, by the table of single ones (`stream.contracts.event_time`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream.contracts.event_time import Floats, as_time, numbers_ms, times_ms, whole_ms

__all__ = ["column_ms", "column_numbers", "floats", "is_time", "moments_ms", "text_as"]

_MICROSECONDS: Final = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_DAY_US: Final = 86_400e6
_FIRST: Final = 64


def is_time(kind: Any) -> bool:
    """Whether an Arrow type is one of timestamps or dates."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def column_ms(array: Any) -> Floats | None:
    """Whole milliseconds of a column, NaN where a row has no time; None if no row can have one."""
    kind = array.type
    types = pa.types
    if types.is_null(kind):
        return np.full(len(array), np.nan)
    if types.is_timestamp(kind):
        one = isinstance(array, pa.Array)  # whose numbers can be had without a copy
        numbers = array.view(pa.int64()) if one else pc.cast(array, pa.int64())
        return whole_ms(floats(numbers) * _MICROSECONDS[kind.unit])
    if types.is_date32(kind):
        return whole_ms(floats(pc.cast(array, pa.int32())) * _DAY_US)
    if types.is_date64(kind):
        return whole_ms(floats(pc.cast(array, pa.int64())) * 1e3)
    if (values := column_numbers(array)) is not None:
        return numbers_ms(values)
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
        return None
    ms = moments_ms(array)
    return _one_by_one(array.to_pylist()) if ms is None else ms


def moments_ms(array: Any) -> Floats | None:
    """Milliseconds of texts that all are moments of one form; None if they are not."""
    for stamp in (pa.timestamp("us", tz="UTC"), pa.timestamp("us")):
        if (cast := text_as(array, stamp)) is not None:
            return whole_ms(floats(pc.cast(cast, pa.int64())))
    return None


def _one_by_one(values: list[Any]) -> Floats:
    times = [as_time(value) for value in values]
    ms = np.full(len(times), np.nan)
    there = [i for i, time in enumerate(times) if time is not None]
    ms[there] = times_ms([time for time in times if time is not None])
    return ms


def column_numbers(array: Any) -> Floats | None:
    """A column of numbers, or of texts that all are numbers; NaN for what is not finite."""
    kind = array.type
    types = pa.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        values = floats(array)
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        if (cast := text_as(array, pa.float64())) is None:
            return None
        values = floats(cast)
    else:
        return None
    return np.where(np.isfinite(values), values, np.nan)


def text_as(array: Any, kind: Any) -> Any:
    """Texts cast to another Arrow type; None if some of them cannot be."""
    if pa.types.is_string_view(array.type):
        array = pc.cast(array, pa.string())
    try:
        # Arrow words an error for every single text that fails: most fail in their first rows.
        pc.cast(array.slice(0, _FIRST), kind)
        return pc.cast(array, kind)
    except pa.ArrowInvalid:
        return None


def floats(array: Any) -> Floats:
    """An array of numbers, NaN for nulls."""
    if not (pa.types.is_float64(array.type) or pa.types.is_integer(array.type)):
        array = pc.cast(array, pa.float64(), safe=False)
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
