"""The alerts topic, read for the page: acknowledgements, and episodes of before this worker began.

Nothing that is decided depends on it: a worker without the right to read it goes on, and its page
says what is missing there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.contracts.acks import Ack, decode_alert_or_ack
from stream.contracts.alert_event import AlertError, AlertEvent
from stream.contracts.errors import NotFoundError
from stream.contracts.unread import Unread
from stream.kafka import batch_fetch
from stream.kafka.rights import check_rights
from stream.process.retry import Retry

__all__ = ["AlertsFeed"]

log = logging.getLogger(__name__)
#: So many records of each partition are read back at the start.
_MAX_BACK: Final = 5_000
_POLL_S: Final = 1.0
_POLL_RECORDS: Final = 200
#: Between two tries where it cannot be read.
_PAUSE_S: Final = 30.0


class AlertsFeed:
    """Takes in what the alerts topic tells.

    Parameters
    ----------
    kafka, connection : mapping
        Settings of the config, and the same as arguments of aiokafka's clients.
    topic : str
    take : callable
        Called with every alert and ack, in log order; must not raise.

    Attributes
    ----------
    unread : str
        Why it is not read, in words; empty while it is.
    lost : int
        Records that were passed over since reading began: not readable, or no alerts.
    """

    def __init__(
        self,
        kafka: Mapping[str, object],
        connection: Mapping[str, Any],
        topic: str,
        take: Callable[[AlertEvent | Ack], None],
    ) -> None:
        self._kafka, self._connection = kafka, dict(connection)
        self._topic, self._take = topic, take
        self.unread = "not read yet"
        self.lost = 0

    async def follow(self) -> None:
        """Read for ever, whatever happens."""
        retry = Retry(_PAUSE_S)
        while True:
            try:
                await self._read()
            except Exception as error:
                words = str(error) or type(error).__name__
                if words != self.unread:
                    log.warning("%s is not read for the page: %s", self._topic, words)
                self.unread = words
            await retry.sleep_async()

    async def _read(self) -> None:
        await asyncio.to_thread(check_rights, self._kafka, {self._topic: ("READ",)})
        batch_fetch.use_bounded_codecs()
        consumer = AIOKafkaConsumer(
            **self._connection, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            await consumer._client.add_topic(self._topic)
            parts = [
                TopicPartition(self._topic, p)
                for p in sorted(consumer.partitions_for_topic(self._topic) or ())
            ]
            if not parts:
                raise NotFoundError(f"there is no topic {self._topic} yet")
            consumer.assign(parts)
            begin = await consumer.beginning_offsets(parts)
            end = await consumer.end_offsets(parts)
            for tp in parts:
                consumer.seek(tp, max(begin[tp], end[tp] - _MAX_BACK))
            self.unread, self.lost = "", 0
            while True:
                await self._poll(consumer._fetcher)
        finally:
            await consumer.stop()

    async def _poll(self, fetcher: Any) -> None:
        with fetcher._subscriptions.fetch_context():
            found = await batch_fetch.fetched_records(fetcher, (), _POLL_S, _POLL_RECORDS)
        for tp, records in found.items():
            for record in records:
                if type(record) is Unread:
                    self.lost += record.last - record.offset + 1
                    log.warning("%s[%d]: unread: %s: %s", *tp, record, record.error)
                elif record.value is not None:
                    try:
                        self._take(decode_alert_or_ack(record.value))
                    except AlertError as error:
                        self.lost += 1
                        log.warning("%s[%d]@%d: passed over: %s", *tp, record.offset, error)
        await asyncio.sleep(0)
