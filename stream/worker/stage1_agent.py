"""Stage 1 as a Faust agent: source partitions in, summaries and progress out.

The order of deliveries is the protocol (docs/architecture.md, rule 3): dead letters, summaries, and
rows where labels are joined, all acknowledged; then progress to every partition of the summaries
topic and of the pairs topic, all acknowledged; then, if the flush ended a chunk, its end is safe to
commit; only then the next flush.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.contracts.summary_message import Idle, Source, encode_message
from stream.decode.record import offset_after
from stream.join.pair_writer import PairWriter
from stream.plans.plan import PlanBook
from stream.stage1.stats import Stage1Stats
from stream.stage1.summarise import Decoder, Flush, Summariser
from stream.stage1.truth_delays import TruthDelays
from stream.worker.dead_letter import dead_letter
from stream.worker.read_progress import Positions, ReadProgress
from stream.worker.sender import Outgoing, Sender, partition_of

__all__ = ["SourcePartition", "Stage1"]

log = logging.getLogger(__name__)
#: One flush under way and one waiting: more would only hold memory while the broker is slow.
_FLUSHES: Final = 2


@dataclass(slots=True)
class SourcePartition:
    """One assigned source partition."""

    tp: TP
    summariser: Summariser
    next_offset: int
    last_word: float  # monotonic: when data came, or idleness was last looked at
    progress: ReadProgress
    pairs: PairWriter | None = None
    alive: bool = True
    idle: bool = False
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_FLUSHES))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def waiting(self) -> bool:
        """Whether anything is still being sent."""
        return bool(self.tasks)

    def end(self) -> None:
        """Publish nothing more: the partition is somebody else's."""
        self.alive = False
        for task in self.tasks:
            task.cancel()


