"""Faust fed by batches: one message a partition and poll, and only safe offsets committed.

Faust waits for four futures a message, which costs more than all our work on an event. Here its
consumer hands over whole polls: a message's value is the list of raw records of one partition.
Faust's own acknowledgement is switched off, because neither stage acknowledges by message:
`safe[tp]` holds the only offset that may be committed (a chunk's start, a snapshot's fence).

This stands on internals of Faust, which `version_check` compares with what it was written against.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from stream.contracts.unread import Unread
from stream.decode.record import offset_after
from stream.kafka.batch_fetch import check_aiokafka
from stream.kafka.until_available import retry_until_available
from stream.worker.faust.consumer_thread import ConsumerThread, with_place
from stream.worker.faust.held_bytes import HeldBytes
from stream.worker.faust.partition_listener import PartitionListener
from stream.worker.faust.version_check import check_faust
from stream.worker.partition_stop import (
    PartitionStop,
    as_skipped,
    log_deleted_offsets,
    log_holes,
    stop_at_shorter_log,
    stop_at_unreadable,
)

__all__ = ["BatchConsumer", "BatchTransport"]

log = logging.getLogger(__name__)
#: A revocation that takes longer holds up the whole group.
REVOKE_TIMEOUT_S: Final = 2.0


class BatchConsumer(driver.Consumer):  # type: ignore[misc]
    """A Faust consumer that yields one message a partition and poll.

    Attributes
    ----------
    safe : dict of TP to int
        The next offset to commit; nothing else is ever committed.
    expected : dict of TP to int
        The offset the next batch must begin with.
    stopped : dict of TP to PartitionStop
        Partitions that are not read any more, and why.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.listener: PartitionListener = self.transport.listener
        self.safe: dict[TP, int] = {}
        self.expected: dict[TP, int] = {}
        self.stopped: dict[TP, PartitionStop] = {}
        self.ends: dict[TP, int] = {}  # log ends at the assignment
        self.joined = False
        self.gaps: Counter[str] = Counter()
        self.polls = self.reseeks = 0  # begun; what the one before brought was handed over
        self._sought_again: dict[TP, int] = {}
        self._read_again: dict[TP, int] = {}
        self._held_bytes = HeldBytes()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # ---- reading

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Yield what one poll brought: (partition, message whose value is its records)."""
        self.polls += 1
        await self._held_bytes.room(lambda: self.should_stop)
        records, _ = await self._wait_next_records(timeout)
        if records is None or self.should_stop:
            return
        for found in records.values():
            self._held_bytes.note(found)
        for aiokafka_tp, found in records.items():
            if not self.flow_active:
                return
            tp = TP(aiokafka_tp.topic, aiokafka_tp.partition)
            batch = await self._in_order(tp, found)
            if not batch:
                continue
            self.gaps[tp.topic] += log_holes(tp, found)
            if type(batch[-1]) is Unread and not (batch := await self._judged(tp, batch)):
                continue
            self.expected[tp] = offset_after(batch[-1])
            message = self._to_message(tp, with_place(tp, batch[0]))
            message.value = batch
            self._read_offset[tp] = None  # switches off Faust's own looking for gaps
            yield tp, message

    async def _in_order(self, tp: TP, batch: list[Any]) -> list[Any]:
        """Return the batch if it begins where the last one ended, or what of it is to be used.

        A fetch that is in flight across a rebalance loses its records; a partition is therefore
        sought again once, and only a gap that is still there is one of the log.
        """
        expected = self.expected.get(tp)
        if expected is None or tp in self.stopped:
            return []
        first = batch[0].offset
        if first == expected:
            return batch
        if first > expected:
            if self._sought_again.get(tp) != expected:
                self.reseeks += 1
                self._sought_again[tp] = expected
                await self._seek(tp, expected)
                return []
            await self.pass_cut(tp, expected)
            return batch
        end = (await retry_until_available(lambda: self.fresh_ends([tp])))[tp]
        if end < expected:
            self.stop_partition(tp, expected, end)
            return []
        rest = [record for record in batch if record.offset >= expected]
        if not rest:
            await self._seek(tp, expected)
        return rest

    async def _judged(self, tp: TP, batch: list[Any]) -> list[Any]:
        """What is handed over of a run that ends with a batch that cannot be read."""
        readable, unread = batch[:-1], batch[-1]
        events = tp.topic not in self.listener.inner
        if (told := as_skipped(tp, unread, self.listener.skips, events=events)) is not None:
            log.warning("%s[%d]: passed over %s: %s (%s)", *tp, told, told.reason, told.error)
            if told.last != unread.last:
                await self._seek(tp, told.last + 1)
            return [*readable, told]
        if self._read_again.get(tp) != unread.offset:  # the network's damage is not there twice
            self._read_again[tp] = unread.offset
            await self._seek(tp, unread.offset)
        else:
            self._stop(tp, stop_at_unreadable(tp, unread))
        return readable

    async def apply_skips(self) -> None:
        """Read on where a batch is to be passed over by now."""
        for tp, stop in list(self.stopped.items()):
            if stop.unread and self.listener.skips.find(tp.topic, tp.partition, stop.unread):
                del self.stopped[tp]
                await self.move(tp, stop.offset)
                self.resume_partitions([tp])

    async def pass_cut(self, tp: TP, expected: int) -> bool:
        """Go on where the log begins, if retention has cut what is expected: that is counted."""
        begin = (await retry_until_available(lambda: self.earliest_offsets(tp)))[tp]
        if begin <= expected or self.expected.get(tp) != expected:
            return False
        self.gaps[tp.topic] += 1
        self.expected[tp] = begin
        log_deleted_offsets(tp, expected, begin - 1)
        return True

    # ---- positions

    async def perform_seek(self) -> None:
        """Go to the committed offsets, or the log's start; Faust calls it after an assignment."""
        await retry_until_available(self._go_to_start)

    async def _go_to_start(self) -> None:
        partitions = [TP(tp.topic, tp.partition) for tp in self.assignment()]
        if not partitions:
            return
        committed = {
            TP(tp.topic, tp.partition): offset
            for tp, offset in (await self.seek_to_committed()).items()
        }
        without = [tp for tp in partitions if committed.get(tp) is None]
        starts = await self.earliest_offsets(*without) if without else {}
        begins = {TP(tp.topic, tp.partition): offset for tp, offset in starts.items()}
        ends = await self.fresh_ends(partitions)
        self.ends.update(ends)
        positions: dict[TP, int] = {}
        for tp in partitions:
            position = begins.get(tp, 0) if (known := committed.get(tp)) is None else known
            if ends[tp] < position:
                self.stop_partition(tp, position, ends[tp])
                continue
            await self._seek(tp, position)
            positions[tp] = position
        self._committed_offset.update({tp: committed.get(tp) for tp in partitions})
        self._read_offset.update(dict.fromkeys(partitions))
        self.expected.update(positions)
        await self.listener.assigned(positions)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Note that the group has taken us in, be it without any partition."""
        await super().on_partitions_assigned(assigned, generation_id)
        self.joined = True

    def end(self, tp: TP) -> int | None:
        """The log's end as last heard of, without asking; None if the partition is not ours."""
        try:
            heard = self.highwater(tp)
        except Exception:  # revoked a moment ago, in the consumer's thread
            return None
        return heard if heard is not None else self.ends.get(tp)

    async def _seek(self, partition: TP, offset: int) -> None:
        """Seek in the thread that fetches.

        Faust calls aiokafka's `seek` from this one: now and then it takes records away that the
        other is just handing out, which ended a worker with a KeyError.
        """
        await self._thread.call_thread(self._thread.seek, partition, offset)

    async def move(self, tp: TP, offset: int) -> None:
        """Read on from another offset."""
        await self._seek(tp, offset)
        self.expected[tp] = offset

    def stop_partition(self, tp: TP, position: int, end: int) -> None:
        """Read no more of a partition whose log is shorter than what was read of it."""
        self._stop(tp, stop_at_shorter_log(tp, position, end))

    def _stop(self, tp: TP, stop: PartitionStop) -> None:
        log.error("stopped %s", stop.words)
        self.stopped[tp] = stop
        self.pause_partitions([tp])

    async def fresh_ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Log ends as the brokers report them now."""
        found = await self.highwaters(*partitions)
        return {TP(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def still_member(self, tp: TP) -> bool:
        """Whether the group takes a commit from us: a worker that was away does not know it yet."""
        if (
            (offset := self.safe.get(tp)) is None
            or self.app.rebalancing
            or tp not in self.assignment()
        ):
            return False
        return bool(await self._commit({tp: offset})) and tp in self.safe

    # ---- committing

    def ack(self, message: Any) -> bool:
        """Forget the message; offsets are committed by `safe` alone."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> list[TP]:
        return list(self.safe)

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        held = {tp: self.safe[tp] for tp in tps if tp in self.safe}
        return {tp: at for tp, at in held.items() if at != self._committed_offset[tp]}

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust goes by offsets committed lately, and chunks may end hours apart."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is safe, then drop everything: Faust clears its own state first otherwise."""
        self.stop_flow()
        try:
            async with asyncio.timeout(REVOKE_TIMEOUT_S):
                await self.force_commit()  # chunk ends first: a snapshot may take all the time
                await self.listener.closing(revoked)
                await self.force_commit()
        except TimeoutError:
            log.warning("revocation: no time to commit; the rest is read again by its next owner")
        except Exception as error:
            # aiokafka would log it and go on, with our state half dropped.
            await self.crash(error)
        self.listener.revoked(revoked)
        for tp in revoked:
            for held in (
                self.safe,
                self.expected,
                self.stopped,
                self.ends,
                self._sought_again,
                self._read_again,
            ):
                held.pop(tp, None)
        self._buffered_partitions.difference_update(revoked)
        await super().on_partitions_revoked(revoked)


class BatchTransport(driver.Transport):  # type: ignore[misc]
    """Faust's Kafka transport with `BatchConsumer`.

    `urls` and `app` are as Faust gives them, `connection` the arguments of every aiokafka client;
    `listener` is told of partitions that come and go.
    """

    Consumer = BatchConsumer

    def __init__(
        self, urls: list[Any], app: Any, connection: Mapping[str, Any], listener: PartitionListener
    ) -> None:
        check_faust()
        check_aiokafka()
        super().__init__(urls, app)
        self.connection = dict(connection)
        self.listener = listener
