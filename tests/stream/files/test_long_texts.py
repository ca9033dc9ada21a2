"""Texts as long as an event may be are read in a time that grows with their length.

Nothing is timed: read in a time that grows with its square, each of these takes hours.
"""

from __future__ import annotations

import pytest

from stream.contracts.event_time import as_time
from stream.files.formatted import formatted_note, mixed_note
from stream.files.reading import is_decimal_comma, is_number_text, value_of_text

N = 1_000_000
#: A long text that is a number as far as its last character but one, and its siblings.
LONG = {
    "digits": "1" * N + "Z",
    "point": "1" * N + "." + "1" * N + "Z",
    "small": "." + "1" * N + "Z",
    "exponent": "1e" + "1" * N + "Z",
    "signs": "-" * N + "1Z",
    "spaces": "1" + " " * N + "1 Z",
    "commas": "1," * N + "Z",
    "threes": "111," * N + "Z",
    "points": "111." * N + "Z",
    "moment": "2026-03-01T12:00:00." + "1" * N + "x",
    "days": "1" * N + " days, 1:",
    "zeros": "1." + "0" * N + "Z",
}
long_texts = pytest.mark.parametrize("text", LONG.values(), ids=LONG)


@long_texts
def test_of_a_time(text: str) -> None:
    assert as_time(text) is None
    assert as_time(text[:-1] + "é") is None


@long_texts
def test_of_a_field_of_a_file(text: str) -> None:
    assert value_of_text(text) == value_of_text(text, comma=True) == text
    assert not is_number_text(text)
    for sure in (False, True):
        assert not is_decimal_comma(text, sure=sure)


@long_texts
def test_of_names_that_may_be_formatted_numbers(text: str) -> None:
    prices = [f"$1{i}.50" for i in range(19)]
    assert "numbers?" in formatted_note([*prices, text], [1] * 20), "the others are found"
    assert "numbers" in mixed_note(
        "x", [*map(str, range(19)), text], [1] * 20, [True] * 19 + [False]
    )


def test_those_that_are_numbers_are_read() -> None:
    assert value_of_text("0" * N + "1.5") == 1.5
    assert value_of_text("." + "0" * N + "1") == 0
    assert as_time("0" * N + "1767225600") == 1_767_225_600
    assert as_time("1" * N) is None, "larger than any number"
