"""Rows of a file as prediction events, by a mapping of its columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from detectors import CategoricalBinning, ColumnMapping, Reference, SignalReference
from detectors.references.segments import columns_of_segments
from stream.contracts.event_time import END_MS
from stream.contracts.prediction_event import (
    Actual,
    ModelId,
    Prediction,
    PredictionEvent,
    encode_event,
)
from stream.contracts.roles import OUTPUTS, ROLES, keys_of
from stream.files import DataError, Reading, no_column_hint
from stream.files.times import problem_of, read_times

__all__ = ["EventRows", "RowEvent", "RowMapping"]

_ROW_MS: Final = 1_000
#: Role by its key in `prediction`.
_PREDICTED: Final = keys_of("prediction")
#: From here on epoch seconds are sent as a number; before, eight digits would be a date.
_NUMBER_MS: Final = 100_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RowEvent(NamedTuple):
    """An event of a row: its id (None if the file has none), the event, and its time.

    Where the row has no usable time there is no event: `problem` says why.
    """

    prediction_id: str | None
    event: PredictionEvent | None
    seconds: float
    problem: str = ""

    @property
    def value(self) -> bytes:
        """The event as a message; nothing if there is none."""
        return b"" if self.event is None else encode_event(self.event)

    @property
    def reason(self) -> str:
        """Why a worker would refuse it, where there is a problem."""
        if self.seconds < 0:
            return "before_1970"
        return "too_far_ahead" if self.seconds * 1000 >= END_MS else "bad_timestamp"


@dataclass(frozen=True)
class RowMapping:
    """What the columns of a file are in the events of a model.

    Attributes
    ----------
    roles : dict of column to role
        Of the columns that hold signals.
    reading : Reading
        How the texts of a CSV are read.
    """

    model: str
    version: str
    roles: Mapping[str, str]
    reading: Reading
    columns: ColumnMapping
    segments: tuple[str, ...] = ()

    @classmethod
    def of(cls, reference: Reference, version: str | None = None) -> RowMapping:
        """The mapping that a reference was fitted with."""
        columns = reference.columns
        values = {s.name for s in reference.signals if s.kind == "numeric" or _is_two_valued(s)}
        reading = Reading(
            columns.delimiter,
            columns.missing,
            frozenset(values | {*columns.numerals}),
            frozenset(columns.decimal_commas),
        )
        return cls(
            reference.model,
            reference.version if version is None else version,
            {s.name: s.role for s in reference.signals if not s.is_derived},
            reading,
            columns,
            columns_of_segments(reference.segments),
        )


def _is_two_valued(signal: SignalReference) -> bool:
    """Whether it knows true and false only, or 1 and 0: then either may be written as the other."""
    binning = signal.binning
    return isinstance(binning, CategoricalBinning) and binning.bins_of_names is not binning.code


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
            role: [name for name, said in mapping.roles.items() if said == role] for role in ROLES
        }
        self._features = [n for n, said in mapping.roles.items() if ROLES[said] not in OUTPUTS]
        columns = mapping.columns
        self.times = set() if columns.timestamp is None else {columns.timestamp}

    @property
    def wanted(self) -> list[str]:
        """All columns of the mapping."""
        columns = self.mapping.columns
        named = (*self.mapping.roles, columns.timestamp, columns.id, *self.mapping.segments)
        return [name for name in named if name is not None]

    def check_columns(self, data: Path, there: Collection[str]) -> None:
        """Refuse a file that has not all columns of the mapping."""
        for name in self.wanted:
            if name not in there:
                hint = no_column_hint(data, name, there, self.mapping.roles)
                raise DataError(
                    f"{data}: the reference has the column {name!r}, the file has not. {hint} "
                    "Rename the column, or fit without it (--ignore)."
                )

    def events(
        self,
        batch: Mapping[str, list[Any]],
        times: Sequence[float] | None = None,
        shift: float = 0.0,
    ) -> Iterator[RowEvent]:
        """Events of a batch of rows; `times` are seconds that replace the file's.

        `shift` is in seconds and moves the file's times.
        """
        columns = self.mapping.columns
        n = len(next(iter(batch.values())))
        nothing: list[Any] = [None] * n
        features = [(name, batch.get(name, nothing)) for name in self._features]
        segments = [(name, batch.get(name, nothing)) for name in self.mapping.segments]
        ids = nothing if columns.id is None else batch.get(columns.id, nothing)
        stamps, problems = self._stamps(batch, n, shift) if times is None else (times, {})
        predicted = {
            key: column
            for key, role in _PREDICTED.items()
            if (column := self._one(batch, role)) is not None
        }
        actual, latency = self._one(batch, "actual"), self._one(batch, "latency")
        if actual is None and columns.actual:
            actual = batch.get(columns.actual)
        for i in range(n):
            seconds = stamps[i]
            identity = None if ids[i] is None else str(ids[i])
            if i in problems:
                yield RowEvent(identity, None, seconds, problems[i])
                continue
            event = PredictionEvent(
                model=self.model,
                timestamp=_stamp(seconds),
                prediction_id=identity,
                features={name: values[i] for name, values in features} or None,
                prediction=Prediction(**{key: column[i] for key, column in predicted.items()})
                if predicted
                else None,
                actual=None if actual is None or actual[i] is None else Actual(actual[i]),
                segments={name: values[i] for name, values in segments} or None,
                latency_seconds=None if latency is None else latency[i],
            )
            yield RowEvent(identity, event, seconds)
        self.rows += n

    def _stamps(
        self, batch: Mapping[str, list[Any]], n: int, shift: float
    ) -> tuple[Sequence[float], dict[int, str]]:
        """Seconds of each row, and what is wrong with the time of some."""
        name = self.mapping.columns.timestamp
        if name is None:
            return [(self.rows + i) * _ROW_MS / 1000.0 for i in range(n)], {}
        values = batch.get(name, [None] * n)
        ms, small = read_times(values)
        wrong = np.flatnonzero(~((ms >= 0) & (ms < END_MS)) | small).tolist()
        problems = {
            i: f"{name} {problem_of(values[i], float(ms[i]), small=bool(small[i]))}" for i in wrong
        }
        return (ms / 1000.0 + shift).tolist(), problems

    def _one(self, batch: Mapping[str, list[Any]], role: str) -> list[Any] | None:
        names = self._names[role]
        return batch.get(names[0]) if names else None


def _stamp(seconds: float) -> float | datetime:
    """An event time as it is sent."""
    if seconds * 1000 >= _NUMBER_MS:
        return seconds
    return _EPOCH + timedelta(seconds=seconds)
