"""A stage whose state is a function of a log: restored from a snapshot, read on, written in rounds.

A partition is held until its state is restored, then read from the snapshot's fence. A snapshot
round (docs/architecture.md, rule 8) is: what was sent acknowledged, changed blocks, the manifest
last; then the fence is the offset that may be committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from faust.types import TP

from stream.contracts.unread import Unread
from stream.kafka.until_available import retry_until_available
from stream.plans.plan import PlanBook
from stream.stage2.monitor import UnknownPlanError
from stream.stage2.snapshot import Manifest, Round, SnapshotError, SnapshotWriter
from stream.worker.sender import Sender
from stream.worker.snapshot_store import Snapshots

__all__ = ["LogConsumer", "RestoredPartition", "RestoredStage"]

log = logging.getLogger(__name__)
#: Sealing panes may take a while; heartbeats and the other stages want their turn in between.
_YIELD_EVERY_S: Final = 0.02


class LogConsumer(Protocol):
    """What such a stage needs of the transport's consumer."""

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


class LogState(Protocol):
    """The pure part of a stage: what is known of one partition's log.

    `fence` is the next offset; records before it are in the state.
    """

    fence: int

    def restore(self, manifest: Manifest, payloads: Mapping[str, bytes]) -> None:
        """Take over the state of a snapshot; raises SnapshotError."""

    def take_round(self, writer: SnapshotWriter) -> Round | None:
        """Plan a snapshot round; None if nothing was read since the last one."""

    def apply(
        self, offset: int, value: bytes | None, timestamp_ms: int, *, plans_current: bool = False
    ) -> Sequence[Any]:
        """Take one record in; what is to be sent because of it."""


S = TypeVar("S", bound=LogState)


@dataclass(slots=True)
class RestoredPartition(Generic[S]):
    """One assigned partition of the log."""

    tp: TP
    monitor: S
    snapshots: Snapshots
    alive: bool = True
    restored: bool = False
    snapshot_s: float = 0.0  # wall clock of the last complete round, for the metrics alone
    sent: list[asyncio.Future[Any]] = field(default_factory=list)  # not yet acknowledged
    restoring: asyncio.Task[None] | None = None
    round: asyncio.Lock = field(default_factory=asyncio.Lock)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


class RestoredStage(ABC, Generic[S]):
    """All partitions of one log that one worker has.

    Parameters
    ----------
    plans : PlanBook
    plans_current : callable
        Returns when the plans topic has been read to its end as of the call.
    sender : Sender
    connection : mapping
        Arguments of aiokafka's clients.
    state : str
        Topic of the snapshots.
    log_id : str
        Id of the log's topic: a snapshot of another one is refused.
    crash : callable
        Ends the worker with an error.
    """

    #: What begins anew where neither a snapshot nor the whole log is there.
    begins: str

    def __init__(
        self,
        plans: PlanBook,
        plans_current: Callable[[], Awaitable[None]],
        sender: Sender,
        connection: Mapping[str, Any],
        *,
        state: str,
        log_id: str,
        crash: Callable[[BaseException], Awaitable[None]],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.consumer: LogConsumer | None = None
        self.parts: dict[TP, RestoredPartition[S]] = {}
        self._plans, self._plans_current = plans, plans_current
        self._sender, self._connection = sender, connection
        self._state, self._log_id = state, log_id
        self._crash, self._wall_clock = crash, wall_clock

    @abstractmethod
    def _begin(self, tp: TP) -> S:
        """An empty state of a partition."""

    @abstractmethod
    async def _publish(self, part: RestoredPartition[S], out: Sequence[Any]) -> None:
        """Start to send what came of a record, and note it in `sent` before anything is awaited.

        No round may come in between and commit past what it does not wait for.
        """

    def assigned(self, partitions: Iterable[TP]) -> None:
        """Hold these partitions and begin to restore them."""
        for tp in partitions:
            assert self.consumer is not None
            self.consumer.pause_partitions([tp])
            # A new name at every assignment: no two writers ever share a key.
            writer = SnapshotWriter(tp.partition, uuid.uuid4().hex[:12], self._log_id)
            part = self.parts[tp] = RestoredPartition(
                tp,
                self._begin(tp),
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

    def _check(self, part: RestoredPartition[S]) -> Callable[[asyncio.Task[None]], None]:
        def done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and part.alive:
                log.error("%s[%d]: the state could not be restored: %r", *part.tp, error)
                asyncio.ensure_future(self._crash(error))  # noqa: RUF006 - the worker ends with it

        return done

    async def _restore(self, part: RestoredPartition[S]) -> None:
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
                part.monitor = self._begin(tp)
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
                    "off: %s begin there",
                    *tp,
                    start,
                    end,
                    self.begins,
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
        """Apply a batch in order and publish what follows."""
        part = self.parts.get(tp)
        if part is None or not part.restored:
            return
        until = time.monotonic() + _YIELD_EVERY_S
        for record in records:
            if type(record) is Unread:  # the next one's offset declares the loss
                continue
            try:
                out = part.monitor.apply(record.offset, record.value, record.timestamp)
            except UnknownPlanError as error:
                log.info("%s[%d]: waiting for the plans topic: %s", *tp, error)
                await self._plans_current()
                if not part.alive:
                    return
                out = part.monitor.apply(
                    record.offset, record.value, record.timestamp, plans_current=True
                )
            if out:
                await self._publish(part, out)
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + _YIELD_EVERY_S
            if not part.alive:
                return

    async def snapshot(self, part: RestoredPartition[S]) -> None:
        """Make one round; nothing if nothing was read since the last one."""
        async with part.round:
            if not (part.alive and part.restored):
                return
            # State and what was sent are taken at one instant: what is applied while we wait is of
            # the next round.
            acks, part.sent = part.sent, []
            planning = self._take_round(part)
            try:
                planned = await planning
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

    def _take_round(self, part: RestoredPartition[S]) -> Awaitable[Round | None]:
        """Take the state now; the round that it makes may take longer."""
        taken: asyncio.Future[Round | None] = asyncio.get_running_loop().create_future()
        taken.set_result(part.monitor.take_round(part.snapshots.writer))
        return taken

    async def snapshot_all(self) -> None:
        """Make a round of every partition, one after the other."""
        for part in list(self.parts.values()):
            await self.snapshot(part)
