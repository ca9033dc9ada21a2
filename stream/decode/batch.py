"""The batch form of the native format: columns of one model's events in one message.

A batch is taken or refused as a whole. Its columns become arrays as they are: no row is ever made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import astuple

from detectors.counting.json_floats import read_numbers
from stream.contracts.event_time import times_ms
from stream.decode.columnar_batch import (
    TIMES,
    ColumnarBatch,
    Segments,
    check_rows,
    coerced_times,
    column_ids,
    column_predicted,
    columns_of,
    set_absent,
    set_columns,
)
from stream.decode.compiled_decoder import CompiledDecoder
from stream.decode.signal_group import (
    NUMBER,
    Codes,
    Floats,
    SignalGroup,
    column_of,
    leave_out_missing,
    ragged,
)
from stream.decode.values import (
    as_category,
    as_list,
    as_segment,
    as_text,
    not_an_object,
)

__all__ = ["coerce_batch", "read_columns"]

_NUMBERS: Final = msgspec.json.Decoder(column_of(NUMBER))


def read_columns(decoder: CompiledDecoder, columns: Any, max_rows: int) -> ColumnarBatch:
    """The rows of a batch, from its struct of columns.

    Raises
    ------
    RefusedError
        If it is empty, ragged or too long.
    """
    n = len(columns.timestamp)
    check_rows(n, max_rows, TIMES)
    numeric = np.empty((n, decoder.n_numeric), order="F")  # written and read by columns
    codes = np.empty((n, decoder.n_codes), np.int32)
    for group in (decoder.features, decoder.prediction, decoder.actual):
        _fill(decoder, group, getattr(columns, group.name), numeric, codes)
    leave_out_missing(decoder.actual, numeric)
    if decoder.latency.keys:
        column = columns.latency_seconds
        if column is None:
            set_absent(decoder.latency, numeric, codes)
        else:
            _fill_columns(decoder.latency, [column], numeric, codes, "$.columns")
    segments = _segments(decoder, columns.segments, n) if decoder.plan.segment_columns else []
    lone = columns.features is None and columns.prediction is None
    actual = columns.actual is not None
    return ColumnarBatch(
        times_ms(columns.timestamp),
        numeric,
        codes,
        segments,
        lone,
        actual,
        TIMES,
        ids=column_ids(columns.prediction_id, n),
        predicted_ms=column_predicted(columns.prediction_timestamp, n),
    )


def _fill(
    decoder: CompiledDecoder, group: SignalGroup, columns: Any, numeric: Floats, codes: Codes
) -> None:
    path = f"$.columns.{group.name}"
    if columns is None:
        set_absent(group, numeric, codes)
    elif not isinstance(columns, list):
        _fill_columns(group, astuple(columns), numeric, codes, path)
    elif len(columns) != len(numeric):
        raise ragged(path, len(columns), len(numeric))
    elif group.keys:
        missing = group.one()  # null in a column of bare values: the group is there, not the value
        bare = [missing if v is None else decoder.as_object(group, v) for v in columns]
        group.fill(bare, numeric, codes)


def _fill_columns(
    group: SignalGroup, columns: Any, numeric: Floats, codes: Codes, path: str
) -> None:
    n = len(numeric)
    by_column = numeric.T  # a row for each column, and none of them is copied
    bits = by_column.view(np.uint64)

    def check(column: list[Any], k: int) -> None:
        if len(column) != n:
            raise ragged(f"{path}.{group.keys[k]}", len(column), n)

    def numbers(column: Any, k: int, at: int) -> Any:
        if type(column) is msgspec.Raw:
            if read_numbers(memoryview(column), by_column[at], bits[at]):
                return None
            column = _NUMBERS.decode(column)
            if column is None:
                return np.nan
        check(column, k)
        return np.fromiter(column, np.float64, n)

    def categories(column: list[Any], k: int) -> npt.NDArray[np.generic]:
        check(column, group.n_numeric + k)
        return group.tables[k].codes(column)

    set_columns(group, columns, numeric, codes, numbers, categories)


def _segments(decoder: CompiledDecoder, columns: Any, n: int) -> Segments:
    if columns is None:
        return [[None] * n for _ in decoder.plan.segment_columns]
    found: Segments = []
    for name, column in zip(decoder.plan.segment_columns, astuple(columns), strict=True):
        if column is not None and len(column) != n:
            raise ragged(f"$.columns.segments.{name}", len(column), n)
        found.append([None] * n if column is None else list(map(as_text, column)))
    return found


def coerce_batch(decoder: CompiledDecoder, document: Mapping[str, Any]) -> Any:
    """The struct of columns of a batch, value by value.

    Raises
    ------
    RefusedError
        If a required field is missing or of a wrong type.
    """
    columns, times = columns_of(document)
    members: dict[str, Any] = {
        "timestamp": times,
        "prediction_id": columns.get("prediction_id"),
        "prediction_timestamp": coerced_times(columns),
    }
    for group in (decoder.features, decoder.prediction, decoder.actual):
        value = columns.get(group.name)
        if isinstance(value, dict):
            value = group.coerce_columns(value, f"$.columns.{group.name}")
        elif isinstance(value, list) and group is not decoder.features:
            value = list(map(as_category, value))
        elif value is not None:
            raise not_an_object(value, f"$.columns.{group.name}")
        members[group.name] = value
    if decoder.plan.segment_columns:
        value = columns.get("segments")
        members["segments"] = None
        if isinstance(value, dict):
            read = [
                as_list(value.get(name), f"$.columns.segments.{name}")
                for name in decoder.plan.segment_columns
            ]
            members["segments"] = decoder.segment_columns(
                *[None if c is None else list(map(as_segment, c)) for c in read]
            )
    if decoder.latency.keys:
        members["latency_seconds"] = decoder.latency.coerce_columns(columns, "$.columns").v0
    return decoder.columns(**members)
