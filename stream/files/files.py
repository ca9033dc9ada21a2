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

from stream.contracts.errors import DriftstreamError
from stream.decode.arrow_values import is_text
from stream.files import arrow_ipc
from stream.files.content import NOT_UTF8, mistaken_for_text
from stream.files.dialect import find_dialect

__all__ = ["SUFFIXES", "DataError", "arrays", "is_typed", "may_be_data", "row_count"]

SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    **dict.fromkeys(arrow_ipc.SUFFIXES, "arrow"),
}
#: Bytes of CSV or JSON lines that are parsed at a time.
_BLOCK: Final = 4 << 20
#: Bytes of a Parquet file that are read at a time, however large its row groups are.
_BUFFER: Final = 32 << 20
_MIN_BUFFER: Final = 64 << 10


class DataError(DriftstreamError, ValueError):
    """A data file that cannot be used: which, where in it, what was got and what to do."""


def arrays(
    path: Path,
    *,
    rows: int,
    names: Collection[str] | None = None,
    coded: bool = False,
    delimiter: str = "",
) -> Iterator[dict[str, Any]]:
    """Read a file in batches: column name -> Arrow array, or list where types are mixed.

    Parameters
    ----------
    path : Path
        Of the file; its suffix says the format. CSV gives texts only (`stream.files.reading` says
        what they are), null where a field is empty.
    rows : int
        Largest batch of a Parquet or Arrow file; others are cut by bytes.
    names : collection of str, optional
        Columns that are wanted; all by default. A JSON line need not have them.
    coded : bool
        Leave texts of Parquet dictionary-encoded.
    delimiter : str
        Of a CSV; found out if empty.

    Raises
    ------
    DataError
        If the file cannot be read, saying where.
    """
    form = _open(path)
    try:
        if form in ("csv", "jsonl") and (mistaken := mistaken_for_text(path)):
            raise DataError(f"{path}: {mistaken}.")
        if form == "csv":
            found, skip = find_dialect(path)
            batches = _csv(path, names, delimiter or found, skip)
        elif form == "jsonl":
            batches = _json_lines(path, names)
        elif form == "arrow":
            batches = _arrow(path, rows, names)
        else:
            batches = _parquet(path, rows, names, coded)
        for batch in batches:
            if batch and len(next(iter(batch.values()))):
                yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError) or "invalid UTF8" in str(error):
            raise DataError(f"{path}: {NOT_UTF8}. ({_first_line(error)})") from error
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error


def row_count(path: Path) -> int | None:
    """Number of rows where the file says it without being read."""
    if _open(path) != "parquet":
        return None
    try:
        return int(pa.parquet.ParquetFile(path).metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {_first_line(error)}. Correct the file at that place.") from error


def is_typed(path: Path) -> bool:
    """Whether values of the file have types of their own; in a CSV all are texts."""
    return _format_of(path) != "csv"


def may_be_data(path: Path) -> bool:
    """Whether the name is that of a file that can be read."""
    return _suffix(path) in SUFFIXES


def _suffix(path: Path) -> str:
    """That of the format, without those of a compression."""
    suffixes = [s for s in path.suffixes if s not in (".gz", ".bz2", ".zst")]
    return suffixes[-1].lower() if suffixes else ""


def _format_of(path: Path) -> str:
    found = SUFFIXES.get(_suffix(path))
    if found is None:
        raise DataError(
            f"{path}: unknown kind of file. Use .csv, .tsv, .parquet, .arrow or .jsonl."
        )
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
    buffer = max(_MIN_BUFFER, _BUFFER // max(1, len(wanted)))
    file = pa.parquet.ParquetFile(path, read_dictionary=texts, buffer_size=buffer, pre_buffer=False)
    for batch in file.iter_batches(batch_size=rows, columns=wanted):
        yield {name: batch.column(i) for i, name in enumerate(batch.schema.names)}


def _arrow(path: Path, rows: int, names: Collection[str] | None) -> Iterator[dict[str, Any]]:
    schema = arrow_ipc.schema_of(path)
    _check_unique(path, schema.names)
    wanted = [name for name in schema.names if names is None or name in names]
    for batch in arrow_ipc.batches(path):
        for at in range(0, batch.num_rows, rows):
            part = batch.slice(at, rows)
            yield {name: part.column(schema.names.index(name)) for name in wanted}


def _csv(
    path: Path, names: Collection[str] | None, delimiter: str, skip: int
) -> Iterator[dict[str, Any]]:
    parse = pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    read = pa.csv.ReadOptions(block_size=_BLOCK, skip_rows=skip)
    with pa.csv.open_csv(path, read_options=read, parse_options=parse) as reader:
        header = list(reader.schema.names)
    _check_unique(path, header)
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()),
        include_columns=None if names is None else [n for n in header if n in names],
        null_values=[""],
        strings_can_be_null=True,
    )
    with pa.csv.open_csv(
        path, read_options=read, convert_options=convert, parse_options=parse
    ) as reader:
        for batch in reader:
            yield {name: batch.column(i) for i, name in enumerate(batch.schema.names)}


def _json_lines(path: Path, names: Collection[str] | None) -> Iterator[dict[str, Any]]:
    line = 1
    texts: set[str] = set()
    with pa.input_stream(str(path), compression="detect") as stream:
        rest = b""
        while block := stream.read(_BLOCK):
            end = block.rfind(b"\n") + 1
            text, rest = (rest + block[:end], block[end:]) if end else (b"", rest + block)
            if text.strip():
                yield _json_block(path, text, line, names, texts)
            line += text.count(b"\n")
        if rest.strip():
            yield _json_block(path, rest, line, names, texts)


def _json_block(
    path: Path, text: bytes, line: int, names: Collection[str] | None, texts: set[str]
) -> dict[str, Any]:
    """Rows of some lines; `texts` has the columns whose texts Arrow would take for times."""
    try:
        table = _read_json(text, texts)
        if stamped := {f.name for f in table.schema if pa.types.is_timestamp(f.type)}:
            texts |= stamped  # a text is a text, whatever it looks like
            table = _read_json(text, texts)
        _check_unique(path, table.schema.names)
        if any(map(_has_lost_digits, table.columns)):
            return _wanted(_mixed(path, text, line), names)
        batch = {n: table.column(i).combine_chunks() for i, n in enumerate(table.schema.names)}
    except pa.ArrowInvalid as error:  # columns of several types
        if "specified twice" in str(error):
            raise
        batch = _mixed(path, text, line)
    return _wanted(batch, names)


def _has_lost_digits(column: Any) -> bool:
    """Whether whole numbers beyond 64 bits made it a column of floats, which hold 53."""
    if not pa.types.is_float64(column.type):
        return False
    high = pc.max(pc.abs(column)).as_py()
    return high is not None and high >= 2.0**53


def _wanted(batch: dict[str, Any], names: Collection[str] | None) -> dict[str, Any]:
    if names is None:
        return batch
    n = len(next(iter(batch.values()), ()))
    return {name: batch.get(name, [None] * n) for name in names}


def _read_json(text: bytes, texts: set[str]) -> Any:
    schema = pa.schema([(name, pa.string()) for name in sorted(texts)]) if texts else None
    options = pa.json.ParseOptions(explicit_schema=schema)
    return pa.json.read_json(io.BytesIO(text), parse_options=options)


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
            raise DataError(
                f"{path}: line {line + i} must be a JSON object; got {row[:40]!r}. "
                "Write one object a line: in pandas to_json(orient='records', lines=True)."
            )
        rows.append(value)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _check_unique(path: Path, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path}: the header names {twice!r} twice. Rename one of the columns.")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
