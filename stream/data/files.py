"""Batches of rows of a file, as Arrow arrays: one way in for all formats."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from stream.decode.arrow_times import text_as

__all__ = ["DataError", "arrays", "is_text", "number_or_text", "row_count", "text_as"]

#: What stands for a missing value in CSV, beside the empty field.
_NULLS: Final = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A"]
_SUFFIXES: Final = {
    ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip
#: Bytes of CSV or JSON lines that are parsed at a time.
_BLOCK: Final = 4 << 20
#: Bytes of a Parquet file that are read at a time, however large its row groups are.
_BUFFER: Final = 32 << 20
_LEAST_BUFFER: Final = 64 << 10


class DataError(ValueError):
    """A data file that cannot be used: which, where in it, what was got and what to do."""


def arrays(
    path: Path, *, rows: int, names: Collection[str] | None = None, coded: bool = False
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Read a file in batches: column name -> Arrow array, or list where types are mixed.

    Parameters
    ----------
    path : Path
        Of the file; its suffix says the format. CSV gives texts only, `True` as `true`.
    rows : int
        Largest batch of a Parquet file; others are cut by bytes.
    names : collection of str, optional
        Columns that are wanted; all by default. A JSON line need not have them.
    coded : bool
        Leave texts of Parquet dictionary-encoded.

    Raises
    ------
    DataError
        If the file cannot be read, saying where.
    """
    form = _open(path)
    read = {"parquet": _parquet, "csv": _csv, "jsonl": _json_lines}[form]
    try:
        for batch in read(path, rows, names, coded):
            if batch and len(next(iter(batch.values()))):
                yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error


def row_count(path: Path) -> int | None:
    """Number of rows where the file says it without being read."""
    if _open(path) != "parquet":
        return None
    try:
        return int(pa.parquet.ParquetFile(path).metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of texts."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def number_or_text(value: str | None) -> float | str | None:
    """A text as a number where it is one."""
    if value is None:
        return None
    try:
        return float(value)
    except ValueError:
        return value


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


def _parquet(
    path: Path, rows: int, names: Collection[str] | None, coded: bool
) -> Iterator[dict[str, Any]]:
    schema = pa.parquet.read_schema(path)
    _check_unique(path, schema.names)
    texts = [field.name for field in schema if coded and is_text(field.type)]
    # Without buffers whole column chunks would be held, and they may be as long as the file.
    wanted = [n for n in schema.names if names is None or n in names]
    buffer = max(_LEAST_BUFFER, _BUFFER // max(1, len(wanted)))
    file = pa.parquet.ParquetFile(path, read_dictionary=texts, buffer_size=buffer, pre_buffer=False)
    for batch in file.iter_batches(batch_size=rows, columns=wanted):
        yield {name: batch.column(i) for i, name in enumerate(batch.schema.names)}


def _csv(
    path: Path, rows: int, names: Collection[str] | None, coded: bool
) -> Iterator[dict[str, Any]]:
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    with pa.csv.open_csv(path, parse_options=parse) as reader:
        header = list(reader.schema.names)
    _check_unique(path, header)
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        include_columns=None if names is None else [n for n in header if n in names],
        null_values=_NULLS, strings_can_be_null=True,
    )  # fmt: skip
    read = pa.csv.ReadOptions(block_size=_BLOCK)
    with pa.csv.open_csv(
        path, read_options=read, convert_options=convert, parse_options=parse
    ) as reader:
        for batch in reader:
            columns = enumerate(batch.schema.names)
            yield {name: _lower_booleans(batch.column(i)) for i, name in columns}


def _lower_booleans(array: Any) -> Any:
    """True and TRUE, as other tools write a boolean, as the events have it: true."""
    booleans = pc.is_in(array, pa.array(["True", "TRUE", "False", "FALSE"]))
    return pc.if_else(booleans, pc.utf8_lower(array), array) if pc.any(booleans).as_py() else array


def _json_lines(
    path: Path, rows: int, names: Collection[str] | None, coded: bool
) -> Iterator[dict[str, Any]]:
    line = 1
    with pa.input_stream(str(path), compression="detect") as stream:
        rest = b""
        while block := stream.read(_BLOCK):
            end = block.rfind(b"\n") + 1
            text, rest = (rest + block[:end], block[end:]) if end else (b"", rest + block)
            if text.strip():
                yield _json_block(path, text, line, names)
            line += text.count(b"\n")
        if rest.strip():
            yield _json_block(path, rest, line, names)


def _json_block(
    path: Path, text: bytes, line: int, names: Collection[str] | None
) -> dict[str, Any]:
    try:
        table = pa.json.read_json(io.BytesIO(text))
        _check_unique(path, table.schema.names)
        batch = {n: table.column(i).combine_chunks() for i, n in enumerate(table.schema.names)}
    except pa.ArrowInvalid as error:  # columns of several types
        if "specified twice" in str(error):
            raise
        batch = _mixed(path, text, line)
    if names is None:
        return batch
    n = len(next(iter(batch.values()), ()))
    return {name: batch.get(name, [None] * n) for name in names}


def _mixed(path: Path, text: bytes, line: int) -> dict[str, list[Any]]:
    """Lines that Arrow does not take, one by one."""
    rows: list[dict[str, Any]] = []
    for i, row in enumerate(text.split(b"\n")):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except ValueError as error:
            raise DataError(
                f"{path}: JSON parse error in line {line + i}: {_first_line(error)}. "
                "Each line must be one JSON object."
            ) from None
        if not isinstance(value, dict):
            raise DataError(f"{path}: line {line + i} must be a JSON object; got {row[:40]!r}.")
        rows.append(value)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _check_unique(path: Path, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the header names {twice!r} twice. Rename one of the columns.")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
