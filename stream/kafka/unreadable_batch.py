"""Finding the batch that cannot be read, and reading on behind it.

kafka-python raises at every poll where a batch cannot be read, or returns nothing for ever, and
does not say where the batch ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError as AiokafkaError
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

from stream.contracts.errors import DriftstreamError, NotFoundError
from stream.contracts.unread import Unread
from stream.kafka import batch_fetch
from stream.kafka.connection import connection_arguments
from stream.kafka.stalls import STALL_S, unread_at

__all__ = ["SkippingPoll", "UnreadableError", "find_unreadable_batch"]

#: Called with (topic, partition, batch).
OnUnread = Callable[[str, int, Unread], None]
_PATIENCE_S: Final = 20.0


class UnreadableError(DriftstreamError, RuntimeError):
    """A batch of a topic cannot be read; the message says which and why."""


def find_unreadable_batch(
    kafka: Mapping[str, object], topic: str, partition: int, offset: int
) -> Unread | None:
    """The batch that cannot be read at an offset, from there on; None if it can be.

    Raises
    ------
    NotFoundError
        If the partition has no such offset.
    """
    return asyncio.run(_find(connection_arguments(kafka), topic, partition, offset))


async def _find(
    connection: Mapping[str, Any], topic: str, partition: int, offset: int
) -> Unread | None:
    batch_fetch.use_bounded_codecs()
    consumer = AIOKafkaConsumer(
        **connection,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        await consumer._client.add_topic(topic)
        if partition not in (consumer.partitions_for_topic(topic) or ()):
            raise NotFoundError(f"there is no partition {topic}[{partition}]. Check the name.")
        consumer.assign([tp])
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            raise NotFoundError(
                f"{topic}[{partition}] holds offsets {begin} to {end - 1}; got {offset}."
            )
        consumer.seek(tp, offset)
        fetcher = consumer._fetcher
        async with asyncio.timeout(_PATIENCE_S):
            await consumer.position(tp)
            if unread := await unread_at(fetcher, tp, offset):
                return unread
            while await consumer.position(tp) <= offset:
                with fetcher._subscriptions.fetch_context():
                    found = await batch_fetch.fetched_records(fetcher, [tp], 0.5, 1)
                for one in found.get(tp, []):
                    if type(one) is Unread and one.offset <= offset:
                        return one
        return None
    finally:
        await consumer.stop()


class SkippingPoll:
    """kafka-python's `poll`, skipping batches that cannot be read: `on_unread` gets each of them.

    If `on_unread` returns, reading goes on behind the batch. A partition whose position stands
    still though its log goes on is examined too: kafka-python would wait there for ever.
    """

    def __init__(
        self,
        consumer: Any,
        kafka: Mapping[str, object],
        on_unread: OnUnread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer, self._kafka, self._on_unread = consumer, kafka, on_unread
        self._clock = clock
        self._since: dict[Any, tuple[int, float]] = {}

    def poll(self, timeout_ms: int) -> dict[Any, list[Any]]:
        """Records by partition, as `poll` has them."""
        parts = self._consumer.assignment()
        begins = {part: self._consumer.position(part) for part in parts}
        try:
            polled: dict[Any, list[Any]] = self._consumer.poll(timeout_ms=timeout_ms)
        except Exception as error:
            kinds = (CorruptRecordError, UnsupportedCodecError)
            if isinstance(error, KafkaError) and not isinstance(error, kinds):
                raise
            if not self._skip_unreadable(parts):
                raise
            return {}
        lost = self._stalled(parts)
        for part, records in list(polled.items()):
            sound = _in_order(records, begins[part], self._consumer.highwater(part))
            if sound < len(records):  # no checksum is over offsets
                lost.append(part)
                del records[sound:]
                self._consumer.seek(part, records[-1].offset + 1 if sound else begins[part])
        self._skip_unreadable(lost)
        return polled

    def _stalled(self, parts: Iterable[Any]) -> list[Any]:
        """Partitions without a record for `STALL_S` though their log has more."""
        now, found = self._clock(), []
        for part in parts:
            at, since = self._since.get(part, (-1, now))
            end = self._consumer.highwater(part)
            if (position := self._consumer.position(part)) != at or position == end:
                self._since[part] = (position, now)
            elif now - since >= STALL_S:
                self._since[part] = (position, now)
                found.append(part)
        return found

    def _skip_unreadable(self, parts: Iterable[Any]) -> bool:
        """Seek behind the unreadable batch of each partition that has one; whether any has."""
        skipped = False
        for part in parts:
            at = self._consumer.position(part)
            try:
                unread = find_unreadable_batch(self._kafka, part.topic, part.partition, at)
            except (LookupError, AiokafkaError, TimeoutError):  # at its end; nobody answers
                continue
            if unread is not None:
                self._on_unread(part.topic, part.partition, unread)
                self._consumer.seek(part, unread.last + 1)
                skipped = True
        return skipped


def _in_order(records: Iterable[Any], begin: int, end: int | None) -> int:
    """How many of the first records have offsets that grow, from `begin` and below `end`."""
    count = 0
    for record in records:
        if not begin <= record.offset < (record.offset + 1 if end is None else end):
            break
        begin = record.offset + 1
        count += 1
    return count
