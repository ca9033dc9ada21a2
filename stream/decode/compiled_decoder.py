"""The decoder of one plan: structs with exactly the signals that are watched.

msgspec skips what a struct does not name, so unmonitored features cost a scan and no object. The
model's name is a literal of the struct: an event of another model fails at that field, and an event
of this one needs no look-up. The version is a value like any other where the plan is for every
version: one that was never seen costs no more than a known one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from detectors import CategoricalBinning
from stream.contracts.roles import ROLES
from stream.decode.columns import ABSENT, INVALID
from stream.decode.hashed import code_table
from stream.decode.model import model_struct, refusing
from stream.decode.predicted import coerced_time
from stream.decode.signal_group import (
    NUMBER,
    SCALAR,
    Codes,
    Floats,
    SignalGroup,
    column_of,
    leave_out_missing,
    make_struct,
)
from stream.decode.values import (
    ABSENT_CATEGORY,
    INVALID_CATEGORY,
    CodeTable,
    RefusedError,
    as_category,
    as_segment,
    as_text,
    as_timestamp,
    not_an_object,
    read_model,
)
from stream.plans.plan import Plan, Subject
from stream.plans.privacy import CategoryHash
from stream.sketches.sketch import GROUPS

__all__ = ["CompiledDecoder"]


class CompiledDecoder:
    """Structs, tables and column places of one plan.

    Parameters
    ----------
    line : Subject
        The model, and the version that the plan is in force for, or `*`.
    own : frozenset of str
        Versions that have plans of their own; events of them are not read here.
    """

    def __init__(
        self,
        line: Subject,
        plan: Plan,
        hashing: CategoryHash | None = None,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self.line = line
        self.plan = plan
        layout = plan.layout
        decoded = plan.decoded  # what is derived has its columns behind theirs
        self.n_numeric = sum(signal.kind == "numeric" for signal in decoded)
        self.n_codes = len(decoded) - self.n_numeric
        at = {int(signal): column for column, signal in enumerate(layout.numeric)}
        at |= {int(signal): column for column, signal in enumerate(layout.categorical)}
        members: dict[str, dict[str, tuple[str, CodeTable | None, int]]] = {}
        for i, signal in enumerate(decoded):
            table = None
            if isinstance(signal.binning, CategoricalBinning):
                later = signal.role == "actual"
                table = code_table(signal.name, signal.binning, hashing, known_later=later)
            role = ROLES[signal.role]
            key = role.key(signal.name)
            members.setdefault(role.member, {}).setdefault(key, (key, table, at[i]))
        groups = {name: SignalGroup(name, list(members.get(name, {}).values())) for name in GROUPS}
        self.features = groups["features"]
        self.prediction = groups["prediction"]
        self.actual = groups["actual"]
        self.latency = groups["latency_seconds"]
        self.invalid_codes = [
            (column, table.invalid)
            for group in groups.values()
            for column, table in zip(group.codes_at, group.tables, strict=True)
        ]
        roles = {signal.role for signal in plan.reference.signals}
        self.bare_number = "score" if "score" in roles or "label" not in roles else "label"
        self.bare_text = "label" if "label" in roles or "score" not in roles else "score"
        self.known_features = {
            s.name for s in plan.reference.signals if ROLES[s.role].member == "features"
        }
        self._segment_fields = [f"v{i}" for i in range(len(plan.segment_columns))]
        self._define(own)

    def _define(self, own: frozenset[str]) -> None:
        names = dict(zip(self._segment_fields, self.plan.segment_columns, strict=True))
        self.segments: Any = make_struct("segments", [(f, SCALAR, None) for f in names], names)
        segment_columns = make_struct(
            "segments", [(f, column_of(SCALAR), None) for f in names], names
        )
        self._no_segments = self.segments()
        self.model = model = model_struct(self.line)
        # A latency that was not sent is absent; one that is null is missing.
        fields = [("timestamp", float | datetime), ("model", model),
                  ("prediction_id", SCALAR, None),
                  ("features", self.features.one | None, None),
                  ("prediction", self.prediction.one | SCALAR, None),
                  ("actual", self.actual.one | SCALAR, None),
                  ("prediction_timestamp", float | datetime | None, None)]  # fmt: skip
        columns = [
            ("timestamp", list[float | datetime]),
            ("prediction_id", column_of(SCALAR), None),
            ("features", self.features.many | None, None),
            ("prediction", self.prediction.many | list[SCALAR] | None, None),
            ("actual", self.actual.many | list[SCALAR] | None, None),
            ("prediction_timestamp", list[float | datetime | None] | None, None),
        ]
        if self.plan.segment_columns:
            fields.append(("segments", self.segments | None, None))
            columns.append(("segments", segment_columns | None, None))
        if self.latency.keys:
            kind = SCALAR if self.latency.tables else NUMBER
            none = ABSENT_CATEGORY if self.latency.tables else ABSENT
            fields.append(("latency_seconds", kind, none))
            columns.append(("latency_seconds", column_of(kind), None))
        self.event: Any = make_struct("event", fields)
        self.columns: Any = make_struct("columns", columns)
        self.segment_columns = segment_columns
        batch = make_struct("batch", [("model", model), ("columns", self.columns)])
        self.decode = refusing(own, msgspec.json.Decoder(self.event).decode)
        self.decode_batch = refusing(own, msgspec.json.Decoder(batch).decode)

    def arrays(self, events: list[Any]) -> tuple[Floats, Codes, list[list[str | None]]]:
        """Columns of decoded events: numbers, codes, and the values of each segment."""
        n = len(events)
        numeric = np.empty((n, self.n_numeric))
        codes = np.empty((n, self.n_codes), np.int32)
        if self.features.keys:
            absent = self.features.absent
            self.features.fill([e.features or absent for e in events], numeric, codes)
        if self.prediction.keys:
            objects = [self.as_object(self.prediction, e.prediction) for e in events]
            self.prediction.fill(objects, numeric, codes)
        if self.actual.keys:
            objects = [self.as_object(self.actual, e.actual) for e in events]
            self.actual.fill(objects, numeric, codes)
            leave_out_missing(self.actual, numeric)
        if self.latency.keys:
            self.latency.fill([self.latency.one(e.latency_seconds) for e in events], numeric, codes)
        if not self.plan.segment_columns:
            return numeric, codes, []
        segments = [astuple(e.segments or self._no_segments) for e in events]
        texts = [list(map(as_text, column)) for column in zip(*segments, strict=True)]
        return numeric, codes, texts

    def invalid_values(self, numeric: Floats, codes: Codes) -> int:
        """How many values were of a wrong type."""
        count = int(np.count_nonzero(numeric == INVALID))
        return count + sum(
            int(np.count_nonzero(codes[:, column] == code)) for column, code in self.invalid_codes
        )

    def as_object(self, group: SignalGroup, value: Any) -> Any:
        """The members of `prediction` or `actual`, which may have been a bare value."""
        if type(value) is group.one:
            return value
        if value is None:
            return group.absent
        if value is INVALID_CATEGORY:
            return group.invalid
        if group is self.actual:
            return group.bare("label", value)
        text = isinstance(value, str | bool)
        return group.bare(self.bare_text if text else self.bare_number, value)

    def coerce(self, document: Mapping[str, Any]) -> Any:
        """An event value by value, as `decode` would give it with every value of a right type.

        Raises
        ------
        RefusedError
            If a required field is missing or of a wrong type.
        """
        if "timestamp" not in document:
            raise RefusedError("missing_field", "Object missing required field `timestamp` - at $")
        members: dict[str, Any] = {
            "timestamp": as_timestamp(document["timestamp"], "$.timestamp"),
            "model": self.model(*read_model(document)),
            "prediction_id": as_segment(document.get("prediction_id")),
            "features": None,
            "prediction": self._coerce_object(self.prediction, document.get("prediction")),
            "actual": self._coerce_object(self.actual, document.get("actual")),
            "prediction_timestamp": coerced_time(document),
        }
        features = document.get("features")
        if isinstance(features, dict):
            members["features"] = self.features.coerce(features)
        elif as_category(features) is not None:  # NaN and Infinity are missing, objects too
            raise not_an_object(features, "$.features")
        if self.plan.segment_columns:
            segments = document.get("segments")
            if isinstance(segments, dict):
                values = map(segments.get, self.plan.segment_columns)
                members["segments"] = self.segments(*map(as_segment, values))
            else:
                members["segments"] = None
        if self.latency.keys and "latency_seconds" in document:
            members["latency_seconds"] = astuple(self.latency.coerce(document))[0]
        return self.event(**members)

    def _coerce_object(self, group: SignalGroup, value: object) -> Any:
        if isinstance(value, dict):
            return group.coerce(value)
        return as_category(value)
