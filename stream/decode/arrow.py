"""Batches as Arrow IPC streams: columns are taken as they lie, categories by their dictionary.

Names and meanings are those of the native batch, with a dot for nesting (docs/events.md). The bytes
are a stranger's: every column that is read is validated first, because Arrow's readers trust
offsets, and bodies that are compressed are refused, because a few bytes could become gigabytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from stream.decode.arrow_guard import columns_by_name, refuse_compression, undecodable
from stream.decode.arrow_times import column_ms, is_time
from stream.decode.arrow_values import column_names, column_numbers, decoded
from stream.decode.columnar_batch import (
    ColumnarBatch,
    Segments,
    check_rows,
    set_absent,
    set_columns,
)
from stream.decode.compiled_decoder import CompiledDecoder
from stream.decode.ids import Ids, hash_ids, joined_ids
from stream.decode.plan_decoder import PlanDecoder
from stream.decode.predicted import joined_predicted
from stream.decode.schemaless_decoder import SchemalessDecoder
from stream.decode.signal_group import Codes, Floats, SignalGroup, leave_out_missing
from stream.decode.values import (
    CodeTable,
    RefusedError,
    as_category,
    as_segment,
    as_text,
    as_timestamp,
)
from stream.sketches.sketch import GROUPS

__all__ = ["ArrowBatches", "open_arrow", "read_arrow"]

_FAILED: Final = (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError)
_TIMES: Final = "timestamp"
_ID: Final = "prediction_id"
_PREDICTED: Final = "prediction_timestamp"
_READ: Final = {*GROUPS, "segments", "latency_seconds", _TIMES, _ID, _PREDICTED}


@dataclass(frozen=True)
class ArrowBatches:
    """A stream that was opened: its model, and each batch's columns by name."""

    model: str
    version: str
    columns: list[dict[str, Any]]
    rows: list[int]


def open_arrow(value: bytes, max_rows: int) -> ArrowBatches:
    """Open a stream and look at its outside; no value is read yet.

    Raises
    ------
    RefusedError
        If it is none, is compressed, names no model, or has no rows or too many.
    """
    try:
        buffer = pa.py_buffer(value)
        refuse_compression(buffer)
        with pa.ipc.open_stream(buffer) as reader:
            schema = reader.schema
            batches = list(reader)
        about = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
        rows = [int(batch.num_rows) for batch in batches]
        columns = [columns_by_name(batch, schema.names, _READ) for batch in batches]
    except _FAILED as error:
        raise undecodable(error) from None
    check_rows(sum(rows), max_rows, _TIMES)
    name = about.get("model.name")
    if name is None:
        raise RefusedError("missing_field", "Schema metadata has no `model.name`")
    if _TIMES not in schema.names:
        raise RefusedError("missing_field", f"Schema has no column `{_TIMES}`")
    return ArrowBatches(name, about.get("model.version", ""), columns, rows)


def read_arrow(decoder: PlanDecoder, batches: ArrowBatches) -> ColumnarBatch:
    """The rows of a stream.

    Raises
    ------
    RefusedError
        If a column is damaged or a time cannot be read.
    """
    if not isinstance(decoder, CompiledDecoder):
        return _schemaless_rows(decoder, batches)
    n = sum(batches.rows)
    ms = np.empty(n)
    numeric = np.empty((n, decoder.n_numeric), order="F")  # written and read by columns
    codes = np.empty((n, decoder.n_codes), np.int32)
    segments: Segments = [[] for _ in decoder.plan.segment_columns]
    ids: list[tuple[Ids, int]] = []
    predicted: list[tuple[Floats | None, int]] = []
    start = 0
    try:
        for columns, rows in zip(batches.columns, batches.rows, strict=True):
            end = start + rows
            ms[start:end] = _times(columns[_TIMES], start)
            for group in (decoder.features, decoder.prediction, decoder.actual, decoder.latency):
                _fill(decoder, group, columns, numeric[start:end], codes[start:end])
            leave_out_missing(decoder.actual, numeric[start:end])
            for name, values in zip(decoder.plan.segment_columns, segments, strict=True):
                values += _segment(columns.get(f"segments.{name}"), rows)
            ids.append((_ids(columns.get(_ID)), rows))
            predicted.append((_predicted(columns.get(_PREDICTED), start), rows))
            start = end
    except _FAILED as error:
        raise undecodable(error) from None
    names = batches.columns[0].keys()
    lone = not any(_member(name) in ("features", "prediction") for name in names)
    actual = any(_member(name) == "actual" for name in names)
    return ColumnarBatch(
        ms,
        numeric,
        codes,
        segments,
        lone,
        actual,
        _TIMES,
        ids=joined_ids(ids),
        predicted_ms=joined_predicted(predicted),
    )


