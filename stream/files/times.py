"""Times of files: each row's is read, or the row is named."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stream.contracts.event_time import (
    ACCEPTED,
    END_MS,
    MIN_NUMBER_MS,
    Floats,
    as_time,
    misread,
    numbers_ms,
    time_text,
    times_ms,
)
from stream.decode.arrow_times import column_ms, column_numbers, moments_ms
from stream.decode.arrow_values import is_text
from stream.files.files import DataError

__all__ = ["are_times", "moments", "parse_times", "problem_of", "read_times"]

_FIRST: Final = 64


def parse_times(array: Any, place: str = "time", first_row: int = 0) -> npt.NDArray[np.int64]:
    """Milliseconds since the epoch of a timestamp column, in the order of the rows.

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
        Naming the first row whose time is missing, cannot be read, or is none that events have.
    """
    ms, small = read_times(array)
    wrong = np.flatnonzero(~((ms >= 0) & (ms < END_MS)) | small)
    if wrong.size:
        row = int(wrong[0])
        got = array[row] if isinstance(array, list) else _value(array[row])
        more = f" ({wrong.size:,} such rows among {ms.size:,})" if wrong.size > 1 else ""
        words = problem_of(got, float(ms[row]), small=bool(small[row]))
        raise DataError(f"{place} in row {first_row + row + 1} {words}{more}. {ACCEPTED}")
    return ms.astype(np.int64)


def problem_of(got: object, ms: float, *, small: bool = False) -> str:
    """Why a value of a file is no time, in words; nothing if it is one."""
    if np.isnan(ms):
        return f"is not a time; got {got!r}"
    if small:
        early = abs(ms) < MIN_NUMBER_MS
        why = "numbers of before 1990 are not read" if early else "it may be a date with an hour"
        return (
            f"is not a time: got {got!r}, which since the epoch is {time_text(ms)} UTC; {why} "
            "(write such times as text)"
        )
    if not 0 <= ms < END_MS:
        return f"is not a time that events have: got {got!r}; it must be from 1970 to 2199"
    return ""


def read_times(array: Any) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Milliseconds of each row, NaN where it has no time, and which numbers are no times."""
    if isinstance(array, list):
        times = [as_time(value) for value in array]
        there = np.array([time is not None for time in times], np.bool_)
        ms = np.full(len(times), np.nan)
        ms[there] = times_ms([time for time in times if time is not None])
        numbers = [float(t) if isinstance(t, int | float) else 0.0 for t in times]
        return ms, misread(np.array(numbers, np.float64))
    nothing_small = np.zeros(len(array), np.bool_)
    if (values := column_numbers(array)) is not None:
        return numbers_ms(values), misread(np.nan_to_num(values))
    if is_text(array.type):
        moments = moments_ms(array)
        return read_times(array.to_pylist()) if moments is None else (moments, nothing_small)
    found = column_ms(array)
    return np.full(len(array), np.nan) if found is None else found, nothing_small


def are_times(array: Any) -> bool:
    """Whether texts are times, and not numbers that could be."""
    there = pc.drop_null(array)
    if not len(there):
        return False
    if moments_ms(there) is not None:
        return True
    texts = there.slice(0, _FIRST).to_pylist()
    return all(_is_moment(t) for t in texts) and all(map(_is_moment, pc.unique(there).to_pylist()))


def moments(array: Any) -> list[Any]:
    """Timestamps and dates as datetimes in UTC, None for null."""
    ms = column_ms(array)
    assert ms is not None
    ms = np.clip(ms, -1.0, END_MS)  # beyond it none is taken, and datetime may have none
    whole = pa.array(ms, pa.float64(), from_pandas=True).cast(pa.int64())
    return list(whole.cast(pa.timestamp("ms", tz="UTC")).to_pylist())


def _is_moment(text: str) -> bool:
    return not isinstance(as_time(text), float | None)


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # nanoseconds, or a year that datetime cannot hold
        return scalar.value
