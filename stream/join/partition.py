"""The join of one partition of the pairs topic, pure: records in, summaries of truths out.

A `PartitionJoin` is a function of the log it has read: whoever reads the same records, from the
beginning or from a snapshot, writes the same summaries, each named by the offset of the record that
settled it. To stage 2 each join is a source of its own, whose partitions are those of the topic.

What a row is late for is told by its own partition, so that nothing depends on how partitions are
interleaved: a prediction of a time that its partition said to be complete is left out, as stage 2
does with its counts; a label counts as of the time that is left, as it came all the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from stream.contracts.moments import NOT_YET
from stream.contracts.pair_message import (
    PairError,
    PairProgress,
    PairRows,
    decode_pair,
    join_source,
)
from stream.contracts.summary_message import Idle, Progress, Source, SummaryBatch, encode_message
from stream.join.columns import JoinedSignals
from stream.join.joiner import Joiner, Settled
from stream.join.rows import PREDICTION, RowBatch, RowError
from stream.plans.plan import Plan, PlanBook, Subject
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage1.summarise import cut_batches
from stream.stage2.frontier import ALL_IDLE_SEALS_MS, Sources
from stream.stage2.monitor import UnknownPlanError
from stream.stage2.snapshot import Manifest, Round, SnapshotError, SnapshotWriter, cut_blocks

__all__ = ["Join", "JoinFlush", "PartitionJoin"]

_SOURCES: Final = "@sources"
#: To a joiner the pairs partition is the one that all rows come from.
_LOG: Final = "pairs"
#: Idle records of sources come from each of their partitions, again and again; that a join is
#: idle is said so often, in record time.
_IDLE_EVERY_MS: Final = 20_000

Ints = npt.NDArray[np.int64]


class JoinFlush(NamedTuple):
    """What to send, in this order: summaries by their keys, await; words to all partitions."""

    summaries: list[tuple[bytes, bytes]]
    words: list[bytes]


@dataclass
class Join:
    """What waits for labels, or for its prediction, under one key of plans.

    Attributes
    ----------
    late : int
        Predictions of a time that their partition had said to be complete.
    again : int
        Rows that were read before.
    replaced : int
        Truths of a time in which another plan holds, which does not go on with this join.
    """

    plan: Plan
    signals: JoinedSignals
    joiner: Joiner
    read: dict[str, tuple[int, int]] = field(default_factory=dict)
    idle_said_ms: int = NOT_YET
    late: int = 0
    again: int = 0
    replaced: int = 0

    @classmethod
    def of(cls, plan: Plan) -> Join:
        """An empty one."""
        signals = JoinedSignals(plan)
        return cls(plan, signals, Joiner((_LOG,), signals.scopes, plan.outcome_wait_ms))

    @property
    def topics(self) -> tuple[str, str]:
        """Where its predictions and its labels are."""
        return self.plan.topic, self.plan.outcome_labels

    def unread(self, message: PairRows, rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
        """Which rows were not read before: those behind the last one of their partition."""
        offset = rows["offset"]
        first = np.searchsorted(offset, offset)  # of its record
        place = np.arange(rows.size) - first + np.where(first == 0, message.skip, 0)
        key = f"{message.source.topic_id}/{message.source.partition}"
        last, n = self.read.get(key, (-1, 0))
        news: npt.NDArray[np.bool_] = (offset > last) | ((offset == last) & (place >= n))
        if news.any():
            self.read[key] = int(offset[-1]), int(place[-1]) + 1
        return news


class _JoinState(msgspec.Struct, array_like=True):
    key: bytes
    read: dict[str, tuple[int, int]]
    idle_said_ms: int
    late: int
    again: int
    replaced: int
    joiner: bytes


class PartitionJoin:
    """All joins of one partition of the pairs topic.

    Parameters
    ----------
    plans : PlanBook
        Shared with the other stages.
    pairs_id : str
        Id of the pairs topic.
    partition, n_partitions : int
        Which one of how many.
    all_idle_seals_ms : int
        As of `PartitionMonitor`.
    """

    def __init__(
        self,
        plans: PlanBook,
        pairs_id: str,
        partition: int,
        n_partitions: int,
        *,
        all_idle_seals_ms: int = ALL_IDLE_SEALS_MS,
    ) -> None:
        self.joins: dict[bytes, Join] = {}
        self.fence = 0  # the next offset; records before it are in the state
        self.refused: dict[str, int] = {}
        self.lost = 0  # how often records were deleted before they were read
        self._plans = plans
        self._place = pairs_id, partition, n_partitions
        self._seals_ms = all_idle_seals_ms
        self._reset()
        self._keys: dict[bytes, Plan] = {}
        self._generation = -1
        self._round_fence = -1
        self._written: dict[str, bytes] = {}  # block -> checksum

    def _reset(self) -> None:
        self.joins.clear()
        # One by the clock of events, one by that of records, which is the labels'.
        self._events = Sources(all_idle_seals_ms=self._seals_ms)
        self._labels = Sources(all_idle_seals_ms=self._seals_ms)

    @property
    def nbytes(self) -> int:
        """Memory of all rows."""
        return sum(join.joiner.nbytes for join in self.joins.values())

    def apply(
        self, offset: int, value: bytes | None, timestamp_ms: int, *, plans_current: bool = False
    ) -> list[JoinFlush]:
        """Take one record of the pairs partition in; what is to be sent because of it.

        Parameters and `UnknownPlanError` as of `PartitionMonitor.apply`.
        """
        if offset < self.fence:
            return []
        if offset > self.fence > 0:
            self.lost += 1
        try:
            message = decode_pair(value)
        except PairError:
            self._refuse("undecodable")
            self.fence = offset + 1
            return []
        known = self._known()
        if isinstance(message, PairRows) and not plans_current and message.join not in known:
            raise UnknownPlanError(f"join {message.join.hex()}")
        flushes: list[JoinFlush] = []
        if message.source.topic_id in self._events.former:
            self._refuse("former_topic")
        else:
            self._enter(message.source)
            if isinstance(message, PairRows):
                self._take(offset, message, known)
            elif self._is_news(message, timestamp_ms):
                flushes = list(self._step(message.source.topic, offset, timestamp_ms))
        self.fence = offset + 1
        return flushes

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def _known(self) -> dict[bytes, Plan]:
        """The newest plan of each key."""
        if self._generation != self._plans.generation:
            joined = (plan for _, plan in self._plans if isinstance(plan, Plan))
            self._keys = {plan.join_key: plan for plan in joined if plan.join_key}
            self._generation = self._plans.generation
        return self._keys

    def _enter(self, source: Source) -> None:
        """Note the topic; offsets of one that it replaces say nothing any more."""
        replaced = self._events.enter(source)
        self._labels.enter(source)
        if replaced is not None:
            for join in self.joins.values():
                for key in [key for key in join.read if key.startswith(f"{replaced}/")]:
                    del join.read[key]

    def _is_news(self, message: PairProgress | Idle, timestamp_ms: int) -> bool:
        """Note a word of a source partition; whether anything may settle because of it."""
        if isinstance(message, Idle):
            self._labels.idle(message, timestamp_ms)
            return self._events.idle(message, timestamp_ms)
        read = message.source, message.chunk, message.through
        self._labels.progress(Progress(*read, message.came_ms))
        return self._events.progress(Progress(*read, message.mark_ms))

    def _take(self, offset: int, message: PairRows, known: Mapping[bytes, Plan]) -> None:
        join = self._join(message.join, known)
        if join is None:
            self._refuse("plan")
            return
        try:
            batch = RowBatch.decode(message.rows)
            if (why := join.signals.problem(batch.rows)) is not None:
                raise RowError(f"{batch.rows.size} rows to join: {why}")
        except RowError:
            self._refuse("undecodable")
            return
        rows = batch.rows.copy()
        news = join.unread(message, rows)
        join.again += int(np.count_nonzero(~news))
        said = rows["kind"] == PREDICTION
        plan, settled_ms = join.plan, join.joiner.settled_ms
        made_ms, came_ms = (
            max(settled_ms, self._complete_ms(of, message.source, plan))
            for of in (self._events, self._labels)
        )
        late = news & said & (rows["time_ms"] < made_ms)
        join.late += int(np.count_nonzero(late))
        rows["time_ms"][~said] = np.maximum(rows["time_ms"][~said], came_ms)
        rows["offset"] = offset
        join.joiner.add(_LOG, RowBatch(rows[news & ~late], batch.names))

    @staticmethod
    def _complete_ms(sources: Sources, source: Source, plan: Plan) -> int:
        """Up to which time a partition has said that it is complete."""
        return plan.pane_of(sources.partition(source).max_time_ms - plan.lateness_ms)

    def _join(self, key: bytes, known: Mapping[bytes, Plan]) -> Join | None:
        plan = known.get(key)
        join = self.joins.get(key)
        if join is None and plan is not None:
            join = self.joins[key] = Join.of(plan)
        if join is not None and plan is not None:
            join.plan = plan
        return join

    # ---- what settles

    def _step(self, topic: str, offset: int, timestamp_ms: int) -> Iterator[JoinFlush]:
        """Settle what a word of a topic allows, in each join that reads it."""
        known = self._known()
        for key in sorted(known.keys() | self.joins.keys()):
            join = self._join(key, known)
            if join is None or topic not in join.topics:
                continue
            source = join_source(self._place[0], key, *self._place[1:])
            settled, idle = self._settle(join)
            words = []
            if settled is not None:
                until_ms = settled.to_ms + join.plan.lateness_ms
                words.append(encode_message(Progress(source, offset, offset, until_ms)))
            if not idle:
                join.idle_said_ms = NOT_YET
            elif not 0 <= timestamp_ms - join.idle_said_ms < _IDLE_EVERY_MS or settled is not None:
                join.idle_said_ms = timestamp_ms
                words.append(encode_message(Idle(source, offset + 1)))
            if words:
                summaries = [] if settled is None else self._count(join, source, offset, settled)
                yield JoinFlush(list(summaries), words)

    def _settle(self, join: Join) -> tuple[Settled | None, bool]:
        """What settles now, and whether the join has nothing more to say until data come.

        A topic that is idle is not waited for. When both have been idle for long enough to seal
        panes, all that came is settled.
        """
        plan, times = join.plan, []
        sealed = True
        for sources, name in zip((self._events, self._labels), join.topics, strict=True):
            topic = sources.named(name)
            if topic is None:
                return None, False
            if all(partition.idle for partition in topic.partitions.values()):
                sealed = sealed and topic.sealed_by_idle
            else:
                times.append(plan.pane_of(topic.frontier_ms - plan.lateness_ms))
        if times:
            join.joiner.complete(_LOG, min(times))
            return join.joiner.settle(), False
        return (join.joiner.settle_all(), True) if sealed else (None, False)

    def _count(
        self, join: Join, source: Source, offset: int, settled: Settled
    ) -> Iterator[tuple[bytes, bytes]]:
        """Summaries of the truths of one step."""
        # Where no label means a class, labels that came are of the others: all wait for the end.
        counting = settled.first if join.plan.absent_class is None else settled.final
        model = join.plan.model
        for version, columns, at_ms in join.signals.truths(counting, join.joiner.names):
            subject = Subject(model, version)
            for plan, which in self._by_plan(join, subject, at_ms):
                truths = columns.take(which, version)
                truths.plan = plan
                counts = ChunkCounts(subject, plan)
                counts.add(truths, at_ms[which], np.full(which.size, settled.from_ms))
                entries = counts.take(settled.to_ms, only_complete=False)
                for some in cut_batches(entries, even_empty=False):
                    batch = SummaryBatch(source, offset, offset, *subject, plan.short_hash, 0, some)
                    yield subject.key, encode_message(batch)

    def _by_plan(self, join: Join, subject: Subject, at_ms: Ints) -> Iterator[tuple[Plan, Ints]]:
        """The plans that truths count under, of those that share the join, and which they are."""
        key, panes = join.plan.join_key, at_ms - at_ms % join.plan.pane_ms
        found: dict[bytes, tuple[Plan, list[Ints]]] = {}
        for pane_ms in np.unique(panes).tolist():
            which = np.flatnonzero(panes == pane_ms)
            plan = self._plans.plan_at(*subject, pane_ms)
            if not isinstance(plan, Plan) or plan.join_key != key:
                join.replaced += which.size
                continue
            found.setdefault(plan.short_hash, (plan, []))[1].append(which)
        for plan, parts in found.values():
            yield plan, np.concatenate(parts)

    # ---- state

    def take_blocks(self) -> tuple[dict[str, bytes], list[str]] | None:
        """Blocks that changed since the last call, and the names of all; None if nothing was read.

        Each join is dumped whole, so it is to be asked the more rarely the more is held.
        """
        if self.fence == self._round_fence:
            return None
        self._round_fence = self.fence
        known = (self._events.dump(), self._labels.dump(), self.lost, self.refused)
        blocks = cut_blocks(_SOURCES, msgspec.msgpack.encode(known))
        for key, join in self.joins.items():
            state = _JoinState(
                key,
                join.read,
                join.idle_said_ms,
                join.late,
                join.again,
                join.replaced,
                join.joiner.dump(),
            )
            blocks |= cut_blocks(key.hex(), msgspec.msgpack.encode(state))
        before, self._written = self._written, {n: _checksum(b) for n, b in blocks.items()}
        dirty = {n: b for n, b in blocks.items() if before.get(n) != self._written[n]}
        return dirty, list(blocks)

    def take_round(self, writer: SnapshotWriter) -> Round | None:
        """Plan a snapshot round of what changed since the last one; None if nothing was read."""
        taken = self.take_blocks()
        return None if taken is None else writer.plan(self.fence, *taken)

    def restore(self, manifest: Manifest, payloads: Mapping[str, bytes]) -> None:
        """Take over the state of a snapshot; records before its fence are then ignored.

        A join whose plans are no more is left out.

        Raises
        ------
        SnapshotError
            If a block does not decode, or is of a join that was made otherwise.
        """
        whole: dict[str, list[bytes]] = {}
        known = self._known()
        try:
            for name in sorted(payloads, key=lambda name: int(name.rpartition("#")[2])):
                whole.setdefault(name.rpartition("#")[0], []).append(payloads[name])
            kind = tuple[bytes, bytes, int, dict[str, int]]
            found = msgspec.msgpack.decode(b"".join(whole.pop(_SOURCES)), type=kind)
            self._events.load(found[0])
            self._labels.load(found[1])
            self.lost, self.refused = found[2:]
            for parts in whole.values():
                state = msgspec.msgpack.decode(b"".join(parts), type=_JoinState)
                if (plan := known.get(state.key)) is None:
                    continue
                join = self.joins[state.key] = Join.of(plan)
                join.read, join.idle_said_ms = state.read, state.idle_said_ms
                join.late, join.again, join.replaced = state.late, state.again, state.replaced
                join.joiner.load(state.joiner)
        except (LookupError, TypeError, ValueError, msgspec.MsgspecError) as error:
            self._reset()
            raise SnapshotError(
                f"the snapshot of pairs partition {manifest.partition} by {manifest.writer} cannot "
                f"be used: {error}. It is rebuilt from the pairs topic."
            ) from error
        self.fence = manifest.fence


def _checksum(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=16).digest()
