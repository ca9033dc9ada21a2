"""Prediction event v1: what producers publish, one JSON object an event or one a batch.

These structs are for whoever writes events. Reading is `stream.decode`, which compiles its own
structs for the signals that a plan watches. The contract in words is docs/events.md.

>>> encode_event(PredictionEvent(ModelId("fraud", "3"), 1772366400.5, features={"amount": 12.5}))
b'{"schema":"driftstream.prediction.v1","model":{"name":"fraud","version":"3"},"timestamp":1772366400.5,"features":{"amount":12.5}}'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec

__all__ = [
    "ARROW_CONTENT_TYPE",
    "BATCH_CONTENT_TYPE",
    "EVENT_CONTENT_TYPE",
    "EVENT_FIELDS",
    "EVENT_SCHEMA",
    "Actual",
    "BatchColumns",
    "ModelId",
    "Prediction",
    "PredictionBatch",
    "PredictionEvent",
    "Scalar",
    "Timestamp",
    "encode_batch",
    "encode_event",
]

EVENT_SCHEMA: Final = "driftstream.prediction.v1"
EVENT_CONTENT_TYPE: Final = "application/vnd.driftstream.prediction.v1+json"
BATCH_CONTENT_TYPE: Final = "application/vnd.driftstream.prediction.v1.batch+json"
#: A batch as an Arrow IPC stream; its columns are named in docs/events.md.
ARROW_CONTENT_TYPE: Final = "application/vnd.apache.arrow.stream"

#: One value of a feature, a label or a segment. None, NaN and infinities are missing values.
Scalar: TypeAlias = str | int | float | bool | None
#: RFC 3339 text, a date or datetime (naive = UTC), or a number since the epoch; docs/events.md.
Timestamp: TypeAlias = float | int | str | datetime


class ModelId(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which model predicted. Each version that is seen is watched on its own."""

    name: str
    version: str = ""


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model's output: a class or a number as `label`, its probability as `score`."""

    label: Scalar = None
    score: float | None = None


class Actual(msgspec.Struct, frozen=True, omit_defaults=True):
    """What turned out to be true, and when that was known."""

    label: Scalar = None
    timestamp: Timestamp | None = None


class PredictionEvent(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="schema", tag=EVENT_SCHEMA
):
    """One prediction, or a later truth about one.

    Such a truth repeats the prediction, and `prediction_timestamp` says when that was made; or it
    is `actual` alone, with the same `prediction_id`.
    """

    model: ModelId
    timestamp: Timestamp
    prediction_id: str | None = None
    features: Mapping[str, Any] | None = None
    prediction: Prediction | Scalar = None
    actual: Actual | None = None
    segments: Mapping[str, Any] | None = None
    latency_seconds: float | None = None
    tags: Mapping[str, Any] | None = None
    prediction_timestamp: Timestamp | None = None


class BatchColumns(msgspec.Struct, frozen=True, omit_defaults=True):
    """The members of many events of one model as columns of equal length."""

    timestamp: Sequence[Any]
    prediction_id: Sequence[Any] | None = None
    features: Mapping[str, Sequence[Any]] | None = None
    prediction: Mapping[str, Sequence[Any]] | Sequence[Any] | None = None
    actual: Mapping[str, Sequence[Any]] | None = None
    segments: Mapping[str, Sequence[Any]] | None = None
    latency_seconds: Sequence[Any] | None = None
    prediction_timestamp: Sequence[Any] | None = None


class PredictionBatch(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="schema", tag=EVENT_SCHEMA
):
    """Many predictions of one model in one message; it is taken or refused as a whole."""

    model: ModelId
    columns: BatchColumns


EVENT_FIELDS: Final = frozenset(("schema", *PredictionEvent.__struct_fields__))


def encode_event(event: PredictionEvent) -> bytes:
    """An event as the value of a Kafka message (send it with `EVENT_CONTENT_TYPE`).

    Raises
    ------
    TypeError
        If it holds an object of a type that JSON has nothing for.
    """
    return _ENCODER.encode(event)


def encode_batch(batch: PredictionBatch) -> bytes:
    """A batch as the value of a Kafka message (send it with `BATCH_CONTENT_TYPE`)."""
    return _ENCODER.encode(batch)


def _plain(value: object) -> object:
    """Arrays and array scalars as plain lists and numbers, whichever library made them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Objects of type {type(value).__name__} cannot be in an event.")


_ENCODER: Final = msgspec.json.Encoder(enc_hook=_plain)
