"""Values of events whose signals nobody named yet, by signal: which came, and of what type."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import category_text
from detectors.counting.category_sketch import bounded_name
from stream.contracts.roles import keys_of, place_of
from stream.plans.plan import DeclaredSignal, Learn
from stream.sketches.sketch import GROUPS, MAX_PLACE_BYTES, MAX_SIGNALS, Sketch, least

__all__ = ["NOT_SENT", "SchemalessValues", "ValuesBySignal", "sort_by_signal"]

#: Stands for a member that an event does not have, where null means something else.
NOT_SENT: Final = object()
_AUTO: Final = DeclaredSignal()
_PREDICTED: Final = tuple(keys_of("prediction"))


class SchemalessValues(NamedTuple):
    """The members of one event that may hold signals, as they were sent.

    `features` is None if there are none; `latency` may be `NOT_SENT`.
    """

    features: dict[str, Any] | None
    prediction: Any
    actual: Any
    latency: Any


class _Column:
    """Values of one signal that are there, each with the row of its event."""

    __slots__ = ("invalid_rows", "kind", "name_rows", "names", "number_rows", "numbers")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.numbers: list[float] = []
        self.number_rows: list[int] = []
        self.names: list[str] = []
        self.name_rows: list[int] = []
        self.invalid_rows: list[int] = []

    def add(self, row: int, value: Any) -> None:
        """Take a value as what it is for a signal of this kind; one that is missing is none."""
        exact = type(value)
        if exact is float and self.kind != "categorical":
            if value - value == 0.0:  # finite
                self.numbers.append(value)
                self.number_rows.append(row)
        elif _is_missing(value):
            return
        elif exact is str and self.kind != "numeric":
            self._name(row, value)
        elif exact is bool and self.kind != "numeric":
            self._name(row, "true" if value else "false")
        elif isinstance(value, int | float):
            if self.kind == "categorical":
                self._name(row, str(category_text(value)))
            else:
                self.numbers.append(float(value))
                self.number_rows.append(row)
        else:
            self.invalid_rows.append(row)

    def _name(self, row: int, name: str) -> None:
        self.names.append(bounded_name(name))
        self.name_rows.append(row)


class ValuesBySignal:
    """Values of a batch by the place of their signal."""

    def __init__(self) -> None:
        self.columns: dict[str, _Column] = {}
        self.group_rows: tuple[list[int], ...] = tuple([] for _ in GROUPS)
        self.crowded_rows: list[int] = []  # events with more signals than a sketch has

    def count(self, slots: npt.NDArray[np.int32], sketches: Sequence[Sketch]) -> None:
        """Add each event to the sketch of its slot; those of a negative slot to none."""
        for slot, n in _slot_counts(slots):
            sketches[slot].events += n
        for group, rows in enumerate(self.group_rows):
            for slot, n in _slot_counts(slots[rows]):
                sketches[slot].groups[group] += n
        for place, column in self.columns.items():
            for slot, numbers in _split(slots[column.number_rows], column.numbers):
                sketches[slot].at(place).numbers.add(numbers)
            names: dict[int, Counter[str]] = {}
            where = slots[column.name_rows].tolist()
            for (slot, name), n in Counter(zip(where, column.names, strict=True)).items():
                names.setdefault(slot, Counter())[name] = n
            for slot, counts in names.items():
                if slot >= 0:
                    sketches[slot].at(place).names.add(counts)
            for slot, n in _slot_counts(slots[column.invalid_rows]):
                sketches[slot].at(place).invalid += n
        for slot, _ in _slot_counts(slots):
            sketches[slot].bound()
        for slot, _ in _slot_counts(slots[self.crowded_rows]):
            sketches[slot].more = True


def _slot_counts(slots: npt.NDArray[np.int32]) -> list[tuple[int, int]]:
    """How often each slot occurs, without negative ones."""
    found, counts = np.unique(slots[slots >= 0], return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _split(
    slots: npt.NDArray[np.int32], numbers: list[float]
) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """The numbers of each slot, without negative ones."""
    order = np.argsort(slots, kind="stable")
    ordered = np.array(numbers, np.float64)[order]
    start = int(np.count_nonzero(slots < 0))
    for slot, n in _slot_counts(slots):
        yield slot, ordered[start : start + n]
        start += n


def sort_by_signal(events: Sequence[SchemalessValues], learn: Learn) -> ValuesBySignal:
    """Sort the values of events by signal.

    Without declared signals every feature is one, and score, label, actual and latency where they
    are sent. A bare prediction is the score if it is a number, else the label; where only one of
    both is declared, it is that.
    """
    kinds: dict[str, str] = {
        place_of(name, declared.role): declared.kind for name, declared in learn.signals.items()
    }
    by_signal = ValuesBySignal()
    columns = by_signal.columns
    features: dict[str, _Column | None] = {}

    def column_at(place: str) -> _Column | None:
        column = columns.get(place)
        if column is None:
            kind = kinds.get(place) if kinds else _AUTO.kind
            if kind is None or not _is_short(place):
                return None
            column = columns[place] = _Column(kind)
        return column

    def take(row: int, place: str, value: Any) -> None:
        if (column := column_at(place)) is not None:
            column.add(row, value)

    in_features, in_prediction, in_actual, in_latency = by_signal.group_rows
    for row, event in enumerate(events):
        if event.features is not None:
            in_features.append(row)
            found = event.features
            if len(found) > MAX_SIGNALS and not kinds:
                found, crowded = _least(found)
                if crowded:
                    by_signal.crowded_rows.append(row)
            for name, value in found.items():
                if name not in features:
                    features[name] = column_at(f"features.{name}")
                if (column := features[name]) is not None:
                    column.add(row, value)
        if event.prediction is not None:
            in_prediction.append(row)
            if isinstance(event.prediction, dict):
                for key in _PREDICTED:
                    take(row, f"prediction.{key}", event.prediction.get(key))
            else:
                take(row, _bare_place(event.prediction, kinds), event.prediction)
        if event.actual is not None:
            bare = not isinstance(event.actual, dict)
            label = event.actual if bare else event.actual.get("label")
            if not _is_missing(label):  # else it is not known yet
                in_actual.append(row)
                take(row, "actual.label", label)
        if event.latency is not NOT_SENT:
            in_latency.append(row)
            take(row, "latency_seconds", event.latency)
    return by_signal


def _is_missing(value: Any) -> bool:
    if not isinstance(value, int | float):
        return value is None
    try:
        return not math.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return True


def _is_short(place: str) -> bool:
    return len(place.encode(errors="surrogatepass")) <= MAX_PLACE_BYTES


def _least(features: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Those that a sketch would keep of one event's features, and whether there are more.

    Nobody can make a worker hold a million signals, not even for a moment.
    """
    places = {
        place: name
        for name, value in features.items()
        if not _is_missing(value) and _is_short(place := f"features.{name}")
    }
    kept = [places[place] for place in least(places)]
    return {name: features[name] for name in kept}, len(places) > len(kept)


def _bare_place(value: Any, kinds: dict[str, str]) -> str:
    ours, other = "prediction.score", "prediction.label"
    if isinstance(value, str | bool):
        ours, other = other, ours
    return other if kinds and ours not in kinds and other in kinds else ours
