"""The state topic: one partition for each of the summaries topic, read at assignment to its end.

It is a plain compacted topic and not a Faust table: a table is recovered before any partition may
flow, its changelog cannot be written as a round that becomes valid at its last record, and its
store would be a second copy of what the monitors hold.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.contracts.unread import Unread
from stream.kafka import batch_fetch
from stream.stage2.snapshot import Manifest, Round, SnapshotWriter, stored_rounds
from stream.worker.sender import Outgoing, Sender

__all__ = ["Snapshots", "read_partition"]

log = logging.getLogger(__name__)
_AT_ONCE = 500


async def read_partition(
    connection: Mapping[str, Any], topic: str, partition: int
) -> dict[bytes, bytes | None]:
    """The newest value of each key of one partition as of now; None where it was deleted.

    Older ones are let go at once: what is not compacted yet may be many times the state. A batch
    that cannot be read is as if it were not there: snapshots that need it are not used then.
    """
    batch_fetch.use_bounded_codecs()
    consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False, auto_offset_reset="none")
    try:
        await consumer.start()
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        await consumer.seek_to_beginning(tp)
        newest: dict[bytes, bytes | None] = {}
        # Compaction may have removed the last records, so the position is asked, not the offsets.
        while await consumer.position(tp) < end:
            fetcher = consumer._fetcher
            with fetcher._subscriptions.fetch_context():
                found = (await batch_fetch.fetched_records(fetcher, [tp], 0.5, _AT_ONCE)).get(
                    tp, []
                )
            if found and type(found[-1]) is Unread:
                lost = found.pop()
                log.error("%s[%d]: unread: %s: %s", topic, partition, lost, lost.error)
            newest.update((r.key, r.value) for r in found if r.key is not None)
        return newest
    finally:
        await consumer.stop()


@dataclass
class Snapshots:
    """Writes the rounds of one writer for one partition, and finds the round to begin with.

    `foreign` are keys of other writers that hold a value: they are deleted after our own first
    complete round, not before, because until then one of theirs may be the only complete one.
    """

    connection: Mapping[str, Any]
    sender: Sender
    topic: str
    partition: int
    writer: SnapshotWriter
    foreign: set[bytes] = field(default_factory=set)

    async def find(self) -> tuple[Manifest, dict[str, bytes]] | None:
        """The complete snapshot with the highest fence, by whichever writer."""
        present = await read_partition(self.connection, self.topic, self.partition)
        self.foreign = {
            key for key, value in present.items() if value is not None and not self.writer.owns(key)
        }
        rounds = stored_rounds(self.partition, present.items(), self.writer.log_id)
        found = next((r for r in rounds if r.manifest is not None and not r.fault), None)
        for unusable in rounds:
            if unusable is found:
                break  # what is older than the one that is taken does not matter
            log.warning(
                "%s[%d] %s is not used: %s",
                self.topic,
                self.partition,
                unusable.key.decode(errors="replace"),
                unusable.fault,
            )
        if found is None and self.foreign:
            log.warning(
                "%s[%d] has %d records but no complete snapshot that this version can read: the "
                "state is rebuilt from the log, as far back as that reaches",
                self.topic,
                self.partition,
                len(self.foreign),
            )
        if found is None or found.manifest is None:
            return None
        return found.manifest, found.payloads

    async def write(self, planned: Round) -> None:
        """Deliver a round: its blocks, and when all have arrived, the manifest."""
        await self.sender.deliver(self._record(key, value) for key, value in planned.blocks)
        await self.sender.deliver([self._record(*planned.manifest)])

    async def clean_up(self, planned: Round) -> None:
        """After a complete round: delete the keys that nobody needs any more."""
        gone = [*self.writer.done(planned), *self.foreign]
        self.foreign = set()
        await self.sender.deliver(self._record(key, None) for key in gone)

    def _record(self, key: bytes, value: bytes | None) -> Outgoing:
        return Outgoing(self.topic, key, value, self.partition)
