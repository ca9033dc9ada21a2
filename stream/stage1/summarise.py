"""Stage 1, pure: records of one source partition in, flushes of summaries out.

The protocol (docs/architecture.md, rules 1 to 4), with no durable state:

1. Records are read in chunks. A chunk starts at the first record read and ends after
   `CHUNK_RECORDS` records, or before a record whose own timestamp is more than `CHUNK_SPAN_MS`
   after its first record's. Both are constants, so every reader cuts the same chunks.
2. Counts are cumulative over the chunk, and whether an event is late is decided from the chunk
   alone. A summary is therefore a function of (chunk, through_offset) and can be replaced by
   another writer's.
3. A flush carries changed summaries first; when those are acknowledged, one progress record; only
   then may the next flush start, and only a flush that ends a chunk makes an offset safe to commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from stream.contracts.moments import MINUS_INFINITY
from stream.contracts.summary_message import (
    MAX_BATCH_BYTES,
    Progress,
    Source,
    SummaryBatch,
    SummaryEntry,
    encode_message,
)
from stream.contracts.unread import Unread
from stream.decode.columns import Columns, Decoded, Labels, Reject
from stream.decode.record import Record, offset_after, stamps_of
from stream.plans.plan import AnyPlan, PlanBook, Subject
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage1.leads import Leads, refuse_beyond
from stream.stage1.stats import Stage1Stats
from stream.stage1.truth_delays import TruthDelays
from stream.stage1.versions import (
    MAX_VERSION_CHARS,
    OTHER_VERSION,
    ChunkVersions,
    by_version,
)
from stream.stage1.watermark import ChunkClock

__all__ = [
    "CHUNK_RECORDS",
    "CHUNK_SPAN_MS",
    "Decoder",
    "Flush",
    "OnCounted",
    "OnLabels",
    "Summariser",
    "cut_batches",
]

Ints = npt.NDArray[np.int64]

#: Larger chunks re-read more after a crash, smaller ones acknowledge and publish more often.
CHUNK_RECORDS: Final = 16_384
#: Bounds how long a quiet partition holds its chunk open, and so what a restart reads again.
CHUNK_SPAN_MS: Final = 600_000
#: Refused records are kept until the next flush; so many bytes of them bring one about. A chunk
#: full of garbage would otherwise be kept whole, gigabytes of it, by one worker after the other.
MAX_REJECT_BYTES: Final = 8 * 2**20


class Decoder(Protocol):
    """Bytes to columns; `stream.decode.native.NativeDecoder` is the native one."""

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Columns of the records that can be counted, rejects for the others."""

    def release_idle(self) -> int:
        """Forget what was made for subjects without a record since the last call; how many."""


#: Called with events of one subject, their times, their records' offsets, and which of them were
#: late and not counted.
OnCounted = Callable[[Subject, Columns, Ints, Ints, npt.NDArray[np.bool_]], object]
#: Called with labels, the timestamps and offsets of their records, and for each the latest
#: timestamp of its chunk so far.
OnLabels = Callable[[Labels, Ints, Ints, Ints], object]


@dataclass(slots=True)
class Flush:
    """What to send, in this order: rejects and summaries, await; progress to all, await; commit.

    `read` is what the progress says, `came_ms` the latest timestamp of the chunk's records.
    """

    summaries: list[tuple[bytes, bytes]]
    progress: bytes
    rejects: list[tuple[Record, Reject]]
    commit: int | None
    read: Progress
    came_ms: int


