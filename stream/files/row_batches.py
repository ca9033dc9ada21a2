"""Events of one model as one message: columns in JSON, or an Arrow IPC stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, Final

import pyarrow as pa

from stream.contracts.event_time import times_ms
from stream.contracts.prediction_event import (
    ARROW_CONTENT_TYPE,
    BATCH_CONTENT_TYPE,
    EVENT_CONTENT_TYPE,
    BatchColumns,
    ModelId,
    Prediction,
    PredictionBatch,
    PredictionEvent,
    encode_batch,
)
from stream.files.row_events import RowEvent

__all__ = ["MAX_ROWS", "as_arrow", "as_batch", "packed"]

MAX_ROWS: Final = 1_000


def as_batch(model: ModelId, events: Sequence[PredictionEvent]) -> bytes:
    """The value of a native batch; all events have an actual, or none."""
    return encode_batch(PredictionBatch(model, _columns(events)))


def as_arrow(model: ModelId, events: Sequence[PredictionEvent]) -> bytes | None:
    """The same as an Arrow IPC stream; None if a column has values of several types."""
    columns = _columns(events)
    held: dict[str, Any] = {}
    for member in ("features", "prediction", "actual", "segments"):
        for name, values in (getattr(columns, member) or {}).items():
            held[f"{member}.{name}"] = values
    if columns.latency_seconds is not None:
        held["latency_seconds"] = columns.latency_seconds
    if columns.prediction_id is not None:
        held["prediction_id"] = columns.prediction_id
    ms = times_ms([event.timestamp for event in events])  # type: ignore[misc]
    try:
        arrays = {name: pa.array(values) for name, values in held.items()}
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None
    times = pa.array(ms.astype("int64"), pa.timestamp("ms", tz="UTC"))
    about = {"model.name": model.name, "model.version": model.version}
    table = pa.table({"timestamp": times, **arrays}).replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _columns(events: Sequence[PredictionEvent]) -> BatchColumns:
    first = events[0]
    predicted: Any = [event.prediction for event in events]
    return BatchColumns(
        timestamp=[event.timestamp for event in events],
        prediction_id=None if first.prediction_id is None else [e.prediction_id for e in events],
        features=_by_name([event.features or {} for event in events]),
        prediction=None
        if first.prediction is None
        else {key: [getattr(p, key) for p in predicted] for key in Prediction.__struct_fields__},
        actual=None
        if first.actual is None
        else {"label": [event.actual and event.actual.label for event in events]},
        segments=None
        if first.segments is None
        else _by_name([event.segments or {} for event in events]),
        latency_seconds=None
        if first.latency_seconds is None and all(event.latency_seconds is None for event in events)
        else [event.latency_seconds for event in events],
    )


def _by_name(rows: Sequence[Any]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in rows[0]}


def packed(
    events: Iterable[RowEvent], form: str, max_rows: int = MAX_ROWS
) -> Iterator[tuple[list[RowEvent], bytes, str]]:
    """Events as messages of a form: those of each message, its value and its content type.

    Parameters
    ----------
    events : iterable of RowEvent
        Of one model, in order.
    form : str
        "native", "batch" or "arrow". What Arrow has no column for, values of several types in one,
        goes as a native batch: it means the same.
    max_rows : int
        Events of a batch.
    """
    if form == "native":
        for event in events:
            yield [event], event.value, EVENT_CONTENT_TYPE
        return
    # A column of a batch is there for all rows or for none; null is missing, not absent.
    for _, alike in groupby(events, _presence):
        while some := list(islice(alike, max_rows)):
            held = [each.event for each in some if each.event is not None]
            model = held[0].model
            value = as_arrow(model, held) if form == "arrow" else None
            if value is None:
                yield some, as_batch(model, held), BATCH_CONTENT_TYPE
            else:
                yield some, value, ARROW_CONTENT_TYPE


def _presence(row: RowEvent) -> tuple[bool, bool]:
    event = row.event
    return (
        event is not None and event.actual is not None,
        event is not None and event.latency_seconds is not None,
    )
