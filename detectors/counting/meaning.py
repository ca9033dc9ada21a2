"""What one value is: a number, a name, missing, or of a wrong type. Every way in asks here.

============================ ======================= ===========================
 value                        as a number             as a name
============================ ======================= ===========================
 integer, float, Decimal      itself                  its shortest decimal text
 true, false                  1, 0                    `true`, `false`
 text                         of a wrong type         itself
 date, timestamp              of a wrong type         its ISO text, in UTC
 None, NaN, infinity          missing                 missing
 anything else                of a wrong type         of a wrong type
============================ ======================= ===========================

Whole numbers are named without a point, however they were held: 1, 1.0 and Decimal("1.00") are
`1`. A float that a float32 can hold is named as that float32 is written, so .1 is `0.1` in both.
"""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["WRONG_TYPE", "category_text", "has_name", "number_of", "widened"]

#: Stands for a value of a wrong type in a column of numbers.
WRONG_TYPE: Final = -math.inf
_NUMBERS: Final = (int, float, Decimal, np.integer, np.floating, np.bool_)
_NAMED: Final = (str, *_NUMBERS, date)
#: Above it every float32 is whole.
_SINGLES_BELOW: Final = 2.0**24


def number_of(value: object) -> float:
    """A value as a number: NaN is missing, `WRONG_TYPE` of a wrong type.

    Examples
    --------
    >>> number_of(True), number_of(3), number_of("3"), number_of(float("inf"))
    (1.0, 3.0, -inf, nan)
    """
    if value is None:
        return math.nan
    if not isinstance(value, _NUMBERS):
        return WRONG_TYPE
    try:
        number = float(value)
    except (OverflowError, ValueError):  # beyond the largest float; a signalling NaN
        return math.nan
    return number if math.isfinite(number) else math.nan


def has_name(value: object) -> bool:
    """Whether a value can be a name, or a missing one; else it is of a wrong type."""
    return value is None or isinstance(value, _NAMED)


def category_text(value: object) -> str | None:
    """The text a category is known by, or None for a missing one.

    Raises
    ------
    TypeError
        If the value is of a wrong type: see `has_name`.

    Examples
    --------
    >>> category_text(True), category_text(3.0), category_text("DE"), category_text(np.float32(0.1))
    ('true', '3', 'DE', '0.1')
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else _name_of_float(float(value))
    if isinstance(value, float | np.floating):
        return _name_of_float(float(value))
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"A value of type {type(value).__name__} is no name.")


def _name_of_float(number: float) -> str | None:
    if not math.isfinite(number):
        return None
    if number.is_integer():
        return str(int(number))
    if abs(number) < _SINGLES_BELOW and struct.unpack("f", struct.pack("f", number))[0] == number:
        return str(np.float32(number))
    return repr(number)


def widened(halves: npt.NDArray[np.float16]) -> npt.NDArray[np.float64]:
    """Numbers of 16 bits as they are written: of .1 they hold only three digits."""
    distinct, at = np.unique(halves, return_inverse=True)
    return np.array([float(str(half)) for half in distinct], np.float64)[at]
