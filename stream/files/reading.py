"""What the texts of a CSV are: it has no types, so that is a matter of rules.

Files with types (Parquet, JSON lines, Arrow) need none of this: their texts are texts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors import Coded
from stream.decode.arrow_values import decoded, is_number, is_text

__all__ = [
    "DOUBTFUL",
    "Reading",
    "all_numbers",
    "has_commas",
    "is_decimal_comma",
    "is_number_text",
    "texts_as_names",
    "texts_as_values",
    "value_of_text",
    "without",
]

#: Texts that stand for no value, beside the empty field, where `--missing` names none.
NO_VALUE: Final = ("N/A", "NaN", "nan", "NULL", "null", "#N/A", "<NA>")
#: Texts that may do so but may as well be names (Namibia); among numbers they are no value.
DOUBTFUL: Final = ("NA", "None", "\\N", "n/a", "nil", "NaT", "-nan")
_NOT_FINITE: Final = frozenset(("inf", "-inf", "+inf", "Inf", "-Inf", "Infinity", "-Infinity"))
_BOOLEANS: Final = {
    "True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False,
}  # fmt: skip
#: One way to match each text, so that a long one costs no more than its length.
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+(\.0*)?")
#: Thousands may be set apart by dots, in threes.
_COMMA: Final = re.compile(r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?")
#: A comma followed by three digits alone may as well set thousands apart.
_SURE_COMMA: Final = re.compile(r".*,(?![0-9]{3}$)[0-9]+")
_EXACT: Final = 2.0**53


@dataclass(frozen=True)
class Reading:
    """How a CSV is read.

    Attributes
    ----------
    delimiter : str
        Between fields; found out if empty.
    missing : tuple of str or None
        Texts that stand for no value, beside the empty field; None: `NO_VALUE`. Among numbers
        `NO_VALUE` and `DOUBTFUL` always do.
    values : frozenset of str
        Columns whose texts are numbers or booleans; those of others are names.
    commas : frozenset of str
        Those of them that have decimal commas.
    """

    delimiter: str = ""
    missing: tuple[str, ...] | None = None
    values: frozenset[str] = frozenset()
    commas: frozenset[str] = frozenset()

    @property
    def no_value(self) -> tuple[str, ...]:
        """Texts that stand for no value among names."""
        return NO_VALUE if self.missing is None else self.missing

    def numerals(self, kinds: Mapping[str, str]) -> tuple[str, ...]:
        """Those columns of names whose texts are numbers or booleans."""
        return tuple(sorted(name for name in self.values if kinds.get(name) != "numeric"))


def is_number_text(text: str) -> bool:
    """Whether a text is a number: ASCII digits, a point, an exponent; spaces around it are not it.

    Narrower than Python, to which `12_3`, `infinity` and digits of all scripts are numbers.
    """
    return _NUMBER.fullmatch(text.strip()) is not None


def is_decimal_comma(text: str, *, sure: bool = False) -> bool:
    """Whether a text is a number with a decimal comma; `sure` if it can be nothing else."""
    text = text.strip()
    return bool((_SURE_COMMA if sure else _COMMA).fullmatch(text) and _COMMA.fullmatch(text))


def value_of_text(text: str, *, comma: bool = False) -> float | bool | str | None:
    """The number or boolean that a text is, None if it stands for none; else the text itself.

    Examples
    --------
    >>> [value_of_text(t) for t in ("1.0", " 5 ", "1e3", "TRUE", "NA", "12_3", "0x10")]
    [1, 5, 1000.0, True, None, '12_3', '0x10']
    >>> value_of_text("1.234,5", comma=True)
    1234.5
    """
    bare = text.strip()
    if comma and is_decimal_comma(bare):
        bare = bare.replace(".", "").replace(",", ".")
    elif comma and "." in bare:
        return text
    if _WHOLE.fullmatch(bare):
        digits = bare.partition(".")[0]
        return int(digits) if len(digits) < 400 else None  # beyond the largest float
    if _NUMBER.fullmatch(bare):
        return float(bare)
    if not bare or bare in NO_VALUE or bare in DOUBTFUL or bare in _NOT_FINITE:
        return None
    return _BOOLEANS.get(bare, text)


def has_commas(array: Any, said: bool) -> bool:
    """Whether the first numbers of a column have decimal commas, where another file's had or not.

    A CSV says nothing of its numbers: one that was written elsewhere may have others.
    """
    texts = [t for t in pc.unique(array.slice(0, 1_000)).to_pylist() if t and t.strip()]
    values = [(value_of_text(t), value_of_text(t, comma=True)) for t in texts]
    points = sum(not isinstance(point, str) for point, _ in values)
    commas = sum(not isinstance(comma, str) for _, comma in values)
    if said:
        return commas >= points
    return commas > points and any(is_decimal_comma(t, sure=True) for t in texts)


def texts_as_values(
    array: Any, missing: Collection[str] | None = None, *, comma: bool = False
) -> npt.NDArray[np.float64] | Coded:
    """A column of texts as numbers; coded where some are something else, or need more digits."""
    plain = not comma and not missing and not pa.types.is_dictionary(array.type)
    if plain and (numbers := all_numbers(array)) is not None:
        return numbers
    coded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
    codes = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), np.int32)
    gone = _values_of(missing)
    values: list[Any] = []
    for text in coded.dictionary.to_pylist():
        value = None if text is None else value_of_text(text, comma=comma)
        values.append(None if value in gone or text in gone else value)
    return Coded(codes, values)


def without(array: Any, missing: Collection[str]) -> Any:
    """A typed column with null for texts or numbers that stand for no value."""
    gone = _values_of(missing)
    if not gone:
        return array
    if isinstance(array, list):
        return [None if type(v) in (str, int, float) and v in gone else v for v in array]
    array = decoded(array)
    if is_text(array.type):
        return texts_as_names(array, missing)
    if is_number(array.type) and not pa.types.is_boolean(array.type):
        numbers = [float(v) for v in gone if isinstance(v, float | int)]
        found = pc.is_in(pc.cast(array, pa.float64(), safe=False), pa.array(numbers, pa.float64()))
        return pc.if_else(found, pa.scalar(None, array.type), array)
    return array


def _values_of(missing: Collection[str] | None) -> set[Any]:
    """Texts that stand for no value, and the numbers that they are."""
    texts = missing or ()
    values = [value_of_text(text) for text in texts]
    return {*texts, *(v for v in values if type(v) in (int, float))}


def all_numbers(array: Any) -> npt.NDArray[np.float64] | None:
    """The same where all texts are numbers below 2**53, else None: Arrow's own way, and fast."""
    try:
        # Arrow words an error for every single text that fails: most fail in their first rows.
        pc.cast(array.slice(0, 64), pa.float64())
        cast = pc.cast(array, pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers = np.asarray(cast.to_numpy(zero_copy_only=False), np.float64)
    size = np.abs(numbers)
    there = np.isfinite(numbers)
    if int(there.sum()) + cast.null_count != numbers.size or (size[there] >= _EXACT).any():
        return None
    return numbers


def texts_as_names(array: Any, no_value: Collection[str]) -> Any:
    """A column of texts with null for those that stand for no value."""
    words = pa.array(list(no_value), pa.string())
    array = decoded(array)
    found = pc.is_in(array, words)
    return pc.if_else(found, pa.scalar(None, array.type), array) if pc.any(found).as_py() else array
