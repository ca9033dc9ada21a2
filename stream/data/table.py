"""A data file as `fit` reads it: kinds inferred from its first rows, then batches of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors import Coded, infer_kind
from detectors.fitting import numbers
from stream.data.files import DataError, arrays, is_text, number_or_text, row_count, text_as
from stream.data.times import are_times, parse_times
from stream.decode.arrow_times import column_ms, floats, is_time

__all__ = ["Batch", "ColumnInfo", "DataTable"]

#: Rows from which kinds are inferred: what comes later cannot change them.
_PREVIEW_ROWS: Final = 262_144
_FIRST_ROWS: Final = 8_192
_BATCH_ROWS: Final = 131_072
#: Values in a batch, and in four of them for kinds: tables of many columns are cut shorter.
_BATCH_VALUES: Final = 4_000_000
#: A column of text is one of numbers if at least this share of its values can be read as numbers.
_MOSTLY: Final = 0.9
#: A column with at most this many whole numbers may be one of classes.
_CLASSES: Final = 62
_BOOLEANS: Final = frozenset(("true", "false"))


@dataclass(frozen=True)
class ColumnInfo:
    """What the first rows say of a column.

    Attributes
    ----------
    kind : str
        "numeric", "categorical", "time", or "none" for what cannot be a signal.
    note : str
        What was noticed, for the user.
    classes : bool
        Whether its numbers are few and whole, so that they may name classes.
    """

    name: str
    kind: str
    note: str = ""
    classes: bool = False


@dataclass(frozen=True)
class Batch:
    """Some rows: `columns` as `detectors.ReferenceFitter` takes them, and their times."""

    rows: int
    columns: Mapping[str, npt.NDArray[np.float64] | list[Any] | Coded]
    times_ms: npt.NDArray[np.int64]


class DataTable:
    """A file that is read as often as needed, never held.

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

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = row_count(path)
        parts: dict[str, list[Any]] = {}
        read = 0
        for batch in arrays(path, rows=min(_BATCH_ROWS, _FIRST_ROWS)):
            for name, array in batch.items():
                parts.setdefault(name, []).append(array)
            read += len(next(iter(batch.values())))
            if read >= _PREVIEW_ROWS or read * len(parts) >= 4 * _BATCH_VALUES:
                break
        if not read:
            raise DataError(f"{path}: there are no rows below the header. A reference needs some.")
        self.columns = {name: _info(name, chunks) for name, chunks in parts.items()}

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
        wanted = [*kinds, *([timestamp] if timestamp else [])]
        row = 0
        rows = max(1, min(_BATCH_ROWS, _BATCH_VALUES // len(wanted)))
        for batch in arrays(self.path, rows=rows, names=wanted, coded=True):
            n = len(next(iter(batch.values())))
            if timestamp is None:
                times = np.arange(row, row + n, dtype=np.int64) * 1_000
            else:
                times = parse_times(_decoded(batch[timestamp]), f"{self.path}: {timestamp}", row)
            columns = {
                name: _numbers(batch[name]) if kind == "numeric" else _names(batch[name])
                for name, kind in kinds.items()
            }
            yield Batch(n, columns, times)
            row += n


def _info(name: str, chunks: list[Any]) -> ColumnInfo:
    if any(isinstance(chunk, list) for chunk in chunks):
        items = [v for c in chunks for v in (c if isinstance(c, list) else c.to_pylist())]
        return ColumnInfo(name, infer_kind(items))
    kinds = {chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)}
    if not kinds:
        return ColumnInfo(name, "numeric", "no values")
    if len(kinds) > 1:  # blocks of JSON lines differ where one has only whole numbers
        return ColumnInfo(name, infer_kind([v for c in chunks for v in c.to_pylist()]))
    array = pa.chunked_array([c for c in chunks if not pa.types.is_null(c.type)])
    array = _decoded(array.combine_chunks())
    kind = array.type
    types = pa.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return ColumnInfo(name, "numeric", classes=_are_classes(floats(array)))
    if is_time(kind):
        return ColumnInfo(name, "time")
    if types.is_boolean(kind):
        return ColumnInfo(name, "categorical")
    if is_text(kind):
        return _text_info(name, array)
    return ColumnInfo(name, "none", f"{kind} cannot be a signal")


def _text_info(name: str, array: Any) -> ColumnInfo:
    distinct = pc.unique(array).to_pylist()
    texts = [v for v in distinct if v is not None]
    if not texts:
        return ColumnInfo(name, "numeric", "no values")
    if set(texts) <= _BOOLEANS:
        return ColumnInfo(name, "categorical")
    values = numbers(_numbers(array))
    wrong = int(np.isneginf(values).sum())
    if wrong <= (1 - _MOSTLY) * (len(array) - array.null_count):
        return ColumnInfo(name, "numeric", classes=not wrong and _are_classes(values))
    if are_times(array):
        return ColumnInfo(name, "time")
    return ColumnInfo(name, "categorical")


def _are_classes(values: npt.NDArray[np.float64]) -> bool:
    there = np.unique(values[np.isfinite(values)])
    return there.size <= _CLASSES and bool((there == np.rint(there)).all())


def _decoded(array: Any) -> Any:
    if not isinstance(array, list) and pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    return array


def _coded(array: Any) -> Coded:
    """Any array by its distinct values."""
    if not pa.types.is_dictionary(array.type):
        if pa.types.is_null(array.type):
            return Coded(np.full(len(array), -1, np.int32), [])
        array = pc.dictionary_encode(array)
    codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
    return Coded(np.asarray(codes, np.int32), array.dictionary.to_pylist())


def _names(array: Any) -> list[Any] | Coded:
    return array if isinstance(array, list) else _coded(array)


def _numbers(array: Any) -> npt.NDArray[np.float64] | Coded | list[Any]:
    """Any array as numbers; coded or a list where some values are none."""
    if isinstance(array, list):
        return [number_or_text(v) if isinstance(v, str) else v for v in array]
    kind = array.type
    if is_text(kind):
        if (cast := text_as(array, pa.float64())) is not None:
            return floats(cast)
        kind = pa.dictionary(pa.int32(), kind)
    if pa.types.is_dictionary(kind):
        coded = _coded(array)
        return Coded(
            coded.codes, [number_or_text(v) if isinstance(v, str) else v for v in coded.values]
        )
    if is_time(kind) and (ms := column_ms(array)) is not None:
        return ms / 1000.0
    return floats(array)
