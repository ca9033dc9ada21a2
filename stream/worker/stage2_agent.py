"""Stage 2 as a Faust agent: a `PartitionMonitor` for each partition of the summaries topic.

A partition is held until its state is restored, then read from the snapshot's fence. A snapshot
round (docs/architecture.md, rule 8) is: alert events acknowledged, changed blocks, the manifest
last; then the fence is the offset that may be committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from faust.types import TP

from stream.contracts.alert_event import AlertEvent, encode_alert
from stream.contracts.unread import Unread
from stream.kafka.until_available import retry_until_available
from stream.plans.plan import PlanBook
from stream.stage2.monitor import PartitionMonitor, UnknownPlanError
from stream.stage2.snapshot import SnapshotError, SnapshotWriter
from stream.worker.sender import Outgoing, Sender
from stream.worker.snapshot_store import Snapshots

__all__ = ["MonitorPartition", "Stage2", "SummariesConsumer"]

log = logging.getLogger(__name__)
#: Sealing panes may take a while; heartbeats and the other stage want their turn in between.
_YIELD_EVERY_S: Final = 0.02


class SummariesConsumer(Protocol):
    """What stage 2 needs of the transport's consumer."""

    safe: dict[TP, int]

    async def move(self, tp: TP, offset: int) -> None:
        """Read on from another offset."""

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Where the logs begin."""

    async def fresh_ends(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Log ends as the brokers report them now."""

    def stop_partition(self, tp: TP, position: int, end: int) -> None:
        """Read no more of it: its log is shorter than what was read."""

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        """Hand out nothing of these."""

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Hand out again."""


@dataclass(slots=True)
class MonitorPartition:
    """One assigned partition of the summaries topic."""

    tp: TP
    monitor: PartitionMonitor
    snapshots: Snapshots
    alive: bool = True
    restored: bool = False
    snapshot_s: float = 0.0  # wall clock of the last complete round, for the metrics alone
    alerts: list[asyncio.Future[Any]] = field(default_factory=list)  # not yet acknowledged
    restoring: asyncio.Task[None] | None = None
    round: asyncio.Lock = field(default_factory=asyncio.Lock)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


class Stage2:
    """All partitions of the summaries topic that one worker has.

    Parameters
    ----------
    plans : PlanBook
    plans_current : callable
        Returns when the plans topic has been read to its end as of the call.
    sender : Sender
    connection : mapping
        Arguments of aiokafka's clients.
    alerts, state : str
        Topics.
    log_id : str
        Id of the summaries topic: a snapshot of another one is refused.
    on_alert : callable
        Told of every alert event that is published, for counters.
    crash : callable
        Ends the worker with an error.
    """

    def __init__(
        self,
        plans: PlanBook,
        plans_current: Callable[[], Awaitable[None]],
        sender: Sender,
        connection: Mapping[str, Any],
        *,
        alerts: str,
        state: str,
        log_id: str = "",
        on_alert: Callable[[AlertEvent], None],
        crash: Callable[[BaseException], Awaitable[None]],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.consumer: SummariesConsumer | None = None
        self.parts: dict[TP, MonitorPartition] = {}
        self._plans, self._plans_current = plans, plans_current
        self._sender, self._connection = sender, connection
        self._alerts, self._state, self._log_id = alerts, state, log_id
        self._on_alert, self._crash, self._wall_clock = on_alert, crash, wall_clock

    def assigned(self, partitions: Iterable[TP]) -> None:
        """Hold these partitions and begin to restore them."""
        for tp in partitions:
            assert self.consumer is not None
            self.consumer.pause_partitions([tp])
            # A new name at every assignment: no two writers ever share a key.
            writer = SnapshotWriter(tp.partition, uuid.uuid4().hex[:12], self._log_id)
            part = self.parts[tp] = MonitorPartition(
                tp,
                PartitionMonitor(self._plans),
                Snapshots(self._connection, self._sender, self._state, tp.partition, writer),
            )
            part.restoring = asyncio.create_task(self._restore(part))
            part.restoring.add_done_callback(self._check(part))

    def revoked(self, partitions: Iterable[TP]) -> None:
        """Drop the state; the next owner restores it."""
        for tp in partitions:
            if part := self.parts.pop(tp, None):
                part.alive = False
                if part.restoring is not None:
                    part.restoring.cancel()

    async def closing(self, partitions: Iterable[TP]) -> None:
        """Write a last snapshot, so that the next owner has little to read again."""
        held = [self.parts[tp] for tp in partitions if tp in self.parts]
        await asyncio.gather(*(self.snapshot(part) for part in held))

    def _check(self, part: MonitorPartition) -> Callable[[asyncio.Task[None]], None]:
        def done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and part.alive:
                log.error("%s[%d]: the state could not be restored: %r", *part.tp, error)
                asyncio.ensure_future(self._crash(error))  # noqa: RUF006 - the worker ends with it

        return done

    async def _restore(self, part: MonitorPartition) -> None:
        consumer, tp = self.consumer, part.tp
        assert consumer is not None
        await self._plans_current()  # a snapshot names its plans
        found = await retry_until_available(part.snapshots.find)
        position = -1
        if found is not None:
            try:
                part.monitor.restore(*found)
                position = part.monitor.fence
            except SnapshotError as error:
                log.warning("%s", error)
                part.monitor = PartitionMonitor(self._plans)
        start = (await retry_until_available(lambda: consumer.earliest_offsets(tp)))[tp]
        end = (await retry_until_available(lambda: consumer.fresh_ends([tp])))[tp]
        if not part.alive:
            return
        if position > end:
            consumer.stop_partition(tp, position, end)
            return
        if position < 0:
            position = start
            if start > 0:
                log.warning(
                    "%s[%d]: no snapshot; rebuilding from offset %d to %d. What was before is cut "
                    "off: detectors and episodes begin there",
                    *tp,
                    start,
                    end,
                )
        elif position < start:
            log.error(
                "%s[%d]: the snapshot ends at %d, the log begins at %d: what is between is lost",
                *tp,
                position,
                start,
            )
            position = start
        await consumer.move(tp, position)
        part.restored = True
        consumer.resume_partitions([tp])
        log.info("%s[%d]: restored at %d (log end %d)", *tp, position, end)

    async def consume(self, tp: TP, records: Sequence[Any]) -> None:
        """Apply a batch in order and publish the alert events that follow."""
        part = self.parts.get(tp)
        if part is None or not part.restored:
            return
        until = time.monotonic() + _YIELD_EVERY_S
        for record in records:
            if type(record) is Unread:  # the next one's offset declares the loss
                continue
            try:
                alerts = part.monitor.apply(record.offset, record.value, record.timestamp)
            except UnknownPlanError as error:
                log.info("%s[%d]: waiting for the plans topic: %s", *tp, error)
                await self._plans_current()
                if not part.alive:
                    return
                alerts = part.monitor.apply(
                    record.offset, record.value, record.timestamp, plans_current=True
                )
            self._publish(part, alerts)
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + _YIELD_EVERY_S
            if not part.alive:
                return

    def _publish(self, part: MonitorPartition, alerts: Iterable[AlertEvent]) -> None:
        """Start to send alert events.

        Without an `await`, so that no round comes in between and commits past alerts that it does
        not wait for.
        """
        for alert in alerts:
            out = Outgoing(self._alerts, alert.data.fingerprint.encode(), encode_alert(alert))
            part.alerts.append(asyncio.ensure_future(self._send(part, out)))
            self._on_alert(alert)

    async def _send(self, part: MonitorPartition, out: Outgoing) -> None:
        async with part.sending:  # revisions of an episode stay in order
            ack = await self._sender.send(out)
        await ack

    async def snapshot(self, part: MonitorPartition) -> None:
        """Make one round; nothing if nothing was read since the last one."""
        async with part.round:
            if not (part.alive and part.restored):
                return
            # State and alerts are taken at one instant: what is applied while we wait is of the
            # next round.
            acks, part.alerts = part.alerts, []
            planned = part.monitor.take_round(part.snapshots.writer)
            try:
                await asyncio.gather(*acks)
                if planned is None or not part.alive:
                    return
                await part.snapshots.write(planned)
            except BaseException:
                part.alive = False  # what changed is marked as written: no further round is right
                raise
            if not part.alive:
                return
            if self.consumer is not None:
                self.consumer.safe[part.tp] = planned.fence
            part.snapshot_s = self._wall_clock()
            await part.snapshots.clean_up(planned)

    async def release_idle(self) -> None:
        """Evict the tests of subjects to which nothing happened since the last call."""
        for part in list(self.parts.values()):
            if part.restored and (n := part.monitor.release_idle()):
                log.debug("%s[%d]: tests of %d idle subjects evicted", *part.tp, n)

    async def snapshot_all(self) -> None:
        """Make a round of every partition, one after the other."""
        for part in list(self.parts.values()):
            await self.snapshot(part)
