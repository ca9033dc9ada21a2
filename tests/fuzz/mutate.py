"""Bytes that no producer meant to send: seeds, changed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

__all__ = ["FORMS", "mutate", "reshape"]

#: How documents are read and written whose members can be changed one by one.
FORMS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "json": (msgspec.json.decode, msgspec.json.encode),
    "msgpack": (msgspec.msgpack.decode, msgspec.msgpack.encode),
}
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53,
    2**62,
    2**63 - 1,
    -(2**63),
    2**64 - 1,
    0.0,
    -0.0,
    1e308,
    5e-324,
    0.5,
    -1.5,
    4_102_444_800,
    -62_135_596_800,
    1e11,
    1e15,
    "",
    "x",
    "y" * 300,
    "z" * 70_000,
    "\x00",
    "\ufffd",
    "1970-01-01T00:00:00Z",
    "2100-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00Z",
    "fraud",
    "*",
    "__other__",
    "region=eu",
    [],
    {},
    [[]],
    [None],
    {"": None},
    ["x"] * 400,
    [1e308] * 400,
    list(range(3_000)),
    {str(i): i for i in range(500)},
    [[[[[[[[]]]]]]]],
)

#: Where readers break: bounds of integers, floats and lengths, nesting, encodings, escapes.
TOKENS = (
    b"", b"\x00", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b'"\\ud800"', b"\\u0000",
    b"0", b"-0", b"-1", b"1e400", b"-1e400", b"1e-400", b"NaN", b"Infinity", b"null", b"true",
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"1" * 400,
    b"1" * 5_000, b"1" * 50_000,
    b"18446744073709551616", b"4102444800", b"-62135596800", b"253402300800000", b"1e11",
    b'"1970-01-01T00:00:00Z"',
    b'"2100-02-29T25:61:61Z"', b'"0000-00-00"', b'"9999-12-31T23:59:59Z"',
    b"[", b"]", b"{", b"}", b"[" * 2_000, b'{"a":' * 2_000, b'"' , b",", b":", b'""', b'"' * 9,
    b'"x"' * 50, b"[]", b"{}", b"[[]]", b'{"":{}}', b'"' + b"x" * 5_000 + b'"',
    b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff",
    b"\xc6\x7f\xff\xff\xff",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xff\xff\xff\xff\x0f", b"\xff" * 10 + b"\x01",
    b"model", b"timestamp", b"features", b"columns", b"counts", b"edges", b"signals", b"\n[", b"=",
)  # fmt: skip
_MOST_BYTES = 60_000


def mutate(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """One of the seeds after one to six changes; now and then it is only cut off."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4, 6))):
        if not data:
            data = bytearray(rng.choice(TOKENS))
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + 1 + int(rng.expovariate(0.2)))
        how = rng.randrange(10)
        if how == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif how == 2:
            del data[at:end]
        elif how == 3:
            data[at:at] = data[at:end] * rng.choice((1, 2, 30))
        elif how == 4:
            data[at:at] = rng.choice(TOKENS)
        elif how == 5:
            data[at:end] = rng.choice(TOKENS)
        elif how == 6:
            other = rng.choice(seeds)
            start = rng.randrange(len(other) + 1)
            data[at:end] = other[start : start + rng.randrange(1, 200)]
        elif how == 7:
            _replace_number(data, rng)
        elif how == 8:
            del data[at:]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 12))
    return bytes(data[:_MOST_BYTES])


def _replace_number(data: bytearray, rng: random.Random) -> None:
    """Put a token in the place of a run of digits: what stays well-formed goes deepest."""
    digits = [i for i in range(len(data)) if 48 <= data[i] <= 57]
    if digits:
        start = end = rng.choice(digits)
        while end < len(data) and data[end] in b"0123456789.eE+-":
            end += 1
        data[start:end] = rng.choice(TOKENS)


def reshape(seeds: Sequence[bytes], form: str, rng: random.Random) -> bytes:
    """One of the seeds with one to three members replaced, removed, doubled or put elsewhere."""
    decode, encode = FORMS[form]
    document = decode(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, key = rng.choice(places)
        how = rng.randrange(8)
        if how < 5:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        elif how == 5:
            del holder[key]
        elif how == 6:
            other, place = rng.choice(places)
            holder[key] = copy.deepcopy(other[place]) if place in _keys(other) else None
        elif isinstance(holder, list):
            holder.extend(holder[:])
        else:
            holder["x" * rng.randrange(3)] = copy.deepcopy(rng.choice(VALUES))
    return encode(document)


def _keys(holder: Any) -> list[Any]:
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def _places(document: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of every member; of long lists the first ones."""
    found: list[tuple[Any, Any]] = []
    todo = [document]
    while todo and len(found) < 3_000:
        holder = todo.pop()
        if isinstance(holder, dict | list):
            for key in _keys(holder)[:200]:
                found.append((holder, key))
                todo.append(holder[key])
    return found
