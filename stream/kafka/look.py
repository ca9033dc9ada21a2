"""Finding the batch that a program cannot read, and going on behind it.

kafka-python raises at every poll where a batch cannot be read, and does not say where it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka.errors import CorruptRecordError, KafkaError, UnsupportedCodecError

from stream.decode.columns import Unread
from stream.kafka import bulk
from stream.kafka.connection import connection_arguments

__all__ = ["UnreadableError", "find_unread", "poll_readable"]

#: Called with (topic, partition, batch).
OnUnread = Callable[[str, int, Unread], None]
_PATIENCE_S: Final = 20.0


class UnreadableError(RuntimeError):
    """A batch of a topic cannot be read; the message says which and why."""


def find_unread(
    kafka: Mapping[str, object], topic: str, partition: int, offset: int
) -> Unread | None:
    """The batch that cannot be read at an offset, from there on; None if it can be.

    Raises
    ------
    LookupError
        If the partition has no such offset.
    """
    return asyncio.run(_find(connection_arguments(kafka), topic, partition, offset))


async def _find(
    connection: Mapping[str, Any], topic: str, partition: int, offset: int
) -> Unread | None:
    bulk.use_bounded_codecs()
    consumer = AIOKafkaConsumer(
        **connection, enable_auto_commit=False, auto_offset_reset="none",
        isolation_level="read_committed",
    )  # fmt: skip
    await consumer.start()
    try:
        tp = TopicPartition(topic, partition)
        await consumer._client.add_topic(topic)
        if partition not in (consumer.partitions_for_topic(topic) or ()):
            raise LookupError(f"there is no partition {topic}[{partition}]. Check the name.")
        consumer.assign([tp])
        begin = (await consumer.beginning_offsets([tp]))[tp]
        end = (await consumer.end_offsets([tp]))[tp]
        if not begin <= offset < end:
            raise LookupError(
                f"{topic}[{partition}] holds offsets {begin} to {end - 1}; got {offset}."
            )
        consumer.seek(tp, offset)
        fetcher = consumer._fetcher
        async with asyncio.timeout(_PATIENCE_S):
            while await consumer.position(tp) <= offset:
                with fetcher._subscriptions.fetch_context():
                    found = await bulk.fetched_records(fetcher, [tp], 0.5, 1)
                for one in found.get(tp, []):
                    if type(one) is Unread and one.offset <= offset:
                        return one
        return None
    finally:
        await consumer.stop()


def poll_readable(
    consumer: Any,
    kafka: Mapping[str, object],
    parts: Iterable[Any],
    timeout_ms: int,
    on_unread: OnUnread,
) -> dict[Any, list[Any]]:
    """What kafka-python's `poll` gives; of a batch that it cannot read `on_unread` is told.

    If that returns, reading goes on behind the batch.
    """
    try:
        polled: dict[Any, list[Any]] = consumer.poll(timeout_ms=timeout_ms)
        return polled
    except Exception as error:
        kinds = (CorruptRecordError, UnsupportedCodecError)
        if isinstance(error, KafkaError) and not isinstance(error, kinds):
            raise
        passed = False
        for part in parts:
            at = consumer.position(part)
            try:
                unread = find_unread(kafka, part.topic, part.partition, at)
            except LookupError:  # at its end
                continue
            if unread is not None:
                on_unread(part.topic, part.partition, unread)
                consumer.seek(part, unread.last + 1)
                passed = True
        if not passed:
            raise
        return {}
