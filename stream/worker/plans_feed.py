"""The plans topic, read to its end before anything else and followed from then on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.contracts.errors import NotFoundError
from stream.contracts.unread import Unread
from stream.kafka import batch_fetch
from stream.kafka.skips import SkipBook, unread_plans
from stream.kafka.sources import PATIENCE_S
from stream.kafka.until_available import retry_until_available
from stream.plans.parts import PlanAssembler
from stream.plans.plan import PlanBook
from stream.process.retry import Retry

__all__ = ["PlansFeed", "plan_taker"]

log = logging.getLogger(__name__)
_POLL_MS: Final = 500
_PAUSE_S: Final = 0.5
_POLL_RECORDS: Final = 500


class PlansFeed:
    """Feeds a plan book from the plans topic.

    Parameters
    ----------
    connection : mapping
        Arguments of aiokafka's clients.
    topic : str
    take : callable
        Called with (key, value) of every record, in log order; must not raise.
    skips : SkipBook
        Kept up to date from the topic as well.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        topic: str,
        take: Callable[[bytes | None, bytes | None], None],
        skips: SkipBook,
    ) -> None:
        self._connection = dict(connection)
        self._topic = topic
        self._take = take
        self._skips = skips
        self._unread: list[tuple[TopicPartition, Unread]] = []
        self._consumer: Any = None
        self._partitions: list[TopicPartition] = []
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        """Connect, and read the topic to its end as of now."""
        batch_fetch.check_aiokafka()
        batch_fetch.use_bounded_codecs()
        self._consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        self._partitions = [TopicPartition(self._topic, p) for p in await self._find()]
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*self._partitions)
        await self.current()
        if self.unread:
            raise NotFoundError(self.unread)

    async def _find(self) -> list[int]:
        """The topic's partitions; a broker that has just begun may not know it yet."""
        client, retry = self._consumer._client, Retry(_PAUSE_S, within_s=PATIENCE_S)
        # Metadata of a topic comes with the first question about it.
        await client.add_topic(self._topic)
        while not (found := self._consumer.partitions_for_topic(self._topic)):
            if not await retry.sleep_async():
                raise NotFoundError(
                    f"the plans topic {self._topic} does not exist. Create it: "
                    "driftstream topics --create."
                )
            await client.force_metadata_update()
        return sorted(found)

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    @property
    def unread(self) -> str:
        """What of the topic cannot be read and is not skipped, in words; empty if all can be."""
        for tp, unread in self._unread:
            if self._skips.find(tp.topic, tp.partition, unread) is None:
                return unread_plans(tp.topic, tp.partition, unread)
        return ""

    async def current(self) -> None:
        """Return when the topic has been read to its end as of this call."""
        await retry_until_available(self._read_to_end)

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
            fetcher = self._consumer._fetcher
            with fetcher._subscriptions.fetch_context():
                found = await batch_fetch.fetched_records(
                    fetcher, (), _POLL_MS / 1000, _POLL_RECORDS
                )
            for tp, records in found.items():
                for record in records:
                    if type(record) is Unread:
                        log.error("%s[%d]: unread: %s: %s", *tp, record, record.error)
                        self._unread.append((tp, record))
                    elif not self._skips.add(record.key, record.value):
                        self._take(record.key, record.value)


def plan_taker(
    plans: PlanBook, consumed: Callable[[str], bool], pairs: str = ""
) -> Callable[[bytes | None, bytes | None], None]:
    """A `take` that puts plans together and into a book.

    `consumed` says of a topic whether this worker reads it, or will when it has begun; `pairs` is
    the one that joins are read from.
    """
    assembler = PlanAssembler()

    def take(key: bytes | None, value: bytes | None) -> None:
        for plan, effective_from_ms in assembler.add(key, value):
            if plans.add(plan, effective_from_ms):
                log.info("plan %s/%s %s", plan.model, plan.version, plan.hash[:19])
            joined = (plan.outcome_labels, pairs) if plan.join_key else ()
            for topic in (plan.topic, *joined):
                if topic and not consumed(topic):
                    log.warning(
                        "plan %s reads topic %s, which this worker does not consume yet: start "
                        "the workers again",
                        plan.model,
                        topic,
                    )

    return take
