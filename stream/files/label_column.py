"""Truths of another file as a column of a table that `fit` reads: joined by id."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream.files.absent import no_column_hint
from stream.files.files import DataError, arrays, is_typed
from stream.text.counted import counted

__all__ = ["LabelColumn"]

_ROWS: Final = 131_072


class LabelColumn:
    """The truths of a file, one for each id.

    Parameters
    ----------
    path : Path
        A file of the same form as the table: both have types, or both are CSV.
    identity, actual : str
        Its columns of ids and truths.
    beside : Path
        The table.
    delimiter : str
        Of a CSV; found out if empty.

    Attributes
    ----------
    name, identity : str
        The columns of truths and ids.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, says no truth, or two of one id.
    """

    def __init__(
        self, path: Path, identity: str, actual: str, beside: Path, delimiter: str = ""
    ) -> None:
        self.name, self.identity = actual, identity
        if is_typed(path) != is_typed(beside):
            raise DataError(
                f"{path} and {beside.name} must both have types or both be CSV, or their texts "
                "mean different things. Write one as the other is."
            )
        ids: list[Any] = []
        truths: list[Any] = []
        for batch in arrays(path, rows=_ROWS, delimiter=delimiter):
            for name in (identity, actual) if not ids else ():
                if name not in batch:
                    raise DataError(
                        f"{path}: labels need the columns {identity!r} and {actual!r}. There is "
                        f"no {name!r}. {no_column_hint(path, name, batch, (identity, actual))} "
                        "Rename it."
                    )
            if isinstance(batch[actual], list):
                raise DataError(
                    f"{path}: {actual!r} has values of several types. Write it with one."
                )
            ids.append(_texts(batch[identity]))
            truths.append(batch[actual])
        pairs = pa.table({"id": pa.chunked_array(ids), "truth": pa.chunked_array(truths)})
        pairs = pairs.filter(pc.and_(pc.is_valid(pairs["id"]), pc.is_valid(pairs["truth"])))
        pairs = pairs.group_by(["id", "truth"]).aggregate([])
        if not pairs.num_rows:
            raise DataError(f"{path}: no row has both an id and a truth. Name other columns.")
        self._ids, self._truths = (pairs[name].combine_chunks() for name in ("id", "truth"))
        times = pc.value_counts(self._ids)
        twice = times.filter(pc.greater(times.field("counts"), 1))
        if len(twice):
            several = counted(len(twice), "id has", "ids have")
            raise DataError(
                f"{path}: {several} two truths or more, the first "
                f"{twice[0]['values'].as_py()!r}. Leave one row for each."
            )
        self._found = np.zeros(len(self._ids), np.bool_)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def alone(self) -> int:
        """Truths of ids that no row had so far."""
        return int(np.count_nonzero(~self._found))

    def joined(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """A batch with the truths of its rows, null where there is none."""
        at = pc.index_in(_texts(batch[self.identity]), value_set=self._ids)
        self._found[at.drop_null().to_numpy(zero_copy_only=False)] = True
        return {**batch, self.name: self._truths.take(at)}


def _texts(column: Any) -> Any:
    """Ids as texts: a number stands for its text."""
    if isinstance(column, list):
        column = pa.array([None if value is None else str(value) for value in column])
    return pc.cast(column, pa.string())
