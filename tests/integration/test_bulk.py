"""Records read by the run are those that aiokafka gives, at the same positions."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import crc32c
import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record import MemoryRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.kafka import bulk

TP = TopicPartition("t", 0)


class Position:
    """What a fetch asks of its assignment."""

    def __init__(self, position: int) -> None:
        self.active, self.paused, self.position = True, False, position

    def state_value(self, _: TopicPartition) -> Position:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def batch(
    first: int, n: int, *, producer: int = -1, codec: int = 0, control: bool = False
) -> bytes:
    """A record batch that begins at this offset; `codec` 1 is gzip."""
    builder = DefaultRecordBatchBuilder(2, codec, producer >= 0, producer, 0, 0, 10**6)
    for i in range(n):
        key = b"\x00\x00\x00\x00" if control else b"k%d" % (first + i) if i % 2 else None
        headers = [("h", b"v")] if i % 3 == 0 else []
        builder.append(i, 1_000 + first + i, key, b"value %d" % (first + i), headers)
    whole = bytearray(builder.build())
    whole[0:8] = first.to_bytes(8, "big")
    if control:
        whole[22] |= 0x20
        _seal(whole)
    return bytes(whole)


def _seal(whole: bytearray) -> None:
    whole[17:21] = crc32c.crc32c(bytes(whole[21:])).to_bytes(4, "big")


def result_of(raw: bytes, at: int, aborted: list[tuple[int, int]]) -> tuple[FetchResult, Position]:
    place = Position(at)
    records = PartitionRecords(
        TP, MemoryRecords(raw), aborted, at, None, None, True, READ_COMMITTED
    )
    return FetchResult(TP, assignment=place, partition_records=records, backoff=0.0), place


def plain(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


def log(sizes: list[int]) -> tuple[bytes, list[tuple[int, int]], int]:
    """Batches of these sizes: every third of a transaction that is aborted, some compressed."""
    raw, offset, aborted = b"", 0, []
    for i, n in enumerate(sizes):
        if i % 3 == 2:
            raw += batch(offset, n, producer=7)
            aborted.append((7, offset))
            raw += batch(offset + n, 1, producer=7, control=True)
            offset += n + 1
        else:
            raw += batch(offset, n, producer=7 if i % 3 == 1 else -1, codec=i % 2)
            offset += n
    return raw, aborted, offset


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=8),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
    st.integers(0, 8),
)
def test_runs_of_any_length_give_what_aiokafka_gives(
    sizes: list[int], polls: list[int], at: int
) -> None:
    raw, aborted, end = log(sizes)
    at = min(at, sizes[0] - 1)  # a fetch begins with the batch that holds the position
    theirs, their_place = result_of(raw, at, aborted)
    ours, our_place = result_of(raw, at, aborted)
    run = bulk._Run(ours)
    for k in range(200):
        most = polls[k % len(polls)]
        expected = theirs.getall(most)
        got = run.getall(most)
        assert list(map(plain, got)) == list(map(plain, expected))
        assert len(got) <= most
        assert our_place.position == their_place.position or not got
        if not theirs.has_more():
            break
    while ours.has_more():
        assert run.getall(1) == []
    assert our_place.position == their_place.position == end


def test_a_damaged_batch_is_an_error() -> None:
    raw = bytearray(batch(0, 4))
    raw[-1] ^= 1
    result, _ = result_of(bytes(raw), 0, [])
    with pytest.raises(CorruptRecordException):
        bulk._Run(result).getall(9)


def test_a_fetch_is_freed_when_it_is_dropped_without_the_collector() -> None:
    """A cycle held 200 MB more: workers collect seldom."""
    result, _ = result_of(batch(0, 4), 0, [])
    result.getall = bulk._Run(result).getall
    assert len(result.getall(2)) == 2
    gone = weakref.ref(result), weakref.ref(result._partition_records)
    gc.disable()
    try:
        del result
        assert [one() for one in gone] == [None, None]
    finally:
        gc.enable()


def test_a_partition_that_was_lost_gives_nothing() -> None:
    result, place = result_of(batch(0, 4), 0, [])
    place.active = False
    assert bulk._Run(result).getall(9) == []


def test_the_installed_aiokafka_is_the_one_this_was_written_against() -> None:
    assert bulk.is_known()
