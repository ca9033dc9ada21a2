"""The thread that fetches: aiokafka's consumer with our settings, read without an object a record.

It uses internals of Faust and aiokafka; `version_check` and `batch_fetch.check_aiokafka` compare
their versions.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.contracts.unread import Unread
from stream.kafka import batch_fetch

__all__ = ["ConsumerThread", "with_place"]

#: How long a broker may hold a fetch back to gather data: adds to the delay of a quiet stream.
FETCH_WAIT_MS: Final = 200


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Builds the aiokafka consumer itself: Faust fixes a fetch wait of 1.5 s."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        batch_fetch.use_bounded_codecs()
        return aiokafka.AIOKafkaConsumer(
            **{"client_id": conf.broker_client_id, **transport.connection},
            group_id=conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            # Aborted transactions of a producer are not events.
            isolation_level="read_committed",
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
        )

    async def on_thread_stop(self) -> None:
        """Stop; aiokafka's fetcher passes on that its own task was cancelled."""
        with contextlib.suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:
        """What Faust's does, with records as aiokafka's C code makes them."""
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            return await batch_fetch.fetched_records(
                fetcher, active_partitions, timeout or 0.0, max_records or 1
            )


def with_place(tp: TP, record: Any) -> Any:
    """A record as Faust makes its message of, from one that does not know its partition."""
    if isinstance(record, ConsumerRecord):
        return record
    if isinstance(record, Unread):
        nothing = (None, None, None, -1, -1, ())
        return ConsumerRecord(*tp, record.offset, record.timestamp, 0, *nothing)
    return ConsumerRecord(
        tp.topic,
        tp.partition,
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value,
        record.checksum,
        -1,
        -1,
        tuple(record.headers),
    )
