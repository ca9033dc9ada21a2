"""The decoder of a plan whose signals nobody named yet: all members of an event, as sent.

It reads what `CompiledDecoder` reads, by the same rules for times, models and refusals, but keeps
values as they are: which signals there are and of what kind shows only later. It costs about five
times as much as a compiled decoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

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
)
from stream.decode.ids import Ids
from stream.decode.model import model_struct, refusing
from stream.decode.predicted import coerced_time
from stream.decode.schemaless_values import NOT_SENT, SchemalessValues
from stream.decode.signal_group import Codes, Floats, make_struct, ragged
from stream.decode.values import (
    RefusedError,
    as_category,
    as_list,
    as_segment,
    as_text,
    as_timestamp,
    not_an_object,
    read_model,
)
from stream.plans.plan import LearningPlan, Subject

__all__ = ["SchemalessDecoder"]

_Column = list[Any] | None
#: Members of a batch that hold columns by name, or one column of bare values.
_MEMBERS: Final = ("features", "prediction", "actual")


class SchemalessDecoder:
    """Structs of a plan without a reference; parameters as of `CompiledDecoder`."""

    #: Every feature is read, so none is unknown.
    known_features: Final = None

    def __init__(
        self, line: Subject, plan: LearningPlan, own: frozenset[str] = frozenset()
    ) -> None:
        self.line = line
        self.plan = plan
        self.model = model = model_struct(line)
        fields = [
            ("timestamp", float | datetime),
            ("model", model),
            ("prediction_id", Any, None),
            ("features", dict[str, Any] | None, None),
            ("prediction", Any, None),
            ("actual", Any, None),
            ("prediction_timestamp", float | datetime | None, None),
            ("segments", Any, None),
            ("latency_seconds", Any, NOT_SENT),
        ]
        columns = [
            ("timestamp", list[float | datetime]),
            ("prediction_id", _Column, None),
            ("features", dict[str, _Column] | None, None),
            ("prediction", dict[str, _Column] | _Column, None),
            ("actual", dict[str, _Column] | _Column, None),
            ("prediction_timestamp", list[float | datetime | None] | None, None),
            ("segments", dict[str, _Column] | None, None),
            ("latency_seconds", _Column, None),
        ]
        self.event: Any = make_struct("event", fields)
        self.columns: Any = make_struct("columns", columns)
        batch = make_struct("batch", [("model", model), ("columns", self.columns)])
        self.decode = refusing(own, msgspec.json.Decoder(self.event).decode)
        self.decode_batch = refusing(own, msgspec.json.Decoder(batch).decode)

    def arrays(self, events: list[Any]) -> tuple[Floats, Codes, Segments]:
        """No numbers and no codes; the values of each segment, then all values of each event."""
        n = len(events)
        values = [
            SchemalessValues(e.features, e.prediction, e.actual, e.latency_seconds) for e in events
        ]
        sent = [e.segments if isinstance(e.segments, dict) else {} for e in events]
        segments = [
            [as_text(as_segment(found.get(name))) for found in sent]
            for name in self.plan.segment_columns
        ]
        return np.empty((n, 0)), np.empty((n, 0), np.int32), [*segments, values]

    def invalid_values(self, numeric: Floats, codes: Codes) -> int:
        """None: what is of a wrong type shows when the kinds of signals are known."""
        return 0

    def coerce(self, document: Mapping[str, Any]) -> Any:
        """An event from a generic object.

        Raises
        ------
        RefusedError
            If a required field is missing or of a wrong type.
        """
        if "timestamp" not in document:
            raise RefusedError("missing_field", "Object missing required field `timestamp` - at $")
        features = document.get("features")
        if not isinstance(features, dict):
            if as_category(features) is not None:  # NaN and Infinity are missing, objects too
                raise not_an_object(features, "$.features")
            features = None
        return self.event(
            as_timestamp(document["timestamp"], "$.timestamp"),
            self.model(*read_model(document)),
            document.get("prediction_id"),
            features,
            _plain(document.get("prediction")),
            _plain(document.get("actual")),
            coerced_time(document),
            document.get("segments"),
            document.get("latency_seconds", NOT_SENT),
        )

    def coerce_batch(self, document: Mapping[str, Any]) -> Any:
        """The struct of columns of a batch from a generic object.

        Raises
        ------
        RefusedError
            If a required field is missing or of a wrong type.
        """
        columns, times = columns_of(document)
        members: dict[str, Any] = {
            "timestamp": times,
            "prediction_id": columns.get("prediction_id"),
            "latency_seconds": as_list(columns.get("latency_seconds"), "$.columns.latency_seconds"),
            "prediction_timestamp": coerced_times(columns),
        }
        for name in (*_MEMBERS, "segments"):
            value = columns.get(name)
            path = f"$.columns.{name}"
            if isinstance(value, dict):
                value = {key: as_list(column, f"{path}.{key}") for key, column in value.items()}
            elif name == "segments":
                value = None
            elif value is not None and (name == "features" or not isinstance(value, list)):
                raise not_an_object(value, path)
            members[name] = value
        return self.columns(**members)

    def read_columns(self, columns: Any, max_rows: int) -> ColumnarBatch:
        """The rows of a batch, from its struct of columns.

        Raises
        ------
        RefusedError
            If it is empty, ragged or too long.
        """
        n = len(columns.timestamp)
        check_rows(n, max_rows, TIMES)
        return self.rows(
            times_ms(columns.timestamp),
            columns.features,
            columns.prediction,
            columns.actual,
            columns.segments,
            columns.latency_seconds,
            TIMES,
            column_ids(columns.prediction_id, n),
            column_predicted(columns.prediction_timestamp, n),
        )

    def rows(
        self,
        ms: Floats,
        features: Any,
        prediction: Any,
        actual: Any,
        segments: Any,
        latency: _Column,
        where: str,
        ids: Ids,
        predicted_ms: Floats | None,
    ) -> ColumnarBatch:
        """Rows of columns by name, each a list or None; bare columns are lists themselves."""
        n = len(ms)
        for name, sent in zip(_MEMBERS, (features, prediction, actual), strict=True):
            _check_lengths(sent, n, f"$.columns.{name}")
        _check_lengths(segments, n, "$.columns.segments")
        _check_lengths(latency, n, "$.columns.latency_seconds")
        # A bare null has its group and no value in it, as in the compiled decoder.
        values = list(
            map(
                SchemalessValues,
                _members(features, n),
                _members(prediction, n, bare=True),
                _members(actual, n, bare=True),
                [NOT_SENT] * n if latency is None else latency,
            )
        )
        by_name = segments or {}
        texts = [
            [None] * n
            if (column := by_name.get(name)) is None
            else [as_text(as_segment(value)) for value in column]
            for name in self.plan.segment_columns
        ]
        return ColumnarBatch(
            ms,
            np.empty((n, 0)),
            np.empty((n, 0), np.int32),
            [*texts, values],
            features is None and prediction is None,
            actual is not None,
            where,
            ids=ids,
            predicted_ms=predicted_ms,
        )


def _plain(value: Any) -> Any:
    """A bare value that is not finite is missing."""
    return value if isinstance(value, dict | list) else as_category(value)


def _check_lengths(sent: Any, n: int, path: str) -> None:
    if isinstance(sent, list) and len(sent) != n:
        raise ragged(path, len(sent), n)
    if isinstance(sent, dict):
        for name, column in sent.items():
            if column is not None and len(column) != n:
                raise ragged(f"{path}.{name}", len(column), n)


def _members(sent: Any, n: int, *, bare: bool = False) -> Iterable[Any]:
    """One object a row."""
    if sent is None:
        return [None] * n
    if bare and isinstance(sent, list):
        return [{} if value is None else value for value in sent]
    columns = {name: column for name, column in sent.items() if column is not None}
    if not columns:
        return [{}] * n
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
