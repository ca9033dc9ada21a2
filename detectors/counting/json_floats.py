"""JSON arrays of numbers as float64, without an object for each: to the bit as CPython reads them.

A number is a whole mantissa of at most 19 digits and a power of ten. Where both are exact in a
float64 one division gives the nearest (Clinger 1990); else the product of the mantissa and the
power's first 128 bits does (Eisel and Lemire: Lemire 2021, "Number parsing at a gigabyte per
second"). What neither can decide, and whatever else may stand in an array, is left to a reader of
JSON.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors._jit import kernel

__all__ = ["read_numbers"]

_LEAST, _MOST = -348, 308  # powers of ten of the table
_DIGITS: Final = 19  # a mantissa of so many fits into 64 bits
_EXACT_TENS: Final = 10.0 ** np.arange(23)

_MINUS, _PLUS, _POINT, _COMMA, _OPEN, _CLOSE = (np.uint8(ord(c)) for c in "-+.,[]")
_ZERO, _NINE, _SMALL_E, _LARGE_E = (np.uint8(ord(c)) for c in "09eE")
_SPACE, _TAB, _LINE, _RETURN = (np.uint8(ord(c)) for c in " \t\n\r")
_N, _U, _L = (np.uint8(ord(c)) for c in "nul")


def _first_bits() -> npt.NDArray[np.uint64]:
    """The first 128 bits of each power of ten, high ones first, uint64[powers, 2].

    Those of whole numbers are cut off, others, which never end, rounded up, as the proof has it.
    """
    rows = []
    for power in range(_LEAST, _MOST + 1):
        ten = 10 ** abs(power)
        scaled = ten << 128 if power >= 0 else (1 << (ten.bit_length() + 128)) // ten
        bits = (scaled >> (scaled.bit_length() - 128)) + (power < 0)
        rows.append((bits >> 64, bits & (2**64 - 1)))
    return np.array(rows, np.uint64)


_TENS: Final = _first_bits()
_U0, _U1, _U3, _TEN = (np.uint64(i) for i in (0, 1, 3, 10))
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_NINE_BITS: Final = np.uint64(0x1FF)


@kernel
def _high(a: np.uint64, b: np.uint64) -> np.uint64:
    """The upper 64 bits of a product."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    middle = a1 * b0 + ((a0 * b0) >> _HALF)
    other = a0 * b1 + (middle & _LOW)
    return a1 * b1 + (middle >> _HALF) + (other >> _HALF)


@kernel
def _nearest(mantissa: np.uint64, power: int) -> np.uint64:
    """Bits of the float64 nearest to mantissa * 10**power; 0 if it cannot be told."""
    if power < _LEAST or power > _MOST:
        return _U0
    zeros = 0
    for step in (32, 16, 8, 4, 2, 1):
        if mantissa >> np.uint64(64 - step) == _U0:
            mantissa <<= np.uint64(step)
            zeros += step
    exponent = ((217_706 * power) >> 16) + 64 + 1023 - zeros
    tens_high, tens_low = _TENS[power - _LEAST, 0], _TENS[power - _LEAST, 1]
    high, low = _high(mantissa, tens_high), mantissa * tens_high
    if high & _NINE_BITS == _NINE_BITS and low + mantissa < mantissa:
        more_high, more_low = _high(mantissa, tens_low), mantissa * tens_low
        low += more_high
        if low < more_high:
            high += _U1
        if high & _NINE_BITS == _NINE_BITS and low + _U1 == _U0 and more_low + mantissa < mantissa:
            return _U0
    top = high >> np.uint64(63)
    result = high >> (top + np.uint64(9))
    exponent -= 1 - int(top)
    if low == _U0 and high & _NINE_BITS == _U0 and result & _U3 == _U1:
        return _U0  # half-way between two
    result = (result + (result & _U1)) >> _U1
    if result >> np.uint64(53):
        result >>= _U1
        exponent += 1
    if exponent < 1 or exponent >= 0x7FF:
        return _U0  # subnormal, or infinite
    return np.uint64(exponent) << np.uint64(52) | result & np.uint64(2**52 - 1)


@kernel
def _is_space(byte: np.uint8) -> bool:
    return bool(byte <= _SPACE) and byte in (_SPACE, _TAB, _LINE, _RETURN)


@kernel
def _read(
    data: npt.NDArray[np.uint8], out: npt.NDArray[np.float64], bits: npt.NDArray[np.uint64]
) -> int:
    """Write what the array holds, NaN for null; how many, or -1 if it is to be read otherwise.

    `bits` is `out` as whole numbers. The last byte is a bracket, at which every loop ends: no other
    bound needs a look, and that is most of the time.
    """
    last = data.size - 1
    if last < 1 or data[0] != _OPEN or data[last] != _CLOSE:
        return -1
    at = n = 0
    while True:
        at += 1
        while _is_space(data[at]):
            at += 1
        if n == out.size:
            return -1
        byte = data[at]
        if byte == _N:
            if at + 4 > last or data[at + 1] != _U or data[at + 2] != _L or data[at + 3] != _L:
                return -1
            out[n] = np.nan
            at += 4
        else:
            negative = byte == _MINUS
            if negative:
                at += 1
                byte = data[at]
            begin = at
            mantissa = _U0
            while _ZERO <= byte <= _NINE:
                mantissa = mantissa * _TEN + np.uint64(byte - _ZERO)
                at += 1
                byte = data[at]
            digits = at - begin
            if digits == 0:
                return -1
            if data[begin] == _ZERO:
                if digits > 1:
                    return -1
                digits = 0  # only those from the first other than 0 on take room
            power = 0
            if byte == _POINT:
                at += 1
                begin = at
                byte = data[at]
                while _ZERO <= byte <= _NINE:
                    mantissa = mantissa * _TEN + np.uint64(byte - _ZERO)
                    digits += mantissa != _U0
                    at += 1
                    byte = data[at]
                power = begin - at
                if power == 0:
                    return -1
            if digits > _DIGITS:
                return -1
            if byte in (_SMALL_E, _LARGE_E):
                at += 1
                byte = data[at]
                less = byte == _MINUS
                if less or byte == _PLUS:
                    at += 1
                    byte = data[at]
                begin = at
                tens = 0
                while _ZERO <= byte <= _NINE:
                    tens = tens * 10 + int(byte - _ZERO)
                    at += 1
                    byte = data[at]
                if not 0 < at - begin < 5:
                    return -1
                power += -tens if less else tens
            if mantissa == _U0:
                value = 0.0
            elif mantissa >> np.uint64(53) == _U0 and -22 <= power <= 22:
                value = np.float64(mantissa)
                value = value / _EXACT_TENS[-power] if power < 0 else value * _EXACT_TENS[power]
            else:
                bits[n] = _nearest(mantissa, power)
                if bits[n] == _U0:
                    return -1
                value = out[n]
            out[n] = -value if negative else value
        n += 1
        while _is_space(data[at]):
            at += 1
        if data[at] == _CLOSE:
            return n if at == last else -1
        if data[at] != _COMMA:
            return -1


def read_numbers(
    text: bytes | memoryview, out: npt.NDArray[np.float64], bits: npt.NDArray[np.uint64]
) -> bool:
    """Write the values of a JSON array of numbers and nulls (NaN) to `out`, if it has as many.

    `bits` is `out` as whole numbers. Returns False for anything else, and for the few numbers that
    have to be read with more care: more than 19 digits, some half-way between two float64, below
    2.3e-308 or beyond 1.8e308. What `out` holds is then of no use.
    """
    return _read(np.frombuffer(text, np.uint8), out, bits) == out.size