class Summariser:
    """Counts one source partition, chunk by chunk.

    Parameters
    ----------
    source : Source
        The partition, with the id of its topic.
    plans : PlanBook
        Shared and growing; an event is counted under the plan in force at its time.
    decoder : Decoder
        Bytes to columns.
    chunk_records, chunk_span_ms
        Protocol constants; tests alone choose others.
    on_counted, on_labels : callable, optional
        For who joins predictions with labels that come later. With `on_labels` a flush is also due
        when the records' timestamps have passed a pane of a plan whose labels are here.
    """

    def __init__(
        self,
        source: Source,
        plans: PlanBook,
        decoder: Decoder,
        *,
        chunk_records: int = CHUNK_RECORDS,
        chunk_span_ms: int = CHUNK_SPAN_MS,
        on_counted: OnCounted | None = None,
        on_labels: OnLabels | None = None,
    ) -> None:
        self.source = source
        self._on_counted, self._on_labels = on_counted, on_labels
        self.stats = Stage1Stats()
        self._plans = plans
        self._decoder = decoder
        self._chunk_records = chunk_records
        self._chunk_span_ms = chunk_span_ms
        self._rejects: list[tuple[Record, Reject]] = []
        self._reject_bytes = 0
        self._next = 0
        self._announced_ms = MINUS_INFINITY  # of the last progress, over all chunks
        self._announced_came_ms = MINUS_INFINITY
        self._open(-1, 0)

    def _open(self, offset: int, began_ms: int) -> None:
        """Begin a chunk at this record; there is none at -1."""
        self._chunk = offset
        self._chunk_began_ms = began_ms
        self._chunk_size = 0
        self._came_ms = 0
        self._clock = ChunkClock()
        self._leads = Leads(self.stats.ahead)
        self._flushed_through = -1
        self._chunk_counts: dict[tuple[Subject, bytes], ChunkCounts] = {}
        self._versions: defaultdict[bytes, ChunkVersions] = defaultdict(ChunkVersions)  # by plan

    def add(self, records: Sequence[Record]) -> list[Flush]:
        """Count the next records of the partition, in offset order; what is now to be sent."""
        flushes = []
        stamps = stamps_of(records)
        at = 0
        while at < len(records):
            if self._chunk < 0:
                self._open(records[at].offset, int(stamps[at]))
            if stamps[at] > self._chunk_began_ms + self._chunk_span_ms:
                flushes.append(self._end_chunk())
                continue
            end = self._cut(stamps, at)
            self._count(records[at:end], stamps[at:end])
            at = end
            if self._chunk_size == self._chunk_records:
                flushes.append(self._end_chunk())
        if self._chunk >= 0 and (self._pane_completed() or self._reject_bytes > MAX_REJECT_BYTES):
            flushes.append(self._flush(only_complete=True))
        return flushes

    def flush_idle(self) -> Flush | None:
        """All that changed since the last flush, for a partition that has fallen silent."""
        news = any(counts.has_news for counts in self._chunk_counts.values())
        if self._chunk < 0 or (self._flushed_through == self._next - 1 and not news):
            return None
        return self._flush(only_complete=False)

    def _cut(self, stamps: npt.NDArray[np.int64], at: int) -> int:
        """End of the run of records, from `at`, that belong to the open chunk."""
        end = min(len(stamps), at + self._chunk_records - self._chunk_size)
        beyond = stamps[at:end] > self._chunk_began_ms + self._chunk_span_ms
        return at + int(beyond.argmax()) if beyond.any() else end

    def _count(self, records: Sequence[Record], stamps: npt.NDArray[np.int64]) -> None:
        stats, first = self.stats, self._chunk_size
        if isinstance(unread := records[-1], Unread):  # one record of its chunk, as in the log
            decoded = self._decoder.decode(records[:-1])
            decoded.rejects.append(Reject(len(records) - 1, unread.reason, unread.error))
        else:
            decoded = self._decoder.decode(records)
        stats.records += len(records)
        stats.actuals += decoded.actuals
        stats.values_invalid += decoded.values_invalid
        stats.unknown_fields += decoded.unknown_fields
        came_ms = np.maximum.accumulate(np.maximum(stamps, self._came_ms))
        self._came_ms = int(came_ms[-1])
        offsets = np.zeros(0, np.int64)
        if self._on_counted is not None or self._on_labels is not None:
            offsets = np.array([record.offset for record in records], np.int64)
        if self._on_labels is not None:
            for labels in decoded.labels:
                at = labels.record
                self._on_labels(labels, stamps[at], came_ms[at], offsets[at])
        reading = self._clock.read(records, stamps, decoded.time_ms, decoded.record)
        refuse_beyond(decoded, reading)
        for reject in decoded.rejects:
            self._refuse(records[reject.index], reject)
        if decoded.time_ms.size:
            mark = self._clock.advance(reading, decoded.time_ms, decoded.record)
            stats.max_time_ms = max(stats.max_time_ms, int(decoded.time_ms.max()))
            stats.watermark_ms = max(stats.watermark_ms, self._clock.mark_ms)
            ahead = Leads.suspects(reading, decoded.time_ms, decoded.record)
            for whole in decoded.groups:
                for version, group in by_version(whole, self._versions[whole.plan.short_hash]):
                    time_ms, record = decoded.time_ms[group.rows], decoded.record[group.rows]
                    if version is None:
                        self._refuse_version(records, record)
                        continue
                    if version == OTHER_VERSION:
                        folded = stats.versions_folded.get(group.model, 0)
                        stats.versions_folded[group.model] = folded + len(group.rows)
                    subject = Subject(group.model, version)
                    counts = self._count_group(subject, group, time_ms, mark[group.rows])
                    if self._on_counted is not None:
                        late = counts.are_late(time_ms, mark[group.rows])
                        self._on_counted(subject, group, time_ms, offsets[record], late)
                    if ahead is not None and (far := ahead[group.rows]).any():
                        self._leads.note(counts, time_ms[far], record[far], reading, first)
                    if after_ms := group.plan.stale_after_ms:
                        age = stamps[record] - time_ms
                        counts.stale += int(np.count_nonzero(age > after_ms))
                        counts.aged += age.size
        self._leads.settle(reading, first)
        stats.clock, stats.lead_ms = self._clock, self._leads.max_lead_ms
        self._chunk_size += len(records)
        self._next = offset_after(records[-1])

    def _refuse_version(self, records: Sequence[Record], indices: npt.NDArray[np.int64]) -> None:
        error = f"Expected at most {MAX_VERSION_CHARS} characters - at $.model.version"
        for index in np.unique(indices).tolist():
            self._refuse(records[index], Reject(index, "wrong_type", error))

    def _refuse(self, record: Record, reject: Reject) -> None:
        self._rejects.append((record, reject))
        self._reject_bytes += len(record.value or b"") + len(record.key or b"")
        rejected = self.stats.rejected
        rejected[reject.reason] = rejected.get(reject.reason, 0) + 1
        self.stats.last_reject[reject.reason] = (record.offset, reject.error)
        if who := reject.ahead:
            subject = Subject(who.model, self._leads.version_of(who))
            self._leads.count(self._counts_of(subject, who.plan), who.events, who.lead_ms)

    def _counts_of(self, subject: Subject, plan: AnyPlan) -> ChunkCounts:
        key = (subject, plan.short_hash)
        counts = self._chunk_counts.get(key)
        if counts is None:
            counts = self._chunk_counts[key] = ChunkCounts(subject, plan)
        return counts

    def _count_group(
        self,
        subject: Subject,
        group: Columns,
        time_ms: npt.NDArray[np.int64],
        mark: npt.NDArray[np.int64],
    ) -> ChunkCounts:
        counts = self._counts_of(subject, group.plan)
        folded = counts.folded
        late = counts.add(group, time_ms, mark)
        self.stats.segments_folded += counts.folded - folded
        model = subject.model
        if group.predicted_ms is not None:
            delay_ms = time_ms - group.predicted_ms
            delays = self.stats.truth_delays.setdefault(model, TruthDelays())
            delays.add(delay_ms[~np.isnan(delay_ms)])
        self.stats.events[model] = self.stats.events.get(model, 0) + len(group.rows)
        if late:
            self.stats.late[model] = self.stats.late.get(model, 0) + late
        return counts

    def _pane_completed(self) -> bool:
        """Whether the watermark ended a pane of any plan since the last flush.

        Judged for every plan of the topic and not only for what this chunk holds: another
        partition's panes wait for this one's progress.
        """
        if self._on_labels is not None and self._came_ms > self._announced_came_ms:
            at, before = self._came_ms, self._announced_came_ms
            joined = (plan for _, plan in self._plans if plan.outcome_labels == self.source.topic)
            if any(_passed_pane(plan, before, at) for plan in joined):
                return True
        at, before = self._clock.mark_ms, self._announced_ms
        if at <= before:
            return False
        counted = (plan for _, plan in self._plans if plan.topic == self.source.topic)
        return any(_passed_pane(plan, before, at) for plan in counted)

    def _end_chunk(self) -> Flush:
        flush = self._flush(only_complete=False)
        flush.commit = self._next
        self.stats.chunks += 1
        self._open(-1, 0)
        return flush

    def _flush(self, *, only_complete: bool) -> Flush:
        through = self._next - 1
        summaries = []
        for counts in self._chunk_counts.values():
            news = counts.has_news_of_clocks
            taken = counts.take(self._clock.mark_ms, only_complete=only_complete)
            for entries in cut_batches(taken, even_empty=news):
                batch = SummaryBatch(
                    self.source,
                    self._chunk,
                    through,
                    *counts.subject,
                    counts.plan.short_hash,
                    counts.late,
                    entries,
                    counts.stale,
                    counts.aged,
                    counts.ahead,
                    counts.ahead_max_ms,
                )
                summaries.append((counts.subject.key, encode_message(batch)))
        progress = Progress(self.source, self._chunk, through, self._clock.mark_ms)
        rejects, self._rejects, self._reject_bytes = self._rejects, [], 0
        self._flushed_through = through
        self._announced_ms = max(self._announced_ms, self._clock.mark_ms)
        self._announced_came_ms = max(self._announced_came_ms, self._came_ms)
        self.stats.flushes += 1
        sent = encode_message(progress)
        return Flush(summaries, sent, rejects, None, progress, self._came_ms)


def _passed_pane(plan: AnyPlan, before_ms: int, at_ms: int) -> bool:
    """Whether a pane became complete between two times."""
    lateness_ms = plan.lateness_ms
    return plan.pane_of(at_ms - lateness_ms) > plan.pane_of(before_ms - lateness_ms)


def cut_batches(entries: list[SummaryEntry], *, even_empty: bool) -> Iterator[list[SummaryEntry]]:
    """Runs of entries that stay below the size of one message."""
    run: list[SummaryEntry] = []
    size = 0
    for entry in entries:
        entry_bytes = len(entry.counts) + len(entry.ids) + len(entry.segment) + 32
        if run and size + entry_bytes > MAX_BATCH_BYTES:
            yield run
            run, size = [], 0
        run.append(entry)
        size += entry_bytes
    if run or even_empty:
        yield run
