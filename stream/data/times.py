"""Times of files: RFC 3339, dates, epoch numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream.data.files import DataError, is_text, text_as

__all__ = ["arrow_ms", "floats", "parse_times", "seconds_of", "text_times"]

_SECONDS_BELOW: Final = 1e11


def parse_times(array: Any, place: str = "time", first_row: int = 0) -> npt.NDArray[np.int64]:
    """Milliseconds since the epoch of a timestamp column, in the order of the rows.

    Numbers below 1e11 are seconds, others milliseconds, as in an event.

    Parameters
    ----------
    array : Arrow array or list
        Of timestamps, dates, texts or numbers.
    place : str
        File and column, for the error.
    first_row : int
        Number of the first of these rows, likewise.

    Raises
    ------
    DataError
        Naming the first row whose time is missing or cannot be read.
    """
    ms = _milliseconds(array)
    wrong = np.flatnonzero(~(np.abs(ms) < 2.0**53))
    if wrong.size:
        row = int(wrong[0])
        got = array[row] if isinstance(array, list) else array[row].as_py()
        more = f" ({wrong.size:,} such rows among {ms.size:,})" if wrong.size > 1 else ""
        raise DataError(
            f"{place} in row {first_row + row + 1} is not a time; got {got!r}{more}. "
            "Use RFC 3339 (2026-03-01T12:00:00Z) or epoch seconds."
        )
    return np.asarray(np.rint(ms), np.int64)


def _milliseconds(array: Any) -> npt.NDArray[np.float64]:
    """NaN where there is none."""
    if isinstance(array, list):
        return np.array([seconds_of(v) for v in array], np.float64) * 1000.0
    kind = array.type
    types = pa.types
    if types.is_timestamp(kind) or types.is_date(kind):
        return floats(arrow_ms(array))
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        numbers = floats(array)
        return np.where(np.abs(numbers) < _SECONDS_BELOW, numbers * 1000.0, numbers)
    if is_text(kind) and (stamped := text_times(array)) is not None:
        return floats(pc.cast(stamped, pa.int64())) / 1000.0
    return np.array([seconds_of(_number(v)) for v in array.to_pylist()], np.float64) * 1000.0


def text_times(array: Any) -> Any:
    """An array of texts as timestamps in microseconds; None if some are none."""
    stamped = text_as(array, pa.timestamp("us", tz="UTC"))
    return text_as(array, pa.timestamp("us")) if stamped is None else stamped


def arrow_ms(array: Any) -> Any:
    """Milliseconds since the epoch of dates and timestamps."""
    stamped = pc.cast(array, pa.timestamp("ms", tz=getattr(array.type, "tz", None)), safe=False)
    return pc.cast(stamped, pa.int64())


def floats(array: Any) -> npt.NDArray[np.float64]:
    """An array of numbers, NaN for nulls."""
    if not pa.types.is_float64(array.type):
        array = pc.cast(array, pa.float64(), safe=False)
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


def _number(value: Any) -> Any:
    """CSV has epoch numbers as texts."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def seconds_of(value: Any) -> float:
    """Seconds since the epoch of a text or number, NaN if it is none; UTC if it names no zone."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if abs(value) < _SECONDS_BELOW else value / 1000.0
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
