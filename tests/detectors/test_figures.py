"""Numbers as words: read back they are the number, and they never look like something else."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.figures import figure, figures, percent, round_figure

ANY = st.floats() | st.integers() | st.integers(-(10**400), 10**400) | st.none()
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def read_back(text: str) -> float:
    mantissa, _, exponent = text.replace(",", "").partition("×10^")
    return float(f"{mantissa}e{exponent or 0}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (5e-324, "0"),
        (-5e-324, "0"),
        (12.5, "12.5"),
        (0.03126, "0.0313"),
        (17_350.4, "17,350"),
        (-12_345.678, "-12,346"),
        (999.9996, "1,000"),
        (1e12, "1,000,000,000,000"),
        (1.5e16, "1.5×10^16"),
        (1.234e-9, "1.23×10^-9"),
        (10**400, "1×10^400"),
        (math.nan, "–"),
        (None, "–"),
        (math.inf, "infinite"),
        (-math.inf, "minus infinite"),
    ],
)
def test_figure(value: float | None, text: str) -> None:
    assert figure(value) == text


@given(ANY)
def test_any_number_has_plain_words(value: float | None) -> None:
    for text in (figure(value), round_figure(value or 0), percent(value or 0)):
        assert not re.search(r"\de[+-]?\d|(^|\s)-0( |$)|nan|inf$", text), text
        assert text


@given(st.floats(-1e308, 1e308))
def test_a_figure_is_the_number_to_three_digits(value: float) -> None:
    assert read_back(figure(value)) == pytest.approx(value, rel=0.005, abs=1e-299)


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_told_whole(value: int) -> None:
    assert figure(value).replace(",", "") == str(value)


@given(FINITE, FINITE)
def test_numbers_that_differ_look_different(one: float, other: float) -> None:
    size = max(abs(one), abs(other))
    if abs(one - other) > 1e-5 * size and size > 1e-290:
        a, b = figures(one, other)
        assert a != b
        assert (read_back(a) < read_back(b)) == (one < other)


def test_differences_below_the_scale_are_none() -> None:
    assert figures(1013.2, 1013.9) == ("1,013.2", "1,013.9")
    assert figures(1013.2, 1013.9, scale=2.0) == ("1,013.2", "1,013.9")
    assert figures(3.997, 3.9945, scale=3.3) == ("4", "3.99")
    assert figures(1013.2, 1013.9, scale=1e5) == ("1,013", "1,014")


def test_all_is_all() -> None:
    assert percent(1.0) == "100 %"
    assert percent(0.99996) == "over 99.9 %"
    assert percent(0.0004) == "0.04 %"
    assert percent(0.0) == "0 %"


def test_round_figures() -> None:
    said = [round_figure(v) for v in (0.5, 1.0, 3_449.0, 1.24e6, 1.25e9, 1e17, 5e20, 1.4e-10)]
    assert said == [
        "0.5",
        "1",
        "3,400",
        "1.2 million",
        "1.2 billion",
        "100 quadrillion",
        "5×10^20",
        "1.4×10^-10",
    ]
