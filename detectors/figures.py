"""Numbers as people read them: the one place where a number becomes words.

Three significant digits, thousands separated, no exponent where a number can do without, never
"-0". Numbers that are told together get as many digits more as it takes to tell them apart: a rise
from 1,013.2 to 1,013.9 is no rise from 1,010 to 1,010.
"""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from typing import Final

__all__ = ["figure", "figures", "percent", "round_figure"]

_DIGITS: Final = 3
#: Digits of the least difference between numbers that are told together.
_DIGITS_APART: Final = 2
_DIGITS_OF_SCALE: Final = 3
#: Numbers that differ only beyond so many digits are told as one.
_MOST_DIGITS: Final = 7
#: Powers of ten within which a number is written out.
_LEAST_POWER, _MOST_POWER = -5, 15
#: What is nearer to 0 is 0: the first number after an atom at 0 is 4.9e-324.
_NOTHING: Final = 1e-300


def figure(value: float | None) -> str:
    """One number: `17,350`, `0.0312`, `1.2×10^-9`, `infinite`; a dash for none."""
    return figures(value)[0]


def figures(*values: float | None, scale: float = 0.0) -> tuple[str, ...]:
    """Numbers that are told together, so that those that differ look different.

    Where a difference of a hundredth of `scale` says nothing, no digits are added for less.
    """
    known = [_plain(value) for value in values if _is_number(value)]
    ordered = sorted(set(known))
    gaps = [b - a for a, b in pairwise(ordered)]
    last = min((gap.adjusted() for gap in gaps if gap), default=None)
    if last is not None:
        last -= _DIGITS_APART - 1
        if scale > 0.0 and _is_number(scale):
            last = max(last, _plain(scale).adjusted() - _DIGITS_OF_SCALE + 1)
    return tuple(_text(value, last) for value in values)


def percent(share: float) -> str:
    """A share of 0 to 1: `12.3 %`, `0.04 %`, `0 %`; `100 %` only if it is all."""
    if not _is_number(share) or abs(share) > 1e300:
        return figure(share)
    if share < 1.0 <= share + 5e-4:
        return "over 99.9 %"
    return f"{figure(100.0 * share)} %"


def round_figure(value: float) -> str:
    """A number that is known roughly, in two figures: `1.2 billion`, `3,400`, `0.5`."""
    if not _is_number(value) or not 1e-4 <= abs(value) < 1e18:
        return figure(value)
    for size, word in (
        (1e15, "quadrillion"),
        (1e12, "trillion"),
        (1e9, "billion"),
        (1e6, "million"),
    ):
        if abs(value) >= size:
            return f"{_fixed(Decimal(f'{value / size:.2g}'), 1)} {word}"
    rounded = Decimal(f"{value:.2g}")
    return _fixed(rounded, max(0, -int(rounded.as_tuple().exponent)))


def _is_number(value: float | None) -> bool:
    return value is not None and (isinstance(value, int) or math.isfinite(value))


def _plain(value: float | None) -> Decimal:
    """Exactly the number, and 0 for what is as good as nothing."""
    assert value is not None
    number = Decimal(value if isinstance(value, int) else float(value))
    return number if abs(number) >= Decimal(_NOTHING) else Decimal(0)


def _text(value: float | None, last: int | None) -> str:
    """A number in three digits, or more if its digit of the power of ten `last` is to be seen."""
    if value is None:
        return "–"
    if not _is_number(value):
        return "–" if value != value else "infinite" if value > 0 else "minus infinite"
    number = _plain(value)
    if not number:
        return "0"
    power = number.adjusted()
    wanted = _DIGITS if last is None else power - last + 1
    digits = wanted if _DIGITS < wanted <= _MOST_DIGITS else _DIGITS
    if _LEAST_POWER <= power < _MOST_POWER:
        return _fixed(number, max(0, digits - 1 - power))
    mantissa, exponent = f"{number:.{digits - 1}e}".split("e")
    return f"{_trimmed(mantissa)}×10^{int(exponent)}"


def _fixed(number: Decimal, decimals: int) -> str:
    return _trimmed(f"{number:,.{decimals}f}")


def _trimmed(text: str) -> str:
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
