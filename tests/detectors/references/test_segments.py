"""What parts of a stream are called: every one in its own way, and its name says what it is of."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.references.segments import (
    OTHER_VALUES,
    Segment,
    check_segments,
    columns_of_segments,
    other_scope,
    scope_name,
    scope_parts,
    segment_name,
    segment_of,
)

SEGMENTS: tuple[Segment, ...] = ("a", "b", ("a", "b"), ("a", "c"), ("a", "b", "c"))
value = st.text("ab=, \\", max_size=9) | st.sampled_from(
    ["F", "60+", "Washington, DC", "x, b=y", "x\\, b=y", "C:\\", OTHER_VALUES]
)


@st.composite
def part(draw: st.DrawFn) -> tuple[Segment, tuple[str, ...]]:
    segment = draw(st.sampled_from(SEGMENTS))
    size = 1 if isinstance(segment, str) else len(segment)
    return segment, tuple(draw(st.lists(value, min_size=size, max_size=size)))


def named(one: tuple[Segment, tuple[str, ...]]) -> str:
    segment, values = one
    return scope_name(segment, values[0] if isinstance(segment, str) else values)


@given(part(), part())
@example(("a", ("1, b=2",)), (("a", "b"), ("1", "2")))
@example(("a", ("1\\, b=2",)), ("a", ("1, b=2",)))
@example((("a", "b"), ("1, b=2", "3")), (("a", "b"), ("1", "2, b=3")))
@example((("a", "b", "c"), ("1", "2", "3")), (("a", "b"), ("1", "2, c=3")))
@settings(max_examples=2_000, deadline=None)
def test_no_two_parts_have_one_name(one, other):
    assert (named(one) == named(other)) == (one == other)


def test_no_two_parts_of_few_letters_have_one_name():
    values = ["".join(letters) for n in range(4) for letters in product("b=, \\", repeat=n)]
    some = values[::3]
    names = [scope_name("a", v) for v in values]
    names += [scope_name(("a", "b"), pair) for pair in product(some, some)]
    names += [scope_name("a", f"{v}, b={w}") for v, w in product(some, some)]
    assert len(set(names)) == len(set(values) | {f"{v}, b={w}" for v, w in product(some, some)}) + (
        len(some) ** 2
    )


@given(part())
@settings(max_examples=1_000, deadline=None)
def test_a_name_says_which_segment_it_is_of(one):
    segment, values = one
    name = named(one)
    assert segment_of(name) == segment_name(segment)
    columns, written = zip(*scope_parts(name), strict=True)
    assert columns == columns_of_segments([segment])
    if isinstance(segment, tuple):
        assert tuple(re.sub(r"\\(.)", r"\1", v) for v in written) == values


@pytest.mark.parametrize("segment", SEGMENTS)
def test_what_has_no_counts_of_its_own_is_of_its_segment(segment):
    assert segment_of(other_scope(segment_name(segment))) == segment_name(segment)


def test_names_are_as_people_write_them():
    assert scope_name(("sex", "age_band"), ("F", "60+")) == "sex=F, age_band=60+"
    assert scope_name("city", "Washington, DC") == "city=Washington, DC"
    assert scope_name(("city", "sex"), ("Washington, DC", "F")) == "city=Washington\\, DC, sex=F"
    assert segment_name(("sex", "age_band")) == "sex, age_band"
    assert scope_parts("") == ()
    assert segment_of("") == ""


def test_columns_are_named_once_in_the_order_of_the_segments():
    assert columns_of_segments(["b", ("a", "b"), ("c", "a")]) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (("a", "b", "a"), "different names; got 'a' beside 'a' in ['a', 'b', 'a']. Keep one"),
        (("a=b",), "without '='; got 'a=b'"),
        (("",), "different names without '='; got ''"),
        ((("a",),), "two or three different names; got ['a']. Name a single one without brackets"),
        (((),), "two or three different names; got []"),
        ((("a", "b", "c", "d"),), "two or three different names; got ['a', 'b', 'c', 'd']"),
        ((("a", "a"),), "two or three different names; got ['a', 'a']"),
        ((("a", "b"), ("b", "a")), "got ['b', 'a'] beside ['a', 'b']"),
        ((("a", "b"), ("a", "b")), "got ['a', 'b'] beside ['a', 'b']"),
        (("a, b", ("a", "b")), "got ['a', 'b'] beside 'a, b'"),
        ((("a", "b=c"),), "without ',', '=' and '\\'; got 'b=c' in ['a', 'b=c']"),
        ((("a", "b,c"),), "without ',', '=' and '\\'; got 'b,c'"),
        ((("a", "b\\"),), "without ',', '=' and '\\'; got 'b\\\\'"),
        ((("a", ""),), "got '' in ['a', '']"),
    ],
)
def test_segments_that_cannot_be_are_refused_in_words(segments, message):
    with pytest.raises(ValueError, match=r"segments must|combination in segments must") as caught:
        check_segments(segments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "segments", [(), ("a", ("a", "b")), (("a", "b"), ("a", "c"), ("a", "b", "c")), ("a, b", "b")]
)
def test_a_member_may_stand_elsewhere_or_nowhere(segments):
    check_segments(segments)
