"""A fetch of one partition as aiokafka holds it, made of record batches without a broker."""

from __future__ import annotations

from typing import Any

import crc32c
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record import MemoryRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from stream.contracts.unread import Unread
from stream.kafka import batch_fetch

__all__ = ["Position", "batch", "read_all", "result_of", "seal"]

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
    """A record batch that begins at this offset; codecs are gzip, snappy, lz4 and zstd."""
    builder = DefaultRecordBatchBuilder(2, codec, producer >= 0, producer, 0, 0, 10**6)
    for i in range(n):
        key = b"\x00\x00\x00\x00" if control else b"k%d" % (first + i) if i % 2 else None
        headers = [("h", b"v")] if i % 3 == 0 else []
        builder.append(i, 1_000 + first + i, key, b"value %d" % (first + i), headers)
    whole = bytearray(builder.build())
    whole[0:8] = first.to_bytes(8, "big")
    if control:
        whole[22] |= 0x20
        seal(whole)
    return bytes(whole)


def seal(whole: bytearray) -> None:
    whole[17:21] = crc32c.crc32c(bytes(whole[21:])).to_bytes(4, "big")


def result_of(raw: bytes, at: int, aborted: list[tuple[int, int]]) -> tuple[FetchResult, Position]:
    place = Position(at)
    records = PartitionRecords(
        TP, MemoryRecords(raw), aborted, at, None, None, True, READ_COMMITTED
    )
    return FetchResult(TP, assignment=place, partition_records=records, backoff=0.0), place


def read_all(raw: bytes, at: int = 0, most: int = 3) -> tuple[list[Any], int]:
    """Everything of a fetch, and the position behind it."""
    batch_fetch.use_bounded_codecs()
    result, place = result_of(raw, at, [])
    run, found = batch_fetch._Run(result), []
    while result.has_more():
        run.room = batch_fetch._Room()
        got = run.getall(most)
        assert all(type(one) is not Unread for one in got[:-1]), "an unread batch ends a run"
        found += got
    return found, place.position
