"""The join as a Faust agent: a `PartitionJoin` for each partition of the pairs topic.

What a record settles is sent before the next record is read: its summaries, all acknowledged, then
its words to every partition of the summaries topic.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

from faust.types import TP

from stream.join.partition import JoinFlush, PartitionJoin
from stream.stage2.snapshot import Round
from stream.worker.restored_stage import RestoredPartition, RestoredStage
from stream.worker.sender import Outgoing, partition_of

__all__ = ["JoinPartition", "JoinStage"]

JoinPartition: TypeAlias = RestoredPartition[PartitionJoin]
#: State is written whole, so a round comes the later the more there is: at most so much is written
#: in an interval between rounds.
_BYTES_AN_INTERVAL: Final = 8 * 2**20


class JoinStage(RestoredStage[PartitionJoin]):
    """All partitions of the pairs topic that one worker has.

    Parameters
    ----------
    n_partitions : int
        Of the pairs topic.
    summaries, n_summaries
        The summaries topic, and how many partitions it has.
    interval_s : float
        Between two rounds of a small state.
    **others
        As of `RestoredStage`.
    """

    begins = "joins of labels"

    def __init__(
        self,
        *common: Any,
        n_partitions: int,
        summaries: str,
        n_summaries: int,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
        **others: Any,
    ) -> None:
        super().__init__(*common, **others)
        self._n_partitions = n_partitions
        self._summaries, self._n_summaries = summaries, n_summaries
        self._interval_s, self._clock = interval_s, clock
        self._due_s: dict[TP, float] = {}

    def _begin(self, tp: TP) -> PartitionJoin:
        return PartitionJoin(self._plans, self._log_id, tp.partition, self._n_partitions)

    async def _publish(self, part: JoinPartition, out: Sequence[JoinFlush]) -> None:
        task = asyncio.ensure_future(self._send(part, out))
        part.sent.append(task)
        await asyncio.shield(task)
        if task in part.sent:  # no round waits for it
            part.sent.remove(task)

    async def _send(self, part: JoinPartition, out: Sequence[JoinFlush]) -> None:
        async with part.sending:
            await self._send_in_order(part, out)

    async def _send_in_order(self, part: JoinPartition, out: Sequence[JoinFlush]) -> None:
        for flush in out:
            await self._sender.deliver(
                Outgoing(self._summaries, key, value, partition_of(key, self._n_summaries))
                for key, value in flush.summaries
            )
            if not part.alive:
                return
            await self._sender.deliver(
                Outgoing(self._summaries, None, word, partition)
                for word in flush.words
                for partition in range(self._n_summaries)
            )

    def _take_round(self, part: JoinPartition) -> Awaitable[Round | None]:
        """As of others; what may be hundreds of megabytes is compressed in a thread."""
        fence, taken = part.monitor.fence, part.monitor.take_blocks()
        plan = part.snapshots.writer.plan
        return asyncio.to_thread(lambda: None if taken is None else plan(fence, *taken))

    async def snapshot_all(self) -> None:
        """Make a round of every partition whose state is small enough, or old enough."""
        for tp, part in list(self.parts.items()):
            if self._clock() < self._due_s.get(tp, 0.0):
                continue
            intervals = part.monitor.nbytes / _BYTES_AN_INTERVAL
            self._due_s[tp] = self._clock() + self._interval_s * intervals
            await self.snapshot(part)
