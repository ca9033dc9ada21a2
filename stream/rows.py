"""Rows of a file as prediction events, by a mapping of its columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from detectors import ColumnMapping, Reference
from stream.data import seconds_of
from stream.events import Actual, ModelId, Prediction, PredictionEvent, encode_event

__all__ = ["EventRows", "RowEvent", "RowMapping"]

_ROW_S: Final = 1.0


class RowEvent(NamedTuple):
    """An encoded event, its id (None if the file has none) and its time (NaN if unreadable)."""

    prediction_id: str | None
    value: bytes
    seconds: float


@dataclass(frozen=True)
class RowMapping:
    """What the columns of a file are in the events of a model.

    Attributes
    ----------
    roles : dict of column to role
        Of the columns that hold signals.
    numeric : frozenset of str
        Those whose texts are read as numbers where they can be.
    """

    model: str
    version: str
    roles: Mapping[str, str]
    numeric: frozenset[str]
    columns: ColumnMapping
    segments: tuple[str, ...] = ()

    @classmethod
    def of(cls, reference: Reference, version: str | None = None) -> RowMapping:
        """The mapping that a reference was fitted with."""
        return cls(
            reference.model, reference.version if version is None else version,
            {s.name: s.role for s in reference.signals},
            frozenset(s.name for s in reference.signals if s.kind == "numeric"),
            reference.columns, reference.segments,
        )  # fmt: skip


class EventRows:
    """Makes events of the rows of one file.

    Without a timestamp column rows are one second apart from 1970-01-01, unless times are given.

    Parameters
    ----------
    mapping : RowMapping
        Which columns are sent, and as what.
    """

    def __init__(self, mapping: RowMapping) -> None:
        self.mapping = mapping
        self.model = ModelId(mapping.model, mapping.version)
        self.rows = 0
        self._names = {
            role: [name for name, said in mapping.roles.items() if said == role]
            for role in ("feature", "label", "score", "actual", "latency")
        }
        columns = mapping.columns
        self.numbers = mapping.numeric | {c for c in (columns.timestamp, columns.actual) if c}

    def missing_columns(self, names: Sequence[str]) -> list[str]:
        """Columns that the mapping has and the file has not."""
        columns = self.mapping.columns
        wanted = list(self.mapping.roles)
        wanted += [c for c in (columns.timestamp, columns.id) if c]
        return [name for name in [*wanted, *self.mapping.segments] if name not in names]

    def events(
        self, batch: Mapping[str, list[Any]], times: Sequence[float] | None = None
    ) -> Iterator[RowEvent]:
        """Events of a batch of rows; `times` are seconds that replace the file's."""
        columns = self.mapping.columns
        n = len(next(iter(batch.values())))
        nothing: list[Any] = [None] * n
        features = [(name, batch.get(name, nothing)) for name in self._names["feature"]]
        segments = [(name, batch.get(name, nothing)) for name in self.mapping.segments]
        ids = batch.get(columns.id or "", nothing)
        stamps = batch.get(columns.timestamp or "") if times is None else None
        label, score = self._one(batch, "label"), self._one(batch, "score")
        actual, latency = self._one(batch, "actual"), self._one(batch, "latency")
        if actual is None and columns.actual:
            actual = batch.get(columns.actual)
        for i in range(n):
            stamp: float | str | None
            if times is not None:
                stamp = seconds = times[i]
            elif stamps is not None:
                seconds = seconds_of(stamps[i])
                # What is no time goes out as it is: it is refused where every wrong time is.
                stamp = stamps[i] if math.isnan(seconds) else seconds
            else:
                stamp = seconds = (self.rows + i) * _ROW_S
            identity = None if ids[i] is None else str(ids[i])
            event = PredictionEvent(
                model=self.model,
                timestamp=stamp if stamp is not None else "",
                prediction_id=identity,
                features={name: values[i] for name, values in features},
                prediction=Prediction(
                    None if label is None else label[i], None if score is None else score[i]
                ) if label is not None or score is not None else None,
                actual=None if actual is None or actual[i] is None else Actual(actual[i]),
                segments={name: values[i] for name, values in segments} or None,
                latency_seconds=None if latency is None else latency[i],
            )  # fmt: skip
            yield RowEvent(identity, encode_event(event), seconds)
        self.rows += n

    def _one(self, batch: Mapping[str, list[Any]], role: str) -> list[Any] | None:
        names = self._names[role]
        return batch.get(names[0]) if names else None
