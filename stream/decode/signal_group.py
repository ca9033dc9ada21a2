"""The signals that share one JSON object of the event, as one struct and its columns."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, starmap
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import astuple

from stream.decode.columns import ABSENT, INVALID
from stream.decode.values import (
    ABSENT_CATEGORY,
    INVALID_CATEGORY,
    CodeTable,
    RefusedError,
    as_category,
    as_list,
    as_number,
)

__all__ = [
    "NUMBER",
    "SCALAR",
    "Codes",
    "Floats",
    "SignalGroup",
    "column_of",
    "leave_out_missing",
    "make_struct",
    "ragged",
]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

#: JSON types that a numeric and a categorical value may have.
NUMBER: Any = float | bool | None
SCALAR: Any = str | int | float | bool | None


class SignalGroup:
    """Signals that are members of one JSON object of the event (`features`, `prediction`, ...).

    Parameters
    ----------
    members : sequence of (JSON key, table or None, column)
        A member with a table is categorical; `column` is its place among the numeric or
        categorical columns of the plan.
    """

    def __init__(self, name: str, members: Sequence[tuple[str, CodeTable | None, int]]) -> None:
        # Numeric members first, so that rows split into numbers and categories at one index.
        ordered = sorted(members, key=lambda member: member[1] is not None)
        self.name = name
        self.keys = [key for key, _, _ in ordered]
        self.tables = [table for _, table, _ in ordered if table is not None]
        self.n_numeric = len(ordered) - len(self.tables)
        self.numeric_at = np.array([at for _, table, at in ordered if table is None], np.intp)
        self.codes_at = [at for _, table, at in ordered if table is not None]
        self._numeric_to = _as_slice(self.numeric_at)
        self._pack = struct.Struct(f"{self.n_numeric}d").pack
        rename = {f"v{i}": key for i, key in enumerate(self.keys)}
        kinds = [NUMBER] * self.n_numeric + [SCALAR] * len(self.tables)
        self.one: Any = make_struct(
            name, [(f"v{i}", kind, None) for i, kind in enumerate(kinds)], rename
        )
        # Columns of numbers stay JSON: a kernel reads them into arrays (`read_numbers`).
        columns = [msgspec.Raw] * self.n_numeric + [column_of(SCALAR)] * len(self.tables)
        self.many: Any = make_struct(
            name, [(f"v{i}", column, None) for i, column in enumerate(columns)], rename
        )
        self.absent = self._all(ABSENT, ABSENT_CATEGORY)
        self.invalid = self._all(INVALID, INVALID_CATEGORY)

    def _all(self, number: float, category: object) -> Any:
        return self.one(*[number] * self.n_numeric, *[category] * len(self.tables))

    def fill(self, objects: list[Any], numeric: Floats, codes: Codes) -> None:
        """Write the values of these objects into their columns of the two arrays."""
        if not self.tables:
            if self.n_numeric:
                self._fill_numbers(objects, numeric)
            return
        columns = list(zip(*map(astuple, objects), strict=True))
        for at, column in zip(self.numeric_at.tolist(), columns, strict=False):
            numeric[:, at] = np.fromiter(column, np.float64, len(objects))
        for at, table, column in zip(
            self.codes_at, self.tables, columns[self.n_numeric :], strict=True
        ):
            codes[:, at] = table.codes(column)

    def _fill_numbers(self, objects: list[Any], numeric: Floats) -> None:
        """Write rows of numbers alone; packing takes half the time until one is missing."""
        packed: list[bytes] = []
        try:
            packed.extend(starmap(self._pack, map(astuple, objects)))
        except struct.error:  # None: what was packed before it is in the list
            rest = objects[len(packed) :]
            flat = chain.from_iterable(map(astuple, rest))
            block = np.fromiter(flat, np.float64, len(rest) * self.n_numeric)
            numeric[len(packed) :, self._numeric_to] = block.reshape(len(rest), self.n_numeric)
        block = np.frombuffer(b"".join(packed), np.float64)
        numeric[: len(packed), self._numeric_to] = block.reshape(len(packed), self.n_numeric)

    def coerce(self, document: Mapping[str, Any]) -> Any:
        """The object value by value; a wrong type costs its own value alone."""
        values = [document.get(key) for key in self.keys]
        return self.one(
            *map(as_number, values[: self.n_numeric]), *map(as_category, values[self.n_numeric :])
        )

    def bare(self, key: str, value: object) -> Any:
        """The object that a bare value stands for; invalid if no signal reads `key`."""
        return self.coerce({key: value}) if key in self.keys else self.coerce({})

    def coerce_columns(self, document: Mapping[str, Any], path: str) -> Any:
        """The struct of columns of a batch, value by value."""
        columns: list[list[Any] | None] = []
        for i, key in enumerate(self.keys):
            column = as_list(document.get(key), f"{path}.{key}")
            coerce: Callable[[object], object] = as_number if i < self.n_numeric else as_category
            columns.append(None if column is None else list(map(coerce, column)))
        return self.many(*columns)


def _as_slice(places: npt.NDArray[np.intp]) -> slice | npt.NDArray[np.intp]:
    """Places that follow each other as a slice, which is copied to at once."""
    if places.size and np.array_equal(places, np.arange(places[0], places[0] + places.size)):
        return slice(int(places[0]), int(places[0]) + places.size)
    return places


def leave_out_missing(group: SignalGroup, numeric: Floats) -> None:
    """Numbers of actuals that are missing are not known yet: as if they had not been sent."""
    for at in group.numeric_at.tolist():
        column = numeric[:, at]
        column[np.isnan(column)] = ABSENT


def make_struct(
    name: str, fields: Sequence[tuple[Any, ...]], rename: Mapping[str, str] | None = None
) -> Any:
    """A struct class; the garbage collector need not look at its objects."""
    return msgspec.defstruct(name, fields, rename=rename, gc=False)


def column_of(kind: Any) -> Any:
    """Type of a column of values in a batch, which may be left out."""
    columns: Any = list[kind]
    return columns | None


def ragged(path: str, got: int, n: int) -> RefusedError:
    """The refusal of a column whose length is not that of the timestamps."""
    return RefusedError("ragged_batch", f"Expected {n} rows, got {got} - at {path}")
