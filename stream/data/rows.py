"""Rows as plain values, for `replay` and `produce`.

Nothing is inferred: a value that does not fit its signal must reach the decoder as it is, which
counts it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from stream.data.files import arrays, is_text, number_or_text, text_as
from stream.data.times import moments
from stream.decode.arrow_times import is_time

__all__ = ["read_batches"]

_BATCH_ROWS: Final = 16_384


def read_batches(path: Path, numbers: Container[str] = ()) -> Iterator[dict[str, list[Any]]]:
    """Read a file in batches of rows: column name -> plain values.

    Parameters
    ----------
    path : Path
        Of the file; its suffix says the format.
    numbers : container of str
        Columns whose texts are read as numbers where they can be. Others stay as they are written:
        a category "007" is not a 7.

    Raises
    ------
    DataError
        If the file cannot be read, saying where.
    """
    for batch in arrays(path, rows=_BATCH_ROWS):
        plain = {name: _plain(array, name in numbers) for name, array in batch.items()}
        n = len(next(iter(plain.values())))
        for start in range(0, n, _BATCH_ROWS):
            yield {name: values[start : start + _BATCH_ROWS] for name, values in plain.items()}


def _plain(array: Any, numbers: bool) -> list[Any]:
    if isinstance(array, list):
        return [number_or_text(v) if isinstance(v, str) else v for v in array] if numbers else array
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if numbers and is_text(kind):
        if (cast := text_as(array, pa.float64())) is not None:
            return list(cast.to_pylist())
        return [number_or_text(value) for value in array.to_pylist()]
    if is_time(kind):
        return moments(array)
    if pa.types.is_decimal(kind):
        array = pc.cast(array, pa.float64())
    return list(array.to_pylist())
