"""Labels of another file, joined by id with the predictions of a replay.

To stage 2 the join is a second partition of the same source: it writes truths, each once, and the
frontier waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.sparse import decode_counts
from stream.contracts.moments import INFINITY
from stream.contracts.summary_message import Progress, Source, SummaryBatch, encode_message
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.columns import Columns, Reject
from stream.decode.record import Record
from stream.join.columns import JoinedSignals
from stream.join.joiner import JoinCounts, Joiner, Settled
from stream.join.rows import RowBatch
from stream.plans.plan import Plan, PlanBook, Subject
from stream.plans.privacy import CategoryHash
from stream.stage1.accumulators import VectorAccumulators
from stream.stage1.chunk_counts import ChunkCounts
from stream.stage1.truth_delays import TruthDelays

__all__ = ["FileLabels", "LabelJoin"]

_EVENTS: Final = "events"
_LABELS: Final = "labels"
_BATCH_RECORDS: Final = 4_096

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]


@dataclass
class FileLabels:
    """The labels of a file.

    Attributes
    ----------
    rows : array of `row_dtype`
        In order of time.
    nameless, empty : int
        Labels without an id, which are left out, and those without a truth.
    others : int
        Events of the file that are no labels.
    """

    signals: JoinedSignals
    rows: Rows
    nameless: int = 0
    empty: int = 0
    others: int = 0

    @classmethod
    def read(
        cls,
        plan: Plan,
        records: Iterable[Record],
        source: SourceOptions | None = None,
        hashing: CategoryHash | None = None,
        on_reject: Callable[[Record, Reject], object] = lambda record, reject: None,
    ) -> FileLabels:
        """The labels in the records of a file; parameters as of `Replay`.

        Raises
        ------
        ValueError
            If the plan has no truths.
        """
        signals = JoinedSignals(plan)
        found = cls(signals, signals.no_rows)
        parts = [found.rows]
        book = PlanBook()
        book.add(plan)
        native = NativeDecoder(book, max_ahead_ms=INFINITY, hashing=hashing, labels=True)
        decoder, stream = FormatDecoder(native, source), iter(records)
        while batch_of := list(islice(stream, _BATCH_RECORDS)):
            each = decoder.decode(batch_of)
            for reject in each.rejects:
                on_reject(batch_of[reject.index], reject)
            found.others += len(each.time_ms)
            for labels in each.labels:
                batch, nameless, empty = signals.labels(labels, np.zeros_like(labels.time_ms))
                parts.append(batch.rows)
                found.nameless += nameless
                found.empty += empty
        rows = np.concatenate(parts)
        found.rows = rows[np.argsort(rows["time_ms"], kind="stable")]
        found.rows["offset"] = np.arange(rows.size)
        return found


@dataclass
class LabelJoin:
    """Joins as the summariser counts, and makes the messages of what was joined.

    Parameters
    ----------
    labels : FileLabels
    source : Source
        The partition that stands for the join.

    Attributes
    ----------
    nameless : int
        Predictions without an id, to which no label can come.
    delays : dict of str to TruthDelays
        Of first labels, by class; that of a number, or of a class beyond those counted, is "".
    """

    labels: FileLabels
    source: Source
    nameless: int = 0
    delays: dict[str, TruthDelays] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._signals = self.labels.signals
        self._plan: Plan = self._signals.plan
        scopes, wait_ms = self._signals.scopes, self._plan.outcome_wait_ms
        self._joiner = Joiner((_EVENTS, _LABELS), scopes, wait_ms)
        self._steps = self._read = self._calls = 0
        self._latest_ms = 0
        self._final = VectorAccumulators(self._plan)
        self._final.grow(1)

    @property
    def counts(self) -> JoinCounts:
        """What became of predictions and labels."""
        return self._joiner.counts

    @property
    def unmatched(self) -> int:
        """Labels without a prediction, so far."""
        return self.counts.unmatched + self._joiner.lone

    @property
    def plan(self) -> Plan:
        """The plan that all is joined under."""
        return self._plan

    @property
    def final_cells(self) -> Ints:
        """Outcomes of all predictions whose wait is over, as cells of outcomes."""
        layout = self._plan.layout
        return decode_counts(self._final.encode(0), layout.width)[layout.cells]

    def count(
        self, subject: Subject, columns: Columns, time_ms: Ints, offset: Ints, late: Bools
    ) -> None:
        """Take in what the summariser counted; it is read once, so offsets are of no use here."""
        calls = np.full_like(time_ms, self._calls)
        batch, nameless = self._signals.predictions(subject.version, columns, time_ms, calls, late)
        self._calls += 1
        self.nameless += nameless
        self._latest_ms = int(time_ms[~late].max(initial=self._latest_ms))
        self._joiner.add(_EVENTS, batch)

    def advance(self, mark_ms: int) -> Iterator[bytes]:
        """Messages of what has settled, given the watermark of the events."""
        complete_ms = self._plan.pane_of(mark_ms - self._plan.lateness_ms)
        yield from self._settle(complete_ms)

    def finish(self) -> Iterator[bytes]:
        """Messages of all that is left at the end of both files."""
        rows = self.labels.rows
        if rows.size:
            self._latest_ms = max(self._latest_ms, int(rows["time_ms"][-1]))
        yield from self._settle(self._latest_ms + 1)

    def _delays_of(self, name: str) -> TruthDelays:
        return self.delays.setdefault(name, TruthDelays())

    def _settle(self, complete_ms: int) -> Iterator[bytes]:
        rows = self.labels.rows
        end = int(np.searchsorted(rows["time_ms"], complete_ms))
        if end > self._read:
            self._joiner.add(_LABELS, RowBatch(rows[self._read : end], self._signals.no_names))
            self._read = end
        self._joiner.complete(_EVENTS, complete_ms)
        self._joiner.complete(_LABELS, complete_ms)
        if (settled := self._joiner.settle()) is not None:
            yield from self._messages(settled)

    def _messages(self, settled: Settled) -> Iterator[bytes]:
        plan, step = self._plan, self._steps
        self._steps += 1
        first = settled.first
        delay_ms = (first.at_ms - first.predictions["time_ms"]).astype(np.float64)
        rest = np.ones(delay_ms.size, np.bool_)
        for code, name in self._signals.classes.items():
            of = first.predictions["label"] == code
            self._delays_of(name).add(delay_ms[of])
            rest &= ~of
        self._delays_of("").add(delay_ms[rest])
        names = self._joiner.names
        for _, columns, at_ms in self._signals.truths(settled.final, names):
            self._final.count(self._final.place(columns), np.zeros(at_ms.size, np.int32))
        # Where no label means a class, labels that came are of the others: all wait for the end.
        counting = first if plan.absent_class is None else settled.final
        for version, columns, at_ms in self._signals.truths(counting, names):
            counts = ChunkCounts(Subject(plan.model, version), plan)
            counts.add(columns, at_ms, np.full(at_ms.size, settled.from_ms))
            entries = counts.take(settled.to_ms, only_complete=False)
            yield encode_message(
                SummaryBatch(
                    self.source, step, step, plan.model, version, plan.short_hash, 0, entries
                )
            )
        yield encode_message(Progress(self.source, step, step, settled.to_ms + plan.lateness_ms))