def _schemaless_rows(decoder: SchemalessDecoder, batches: ArrowBatches) -> ColumnarBatch:
    """All columns that may hold signals, as plain values."""
    ms: list[Floats] = []
    by_name: dict[str, list[Any]] = {}
    ids: list[tuple[Ids, int]] = []
    predicted: list[tuple[Floats | None, int]] = []
    start = 0
    try:
        for columns, rows in zip(batches.columns, batches.rows, strict=True):
            ms.append(_times(columns[_TIMES], start))
            for name, column in columns.items():
                if _member(name) in (*GROUPS, "segments"):
                    by_name.setdefault(name, []).extend(_values(column))
            ids.append((_ids(columns.get(_ID)), rows))
            predicted.append((_predicted(columns.get(_PREDICTED), start), rows))
            start += rows
    except _FAILED as error:
        raise undecodable(error) from None
    members = {
        group: by_name.get(group)
        or {
            name.partition(".")[2]: column
            for name, column in by_name.items()
            if name.startswith(f"{group}.")
        }
        or None
        for group in (*GROUPS, "segments")
    }
    if isinstance(members["features"], list):  # features alone mean nothing
        members["features"] = None
    return decoder.rows(
        np.concatenate(ms),
        members["features"],
        members["prediction"],
        members["actual"],
        members["segments"],
        by_name.get("latency_seconds"),
        _TIMES,
        joined_ids(ids),
        joined_predicted(predicted),
    )


def _values(column: Any) -> list[Any]:
    """Values as JSON has them; one that is neither number nor name is an object, like any other."""
    column.validate(full=True)
    if (at_and_names := column_names(column))[1] is None:
        return [{} if there else None for there in column.is_valid().to_pylist()]
    at, names = at_and_names
    values = [
        as_text(v) if isinstance(v, date) else float(v) if isinstance(v, Decimal) else v
        for v in (*(names or ()), None)
    ]
    return [values[i] for i in at.tolist()]


def _member(column: str) -> str:
    return column.partition(".")[0]


def _fill(
    decoder: CompiledDecoder,
    group: SignalGroup,
    columns: Mapping[str, Any],
    numeric: Floats,
    codes: Codes,
) -> None:
    """Write a group's columns: `name.key` each, or `name` alone for a bare value."""
    if not group.keys:
        return
    bare = columns.get(group.name)
    if group.name == "features" or bare is None:
        if not any(_member(name) == group.name and name != group.name for name in columns):
            set_absent(group, numeric, codes)
            return
        found = [columns.get(f"{group.name}.{key}") for key in group.keys]
    elif group is decoder.latency:
        found = [bare]
    else:
        key = "label" if group is decoder.actual else _bare_key(decoder, bare.type)
        found = [bare if k == key else None for k in group.keys]

    def categories(column: Any, k: int) -> Codes:
        return _categories(column, group.tables[k])

    set_columns(group, found, numeric, codes, lambda column, *_: _numbers(column), categories)


def _bare_key(decoder: CompiledDecoder, kind: Any) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    number = pa.types.is_floating(kind) or pa.types.is_integer(kind)
    return str(decoder.bare_number if number else decoder.bare_text)


def _numbers(column: Any) -> Floats:
    """A numeric column; null and what is not finite are missing, other types invalid."""
    column.validate(full=True)
    return column_numbers(column)


def _categories(column: Any, table: CodeTable) -> Codes:
    """A categorical column: each name of its dictionary is looked up once."""
    column.validate(full=True)
    at, names = column_names(column)
    if names is None:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return np.asarray(np.where(valid, table.invalid, table[None]), np.int32)
    codes = [table[as_category(name)] for name in names]
    found: Codes = np.array([*codes, table[None]], np.int32)[at]
    return found


def _segment(column: Any, rows: int) -> list[str | None]:
    if column is None:
        return [None] * rows
    column.validate(full=True)
    at, names = column_names(column)
    if names is None:
        return [None] * rows
    texts = np.empty(len(names) + 1, object)
    texts[:] = [*[as_text(as_segment(name)) for name in names], None]
    found: list[str | None] = texts[at].tolist()
    return found


def _ids(column: Any) -> Ids:
    """Ids of a batch's rows; a column of another type than texts and numbers has none."""
    if column is None:
        return None
    column.validate(full=True)
    at, names = column_names(column)
    if not names:
        return None
    hashed = hash_ids([*map(as_text, names), None])
    return None if hashed is None else hashed[at]


def _predicted(column: Any, first: int) -> Floats | None:
    """Times of the predictions that rows bring a truth of; NaN where there is none."""
    if column is None or column.null_count == len(column):
        return None
    column.validate(full=True)
    there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    sent = _times(column.take(pa.array(there)), first, _PREDICTED)
    ms = np.full(len(column), np.nan)
    ms[there] = np.where(np.isnan(sent), np.inf, sent)
    return ms


def _times(column: Any, first: int, name: str = _TIMES) -> Floats:
    """Event times in milliseconds, by the rules of the native format."""
    column.validate(full=True)
    column = decoded(column)
    ms = None if pa.types.is_boolean(column.type) else column_ms(column)
    if ms is None:
        kind = "bool" if pa.types.is_boolean(column.type) else column.type
        raise RefusedError("bad_timestamp", f"Expected a time, got {kind} - at {name}[{first}]")
    for i in np.flatnonzero(np.isnan(ms)).tolist():
        if not is_time(column.type):
            as_timestamp(column[i].as_py(), f"{name}[{first + i}]")
        elif not column[i].is_valid:
            as_timestamp(None, f"{name}[{first + i}]")
    return ms
