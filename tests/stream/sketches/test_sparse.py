"""Counts as bytes, against varints written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.counting.sparse import (
    MAX_COUNT,
    add_encoded,
    check_counts,
    decode_counts,
    decode_sparse,
    encode_counts,
    encode_sparse,
    first_count,
    merge_encoded,
)

few = settings(derandomize=True, max_examples=150, deadline=None)
vectors = st.lists(
    st.one_of(st.just(0), st.just(0), st.integers(0, 300), st.integers(0, MAX_COUNT)), max_size=300
)


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def naive(counts: list[int]) -> bytes:
    out = b""
    last = -1
    for i, count in enumerate(counts):
        if count:
            out += varint(i - last - 1) + varint(count)
            last = i
    return out


@given(vectors)
@few
def test_the_bytes_are_those_of_the_naive_encoder(counts):
    encoded = encode_counts(np.array(counts, np.int64))
    assert encoded == naive(counts)
    assert decode_counts(encoded, len(counts)).tolist() == counts


@given(st.lists(st.integers(0, 2**40), min_size=8, max_size=8), st.data())
@few
def test_encoded_counts_add_up(first, data):
    second = data.draw(st.lists(st.integers(0, 2**40), min_size=8, max_size=8))
    total = np.array(first, np.int64)
    add_encoded(encode_counts(np.array(second, np.int64)), total)
    assert total.tolist() == [a + b for a, b in zip(first, second, strict=True)]


@given(st.binary(max_size=40), st.integers(0, 50))
@few
def test_any_bytes_are_counts_or_an_error(data, width):
    try:
        counts = decode_counts(data, width)
    except ValueError:
        return
    assert len(counts) == width
    assert counts.min(initial=0) >= 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x80", "middle of a number"),
        (b"\x00", "middle of a number"),
        (varint(4) + b"\x01", "beyond the layout"),
        (varint(2**40) + b"\x01", "beyond the layout"),
        (b"\x00" + varint(MAX_COUNT + 1), "too large"),
        (b"\x00" + b"\xff" * 40, "too large"),
        (b"\xff" * 11, "too large"),
        (b"\x01\x01" + b"\xff" * 8 + b"\x7f\x01", "beyond the layout"),  # 2**63 - 1 after bin 1
    ],
)
def test_what_is_wrong_is_said(data, said):
    with pytest.raises(ValueError, match=said):
        decode_counts(data, 4)


def test_no_sum_overflows():
    full = np.array([2**62 - 1], np.int64)
    with pytest.raises(ValueError, match="too large"):
        add_encoded(naive([2]), full)


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, -(2**63)])
def test_counts_out_of_bounds_are_not_encoded(count):
    with pytest.raises(ValueError, match="counts must be 0"):
        encode_counts(np.array([0, count], np.int64))


def test_nothing_is_no_bytes():
    assert encode_counts(np.zeros(5, np.int64)) == b""
    assert decode_counts(b"", 5).tolist() == [0] * 5
    assert decode_counts(b"", 0).tolist() == []


@given(st.dictionaries(st.integers(0, 2**20), st.integers(1, MAX_COUNT), max_size=50))
@few
def test_counts_at_positions_have_the_same_bytes_as_the_vector(held):
    positions = np.array(sorted(held), np.int64)
    counts = np.array([held[p] for p in sorted(held)], np.int64)
    encoded = encode_sparse(positions, counts)
    naive_bytes, last = b"", -1
    for p in sorted(held):
        naive_bytes += varint(p - last - 1) + varint(held[p])
        last = p
    assert encoded == naive_bytes
    again = decode_sparse(encoded, 50, 2**20 + 1)
    assert [part.tolist() for part in again] == [positions.tolist(), counts.tolist()]


@given(st.binary(max_size=60), st.integers(0, 10), st.integers(0, 300))
@few
def test_any_bytes_are_counts_at_positions_within_bounds_or_an_error(data, most, end):
    try:
        positions, counts = decode_sparse(data, most, end)
    except ValueError:
        return
    assert positions.size <= most
    assert (np.diff(positions) > 0).all()
    assert ((positions >= 0) & (positions < end)).all()
    assert (counts >= 1).all()


@pytest.mark.parametrize(
    ("positions", "counts"), [([3, 3], [1, 1]), ([-1], [1]), ([2], [0]), ([2], [MAX_COUNT + 1])]
)
def test_counts_at_wrong_positions_are_an_error(positions, counts):
    with pytest.raises(ValueError, match="positions must rise"):
        encode_sparse(np.array(positions, np.int64), np.array(counts, np.int64))


@given(vectors, st.data())
@few
def test_two_encodings_are_merged_as_their_vectors_add_up(first, data):
    size = len(first)
    second = data.draw(st.lists(st.integers(0, 2**61), min_size=size, max_size=size))
    total = [min(a, 2**61) + b for a, b in zip(first, second, strict=True)]
    a, b = (
        encode_counts(np.array(counts, np.int64))
        for counts in ([min(count, 2**61) for count in first], second)
    )
    assert merge_encoded(a, b) == merge_encoded(b, a) == naive(total)
    assert merge_encoded(a, b"") == merge_encoded(b"", a) == a


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x80", "middle of a number"),
        (b"\x00", "middle of a number"),
        (b"\x00" + varint(MAX_COUNT), "too large"),
        (b"\x00" + b"\xff" * 40, "too large"),
        (b"\xff" * 8 + b"\x7f\x01", "beyond the layout"),
    ],
)
def test_no_broken_encoding_is_merged(data, said):
    other = naive([1, 2])
    for pair in ((data, other), (other, data)):
        with pytest.raises(ValueError, match=said):
            merge_encoded(*pair)


@given(st.binary(max_size=40) | vectors.map(naive), st.integers(0, 50), st.integers(0, 400))
@few
def test_checking_refuses_what_decoding_would_and_what_is_above_the_bound(data, width, most):
    try:
        counts = decode_counts(data, width)
    except ValueError:
        with pytest.raises(ValueError, match="encoded counts of"):
            check_counts(data, width, MAX_COUNT)
        return
    check_counts(data, width, MAX_COUNT)
    assert first_count(data) == (counts[0] if width else 0)
    if counts.max(initial=0) <= most:
        check_counts(data, width, most)
    else:
        with pytest.raises(ValueError, match=f"above {most}"):
            check_counts(data, width, most)


@pytest.mark.parametrize(
    ("data", "most", "end", "said"),
    [
        (b"\x00\x01\x00", 5, 9, "whole pairs"),
        (b"\x00\x01\x00\x80", 5, 9, "whole pairs"),
        (b"\x00\x01\x00\x01", 1, 9, "whole pairs"),
        (b"\x09\x01", 5, 9, "beyond the layout"),
        (b"\x04\x01\x04\x01", 5, 9, "beyond the layout"),
        (b"\x00\x00", 5, 9, "out of bounds"),
        (b"\x00" + varint(MAX_COUNT + 1), 5, 9, "out of bounds"),
    ],
)
def test_what_is_wrong_with_counts_at_positions_is_said(data, most, end, said):
    with pytest.raises(ValueError, match=said):
        decode_sparse(data, most, end)
