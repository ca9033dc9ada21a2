"""The plans topic, read to its end before anything else and followed from then on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.kafka.connection import patiently
from stream.kafka.sources import PATIENCE_S

__all__ = ["PlansFeed"]

log = logging.getLogger(__name__)
_POLL_MS: Final = 500
_AGAIN_S: Final = 0.5


class PlansFeed:
    """Feeds a plan book from the plans topic.

    Parameters
    ----------
    connection : mapping
        Arguments of aiokafka's clients.
    topic : str
    take : callable
        Called with (key, value) of every record, in log order; must not raise.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        take: Callable[[bytes | None, bytes | None], None],
    ) -> None:
        self._connection = dict(connection)
        self._topic = topic
        self._take = take
        self._consumer: Any = None
        self._partitions: list[TopicPartition] = []
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Connect, and read the topic to its end as of now."""
        self._consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        self._partitions = [TopicPartition(self._topic, p) for p in await self._find()]
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)
        await self.current()

    async def _find(self) -> list[int]:
        """The topic's partitions; a broker that has just begun may not know it yet."""
        client, end = self._consumer._client, time.monotonic() + PATIENCE_S
        # Metadata of a topic comes with the first question about it.
        await client.add_topic(self._topic)
        while not (found := self._consumer.partitions_for_topic(self._topic)):
            if time.monotonic() >= end:
                raise LookupError(
                    f"the plans topic {self._topic} does not exist. Create it: "
                    "driftstream topics --create."
                )
            await asyncio.sleep(_AGAIN_S)
            await client.force_metadata_update()
        return sorted(found)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def current(self) -> None:
        """Return when the topic has been read to its end as of this call."""
        await patiently(self._read_to_end)

    async def _read_to_end(self) -> None:
        ends = await self._consumer.end_offsets(self._partitions)
        while not await self._has_reached(ends):
            await self._poll()

    async def follow(self) -> None:
        """Read on, for ever."""
        while True:
            await self._poll()

    async def _has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        async with self._reading:
            return all([await self._consumer.position(tp) >= ends[tp] for tp in self._partitions])

    async def _poll(self) -> None:
        """Take in what there is. One at a time: a record counts as read when it was taken in."""
        async with self._reading:
            found = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for records in found.values():
                for record in records:
                    self._take(record.key, record.value)