class Stage1:
    """All source partitions of one worker.

    Parameters
    ----------
    plans, decoder
        As the `Summariser` takes them.
    sender : Sender
    sources : mapping of topic to (topic id, number of partitions)
        Shared and refreshed by the worker.
    summaries, dead_letters, pairs : str
        Topics.
    n_pairs : int
        Partitions of the pairs topic; 0 if nothing is joined.
    formats : mapping of topic to decoder, optional
        Of topics that `decoder` is not for.
    dead_letter_values : bool
        Whether dead letters hold the original bytes.
    crash : callable
        Ends the worker with an error; a delivery that failed must never be skipped.
    """

    def __init__(
        self,
        plans: PlanBook,
        decoder: Decoder,
        sender: Sender,
        sources: Mapping[str, tuple[str, int]],
        *,
        summaries: str,
        n_summaries: int,
        dead_letters: str,
        pairs: str = "",
        n_pairs: int = 0,
        formats: Mapping[str, Decoder] | None = None,
        dead_letter_values: bool = True,
        idle_after_s: float,
        crash: Callable[[BaseException], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.consumer: Positions | None = None
        self.parts: dict[TP, SourcePartition] = {}
        self.retired = Stage1Stats()  # counters of the partitions that were given up
        self._plans, self._decoder, self._sender, self._sources = plans, decoder, sender, sources
        self._summaries, self._n_summaries = summaries, n_summaries
        self._pairs, self._n_pairs = pairs, n_pairs
        self._dead_letters, self._dead_letter_values = dead_letters, dead_letter_values
        self._idle_after_s = idle_after_s
        self._formats = formats or {}
        self._crash = crash
        self._clock = clock

    def assigned(self, positions: Mapping[TP, int]) -> None:
        """Begin a chunk at each position."""
        for tp, offset in positions.items():
            topic_id, n_partitions = self._sources[tp.topic]
            source = Source(topic_id, tp.topic, tp.partition, n_partitions)
            decoder = self._formats.get(tp.topic, self._decoder)
            pairs = PairWriter(source, self._plans, self._n_pairs) if self._n_pairs else None
            summariser = Summariser(
                source,
                self._plans,
                decoder,
                on_counted=None if pairs is None else pairs.counted,
                on_labels=None if pairs is None else pairs.labelled,
            )
            if pairs is not None:
                summariser.stats.unjoinable = pairs.unjoinable
            self.parts[tp] = SourcePartition(
                tp, summariser, offset, self._clock(), ReadProgress(tp), pairs
            )
            assert self.consumer is not None
            self.consumer.safe[tp] = offset
            log.info("%s[%d]: first chunk at %d", *tp, offset)

    def revoked(self, partitions: Iterable[TP]) -> None:
        """Drop the open chunks; their next owner reads them again."""
        for tp in partitions:
            if part := self.parts.pop(tp, None):
                part.end()
                _add_stats(self.retired, part.summariser.stats)

    async def consume(self, tp: TP, records: Sequence[Any]) -> None:
        """Count a batch, and queue what is to be sent; waits while too much is queued."""
        part = self.parts.get(tp)
        if part is None or not part.alive:
            return
        if records[0].offset < part.next_offset:  # of an assignment before this one
            return
        part.idle = False
        part.last_word = self._clock()
        part.next_offset = offset_after(records[-1])
        for flush in part.summariser.add(records):
            await self._queue(part, flush)

    async def _queue(self, part: SourcePartition, flush: Flush) -> None:
        await part.room.acquire()
        if not part.alive:
            return
        rows: list[tuple[int, bytes]] = []
        read = None
        if part.pairs is not None:
            rows, read = part.pairs.flush(flush.read, flush.came_ms)
        task = asyncio.create_task(self._publish(part, flush, rows, read))
        part.tasks.add(task)
        task.add_done_callback(lambda done: self._published(part, done))

    def _published(self, part: SourcePartition, task: asyncio.Task[None]) -> None:
        part.tasks.discard(task)
        part.room.release()
        error = None if task.cancelled() else task.exception()
        if error is not None and part.alive:
            log.error("%s[%d]: a flush was not delivered: %r", *part.tp, error)
            asyncio.ensure_future(self._crash(error))  # noqa: RUF006 - the worker ends with it

    async def _publish(
        self,
        part: SourcePartition,
        flush: Flush,
        rows: Iterable[tuple[int, bytes]],
        read: bytes | None,
    ) -> None:
        """Deliver one flush in its order.

        What is handed over stays handed over when the partition is lost meanwhile: the summary of
        a zombie is the same as, or older than, that of its successor.
        """
        async with part.turn:
            letters = (
                dead_letter(
                    self._dead_letters, part.tp, record, reject, values=self._dead_letter_values
                )
                for record, reject in flush.rejects
            )
            summaries = (
                Outgoing(self._summaries, key, value, partition_of(key, self._n_summaries))
                for key, value in flush.summaries
            )
            pairs = (Outgoing(self._pairs, None, value, partition) for partition, value in rows)
            await self._sender.deliver((*letters, *summaries, *pairs))
            if not part.alive:
                return
            await self._to_all(flush.progress)
            if read is not None:
                await self._to_all_pairs(read)
            if part.alive and flush.commit is not None and self.consumer is not None:
                self.consumer.safe[part.tp] = flush.commit

    async def _to_all(self, value: bytes) -> None:
        await self._sender.deliver(
            Outgoing(self._summaries, None, value, partition)
            for partition in range(self._n_summaries)
        )

    async def _to_all_pairs(self, value: bytes) -> None:
        await self._sender.deliver(
            Outgoing(self._pairs, None, value, partition) for partition in range(self._n_pairs)
        )

    async def release_idle(self) -> None:
        """Forget decoders that nothing has used since the last call."""
        if n := self._decoder.release_idle():
            log.debug("%d idle subjects: decoders forgotten", n)

    async def flush_idle_partitions(self) -> None:
        """Say of silent partitions that they are; to be called about once a second."""
        now = self._clock()
        silent = [
            part
            for part in self.parts.values()
            if part.alive and not part.waiting and now - part.last_word >= self._idle_after_s
        ]
        if not silent or self.consumer is None:
            return
        try:
            ends = await self._ends(silent)
            for part in silent:
                part.last_word = now
                if await self._is_caught_up(part, ends[part.tp]):
                    await self._say_idle(part, ends[part.tp])
        except KafkaError as error:  # an outage: whether they are silent is not known
            log.warning("log ends could not be looked at: %r", error)

    async def _ends(self, parts: Sequence[SourcePartition]) -> dict[TP, int]:
        """Where each partition ends for us: its log's end, or where it was stopped.

        A stopped partition counts as silent: those beside it would otherwise wait for it with every
        pane, and all models be blind for one batch.
        """
        consumer = self.consumer
        assert consumer is not None
        ends = await consumer.fresh_ends([part.tp for part in parts])
        return ends | {part.tp: part.next_offset for part in parts if part.tp in consumer.stopped}

    async def _is_caught_up(self, part: SourcePartition, end: int) -> bool:
        """Whether a member of the group has read the partition to its end."""
        consumer = self.consumer
        if consumer is None or not part.alive:
            return False
        before = part.next_offset
        read = await part.progress.is_read(consumer, end, before)
        if read is None:
            part.last_word -= self._idle_after_s  # look again soon
        if not read:
            return False
        # Where retention cut what was not read, no chunk can begin before that any more.
        part.next_offset = consumer.expected.get(part.tp, before)
        if consumer.safe.get(part.tp) == before:
            consumer.safe[part.tp] = part.next_offset
        if part.progress.is_waiting(consumer, end, self._clock()):
            return False
        return await consumer.still_member(part.tp)

    async def _say_idle(self, part: SourcePartition, end: int) -> None:
        before = part.next_offset
        flush = part.summariser.flush_idle()
        if flush is not None and self.consumer is not None:
            await self._queue(part, flush)
            if part.tasks:
                await asyncio.wait(part.tasks)
            # That may have waited for a broker that was away, and much have come since.
            end = (await self._ends([part]))[part.tp]
            if not await self._is_caught_up(part, end):
                return
        async with part.turn:
            if part.alive and part.next_offset == before:
                word = encode_message(Idle(part.summariser.source, end))
                await self._to_all(word)
                if part.pairs is not None:
                    await self._to_all_pairs(word)
                if not part.idle:
                    log.info("%s[%d]: nothing more to read at %d", *part.tp, end)
                part.idle = True


def _add_stats(total: Stage1Stats, part: Stage1Stats) -> None:
    """Add counters up; the largest time is that of a partition and not added."""
    counters = ("records", "actuals", "values_invalid", "unknown_fields", "segments_folded")
    for name in (*counters, "chunks", "flushes"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for name in ("events", "late", "ahead", "rejected", "versions_folded", "unjoinable"):
        held = getattr(total, name)
        for key, count in getattr(part, name).items():
            held[key] = held.get(key, 0) + count
    for model, delays in part.truth_delays.items():
        total.truth_delays.setdefault(model, TruthDelays()).add_all(delays)
