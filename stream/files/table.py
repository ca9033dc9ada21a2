"""A data file as `fit` reads it: kinds inferred from its first rows, then batches of columns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors import Coded
from stream.decode.arrow_values import column_names, column_numbers, decoded, is_text
from stream.files.files import DataError, arrays, is_typed, row_count
from stream.files.kinds import ColumnInfo, column_info
from stream.files.label_column import LabelColumn
from stream.files.reading import Reading, texts_as_names, texts_as_values, without
from stream.files.times import parse_times

__all__ = ["Batch", "ColumnInfo", "DataTable", "typed_column"]

#: Rows from which kinds are inferred: what comes later cannot change them.
_PREVIEW_ROWS: Final = 262_144
_FIRST_ROWS: Final = 8_192
_BATCH_ROWS: Final = 131_072
#: Values in a batch, and in four of them for kinds: tables of many columns are cut shorter.
_BATCH_VALUES: Final = 4_000_000
_DEFAULT: Final = Reading()


@dataclass(frozen=True)
class Batch:
    """Some rows: `columns` as `detectors.ReferenceFitter` takes them, and their times."""

    rows: int
    columns: Mapping[str, npt.NDArray[np.float64] | list[Any] | Coded]
    times_ms: npt.NDArray[np.int64]


class DataTable:
    """A file that is read as often as needed, never held.

    `labels` adds a column of truths that are in another file, or replaces it.

    Attributes
    ----------
    columns : dict of name to ColumnInfo
        In the order of the file.
    rows : int or None
        Where the file says it.

    Raises
    ------
    DataError
        If the file cannot be read or has no rows.
    """

    def __init__(
        self,
        path: Path,
        reading: Reading = _DEFAULT,
        decimal: str = "",
        labels: LabelColumn | None = None,
    ) -> None:
        self.path = path
        self._labels = labels
        self.rows = row_count(path)
        self.typed = is_typed(path)
        self._reading = reading
        parts: dict[str, list[Any]] = {}
        read = 0
        for batch in self._arrays(min(_BATCH_ROWS, _FIRST_ROWS)):
            for name, array in batch.items():
                parts.setdefault(name, []).append(array)
            read += len(next(iter(batch.values())))
            if read >= _PREVIEW_ROWS or read * len(parts) >= 4 * _BATCH_VALUES:
                break
        if not read:
            raise DataError(f"{path}: there are no rows below the header. A reference needs some.")
        self.columns = {
            name: column_info(name, chunks, reading, typed=self.typed, decimal=decimal)
            for name, chunks in parts.items()
        }

    def reading(self, kinds: Mapping[str, str]) -> Reading:
        """How a CSV of such columns is read, where they are of these kinds."""
        values = frozenset(
            name for name, kind in kinds.items() if kind == "numeric" or self.columns[name].numerals
        )
        commas = frozenset(name for name in values if self.columns[name].comma)
        return replace(self._reading, values=values, commas=commas)

    def batches(self, kinds: Mapping[str, str], timestamp: str | None = None) -> Iterator[Batch]:
        """Read these columns, each as numbers or names, one batch ahead of whoever takes them.

        Without a timestamp column rows are one second apart, in the order of the file.
        """
        batches = self._read(kinds, timestamp)
        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(next, batches, None)
            while (batch := following.result()) is not None:
                following = pool.submit(next, batches, None)
                yield batch

    def _read(self, kinds: Mapping[str, str], timestamp: str | None) -> Iterator[Batch]:
        wanted = [*kinds, *([] if timestamp is None else [timestamp])]
        row = 0
        rows = max(1, min(_BATCH_ROWS, _BATCH_VALUES // len(wanted)))
        reading = self.reading(kinds)
        for batch in self._arrays(rows, wanted):
            n = len(next(iter(batch.values())))
            if timestamp is None:
                times = np.arange(row, row + n, dtype=np.int64) * 1_000
            else:
                stamps = batch[timestamp]
                plain = stamps if isinstance(stamps, list) else decoded(stamps)
                times = parse_times(plain, f"{self.path}: {timestamp}", row)
            columns = {
                name: self._column(name, kind, batch[name], reading) for name, kind in kinds.items()
            }
            yield Batch(n, columns, times)
            row += n

    def _arrays(self, rows: int, names: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """Batches of the file, with the labels of another where there are any."""
        labels, coded = self._labels, names is not None
        if labels is not None and names is not None:
            names = {*names, labels.identity} - {labels.name}
        for batch in arrays(
            self.path, rows=rows, names=names, coded=coded, delimiter=self._reading.delimiter
        ):
            yield batch if labels is None else labels.joined(batch)

    def _column(
        self, name: str, kind: str, array: Any, reading: Reading
    ) -> npt.NDArray[np.float64] | list[Any] | Coded:
        """A column as numbers or names."""
        if self.typed and reading.missing:
            array = without(array, reading.missing)
        if isinstance(array, list):
            return array
        if not self.typed and is_text(array.type):
            if name in reading.values:
                comma = name in reading.commas
                return texts_as_values(array, reading.missing, comma=comma)
            array = texts_as_names(array, reading.no_value)
        return typed_column(array, kind)


def typed_column(array: Any, kind: str) -> npt.NDArray[np.float64] | list[Any] | Coded:
    """A column of values with types as numbers or names."""
    if isinstance(array, list):
        return array
    if kind == "numeric":
        return column_numbers(array)
    at, names = column_names(array)
    if names is None:  # a wrong type, each of them
        return [{} if there else None for there in array.is_valid().to_pylist()]
    return Coded(np.where(at < len(names), at, -1).astype(np.int32), names)
