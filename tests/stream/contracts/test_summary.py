"""Messages of the summaries topic: round trips, and bytes that are none."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.contracts.summary_message import (
    Idle,
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    SummaryError,
    decode_message,
    encode_message,
)

few = settings(derandomize=True, max_examples=100, deadline=None)
SOURCE = Source("id", "predictions", 3, 8)
offsets = st.integers(0, 2**62)
times = st.integers(-(2**62), 2**62)
sources = st.builds(
    Source,
    st.text(max_size=9),
    st.text(max_size=9),
    st.integers(0, 99_999),
    st.integers(1, 100_000),
)
entries = st.builds(SummaryEntry, st.text(max_size=9), times, st.binary(max_size=9))
messages = st.one_of(
    st.builds(Progress, sources, offsets, offsets, times),
    st.builds(Idle, sources, offsets),
    st.builds(
        SummaryBatch,
        sources,
        offsets,
        offsets,
        st.text(max_size=9),
        st.text(max_size=9),
        st.binary(max_size=9),
        offsets,
        st.lists(entries, max_size=4),
    ),
)


@given(messages)
@few
def test_a_message_comes_back_as_it_went(message):
    assert decode_message(encode_message(message)) == message


@given(messages, st.data())
@few
def test_a_damaged_message_is_refused_or_is_another(message, data):
    value = bytearray(encode_message(message))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    del value[data.draw(st.integers(0, len(value))) :]
    with contextlib.suppress(SummaryError):
        decode_message(bytes(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xc1",
        b"{}",
        b"\xdd\xff\xff\xff\xff",  # an array that says it has four thousand million members
        b"\x98\xa2s1\x94\xa2id\xa1t\x00\x01\x00\x00\xa1m\xa0\xc4\x00\x00\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 5_000,
        msgspec.msgpack.encode(["p1", SOURCE, 5, 6]),
        msgspec.msgpack.encode(["p2", SOURCE, 5, 6, 7]),
        msgspec.msgpack.encode(["p1", SOURCE, -1, 6, 7]),
        msgspec.msgpack.encode(["p1", SOURCE, 5, 2**63, 7]),
        msgspec.msgpack.encode(["p1", SOURCE, 5, 6, 2**63]),
        msgspec.msgpack.encode(["p1", SOURCE._replace(n_partitions=2**31), 5, 6, 7]),
        msgspec.msgpack.encode(["p1", SOURCE._replace(partition=-1), 5, 6, 7]),
        msgspec.msgpack.encode(["i1", SOURCE, -1]),
    ],
)
def test_what_is_no_message_is_refused(value):
    with pytest.raises(SummaryError):
        decode_message(value)


def test_a_later_version_may_add_members():
    """An older worker reads on while the group is being renewed."""
    longer = msgspec.msgpack.encode(["i1", SOURCE, 7, "more"])
    assert decode_message(longer) == Idle(SOURCE, 7)
