"""Rows of a frame as native batches: columns of JSON, or of Arrow where Arrow was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import time
from typing import Any, Final

from stream.contracts.prediction_event import (
    BATCH_CONTENT_TYPE,
    BatchColumns,
    ModelId,
    PredictionBatch,
)
from stream.publishing.batches import Batch, Refuse, Roles, cut
from stream.publishing.errors import InvalidEventError
from stream.publishing.events import encode
from stream.publishing.values import Values

__all__ = ["batches", "is_arrow", "rows_of"]

_MAX_ROWS: Final = 1_000
_TIMES: Final = ("timestamp", "prediction_timestamp")
_HEADERS: Final = [("content-type", BATCH_CONTENT_TYPE.encode())]


def batches(
    frame: Any, roles: Roles, model: ModelId, values: Values, max_message_bytes: int, refuse: Refuse
) -> Iterator[Batch]:
    """Messages of up to 1,000 rows and `max_message_bytes`; rows that cannot be sent are refused.

    Raises
    ------
    InvalidEventError
        If it is no frame, columns are of different lengths, or named and not there.
    """
    if is_arrow(frame):
        from stream.publishing.arrow import arrow_batches

        yield from arrow_batches(frame, roles, model, max_message_bytes, refuse)
        return
    raw = roles.split(dict(_columns(frame)))
    columns = {name: _converted(name, column, values) for name, column in raw.items()}
    n = _common_length(columns)
    columns.setdefault("timestamp", [time()] * n)
    bad = {
        i: at
        for name in _TIMES
        for i, at in enumerate(columns.get(name, ()))
        if isinstance(at, InvalidEventError)
    }
    if bad:
        refuse("invalid", len(bad), f"{len(bad):,} rows were dropped: {bad[min(bad)]}")
        kept = sorted({*range(n)} - {*bad})
        columns = {name: [column[i] for i in kept] for name, column in columns.items()}
        n = len(kept)

    def make(start: int, end: int) -> bytes:
        part = {name: column[start:end] for name, column in columns.items()}
        return encode(PredictionBatch(model, _as_members(part)))

    for value, rows in cut(n, _MAX_ROWS, max_message_bytes, make, refuse):
        yield value, _HEADERS, rows


def is_arrow(frame: Any) -> bool:
    """Whether it is a table of pyarrow."""
    return type(frame).__module__.partition(".")[0] == "pyarrow" and hasattr(frame, "schema")


def rows_of(frame: Any) -> int:
    """How many rows a frame has; 1 of what is none."""
    try:
        if isinstance(frame, Mapping):
            return len(next(iter(frame.values())))
        return len(frame)
    except (TypeError, StopIteration):
        return 1


def _columns(frame: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(frame, Mapping):
        return [(str(name), column) for name, column in frame.items()]
    names = getattr(frame, "columns", None)
    if names is not None and hasattr(frame, "iloc"):
        return [(str(name), frame.iloc[:, i]) for i, name in enumerate(names)]
    if names is not None and hasattr(frame, "get_column"):
        return [(name, frame.get_column(name)) for name in names]
    named = getattr(getattr(frame, "dtype", None), "names", None)
    if named:
        return [(name, frame[name]) for name in named]
    raise InvalidEventError(
        "log_batch takes a frame of pandas, polars or pyarrow, or a mapping of names to arrays; "
        f"got {type(frame).__name__}. Name the columns of an array: dict(zip(names, array.T))."
    )


def _converted(name: str, column: Any, values: Values) -> list[Any]:
    if name == "timestamp":
        return [_time_or_error(value, values) for value in _listed(column)]
    if name == "prediction_timestamp":  # a row without one is a prediction
        return [
            None if _is_missing(values.plain(value)) else _time_or_error(value, values)
            for value in _listed(column)
        ]
    if name == "prediction_id":
        return [None if value is None else values.identity(value) for value in _listed(column)]
    if name == "latency_seconds":
        return [values.number(value, name) for value in _listed(column)]
    return values.column(column)


def _listed(column: Any) -> Sequence[Any]:
    return column if isinstance(column, list | tuple) else list(column)


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)


def _time_or_error(value: Any, values: Values) -> Any:
    try:
        return values.time(value)
    except InvalidEventError as error:
        return error


def _common_length(columns: Mapping[str, list[Any]]) -> int:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        (first, n), *others = lengths.items()
        other, m = next(pair for pair in others if pair[1] != n)
        raise InvalidEventError(
            f"columns must be of one length; got {n:,} of {first} and {m:,} of {other}."
        )
    if not any(name.startswith(("features.", "prediction.", "actual.")) for name in columns):
        raise InvalidEventError("a frame needs features, predictions, scores or actuals.")
    return next(iter(lengths.values()))


def _as_members(columns: Mapping[str, list[Any]]) -> BatchColumns:
    groups: dict[str, dict[str, list[Any]]] = {}
    alone: dict[str, list[Any]] = {}
    for name, column in columns.items():
        group, _, member = name.partition(".")
        if member:
            groups.setdefault(group, {})[member] = column
        else:
            alone[name] = column
    return BatchColumns(**alone, **groups)  # type: ignore[arg-type]
