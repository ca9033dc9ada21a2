"""Reading CSV, Parquet and JSON lines: whole columns for `fit`, batches of rows for the others.

`read_columns` infers whether a column is numbers or categories. `read_batches` infers nothing: a
value that does not fit its signal must reach the decoder as it is, which counts it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

__all__ = ["Column", "DataError", "parse_times", "read_batches", "read_columns", "seconds_of"]

#: What stands for a missing value in CSV, beside the empty field.
_NULLS: Final = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"]
_SUFFIXES: Final = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
#: A column of text is one of numbers if at least this share of its values can be read as numbers.
_MOSTLY: Final = 0.9
_BATCH_ROWS: Final = 16_384
_SECONDS_BELOW: Final = 1e11


class DataError(ValueError):
    """A data file that cannot be used: which, where in it, what was got and what to do."""


@dataclass(frozen=True)
class Column:
    """One column as `fit` takes it.

    Attributes
    ----------
    values : float64 array or list
        Numbers (NaN = missing) or texts; both where single values of a column are not numbers.
    kind : str
        "numeric", "categorical" or "time".
    note : str
        What was noticed in reading it, for the user.
    """

    name: str
    values: npt.NDArray[np.float64] | list[Any]
    kind: str
    note: str = ""


def _format_of(path: Path) -> str:
    suffixes = [s for s in path.suffixes if s not in (".gz", ".bz2", ".zst")]
    found = _SUFFIXES.get(suffixes[-1].lower()) if suffixes else None
    if found is None:
        raise DataError(f"{path}: unknown kind of file. Use .csv, .tsv, .parquet or .jsonl.")
    return found


def _open(path: Path) -> str:
    found = _format_of(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file. Correct the path.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty. It needs a header and rows.")
    return found


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def _parse_options(path: Path) -> Any:
    return pa.csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True)


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
    form = _open(path)
    try:
        for batch in _arrow_batches(path, form):
            if batch.num_rows:
                columns = enumerate(batch.schema.names)
                yield {name: _plain(batch.column(i), name in numbers) for i, name in columns}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error


def _arrow_batches(path: Path, form: str) -> Iterator[Any]:
    if form == "parquet":
        yield from pa.parquet.ParquetFile(path).iter_batches(batch_size=_BATCH_ROWS)
    elif form == "jsonl":
        yield from pa.json.read_json(path).to_batches(max_chunksize=_BATCH_ROWS)
    else:
        names = _header(path)
        options = pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=_NULLS, strings_can_be_null=True,
        )  # fmt: skip
        yield from pa.csv.open_csv(
            path, convert_options=options, parse_options=_parse_options(path)
        )


def _header(path: Path) -> list[str]:
    with pa.csv.open_csv(path, parse_options=_parse_options(path)) as reader:
        names = list(reader.schema.names)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the header names {twice!r} twice. Rename one of the columns.")
    return names


def _plain(array: Any, numbers: bool) -> list[Any]:
    kind = array.type
    if numbers and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        try:
            return list(pc.cast(array, pa.float64()).to_pylist())
        except pa.ArrowInvalid:
            return [_number_or_text(value) for value in array.to_pylist()]
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return [None if t is None else t / 1000.0 for t in _arrow_ms(array).to_pylist()]
    if pa.types.is_decimal(kind):
        array = pc.cast(array, pa.float64())
    return list(array.to_pylist())


def _number_or_text(value: str | None) -> float | str | None:
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return value


def read_columns(path: Path) -> list[Column]:
    """Read a whole file as columns for `fit`, with their kinds inferred.

    Raises
    ------
    DataError
        If the file cannot be read or has no rows.
    """
    form = _open(path)
    try:
        if form == "parquet":
            table = pa.parquet.read_table(path)
        elif form == "jsonl":
            table = pa.json.read_json(path)
        else:
            _header(path)
            options = pa.csv.ConvertOptions(null_values=_NULLS, strings_can_be_null=True)
            table = pa.csv.read_csv(
                path, convert_options=options, parse_options=_parse_options(path)
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error
    if not table.num_rows:
        raise DataError(f"{path}: there are no rows below the header. A reference needs some.")
    return [
        _column(name, table.column(i).combine_chunks()) for i, name in enumerate(table.schema.names)
    ]


def _column(name: str, array: Any) -> Column:
    kind = array.type
    types = pa.types
    if types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return Column(name, _floats(array), "numeric")
    if types.is_timestamp(kind) or types.is_date(kind):
        whole_days = types.is_date(kind)
        seconds = _floats(_arrow_ms(array)) / 1000.0
        return Column(name, seconds, "time", "dates without a time" if whole_days else "")
    if types.is_boolean(kind):
        texts = [None if v is None else "true" if v else "false" for v in array.to_pylist()]
        return Column(name, texts, "categorical")
    if types.is_null(kind):
        return Column(name, np.full(len(array), np.nan), "numeric", "no values")
    if types.is_string(kind) or types.is_large_string(kind):
        return _text_column(name, array.to_pylist())
    return Column(name, [None] * len(array), "categorical", f"{kind} cannot be a signal")


def _text_column(name: str, values: list[str | None]) -> Column:
    numbers = [_number_or_text(value) for value in values]
    wrong = sum(isinstance(value, str) for value in numbers)
    there = sum(value is not None for value in numbers)
    if there and wrong <= (1 - _MOSTLY) * there:
        return Column(
            name, numbers, "numeric", f"{wrong:,} values are not numbers" if wrong else ""
        )
    return Column(name, values, "categorical")


def _floats(array: Any) -> npt.NDArray[np.float64]:
    out: npt.NDArray[np.float64] = pc.cast(array, pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return np.asarray(out, np.float64)


def _arrow_ms(array: Any) -> Any:
    """Milliseconds since the epoch of dates and timestamps."""
    stamped = pc.cast(array, pa.timestamp("ms", tz=getattr(array.type, "tz", None)), safe=False)
    return pc.cast(stamped, pa.int64())


def parse_times(path: Path, column: Column) -> npt.NDArray[np.int64]:
    """Milliseconds since the epoch of a timestamp column, in the order of the rows.

    Numbers below 1e11 are seconds, others milliseconds, as in an event.

    Raises
    ------
    DataError
        Naming the first row whose time is missing or cannot be read.
    """
    values: Sequence[Any] | npt.NDArray[np.float64] = column.values
    seconds = np.array([seconds_of(value) for value in values])
    wrong = np.flatnonzero(~np.isfinite(seconds))
    if wrong.size:
        row = int(wrong[0])
        got = values[row]
        raise DataError(
            f"{path}: {column.name} in row {row + 1} is not a time; got {got!r} "
            f"({wrong.size:,} such rows). Use RFC 3339 (2026-03-01T12:00:00Z) or epoch seconds."
        )
    return np.asarray(np.rint(seconds * 1000.0), np.int64)


def seconds_of(value: Any) -> float:
    """Seconds since the epoch of a text or number, NaN if it is none; UTC if it names no zone."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if abs(value) < _SECONDS_BELOW else value / 1000.0
    try:
        moment = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
