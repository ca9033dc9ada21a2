"""Columns as users have them, as numbers and names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.meaning import category_text, has_name, number_of, widened

__all__ = ["MISSING", "WRONG", "Coded", "Column", "coded_names", "infer_kind", "numbers"]

#: A column with at least this share of numbers among its values is numeric.
NUMERIC_SHARE: Final = 0.9
#: Codes of values that have no name.
MISSING: Final = -1
WRONG: Final = -2
_WRONG: Final = object()


@dataclass(frozen=True, eq=False)
class Coded:
    """A column by its distinct values, as dictionary-encoded files hold it.

    Attributes
    ----------
    codes : int32[n]
        Index into `values`; -1 is missing.
    values : sequence
        Texts, numbers, booleans or None.
    """

    codes: npt.NDArray[np.int32]
    values: Sequence[Any]

    def __len__(self) -> int:
        return int(self.codes.size)

    def __getitem__(self, rows: slice) -> Coded:
        return Coded(self.codes[rows], self.values)


Column = npt.NDArray[Any] | Sequence[Any] | Coded


def infer_kind(column: Column) -> str:
    """Return "numeric" or "categorical": numbers are numeric, booleans and texts are not."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        return "numeric"
    if isinstance(column, np.ndarray) and column.dtype.kind in "bUS":
        return "categorical"
    kinds = Counter(map(type, _items(column)))
    numeric = sum(n for kind, n in kinds.items() if _is_number(kind))
    others = sum(n for kind, n in kinds.items() if kind is not type(None) and not _is_number(kind))
    return "numeric" if numeric >= NUMERIC_SHARE * (numeric + others) else "categorical"


def numbers(column: Column) -> npt.NDArray[np.float64]:
    """Values as decoders give them: NaN is missing or infinite, -inf of a wrong type."""
    if isinstance(column, Coded):
        return np.append(numbers(column.values), np.nan)[column.codes]  # -1 is the last: missing
    if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
        half = column.dtype == np.float16
        values = widened(column) if half else np.asarray(column, np.float64)
        infinite = np.isinf(values)
        return np.where(infinite, np.nan, values) if infinite.any() else values
    return np.array([number_of(v) for v in _items(column)], np.float64)


def coded_names(column: Column) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Code of each row and the distinct names they stand for; -1 is missing, -2 of a wrong type."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "biufU":
        column = widened(column) if column.dtype == np.float16 else column
        distinct, codes = np.unique(column, return_inverse=True)
        column = Coded(codes.astype(np.int32), distinct.tolist())
    if isinstance(column, Coded):
        distinct_texts = set(column.values)
        if len(distinct_texts) == len(column.values) and set(map(type, distinct_texts)) <= {str}:
            return column.codes.astype(np.int64), list(column.values)
        codes, names = coded_names(list(column.values))
        return np.append(codes, MISSING)[column.codes], names
    items = _items(column)
    if not set(map(type, items)) <= {str, type(None)}:
        items = [category_text(v) if has_name(v) else _WRONG for v in items]
    code: dict[object, int] = {name: i for i, name in enumerate(dict.fromkeys(items))}
    for special, number in ((None, MISSING), (_WRONG, WRONG)):
        if special in code:  # the names behind it move up
            at = code.pop(special)
            code = {name: i - (i > at) for name, i in code.items()}
            code[special] = number
    codes = np.array([code[name] for name in items], np.int64)
    return codes, [name for name in code if isinstance(name, str)]


def _items(column: Column) -> Sequence[Any]:
    if isinstance(column, Coded):
        return [None if code < 0 else column.values[code] for code in column.codes.tolist()]
    if isinstance(column, np.ndarray):
        items: list[Any] = column.tolist()
        return items
    return column


def _is_number(kind: type) -> bool:
    return issubclass(kind, int | float | Decimal | np.integer | np.floating) and kind is not bool
