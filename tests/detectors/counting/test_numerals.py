"""Numbers out of JSON by the kernel: the oracle is CPython's `float`, to the bit."""

from __future__ import annotations

import json
import math
import random
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.counting.json_floats import read_numbers

SEED = 20_261_121


def bits(values: object) -> list[int]:
    return np.asarray(values, np.float64).view(np.uint64).tolist()  # type: ignore[no-any-return]


def numbers(text: bytes, n: int) -> np.ndarray | None:
    """The values where they are read, into the middle of other numbers that stay as they are."""
    room = np.full(n + 2, 7.5)
    out = room[1 : n + 1]
    found = read_numbers(text, out, out.view(np.uint64))
    assert room[0] == room[-1] == 7.5
    return out if found else None


def read(*texts: str) -> np.ndarray | None:
    return numbers(f"[{','.join(texts)}]".encode(), len(texts))


def is_hard(text: str) -> bool:
    """Whether a reader of JSON may be asked: subnormal, too long, or where two float64 meet."""
    near = float(text)
    apart = abs(Fraction(text) - Fraction(near)) / Fraction(math.ulp(near))
    digits = text.lower().partition("e")[0].replace(".", "").lstrip("-0")
    return abs(near) < 2.3e-308 or len(digits) > 19 or apart in (0, Fraction(1, 4), Fraction(1, 2))


def any_number(rng: random.Random) -> str:
    """A number as producers and their encoders write them, and as nobody would."""
    kind = rng.randrange(6)
    if kind == 0:
        return repr(struct.unpack("d", rng.randbytes(8))[0])
    if kind == 1:
        return f"{rng.getrandbits(rng.randrange(1, 64))}e{rng.randrange(-330, 310)}"
    if kind == 2:
        return repr(rng.gauss(0, 1) * 10 ** rng.randrange(-6, 12))
    if kind == 3:  # more digits than 64 bits hold, also such as end in zeros
        return f"{rng.getrandbits(rng.randrange(60, 90))}{'0' * rng.randrange(80)}"
    if kind == 4:
        return f"{rng.randrange(-(10**9), 10**9)}.{rng.randrange(10**9):0{rng.randrange(1, 12)}}"
    return f"{rng.randrange(10):d}.{rng.getrandbits(50)}E+{rng.randrange(0, 30)}"


def test_any_number_is_what_cpython_reads() -> None:
    rng = random.Random(SEED)
    left = 0
    numbers = 100_000
    for _ in range(numbers):
        text = any_number(rng)
        if not math.isfinite(float(text)) or "n" in text:
            assert read(text) is None, text
            continue
        found = read(text)
        if found is None:  # left to a reader of JSON
            left += 1
            assert is_hard(text), text
        else:
            assert bits(found) == bits([float(text)]), text
    assert left < numbers // 4


def test_numbers_close_to_half_way() -> None:
    """Decimals of up to 19 digits nearest to the middle of two float64: the hardest there are."""
    rng = random.Random(SEED)
    decided = 0
    for _ in range(20_000):
        low = abs(struct.unpack("d", rng.randbytes(8))[0])
        if not 1e-280 < low < 1e280:
            continue
        whole, power = low.as_integer_ratio(), math.floor(math.log10(low)) - 18
        middle = (
            2 * whole[0] * 2**60 + int(math.ulp(low) * 2**60) * whole[1]
            if math.ulp(low) >= 2**-60
            else None
        )
        if middle is None:
            continue
        scaled = middle * 10 ** max(0, -power) // (whole[1] * 2**61 * 10 ** max(0, power))
        for near in (scaled, scaled + 1):
            text = f"{near}e{power}"
            found = read(text)
            if found is not None:
                decided += 1
                assert bits(found) == bits([float(text)]), text
    assert decided > 5_000


@given(st.lists(st.none() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False)))
def test_an_array_is_what_json_reads(values: list[float | None]) -> None:
    known = [v for v in values if v is None or (math.isfinite(v) and not 0 < abs(v) < 2.3e-308)]
    for separators in ((",", ":"), (" , ", ":")):
        text = json.dumps(known, separators=separators).encode()
        found = numbers(text, len(known))
        if not known:
            assert found is None  # a batch of no rows is refused anyhow
            continue
        if found is None:
            assert any(is_hard(json.dumps(v)) for v in known if v is not None)
            continue
        wanted = [math.nan if v is None else float(v) for v in known]
        assert bits(found) == bits(wanted)


NOT_NUMBERS = (
    "", "[", "]", "[]", "[1", "1]", "[1,]", "[,1]", "[1,,2]", "[01]", "[-]", "[+1]", "[.5]", "[1.]",
    "[1e]", "[1e+]", "[nul]", "[null", "[nulll]", "[NaN]", "[Infinity]", "[true]", '["1"]', "[[1]]",
    "[1]]", "[1] x", "[1 2]", "[1e99999]", "[1_0]", "null", "{}", "[0x1]", "[--1]", "[1.2.3]",
    "[1\x0b]", "[n]", "[-null]",
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_no_array_of_numbers_is_left(text: str) -> None:
    for n in range(4):
        assert numbers(text.encode(), n) is None


def test_an_array_of_another_length_is_left() -> None:
    assert numbers(b"[1,2,3]", 2) is None
    assert numbers(b"[1,2,3]", 4) is None
    assert bits(numbers(b"[ 1 ,\t2\r,\n-0 ]", 3)) == bits([1.0, 2.0, -0.0])
