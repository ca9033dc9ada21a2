"""The batch form of the native format: columns of one model's events in one message.

A batch is taken or refused as a whole. Its rows become the same event objects as single events, so
everything after decoding is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import astuple

from stream.decode.compiled import Compiled
from stream.decode.group import SignalGroup, ragged
from stream.decode.values import (
    RefusedError,
    as_category,
    as_list,
    as_segment,
    as_timestamp,
    not_an_object,
)

__all__ = ["batch_events", "coerce_batch"]


def batch_events(compiled: Compiled, columns: Any, max_rows: int) -> list[Any]:
    """The events of a batch.

    Raises
    ------
    RefusedError
        If it is empty, ragged or too long.
    """
    n = len(columns.timestamp)
    if n == 0:
        raise RefusedError("empty", "Expected at least one row - at $.columns.timestamp")
    if n > max_rows:
        raise RefusedError("too_large", f"Expected at most {max_rows} rows, got {n}")
    members: list[Iterable[Any]] = [columns.timestamp, [None] * n]
    for group in (compiled.features, compiled.prediction, compiled.actual):
        members.append(_rows(group, getattr(columns, group.name), n))
    if compiled.plan.segments:
        members.append(_segment_rows(compiled, columns.segments, n))
    if compiled.latency.keys:
        column = columns.latency_seconds
        if column is None:
            column = [astuple(compiled.latency.absent)[0]] * n
        elif len(column) != n:
            raise ragged("$.columns.latency_seconds", len(column), n)
        members.append(column)
    return list(map(compiled.event, *members))


def _rows(group: SignalGroup, columns: Any, n: int) -> Iterable[Any]:
    path = f"$.columns.{group.name}"
    if columns is None:
        return [None] * n
    if not isinstance(columns, list):
        return group.rows(columns, n, path)
    if len(columns) != n:
        raise ragged(path, len(columns), n)
    missing = group.one()  # null in a column of bare values: the group is there, the value is not
    return [missing if value is None else value for value in columns]


def _segment_rows(compiled: Compiled, columns: Any, n: int) -> Iterable[Any]:
    if columns is None:
        return [None] * n
    read = astuple(columns)
    for name, column in zip(compiled.plan.segments, read, strict=True):
        if column is not None and len(column) != n:
            raise ragged(f"$.columns.segments.{name}", len(column), n)
    return map(compiled.segments, *[[None] * n if column is None else column for column in read])


def coerce_batch(compiled: Compiled, document: Mapping[str, Any]) -> Any:
    """The struct of columns of a batch, value by value.

    Raises
    ------
    RefusedError
        If a required field is missing or of a wrong type.
    """
    columns = document.get("columns")
    if columns is None:
        raise RefusedError("missing_field", "Object missing required field `columns` - at $")
    if not isinstance(columns, dict):
        raise not_an_object(columns, "$.columns")
    times = as_list(columns.get("timestamp"), "$.columns.timestamp")
    if times is None:
        raise RefusedError(
            "missing_field", "Object missing required field `timestamp` - at $.columns"
        )
    members: dict[str, Any] = {
        "timestamp": [
            as_timestamp(time, f"$.columns.timestamp[{i}]") for i, time in enumerate(times)
        ]
    }
    for group in (compiled.features, compiled.prediction, compiled.actual):
        value = columns.get(group.name)
        if isinstance(value, dict):
            value = group.coerce_columns(value, f"$.columns.{group.name}")
        elif isinstance(value, list) and group is not compiled.features:
            value = list(map(as_category, value))
        elif value is not None:
            raise not_an_object(value, f"$.columns.{group.name}")
        members[group.name] = value
    if compiled.plan.segments:
        value = columns.get("segments")
        members["segments"] = None
        if isinstance(value, dict):
            read = [as_list(value.get(name), f"$.columns.segments.{name}")
                    for name in compiled.plan.segments]  # fmt: skip
            members["segments"] = compiled.segment_columns(
                *[None if c is None else list(map(as_segment, c)) for c in read]
            )
    if compiled.latency.keys:
        members["latency_seconds"] = compiled.latency.coerce_columns(columns, "$.columns").v0
    return compiled.columns(**members)
