"""Rows as plain values, for `replay` and `produce`.

Nothing is inferred: a value that does not fit its signal must reach the decoder as it is, which
counts it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from detectors import Coded, category_text
from stream.decode.arrow_times import is_time
from stream.decode.arrow_values import plain as plain_values
from stream.files.files import arrays, is_typed
from stream.files.reading import Reading, has_commas, texts_as_names, texts_as_values, without
from stream.files.times import moments

__all__ = ["plain_rows", "read_batches"]

_BATCH_ROWS: Final = 16_384
_AS_WRITTEN: Final = Reading(missing=())


def read_batches(
    path: Path, reading: Reading = _AS_WRITTEN, times: Container[str] = ()
) -> Iterator[dict[str, list[Any]]]:
    """Read a file in batches of rows: column name -> plain values.

    Parameters
    ----------
    path : Path
        Of the file; its suffix says the format.
    reading : Reading
        What the texts of a CSV are. Those of other formats stay texts.
    times : container of str
        Columns of times: dates and timestamps are datetimes there. Elsewhere they are texts.

    Raises
    ------
    DataError
        If the file cannot be read, saying where.
    """
    typed = is_typed(path)
    first = True
    for batch in arrays(path, rows=_BATCH_ROWS, delimiter=reading.delimiter):
        if first and not typed:
            commas = {
                name
                for name in reading.values & batch.keys()
                if has_commas(batch[name], name in reading.commas)
            }
            reading = replace(reading, commas=frozenset(commas))
        first = False
        if typed:
            gone = reading.missing or ()
            there = {n: a if n in times else without(a, gone) for n, a in batch.items()}
            plain = plain_rows(there, times)
        else:
            plain = {
                name: _moments(array) if name in times else _of_csv(array, name, reading)
                for name, array in batch.items()
            }
        n = len(next(iter(plain.values())))
        for start in range(0, n, _BATCH_ROWS):
            yield {name: values[start : start + _BATCH_ROWS] for name, values in plain.items()}


def plain_rows(columns: Mapping[str, Any], times: Container[str] = ()) -> dict[str, list[Any]]:
    """Columns with types as plain values: those of times as datetimes, texts elsewhere."""
    return {
        name: _moments(array) if name in times else _typed(array) for name, array in columns.items()
    }


def _of_csv(array: Any, name: str, reading: Reading) -> list[Any]:
    if name not in reading.values:
        return list(texts_as_names(array, reading.no_value).to_pylist())
    found = texts_as_values(array, reading.missing, comma=name in reading.commas)
    if isinstance(found, Coded):
        values = [*found.values, None]  # -1 is the last: missing
        return [values[code] for code in found.codes.tolist()]
    return [None if v != v else v for v in found.tolist()]


def _typed(array: Any) -> list[Any]:
    """Values as JSON has them: numbers, texts, booleans; what is none of them stays as it is."""
    if isinstance(array, list):
        return array
    kind = array.type
    if is_time(kind):
        return [category_text(value) for value in plain_values(array)]
    if pa.types.is_decimal(kind):
        return [
            None if v is None else int(v) if v == v.to_integral_value() else float(v)
            for v in plain_values(array)
        ]
    return plain_values(array)


def _moments(array: Any) -> list[Any]:
    """Times as they are written; timestamps and dates as datetimes."""
    if isinstance(array, list):
        return array
    return moments(array) if is_time(array.type) else _typed(array)
