"""Stage 1's part of a join: rows of what one source partition counted, as messages of each flush.

Rows of a flush are a function of the partition's log, but which flush they are in is not. So what
may be read twice is told by their offsets alone (`stream/join/partition.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.contracts.pair_message import PairProgress, PairRows, encode_pair
from stream.contracts.summary_message import MAX_BATCH_BYTES, Progress, Source
from stream.decode.columns import Columns, Labels
from stream.join.columns import JoinedSignals
from stream.join.rows import RowBatch, numbered
from stream.plans.plan import Plan, PlanBook, Subject

__all__ = ["PairWriter"]

#: Rows of a message at most; fewer where their names are long.
_MAX_ROWS: Final = 8_192

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.void]
Scopes: TypeAlias = list[list[str | None]]


class PairWriter:
    """Collects what may be joined of one source partition.

    Parameters
    ----------
    source : Source
    plans : PlanBook
        Shared and growing.
    n_partitions : int
        Of the pairs topic: an id is joined in the partition of its hash.

    Attributes
    ----------
    unjoinable : dict of (str, str) to int
        By model and reason: predictions and labels without an id, and labels without a truth.
    """

    def __init__(self, source: Source, plans: PlanBook, n_partitions: int) -> None:
        self.unjoinable: dict[tuple[str, str], int] = {}
        self._source, self._plans, self._n_partitions = source, plans, n_partitions
        self._signals: dict[bytes, JoinedSignals] = {}
        self._parts: dict[bytes, list[tuple[Rows, Scopes]]] = {}

    def counted(
        self, subject: Subject, columns: Columns, time_ms: Ints, offset: Ints, late: Bools
    ) -> None:
        """Take in events that the summariser counted, which those that were late are not."""
        plan = columns.plan
        if not isinstance(plan, Plan) or not plan.join_key or plan.topic != self._source.topic:
            return
        signals = self._signals_of(plan)
        rows, scopes, nameless = signals.unnumbered(subject.version, columns, time_ms, offset, late)
        self._leave_out(plan, "prediction_without_id", nameless)
        self._hold(plan, rows, scopes)

    def labelled(self, labels: Labels, stamp_ms: Ints, came_ms: Ints, offset: Ints) -> None:
        """Take in labels: their time is that of their record.

        One that is more than the lateness behind others of its chunk is of the time that is left.
        """
        plan = labels.plan
        if not isinstance(plan, Plan) or not plan.join_key:
            return
        if plan.outcome_labels != self._source.topic:
            return
        open_ms = came_ms - plan.lateness_ms
        labels.time_ms = np.maximum(stamp_ms, open_ms - open_ms % plan.pane_ms)
        batch, nameless, empty = self._signals_of(plan).labels(labels, offset)
        self._leave_out(plan, "label_without_id", nameless)
        self._leave_out(plan, "label_without_truth", empty)
        nothing: list[str | None] = [None] * batch.rows.size
        self._hold(plan, batch.rows, [nothing] * len(batch.names))

    def flush(self, read: Progress, came_ms: int) -> tuple[list[tuple[int, bytes]], bytes | None]:
        """Messages of a flush, with their partitions, and the progress that is to follow them.

        There is no progress where no plan joins what this topic has.
        """
        joined = (plan for _, plan in self._plans if plan.join_key)
        topic = self._source.topic
        if not any(topic in (plan.topic, plan.outcome_labels) for plan in joined):
            return [], None
        messages = [
            message for key in sorted(self._parts) for message in self._messages(key, read.through)
        ]
        progress = PairProgress(
            self._source, read.chunk, read.through, read.max_time_ms, max(0, came_ms)
        )
        return messages, encode_pair(progress)

    def _signals_of(self, plan: Plan) -> JoinedSignals:
        signals = self._signals.get(plan.join_key)
        if signals is None:
            signals = self._signals[plan.join_key] = JoinedSignals(plan)
        return signals

    def _leave_out(self, plan: Plan, reason: str, count: int) -> None:
        if count:
            key = plan.model, reason
            self.unjoinable[key] = self.unjoinable.get(key, 0) + count

    def _hold(self, plan: Plan, rows: Rows, scopes: Scopes) -> None:
        if rows.size:
            self._parts.setdefault(plan.join_key, []).append((rows, scopes))

    def _messages(self, key: bytes, through: int) -> Iterator[tuple[int, bytes]]:
        """Messages of the rows up to an offset; later ones are of a flush to come."""
        parts = self._parts.pop(key)
        rows = np.concatenate([rows for rows, _ in parts])
        scopes: Scopes = [
            [name for column in columns for name in column]
            for columns in zip(*(scopes for _, scopes in parts), strict=True)
        ]
        later = np.flatnonzero(rows["offset"] > through)
        if later.size:
            self._parts[key] = [(rows[later], _chosen(scopes, later))]
        order = np.argsort(rows["offset"], kind="stable")
        order = order[rows["offset"][order] <= through]
        target = rows["id"][order] % np.uint64(self._n_partitions)
        for partition in np.unique(target).tolist():
            which = order[target == partition]
            for skip, message in _cut(rows[which], _chosen(scopes, which)):
                sent = PairRows(self._source, key, skip, message)
                yield int(partition), encode_pair(sent)


def _chosen(scopes: Scopes, which: npt.NDArray[np.integer]) -> Scopes:
    places = which.tolist()
    return [[column[i] for i in places] for column in scopes]


def _cut(rows: Rows, scopes: Scopes) -> Iterator[tuple[int, bytes]]:
    """Batches that fit into messages, each with how many rows of its first record came before."""
    at, most = 0, _MAX_ROWS
    while at < rows.size:
        some = rows[at : at + most].copy()
        some["scopes"], names = numbered([c[at : at + most] for c in scopes], some.size)
        message = RowBatch(some, names).encode()
        if len(message) > MAX_BATCH_BYTES and some.size > 1:
            most = some.size // 2
            continue
        yield at - int(np.searchsorted(rows["offset"], rows["offset"][at])), message
        at += some.size
