"""What the columns of a file are: found in its first rows."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors import infer_kind
from detectors.counting.meaning import has_name
from detectors.fitting import numbers
from detectors.fitting.suspects import looks_like_codes
from stream.decode.arrow_times import is_time
from stream.decode.arrow_values import column_numbers, decoded, is_text
from stream.files.formatted import formatted_note, mixed_note
from stream.files.reading import (
    DOUBTFUL,
    Reading,
    all_numbers,
    is_decimal_comma,
    is_number_text,
    texts_as_names,
    value_of_text,
)
from stream.files.times import are_times
from stream.text.counted import counted
from stream.text.printable import printable

__all__ = ["ColumnInfo", "column_info"]

#: A column of text is one of numbers if at least this share of its values can be read as numbers.
_MOSTLY: Final = 0.9
#: A text is cut in words beyond so many characters.
_TOLD_CHARS: Final = 40
#: A column with at most this many whole numbers may be one of classes.
_CLASSES: Final = 62
#: From this share of leading zeros on a column's numbers are codes, where their lengths differ.
_PADDED: Final = 0.01
#: Numbers of fewer digits that look like codes may as well be amounts.
_CODE_DIGITS: Final = 4
#: More different numbers than that are no names.
_NAMES: Final = 10_000
_BOOLEANS: Final = frozenset((True, False, 0, 1))


@dataclass(frozen=True)
class ColumnInfo:
    """What the first rows say of a column.

    Attributes
    ----------
    kind : str
        "numeric", "categorical", "time", "empty" for no value at all, or "none" for what cannot be
        a signal.
    note : str
        What was noticed, for the user.
    classes : bool
        Whether its numbers are few and whole, so that they may name classes.
    numerals : bool
        Whether its values are numbers or booleans, so that the texts of a CSV are too, also where
        they are names. Texts such as `1.10` are not: as a number that would be 1.1.
    comma : bool
        Of a CSV: whether its numbers have decimal commas.
    typed_text : bool
        Whether it has texts and the file says so.
    readable : bool
        Whether half or more of its values can be read as numbers, whatever its kind.
    codes : int
        How many whole numbers it has that may be codes; 0 if they look like counts or amounts.
    """

    name: str
    kind: str
    note: str = ""
    classes: bool = False
    numerals: bool = False
    comma: bool = False
    typed_text: bool = False
    readable: bool = False
    codes: int = 0


def column_info(
    name: str, chunks: Sequence[Any], reading: Reading, *, typed: bool, decimal: str = ""
) -> ColumnInfo:
    """Look at the first values of a column; `decimal` is what its numbers are said to have."""
    if any(isinstance(chunk, list) for chunk in chunks):
        items = [v for c in chunks for v in (c if isinstance(c, list) else c.to_pylist())]
        return _mixed_info(name, items)
    kinds = {chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)}
    if not kinds:
        return ColumnInfo(name, "empty", "no values", numerals=True)
    if len(kinds) > 1:  # blocks of JSON lines differ where one has only whole numbers
        return _mixed_info(name, [v for c in chunks for v in c.to_pylist()])
    array = pa.chunked_array([c for c in chunks if not pa.types.is_null(c.type)]).combine_chunks()
    array = decoded(array)
    kind = array.type
    types = pa.types
    if array.null_count == len(array):
        return ColumnInfo(name, "empty", "no values", numerals=True)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        found = column_numbers(array)
        codes = looks_like_codes(name, found)
        return ColumnInfo(name, "numeric", "", _are_classes(found), numerals=True, codes=codes)
    if is_time(kind):
        return ColumnInfo(name, "time")
    if types.is_boolean(kind):
        return ColumnInfo(name, "categorical", numerals=True)
    if is_text(kind):
        return _typed_info(name, array) if typed else _csv_info(name, array, reading, decimal)
    return ColumnInfo(name, "none", f"values of type {kind} cannot be a signal")


def _mixed_info(name: str, items: list[Any]) -> ColumnInfo:
    there = [v for v in items if v is not None]
    if not there:
        return ColumnInfo(name, "empty", "no values", numerals=True)
    nested = sum(not has_name(v) for v in there)
    if nested > (1 - _MOSTLY) * len(there):
        return ColumnInfo(name, "none", "objects and arrays cannot be a signal")
    named = [v for v in there if has_name(v)]
    return ColumnInfo(name, infer_kind(named), numerals=not any(isinstance(v, str) for v in named))


def _typed_info(name: str, array: Any) -> ColumnInfo:
    """Of texts in a file with types: they are names, also where they look like numbers."""
    if are_times(array):
        return ColumnInfo(name, "time", typed_text=True)
    first = Counter(t for t in array.slice(0, 1_000).to_pylist() if t is not None)
    note = formatted_note(list(first), list(first.values()))
    if all(map(is_number_text, first)):
        note = "texts, though all look like numbers"
    return ColumnInfo(name, "categorical", note if first else "", typed_text=True)


def _csv_info(name: str, array: Any, reading: Reading, decimal: str) -> ColumnInfo:
    """Of texts without types."""
    comma = decimal == ","
    if reading.missing:
        array = texts_as_names(array, reading.missing)
    if not comma and (fast := all_numbers(array)) is not None:
        padded = pc.match_substring_regex(array, r"^\s*0[0-9]")
        if np.isfinite(fast).any() and not pc.any(padded).as_py():
            return _numbers_info(name, array, fast)
    if are_times(texts_as_names(array, reading.no_value)):
        return ColumnInfo(name, "time")
    counted = pc.value_counts(array.drop_null())
    texts = counted.field("values").to_pylist()
    times = np.asarray(counted.field("counts").to_numpy(zero_copy_only=False), np.int64)
    values = [value_of_text(text, comma=comma) for text in texts]
    is_some = np.array([value is not None for value in values], bool)
    if not times[is_some].sum():
        return ColumnInfo(name, "empty", "no values", numerals=True)
    if {v for v in values if v is not None} <= _BOOLEANS and any(
        v is True or v is False for v in values
    ):
        return ColumnInfo(name, "categorical", numerals=True, readable=True)
    if _share(values, times, is_some) < _MOSTLY and not decimal:
        sure = any(is_decimal_comma(text, sure=True) for text in texts)
        commas = [value_of_text(text, comma=True) for text in texts]
        if _share(commas, times, is_some) >= _MOSTLY:
            if sure:
                values, comma = commas, True
            else:
                note = "numbers with commas? Say --decimal ',', or leave out what parts thousands"
                return ColumnInfo(name, "categorical", note)
    if _share(values, times, is_some) >= _MOSTLY:
        padded = [t for t in texts if len(t) > 1 and t[0] == "0" and t.isascii() and t.isdigit()]
        if padded and _are_codes(padded, texts, times):
            note = f"leading zeros ({padded[0]}): names, not numbers (--numeric {name})"
            return ColumnInfo(name, "categorical", note, readable=True)
        wrong = any(isinstance(v, str) for v in values)
        array_values = numbers(values)
        plain = not wrong and not padded and _are_numerals(array.drop_null(), array_values)
        few = not wrong and _are_classes(array_values)
        note = "decimal commas" if comma else ""
        note = _no_numbers(texts, times, values) if wrong else note
        return ColumnInfo(name, "numeric", note, few, plain, comma, readable=True)
    are_numbers = [not isinstance(value, str) for value in values]
    mixed = mixed_note(name, texts, times.tolist(), are_numbers)
    note = mixed or _doubts(texts, times, reading)
    return ColumnInfo(name, "categorical", note, readable=bool(mixed))


def _numbers_info(name: str, array: Any, values: npt.NDArray[np.float64]) -> ColumnInfo:
    """Of texts that are all numbers. Codes of one length are names: events may hold texts."""
    kind, note, codes = "numeric", "", looks_like_codes(name, values)
    if codes:
        digits = {len(f"{v:.0f}") for v in np.unique(values[np.isfinite(values)]).tolist()}
        if len(digits) == 1 and (length := digits.pop()) >= _CODE_DIGITS:
            kind = "categorical"
            note = f"{codes:,} numbers of {length} digits: names (--numeric {name})"
    numerals = _are_numerals(array, values)
    return ColumnInfo(name, kind, note, _are_classes(values), numerals, readable=True, codes=codes)


def _share(values: Sequence[Any], times: npt.NDArray[np.int64], some: npt.NDArray[Any]) -> float:
    """Share of the values that are numbers or booleans."""
    good = np.array([not isinstance(v, str) for v in values], bool)
    return float(times[good & some].sum() / times[some].sum())


def _are_codes(padded: list[str], texts: list[str], times: npt.NDArray[np.int64]) -> bool:
    """Whether leading zeros are meant: all texts have one length, or they are not few."""
    if len({len(text) for text in texts if text.isdigit()}) == 1:
        return True
    which = set(padded)
    padded_rows = sum(n for text, n in zip(texts, times.tolist(), strict=True) if text in which)
    return bool(padded_rows >= _PADDED * times.sum())


def _doubts(texts: list[str], times: npt.NDArray[np.int64], reading: Reading) -> str:
    """Names that may be formatted numbers or no value, and what was taken for none."""
    if formatted := formatted_note(texts, times.tolist()):
        return formatted
    count = dict(zip(texts, times.tolist(), strict=True))
    kept = [text for text in DOUBTFUL if text in count and text not in reading.no_value]
    if kept:
        said = f"{kept[0]!r} is a name ({counted(count[kept[0]], 'row')}); no value?"
        return f"{said} --missing {shlex.quote(kept[0])}"
    gone = [t for t in reading.no_value if t in count] if reading.missing is None else []
    if gone:
        rows = counted(count[gone[0]], "row")
        return f"{gone[0]!r} counts as missing ({rows}); a name? --missing ''"
    return ""


def _no_numbers(texts: list[str], times: npt.NDArray[np.int64], values: Sequence[Any]) -> str:
    """The most frequent text of a column of numbers that is none, and how to say what it means."""
    odd = [
        (n, text)
        for text, n, v in zip(texts, times.tolist(), values, strict=True)
        if isinstance(v, str)
    ]
    _, text = max(odd)
    said = printable(text, _TOLD_CHARS)
    # What cannot be typed as it stands is no command to copy.
    remedy = f": no value? --missing {shlex.quote(text)}" if said == text else ""
    return f"such as {said!r}{remedy}"


def _are_numerals(array: Any, values: npt.NDArray[np.float64]) -> bool:
    """Whether texts that are numbers are whole ones, or as a program writes a float."""
    if bool((values[np.isfinite(values)] % 1 == 0).all()):
        return True
    texts = pc.unique(array).to_pylist()
    return len(texts) <= _NAMES and all(t is None or t == repr(value_of_text(t)) for t in texts)


def _are_classes(values: npt.NDArray[np.float64]) -> bool:
    there = np.unique(values[np.isfinite(values)])
    return there.size <= _CLASSES and bool((there == np.rint(there)).all())
